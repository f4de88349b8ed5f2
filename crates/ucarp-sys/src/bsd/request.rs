//! The requests that change an interface's addresses, and their numbers. Their structures have the same layout on all
//! 64-bit systems, and are written byte by byte: a compiler cannot pad them otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{INET, INET6, NAME_BYTES};

/// `SIOCAIFADDR` and `SIOCDIFADDR`.
pub(crate) const ADD_V4: u64 = 0x8044_692b;
pub(crate) const REMOVE_V4: u64 = 0x8020_6919;
/// `SIOCAIFADDR_IN6` and `SIOCDIFADDR_IN6`.
pub(crate) const ADD_V6: u64 = 0x8088_691b;
pub(crate) const REMOVE_V6: u64 = 0x8120_6919;
/// `SIOCGIFAFLAG_IN6`, which takes and gives a `struct in6_ifreq` of 288 bytes.
pub(crate) const FLAGS_V6: u64 = 0xc120_6949;

/// `IN6_IFF_NODAD`: usable at once, without looking for duplicates.
const NO_DAD: u32 = 0x20;
/// `IN6_IFF_TENTATIVE`, `IN6_IFF_DUPLICATED`, `IN6_IFF_DEPRECATED`.
const TENTATIVE: u32 = 0x02;
const DUPLICATED: u32 = 0x04;
const DEPRECATED: u32 = 0x10;
/// `ND6_INFINITE_LIFETIME`.
const FOREVER: u32 = u32::MAX;

const SOCKADDR_V4: u8 = 16;
const SOCKADDR_V6: u8 = 28;

/// The name of an interface as requests have it; `None` if it is empty, has a NUL, or is too long.
pub(crate) fn name(text: &str) -> Option<[u8; NAME_BYTES]> {
    let mut field = [0; NAME_BYTES];
    let is_good = !text.is_empty() && text.len() < NAME_BYTES && !text.contains('\0');
    field.get_mut(..text.len()).filter(|_| is_good)?.copy_from_slice(text.as_bytes());
    Some(field)
}

/// A `struct ifreq` that has only a name.
pub(crate) fn named(name: [u8; NAME_BYTES]) -> [u8; 32] {
    let mut request = [0; 32];
    request[..NAME_BYTES].copy_from_slice(&name);
    request
}

/// A request, with its number, and as many bytes as the number says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    number: u64,
    bytes: Vec<u8>,
}

impl Request {
    fn new(number: u64, bytes: Vec<u8>) -> Request {
        assert_eq!(usize::try_from(number >> 16 & 0x1fff), Ok(bytes.len()), "a number has the length in it");
        Request { number, bytes }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As many as the number says.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(crate) fn is_of_ipv6(&self) -> bool {
        matches!(self.number, ADD_V6 | REMOVE_V6 | FLAGS_V6)
    }

    /// As the system's headers call it, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self.number {
            ADD_V4 => "SIOCAIFADDR",
            REMOVE_V4 => "SIOCDIFADDR",
            ADD_V6 => "SIOCAIFADDR_IN6",
            REMOVE_V6 => "SIOCDIFADDR_IN6",
            _ => "SIOCGIFAFLAG_IN6",
        }
    }
}

