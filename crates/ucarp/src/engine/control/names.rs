//! How virtual hosts are named, and what is recorded of each for those who ask.

use carp_core::election::{self, Reason};
use carp_core::host::Doubt;
use carp_core::node::{Notice, Purpose};
use carp_core::time::Instant;
use carp_core::wire::frame;
use ucarp_control::Refusal;
use ucarp_control::types::State;

use super::history::{What, wall_clock};
use super::words;
use crate::engine::Engine;
use crate::journal::Change;
use crate::protocol::HostNumber;

/// Names that an error lists.
const MOST_KNOWN: usize = 100;

/// What is recorded of a virtual host.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Record {
    /// The last change of state: since when, also by the wall clock, and why.
    pub(super) since: Instant,
    pub(super) since_at: u64,
    pub(super) reason: Option<Reason>,
    pub(super) transitions: u64,
    pub(in crate::engine) counts: Counts,
}

/// Packets that were sent, and that were refused.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Counts {
    pub(super) sent: u64,
    pub(super) goodbyes: u64,
    pub(super) announcements: u64,
    pub(super) probes: u64,
    pub(super) send_errors: u64,
    pub(super) preempted: u64,
    pub(super) bad_ttl: u64,
    pub(super) bad_version: u64,
    pub(super) bad_checksum: u64,
    pub(super) bad_length: u64,
    pub(super) bad_header: u64,
    pub(super) bad_digest: u64,
    /// Of those that were doubted, for which the core has the counters.
    pub(super) doubtful_refused: u64,
}

impl Counts {
    /// Something was sent, or could not be.
    pub(in crate::engine) fn sent(&mut self, purpose: Purpose, is_sent: bool) {
        let count = match purpose {
            _ if !is_sent => &mut self.send_errors,
            Purpose::Advertisement => &mut self.sent,
            Purpose::Goodbye => &mut self.goodbyes,
            Purpose::Announcement => &mut self.announcements,
            Purpose::Probe => &mut self.probes,
        };
        *count += 1;
    }

    /// A frame was refused, or something is odd about it.
    pub(in crate::engine) fn notice(&mut self, notice: &Notice) {
        let count = match notice {
            Notice::Rejected(rejected) => match rejected.reason {
                frame::Reason::BadTtl(_) => &mut self.bad_ttl,
                frame::Reason::BadVersion(_) => &mut self.bad_version,
                frame::Reason::BadChecksum => &mut self.bad_checksum,
                frame::Reason::BadLength(_) => &mut self.bad_length,
                _ => &mut self.bad_header,
            },
            Notice::BadDigest { .. } => &mut self.bad_digest,
            Notice::OwnEcho { .. } | Notice::Doubtful { refused: true, .. } | Notice::WrongLink { .. } => {
                &mut self.doubtful_refused
            }
            _ => return,
        };
        *count += 1;
    }
}

/// A word for what was noticed.
fn notice_cause(notice: &Notice) -> &'static str {
    match notice {
        Notice::Rejected(_) => "rejected",
        Notice::BadDigest { .. } => "bad-digest",
        Notice::OwnEcho { .. } => "own-echo",
        Notice::Doubtful { doubt, .. } => match doubt {
            Doubt::Replayed => "replayed",
            Doubt::Stale { .. } => "stale",
            Doubt::Tampered => "tampered",
            Doubt::Unstamped => "unstamped",
            Doubt::Reflected => "reflected",
        },
        Notice::WrongLink { .. } => "wrong-link",
        Notice::AddressContested { .. } => "address-contested",
        Notice::EqualPeer { .. } => "equal-peer",
        Notice::UcarpWithoutAdvbase { .. } => "ucarp-without-advbase",
        Notice::DeafPeer { .. } => "deaf-peer",
        Notice::AddressConflict { .. } => "address-conflict",
        Notice::Flapping => "flapping",
    }
}

