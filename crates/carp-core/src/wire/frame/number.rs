//! Which virtual host ids are in use on a link, and by what: CARP and VRRP have the same protocol number and share their ids,
//! and their virtual Ethernet addresses with them.

use core::fmt;
use core::net::IpAddr;

use crate::wire::{MacAddr, advertisement, ethernet, ipv4, ipv6};

/// A protocol with virtual host ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Version 2 with the digest of 20 octets.
    Carp,
    /// VRRP of this version (RFC 3768, RFC 9568).
    Vrrp(u8),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Carp => f.write_str("CARP"),
            Self::Vrrp(version) => write!(f, "VRRP version {version}"),
        }
    }
}

/// A packet that uses a virtual host id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Of which protocol it is.
    pub protocol: Protocol,
    /// The id.
    pub vhid: u8,
    /// IP source.
    pub source: IpAddr,
    /// Ethernet source.
    pub mac: MacAddr,
}

/// Type 1, advertisement: the low half of the first octet of either protocol.
const ADVERTISEMENT: u8 = 1;

/// Without addresses, of either version of VRRP.
const SHORTEST_VRRP: usize = 8;

/// Octets of authentication data behind the addresses of VRRP version 2, which nobody uses.
const VRRP2_AUTHENTICATION: usize = 8;

/// CARP says here that seven words of authentication data follow.
const CARP_WORDS: u8 = 7;

/// What uses which id, if the frame has an advertisement of CARP or VRRP. Nothing of it is proved. A packet of version 2
/// that can be either is CARP: of its length VRRP has exactly five addresses, and says so.
#[must_use]
pub fn numbered(frame: &[u8]) -> Option<Numbered> {
    let frame = ethernet::Frame::new_checked(frame).ok()?;
    let (source, payload): (IpAddr, _) = match frame.ethertype() {
        ethernet::EtherType::Ipv4 => {
            let packet = ipv4::Packet::new_checked(frame.payload()).ok()?;
            let fits =
                packet.protocol() == advertisement::PROTOCOL && packet.verify_checksum() && !packet.is_fragment();
            fits.then(|| (packet.src().into(), packet.payload()))?
        }
        ethernet::EtherType::Ipv6 => {
            let packet = ipv6::Packet::new_checked(frame.payload()).ok()?;
            (packet.next_header() == advertisement::PROTOCOL).then(|| (packet.src().into(), packet.payload()))?
        }
        ethernet::EtherType::Arp | ethernet::EtherType::Other(_) => return None,
    };
    let &[kind, vhid, _, addresses, ..] = payload.get(..SHORTEST_VRRP)? else { return None };
    let long = SHORTEST_VRRP + 4 * usize::from(addresses) + VRRP2_AUTHENTICATION;
    let protocol = match (kind >> 4, kind & 0xf) {
        (2, ADVERTISEMENT) if payload.len() == long => Protocol::Vrrp(2),
        (2, ADVERTISEMENT) if payload.len() >= advertisement::LEN => Protocol::Carp,
        // As CARP of a wrong version is; who looks for CARP sees and tells it.
        (3, ADVERTISEMENT) if payload.len() == advertisement::LEN && addresses == CARP_WORDS => return None,
        (version @ 2..=3, ADVERTISEMENT) => Protocol::Vrrp(version),
        _ => return None,
    };
    Some(Numbered { protocol, vhid, source, mac: frame.src() })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::{AdvertisementFrame, CARP_GROUP_V4, TOS_LOW_DELAY, kernel_mac, multicast_mac};
    use super::*;

    fn carp(vhid: u8) -> Vec<u8> {
        let frame = AdvertisementFrame {
            src_mac: kernel_mac(vhid),
            dst_mac: multicast_mac(CARP_GROUP_V4.into()),
            src: [10, 0, 0, 2].into(),
            dst: CARP_GROUP_V4.into(),
            tos: TOS_LOW_DELAY,
            netbsd_checksum: false,
            advertisement: advertisement::Repr {
                vhid,
                advbase: 1,
                advskew: 0,
                demotion: 0,
                counter: 1,
                digest: [0; advertisement::DIGEST_LEN],
            },
        };
        frame.emit().unwrap().to_vec()
    }

    /// The packet as VRRP would have it, with so many addresses.
    fn vrrp(version: u8, vhid: u8, addresses: u8) -> Vec<u8> {
        let mut payload = [(version << 4) | ADVERTISEMENT, vhid, 100, addresses, 0, 100, 0, 0].to_vec();
        payload.extend((0..addresses).flat_map(|last| [10, 0, 0, last]));
        if version == 2 {
            payload.extend([0; VRRP2_AUTHENTICATION]);
        }
        let ip = ipv4::Repr {
            tos: 0xc0,
            identification: 7,
            dont_fragment: false,
            ttl: 255,
            protocol: advertisement::PROTOCOL,
            src: [10, 0, 0, 9].into(),
            dst: CARP_GROUP_V4,
            payload_len: u16::try_from(payload.len()).unwrap(),
        };
        [&carp(vhid)[..14], &ip.emit(), &payload].concat()
    }

    #[test]
    fn carp_and_vrrp_are_told_apart() {
        let found = |frame: &[u8]| numbered(frame).map(|found| (found.protocol, found.vhid));
        assert_eq!(found(&carp(7)), Some((Protocol::Carp, 7)));
        for addresses in 1..=20 {
            assert_eq!(found(&vrrp(2, 9, addresses)), Some((Protocol::Vrrp(2), 9)), "{addresses} addresses");
            let third = (addresses != 7).then_some((Protocol::Vrrp(3), 200));
            assert_eq!(found(&vrrp(3, 200, addresses)), third, "{addresses} addresses");
        }
        assert_eq!(numbered(&vrrp(3, 1, 1)).unwrap().source, IpAddr::from([10, 0, 0, 9]));
        assert_eq!(found(&vrrp(4, 1, 1)), None);
        assert_eq!(found(&vrrp(3, 1, 1)[..38]), None, "cut short");
    }
}
