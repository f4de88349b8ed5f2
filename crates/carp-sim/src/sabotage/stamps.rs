//! Planted faults of stamps: a core is made to believe or to doubt by giving it advertisements with other stamps than
//! those that arrived, and sends other ones than it made. The password is at hand here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use carp_core::auth::stamp::Tick;
use carp_core::time::Instant;
use carp_core::wire::frame::{self, Received};

use super::{Sabotage, Saboteur, interval};
use crate::spec::Family;

/// More than strict nodes allow a sender to be behind.
const TOO_FAR: i64 = 11 * 256;

/// Addresses that no node has.
const STRANGER_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 10);
const STRANGER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, 10);

/// What the planted faults need to know.
pub(super) struct Stamps {
    born: Instant,
    /// The time since 1970 then, by the node's wall clock.
    wall: Duration,
    /// The time of the first own advertisement.
    first: Option<Tick>,
    /// The latest time that the core was shown.
    shown: Tick,
}

impl Stamps {
    pub(super) fn new(born: Instant, wall: Duration) -> Self {
        Self { born, wall, first: None, shown: Tick::default() }
    }

    fn own_time(&self, now: Instant) -> Tick {
        Tick::nearest(Tick::in_duration(self.wall + (now - self.born)))
    }
}

impl Saboteur {
    /// The time that the core is shown instead of that of an advertisement that arrived; `None` if it is shown that one.
    /// What it must not take for its own is shown with another source.
    pub(super) fn told_tick(&mut self, now: Instant, received: &mut Received) -> Option<Tick> {
        let carp = &received.advertisement;
        let form = self.credentials.authenticator(self.spec.families);
        if !form.verify(carp.counter, &carp.digest) {
            return None;
        }
        let (sent, sealed) = (Tick::of_counter(carp.counter), form.sealer().tick(received.src, carp));
        let (latest, is_own) = (self.stamps.shown, received.src == self.spec.address(Family::of(received.src)));
        let told = match self.sabotage {
            Sabotage::BelievesRepetitions if sealed.is_some() && !is_own => Some(sent.max(latest.later(1))),
            Sabotage::BelievesOldNews if sealed.is_some() && !is_own && sent < self.stamps.own_time(now) => {
                Some(latest.later(1).max(self.stamps.own_time(now)))
            }
            Sabotage::BelievesChanges if sealed.is_none() => Some(sent.max(latest.later(1))),
            Sabotage::BelievesReflections if is_own => {
                received.src = if received.src.is_ipv4() { STRANGER_V4.into() } else { STRANGER_V6.into() };
                Some(self.stamps.own_time(now).max(latest).later(1))
            }
            Sabotage::RefusesGoodNews if !is_own => Some(Tick::nearest(sent.since_1970() - TOO_FAR)),
            _ => None,
        };
        self.stamps.shown = latest.max(told.unwrap_or(sent));
        told
    }

    /// Changes the stamp of an own advertisement.
    pub(super) fn stamp(&mut self, now: Instant, bytes: &mut Vec<u8>) {
        let received = frame::parse(bytes).expect("the core sends what it reads");
        let first = *self.stamps.first.get_or_insert(Tick::of_counter(received.advertisement.counter));
        let tick = match self.sabotage {
            Sabotage::ClockStandsStill => first,
            Sabotage::NeverCatchesUp => self.stamps.own_time(now),
            _ => return,
        };
        *bytes = self.restamped(&received, tick);
    }

    pub(super) fn restamped(&self, received: &Received, tick: Tick) -> Vec<u8> {
        let form = self.credentials.authenticator(self.spec.families);
        let counter = form.sealer().counter(tick, received.src, &received.advertisement);
        self.forge(received, interval(received), counter)
    }
}
