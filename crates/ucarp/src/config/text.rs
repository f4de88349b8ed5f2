//! What strings of a file mean: addresses, names, times.

use std::net::{IpAddr, Ipv6Addr};

use carp_core::wire::MacAddr;
use ucarp_sys::link::MAX_NAME_BYTES;

use crate::settings::VirtualAddress;

/// Why a text is no virtual address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressFault {
    #[error("write it as \"192.0.2.254\" or \"2001:db8::fe\", with or without a prefix length")]
    Form,
    #[error("write it without a zone, its interface is known")]
    Zone,
    #[error("the prefix length must be 1 to {0}")]
    PrefixLength(u8),
    #[error("it stands for no address")]
    Unspecified,
    #[error("multicast belongs to no single host")]
    Multicast,
    #[error("broadcast belongs to no single host")]
    Broadcast,
    #[error("no other host can reach a loopback address")]
    Loopback,
    #[error("write an IPv4 address as such")]
    Mapped,
    #[error("it is the network itself with this prefix length")]
    Network,
    #[error("it is the broadcast address with this prefix length")]
    PrefixBroadcast,
}

/// An address that hosts can share, `/32` or `/128` unless it has a prefix length.
pub(super) fn virtual_address(text: &str) -> Result<VirtualAddress, AddressFault> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    if address.contains('%') {
        return Err(AddressFault::Zone);
    }
    let ip: IpAddr = address.parse().map_err(|_| AddressFault::Form)?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let prefix_len = match length {
        None => most,
        Some(length) => {
            let digits = length.bytes().all(|octet| octet.is_ascii_digit());
            let number = length.parse().ok().filter(|number| digits && (1..=most).contains(number));
            number.ok_or(AddressFault::PrefixLength(most))?
        }
    };
    unshareable(ip, prefix_len).map_or(Ok(VirtualAddress { ip, prefix_len }), Err)
}

