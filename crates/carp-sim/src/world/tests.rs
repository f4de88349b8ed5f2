//! Groups that get other credentials, and what the checkers make of it.

use super::*;
use crate::fault::{Fault, Planned};
use crate::spec::{Families, Kind, Spec};

const GRACE: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

/// Nodes of advskew 0, 50, ... that are given new credentials at these seconds; a run of two minutes.
fn rekeyed(families: Families, edition: Edition, when: &[u64], grace: Duration) -> Outcome {
    let spec = |node: u8| Spec { families, ..Spec::plain(Kind::Ours, node + 1, 50 * node) };
    let specs = (0..).zip(when).map(|(node, _)| spec(node)).collect();
    let fault = |(node, second): (usize, &u64)| {
        let fault = Fault::Rekey { node, edition, grace };
        Planned { begin: at(*second), end: at(*second), fault }
    };
    let faults = when.iter().enumerate().filter(|(_, second)| **second < 120).map(fault).collect();
    World::new(Scenario::plain(1, specs, faults, at(120)), false).run()
}

/// When a node became MASTER that was not the only one.
fn second_masters(outcome: &Outcome) -> Vec<(Moment, usize)> {
    let mut masters: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for step in &outcome.moves {
        masters.retain(|master| *master != step.node);
        if step.to == State::Master {
            if !masters.is_empty() {
                found.push((step.at, step.node));
            }
            masters.push(step.node);
        }
    }
    found
}

fn editions() -> [Edition; 3] {
    [(true, false), (false, true), (true, true)]
        .map(|(new_password, new_addresses)| Edition { new_password, new_addresses })
}

#[test]
fn within_the_grace_time_nothing_happens() {
    for families in Families::ALL {
        for edition in editions() {
            for when in [&[20, 29][..], &[29, 20], &[25, 29, 20], &[20, 20, 20]] {
                let outcome = rekeyed(families, edition, when, GRACE);
                assert_eq!(outcome.violation, None, "{families:?}, {edition}, {when:?}");
                assert!(outcome.moves.iter().all(|step| step.at < at(10)), "{families:?}, {edition}, {when:?}");
            }
        }
    }
}

#[test]
fn a_node_that_is_late_becomes_a_second_master_when_the_grace_time_is_over_and_finds_back() {
    for families in [Families::V4, Families::Dual] {
        for edition in editions() {
            let outcome = rekeyed(families, edition, &[20, 45, 25], GRACE);
            assert_eq!(outcome.violation, None, "{families:?}, {edition}");
            let [(when, 1)] = second_masters(&outcome)[..] else { panic!("{:?}", outcome.moves) };
            // The last advertisement in the old form is sent within the second before the end of the grace time.
            assert!((at(32)..=at(34)).contains(&when), "{families:?}, {edition}: {when}");
            let last = outcome.moves.last().expect("it steps down again");
            assert_eq!((last.node, last.to), (1, State::Backup), "{families:?}, {edition}");
            assert!((at(45)..at(47)).contains(&last.at), "{families:?}, {edition}: {}", last.at);
        }
    }
}

#[test]
fn without_a_grace_time_the_second_master_appears_at_once() {
    for families in Families::ALL {
        let outcome = rekeyed(families, editions()[0], &[20, 200], Duration::ZERO);
        let [(when, 1)] = second_masters(&outcome)[..] else { panic!("{families:?}: {:?}", outcome.moves) };
        assert!((at(22)..at(25)).contains(&when), "{families:?}: {when}");
    }
}
