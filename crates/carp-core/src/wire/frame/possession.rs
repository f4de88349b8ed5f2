//! Who says that an address is its own: ARP of any kind, and neighbour advertisements.

use core::net::IpAddr;

use crate::wire::{MacAddr, arp, ethernet, ipv6, ndp};

/// Somebody says that an address is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possession {
    /// The address.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: MacAddr,
}

/// What a frame says about the place of an address: the sender of ARP, in questions as in answers (RFC 5227 2.4), or the
/// target of a neighbour advertisement. `None` for all other frames, and for those that ask without having an address.
#[must_use]
pub fn possession(frame: &[u8]) -> Option<Possession> {
    let frame = ethernet::Frame::new_checked(frame).ok()?;
    match frame.ethertype() {
        ethernet::EtherType::Arp => {
            let arp = arp::Repr::parse(&arp::Packet::new_checked(frame.payload()).ok()?).ok()?;
            let is_sure = !arp.sender_ip.is_unspecified() && !is_group(arp.sender_mac);
            is_sure.then_some(Possession { address: arp.sender_ip.into(), mac: arp.sender_mac })
        }
        ethernet::EtherType::Ipv6 => {
            let packet = ipv6::Packet::new_checked(frame.payload()).ok()?;
            if packet.next_header() != ndp::PROTOCOL || packet.hop_limit() != ndp::HOP_LIMIT {
                return None;
            }
            let message = ndp::Packet::new_checked(packet.payload()).ok()?;
            let message = ndp::Repr::parse(&message, packet.src(), packet.dst()).ok()?;
            let mac = message.link_layer.unwrap_or(frame.src());
            (!is_group(mac)).then_some(Possession { address: message.target.into(), mac })
        }
        ethernet::EtherType::Ipv4 | ethernet::EtherType::Other(_) => None,
    }
}

/// No single machine has such an address.
fn is_group(mac: MacAddr) -> bool {
    mac.0[0] & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::super::{arp_probe, gratuitous_arp, neighbour_probe, unsolicited_na};
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
    const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);

    #[test]
    fn announcements_say_who_has_an_address_and_questions_do_not() {
        let told = |address| Some(Possession { address, mac: MAC });
        assert_eq!(possession(&gratuitous_arp(MAC, V4)), told(V4.into()));
        assert_eq!(possession(&unsolicited_na(MAC, V6, true)), told(V6.into()));
        assert_eq!(possession(&arp_probe(MAC, V4)), None);
        assert_eq!(possession(&neighbour_probe(MAC, V6)), None);
    }

    #[test]
    fn nobody_is_believed_who_cannot_be_one_machine_or_came_through_a_router() {
        assert_eq!(possession(&gratuitous_arp(MacAddr::BROADCAST, V4)), None);
        let mut routed = unsolicited_na(MAC, V6, true).to_vec();
        routed[14 + 7] = 254;
        assert_eq!(possession(&routed), None);
        let mut broken = unsolicited_na(MAC, V6, true).to_vec();
        broken[70] ^= 1;
        assert_eq!(possession(&broken), None, "the checksum");
        assert_eq!(possession(&gratuitous_arp(MAC, V4)[..41]), None, "cut short");
    }

    #[test]
    fn a_question_over_ipv6_goes_to_those_who_may_have_the_address() {
        let frame = neighbour_probe(MAC, V6);
        // Literal octets: the group is ff02::1:ff12:3456, and the message asks for the address from ::.
        assert_eq!(frame[..14], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 7, 0x86, 0xdd]);
        assert_eq!(frame[18..22], [0, 24, 58, 255]);
        assert_eq!(frame[22..38], [0; 16]);
        assert_eq!(frame[38..54], [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!((frame[54], frame[55], frame.len()), (135, 0, 78));
        assert_eq!(frame[62..78], V6.octets());
    }
}
