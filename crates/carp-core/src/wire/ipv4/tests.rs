use super::*;
use std::vec::Vec;

/// Header of an advertisement as UCARP sends it.
const BYTES: [u8; 20] = [
    0x45, 0x10, 0x00, 0x38, 0x43, 0x21, 0x40, 0x00, 0xff, 0x70, 0x4a, 0x68, 0xc0, 0xa8, 0x4d, 0x01, 0xe0, 0x00, 0x00,
    0x12,
];
const REPR: Repr = Repr {
    tos: 0x10,
    identification: 0x4321,
    dont_fragment: true,
    ttl: 255,
    protocol: 112,
    src: Ipv4Addr::new(192, 168, 77, 1),
    dst: Ipv4Addr::new(224, 0, 0, 18),
    payload_len: 36,
};

/// The header above with `edit` applied and its checksum made right again, and 36 bytes of payload.
fn packet(edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = BYTES.to_vec();
    bytes.extend(0..36);
    edit(&mut bytes);
    let header_len = header_len(&bytes).clamp(HEADER_LEN, bytes.len());
    bytes[field::CHECKSUM].fill(0);
    let checksum = checksum::of(&[&bytes[..header_len]]);
    bytes[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn parses_and_emits_literal_bytes() {
    let bytes = packet(|_| ());
    assert_eq!(bytes[..20], BYTES);
    let view = Packet::new_checked(&bytes).unwrap();
    assert_eq!(Repr::parse(&view), Ok(REPR));
    assert_eq!(view.payload(), (0..36).collect::<Vec<u8>>());
    assert_eq!(REPR.emit(), BYTES);
}

#[test]
fn a_packet_that_routers_may_fragment_is_told_from_one_that_they_may_not() {
    let bytes = packet(|bytes| bytes[field::FLAGS_OFFSET].fill(0));
    let allowed = Repr { dont_fragment: false, ..REPR };
    assert_eq!(Repr::parse(&Packet::new_checked(&bytes).unwrap()), Ok(allowed));
    assert_eq!(allowed.emit(), bytes[..HEADER_LEN]);
}

#[test]
fn padding_is_not_payload() {
    let bytes = packet(|bytes| bytes.extend([0xee; 8]));
    assert_eq!(Packet::new_checked(&bytes).unwrap().payload().len(), 36);
}

#[test]
fn options_are_skipped_and_checksummed() {
    let mut bytes = packet(|bytes| {
        bytes[0] = 0x46;
        bytes[3] = 60;
        // Router alert, RFC 2113.
        bytes.splice(20..20, [0x94, 0x04, 0x00, 0x00]);
    });
    let view = Packet::new_checked(&bytes).unwrap();
    assert_eq!(Repr::parse(&view), Ok(REPR));
    assert_eq!(view.payload()[0], 0);
    bytes[22] ^= 1;
    let view = Packet::new_checked(&bytes).unwrap();
    assert_eq!(Repr::parse(&view), Err(WireError::Checksum { format: "IPv4" }));
}

#[test]
fn fragments_are_refused() {
    for flags in [[0x20, 0x00], [0x00, 0x01], [0x1f, 0xff], [0x60, 0x00]] {
        let bytes = packet(|bytes| bytes[field::FLAGS_OFFSET].copy_from_slice(&flags));
        let view = Packet::new_checked(&bytes).unwrap();
        assert!(view.is_fragment());
        assert!(matches!(Repr::parse(&view), Err(WireError::Malformed { field: "fragment offset", .. })));
    }
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let refused = |edit: fn(&mut Vec<u8>)| Packet::new_checked(&packet(edit)).unwrap_err();
    let malformed = |field, value| WireError::Malformed { format: "IPv4", field, value };
    assert_eq!(refused(|bytes| bytes[0] = 0x65), malformed("version", 6));
    assert_eq!(refused(|bytes| bytes[0] = 0x44), malformed("header length", 4));
    assert_eq!(refused(|bytes| bytes[3] = 19), malformed("total length", 19));
    assert_eq!(refused(|bytes| (bytes[0], bytes[3]) = (0x4f, 59)), malformed("total length", 59));
    let truncated = |needed, found| WireError::Truncated { format: "IPv4", needed, found };
    assert_eq!(refused(|bytes| bytes[3] = 57), truncated(57, 56));
    assert_eq!(refused(|bytes| (bytes[0], bytes[3]) = (0x4f, 60)), truncated(60, 56));
    assert_eq!(Packet::new_checked(&BYTES[..19]).unwrap_err(), truncated(20, 19));
}

#[test]
#[should_panic(expected = "no IPv4 packet can hold 65516 bytes")]
fn payload_that_fits_no_packet_is_a_programming_error() {
    let _ = Repr { payload_len: MAX_PAYLOAD_LEN + 1, ..REPR }.emit();
}
