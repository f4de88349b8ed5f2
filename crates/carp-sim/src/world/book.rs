//! What a strict node has to believe, calculated apart from the core: group time, and the latest of each sender.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::time::Instant;

/// How far behind group time an advertisement may be, in 1/256 s.
const WINDOW: i64 = 10 * 256;

/// What a node in one of its lives knows of time.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// How much group time is ahead of the node's clock, in 1/256 s.
    ahead: i64,
    /// The time of the latest stamp of each sender.
    heard: BTreeMap<IpAddr, i64>,
}

impl Book {
    /// At the start of a life, when the wall clock shows `wall`.
    pub(super) fn new(now: Instant, wall: Duration) -> Self {
        Self { ahead: ticks(wall.as_nanos()) - ticks(now.as_nanos().into()), heard: BTreeMap::new() }
    }

    /// Whether an advertisement of another node, with this counter, has to be believed.
    pub(super) fn believes(&self, now: Instant, source: IpAddr, counter: u64) -> bool {
        let sent = sent_at(counter);
        let is_later = self.heard.get(&source).is_none_or(|latest| sent > *latest);
        is_later && ticks(now.as_nanos().into()) + self.ahead - sent <= WINDOW
    }

    /// Takes note of it; whether it has to be believed.
    pub(super) fn hear(&mut self, now: Instant, source: IpAddr, counter: u64) -> bool {
        let (sent, believes) = (sent_at(counter), self.believes(now, source, counter));
        let latest = self.heard.entry(source).or_insert(sent);
        *latest = sent.max(*latest);
        if believes {
            self.ahead = self.ahead.max(sent - ticks(now.as_nanos().into()));
        }
        believes
    }
}

fn sent_at(counter: u64) -> i64 {
    i64::try_from(counter >> 24).expect("40 bits fit 63")
}

fn ticks(nanos: u128) -> i64 {
    i64::try_from(nanos * 256 / 1_000_000_000).expect("runs are short")
}
