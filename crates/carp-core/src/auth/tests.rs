use super::*;
use std::format;
use std::string::ToString;
use std::vec::Vec;

fn list(addresses: &[&str]) -> AddressList {
    AddressList::new(addresses.iter().map(|address| address.parse().unwrap()))
}

fn octets(list: &AddressList) -> Vec<u8> {
    let v4 = list.v4.iter().flat_map(Ipv4Addr::octets);
    v4.chain(list.v6.iter().flat_map(Ipv6Addr::octets)).collect()
}

fn authenticator() -> Authenticator {
    let key = Key::from_password(b"testpass321").unwrap();
    Authenticator::new(&key, 1, &list(&["192.168.77.254"]))
}

/// V01 of the vectors.
const V01: [u8; 20] = [
    0xc7, 0x5a, 0xb0, 0x0e, 0xd4, 0xdc, 0x16, 0x37, 0x00, 0x9b, 0xbe, 0x2d, 0xf6, 0x69, 0xfa, 0xd0, 0x87, 0xc0, 0xaa,
    0x75,
];
const COUNTER: u64 = 0x0123_4567_89ab_cdef;

#[test]
fn signs_and_verifies() {
    assert_eq!(authenticator().sign(COUNTER), V01);
    assert!(authenticator().verify(COUNTER, &V01));
}

#[test]
fn everything_authenticated_changes_the_digest() {
    let key = Key::from_password(b"testpass321").unwrap();
    let other_key = Key::from_password(b"testpass322").unwrap();
    let addresses = list(&["192.168.77.254"]);
    assert!(!authenticator().verify(COUNTER + 1, &V01));
    assert!(!Authenticator::new(&other_key, 1, &addresses).verify(COUNTER, &V01));
    assert!(!Authenticator::new(&key, 2, &addresses).verify(COUNTER, &V01));
    assert!(!Authenticator::new(&key, 1, &list(&["192.168.77.253"])).verify(COUNTER, &V01));
    assert!(!Authenticator::new(&key, 1, &list(&[])).verify(COUNTER, &V01));
    assert!(!Authenticator::with_lladdr(&key, 1, &addresses, MacAddr([0; 6])).verify(COUNTER, &V01));
}

#[test]
fn every_flipped_bit_is_noticed() {
    for bit in 0..DIGEST_LEN * 8 {
        let mut digest = V01;
        digest[bit / 8] ^= 1 << (bit % 8);
        assert!(!authenticator().verify(COUNTER, &digest), "bit {bit}");
    }
}

#[test]
fn signing_leaves_no_trace() {
    let authenticator = authenticator();
    assert_ne!(authenticator.sign(COUNTER + 1), V01);
    assert_eq!(authenticator.sign(COUNTER), V01);
    assert_eq!(authenticator.clone().sign(COUNTER), V01);
}

#[test]
fn addresses_are_sorted_as_numbers_and_deduplicated() {
    let sorted = list(&["9.255.255.255", "10.0.0.1", "192.168.9.200", "192.168.77.10", "2001:db8::2", "fd00::1"]);
    let unsorted = list(&[
        "fd00::1",
        "192.168.77.10",
        "10.0.0.1",
        "192.168.9.200",
        "2001:db8::2",
        "9.255.255.255",
        "10.0.0.1",
        "fd00::1",
    ]);
    assert_eq!(sorted, unsorted);
    let bytes = octets(&sorted);
    assert_eq!(bytes[..16], [9, 255, 255, 255, 10, 0, 0, 1, 192, 168, 9, 200, 192, 168, 77, 10]);
    assert_eq!(bytes[16..20], [0x20, 0x01, 0x0d, 0xb8]);
    assert_eq!(bytes[32..34], [0xfd, 0x00]);
    assert_eq!(bytes.len(), 48);
}

#[test]
fn addresses_of_zeros_or_ones_are_never_hashed() {
    let extremes = ["0.0.0.0", "::", "255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];
    assert!(octets(&list(&extremes)).is_empty());
    assert_eq!(octets(&list(&["0.0.0.1", "255.255.255.254"])), [0, 0, 0, 1, 255, 255, 255, 254]);
    let neighbours = list(&["::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"]);
    assert_eq!(octets(&neighbours).len(), 32);
}

#[test]
fn embedded_scope_is_cleared_in_link_local_addresses_alone() {
    assert_eq!(list(&["fe80:7::1", "fe80::1", "fe80:8::1"]), list(&["fe80::1"]));
    assert_ne!(list(&["fd00:7::1"]), list(&["fd00::1"]));
}

#[test]
fn link_local_addresses_can_be_left_out() {
    let whole = list(&["10.0.0.1", "169.254.0.1", "fe80::1", "febf::1", "fec0::1", "2001:db8::1"]);
    let without = list(&["10.0.0.1", "169.254.0.1", "fec0::1", "2001:db8::1"]);
    assert_eq!(whole.without_link_local(), without);
    assert_eq!(without.without_link_local(), without);
}

#[test]
fn passwords_of_1_to_19_bytes_are_accepted() {
    for len in 1..=19 {
        let key = Key::from_password(&std::vec![b'x'; len]).unwrap();
        let mut expected = [0; 20];
        expected[..len].fill(b'x');
        assert_eq!(*key.0, expected);
    }
    assert_eq!(Key::from_bytes([7; 20]).0.as_slice(), [7; 20]);
}

#[test]
fn other_passwords_are_refused_without_being_shown() {
    let refused = |password: &[u8]| Key::from_password(password).unwrap_err();
    assert_eq!(refused(b""), KeyError::Empty);
    assert_eq!(refused(b"abcdefghijklmnopqrst"), KeyError::TooLong(20));
    assert_eq!(refused(b"abc\0def"), KeyError::ContainsNul(3));
    assert_eq!(refused(b"\0"), KeyError::ContainsNul(0));
    assert_eq!(refused(b"").to_string(), "the password is empty: use 1 to 19 bytes");
    let too_long = refused(b"abcdefghijklmnopqrstuvwxy").to_string();
    assert!(too_long.starts_with("the password has 25 bytes, more than the 19 "), "{too_long}");
    assert!(!too_long.contains("abc"), "{too_long}");
}

#[test]
fn debug_shows_no_secrets() {
    assert_eq!(format!("{:?}", Key::from_password(b"secret").unwrap()), "Key(***)");
    assert_eq!(format!("{:?}", authenticator()), "Authenticator(***)");
}
