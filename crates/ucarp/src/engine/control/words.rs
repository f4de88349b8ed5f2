//! How reasons and states are named.

use carp_core::election::{self, Bar, Reason};
use carp_core::host::ConflictAnswer;
use ucarp_control::types::{CheckState, State};

use crate::protocol;

/// A word for each reason.
pub(super) fn cause(reason: &Reason) -> &'static str {
    match reason {
        Reason::ShutDown => "shut-down",
        Reason::HandedOver => "handed-over",
        Reason::LinkUp => "link-up",
        Reason::LinkDown => "link-down",
        Reason::CarrierLost => "carrier-lost",
        Reason::LinkGone => "link-gone",
        Reason::NoSourceAddress => "no-source-address",
        Reason::StoodDown { bar } => bar_word(*bar),
        Reason::GroupLeft => "group-left",
        Reason::Promoted { .. } => "promoted",
        Reason::MasterDemoted { .. } => "master-demoted",
        Reason::NoMasterHeard { .. } => "no-master-heard",
        Reason::MasterTimedOut { .. } => "master-timed-out",
        Reason::MasterSaidGoodbye { .. } => "master-said-goodbye",
        Reason::Preempted { .. } => "preempted",
        Reason::MasterBoundToTimeOut { .. } => "master-bound-to-time-out",
        Reason::BetterMaster { .. } => "better-master",
        Reason::TieLost { .. } => "tie-lost",
        Reason::Stalled { .. } => "stalled",
    }
}

pub(super) fn bar_word(bar: Bar) -> &'static str {
    match bar {
        Bar::Held => "held",
        Bar::CheckFailed => "check-failed",
        Bar::Group => "group",
        Bar::AddressConflict => "address-conflict",
        Bar::Rehearsal => "rehearsal",
    }
}

/// What is done about another owner of an address.
pub(super) fn answer(answer: ConflictAnswer) -> &'static str {
    match answer {
        ConflictAnswer::Defend => "defend",
        ConflictAnswer::Yield => "yield",
        ConflictAnswer::Report => "report",
    }
}

/// What a check says, as the interface names it.
pub(in crate::engine) fn check_state(state: protocol::CheckState) -> CheckState {
    match state {
        protocol::CheckState::Up => CheckState::Up,
        protocol::CheckState::Down => CheckState::Down,
        protocol::CheckState::Unknown => CheckState::Unknown,
    }
}

/// What a virtual host is after a change of state for this reason: one that was not told to end, and takes no part, cannot.
pub(super) fn state(state: election::State, reason: Option<&Reason>) -> State {
    match (state, reason) {
        (election::State::Master, _) => State::Master,
        (election::State::Backup, _) => State::Backup,
        (election::State::Init, None | Some(Reason::ShutDown)) => State::Init,
        (election::State::Init, Some(_)) => State::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_no_part_without_having_been_told_to_end_has_a_fault() {
        let lost = Reason::StoodDown { bar: Bar::Held };
        assert_eq!(state(election::State::Init, Some(&lost)), State::Fault);
        assert_eq!(state(election::State::Init, Some(&Reason::ShutDown)), State::Init);
        assert_eq!(state(election::State::Init, None), State::Init);
        assert_eq!((cause(&lost), cause(&Reason::CarrierLost)), ("held", "carrier-lost"));
    }
}
