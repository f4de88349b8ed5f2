//! Never an address left behind, and nothing said that is not true.

use std::time::Duration;

use super::{Checker, Rule, Verdict};
use crate::ledger::{Fact, Ledger, NodeFacts};
use crate::moment::Moment;
use carp_core::election::State;
use carp_core::node::Purpose;

/// No advertisement follows another one sooner, answers to rivals included; nor sooner than half an interval, which a
/// late one shortens the next interval to.
const ANSWER_GAP: Duration = Duration::from_millis(300);

/// The rule for each node of ours.
pub(super) struct Addresses {
    /// Nodes that have said goodbye and must be silent until they are MASTER again.
    said_goodbye: Vec<bool>,
    /// Since its last advertisement each node was configured so.
    former: Vec<Option<Pace>>,
    alarm: Moment,
    node: usize,
}

impl Addresses {
    pub(super) fn new(nodes: usize) -> Self {
        Self { said_goodbye: vec![false; nodes], former: vec![None; nodes], alarm: Moment::NEVER, node: 0 }
    }

    /// When each node must have taken or given up the address.
    fn holdings_changed(&mut self, ledger: &Ledger) {
        self.alarm = Moment::NEVER;
        for (node, facts) in ledger.nodes.iter().enumerate() {
            let Some(by) = Self::due(ledger, facts) else { continue };
            if by < self.alarm {
                (self.alarm, self.node) = (by, node);
            }
        }
    }

    fn due(ledger: &Ledger, facts: &NodeFacts) -> Option<Moment> {
        let well_since = facts.well_since.filter(|_| facts.is_ours())?;
        let since = facts.since.max(well_since);
        let (up, down) = (ledger.bounds.up_script, ledger.bounds.down_script);
        if !facts.is_master() && facts.holds {
            // An up script that runs is waited for.
            Some(since + ledger.late(up + down))
        } else if facts.is_master() && !facts.leaving && !facts.holds {
            Some(since + ledger.late(down))
        } else {
            None
        }
    }

    fn sent(&mut self, ledger: &Ledger, node: usize, purpose: Purpose, gap: Option<Duration>) -> Verdict {
        let facts = &ledger.nodes[node];
        if self.said_goodbye[node] {
            return Err(format!("n{node} sends an {purpose} after its goodbye"));
        }
        if purpose == Purpose::Probe {
            return Ok(());
        }
        if facts.state != State::Master {
            return Err(format!("n{node} sends an {purpose} in state {:?}", facts.state));
        }
        match purpose {
            Purpose::Goodbye => {
                self.said_goodbye[node] = true;
                if facts.holds {
                    return Err(format!("n{node} says goodbye while the address may be there"));
                }
                if !facts.leaving {
                    return Err(format!("n{node} says goodbye although nobody told it to go"));
                }
            }
            Purpose::Advertisement => {
                let now = Pace::of(facts);
                let Pace { longest, shortest } = self.former[node].take().map_or(now, |former| former.or(now));
                if let Some(gap) = gap.filter(|gap| *gap > ledger.late(longest)) {
                    return Err(format!("n{node} advertises after {gap:?} of silence: its peers wait for {longest:?}"));
                }
                if let Some(gap) = gap.filter(|gap| *gap + ledger.bounds.lag < Ledger::early(shortest)) {
                    return Err(format!("n{node} advertises again after {gap:?}: too often"));
                }
            }
            Purpose::Announcement | Purpose::Probe => {}
        }
        Ok(())
    }
}

/// What is allowed between two advertisements. After a reload what was before still counts, until the next one.
#[derive(Clone, Copy)]
struct Pace {
    /// Peers that are configured alike, with any advskew, have given this MASTER up after so long.
    longest: Duration,
    shortest: Duration,
}

impl Pace {
    fn of(facts: &NodeFacts) -> Self {
        Self { longest: facts.peers_patience(), shortest: ANSWER_GAP.min(facts.every() / 2) }
    }

    fn or(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), shortest: self.shortest.min(other.shortest) }
    }
}

impl Checker for Addresses {
    fn rule(&self) -> Rule {
        Rule::Address
    }

    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict {
        match *fact {
            Fact::Started { node } => {
                (self.said_goodbye[node], self.former[node]) = (false, None);
                self.holdings_changed(ledger);
            }
            Fact::Moved { node, to, .. } => {
                if to == State::Master {
                    self.said_goodbye[node] = false;
                }
                self.holdings_changed(ledger);
            }
            Fact::Sent { node, purpose, gap, .. } if ledger.nodes[node].is_ours() => {
                return self.sent(ledger, node, purpose, gap);
            }
            Fact::Said { node, copies, all } if copies != all => {
                return Err(format!("n{node} says it to {copies} of {all} families or peers"));
            }
            Fact::Reconfigured { node, former } => {
                let facts = &ledger.nodes[node];
                let former = Pace::of(&NodeFacts { spec: former, rank: former.interval, ..facts.clone() });
                self.former[node] = Some(self.former[node].map_or(former, |older| older.or(former)));
            }
            Fact::Held { .. } | Fact::Conditions | Fact::Told { .. } => self.holdings_changed(ledger),
            _ => {}
        }
        Ok(())
    }

    fn alarm(&self) -> Moment {
        self.alarm
    }

    fn overdue(&self, ledger: &Ledger) -> String {
        let (node, facts) = (self.node, &ledger.nodes[self.node]);
        let what = if facts.holds { "still holds the address" } else { "has not taken the address" };
        format!("n{node}, {:?} since {} s, {what}", facts.state, facts.since)
    }
}
