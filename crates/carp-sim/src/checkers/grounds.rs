//! No change of state without grounds.

use std::time::Duration;

use super::{Checker, Rule, Verdict};
use crate::ledger::{Fact, Ledger, NodeFacts, every};
use crate::moment::Moment;
use carp_core::election::{HANDOVER_HOLD, State};
use carp_core::node::{Command, Purpose};
use carp_core::timing::Interval;

/// What a node of ours may base a decision on.
#[derive(Clone, Copy, Default)]
struct Known {
    heard: Option<(Moment, Interval)>,
    /// Became BACKUP because of an equal rival, and has heard nothing since: its interval at that time.
    lost_tie: Option<Duration>,
    handed_over: Option<Moment>,
    leaving: bool,
    said_goodbye: bool,
    last_sent: Option<Moment>,
    /// The shortest silence since then that may make it step down, by a configuration that it no longer has.
    former_silence: Option<Duration>,
    link_lost: bool,
    /// Told to end: nothing may bring it back.
    ended: bool,
}

/// The rule for each node of ours.
pub(super) struct Grounds {
    known: Vec<Known>,
}

impl Grounds {
    pub(super) fn new(nodes: usize) -> Self {
        Self { known: vec![Known::default(); nodes] }
    }

    /// BACKUP to MASTER: silence for the dead time, or a last advertisement that asks for a takeover.
    fn takes_over(&self, ledger: &Ledger, node: usize, since: Moment) -> Verdict {
        let (known, facts, now) = (&self.known[node], &ledger.nodes[node], ledger.now);
        if let Some(at) = known.handed_over
            && now - at < Ledger::early(HANDOVER_HOLD)
        {
            return Err(format!("n{node} takes back what it handed over at {at} s"));
        }
        let own = facts.spec.interval;
        let silent_since = known.heard.map_or(since, |(at, _)| at.max(since));
        let wait = known.lost_tie.map_or(facts.dead_time(), |interval| interval * 6 / 5);
        if now - silent_since >= Ledger::early(wait.min(facts.dead_time())) {
            return Ok(());
        }
        let Some((at, rank)) = known.heard else {
            return Err(format!("n{node} takes over after {:?} of silence", now - since));
        };
        if own < rank && (rank == Interval::BOW_OUT || facts.spec.preempt || facts.dead_time() <= every(rank)) {
            return Ok(());
        }
        Err(format!("n{node} takes over although it heard an advertisement ({rank}) at {at} s"))
    }

    /// MASTER to BACKUP: a better or equal master, a command with a goodbye, or a long silence of its own.
    fn steps_down(&self, ledger: &Ledger, node: usize) -> Verdict {
        let (known, facts, now) = (&self.known[node], &ledger.nodes[node], ledger.now);
        let own = facts.spec.interval;
        if known.said_goodbye || known.link_lost {
            return Ok(());
        }
        if known.heard.is_some_and(|(at, rank)| at == now && rank <= own) {
            return Ok(());
        }
        let silence = known.former_silence.map_or(silence(facts), |former| former.min(silence(facts)));
        if known.last_sent.is_some_and(|at| now - at >= Ledger::early(silence)) {
            return Ok(());
        }
        if known.leaving {
            return Err(format!("n{node} was told to leave and goes without a goodbye"));
        }
        Err(format!("n{node} steps down although it heard no better or equal master"))
    }
}

/// A MASTER that was silent for less has no reason to step down for it.
fn silence(facts: &NodeFacts) -> Duration {
    (facts.every() * 3 / 2).min(facts.dead_time())
}

impl Checker for Grounds {
    fn rule(&self) -> Rule {
        Rule::Grounds
    }

    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict {
        let now = ledger.now;
        match *fact {
            Fact::Started { node } => self.known[node] = Known::default(),
            Fact::Heard { node, rank, .. } => {
                let known = &mut self.known[node];
                known.heard = Some((now, rank));
                known.lost_tie = None;
            }
            Fact::Told { node, command } => {
                let known = &mut self.known[node];
                known.leaving |= ledger.nodes[node].leaving;
                known.ended |= command == Command::ShutDown;
            }
            Fact::Sent { node, purpose: Purpose::Advertisement, .. } => {
                (self.known[node].last_sent, self.known[node].former_silence) = (Some(now), None);
            }
            Fact::Reconfigured { node, former } => {
                let before = NodeFacts { spec: former, rank: former.interval, ..ledger.nodes[node].clone() };
                let shortest =
                    self.known[node].former_silence.map_or(silence(&before), |older| older.min(silence(&before)));
                self.known[node].former_silence = Some(shortest);
            }
            Fact::Sent { node, purpose: Purpose::Goodbye, .. } => self.known[node].said_goodbye = true,
            Fact::Moved { node, from, to, since, link_lost, .. } if ledger.nodes[node].is_ours() => {
                self.known[node].link_lost = link_lost;
                let verdict = match (from, to) {
                    (_, State::Backup | State::Master) if self.known[node].ended => {
                        Err(format!("n{node} comes back although it was told to end"))
                    }
                    (State::Backup, State::Master) => self.takes_over(ledger, node, since),
                    (State::Master, _) => self.steps_down(ledger, node),
                    _ => Ok(()),
                };
                let known = &mut self.known[node];
                let facts = &ledger.nodes[node];
                let is_tie = known.heard.is_some_and(|(at, rank)| at == now && rank == facts.rank);
                known.lost_tie = is_tie.then(|| facts.every());
                known.handed_over = (from == State::Master && known.said_goodbye).then_some(now);
                (known.leaving, known.said_goodbye) = (false, false);
                return verdict;
            }
            _ => {}
        }
        Ok(())
    }
}
