//! Never no master while a healthy node is there.

use std::time::Duration;

use super::{Checker, Rule, Verdict};
use crate::ledger::{Fact, Ledger, NodeFacts, every};
use crate::moment::Moment;
use crate::spec::Spec;
use carp_core::election::{HANDOVER_HOLD, State};
use carp_core::node::Purpose;
use carp_core::timing::Interval;

/// BACKUPs that hear a goodbye spread their takeover over this much time.
const GOODBYE_SPREAD: Duration = Duration::from_millis(8);

/// A MASTER advertises out of turn at the earliest this long after its last advertisement.
const ANSWER_GAP: Duration = Duration::from_millis(300);

/// What is expected of one node.
#[derive(Clone, Copy)]
struct Expected {
    /// BACKUP: must be MASTER by then. MASTER: must have advertised by then.
    by: Moment,
    /// Does not take over before.
    hold_until: Moment,
    /// BACKUP that waits for its dead time: what it counts from.
    counts_from: Option<Moment>,
    /// Was MASTER, and has heard nobody since it stepped down: it may wait for the winner of a tie.
    has_lost: bool,
}

const NOTHING: Expected = Expected { by: Moment::NEVER, hold_until: Moment::NEVER, counts_from: None, has_lost: false };

/// The rule for each node of ours, and for the whole group.
pub(super) struct Coverage {
    expected: Vec<Expected>,
    /// Since when no healthy node has been MASTER.
    gap_since: Option<Moment>,
    gap_ends_by: Moment,
    /// Whether the last command to leave came before the current state of each node.
    was_leaving: Vec<bool>,
    /// When somebody last said goodbye: what was said before may still be on its way.
    goodbye_at: Option<Moment>,
    alarm: Moment,
}

impl Coverage {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            expected: vec![NOTHING; nodes],
            gap_since: Some(Moment::default()),
            gap_ends_by: Moment::NEVER,
            was_leaving: vec![false; nodes],
            goodbye_at: None,
            alarm: Moment::NEVER,
        }
    }

    fn state_changed(&mut self, ledger: &Ledger, node: usize, from: State, to: State, stalled: bool) {
        let (facts, now) = (&ledger.nodes[node], ledger.now);
        let expected = &mut self.expected[node];
        *expected = NOTHING;
        if to != State::Backup || !facts.is_ours() {
            if to == State::Master && facts.is_ours() {
                expected.by = now + ledger.late(Duration::ZERO);
            }
            return;
        }
        let left = if self.was_leaving[node] { HANDOVER_HOLD } else { Duration::ZERO };
        let hold = if stalled { left.max(facts.every()) } else { left };
        expected.hold_until = now + ledger.late(hold);
        expected.has_lost = from == State::Master && !self.was_leaving[node] && !stalled;
        let from = now + left + left / 1000;
        expected.by = (from + ledger.late(longest_wait(facts))).max(expected.hold_until);
        expected.counts_from = Some(from);
    }

    fn heard(&mut self, ledger: &Ledger, node: usize, rank: Interval) {
        let (facts, now) = (&ledger.nodes[node], ledger.now);
        if facts.state != State::Backup || !facts.is_ours() {
            return;
        }
        let own = facts.spec.interval;
        let at_once = own < rank && (facts.spec.preempt || facts.dead_time() <= every(rank));
        let wait = if rank == Interval::BOW_OUT && own < rank {
            GOODBYE_SPREAD
        } else if at_once {
            Duration::ZERO
        } else {
            facts.dead_time()
        };
        let expected = &mut self.expected[node];
        expected.has_lost = false;
        expected.by = now + ledger.late(wait);
        expected.counts_from = (wait == facts.dead_time()).then_some(now);
        if now < expected.hold_until {
            expected.by = expected.by.max(expected.hold_until + ledger.late(Duration::ZERO));
        }
    }

    /// A MASTER tells a new rank within the gap between two answers. A BACKUP counts from where it counted before, and
    /// thinks again about what it was to do at the end of a hold.
    fn reconfigured(&mut self, ledger: &Ledger, node: usize, former: &Spec) {
        let (facts, now) = (&ledger.nodes[node], ledger.now);
        let expected = &mut self.expected[node];
        if expected.by == Moment::NEVER {
            return;
        }
        if facts.is_master() {
            if facts.spec.interval != former.interval {
                expected.by = expected.by.min(now + ledger.late(ANSWER_GAP));
            }
        } else if let Some(from) = expected.counts_from {
            let mut soonest = (now + ledger.late(Duration::ZERO)).max(expected.hold_until);
            // That wait goes on as it was.
            if expected.has_lost {
                soonest = soonest.max(expected.by);
            }
            expected.by = (from + ledger.late(longest_wait(facts))).max(soonest);
        } else if now < expected.hold_until {
            expected.by = expected.by.max(now + ledger.late(longest_wait(facts)));
            expected.counts_from = Some(now);
        }
    }

    /// A node that was away gets the time that it would have after a start.
    fn conditions_changed(&mut self, ledger: &Ledger) {
        for (expected, facts) in self.expected.iter_mut().zip(&ledger.nodes) {
            if !facts.is_ours() || expected.by == Moment::NEVER {
                continue;
            }
            match facts.well_since {
                Some(since) if since == ledger.now => {
                    let wait = if facts.is_master() { Duration::ZERO } else { longest_wait(facts) };
                    expected.by = expected.by.max(ledger.now + ledger.late(wait));
                    expected.counts_from = expected.counts_from.map(|from| from.max(ledger.now));
                }
                // Or stopped, or without a link: its expectations count again when it is back.
                Some(_) | None => {}
            }
        }
    }

    fn group_changed(&mut self, ledger: &Ledger) {
        if ledger.nodes.iter().any(|facts| facts.well_since.is_some() && facts.is_master()) {
            (self.gap_since, self.gap_ends_by) = (None, Moment::NEVER);
            return;
        }
        let since = *self.gap_since.get_or_insert(ledger.now) + ledger.bounds.max_delay;
        let by = |(node, facts): (usize, &NodeFacts)| {
            let well = facts.well_since.filter(|_| facts.is_ours() && facts.state == State::Backup)?;
            let hold = if self.was_leaving[node] { HANDOVER_HOLD } else { Duration::ZERO };
            let from = since.max(well).max(facts.since);
            let held = facts.since + ledger.late(hold + longest_wait(facts));
            let reloaded = facts.reconfigured + ledger.late(Duration::ZERO);
            Some((from + ledger.late(longest_wait(facts))).max(held).max(reloaded))
        };
        self.gap_ends_by = ledger.nodes.iter().enumerate().filter_map(by).min().unwrap_or(Moment::NEVER);
    }

    /// A node that steps down for a peer leaves a MASTER behind, where everybody hears everything in order, and nobody has
    /// just been given another rank: others may have stepped down for the former one.
    fn stepped_down(&self, ledger: &Ledger, node: usize) -> Verdict {
        let nodes = &ledger.nodes;
        let in_flight = ledger.late(ledger.bounds.max_delay);
        let settled = |a: usize, b: usize| {
            let family = nodes[a].spec.first_family();
            let twins = nodes[a].spec.address(family) == nodes[b].spec.address(family);
            !twins && ledger.connected_since(a, b).is_some_and(|since| ledger.now - since > in_flight)
        };
        let calm = nodes.iter().all(NodeFacts::is_ours)
            && (0..nodes.len()).all(|a| (0..a).all(|b| settled(a, b)))
            && self.goodbye_at.is_none_or(|at| ledger.now - at > in_flight)
            && nodes.iter().all(|facts| ledger.now - facts.reconfigured > in_flight)
            && ledger.bounds.in_order;
        if calm && !nodes.iter().any(NodeFacts::is_master) {
            return Err(format!("n{node} steps down and leaves nobody as MASTER"));
        }
        Ok(())
    }

    /// Expectations of nodes that are not well are void for now.
    fn most_urgent(&self, ledger: &Ledger) -> Option<(usize, Moment)> {
        let well = |(node, expected): (usize, &Expected)| {
            ledger.nodes[node].well_since.is_some().then_some((node, expected.by))
        };
        self.expected.iter().enumerate().filter_map(well).min_by_key(|(_, by)| *by)
    }
}

