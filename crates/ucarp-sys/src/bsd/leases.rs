//! Leases of addresses, for a kernel that has none: which address has to go when, as the process that ends them knows it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::NAME_BYTES;

/// How many bytes one entry of a message takes: the interface's name, the family, the address, milliseconds.
const ENTRY: usize = NAME_BYTES + 1 + 16 + 4;

/// Entries that fit into one message of a channel.
pub(crate) const MOST_ENTRIES: usize = crate::channel::LONGEST / ENTRY;

/// More than any host holds; a bound for a process that reads what another one writes.
const MOST_LEASES: usize = 1 << 16;

/// An address on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) interface: [u8; NAME_BYTES],
    pub(crate) address: IpAddr,
}

/// A message: how long each address is valid from now on; zero is not any more.
pub(crate) fn message(entries: &[(Place, Duration)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
    for (place, valid) in entries {
        bytes.extend(place.interface);
        let (family, address) = match place.address {
            IpAddr::V4(address) => (4, address.to_ipv6_mapped()),
            IpAddr::V6(address) => (6, address),
        };
        bytes.push(family);
        bytes.extend(address.octets());
        bytes.extend(u32::try_from(valid.as_millis()).unwrap_or(u32::MAX).to_ne_bytes());
    }
    bytes
}

/// When addresses have to go.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Nanoseconds of the clock that never goes back.
    ends: BTreeMap<Place, u64>,
}

impl Leases {
    /// Takes a message over.
    pub(crate) fn heed(&mut self, message: &[u8], now: u64) {
        for entry in message.chunks_exact(ENTRY) {
            let (interface, rest) = entry.split_first_chunk::<NAME_BYTES>().expect("an entry is longer than a name");
            let (address, millis) = rest[1..].split_at(16);
            let octets: [u8; 16] = address.try_into().expect("they were split there");
            let address = Ipv6Addr::from(octets);
            let address = if rest[0] == 4 { address.to_canonical() } else { IpAddr::V6(address) };
            let millis = super::u32_at(millis, 0).expect("an entry ends with a number");
            let place = Place { interface: *interface, address };
            if millis == 0 {
                self.ends.remove(&place);
            } else if self.ends.len() < MOST_LEASES || self.ends.contains_key(&place) {
                self.ends.insert(place, now.saturating_add(u64::from(millis) * 1_000_000));
            }
        }
    }

    /// Takes out the addresses whose time is over.
    pub(crate) fn over(&mut self, now: u64) -> Vec<Place> {
        self.ends.extract_if(.., |_, end| *end <= now).map(|(place, _)| place).collect()
    }

    /// When the next one is over.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.ends.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn place(address: &str) -> Place {
        Place { interface: super::super::request::name("em0").unwrap(), address: address.parse().unwrap() }
    }

    #[test]
    fn an_address_goes_when_nobody_renews_it() {
        let mut leases = Leases::default();
        assert_eq!(leases.next_end(), None);
        let (v4, v6) = (place("192.0.2.1"), place("2001:db8::1"));
        let three = Duration::from_secs(3);
        leases.heed(&message(&[(v4, three), (v6, three)]), 10 * SECOND);
        assert_eq!(leases.next_end(), Some(13 * SECOND));
        leases.heed(&message(&[(v4, three)]), 11 * SECOND);
        assert_eq!(leases.over(13 * SECOND - 1), []);
        assert_eq!(leases.over(13 * SECOND), [v6]);
        assert_eq!(leases.next_end(), Some(14 * SECOND));
        assert_eq!(leases.over(20 * SECOND), [v4]);
        assert_eq!(leases.over(20 * SECOND), []);
    }

    #[test]
    fn an_address_that_was_removed_is_forgotten() {
        let mut leases = Leases::default();
        let (one, mapped) = (place("192.0.2.1"), place("::ffff:192.0.2.1"));
        leases.heed(&message(&[(one, Duration::from_secs(1)), (mapped, Duration::from_secs(2))]), 0);
        leases.heed(&message(&[(one, Duration::ZERO)]), 0);
        assert_eq!(leases.over(5 * SECOND), [mapped]);
    }

    #[test]
    fn a_full_message_fits_and_a_torn_one_does_no_harm() {
        let entries = vec![(place("192.0.2.1"), Duration::from_secs(u64::MAX)); MOST_ENTRIES];
        let full = message(&entries);
        assert!(full.len() <= crate::channel::LONGEST);
        let mut leases = Leases::default();
        leases.heed(&full[..ENTRY + 5], 0);
        assert_eq!(leases.next_end(), Some(u64::from(u32::MAX) * 1_000_000));
        leases.heed(&[0; 7], 0);
    }
}
