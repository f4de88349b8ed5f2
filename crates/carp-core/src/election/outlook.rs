//! What an election is about to do, and why: for those who ask.

use core::time::Duration;

use super::{Election, Reason};
use crate::time::Instant;

/// What comes next if nothing happens, and what stands in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// MASTER: the next advertisement. BACKUP: the moment of takeover. INIT: none.
    pub deadline: Option<Instant>,
    /// What a takeover at that moment would give as its reason.
    pub expectation: Reason,
    /// Until then nothing makes this node take over.
    pub held_until: Option<Instant>,
    /// How much silence makes a master dead.
    pub dead_time: Duration,
    /// A MASTER on its way out by command.
    pub is_leaving: bool,
}

impl Election {
    /// What comes next.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        Outlook {
            deadline: self.deadline,
            expectation: self.expectation,
            held_until: self.hold_until,
            dead_time: self.dead_time(),
            is_leaving: self.is_leaving(),
        }
    }
}
