//! What speaks against an advertisement whose digest is right: that it was repeated, changed, or sent by this node
//! itself.
//!
//! *Group time* does for clocks what the highest term does for elections. A node starts with the wall clock of its
//! start, runs on with its monotonic clock, and goes forward to whatever it believes from another node, never back.
//! What it sends is stamped with group time, and later than all that it sent before. A receiver believes what is later
//! than all that it heard of the same sender, and at most [`WINDOW`] behind group time.
//!
//! A clock that is wrong thus shuts nobody out for good: of two nodes of which each refuses the other, one would have to
//! be behind the other and the other behind the one. A node that is behind is refused until it hears somebody, and then
//! is not behind any more. If all others are BACKUP and silent, the first whose dead time ends speaks up. So an honest
//! node that hears the group is refused for a dead time and one advertisement at the most.
//!
//! A sender is the address that its stamps are sealed with, so members of a strict group need own addresses: what comes
//! from the own one is an echo, or a mistake.
//!
//! What this cannot do without memory on disk: tell an advertisement that was held back for less than [`WINDOW`] from a
//! slow one, and tell one that was recorded while group time was ahead of the present one from a sender whose clock is
//! ahead. The first needs a receiver that did not get the original; the second, that all nodes of the group were
//! restarted since with clocks that are behind those of the recording.

#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::auth::stamp::Tick;
use crate::random::Random;
use crate::time::Instant;

/// How far behind group time an advertisement may be that nothing else speaks against: clocks that are set from the
/// network differ by less, and networks are not so slow.
pub const WINDOW: Duration = Duration::from_secs(10);

/// For how long a sender that stamps its advertisements is expected to go on with it.
const HABIT: Duration = Duration::from_secs(60);

/// Senders that are remembered one by one. Only members of the group can be among them.
const MOST_SENDERS: usize = 64;

/// Senders that do not stamp theirs and are told of one by one.
const MOST_STRANGERS: usize = 16;

/// Own advertisements that are recognised when a switch sends them back.
const REMEMBERED: usize = 16;

/// What speaks against an advertisement whose digest is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// One as late or later was heard of the same sender.
    Replayed,
    /// It is far behind group time: a repetition, or the sender's clock is behind and it has heard nobody.
    Stale {
        /// How far.
        behind: Duration,
    },
    /// Its fields are not those that were sealed, or its source is not the one that sent it.
    Tampered,
    /// It is not stamped: from another implementation, or from a node of this one with classic authentication.
    Unstamped,
    /// It comes from this node's own address: sent before its start or long ago, or another node has the same address.
    Reflected,
}

/// How many advertisements with the right digest were doubted, whether they were believed all the same or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// [`Doubt::Replayed`].
    pub replayed: u64,
    /// [`Doubt::Stale`].
    pub stale: u64,
    /// [`Doubt::Tampered`].
    pub tampered: u64,
    /// [`Doubt::Unstamped`].
    pub unstamped: u64,
    /// [`Doubt::Reflected`], and own advertisements that came back at once.
    pub reflected: u64,
    /// Came by a link that the virtual host is not on. Never believed.
    pub misplaced: u64,
}

impl Counters {
    pub(super) fn count(&mut self, doubt: Doubt) {
        let counter = match doubt {
            Doubt::Replayed => &mut self.replayed,
            Doubt::Stale { .. } => &mut self.stale,
            Doubt::Tampered => &mut self.tampered,
            Doubt::Unstamped => &mut self.unstamped,
            Doubt::Reflected => &mut self.reflected,
        };
        *counter += 1;
    }
}

/// An advertisement with the right digest, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) source: IpAddr,
    /// Whether the source is an address of this node alone.
    pub(super) is_own: bool,
    pub(super) counter: u64,
    /// When it was sent, if the seal fits.
    pub(super) tick: Option<Tick>,
}

/// A sender that stamps its advertisements.
#[derive(Clone, Copy, Debug)]
struct Sender {
    source: IpAddr,
    /// The latest that was heard, and its counter.
    tick: Tick,
    counter: u64,
    /// When nothing spoke against it.
    believed_at: Option<Instant>,
}

/// What one virtual host knows of group time and of its senders.
#[derive(Clone, Debug)]
pub(super) struct Freshness {
    /// Group time minus the driver's clock, in ticks.
    offset: i64,
    last_sent: Tick,
    senders: Vec<Sender>,
    /// Senders that do not stamp theirs and were told of.
    strangers: Vec<IpAddr>,
    /// Nothing as early as this is believed of senders that are not known: some may have been forgotten.
    forgotten: Tick,
    /// The counters of the last own advertisements, over IPv4 and IPv6, the oldest overwritten first. Many nodes are
    /// never MASTER, and need no room for any.
    sent: Vec<[u64; 2]>,
    sent_next: usize,
}

