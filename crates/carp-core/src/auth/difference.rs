//! What a peer whose digests do not match has probably written differently: the mistakes that people make are tried.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use zeroize::Zeroizing;

use super::{AddressList, Authenticator, KEY_LEN, Key};
use crate::wire::advertisement::DIGEST_LEN;

/// So many addresses are tried one by one; a list that is longer is tried as a whole.
const MOST_ADDRESSES: usize = 64;

/// One difference that explains a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The peer's list has this address alone, as UCARP's has.
    OneAddress(IpAddr),
    /// The peer's list lacks this address.
    Lacks(IpAddr),
    /// The peer's list has its own address, which is no shared one, beside the others.
    HasItsOwn(IpAddr),
    /// The peer's list has the addresses of IPv4 alone.
    OnlyIpv4,
    /// The peer's list has the addresses of IPv6 alone.
    OnlyIpv6,
    /// The peer's list is empty.
    NoAddress,
    /// The peer's password is ours with these octets behind it.
    PasswordEnds(&'static str),
    /// Our password is the peer's with these octets behind it.
    OwnPasswordEnds(&'static str),
    /// The peer's password is ours in these quotation marks.
    PasswordQuoted(char),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneAddress(address) => write!(f, "it shares {address} and no other address"),
            Self::Lacks(address) => write!(f, "it does not have {address} among the shared addresses"),
            Self::HasItsOwn(address) => write!(f, "it has its own address {address} among the shared ones"),
            Self::OnlyIpv4 => f.write_str("it shares the IPv4 addresses and not those of IPv6"),
            Self::OnlyIpv6 => f.write_str("it shares the IPv6 addresses and not those of IPv4"),
            Self::NoAddress => f.write_str("it shares no address"),
            Self::PasswordEnds(octets) => write!(f, "its password is the same with {octets:?} at its end"),
            Self::OwnPasswordEnds(octets) => write!(f, "its password is the same without {octets:?} at its end"),
            Self::PasswordQuoted(mark) => write!(f, "its password is the same with {mark} at both ends"),
        }
    }
}

/// What is found at the end of passwords that came out of files.
const ENDS: [&str; 4] = ["\n", "\r", "\r\n", " "];

/// The difference to `key` and `addresses` that `digest` fits, if it is one that is tried: some 200 digests at the most,
/// so not for each advertisement.
#[must_use]
pub fn find(
    key: &Key,
    vhid: u8,
    addresses: &AddressList,
    source: IpAddr,
    counter: u64,
    digest: &[u8; DIGEST_LEN],
) -> Option<Difference> {
    let fits = |key: &Key, list: &AddressList| Authenticator::new(key, vhid, list).verify(counter, digest);
    let lists = lists(addresses, source).into_iter();
    let of_list = lists.filter(|(_, list)| fits(key, list)).map(|(difference, _)| difference).next();
    of_list.or_else(|| keys(key).into_iter().find(|(_, key)| fits(key, addresses)).map(|(difference, _)| difference))
}

fn lists(addresses: &AddressList, source: IpAddr) -> Vec<(Difference, AddressList)> {
    let all: Vec<IpAddr> = addresses.v4().map(IpAddr::V4).chain(addresses.v6().map(IpAddr::V6)).collect();
    let of = |keep: &dyn Fn(&IpAddr) -> bool| AddressList::new(all.iter().filter(|address| keep(address)).copied());
    let mut lists = Vec::new();
    for address in all.iter().take(MOST_ADDRESSES) {
        lists.push((Difference::OneAddress(*address), AddressList::new([*address])));
        lists.push((Difference::Lacks(*address), of(&|other| other != address)));
    }
    lists.extend([
        (Difference::OneAddress(source), AddressList::new([source])),
        (Difference::HasItsOwn(source), AddressList::new(all.iter().copied().chain([source]))),
        (Difference::OnlyIpv4, of(&IpAddr::is_ipv4)),
        (Difference::OnlyIpv6, of(&IpAddr::is_ipv6)),
        (Difference::NoAddress, AddressList::new([])),
    ]);
    lists
}

fn keys(key: &Key) -> Vec<(Difference, Key)> {
    let own = &key.as_bytes()[..];
    let own = &own[..own.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1)];
    let mut keys = Vec::new();
    for end in ENDS {
        keys.extend(padded(&[own, end.as_bytes()]).map(|key| (Difference::PasswordEnds(end), key)));
        let stripped = own.strip_suffix(end.as_bytes());
        keys.extend(stripped.and_then(|rest| padded(&[rest])).map(|key| (Difference::OwnPasswordEnds(end), key)));
    }
    for mark in [b'"', b'\''] {
        let difference = Difference::PasswordQuoted(char::from(mark));
        keys.extend(padded(&[&[mark], own, &[mark]]).map(|key| (difference, key)));
    }
    keys
}

/// The key of these octets, if they are not too many.
fn padded(parts: &[&[u8]]) -> Option<Key> {
    let mut octets = Zeroizing::new([0; KEY_LEN]);
    let mut at = 0;
    for part in parts {
        octets.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    Some(Key::from_bytes(*octets))
}
