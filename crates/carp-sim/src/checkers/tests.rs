use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, Purpose};
use carp_core::timing::Interval;

use super::*;
use crate::bounds::Bounds;
use crate::spec::{Family, Kind, Spec};

fn at(millis: u64) -> Moment {
    Moment::default() + Duration::from_millis(millis)
}

/// Nodes that are well and connected, with what the test says happening to them.
struct Case {
    ledger: Ledger,
    checkers: Checkers,
    verdict: Result<(), Violation>,
}

impl Case {
    /// One node for each advskew, preempting or not.
    fn new(skews: &[u8], preempt: bool) -> Self {
        let spec = |(last, advskew): (u8, &u8)| Spec { preempt, ..Spec::plain(Kind::Ours, last, *advskew) };
        let specs: Vec<_> = (1..).zip(skews).map(spec).collect();
        let bounds = Bounds {
            max_delay: Duration::from_millis(10),
            lag: Duration::ZERO,
            in_order: true,
            up_script: Duration::from_millis(100),
            down_script: Duration::from_millis(100),
            settle: Duration::from_secs(10),
            must_settle: true,
            clocks_differ: false,
        };
        let mut case =
            Self { ledger: Ledger::new(&specs, bounds), checkers: Checkers::new(specs.len()), verdict: Ok(()) };
        for node in 0..specs.len() {
            case.fact(0, &Fact::Started { node });
            case.ledger.set_well(node, true);
        }
        case.fact(0, &Fact::Conditions);
        for node in 0..specs.len() {
            case.moved(0, node, State::Init, State::Backup);
        }
        case
    }

    /// Lets the time pass up to `millis` and something happen then. Only the first broken rule counts.
    fn fact(&mut self, millis: u64, fact: &Fact) {
        if self.verdict.is_ok() {
            self.verdict = self.checkers.wait_until(&self.ledger, at(millis));
        }
        self.ledger.now = at(millis);
        self.ledger.record(fact);
        if self.verdict.is_ok() {
            self.verdict = self.checkers.observe(&self.ledger, fact);
        }
    }

    fn moved(&mut self, millis: u64, node: usize, from: State, to: State) {
        let since = self.ledger.nodes[node].since;
        self.fact(millis, &Fact::Moved { node, from, to, since, link_lost: false, stalled: false });
    }

    fn held(&mut self, millis: u64, node: usize, holds: bool) {
        self.ledger.nodes[node].holds = holds;
        self.fact(millis, &Fact::Held { node });
    }

    /// The node takes over and its peers hear of it.
    fn takes_over(&mut self, millis: u64, node: usize) {
        self.moved(millis, node, State::Backup, State::Master);
        self.says(millis, node);
        self.held(millis, node, true);
    }

    /// The node advertises and everybody hears it five milliseconds later, without doing anything about it.
    fn says(&mut self, millis: u64, node: usize) {
        let rank = self.ledger.nodes[node].spec.interval;
        let gap = self.ledger.nodes[node].last_sent.map(|last| at(millis) - last);
        self.fact(millis, &Fact::Sent { node, purpose: Purpose::Advertisement, rank: Some(rank), gap });
        for other in (0..self.ledger.nodes.len()).filter(|other| *other != node) {
            self.fact(millis + 5, &Fact::Heard { node: other, from: node, family: Family::V4, rank });
            self.fact(millis + 5, &Fact::Reacted { node: other, from: node, rank });
        }
    }

    /// The rule that was broken up to `millis`.
    fn broken_by(mut self, millis: u64) -> Option<Rule> {
        if self.verdict.is_ok() {
            self.verdict = self.checkers.wait_until(&self.ledger, at(millis));
        }
        self.verdict.err().map(|violation| violation.rule)
    }
}

/// Two nodes of advskew 0 and 100, the first of which takes over in time.
fn with_master() -> Case {
    let mut case = Case::new(&[0, 100], false);
    case.takes_over(3000, 0);
    case
}

#[test]
fn an_ordinary_start_breaks_no_rule() {
    let mut case = with_master();
    for second in 4..10 {
        case.says(second * 1000, 0);
    }
    case.fact(10_000, &Fact::Judged);
    assert_eq!(case.broken_by(10_001), None);
}

#[test]
fn a_master_that_falls_silent_is_noticed_after_its_interval() {
    assert_eq!(with_master().broken_by(4002), None);
    assert_eq!(with_master().broken_by(4003), Some(Rule::NoMaster));
}

#[test]
fn a_backup_that_waits_longer_than_the_dead_time_is_noticed() {
    assert_eq!(Case::new(&[0, 100], false).broken_by(3004), None);
    assert_eq!(Case::new(&[0, 100], false).broken_by(3005), Some(Rule::NoMaster));
}

#[test]
fn a_takeover_before_the_dead_time_has_no_grounds() {
    let mut case = Case::new(&[0, 100], false);
    case.takes_over(2900, 0);
    assert_eq!(case.broken_by(2906), Some(Rule::Grounds));
}