/// To add an address. An IPv6 address that is not `preferred` is deprecated from the start.
pub(crate) fn add(name: [u8; NAME_BYTES], address: IpAddr, prefix_len: u8, preferred: bool) -> Request {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len.min(32))).unwrap_or(0);
            // A network of one or two addresses has none for all.
            let all = if prefix_len > 30 { address } else { Ipv4Addr::from_bits(address.to_bits() | !mask) };
            let mut bytes = vec![0; 68];
            bytes[..16].copy_from_slice(&name);
            bytes[16..32].copy_from_slice(&sockaddr_v4(address));
            bytes[32..48].copy_from_slice(&sockaddr_v4(all));
            bytes[48..64].copy_from_slice(&sockaddr_v4(Ipv4Addr::from_bits(mask)));
            Request::new(ADD_V4, bytes)
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_len.min(128))).unwrap_or(0);
            let mut bytes = vec![0; 136];
            bytes[..16].copy_from_slice(&name);
            bytes[16..44].copy_from_slice(&sockaddr_v6(address));
            bytes[72..100].copy_from_slice(&sockaddr_v6(Ipv6Addr::from_bits(mask)));
            bytes[100..104].copy_from_slice(&NO_DAD.to_ne_bytes());
            bytes[120..124].copy_from_slice(&FOREVER.to_ne_bytes());
            let preferred = if preferred { FOREVER } else { 0 };
            bytes[124..128].copy_from_slice(&preferred.to_ne_bytes());
            Request::new(ADD_V6, bytes)
        }
    }
}

/// To remove an address, whatever its prefix.
pub(crate) fn remove(name: [u8; NAME_BYTES], address: IpAddr) -> Request {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = named(name).to_vec();
            bytes[16..32].copy_from_slice(&sockaddr_v4(address));
            Request::new(REMOVE_V4, bytes)
        }
        IpAddr::V6(address) => Request::new(REMOVE_V6, about_v6(name, address)),
    }
}

/// To ask for the flags of an IPv6 address; [`is_tentative`] and [`is_deprecated`] read the answer.
pub(crate) fn flags_v6(name: [u8; NAME_BYTES], address: Ipv6Addr) -> Request {
    Request::new(FLAGS_V6, about_v6(name, address))
}

/// Whether an IPv6 address cannot be used yet, or never, by the answer to [`flags_v6`].
pub(crate) fn is_tentative(answer: &[u8]) -> bool {
    super::u32_at(answer, 16).is_some_and(|flags| flags & (TENTATIVE | DUPLICATED) != 0)
}

/// Whether an IPv6 address is not chosen as a source, by the answer to [`flags_v6`].
pub(crate) fn is_deprecated(answer: &[u8]) -> bool {
    super::u32_at(answer, 16).is_some_and(|flags| flags & DEPRECATED != 0)
}

/// A `struct in6_ifreq`.
fn about_v6(name: [u8; NAME_BYTES], address: Ipv6Addr) -> Vec<u8> {
    let mut bytes = vec![0; 288];
    bytes[..16].copy_from_slice(&name);
    bytes[16..44].copy_from_slice(&sockaddr_v6(address));
    bytes
}

fn sockaddr_v4(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&[SOCKADDR_V4, INET]);
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}

