//! What must hold for any bytes: parsing never panics, and what was written is read back.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::net::IpAddr;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement, arp, ethernet, ipv4, ipv6, ndp};
use proptest::collection::vec;
use proptest::prelude::*;

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

/// Source and destination of one family.
fn path() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(src, dst)| (src.into(), dst.into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(src, dst)| (src.into(), dst.into())),
    ]
}

fn advertisement() -> impl Strategy<Value = advertisement::Repr> {
    (any::<[u8; 4]>(), any::<u64>(), any::<[u8; 20]>()).prop_map(
        |([vhid, advbase, advskew, demotion], counter, digest)| advertisement::Repr {
            vhid,
            advbase,
            advskew,
            demotion,
            counter,
            digest,
        },
    )
}

fn advertisement_frame() -> impl Strategy<Value = AdvertisementFrame> {
    (mac(), mac(), path(), any::<u8>(), any::<bool>(), advertisement()).prop_map(
        |(src_mac, dst_mac, (src, dst), tos, netbsd_checksum, advertisement)| AdvertisementFrame {
            src_mac,
            dst_mac,
            src,
            dst,
            tos,
            netbsd_checksum,
            advertisement,
        },
    )
}

/// A valid frame of any kind that we write.
fn valid_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        advertisement_frame().prop_map(|frame| frame.emit().unwrap().to_vec()),
        (mac(), any::<[u8; 4]>()).prop_map(|(mac, address)| frame::gratuitous_arp(mac, address.into()).to_vec()),
        (mac(), any::<[u8; 16]>(), any::<bool>()).prop_map(|(mac, address, router)| frame::unsolicited_na(
            mac,
            address.into(),
            router
        )
        .to_vec()),
    ]
}

/// Calls every parser and every accessor on the bytes as they are.
fn parse_as_everything(bytes: &[u8]) {
    let _ = frame::parse(bytes);
    if let Ok(frame) = ethernet::Frame::new_checked(bytes) {
        let _ = (ethernet::Repr::parse(&frame), frame.payload());
    }
    if let Ok(packet) = ipv4::Packet::new_checked(bytes) {
        assert!(packet.payload().len() <= bytes.len() - ipv4::HEADER_LEN);
        if let Ok(repr) = ipv4::Repr::parse(&packet) {
            let again = [&repr.emit()[..], packet.payload()].concat();
            assert_eq!(ipv4::Repr::parse(&ipv4::Packet::new_checked(&again).unwrap()), Ok(repr));
        }
    }
    if let Ok(packet) = ipv6::Packet::new_checked(bytes) {
        assert_eq!(packet.payload().len(), usize::from(ipv6::Repr::parse(&packet).payload_len));
        let _ = packet.flow_label();
    }
    if let Ok(packet) = arp::Packet::new_checked(bytes)
        && let Ok(repr) = arp::Repr::parse(&packet)
    {
        assert_eq!(repr.emit(), bytes[..arp::LEN]);
    }
    if let Ok(packet) = ndp::Packet::new_checked(bytes) {
        let _ = ndp::Repr::parse(&packet, packet.target(), packet.target());
        let _ = (packet.link_layer(), packet.router(), packet.solicited(), packet.override_cached());
    }
    if let Ok(packet) = advertisement::Packet::new_checked(bytes) {
        let _ = (packet.version(), packet.kind(), packet.auth_len(), packet.verify_checksum());
        let _ = advertisement::Repr::parse(&packet);
    }
}

/// The bytes from every place where a header can start in a frame.
fn parse_at_every_layer(bytes: &[u8]) {
    for start in [0, 14, 34, 54] {
        parse_as_everything(bytes.get(start..).unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        parse_at_every_layer(&bytes);
    }

    #[test]
    fn damaged_frames_never_panic(
        mut bytes in valid_frame(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
        tail in vec(any::<u8>(), 0..40),
    ) {
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        parse_at_every_layer(&bytes);
        bytes.truncate(len.index(bytes.len()));
        parse_at_every_layer(&bytes);
        bytes.extend(tail);
        parse_at_every_layer(&bytes);
    }

    #[test]
    fn what_was_sent_is_received(sent in advertisement_frame(), padding in vec(any::<u8>(), 0..20)) {
        let mut bytes = sent.emit().unwrap().to_vec();
        prop_assert_eq!(bytes.len(), if sent.src.is_ipv4() { frame::LEN_V4 } else { frame::LEN_V6 });
        bytes.extend(padding);
        let received = frame::parse(&bytes).unwrap();
        prop_assert_eq!((received.src_mac, received.dst_mac), (sent.src_mac, sent.dst_mac));
        prop_assert_eq!((received.src, received.dst, received.ttl), (sent.src, sent.dst, 255));
        prop_assert_eq!(received.ip_id, sent.src.is_ipv4().then_some(0));
        prop_assert_eq!(received.advertisement, sent.advertisement);
    }

    /// Over IPv4 only: over IPv6 a damaged checksum may by chance be right in its other form.
    #[test]
    fn one_wrong_bit_is_noticed(
        sent in advertisement_frame(),
        (src, dst) in any::<([u8; 4], [u8; 4])>(),
        bit in 0..(ipv4::HEADER_LEN + advertisement::LEN) * 8,
    ) {
        let sent = AdvertisementFrame { src: src.into(), dst: dst.into(), ..sent };
        let mut bytes = sent.emit().unwrap().to_vec();
        bytes[ethernet::HEADER_LEN + bit / 8] ^= 1 << (bit % 8);
        prop_assert!(frame::parse(&bytes).is_err());
    }

    #[test]
    fn neighbour_advertisements_are_read_back(
        flags in any::<[bool; 2]>(),
        target in any::<[u8; 16]>().prop_filter("no multicast target", |octets| octets[0] != 0xff),
        link_layer in proptest::option::of(mac()),
        src in any::<[u8; 16]>(),
    ) {
        let [router, override_cached] = flags;
        let sent = ndp::Repr { router, solicited: false, override_cached, target: target.into(), link_layer };
        let (src, dst) = (src.into(), "ff02::1".parse().unwrap());
        let bytes = sent.emit(src, dst);
        let packet = ndp::Packet::new_checked(&bytes).unwrap();
        prop_assert_eq!(ndp::Repr::parse(&packet, src, dst), Ok(sent));
    }

    #[test]
    fn order_and_repetition_of_addresses_do_not_matter(
        addresses in vec(any::<IpAddr>(), 0..12).prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        vhid in any::<u8>(),
        counter in any::<u64>(),
    ) {
        let (one, mut other) = addresses;
        other.extend(one.first());
        let key = Key::from_bytes([7; 20]);
        let digest = Authenticator::new(&key, vhid, &AddressList::new(one)).sign(counter);
        prop_assert!(Authenticator::new(&key, vhid, &AddressList::new(other)).verify(counter, &digest));
    }
}
