//! The checkers: what must hold in every run, judged by what truly happened and not by what nodes believe.
//!
//! They know the workload only through the [`Ledger`] and through facts, and calculate with formulas of their own. What
//! each one demands is said precisely in the documentation of the crate.

mod address;
mod coverage;
mod grounds;
mod pair;
mod settled;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::ledger::{Fact, Ledger};
use crate::moment::Moment;

/// Which rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Two masters that could hear each other for too long, or one that went on although it had heard a better one.
    TwoMasters,
    /// No master, or none that can be heard, for too long while a healthy node was there.
    NoMaster,
    /// After the faults the group did not settle on one master, or not on the right one, or not for good.
    Settled,
    /// An address was held by a node that is not MASTER, or something was sent that must not be.
    Address,
    /// A node changed its state without a reason.
    Grounds,
    /// A strict node believed something that was forged, or refused something that was not.
    Forged,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoMasters => "two masters",
            Self::NoMaster => "no master",
            Self::Settled => "settled",
            Self::Address => "address",
            Self::Grounds => "grounds",
            Self::Forged => "forged",
        })
    }
}

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub rule: Rule,
    /// When, in true time.
    pub at: Moment,
    /// How.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} s: {}", self.rule, self.at, self.text)
    }
}

/// What a checker says about a fact or about the time.
type Verdict = Result<(), String>;

/// One rule.
trait Checker {
    fn rule(&self) -> Rule;

    /// Something happened; the ledger knows of it already.
    fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Verdict;

    /// The moment after which the rule is broken if nothing happens before.
    fn alarm(&self) -> Moment {
        Moment::NEVER
    }

    /// What it means that the alarm has passed.
    fn overdue(&self, _: &Ledger) -> String {
        String::new()
    }
}

/// All of them.
pub(crate) struct Checkers {
    checkers: Vec<Box<dyn Checker>>,
    alarm: Moment,
}

impl Checkers {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            checkers: vec![
                Box::new(pair::Pairs::new(nodes)),
                Box::new(coverage::Coverage::new(nodes)),
                Box::new(settled::Settled::default()),
                Box::new(address::Addresses::new(nodes)),
                Box::new(grounds::Grounds::new(nodes)),
            ],
            alarm: Moment::NEVER,
        }
    }

    /// Something happened.
    pub(crate) fn observe(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), Violation> {
        let mut alarm = Moment::NEVER;
        for checker in &mut self.checkers {
            let at = ledger.now;
            checker.observe(ledger, fact).map_err(|text| Violation { rule: checker.rule(), at, text })?;
            alarm = alarm.min(checker.alarm());
        }
        self.alarm = alarm;
        Ok(())
    }

    /// Nothing happened before `now`.
    pub(crate) fn wait_until(&self, ledger: &Ledger, now: Moment) -> Result<(), Violation> {
        if self.alarm >= now {
            return Ok(());
        }
        let late = self.checkers.iter().find(|checker| checker.alarm() < now).expect("the alarm is that of a checker");
        Err(Violation { rule: late.rule(), at: late.alarm(), text: late.overdue(ledger) })
    }
}