impl Freshness {
    /// `offset` is the wall clock minus the driver's clock, in ticks.
    pub(super) fn new(offset: i64) -> Self {
        Self {
            offset,
            last_sent: Tick::default(),
            senders: Vec::new(),
            strangers: Vec::new(),
            forgotten: Tick::default(),
            sent: Vec::new(),
            sent_next: 0,
        }
    }

    /// Group time, as far as this node knows.
    pub(super) fn group_time(&self, now: Instant) -> Tick {
        Tick::nearest(Tick::on_clock(now).saturating_add(self.offset))
    }

    /// The time for the next own advertisement. The last bits are drawn: two hosts that have the same address by mistake,
    /// and the same rank, would otherwise take each other's advertisements for their own when they send in step.
    pub(super) fn next(&mut self, now: Instant, random: &mut Random) -> Tick {
        let drawn = self.group_time(now).later(random.bits() >> 61);
        self.last_sent = drawn.max(self.last_sent.later(1));
        self.last_sent
    }

    /// A time that is later than all that is sent before `reach` is over, and that the next life of this node, which
    /// listens for that long, comes after.
    pub(super) fn ahead(&self, now: Instant, reach: Duration) -> Tick {
        let ticks = u64::try_from(Tick::in_duration(reach)).expect("durations are not negative");
        self.group_time(now).max(self.last_sent).later(ticks + 1)
    }

    /// Remembers an own advertisement.
    pub(super) fn sent(&mut self, counters: [u64; 2]) {
        if self.sent.is_empty() {
            self.sent = vec![counters; REMEMBERED];
        }
        self.sent[self.sent_next] = counters;
        self.sent_next = (self.sent_next + 1) % REMEMBERED;
    }

    /// Whether it is one of the last own advertisements. One that is stamped later than those is none.
    pub(super) fn is_echo(&self, counter: u64, tick: Option<Tick>) -> bool {
        let stamps = self.last_sent != Tick::default();
        let is_later = stamps && tick.is_some_and(|tick| tick > self.last_sent);
        !is_later && self.sent.iter().any(|counters| counters.contains(&counter))
    }

    /// Whether this sender, which does not stamp its advertisements, has not been told of yet. Anybody can invent senders:
    /// of more than there is room for nothing is told.
    pub(super) fn is_new_stranger(&mut self, source: IpAddr) -> bool {
        let is_new = self.strangers.len() < MOST_STRANGERS && !self.strangers.contains(&source);
        if is_new {
            self.strangers.push(source);
        }
        is_new
    }

    /// What speaks against an advertisement that is no echo. If nothing does, group time goes forward to it.
    pub(super) fn judge(&mut self, now: Instant, claim: &Claim) -> Option<Doubt> {
        let Some(tick) = claim.tick else { return Some(self.judge_unsealed(now, claim)) };
        if claim.is_own {
            return Some(Doubt::Reflected);
        }
        if !self.is_later(claim, tick) {
            return Some(Doubt::Replayed);
        }
        let behind = self.group_time(now).since(tick);
        if behind > WINDOW {
            return Some(Doubt::Stale { behind });
        }
        self.offset = self.offset.max(tick.since_1970().saturating_sub(Tick::on_clock(now)));
        if let Some(sender) = self.senders.iter_mut().find(|sender| sender.source == claim.source) {
            sender.believed_at = Some(now);
        }
        None
    }

    /// UCARP and most kernels adopt counters and add one for each advertisement, so that a counter by itself says little;
    /// but none repeats the counter of another node.
    fn judge_unsealed(&self, now: Instant, claim: &Claim) -> Doubt {
        let is_changed = |sender: &Sender| {
            let speaks = sender.believed_at.is_some_and(|at| now - at < HABIT);
            sender.counter == claim.counter || sender.source == claim.source && speaks
        };
        if claim.is_own || self.senders.iter().any(is_changed) { Doubt::Tampered } else { Doubt::Unstamped }
    }

    /// Whether it is later than all that was heard of its sender; it is the latest from now on.
    fn is_later(&mut self, claim: &Claim, tick: Tick) -> bool {
        if let Some(sender) = self.senders.iter_mut().find(|sender| sender.source == claim.source) {
            if tick <= sender.tick {
                return false;
            }
            (sender.tick, sender.counter) = (tick, claim.counter);
            return true;
        }
        if tick <= self.forgotten {
            return false;
        }
        if self.senders.len() == MOST_SENDERS {
            let (index, earliest) = self
                .senders
                .iter()
                .map(|sender| sender.tick)
                .enumerate()
                .min_by_key(|(_, tick)| *tick)
                .expect("a full table has a first entry");
            self.senders.swap_remove(index);
            self.forgotten = self.forgotten.max(earliest);
        }
        let Claim { source, counter, .. } = *claim;
        self.senders.push(Sender { source, tick, counter, believed_at: None });
        true
    }
}
