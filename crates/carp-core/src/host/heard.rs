//! Who was heard: the senders of believed advertisements.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::IpAddr;

use crate::election::Peer;
use crate::time::Instant;

/// Senders that are remembered one by one. Only who knows the password is among them.
const MOST: usize = 32;

/// A sender of believed advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// As its last advertisement shows it.
    pub peer: Peer,
    /// When that came.
    pub at: Instant,
    /// How many came.
    pub count: u64,
    /// Whether the last one was stamped.
    pub is_stamped: bool,
}

/// All senders of one virtual host.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    all: Vec<Heard>,
    count: u64,
}

impl Senders {
    /// One more advertisement was believed.
    pub(super) fn note(&mut self, at: Instant, peer: Peer, is_stamped: bool) {
        self.count += 1;
        if let Some(known) = self.all.iter_mut().find(|known| known.peer.source == peer.source) {
            *known = Heard { peer, at, count: known.count + 1, is_stamped };
            return;
        }
        if self.all.len() == MOST {
            let longest_silent = (0..MOST).min_by_key(|index| self.all[*index].at).expect("there are some");
            self.all.swap_remove(longest_silent);
        }
        // There are few, as a rule one: no room for more.
        self.all.reserve_exact(1);
        self.all.push(Heard { peer, at, count: 1, is_stamped });
    }

    /// How many advertisements were believed.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// When one was last believed.
    pub(super) fn last(&self) -> Option<Instant> {
        self.all.iter().map(|heard| heard.at).max()
    }

    /// Where they came from.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.all.iter().map(|heard| heard.peer.source)
    }

    /// The one that was heard last comes first.
    pub(super) fn latest_first(&self) -> Vec<Heard> {
        let mut all = self.all.clone();
        all.sort_by_key(|heard| Reverse(heard.at));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Interval;
    use crate::wire::advertisement;
    use crate::wire::{MacAddr, frame};

    fn peer(last: u8, advskew: u8) -> Peer {
        let advertisement =
            advertisement::Repr { vhid: 1, advbase: 1, advskew, demotion: 0, counter: 1, digest: [0; 20] };
        Peer::from(&frame::Received {
            src_mac: MacAddr([0, 0, 0, 0, 0, last]),
            dst_mac: MacAddr([0; 6]),
            src: [10, 0, 0, last].into(),
            dst: [224, 0, 0, 18].into(),
            ip_id: None,
            ttl: 255,
            advertisement,
        })
    }

    #[test]
    fn senders_are_counted_and_the_last_one_heard_comes_first() {
        let mut senders = Senders::default();
        for (at, last, advskew) in [(1, 1, 0), (2, 2, 100), (3, 1, 50)] {
            senders.note(Instant::from_nanos(at), peer(last, advskew), last == 1);
        }
        let told: Vec<_> =
            senders.latest_first().iter().map(|heard| (heard.peer, heard.count, heard.is_stamped)).collect();
        assert_eq!(told, [(peer(1, 50), 2, true), (peer(2, 100), 1, false)]);
        assert_eq!(senders.latest_first()[0].peer.interval, Interval { advbase: 1, advskew: 50 });
        assert_eq!(senders.count(), 3);
    }

    #[test]
    fn the_one_that_was_silent_longest_makes_room() {
        let mut senders = Senders::default();
        for last in 0..=32 {
            senders.note(Instant::from_nanos(100 + u64::from(last)), peer(last, 0), false);
        }
        let all = senders.latest_first();
        assert_eq!((all.len(), all[0].peer, all[31].peer), (MOST, peer(32, 0), peer(1, 0)));
    }
}
