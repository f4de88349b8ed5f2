//! Groups that get other credentials, and what the checkers make of it; and what stamps change, which is nothing.

use carp_core::host::Authentication;

use super::*;
use crate::fault::{Fault, FaultKind, FaultSet, Planned};
use crate::moment::Wall;
use crate::options::Options;
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

/// The moves of a run with every fault that honest hosts have, and what was broken.
fn moves(seed: u64, authentication: Authentication, options: &Options) -> (Vec<Move>, Option<Violation>) {
    let faults = FaultKind::ALL.into_iter().filter(|kind| *kind != FaultKind::Twins).collect::<Vec<_>>();
    let options = Options { authentication, faults: FaultSet::of(&faults), ..options.clone() };
    let outcome = World::new(Scenario::new(seed, &options), false).run();
    (outcome.moves, outcome.violation)
}

#[test]
fn a_group_that_observes_moves_exactly_as_a_classic_one_in_any_company() {
    let groups = [
        Options { peers: Kind::ALL.to_vec(), ..Options::default() },
        Options { families: Families::Dual, ..Options::default() },
        Options { unicast: true, ..Options::default() },
    ];
    for (options, seed) in groups.iter().flat_map(|options| (0..300).map(move |seed| (options, seed))) {
        let [classic, observe] = [Authentication::Classic, Authentication::Observe].map(|a| moves(seed, a, options));
        assert_eq!(classic, observe, "seed {seed} {options}");
        assert_eq!(observe.1, None, "seed {seed} {options}");
    }
}

/// Without the stamps the same attacks break the promises.
#[test]
fn forged_advertisements_are_believed_in_groups_that_only_observe() {
    let attacks = [FaultKind::Replay, FaultKind::Forgery, FaultKind::Reflection];
    let options = Options {
        authentication: Authentication::Strict,
        faults: FaultSet::of(&[&attacks[..], &[FaultKind::Crash, FaultKind::Handover]].concat()),
        ..Options::default()
    };
    let run = |seed: u64, authentication| {
        let scenario = Scenario { authentication, ..Scenario::new(seed, &options) };
        World::new(scenario, false).run().violation
    };
    assert!((0..100).all(|seed| run(seed, Authentication::Strict).is_none()));
    let broken: Vec<_> = (0..100).filter_map(|seed| run(seed, Authentication::Observe)).collect();
    println!("{} of 100 runs", broken.len());
    for rule in [Rule::NoMaster, Rule::Grounds] {
        assert!(broken.iter().any(|violation| violation.rule == rule), "{rule}: not among {broken:?}");
    }
}

/// Hosts with the wrong time in one strict group: nobody is shut out for longer than a dead time and an advertisement.
#[test]
fn a_strict_node_with_any_clock_is_heard_after_a_dead_time_and_an_advertisement() {
    let walls = [Wall::Cold, Wall::Off(-3_600_000), Wall::Off(-11_000), Wall::Off(0), Wall::Off(2_592_000_000)];
    for (one, other, seed) in
        walls.iter().flat_map(|a| walls.iter().flat_map(move |b| (0..4).map(move |s| (*a, *b, s))))
    {
        let specs = vec![Spec::plain(Kind::Ours, 1, 0), Spec::plain(Kind::Ours, 2, 100)];
        let crash = Planned { begin: at(20), end: at(23), fault: Fault::Reclock { node: 1, wall: other } };
        let mut scenario = Scenario::plain(seed, specs, vec![crash], at(60));
        (scenario.authentication, scenario.walls) = (Authentication::Strict, vec![one, Wall::Off(0)]);
        scenario.bounds.clocks_differ = true;
        let outcome = World::new(scenario, false).run();
        assert_eq!(outcome.violation, None, "{one}, {other}");
        // 3.4 s of dead time, 1.4 s between two advertisements, and a start within the first 1.1 s.
        let late = |from: u64, until: u64| outcome.moves.iter().any(|step| step.at > at(from) && step.at < at(until));
        assert!(!late(6, 20) && !late(28, 60), "{one}, {other}: {:?}", outcome.moves);
        let last = |node| outcome.moves.iter().rfind(|step| step.node == node).map(|step| step.to);
        assert_eq!([last(0), last(1)], [Some(State::Master), Some(State::Backup)], "{one}, {other}");
    }
}