impl Engine {
    /// The name in the configuration; with UCARP's options, which know none, the interface's.
    pub(super) fn name_of(&self, host: HostNumber) -> String {
        let Some(hosted) = self.hosts.get(&host) else { return String::new() };
        match hosted.profile.who.strip_suffix(": ") {
            Some(name) => name.to_owned(),
            None => self.interface_of(host),
        }
    }

    pub(super) fn interface_of(&self, host: HostNumber) -> String {
        let link = self.hosts.get(&host).map(|hosted| self.node.config(hosted.id).link);
        link.and_then(|link| self.links.get(&link)).map(|link| link.name.clone()).unwrap_or_default()
    }

    pub(super) fn vhid_of(&self, host: HostNumber) -> Option<u8> {
        self.hosts.get(&host).map(|hosted| self.node.config(hosted.id).vhid)
    }

    /// The virtual host of this name, of this vhid if only one has it, or `INTERFACE/VHID`.
    pub(super) fn find(&self, name: &str) -> Result<HostNumber, Refusal> {
        if let Some(host) = self.hosts.keys().find(|host| self.name_of(**host) == name) {
            return Ok(*host);
        }
        let (interface, vhid) = name.rsplit_once('/').map_or((None, name), |(interface, vhid)| (Some(interface), vhid));
        let vhid: Option<u8> = vhid.parse().ok();
        let is_meant = |host: &&HostNumber| {
            vhid.is_some()
                && self.vhid_of(**host) == vhid
                && interface.is_none_or(|interface| self.interface_of(**host) == interface)
        };
        let meant: Vec<HostNumber> = self.hosts.keys().filter(is_meant).copied().collect();
        let virtual_host = name.to_owned();
        match meant[..] {
            [host] => Ok(host),
            [] => Err(Refusal::NoSuchVirtualHost { virtual_host, known: self.known(self.hosts.keys()) }),
            _ => Err(Refusal::AmbiguousVirtualHost { virtual_host, known: self.known(meant.iter()) }),
        }
    }

    fn known<'a>(&self, hosts: impl Iterator<Item = &'a HostNumber>) -> Vec<String> {
        hosts.take(MOST_KNOWN).map(|host| self.name_of(*host)).collect()
    }

    /// The virtual host of this name, or all.
    pub(super) fn chosen(&self, name: Option<&str>) -> Result<Vec<HostNumber>, Refusal> {
        match name {
            Some(name) => Ok(vec![self.find(name)?]),
            None => Ok(self.hosts.keys().copied().collect()),
        }
    }

    /// Notes a change of state.
    pub(in crate::engine) fn note_transition(
        &mut self,
        now: Instant,
        host: HostNumber,
        from: election::State,
        to: election::State,
        reason: Reason,
    ) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let record = &mut hosted.record;
        let before = words::state(from, record.reason.as_ref());
        record.since = now;
        record.since_at = wall_clock();
        record.reason = Some(reason);
        record.transitions += 1;
        record.counts.preempted += u64::from(matches!(reason, Reason::Preempted { .. }));
        let after: State = words::state(to, Some(&reason));
        self.control.history.add(Some(host), What::Transition { from: before, to: after, reason });
        if let Some(journal) = &self.journal {
            journal.enter(&Change {
                virtual_host: &self.name_of(host),
                vhid: self.vhid_of(host).unwrap_or_default(),
                interface: &self.interface_of(host),
                from: &before.to_string(),
                to: &after.to_string(),
                cause: words::cause(&reason),
                reason: &reason.to_string(),
            });
        }
    }

    /// Notes something that was told to the log as well.
    pub(in crate::engine) fn note_notice(&mut self, host: HostNumber, notice: &Notice, message: String) {
        let what = What::Other { kind: "notice", cause: notice_cause(notice), message: message.into() };
        self.control.history.add(Some(host), what);
    }

    /// Notes something else.
    pub(in crate::engine) fn note(
        &mut self,
        host: Option<HostNumber>,
        kind: &'static str,
        cause: &'static str,
        message: impl Into<Box<str>>,
    ) {
        self.control.history.add(host, What::Other { kind, cause, message: message.into() });
    }
}
