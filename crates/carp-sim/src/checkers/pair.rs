//! Never two masters that can hear each other.

use std::time::Duration;

use super::{Checker, Rule, Verdict};
use crate::foreign::READING_DELAY;
use crate::ledger::{Fact, Ledger, NodeFacts};
use crate::moment::Moment;
use crate::spec::{Family, Kind};
use carp_core::election::TieRule;
use carp_core::node::Purpose;
use carp_core::timing::Interval;

/// A MASTER answers a rival at the earliest this long after its last advertisement.
const ANSWER_GAP: Duration = Duration::from_millis(300);

/// An equal MASTER that wins against this node and was heard: when first, and what had been sent then.
#[derive(Clone, Copy)]
struct Heard {
    at: Moment,
    sent_count: u64,
}

/// The rule for pairs, by time where links are clear and by evidence always.
pub(super) struct Pairs {
    nodes: usize,
    alarm: Moment,
    pair: (usize, usize),
    /// For each node and each rival.
    heard: Vec<Option<Heard>>,
    /// The node that is dealing with an advertisement after which it must not be MASTER.
    must_yield: Option<usize>,
}

impl Pairs {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes, alarm: Moment::NEVER, pair: (0, 0), heard: vec![None; nodes * nodes], must_yield: None }
    }

    fn masters_changed(&mut self, ledger: &Ledger) {
        self.alarm = Moment::NEVER;
        for a in 0..self.nodes {
            for b in a + 1..self.nodes {
                let (one, other) = (&ledger.nodes[a], &ledger.nodes[b]);
                let (Some(bound), Some(connected)) = (bound(ledger, one, other), ledger.connected_since(a, b)) else {
                    continue;
                };
                let reconfigured = one.reconfigured.max(other.reconfigured);
                let alarm = connected.max(one.since).max(other.since).max(reconfigured) + bound;
                if alarm < self.alarm {
                    (self.alarm, self.pair) = (alarm, (a, b));
                }
            }
        }
    }

    /// A MASTER of ours is about to hear an advertisement: whether it must step down.
    fn hears(&mut self, ledger: &Ledger, node: usize, from: usize, family: Family, rank: Interval) {
        let (me, peer) = (&ledger.nodes[node], &ledger.nodes[from]);
        self.must_yield = None;
        if !me.is_ours() || !me.is_master() {
            return;
        }
        if rank < me.rank {
            self.must_yield = Some(node);
        }
        // Where both families are spoken, IPv6 decides only when IPv4 is silent: nothing to tell from a single frame.
        if rank != me.rank || me.leaving || family != me.spec.first_family() || wins(me, peer) {
            return;
        }
        // A rival that loses against this one may only be parting.
        for other in 0..self.nodes {
            if other != from && wins(peer, &ledger.nodes[other]) {
                self.heard[node * self.nodes + other] = None;
            }
        }
        let window = me.every() * 5 / 2;
        let slot = &mut self.heard[node * self.nodes + from];
        match slot {
            Some(heard) if ledger.now - heard.at < Ledger::early(window) => {
                heard.at = ledger.now;
                if me.sent_count > heard.sent_count {
                    self.must_yield = Some(node);
                }
            }
            _ => *slot = Some(Heard { at: ledger.now, sent_count: me.sent_count }),
        }
    }
}

/// Whether `a` stays when both are MASTER and equal: the lower source address, last octet first unless configured
/// otherwise.
fn wins(a: &NodeFacts, b: &NodeFacts) -> bool {
    let rank = |facts: &NodeFacts| {
        let mut octets = match facts.spec.first_family() {
            Family::V4 => facts.spec.source.octets().to_vec(),
            Family::V6 => facts.spec.source_v6.octets().to_vec(),
        };
        if a.spec.tie != TieRule::Numeric {
            octets.reverse();
        }
        octets
    };
    rank(a) < rank(b)
}

/// For how long two nodes that hear each other may both be MASTER; `None` if they are not.
fn bound(ledger: &Ledger, one: &NodeFacts, other: &NodeFacts) -> Option<Duration> {
    if !one.is_master() || !other.is_master() || (one.rank == other.rank && (one.leaving || other.leaving)) {
        return None;
    }
    let advertisement = one.every().min(other.every()) + ledger.bounds.max_delay;
    let mut bound = advertisement;
    if one.rank == other.rank {
        // The first advertisement, the loser's answer, the winner's answer to that.
        bound += (ANSWER_GAP.min(one.every()) + ledger.bounds.max_delay + ledger.bounds.lag) * 2;
    }
    if ledger.bounds.clocks_differ {
        // The one who is behind is refused until it has heard the other, and speaks again.
        bound += one.every().max(other.every()) + ANSWER_GAP + ledger.bounds.max_delay;
    }
    for node in [one, other] {
        bound += match node.spec.kind {
            Kind::Ours => Duration::ZERO,
            // It reads late, and not at all while its up script runs.
            Kind::Ucarp => READING_DELAY * 2 + ledger.bounds.up_script + node.every(),
            // Two ticks, and MASTER for one advertisement with the skew it had before it was demoted.
            Kind::FreeBsd | Kind::OpenBsd | Kind::NetBsd => Duration::from_millis(30) + node.every(),
        };
    }
    Some(ledger.late(bound))
}

impl Checker for Pairs {
    fn rule(&self) -> Rule {
        Rule::TwoMasters
    }

    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict {
        match *fact {
            Fact::Started { node } | Fact::Moved { node, .. } => {
                self.heard[node * self.nodes..][..self.nodes].fill(None);
                if self.must_yield == Some(node) {
                    self.must_yield = None;
                }
                self.masters_changed(ledger);
            }
            Fact::Heard { node, from, family, rank } => self.hears(ledger, node, from, family, rank),
            Fact::Reconfigured { node, .. } => {
                // What it heard before, and what others heard of it, it heard at another rank.
                self.heard[node * self.nodes..][..self.nodes].fill(None);
                self.heard.iter_mut().skip(node).step_by(self.nodes).for_each(|heard| *heard = None);
                self.masters_changed(ledger);
            }
            Fact::Reacted { node, from, rank } if self.must_yield.take() == Some(node) => {
                return Err(format!("n{node} is still MASTER after it heard n{from} ({rank})"));
            }
            Fact::Conditions | Fact::Told { .. } => self.masters_changed(ledger),
            // The rank may have changed.
            Fact::Sent { node, purpose: Purpose::Advertisement, .. } if !ledger.nodes[node].is_ours() => {
                self.masters_changed(ledger);
            }
            _ => {}
        }
        Ok(())
    }

    fn alarm(&self) -> Moment {
        self.alarm
    }

    fn overdue(&self, ledger: &Ledger) -> String {
        let (a, b) = self.pair;
        let since = ledger.nodes[a].since.max(ledger.nodes[b].since);
        format!("n{a} and n{b} could hear each other and were both MASTER since {since} s")
    }
}
