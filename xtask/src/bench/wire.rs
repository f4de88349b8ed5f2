//! What frames on the wire say of virtual hosts: advertisements of CARP and of VRRP, goodbyes, and gratuitous ARP.

use std::net::Ipv4Addr;

const ETHERTYPE: std::ops::Range<usize> = 12..14;
const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
/// Both protocols have this number.
const PROTOCOL: u8 = 112;
/// Version and type of a CARP advertisement; VRRP version 2 has the same, and both have the number next.
const ADVERTISEMENT: u8 = 0x21;
const ADVERTISEMENT_OF_VRRP_3: u8 = 0x31;
const SHARED: u8 = 1;
const ADDED: u8 = 2;

/// A virtual host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    /// The number of its interface, from 0.
    pub(super) segment: u8,
    pub(super) vhid: u8,
}

impl Id {
    /// Its address. `10.SEGMENT.1.VHID`, in the /16 of its segment.
    pub(super) const fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.segment, SHARED, self.vhid)
    }

    /// A second address, for a reload to add.
    pub(super) fn added_address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.segment, ADDED, self.vhid)
    }

    /// The virtual host that has this address from the beginning.
    pub(super) fn of(address: Ipv4Addr) -> Option<Id> {
        let [_, segment, SHARED, vhid] = address.octets() else { return None };
        Some(Id { segment, vhid })
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular advertisement of this number.
    Advertisement(u8),
    /// The advertisement of a master that leaves.
    Goodbye(u8),
    /// The gratuitous ARP of an address that was there from the beginning.
    Announcement(u8),
    /// The gratuitous ARP of an address that a reload has added.
    Added(u8),
}

/// What a frame says, if it is one of those.
pub(super) fn read(frame: &[u8]) -> Option<Kind> {
    let payload = frame.get(ETHERTYPE.end..)?;
    match frame.get(ETHERTYPE)?.try_into().ok()? {
        IPV4 => read_ipv4(payload),
        ARP => read_arp(payload),
        _ => None,
    }
}

fn read_ipv4(packet: &[u8]) -> Option<Kind> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let [kind, vhid, rank, _, _, advbase] = *packet.get(header..)?.first_chunk()?;
    if *packet.get(9)? != PROTOCOL || ![ADVERTISEMENT, ADVERTISEMENT_OF_VRRP_3].contains(&kind) {
        return None;
    }
    // Both protocols have the number and the rank at the same place. Only CARP has 7 words of authentication, where VRRP
    // counts its addresses; there advskew and advbase of 255 are a goodbye, here it is priority 0.
    let carp = kind == ADVERTISEMENT && packet.get(header + 3) == Some(&7) && packet.len() >= header + 36;
    let leaving = if carp { (rank, advbase) == (255, 255) } else { rank == 0 };
    Some(if leaving { Kind::Goodbye(vhid) } else { Kind::Advertisement(vhid) })
}

fn read_arp(packet: &[u8]) -> Option<Kind> {
    match announced(packet)?.octets() {
        [_, _, SHARED, vhid] => Some(Kind::Announcement(vhid)),
        [_, _, ADDED, vhid] => Some(Kind::Added(vhid)),
        _ => None,
    }
}

/// The address of a gratuitous ARP, whatever address it is.
pub(super) fn announcement(frame: &[u8]) -> Option<Ipv4Addr> {
    (frame.get(ETHERTYPE)? == ARP).then(|| announced(frame.get(ETHERTYPE.end..)?))?
}

fn announced(packet: &[u8]) -> Option<Ipv4Addr> {
    let sender: [u8; 4] = packet.get(14..18)?.try_into().ok()?;
    (sender == packet.get(24..28)?).then(|| Ipv4Addr::from(sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 1);

    fn ethernet(kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
        [&[0; 12][..], &kind, payload].concat()
    }

    fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = [0; 20];
        header[0] = 0x45;
        header[9] = protocol;
        ethernet(IPV4, &[&header, payload].concat())
    }

    #[test]
    fn tells_advertisements_of_both_protocols_from_goodbyes() {
        let carp = |advskew, advbase| {
            let mut packet = [0; 36];
            packet[..6].copy_from_slice(&[0x21, 9, advskew, 7, 0, advbase]);
            read(&ipv4(PROTOCOL, &packet))
        };
        assert_eq!(carp(100, 1), Some(Kind::Advertisement(9)));
        assert_eq!(carp(0, 1), Some(Kind::Advertisement(9)));
        assert_eq!(carp(255, 255), Some(Kind::Goodbye(9)));
        let vrrp =
            |priority| read(&ipv4(PROTOCOL, &[0x21, 8, priority, 1, 0, 1, 0, 0, 10, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(vrrp(200), Some(Kind::Advertisement(8)));
        assert_eq!(vrrp(0), Some(Kind::Goodbye(8)));
        assert_eq!(read(&ipv4(PROTOCOL, &[0x31, 6, 0, 1, 0, 100, 0, 0, 10, 0, 1, 8])), Some(Kind::Goodbye(6)));
        assert_eq!(read(&ipv4(PROTOCOL, &[0x22, 6, 0, 1, 0, 1])), None);
        assert_eq!(read(&ipv4(17, &[0x21, 8, 0, 1, 0, 1])), None);
        assert_eq!(read(&ipv4(PROTOCOL, &[0x21, 8])), None);
    }

    #[test]
    fn knows_the_gratuitous_arp_of_virtual_addresses() {
        let arp = |sender: Ipv4Addr, target: Ipv4Addr| {
            let mut packet = [0; 28];
            packet[14..18].copy_from_slice(&sender.octets());
            packet[24..28].copy_from_slice(&target.octets());
            read(&ethernet(ARP, &packet))
        };
        let id = Id { segment: 3, vhid: 7 };
        assert_eq!(arp(id.address(), id.address()), Some(Kind::Announcement(7)));
        assert_eq!(arp(id.added_address(), id.added_address()), Some(Kind::Added(7)));
        assert_eq!(arp(id.address(), id.added_address()), None);
        let mut packet = [0; 28];
        packet[14..18].copy_from_slice(&OWN.octets());
        packet[24..28].copy_from_slice(&OWN.octets());
        assert_eq!(announcement(&ethernet(ARP, &packet)), Some(OWN));
        assert_eq!(announcement(&ethernet(IPV4, &packet)), None);
        assert_eq!(arp(OWN, OWN), None);
        assert_eq!(Id::of(id.address()), Some(id));
        assert_eq!(Id::of(id.added_address()), None);
        assert_eq!(Id::of(OWN), None);
    }
}
