//! Two MASTERs with the same interval: the verdict of one of them about the other.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::net::IpAddr;
use core::time::Duration;

use super::{Config, Peer};
use crate::time::Instant;
use crate::timing::Interval;

/// How a tie between equal intervals is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TieRule {
    /// The lower source address stays, octets compared from the last to the first: what UCARP 1.5.2 does on
    /// little-endian hosts, where it reads the address as a number of the host. 10.0.1.1 beats 10.0.0.2.
    #[default]
    UcarpLittleEndian,
    /// The lower source address stays, octets compared from the first to the last: UCARP on big-endian hosts.
    Numeric,
    /// A MASTER that hears an equal one always steps down, as the BSD kernels do.
    Kernel,
}

impl TieRule {
    pub(super) fn compare(self, a: IpAddr, b: IpAddr) -> Ordering {
        match (self, a, b) {
            (Self::Numeric, a, b) => a.cmp(&b),
            (_, IpAddr::V4(a), IpAddr::V4(b)) => a.octets().iter().rev().cmp(b.octets().iter().rev()),
            (_, IpAddr::V6(a), IpAddr::V6(b)) => a.octets().iter().rev().cmp(b.octets().iter().rev()),
            (_, a, b) => a.cmp(&b),
        }
    }
}

/// What to do about an equal MASTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its advertisement of the other address family has been judged already.
    Ignore,
    /// We stay; tell it at once.
    Win,
    /// It stays unless it is a kernel, which leaves when it hears us: tell it once and wait.
    Answer,
    /// It stays: step down, and wait only for the winner's next advertisement.
    Yield,
    /// Step down by the kernels' rule.
    YieldAtOnce,
}

/// Equal MASTERs of one segment that are remembered at the same time; more are a fault, and the oldest is forgotten.
const MOST_RIVALS: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rival {
    source: IpAddr,
    /// Own advertisements sent when it was first heard: it has heard us if the count has grown since.
    sent_count: u64,
    heard_at: Instant,
}

/// The equal MASTERs that would win against us and were heard lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rivals {
    known: Vec<Rival>,
    heard_v4: Option<Instant>,
}

/// How long a node that lost a tie waits for the winner: one and a half of its intervals and some latency.
pub(super) fn wait_for_winner(interval: Interval) -> Duration {
    interval.duration() * 3 / 2 + Duration::from_millis(50)
}

/// How long after an equal advertisement over IPv4 one over IPv6 counts as judged already.
fn family_memory(config: &Config) -> Duration {
    config.interval.duration() * 3
}

/// How long a rival that is not heard again is remembered.
fn rival_memory(config: &Config) -> Duration {
    config.interval.duration() * 5 / 2 + Duration::from_millis(100)
}

impl Rivals {
    /// The part of [`Election::canonical`](super::Election::canonical): rivals that are still remembered, with the
    /// count 0 if we advertised since they were first heard and 1, the canonical count of all, if not.
    pub(super) fn canonical(
        &self,
        config: &Config,
        now: Instant,
        sent_count: u64,
        shifted: impl Fn(Instant, Duration) -> Instant,
    ) -> Self {
        let mut known: Vec<_> = self
            .known
            .iter()
            .filter(|rival| now - rival.heard_at <= rival_memory(config))
            .map(|rival| Rival {
                source: rival.source,
                sent_count: u64::from(sent_count == rival.sent_count),
                heard_at: shifted(rival.heard_at, rival_memory(config)),
            })
            .collect();
        known.sort_by_key(|rival| rival.source);
        let recent = |heard: &Instant| config.source.is_ipv4() && now - *heard < family_memory(config);
        Self { known, heard_v4: self.heard_v4.filter(recent).map(|heard| shifted(heard, family_memory(config))) }
    }

    /// Judges the equal MASTER `peer`.
    ///
    /// A loser does not leave at the first equal advertisement but answers it: a kernel then leaves within milliseconds
    /// and never sends a second one. It leaves at the second, if one of its own was sent between the two. UCARP sends
    /// one equal advertisement *while leaving*; a rival that has heard somebody better than itself may be doing just
    /// that and does not count.
    pub(super) fn judge(&mut self, config: &Config, now: Instant, peer: Peer, sent_count: u64) -> Verdict {
        if config.tie == TieRule::Kernel {
            return Verdict::YieldAtOnce;
        }
        if peer.source.is_ipv4() {
            self.heard_v4 = Some(now);
        } else if config.source.is_ipv4() && self.heard_v4.is_some_and(|heard| now - heard < family_memory(config)) {
            return Verdict::Ignore;
        }
        let rank = |a, b| config.tie.compare(a, b);
        if rank(config.source_against(peer.source), peer.source) == Ordering::Less {
            return Verdict::Win;
        }
        let memory = rival_memory(config);
        self.known.retain(|rival| {
            let parting = rank(peer.source, rival.source) == Ordering::Less;
            let too_old = rival.source == peer.source && now - rival.heard_at > memory;
            !parting && !too_old
        });
        if let Some(rival) = self.known.iter_mut().find(|rival| rival.source == peer.source) {
            if sent_count > rival.sent_count {
                return Verdict::Yield;
            }
            rival.heard_at = now;
            return Verdict::Answer;
        }
        if self.known.len() == MOST_RIVALS {
            self.known.remove(0);
        }
        self.known.push(Rival { source: peer.source, sent_count, heard_at: now });
        Verdict::Answer
    }
}
