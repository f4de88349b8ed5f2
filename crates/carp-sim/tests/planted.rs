//! A checker that cannot fail proves nothing: every planted fault is caught, and by the rule that it breaks.

use std::collections::BTreeSet;

use carp_core::host::Authentication;
use carp_sim::{Families, FaultKind, FaultSet, Options, Rule, Sabotage};

/// Runs in which a planted fault must show. The rarest shows about once in 60.
const RUNS: u64 = 400;

/// Groups in which the fault can show.
fn options(sabotage: Sabotage) -> Options {
    let faults = match sabotage {
        Sabotage::HalfGoodbye => return Options { families: Families::Dual, ..Options::default() },
        Sabotage::ReloadRestarts | Sabotage::ReloadWaitsAnew | Sabotage::IgnoresReload => {
            FaultSet::of(&[FaultKind::Reload, FaultKind::Rekey, FaultKind::Crash, FaultKind::Partition])
        }
        Sabotage::BelievesRepetitions
        | Sabotage::BelievesChanges
        | Sabotage::BelievesReflections
        | Sabotage::BelievesOldNews
        | Sabotage::BelievesAnything
        | Sabotage::CountsNothing
        | Sabotage::RefusesGoodNews
        | Sabotage::ClockStandsStill
        | Sabotage::NeverCatchesUp
        | Sabotage::StampsNothing => {
            let faults = FaultSet::of(&[
                FaultKind::Clock,
                FaultKind::Replay,
                FaultKind::Forgery,
                FaultKind::Reflection,
                FaultKind::Crash,
                FaultKind::Partition,
                FaultKind::Handover,
            ]);
            return Options { faults, authentication: Authentication::Strict, ..Options::default() };
        }
        Sabotage::ForgetsOldForm | Sabotage::NewFormAtOnce => FaultSet::of(&[FaultKind::Rekey]),
        _ => FaultSet::all(),
    };
    Options { faults, ..Options::default() }
}

/// The rules that the runs break with this fault on one node, until all of `wanted` are among them.
fn caught(sabotage: Sabotage, wanted: &[Rule], options: &Options) -> BTreeSet<Rule> {
    let options = Options { sabotage: Some(sabotage), ..options.clone() };
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
const WANTED: [(Sabotage, &[Rule]); 33] = [
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
    (Sabotage::HalfGoodbye, &[Rule::Address]),
    (Sabotage::ReloadRestarts, &[Rule::Grounds]),
    (Sabotage::ReloadWaitsAnew, &[Rule::NoMaster]),
    (Sabotage::IgnoresReload, &[Rule::TwoMasters]),
    (Sabotage::ForgetsOldForm, &[Rule::TwoMasters]),
    (Sabotage::NewFormAtOnce, &[Rule::TwoMasters]),
    (Sabotage::BelievesRepetitions, &[Rule::Forged]),
    (Sabotage::BelievesChanges, &[Rule::Forged]),
    (Sabotage::BelievesReflections, &[Rule::Forged]),
    (Sabotage::BelievesOldNews, &[Rule::Forged]),
    (Sabotage::BelievesAnything, &[Rule::Forged]),
    (Sabotage::CountsNothing, &[Rule::Forged]),
    (Sabotage::RefusesGoodNews, &[Rule::Forged]),
    (Sabotage::ClockStandsStill, &[Rule::TwoMasters]),
    (Sabotage::NeverCatchesUp, &[Rule::TwoMasters]),
    (Sabotage::StampsNothing, &[Rule::Forged]),
];

#[test]
fn every_planted_fault_is_caught_by_the_rule_that_it_breaks() {
    for (sabotage, wanted) in WANTED {
        let caught = caught(sabotage, wanted, &options(sabotage));
        println!("{sabotage}: {caught:?}");
        assert!(wanted.iter().all(|rule| caught.contains(rule)), "{sabotage}: only {caught:?} of {wanted:?}");
    }
    assert_eq!(WANTED.map(|(sabotage, _)| sabotage), Sabotage::ALL, "no planted fault is left out");
}

/// The faults of the election are not hidden by another way of talking.
#[test]
fn planted_faults_are_caught_over_both_families_and_by_unicast_too() {
    let elections = [
        (Sabotage::DeafToBetter, &[Rule::TwoMasters][..]),
        (Sabotage::NoTieRule, &[Rule::TwoMasters]),
        (Sabotage::EarlyTakeover, &[Rule::Grounds]),
        (Sabotage::SkipsGoodbye, &[Rule::Grounds]),
        (Sabotage::IgnoresStall, &[Rule::Address]),
        (Sabotage::NewFormAtOnce, &[Rule::TwoMasters]),
    ];
    for (families, unicast) in [(Families::Dual, false), (Families::Dual, true), (Families::V6, false)] {
        for (sabotage, wanted) in elections {
            let options = Options { families, unicast, ..options(sabotage) };
            let caught = caught(sabotage, wanted, &options);
            assert!(wanted.iter().all(|rule| caught.contains(rule)), "{sabotage}, {families:?}: only {caught:?}");
        }
    }
}

#[test]
fn the_same_runs_without_a_planted_fault_break_no_rule() {
    for seed in 0..RUNS {
        let outcome = carp_sim::run(seed, &Options::default(), false);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}
