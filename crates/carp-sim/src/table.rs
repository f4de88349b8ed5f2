//! Failover and handover against loss and priority: the table that shows what a change of behaviour changes.

use std::fmt::Write as _;
use std::time::Duration;

use carp_core::election::State;

use crate::dice::Dice;
use crate::fault::{Fault, Nodes, Planned};
use crate::moment::Moment;
use crate::network::percent;
use crate::scenario::Scenario;
use crate::spec::{Kind, Spec};
use crate::world::{Outcome, World};

/// Runs behind each pair of a mean and a 99th percentile.
const RUNS: u64 = 200;

/// Loss in percent.
const LOSSES: [u32; 7] = [0, 5, 10, 20, 30, 40, 50];

/// advskew of the BACKUP.
const SKEWS: [u8; 3] = [0, 50, 200];

/// Hours behind each count of false takeovers.
const HOURS: u64 = 4;

/// The whole table.
#[must_use]
pub fn render() -> String {
    let mut text = String::from(
        "Two nodes of ours, advbase 1, dead ratio 3, no preempt, scripts that take no time, delays of 0.1 to 0.5 ms.\n\
         The MASTER has advskew 0. Loss is of every frame in every direction, all the time.\n\
         failover: the MASTER's host dies; until the BACKUP is MASTER. handover: the MASTER is told to go; from its\n\
         goodbye until the BACKUP is MASTER. Milliseconds, mean and 99th percentile of 200 seeds.\n\
         false: takeovers an hour by the BACKUP while the MASTER lives, mean of 4 hours.\n\n\
         \x20      BACKUP's  failover       handover\n\
         loss   advskew   mean    p99    mean    p99    false\n",
    );
    for loss in LOSSES {
        for skew in SKEWS {
            let (failover_mean, failover_p99) = outage(loss, skew, false);
            let (handover_mean, handover_p99) = outage(loss, skew, true);
            let false_takeovers = false_takeovers(loss, skew);
            writeln!(
                text,
                "{loss:>3} %  {skew:>7}  {failover_mean:>5}  {failover_p99:>5}   {handover_mean:>5}  \
                 {handover_p99:>5}  {:>5}.{}",
                false_takeovers / 10,
                false_takeovers % 10,
            )
            .expect("writing to a string never fails");
        }
    }
    text
}

/// Mean and 99th percentile in milliseconds of the time without a MASTER.
fn outage(loss: u32, skew: u8, handover: bool) -> (u128, u128) {
    let mut outages: Vec<_> = (0..RUNS).map(|seed| one_outage(seed, loss, skew, handover).as_millis()).collect();
    outages.sort_unstable();
    let runs = outages.len();
    let sum: u128 = outages.iter().sum();
    (sum / u128::from(RUNS), outages[runs * 99 / 100 - 1])
}

fn one_outage(seed: u64, loss: u32, skew: u8, handover: bool) -> Duration {
    let mut dice = Dice::new(seed);
    let end = Moment::default() + Duration::from_secs(60);
    let begin = Moment::default() + dice.millis(10_000, 12_000);
    let fault = if handover { Fault::HandOver { node: 0 } } else { Fault::Crash { node: 0 } };
    let outcome = run(seed, skew, loss, &[Planned { begin, end, fault }], end);
    let goes = |at: Moment| at >= begin;
    let left = if handover {
        let leaves = outcome.moves.iter().find(|step| goes(step.at) && step.node == 0 && step.from == State::Master);
        leaves.map_or(begin, |step| step.at)
    } else {
        begin
    };
    let other: Vec<_> = outcome.moves.iter().filter(|step| step.node == 1).collect();
    let was_master = other.iter().rfind(|step| step.at <= left).is_some_and(|step| step.to == State::Master);
    if was_master {
        return Duration::ZERO;
    }
    let takes_over = other.iter().find(|step| step.at > left && step.to == State::Master);
    takes_over.map_or(end, |step| step.at) - left
}

/// In tenths per hour.
fn false_takeovers(loss: u32, skew: u8) -> u64 {
    let end = Moment::default() + Duration::from_secs(3600);
    let start = Moment::default() + Duration::from_secs(10);
    let count = |seed| {
        let outcome = run(seed, skew, loss, &[], end);
        outcome.moves.iter().filter(|step| step.node == 1 && step.to == State::Master && step.at > start).count()
    };
    let takeovers: usize = (0..HOURS).map(count).sum();
    u64::try_from(takeovers).expect("far fewer") * 10 / HOURS
}

/// One run with the checkers on.
fn run(seed: u64, skew: u8, loss: u32, faults: &[Planned], end: Moment) -> Outcome {
    let lossy = Fault::Loss { from: Nodes::MAX, to: Nodes::MAX, rate: percent(loss) };
    let mut all = vec![Planned { begin: Moment::default(), end, fault: lossy }];
    all.extend(faults);
    let outcome = World::new(
        Scenario::plain(
            seed,
            [(1, 0), (2, skew)].map(|(last, advskew)| Spec::plain(Kind::Ours, last, advskew)).to_vec(),
            all,
            end,
        ),
        false,
    )
    .run();
    assert_eq!(outcome.violation, None, "seed {seed}, {loss} % loss, advskew {skew}");
    outcome
}
