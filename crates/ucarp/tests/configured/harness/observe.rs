//! What the wire shows: who advertises, announces and says goodbye, and when.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::timing::Interval;
use carp_core::wire::frame::{self, Received};
use netlab::{Frame, Host, now};

use super::{SOON, Segment, between};

/// The advertisement in a frame, and whether it is a goodbye. Such that have passed a router too.
pub fn parsed(bytes: &[u8]) -> Option<(Received, bool)> {
    let received = frame::parse_routed(bytes).ok()?;
    let advertisement = &received.advertisement;
    let interval = Interval { advbase: advertisement.advbase, advskew: advertisement.advskew };
    Some((received, interval == Interval::BOW_OUT))
}

/// The longest time without one of these moments, from `since` until `until`.
pub fn largest_gap(moments: &[u64], since: u64, until: u64) -> Duration {
    let inside: Vec<u64> = moments.iter().copied().filter(|at| (since..=until).contains(at)).collect();
    let earlier = std::iter::once(since).chain(inside.iter().copied());
    let later = inside.iter().copied().chain([until]);
    earlier.zip(later).map(|(earlier, later)| between(earlier, later)).max().unwrap_or_default()
}

/// The address that a frame announces, and the MAC: a gratuitous ARP, or an unsolicited neighbour advertisement that
/// overrides what was known.
fn announced(bytes: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    match bytes.get(12..14)? {
        [0x08, 0x06] => {
            let (sender, target) = (bytes.get(28..32)?, bytes.get(38..42)?);
            let address: [u8; 4] = sender.try_into().ok()?;
            (sender == target).then_some((address.into(), bytes[22..28].try_into().ok()?))
        }
        // ICMPv6, type 136, without the solicited flag and with the override flag, and a target link-layer address.
        [0x86, 0xdd] => {
            let is_unsolicited = bytes.get(20)? == &58 && bytes.get(54)? == &136 && bytes.get(58)? & 0x60 == 0x20;
            let address: [u8; 16] = bytes.get(62..78)?.try_into().ok()?;
            let mac = bytes.get(80..86)?.try_into().ok()?;
            (is_unsolicited && bytes.get(78..80)? == [2, 1]).then_some((address.into(), mac))
        }
        _ => None,
    }
}

impl Segment {
    /// All frames that a host sent from `since` on.
    pub fn frames_of(&self, host: &Host, since: u64) -> Vec<Frame> {
        let frames = self.tap.frames().into_iter();
        frames.filter(|frame| frame.at >= since && &*frame.port == host.name()).collect()
    }

    /// All advertisements of a host for a virtual host id, goodbyes too, from `since` on.
    pub fn heard(&self, host: &Host, vhid: u8, since: u64) -> Vec<(u64, Received, bool)> {
        let frames = self.frames_of(host, since).into_iter();
        let parsed = frames.filter_map(|frame| parsed(&frame.bytes).map(|(seen, goodbye)| (frame.at, seen, goodbye)));
        parsed.filter(|(_, seen, _)| seen.advertisement.vhid == vhid).collect()
    }

    /// When a host advertised from `since` on; goodbyes do not count.
    pub fn advertisements(&self, host: &Host, vhid: u8, since: u64) -> Vec<u64> {
        let heard = self.heard(host, vhid, since).into_iter();
        heard.filter(|(_, _, goodbye)| !goodbye).map(|(at, _, _)| at).collect()
    }

    /// When a host said goodbye from `since` on.
    pub fn goodbyes(&self, host: &Host, vhid: u8, since: u64) -> Vec<u64> {
        let heard = self.heard(host, vhid, since).into_iter();
        heard.filter(|(_, _, goodbye)| *goodbye).map(|(at, _, _)| at).collect()
    }

    /// The announcements of an address by a host from `since` on: when, and which MAC.
    pub fn announcements(&self, host: &Host, address: IpAddr, since: u64) -> Vec<(u64, [u8; 6])> {
        let frames = self.frames_of(host, since).into_iter();
        let all = frames.filter_map(|frame| announced(&frame.bytes).map(|(what, mac)| (frame.at, what, mac)));
        all.filter(|(_, what, _)| *what == address).map(|(at, _, mac)| (at, mac)).collect()
    }

    /// All announcements of any address by a host from `since` on.
    pub fn all_announcements(&self, host: &Host, since: u64) -> Vec<(u64, IpAddr)> {
        let frames = self.frames_of(host, since).into_iter();
        frames.filter_map(|frame| Some((frame.at, announced(&frame.bytes)?.0))).collect()
    }

    /// Waits for the first frame of a host, `since` or later, that `wanted` accepts.
    #[track_caller]
    pub fn wait_for_frame(&self, host: &Host, since: u64, mut wanted: impl FnMut(&[u8]) -> bool) -> Frame {
        let is_it = |frame: &Frame| frame.at >= since && &*frame.port == host.name() && wanted(&frame.bytes);
        match self.tap.wait_for(is_it, SOON) {
            Some(frame) => frame,
            None => panic!("no such frame of {} in {SOON:?}; {} frames were lost", host.name(), self.tap.lost()),
        }
    }

    /// Waits until a host advertises, `since` or later; returns when.
    #[track_caller]
    pub fn wait_for_advertisement(&self, host: &Host, vhid: u8, since: u64) -> u64 {
        let wanted = |bytes: &[u8]| {
            parsed(bytes).is_some_and(|(received, goodbye)| received.advertisement.vhid == vhid && !goodbye)
        };
        self.wait_for_frame(host, since, wanted).at
    }

    /// Waits until a host says goodbye, `since` or later; returns when.
    #[track_caller]
    pub fn wait_for_goodbye(&self, host: &Host, vhid: u8, since: u64) -> u64 {
        let wanted = |bytes: &[u8]| {
            parsed(bytes).is_some_and(|(received, goodbye)| received.advertisement.vhid == vhid && goodbye)
        };
        self.wait_for_frame(host, since, wanted).at
    }

    /// Waits until a host announces the address, `since` or later; returns when.
    #[track_caller]
    pub fn wait_for_announcement(&self, host: &Host, address: IpAddr, since: u64) -> u64 {
        self.wait_for_frame(host, since, |bytes| announced(bytes).is_some_and(|(what, _)| what == address)).at
    }

    /// Waits until frames that were sent by now have been recorded: one of our own, sent last, is.
    pub fn catch_up(&self) {
        let since = now();
        // An experimental Ethernet type (IEEE 802): nobody looks at it.
        let marker = [[0xff; 6], [0x02, 0, 0, 0, 0xff, 0xfe]].concat();
        let marker = [&marker[..], &[0x88, 0xb5], &[0; 46]].concat();
        self.lab.inject(&marker).expect("frames can be sent");
        let seen = self.tap.wait_for(|frame| frame.at >= since && frame.bytes == marker, SOON);
        assert!(seen.is_some(), "the tap is stuck");
    }
}
