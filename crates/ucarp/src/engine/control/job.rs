//! What is under way for a client: answers that are made one by one as it reads, or wait for the guardian.

use std::time::Duration;

use carp_core::time::Instant;

use crate::protocol::HostNumber;

/// The guardian is not waited for any longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What it knows of a virtual host is done without after this time.
const SHORT_PATIENCE: Duration = Duration::from_millis(1500);

/// Something that takes more than one step.
#[derive(Debug)]
pub(super) enum Job {
    /// One reply for this virtual host, and for those behind it.
    VirtualHosts { next: HostNumber, and_all_behind: bool, asked: Option<Instant> },
    /// One reply for each event behind `cursor`, up to `last`; `None`: and those that are to come.
    Events { host: Option<HostNumber>, cursor: u64, last: Option<u64> },
    /// The guardian reads the configuration.
    Reload { asked: Instant },
    /// The guardian tells the configuration.
    Configuration { asked: Instant, text: String },
}

impl Job {
    /// When it is over, or goes on without the guardian.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::VirtualHosts { asked, .. } => asked.map(|asked| asked + SHORT_PATIENCE),
            Self::Reload { asked } | Self::Configuration { asked, .. } => Some(*asked + PATIENCE),
            Self::Events { .. } => None,
        }
    }

    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Self::Events { last: None, .. })
    }
}