/// After a lost tie among twins a node waits for up to three intervals; after a stall for one and a half.
fn longest_wait(facts: &NodeFacts) -> Duration {
    facts.dead_time().max(facts.every() * 3)
}

impl Checker for Coverage {
    fn rule(&self) -> Rule {
        Rule::NoMaster
    }

    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict {
        match *fact {
            Fact::Started { node } => {
                self.expected[node] = NOTHING;
                self.was_leaving[node] = false;
                self.group_changed(ledger);
            }
            Fact::Moved { node, from, to, stalled, .. } => {
                if (from, to, stalled, self.was_leaving[node]) == (State::Master, State::Backup, false, false) {
                    self.stepped_down(ledger, node)?;
                }
                self.was_leaving[node] &= to == State::Backup;
                self.state_changed(ledger, node, from, to, stalled);
                self.group_changed(ledger);
            }
            Fact::Told { node, .. } => self.was_leaving[node] |= ledger.nodes[node].leaving,
            Fact::Heard { node, rank, .. } => self.heard(ledger, node, rank),
            Fact::Sent { node, purpose: Purpose::Advertisement, .. } if ledger.nodes[node].is_ours() => {
                let facts = &ledger.nodes[node];
                if facts.is_master() {
                    self.expected[node].by = ledger.now + ledger.late(facts.every());
                }
            }
            Fact::Sent { purpose: Purpose::Goodbye, .. } => {
                self.goodbye_at = Some(ledger.now);
                return Ok(());
            }
            Fact::Reconfigured { node, former } => {
                if ledger.nodes[node].is_ours() {
                    self.reconfigured(ledger, node, &former);
                }
                self.group_changed(ledger);
            }
            Fact::Conditions => {
                self.conditions_changed(ledger);
                self.group_changed(ledger);
            }
            _ => return Ok(()),
        }
        let urgent = self.most_urgent(ledger).map_or(Moment::NEVER, |(_, by)| by);
        self.alarm = urgent.min(self.gap_ends_by);
        Ok(())
    }

    fn alarm(&self) -> Moment {
        self.alarm
    }

    fn overdue(&self, ledger: &Ledger) -> String {
        match self.most_urgent(ledger) {
            Some((node, by)) if by <= self.alarm => {
                let facts = &ledger.nodes[node];
                let what = if facts.is_master() { "advertised" } else { "become MASTER" };
                format!("n{node}, {:?} since {} s, should have {what}", facts.state, facts.since)
            }
            _ => format!("no healthy node is MASTER since {} s", self.gap_since.unwrap_or_default()),
        }
    }
}
