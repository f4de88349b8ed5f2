//! Models of other implementations, from their description: what they do that matters to a peer, quirks included.

mod freebsd;
mod kernel;
mod netbsd;
mod openbsd;
mod ucarp;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use carp_core::auth::Authenticator;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame, TOS_LOW_DELAY, TTL};
use carp_core::wire::{MacAddr, advertisement, ethernet, ipv4};

pub(crate) use kernel::Kernel;
pub(crate) use ucarp::{CARRIER_SLEEP, READING_DELAY, Ucarp};

use crate::dice::Dice;
use crate::spec::{Credentials, Family, Spec, VHID};

/// What an implementation puts into the counter of its advertisements.
enum Counter {
    /// A fresh random one each time until an authentic advertisement is heard; then the last heard or sent, plus one.
    Adopted { last: u64, heard: bool },
    /// OpenBSD: the same for ever, 0 until the first one is sent. What comes with it is taken for an own packet.
    Cookie { sent: Option<u64> },
}

/// An advertisement that a foreign node accepts.
#[derive(Clone, Copy)]
struct Heard {
    interval: Interval,
    demotion: u8,
    source: IpAddr,
}

/// How a foreign node speaks and listens: everything but the state machine.
struct Voice {
    authenticator: Authenticator,
    spec: Spec,
    mac: MacAddr,
    random_id: bool,
    counter: Counter,
}

impl Voice {
    fn new(spec: &Spec, credentials: Credentials, mac: MacAddr, random_id: bool, counter: Counter) -> Self {
        Self { authenticator: credentials.authenticator(spec.families), spec: *spec, mac, random_id, counter }
    }

    /// The frame of an advertisement over one family; over two they have two counters.
    fn say(&mut self, dice: &mut Dice, family: Family, interval: Interval, demotion: u8) -> Vec<u8> {
        let counter = match &mut self.counter {
            Counter::Adopted { last, heard: false } => {
                *last = dice.bits();
                *last
            }
            Counter::Adopted { last, heard: true } => {
                *last = last.wrapping_add(1);
                *last
            }
            Counter::Cookie { sent } => *sent.get_or_insert_with(|| dice.bits()),
        };
        let carp = advertisement::Repr {
            vhid: VHID,
            advbase: interval.advbase,
            advskew: interval.advskew,
            demotion,
            counter,
            digest: self.authenticator.sign(counter),
        };
        match family {
            Family::V4 => self.over_v4(dice, &carp),
            Family::V6 => self.over_v6(carp),
        }
    }

    fn over_v4(&self, dice: &mut Dice, carp: &advertisement::Repr) -> Vec<u8> {
        let id = if self.random_id { u16::try_from(dice.below(1 << 16)).expect("16 bits") } else { 0 };
        let ip = ipv4::Repr {
            tos: TOS_LOW_DELAY,
            identification: id,
            dont_fragment: true,
            ttl: TTL,
            protocol: advertisement::PROTOCOL,
            src: self.spec.source,
            dst: frame::CARP_GROUP_V4,
            payload_len: 36,
        };
        let ethernet = ethernet::Repr {
            dst: frame::multicast_mac(frame::CARP_GROUP_V4.into()),
            src: self.mac,
            ethertype: ethernet::EtherType::Ipv4,
        };
        [&ethernet.emit()[..], &ip.emit(), &carp.emit()].concat()
    }

    /// With the plain checksum, as all but the newest NetBSD.
    fn over_v6(&self, advertisement: advertisement::Repr) -> Vec<u8> {
        let dst = frame::CARP_GROUP_V6.into();
        AdvertisementFrame {
            src_mac: self.mac,
            dst_mac: frame::multicast_mac(dst),
            src: self.spec.source_v6.into(),
            dst,
            tos: 0,
            netbsd_checksum: false,
            advertisement,
        }
        .emit()
        .expect("both addresses are of IPv6")
        .to_vec()
    }

    /// The advertisement in `frame`, if this node accepts it. Adopts its counter where the implementation does.
    fn hear(&mut self, frame: &[u8]) -> Option<Heard> {
        let received = frame::parse(frame).ok()?;
        let carp = received.advertisement;
        if carp.vhid != VHID || !self.authenticator.verify(carp.counter, &carp.digest) {
            return None;
        }
        match &mut self.counter {
            Counter::Adopted { last, heard } => (*last, *heard) = (carp.counter, true),
            Counter::Cookie { sent } if carp.counter == sent.unwrap_or(0) => return None,
            Counter::Cookie { .. } => {}
        }
        let interval = Interval { advbase: carp.advbase, advskew: carp.advskew };
        Some(Heard { interval, demotion: carp.demotion, source: received.src })
    }
}
