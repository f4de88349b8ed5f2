//! What the engine knows of checks.

use std::time::Duration;

use carp_core::time::Instant;

use super::HostNumber;

/// No result of a check is longer, in octets.
pub const LONGEST_RESULT: usize = 200;

/// What is known of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// Not enough to say more.
    Unknown,
    /// All is well.
    Up,
    /// It is not.
    Down,
}

/// A check, what came of it, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStatus {
    /// Its name.
    pub name: String,
    /// What a configuration calls its kind.
    pub kind: String,
    /// What is known.
    pub state: CheckState,
    /// Whether it counts against virtual hosts: it is DOWN, or was before it became UNKNOWN.
    pub in_force: bool,
    /// Since when it is in this state.
    pub since: Instant,
    /// When the last run ended, and how long it took.
    pub ran: Option<(Instant, Duration)>,
    /// What the last run said, at most [`LONGEST_RESULT`] octets.
    pub result: String,
    /// What it adds to the advskew while it is in force; `None`: it keeps out.
    pub demotion: Option<u8>,
    /// The virtual hosts that have it.
    pub hosts: Vec<HostNumber>,
}
