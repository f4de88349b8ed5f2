//! Advertisements made by hand, as another implementation would send them.

use std::cell::Cell;
use std::net::IpAddr;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement};

use super::{Segment, ip};

/// Signs advertisements of one virtual host.
pub struct Forger {
    vhid: u8,
    source: IpAddr,
    mac: MacAddr,
    authenticator: Authenticator,
    counter: Cell<u64>,
}

impl Forger {
    /// One that advertises from `source` with the virtual MAC of the BSD kernels.
    pub fn new(vhid: u8, password: &str, addresses: &[&str], source: &str) -> Self {
        let key = Key::from_password(password.as_bytes()).expect("the password is a good one");
        let list = AddressList::new(addresses.iter().map(|address| ip(address)));
        let authenticator = Authenticator::new(&key, vhid, &list);
        Self { vhid, source: ip(source), mac: frame::kernel_mac(vhid), authenticator, counter: Cell::new(1000) }
    }

    /// A right advertisement, as a frame.
    pub fn frame(&self, interval: Interval, demotion: u8) -> Vec<u8> {
        let counter = self.counter.get() + 1;
        self.counter.set(counter);
        let group = if self.source.is_ipv4() { frame::CARP_GROUP_V4.into() } else { frame::CARP_GROUP_V6.into() };
        let Interval { advbase, advskew } = interval;
        let digest = self.authenticator.sign(counter);
        let frame = AdvertisementFrame {
            src_mac: self.mac,
            dst_mac: frame::multicast_mac(group),
            src: self.source,
            dst: group,
            tos: if self.source.is_ipv4() { frame::TOS_LOW_DELAY } else { 0 },
            netbsd_checksum: false,
            advertisement: advertisement::Repr { vhid: self.vhid, advbase, advskew, demotion, counter, digest },
        };
        frame.emit().expect("source and group are both of one family").to_vec()
    }

    /// Sends a right advertisement.
    pub fn advertise(&self, segment: &Segment, interval: Interval, demotion: u8) {
        segment.lab.inject(&self.frame(interval, demotion)).expect("frames can be sent");
    }

    /// Whether an advertisement has the digest of this password and these addresses.
    pub fn recognises(&self, received: &frame::Received) -> bool {
        self.authenticator.verify(received.advertisement.counter, &received.advertisement.digest)
    }
}
