//! What an IPv6 header says, for a kernel that makes headers itself.

use std::net::Ipv6Addr;

const HEADER: usize = 40;

/// A packet whose header has to be told piece by piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ipv6Packet<'p> {
    pub(crate) traffic_class: u8,
    pub(crate) hop_limit: u8,
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) payload: &'p [u8],
}

impl Ipv6Packet<'_> {
    /// CARP, the only protocol that such packets have.
    pub(crate) const PROTOCOL: u8 = 112;

    /// `None` if it is no IPv6 packet of CARP, or not whole.
    pub(crate) fn parse(packet: &[u8]) -> Option<Ipv6Packet<'_>> {
        let (header, rest) = packet.split_first_chunk::<HEADER>()?;
        let address = |at: usize| Some(Ipv6Addr::from(*header.get(at..)?.first_chunk::<16>()?));
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let is_carp = header[0] >> 4 == 6 && header[6] == Self::PROTOCOL;
        Some(Ipv6Packet {
            traffic_class: header[0] << 4 | header[1] >> 4,
            hop_limit: header[7],
            source: address(8)?,
            destination: address(24)?,
            payload: rest.get(..length).filter(|_| is_carp)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_apart() {
        let mut packet = vec![0x61, 0x20, 0, 0, 0, 4, 112, 255];
        packet.extend("fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([1, 2, 3, 4, 0xee]);
        let (source, destination) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let payload = &[1, 2, 3, 4][..];
        let whole = Ipv6Packet { traffic_class: 0x12, hop_limit: 255, source, destination, payload };
        assert_eq!(Ipv6Packet::parse(&packet), Some(whole));
        (0..44).for_each(|length| assert_eq!(Ipv6Packet::parse(&packet[..length]), None));
        packet[6] = 17;
        assert_eq!(Ipv6Packet::parse(&packet), None, "another protocol");
        (packet[6], packet[0]) = (112, 0x45);
        assert_eq!(Ipv6Packet::parse(&packet), None, "IPv4");
    }
}