fn sockaddr_v6(address: Ipv6Addr) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..2].copy_from_slice(&[SOCKADDR_V6, INET6]);
    bytes[8..24].copy_from_slice(&address.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::testing::buffers;
    use super::*;

    const KERNELS: [&str; 2] = ["10.4", "15.0"];

    fn vtnet0() -> [u8; NAME_BYTES] {
        name("vtnet0").unwrap()
    }

    fn recorded(kernel: &str, step: &str, tag: &str) -> Vec<u8> {
        buffers(kernel, step, tag).remove(0)
    }

    #[test]
    fn requests_for_ipv4_are_those_that_kernels_took() {
        let at = |text: &str| text.parse().unwrap();
        for kernel in KERNELS {
            let host = add(vtnet0(), at("192.168.77.254"), 32, true);
            assert_eq!(host.bytes, recorded(kernel, "39-rt-vip32-add", "SIOCAIFADDR.req"));
            let net = recorded(kernel, "32-rt-addr-add-v4-net", "SIOCAIFADDR.req");
            let address = Ipv4Addr::from(*net[20..].first_chunk::<4>().unwrap());
            assert_eq!(add(vtnet0(), address.into(), 24, true).bytes, net);
            let gone = remove(vtnet0(), at("192.168.77.254"));
            assert_eq!(gone.bytes, recorded(kernel, "42-rt-vip32-del", "SIOCDIFADDR.req"));
        }
    }

    #[test]
    fn requests_for_ipv6_are_those_that_kernels_took_but_for_what_is_ours() {
        let address: IpAddr = "fd77::200".parse().unwrap();
        for kernel in KERNELS {
            let mut preferred = add(vtnet0(), address, 128, true).bytes;
            assert_eq!(preferred[100..104], NO_DAD.to_ne_bytes());
            preferred[100..104].fill(0);
            let recorded_one = recorded(kernel, "35-rt-addr-add-v6", "SIOCAIFADDR_IN6.req");
            assert_eq!(preferred, recorded_one);
            let mut other = add(vtnet0(), address, 128, false).bytes;
            assert_eq!(other[120..128], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "valid for ever, never preferred");
            other[100..104].fill(0);
            other[124..128].fill(0xff);
            assert_eq!(other, recorded_one);
            let gone = remove(vtnet0(), address);
            assert_eq!(gone.bytes, recorded(kernel, "36-rt-addr-del-v6", "SIOCDIFADDR_IN6.req"));
        }
    }

    #[test]
    fn numbers_are_those_of_the_headers() {
        for kernel in KERNELS {
            let file = format!("{}/tests/vectors/freebsd/{kernel}-01-sizes.hex", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(file).unwrap();
            let number = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(&format!("# KV {name} "))).unwrap();
                line.strip_prefix("0x")
                    .map_or_else(|| line.parse().unwrap(), |hex| u64::from_str_radix(hex, 16).unwrap())
            };
            assert_eq!(number("ioctl.SIOCAIFADDR"), ADD_V4);
            assert_eq!(number("ioctl.SIOCDIFADDR"), REMOVE_V4);
            assert_eq!(number("ioctl.SIOCAIFADDR_IN6"), ADD_V6);
            assert_eq!(number("ioctl.SIOCDIFADDR_IN6"), REMOVE_V6);
            assert_eq!(number("sizeof.struct in6_ifreq"), 288);
            // "Read and write", their size, and the same group as the others.
            assert_eq!(FLAGS_V6, 0xc000_0000 | 288 << 16 | u64::from(b'i') << 8 | 73);
        }
    }

    #[test]
    fn requests_know_their_number_family_and_name() {
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let of = |request: Request| (request.number(), request.is_of_ipv6(), request.name());
        assert_eq!(of(add(vtnet0(), v4, 32, true)), (ADD_V4, false, "SIOCAIFADDR"));
        assert_eq!(of(remove(vtnet0(), v4)), (REMOVE_V4, false, "SIOCDIFADDR"));
        assert_eq!(of(add(vtnet0(), v6, 128, true)), (ADD_V6, true, "SIOCAIFADDR_IN6"));
        assert_eq!(of(remove(vtnet0(), v6)), (REMOVE_V6, true, "SIOCDIFADDR_IN6"));
        assert_eq!(of(flags_v6(vtnet0(), Ipv6Addr::LOCALHOST)), (FLAGS_V6, true, "SIOCGIFAFLAG_IN6"));
    }

    #[test]
    fn names_fit_or_are_none() {
        assert_eq!(name("em0"), Some(*b"em0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        assert_eq!(name("a234567890123456"), None);
        assert_eq!(name(""), None);
        assert_eq!(name("a\0b"), None);
        assert_eq!(named(vtnet0())[..7], *b"vtnet0\0");
    }

    #[test]
    fn flags_of_an_answer() {
        let mut answer = flags_v6(vtnet0(), Ipv6Addr::LOCALHOST);
        for (flags, tentative, deprecated) in
            [(0_u32, false, false), (2, true, false), (4, true, false), (0x10, false, true)]
        {
            answer.bytes_mut()[16..20].copy_from_slice(&flags.to_ne_bytes());
            assert_eq!((is_tentative(answer.bytes()), is_deprecated(answer.bytes())), (tentative, deprecated));
        }
    }
}
