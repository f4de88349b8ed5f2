use std::vec::Vec;

use super::*;

const SOURCE: &str = "10.0.0.2";
const OURS: [&str; 4] = ["10.0.0.100", "10.0.0.101", "2001:db8::100", "fe80::100"];

fn list(addresses: &[&str]) -> AddressList {
    AddressList::new(addresses.iter().map(|address| address.parse().unwrap()))
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// What is found if we have `ours` and the peer `theirs`: password and addresses.
fn found(ours: (&[u8], &[&str]), theirs: (&[u8], &[&str])) -> Option<Difference> {
    let key = |password: &[u8]| padded(&[password]).unwrap();
    let digest = Authenticator::new(&key(theirs.0), 7, &list(theirs.1)).sign(42);
    find(&key(ours.0), 7, &list(ours.1), ip(SOURCE), 42, &digest)
}

#[test]
fn another_list_of_addresses_is_named() {
    let ours = |theirs: &[&str]| found((b"secret", &OURS), (b"secret", theirs));
    assert_eq!(ours(&["10.0.0.101"]), Some(Difference::OneAddress(ip("10.0.0.101"))));
    assert_eq!(ours(&OURS[1..]), Some(Difference::Lacks(ip("10.0.0.100"))));
    assert_eq!(ours(&[SOURCE]), Some(Difference::OneAddress(ip(SOURCE))));
    assert_eq!(ours(&[&OURS[..], &[SOURCE]].concat()), Some(Difference::HasItsOwn(ip(SOURCE))));
    assert_eq!(ours(&OURS[..2]), Some(Difference::OnlyIpv4));
    assert_eq!(ours(&OURS[2..]), Some(Difference::OnlyIpv6));
    assert_eq!(ours(&[]), Some(Difference::NoAddress));
    assert_eq!(ours(&["10.0.0.77"]), None, "that cannot be guessed");
}

#[test]
fn blanks_line_ends_and_quotation_marks_of_passwords_are_named() {
    let theirs = |theirs: &[u8]| found((b"secret", &OURS), (theirs, &OURS));
    assert_eq!(theirs(b"secret\n"), Some(Difference::PasswordEnds("\n")));
    assert_eq!(theirs(b"secret\r"), Some(Difference::PasswordEnds("\r")));
    assert_eq!(theirs(b"secret "), Some(Difference::PasswordEnds(" ")));
    assert_eq!(theirs(b"\"secret\""), Some(Difference::PasswordQuoted('"')));
    assert_eq!(theirs(b"Secret"), None);
    assert_eq!(found((b"secret\r", &OURS), (b"secret", &OURS)), Some(Difference::OwnPasswordEnds("\r")));
}

#[test]
fn passwords_of_the_greatest_length_and_long_lists_are_no_trouble() {
    assert_eq!(found((&[b'x'; KEY_LEN], &OURS), (&[b'y'; KEY_LEN], &OURS)), None);
    assert_eq!(found((&[0; KEY_LEN], &OURS), (b"a", &OURS)), None);
    let many: Vec<_> = (0..=255).map(|last| std::format!("10.0.1.{last}")).collect();
    let many: Vec<&str> = many.iter().map(std::string::String::as_str).collect();
    assert_eq!(found((b"secret", &many), (b"secret", &many[1..])), Some(Difference::Lacks(ip("10.0.1.0"))));
}
