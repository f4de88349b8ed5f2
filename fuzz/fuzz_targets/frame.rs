//! Whole frames, as they come from a link.
#![no_main]

use std::net::IpAddr;

use carp_core::wire::frame::{self, AdvertisementFrame, Reason, Received};
use libfuzzer_sys::fuzz_target;
use ucarp_fuzz::frames;

const ETHERNET: usize = 14;
const CARP: usize = 36;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut mended = bytes.to_vec();
    frames::mend_frame(&mut mended);
    check(&mended);
});

fn check(bytes: &[u8]) {
    let parsed = frame::parse(bytes);
    if parsed.is_err_and(|rejected| rejected.reason == Reason::Truncated) {
        return assert_eq!(parsed.unwrap_err().sender, None);
    }
    let padded = [bytes, &[0xa5; 18]].concat();
    assert_eq!(frame::parse(&padded), parsed, "Ethernet padding makes a difference");
    match parsed {
        Ok(received) => accepted(bytes, &received),
        Err(rejected) => assert_eq!(rejected.sender.is_none(), rejected.reason == Reason::NotCarp),
    }
}

fn accepted(bytes: &[u8], received: &Received) {
    let packet = &bytes[ETHERNET..];
    let header = match (received.src, received.dst) {
        (IpAddr::V4(_), IpAddr::V4(_)) => usize::from(packet[0] & 0x0f) * 4,
        (IpAddr::V6(_), IpAddr::V6(_)) => 40,
        mixed => panic!("{mixed:?}"),
    };
    let carp = &packet[header..header + CARP];
    let mut covered = carp.to_vec();
    if received.src.is_ipv4() {
        assert!(frames::sums_up(&packet[..header]), "wrong IP header checksum");
    } else if !frames::sums_up(carp) {
        let addresses = packet[8..].first_chunk().expect("there is a whole header");
        covered = [frames::pseudo_header(addresses, 36, 112).as_slice(), carp].concat();
    }
    assert!(frames::sums_up(&covered), "wrong CARP checksum");
    assert_eq!((received.ttl, carp[0] >> 4), (255, 2));
    for len in 0..ETHERNET + header + CARP {
        assert!(frame::parse(&bytes[..len]).is_err(), "accepted although cut after {len} bytes");
    }
    if received.src.is_ipv4() {
        one_wrong_bit(bytes, header, received);
    }
    comes_back(received);
}

/// Any wrong bit of both headers is noticed, save in the length of the IP header, which moves what the checksums cover.
/// Over IPv6 a damaged checksum may by chance be right in its other form.
fn one_wrong_bit(bytes: &[u8], header: usize, received: &Received) {
    let position = received.advertisement.counter % (8 * (header + CARP) as u64);
    let (byte, bit) = (position as usize / 8, position % 8);
    if byte == 0 && bit < 4 {
        return;
    }
    let mut damaged = bytes.to_vec();
    damaged[ETHERNET + byte] ^= 1 << bit;
    assert!(frame::parse(&damaged).is_err(), "bit {bit} of byte {byte} of the packet was not missed");
}

/// What was read, written again, is read as the same.
fn comes_back(received: &Received) {
    for netbsd_checksum in [false, true] {
        let written = AdvertisementFrame {
            src_mac: received.src_mac,
            dst_mac: received.dst_mac,
            src: received.src,
            dst: received.dst,
            tos: frame::TOS_LOW_DELAY,
            netbsd_checksum,
            advertisement: received.advertisement,
        };
        let bytes = written.emit().expect("both addresses are of one family");
        let expected = Received { ip_id: received.ip_id.map(|_| 0), ..*received };
        assert_eq!(frame::parse(&bytes), Ok(expected));
    }
}
