//! What is known of a host: what its daemon said when it was last asked, and what happened there.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use ucarp_control::types::{Daemon, Event, VirtualHost};

/// A day, in milliseconds: so much of the past is shown.
pub(super) const DAY: u64 = 24 * 60 * 60 * 1000;

/// The state of a host: what `/api/v1/status` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    /// Whether the daemon answered.
    pub(super) up: bool,
    /// Why it did not.
    #[serde(default)]
    pub(super) error: Option<String>,
    /// The daemon; `None` unless it is up.
    #[serde(default)]
    pub(super) daemon: Option<Daemon>,
    /// Its virtual hosts; none unless it is up.
    #[serde(default)]
    pub(super) virtual_hosts: Vec<VirtualHost>,
}

impl Status {
    /// Of a daemon that does not answer.
    pub(super) fn down(error: impl Into<String>) -> Self {
        Status { up: false, error: Some(error.into()), daemon: None, virtual_hosts: Vec::new() }
    }
}

/// A time in which the daemon did not answer, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    /// When it stopped to.
    pub(super) from: u64,
    /// When it answered again; `None`: not yet.
    pub(super) to: Option<u64>,
}

/// What happened on a host: what `/api/v1/history` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    /// Changes of state, the oldest first.
    pub(super) events: Vec<Event>,
    /// When nobody knows what happened.
    #[serde(default)]
    pub(super) gaps: Vec<Gap>,
}

/// A host as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// What it is called.
    pub(super) name: String,
    /// Where the page of a peer is; `None`: this host.
    pub(super) url: Option<String>,
    /// The last good answer, if there ever was one.
    pub(super) seen: Option<Seen>,
    /// Why there is no newer one.
    pub(super) problem: Option<String>,
    /// What happened there.
    pub(super) past: Arc<Past>,
}

/// An answer and when it was given.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// By the monotonic clock of this process.
    pub(super) at: Instant,
    /// The daemon was up.
    pub(super) daemon: Arc<Daemon>,
    /// What it has.
    pub(super) virtual_hosts: Arc<Vec<VirtualHost>>,
}

impl Seen {
    /// From a status that has a daemon.
    pub(super) fn new(status: Status, at: Instant) -> Option<Self> {
        let daemon = status.daemon.filter(|_| status.up)?;
        Some(Seen { at, daemon: Arc::new(daemon), virtual_hosts: Arc::new(status.virtual_hosts) })
    }

    /// How long ago that was, in milliseconds.
    pub(super) fn age(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Host {
    /// Whether the last answer says what is the case now.
    pub(super) fn is_current(&self) -> bool {
        self.problem.is_none() && self.seen.is_some()
    }
}
