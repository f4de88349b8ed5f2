//! After the faults: exactly one master, the right one, for good.

use super::{Checker, Rule, Verdict};
use crate::ledger::{Fact, Ledger};

/// The rule for the end of a run.
#[derive(Default)]
pub(super) struct Settled {
    /// From now on nothing may change.
    settled: bool,
}

impl Settled {
    /// What is wrong with the group as it is.
    fn flaw(ledger: &Ledger) -> Option<String> {
        let masters: Vec<_> = (0..ledger.nodes.len()).filter(|node| ledger.nodes[*node].is_master()).collect();
        let [master] = masters[..] else {
            let list: Vec<_> = masters.iter().map(|node| format!("n{node}")).collect();
            return Some(format!("{} masters: {}", masters.len(), list.join(" ")));
        };
        let rank = ledger.nodes[master].rank;
        let preempts = |node: &usize| {
            let facts = &ledger.nodes[*node];
            facts.spec.preempt && facts.rank < rank
        };
        let better = (0..ledger.nodes.len()).find(preempts)?;
        Some(format!("n{master} is MASTER although n{better} is faster and preempts"))
    }
}

impl Checker for Settled {
    fn rule(&self) -> Rule {
        Rule::Settled
    }

    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict {
        match *fact {
            Fact::Judged if ledger.bounds.must_settle => {
                self.settled = true;
                return Self::flaw(ledger).map_or(Ok(()), Err);
            }
            Fact::Moved { node, from, to, .. } if self.settled => {
                return Err(format!("n{node} goes from {from:?} to {to:?} long after the last fault"));
            }
            _ => {}
        }
        Ok(())
    }
}
