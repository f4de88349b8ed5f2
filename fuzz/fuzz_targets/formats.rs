//! Each wire format alone: the first byte says which one.
#![no_main]

use std::net::Ipv6Addr;

use carp_core::wire::{WireError, advertisement, arp, ethernet, ipv4, ipv6, ndp};
use libfuzzer_sys::fuzz_target;
use ucarp_fuzz::frames;

fuzz_target!(|bytes: &[u8]| {
    let Some((format, bytes)) = bytes.split_first() else { return };
    match format % 6 {
        0 => check_ethernet(bytes),
        1 => check_ipv4(bytes),
        2 => check_ipv6(bytes),
        3 => check_arp(bytes),
        4 => check_ndp(bytes),
        _ => check_advertisement(bytes),
    }
});

fn check_ethernet(bytes: &[u8]) {
    let Ok(frame) = ethernet::Frame::new_checked(bytes) else { return assert!(bytes.len() < 14) };
    let repr = ethernet::Repr::parse(&frame);
    assert_eq!([&repr.emit()[..], frame.payload()].concat(), bytes);
}

fn check_ipv4(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let Ok(packet) = ipv4::Packet::new_checked(&bytes) else { return };
    let header = usize::from(bytes[0] & 0x0f) * 4;
    assert_eq!(packet.verify_checksum(), frames::sums_up(&bytes[..header]));
    let fragment = packet.is_fragment();
    assert_eq!(header + packet.payload().len(), usize::from(u16::from_be_bytes([bytes[2], bytes[3]])));
    frames::mend(&[], &mut bytes[..header], 10);
    let packet = ipv4::Packet::new_checked(&bytes).expect("only the checksum has changed");
    match ipv4::Repr::parse(&packet) {
        Ok(repr) => {
            let again = [&repr.emit()[..], packet.payload()].concat();
            let packet = ipv4::Packet::new_checked(&again).expect("it was just written");
            assert_eq!(ipv4::Repr::parse(&packet), Ok(repr));
            // Without options and the reserved flag nothing is lost.
            if header == 20 && bytes[6] & 0x80 == 0 {
                assert_eq!(again[..20], bytes[..20]);
            }
        }
        Err(error) => assert!(fragment && matches!(error, WireError::Malformed { .. }), "{error}"),
    }
}

fn check_ipv6(bytes: &[u8]) {
    let Ok(packet) = ipv6::Packet::new_checked(bytes) else { return };
    let repr = ipv6::Repr::parse(&packet);
    assert_eq!(packet.payload().len(), usize::from(repr.payload_len));
    let written = repr.emit();
    if packet.flow_label() == 0 {
        assert_eq!(written, bytes[..40]);
    }
    let again = [&written[..], packet.payload()].concat();
    let packet = ipv6::Packet::new_checked(&again).expect("it was just written");
    assert_eq!((ipv6::Repr::parse(&packet), packet.flow_label()), (repr, 0));
}

fn check_arp(bytes: &[u8]) {
    let Ok(packet) = arp::Packet::new_checked(bytes) else { return assert!(bytes.len() < 28) };
    if let Ok(repr) = arp::Repr::parse(&packet) {
        assert_eq!(repr.emit(), bytes[..28]);
    }
}

/// The first 32 bytes are the addresses of the packet.
fn check_ndp(bytes: &[u8]) {
    let Some((addresses, message)) = bytes.split_first_chunk::<32>() else { return };
    let [src, dst] = [&addresses[..16], &addresses[16..]]
        .map(|octets| Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("half of 32 bytes")));
    let Ok(packet) = ndp::Packet::new_checked(message) else { return };
    let before = |len| frames::pseudo_header(addresses, len, 58);
    let Ok(len) = u8::try_from(message.len()) else { return };
    assert_eq!(packet.verify_checksum(src, dst), frames::sums_up(&[&before(len)[..], message].concat()));
    let mut message = message.to_vec();
    frames::mend(&before(len), &mut message, 2);
    let packet = ndp::Packet::new_checked(&message).expect("only the checksum has changed");
    let Ok(repr) = ndp::Repr::parse(&packet, src, dst) else { return };
    let again = repr.emit(src, dst);
    let packet = ndp::Packet::new_checked(&again).expect("it was just written");
    assert_eq!(ndp::Repr::parse(&packet, src, dst), Ok(repr));
}

fn check_advertisement(bytes: &[u8]) {
    let Ok(packet) = advertisement::Packet::new_checked(bytes) else { return assert!(bytes.len() < 36) };
    assert_eq!(packet.verify_checksum(), frames::sums_up(&bytes[..36]));
    let (repr, usual) =
        (advertisement::Repr::parse(&packet), (packet.version(), packet.kind(), packet.auth_len()) == (2, 1, 7));
    let mut mended = bytes[..36].to_vec();
    frames::mend(&[], &mut mended, 6);
    let written = repr.emit();
    if usual {
        assert_eq!(written[..], mended);
    }
    let packet = advertisement::Packet::new_checked(&written).expect("36 bytes");
    assert!(packet.verify_checksum());
    assert_eq!(advertisement::Repr::parse(&packet), repr);
    // Any two addresses do for the other form.
    let (src, dst) = (Ipv6Addr::from_bits(repr.counter.into()), Ipv6Addr::from_bits(u128::MAX));
    let written = repr.emit_with_pseudo_header(src, dst);
    let packet = advertisement::Packet::new_checked(&written).expect("36 bytes");
    assert!(packet.verify_checksum_with_pseudo_header(src, dst));
    assert_eq!(advertisement::Repr::parse(&packet), repr);
}
