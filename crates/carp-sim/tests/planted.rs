//! A checker that cannot fail proves nothing: every planted fault is caught, and by the rule that it breaks.

use std::collections::BTreeSet;

use carp_sim::{Options, Rule, Sabotage};

/// Runs in which a planted fault must show. The rarest shows about once in 60.
const RUNS: u64 = 400;

/// The rules that the runs break with this fault on one node, until all of `wanted` are among them.
fn caught(sabotage: Sabotage, wanted: &[Rule]) -> BTreeSet<Rule> {
    let options = Options { sabotage: Some(sabotage), ..Options::default() };
    let mut rules = BTreeSet::new();
    for seed in 0..RUNS {
        rules.extend(carp_sim::run(seed, &options, false).violation.map(|violation| violation.rule));
        if wanted.iter().all(|rule| rules.contains(rule)) {
            break;
        }
    }
    rules
}

/// Each planted fault with the rules that must notice it.
const WANTED: [(Sabotage, &[Rule]); 17] = [
    (Sabotage::ReversedOrder, &[Rule::TwoMasters, Rule::NoMaster, Rule::Grounds]),
    (Sabotage::DeafToBetter, &[Rule::TwoMasters]),
    (Sabotage::NoTieRule, &[Rule::TwoMasters]),
    (Sabotage::LateTakeover, &[Rule::NoMaster]),
    (Sabotage::EarlyTakeover, &[Rule::Grounds]),
    (Sabotage::SlowAdvertiser, &[Rule::NoMaster]),
    (Sabotage::ForgetsRelease, &[Rule::Address]),
    (Sabotage::ForgetsClaim, &[Rule::Address]),
    (Sabotage::SpeaksAfterGoodbye, &[Rule::Address]),
    (Sabotage::GoodbyeWhileHeld, &[Rule::Address]),
    (Sabotage::SpeaksAfterSteppingDown, &[Rule::Address]),
    (Sabotage::SkipsGoodbye, &[Rule::Grounds]),
    (Sabotage::IgnoresGoodbye, &[Rule::NoMaster]),
    (Sabotage::NeverPreempts, &[Rule::NoMaster]),
    (Sabotage::TrustsAnybody, &[Rule::NoMaster, Rule::Grounds]),
    (Sabotage::HearsItself, &[Rule::Grounds]),
    (Sabotage::IgnoresStall, &[Rule::Address]),
];

#[test]
fn every_planted_fault_is_caught_by_the_rule_that_it_breaks() {
    for (sabotage, wanted) in WANTED {
        let caught = caught(sabotage, wanted);
        println!("{sabotage}: {caught:?}");
        assert!(wanted.iter().all(|rule| caught.contains(rule)), "{sabotage}: only {caught:?} of {wanted:?}");
    }
    assert_eq!(WANTED.map(|(sabotage, _)| sabotage), Sabotage::ALL, "no planted fault is left out");
}

#[test]
fn the_same_runs_without_a_planted_fault_break_no_rule() {
    for seed in 0..RUNS {
        let outcome = carp_sim::run(seed, &Options::default(), false);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}