#[test]
fn a_step_down_that_nothing_asked_for_has_no_grounds() {
    let mut case = with_master();
    case.moved(3500, 0, State::Master, State::Backup);
    assert!(matches!(case.broken_by(3501), Some(Rule::Grounds | Rule::NoMaster)));
}

/// Both are MASTER, since 3 s or the second since 3391 ms, and go on advertising, deaf to each other.
fn two_masters(skews: &[u8]) -> Case {
    let mut case = Case::new(skews, false);
    let interval = |case: &Case, node: usize| case.ledger.nodes[node].spec.interval;
    for (millis, node) in [(3000, 0), (3391, 1)] {
        let since = if skews == [0, 0] { 3000 } else { millis };
        case.moved(since, node, State::Backup, State::Master);
        let rank = Some(interval(&case, node));
        case.fact(since, &Fact::Sent { node, purpose: Purpose::Advertisement, rank, gap: None });
        case.held(since, node, true);
    }
    for node in [0, 1] {
        let rank = Some(interval(&case, node));
        case.fact(4000, &Fact::Sent { node, purpose: Purpose::Advertisement, rank, gap: None });
    }
    case
}

#[test]
fn a_master_that_heard_a_better_one_and_stays_breaks_the_rule_at_once() {
    let mut case = two_masters(&[0, 100]);
    let rank = Interval { advbase: 1, advskew: 0 };
    case.fact(4005, &Fact::Heard { node: 1, from: 0, family: Family::V4, rank });
    assert_eq!(case.verdict, Ok(()));
    case.fact(4005, &Fact::Reacted { node: 1, from: 0, rank });
    assert_eq!(case.broken_by(4005), Some(Rule::TwoMasters));
}

#[test]
fn two_masters_that_hear_each_other_have_one_advertisement_or_the_rounds_of_a_tie() {
    // One interval and a delay; for a tie, an answer each way on top.
    for (skews, by) in [([0, 100], 3391 + 1012), ([0, 0], 3000 + 1632)] {
        assert_eq!(two_masters(&skews).broken_by(by), None, "{skews:?}");
        assert_eq!(two_masters(&skews).broken_by(by + 2), Some(Rule::TwoMasters), "{skews:?}");
    }
}

#[test]
fn an_address_is_given_up_within_the_time_of_the_scripts() {
    let left_behind = |millis| {
        let mut case = with_master();
        case.moved(3500, 1, State::Backup, State::Init);
        case.fact(3600, &Fact::Told { node: 0, command: Command::ShutDown });
        let rank = Some(Interval::BOW_OUT);
        case.ledger.nodes[0].holds = false;
        case.fact(3600, &Fact::Sent { node: 0, purpose: Purpose::Goodbye, rank, gap: None });
        case.moved(3600, 0, State::Master, State::Init);
        case.held(3600, 0, true);
        case.broken_by(millis)
    };
    assert_eq!(left_behind(3800), None);
    assert_eq!(left_behind(3803), Some(Rule::Address));
}

#[test]
fn what_is_sent_out_of_turn_is_noticed() {
    let goodbye = |told: bool, holds: bool| {
        let mut case = with_master();
        if told {
            case.fact(3500, &Fact::Told { node: 0, command: Command::HandOver });
        }
        case.held(3600, 0, holds);
        let rank = Some(Interval::BOW_OUT);
        case.fact(3600, &Fact::Sent { node: 0, purpose: Purpose::Goodbye, rank, gap: None });
        case
    };
    assert_eq!(goodbye(true, false).broken_by(3601), None);
    assert_eq!(goodbye(true, true).broken_by(3601), Some(Rule::Address));
    assert_eq!(goodbye(false, false).broken_by(3601), Some(Rule::Address));

    let mut after = goodbye(true, false);
    after.says(3650, 0);
    assert_eq!(after.broken_by(3656), Some(Rule::Address));

    let mut backup = with_master();
    backup.fact(3500, &Fact::Sent { node: 1, purpose: Purpose::Announcement, rank: None, gap: None });
    assert_eq!(backup.broken_by(3501), Some(Rule::Address));

    let mut hasty = with_master();
    hasty.says(3200, 0);
    assert_eq!(hasty.broken_by(3206), Some(Rule::Address));
}

#[test]
fn the_group_must_have_settled_on_one_master_the_best_that_preempts() {
    let mut none = Case::new(&[0, 100], false);
    none.fact(1000, &Fact::Judged);
    assert_eq!(none.broken_by(1001), Some(Rule::Settled));

    for (preempt, rule) in [(false, None), (true, Some(Rule::Settled))] {
        let mut case = Case::new(&[100, 0], preempt);
        case.ledger.nodes[0].spec.preempt = false;
        // The better one hears it without an expectation, as one that was well only since then.
        case.ledger.set_well(1, false);
        case.fact(100, &Fact::Conditions);
        case.takes_over(3391, 0);
        case.fact(3500, &Fact::Judged);
        assert_eq!(case.broken_by(3501), rule, "preempt {preempt}");
    }

    let mut restless = with_master();
    restless.fact(3500, &Fact::Judged);
    restless.moved(3600, 1, State::Backup, State::Init);
    assert_eq!(restless.broken_by(3601), Some(Rule::Settled));
}
