//! How a node leaves by command: the address first, and a goodbye when it is gone.

use alloc::vec::Vec;

use super::{Bar, Effect, Election, HANDOVER_HOLD, Reason, State};
use crate::time::Instant;

/// Why a MASTER is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leave {
    Handover(Reason),
    Apart(Bar),
    Shutdown,
}

impl Leave {
    fn reason(self) -> Reason {
        match self {
            Self::Handover(reason) => reason,
            Self::Apart(bar) => Reason::StoodDown { bar },
            Self::Shutdown => Reason::ShutDown,
        }
    }

    /// A MASTER that is leaving already leaves for good if that is wanted meanwhile.
    fn takes_over_from(self, other: Self) -> bool {
        matches!((self, other), (Self::Shutdown, _) | (Self::Apart(_), Self::Handover(_)))
    }
}

impl Election {
    /// The operator wants another node to be MASTER. Only a MASTER has anything to do.
    pub fn hand_over(&mut self, effects: &mut Vec<Effect>) {
        self.leave(Leave::Handover(Reason::HandedOver), effects);
    }

    /// Another virtual host of its group has gone to another node: this one follows.
    pub fn follow_group(&mut self, effects: &mut Vec<Effect>) {
        self.leave(Leave::Handover(Reason::GroupLeft), effects);
    }

    /// The node must not take part until [`Election::link_up`] says that it may. A MASTER says goodbye when its address is
    /// gone ([`Election::released`]).
    pub fn stand_down(&mut self, bar: Bar, effects: &mut Vec<Effect>) {
        match self.state {
            State::Init => {}
            State::Backup => self.link_lost(Reason::StoodDown { bar }, effects),
            State::Master => self.leave(Leave::Apart(bar), effects),
        }
    }

    /// The node is about to end. A MASTER says goodbye when its address is gone ([`Election::released`]).
    pub fn shut_down(&mut self, effects: &mut Vec<Effect>) {
        self.ended = true;
        if self.state == State::Master {
            self.leave(Leave::Shutdown, effects);
        } else {
            self.link_lost(Reason::ShutDown, effects);
        }
    }

    /// The address that a `Release` asked for is gone. A leaving MASTER now says goodbye.
    pub fn released(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(leave) = self.leaving else { return };
        effects.push(Effect::BowOut);
        match leave {
            Leave::Shutdown | Leave::Apart(_) => self.enter(State::Init, leave.reason(), effects),
            Leave::Handover(reason) => {
                self.enter(State::Backup, reason, effects);
                self.hold_until = Some(now + HANDOVER_HOLD);
                self.expectation = Reason::NoMasterHeard { waited: HANDOVER_HOLD + self.dead_time() };
                self.due = now + HANDOVER_HOLD + self.dead_time();
                self.deadline = Some(self.due);
            }
        }
    }

    /// Leaves MASTER (or BACKUP) without a word. A MASTER that was leaving has released already.
    pub(super) fn abdicate(&mut self, to: State, reason: Reason, effects: &mut Vec<Effect>) {
        let release = self.state == State::Master && self.leaving.is_none();
        let for_good = matches!(self.leaving, Some(Leave::Shutdown | Leave::Apart(_)));
        let to = if for_good { State::Init } else { to };
        self.enter(to, reason, effects);
        if release {
            effects.push(Effect::Release);
        }
    }

    fn leave(&mut self, leave: Leave, effects: &mut Vec<Effect>) {
        if self.state != State::Master {
            return;
        }
        let first = self.leaving.is_none();
        if self.leaving.is_none_or(|known| leave.takes_over_from(known)) {
            self.leaving = Some(leave);
        }
        if first {
            effects.push(Effect::Leaving(leave.reason()));
            effects.push(Effect::Release);
        }
    }
}
