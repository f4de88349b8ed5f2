//! Advertisements made by hand, right ones and wrong ones.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{advertisement, checksum};

use super::Group;
use super::group::{PASSWORD, VIP};

/// Where the forged advertisements come from.
const FORGER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// Where the IP header of a frame begins.
const IP: usize = 14;

/// Signs advertisements of one virtual host with the password of groups.
pub struct Forger {
    vhid: u8,
    authenticator: Authenticator,
    counter: Cell<u64>,
}

impl Forger {
    pub fn new(vhid: u8) -> Self {
        let key = Key::from_password(PASSWORD.as_bytes()).expect("the password is a good one");
        let authenticator = Authenticator::new(&key, vhid, &AddressList::new([VIP.into()]));
        Self { vhid, authenticator, counter: Cell::new(1000) }
    }

    /// The counter of the last advertisement.
    pub fn counter(&self) -> u64 {
        self.counter.get()
    }

    /// A right advertisement, as a frame.
    pub fn frame(&self, advbase: u8, advskew: u8) -> Vec<u8> {
        let counter = self.counter.get() + 1;
        self.counter.set(counter);
        let group = IpAddr::V4(frame::CARP_GROUP_V4);
        let digest = self.authenticator.sign(counter);
        let frame = AdvertisementFrame {
            src_mac: frame::ucarp_mac(self.vhid),
            dst_mac: frame::multicast_mac(group),
            src: FORGER.into(),
            dst: group,
            tos: frame::TOS_LOW_DELAY,
            netbsd_checksum: false,
            advertisement: advertisement::Repr { vhid: self.vhid, advbase, advskew, demotion: 0, counter, digest },
        };
        frame.emit().expect("source and group are both of IPv4").to_vec()
    }

    /// Sends a right advertisement.
    pub fn advertise(&self, group: &Group, advbase: u8, advskew: u8) {
        group.lab.inject(&self.frame(advbase, advskew)).expect("frames can be sent");
    }
}

/// Makes both checksums of a changed frame right: the one of the advertisement's 36 octets and that of the IP header.
pub fn correct_checksums(frame: &mut [u8]) {
    let start = IP + usize::from(frame[IP] & 0x0f) * 4;
    correct(&mut frame[start..start + advertisement::LEN], 6);
    correct_ip_checksum(frame);
}

/// Makes the checksum of the IP header right and leaves that of the advertisement as it is.
pub fn correct_ip_checksum(frame: &mut [u8]) {
    let end = IP + usize::from(frame[IP] & 0x0f) * 4;
    correct(&mut frame[IP..end], 10);
}

fn correct(bytes: &mut [u8], at: usize) {
    bytes[at..at + 2].fill(0);
    let sum = checksum::of(&[bytes]);
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}