/// Why no host can hold this address for others.
fn unshareable(ip: IpAddr, prefix_len: u8) -> Option<AddressFault> {
    let fault = match ip {
        _ if ip.is_unspecified() => AddressFault::Unspecified,
        _ if ip.is_multicast() => AddressFault::Multicast,
        _ if ip.is_loopback() => AddressFault::Loopback,
        IpAddr::V4(v4) if v4.is_broadcast() => AddressFault::Broadcast,
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => AddressFault::Mapped,
        // Prefixes of 31 and 32 bits have neither (RFC 3021).
        IpAddr::V4(v4) if prefix_len < 31 => {
            let host_bits = u32::MAX >> prefix_len;
            match v4.to_bits() & host_bits {
                0 => AddressFault::Network,
                bits if bits == host_bits => AddressFault::PrefixBroadcast,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(fault)
}

/// Whether that can be the address of one other host.
pub(super) fn is_host(ip: IpAddr) -> bool {
    let mapped = |v6: Ipv6Addr| v6.to_ipv4_mapped().is_some();
    let odd = match ip {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => mapped(v6),
    };
    !(odd || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback())
}

/// Whether the kernel would take that as the name of an interface.
pub(super) fn is_interface(name: &str) -> bool {
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && !name.contains(odd)
}

/// Whether the kernel would take that as the label of an address, and tools can show it.
pub(super) fn is_label(label: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&label.len()) && !label.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a virtual host can be called that.
pub(super) fn is_host_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(part)
}

/// Whether it says where a file is, wherever the daemon runs.
pub(super) fn is_full_path(path: &str) -> bool {
    path.starts_with('/') && !path.contains('\0')
}

/// A time in whole seconds: a number and one of `s`, `m`, `h` and `d`.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let size = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u32>().ok()?.checked_mul(size)
}

/// A time in whole milliseconds: a number and `ms`, or as [`seconds`] takes it.
pub(super) fn milliseconds(text: &str) -> Option<u32> {
    match text.strip_suffix("ms") {
        Some(digits) => whole(digits),
        None => seconds(text)?.checked_mul(1000),
    }
}

/// A time in whole microseconds: a number and `us`.
pub(super) fn microseconds(text: &str) -> Option<u32> {
    text.strip_suffix("us").and_then(whole)
}

fn whole(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// An Ethernet address: six pairs of hexadecimal digits with colons between them.
pub(super) fn mac(text: &str) -> Option<MacAddr> {
    let mut octets = [0; 6];
    let mut pairs = text.split(':');
    for octet in &mut octets {
        let pair = pairs.next().filter(|pair| matches!(pair.len(), 1 | 2))?;
        *octet = u8::from_str_radix(pair, 16).ok().filter(|_| pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
    }
    pairs.next().is_none().then_some(MacAddr(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_have_milliseconds() {
        for (text, wanted) in [
            ("500ms", Some(500)),
            ("2s", Some(2000)),
            ("1m", Some(60_000)),
            ("ms", None),
            ("1.5s", None),
            ("-1ms", None),
            ("99999999s", None),
        ] {
            assert_eq!(milliseconds(text), wanted, "{text}");
        }
    }

    #[test]
    fn virtual_addresses_have_a_prefix_length() {
        for (text, ip, prefix_len) in [
            ("192.0.2.254", "192.0.2.254", 32),
            ("192.0.2.254/24", "192.0.2.254", 24),
            ("192.0.2.0", "192.0.2.0", 32),
            ("192.0.2.0/31", "192.0.2.0", 31),
            ("2001:db8::fe", "2001:db8::fe", 128),
            ("2001:DB8:0::fe/64", "2001:db8::fe", 64),
            ("fe80::1/64", "fe80::1", 64),
        ] {
            assert_eq!(virtual_address(text), Ok(VirtualAddress { ip: ip.parse().unwrap(), prefix_len }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        for (text, fault) in [
            ("", AddressFault::Form),
            ("192.0.2", AddressFault::Form),
            (" 192.0.2.1", AddressFault::Form),
            ("192.0.2.01", AddressFault::Form),
            ("host.example", AddressFault::Form),
            ("fe80::1%eth0", AddressFault::Zone),
            ("192.0.2.1/", AddressFault::PrefixLength(32)),
            ("192.0.2.1/0", AddressFault::PrefixLength(32)),
            ("192.0.2.1/33", AddressFault::PrefixLength(32)),
            ("192.0.2.1/+24", AddressFault::PrefixLength(32)),
            ("192.0.2.1/24/24", AddressFault::PrefixLength(32)),
            ("2001:db8::1/129", AddressFault::PrefixLength(128)),
            ("0.0.0.0", AddressFault::Unspecified),
            ("::", AddressFault::Unspecified),
            ("224.0.0.18", AddressFault::Multicast),
            ("ff02::12", AddressFault::Multicast),
            ("255.255.255.255", AddressFault::Broadcast),
            ("127.0.0.1", AddressFault::Loopback),
            ("::1", AddressFault::Loopback),
            ("::ffff:192.0.2.1", AddressFault::Mapped),
            ("192.0.2.0/24", AddressFault::Network),
            ("192.0.2.255/24", AddressFault::PrefixBroadcast),
        ] {
            assert_eq!(virtual_address(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn times_need_a_unit_and_are_whole() {
        for (text, wanted) in [
            ("0s", Some(0)),
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("1d", Some(86_400)),
            ("49710d", Some(4_294_944_000)),
            ("49711d", None),
            ("30", None),
            ("s", None),
            ("", None),
            ("1.5s", None),
            ("-1s", None),
            ("+1s", None),
            ("1 s", None),
            ("500ms", None),
            ("1m30s", None),
            ("5µ", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        for (name, interface, label) in [
            ("eth0", true, true),
            ("eth0:vip", false, true),
            ("123456789012345", true, true),
            ("1234567890123456", false, false),
            ("", false, false),
            ("a b", false, false),
            (".", false, true),
            ("a/b", false, true),
            ("a\0", false, false),
        ] {
            assert_eq!((is_interface(name), is_label(name)), (interface, label), "{name:?}");
        }
    }

    #[test]
    fn ethernet_addresses_have_six_octets() {
        assert_eq!(mac("00:00:5e:00:01:0A"), Some(MacAddr([0, 0, 0x5e, 0, 1, 10])));
        assert_eq!(mac("0:0:5e:0:1:a"), Some(MacAddr([0, 0, 0x5e, 0, 1, 10])));
        for text in
            ["", "00:00:5e:00:01", "00:00:5e:00:01:01:01", "00:00:5e:00:01:+1", "00-00-5e-00-01-01", "0:0:0:0:0:"]
        {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
