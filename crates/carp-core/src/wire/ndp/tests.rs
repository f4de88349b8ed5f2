use super::*;

/// fd77::251 is at 00:00:5e:00:01:03: unsolicited, override, from the address itself to all nodes.
const BYTES: [u8; 32] = [
    136, 0, 0xf8, 0x0a, 0x20, 0, 0, 0, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x51, 2, 1, 0, 0, 0x5e, 0,
    1, 3,
];

fn src() -> Ipv6Addr {
    "fd77::251".parse().unwrap()
}

fn dst() -> Ipv6Addr {
    "ff02::1".parse().unwrap()
}

fn repr() -> Repr {
    Repr {
        router: false,
        solicited: false,
        override_cached: true,
        target: src(),
        link_layer: Some(MacAddr([0, 0, 0x5e, 0, 1, 3])),
    }
}

/// Parses `bytes` with the checksum made right.
fn parse(mut bytes: Vec<u8>, dst: Ipv6Addr) -> Result<Repr, WireError> {
    bytes[field::CHECKSUM].fill(0);
    let checksum = message_checksum(src(), dst, &bytes);
    bytes[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    Repr::parse(&Packet::new_checked(&bytes)?, src(), dst)
}

#[test]
fn parses_and_emits_literal_bytes() {
    assert_eq!(repr().emit(src(), dst()), BYTES);
    assert_eq!(Repr::parse(&Packet::new_checked(&BYTES).unwrap(), src(), dst()), Ok(repr()));
}

#[test]
fn each_flag_has_its_bit() {
    let unicast = src();
    for (repr, bits) in [
        (Repr { router: true, ..repr() }, 0xa0),
        (Repr { solicited: true, ..repr() }, 0x60),
        (Repr { override_cached: false, ..repr() }, 0x00),
    ] {
        let bytes = repr.emit(src(), unicast);
        assert_eq!(bytes[4], bits);
        assert_eq!(Repr::parse(&Packet::new_checked(&bytes).unwrap(), src(), unicast), Ok(repr));
    }
}

#[test]
fn link_layer_address_is_found_among_other_options() {
    let mut bytes = BYTES.to_vec();
    // A nonce (RFC 3971), then a target address of 16 bytes length, which is none of Ethernet.
    bytes.splice(24..24, [14, 1, 1, 2, 3, 4, 5, 6, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(parse(bytes, dst()), Ok(repr()));
    assert_eq!(parse(BYTES[..24].to_vec(), dst()), Ok(Repr { link_layer: None, ..repr() }));
}

#[test]
fn wrong_checksum_is_refused() {
    let mut bytes = BYTES;
    bytes[31] ^= 1;
    let error = Repr::parse(&Packet::new_checked(&bytes).unwrap(), src(), dst()).unwrap_err();
    assert_eq!(error, WireError::Checksum { format: FORMAT });
    let other = "fd77::252".parse().unwrap();
    assert!(!Packet::new_checked(&BYTES).unwrap().verify_checksum(other, dst()));
}

#[test]
fn values_that_rfc_4861_forbids_are_refused() {
    let malformed = |field, value| Err(WireError::Malformed { format: FORMAT, field, value });
    let edited = |at: usize, value| {
        let mut bytes = BYTES.to_vec();
        bytes[at] = value;
        parse(bytes, dst())
    };
    assert_eq!(edited(0, 135), malformed("type", 135));
    assert_eq!(edited(1, 1), malformed("code", 1));
    assert_eq!(edited(4, 0x60), malformed("solicited flag", 1));
    assert_eq!(edited(8, 0xff), malformed("target", 0xff));
    assert_eq!(edited(25, 0), malformed("option length", 0));
}

#[test]
fn short_messages_and_options_are_refused() {
    let truncated = |needed, found| WireError::Truncated { format: FORMAT, needed, found };
    assert_eq!(Packet::new_checked(&BYTES[..23]).unwrap_err(), truncated(24, 23));
    assert_eq!(Packet::new_checked(&BYTES[..25]).unwrap_err(), truncated(2, 1));
    assert_eq!(Packet::new_checked(&BYTES[..31]).unwrap_err(), truncated(8, 7));
}
