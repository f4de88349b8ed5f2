//! Whole Ethernet frames: advertisements out and in, and what tells a link that an address has moved.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{MacAddr, WireError, advertisement, ethernet, ipv4, ipv6};

mod announce;
mod buffer;
mod number;
mod possession;
mod receive;

pub use announce::{arp_probe, gratuitous_arp, neighbour_probe, unsolicited_na};
pub use buffer::Frame;
pub use number::{Numbered, Protocol, numbered};
pub use possession::{Possession, possession};
pub use receive::{Reason, Received, Rejected, Sender, parse, parse_routed};

/// The group that IPv4 advertisements go to unless configured otherwise.
pub const CARP_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The group that IPv6 advertisements go to.
pub const CARP_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// IPv4 type of service of an advertisement ("low delay") from UCARP, OpenBSD, NetBSD and FreeBSD up to 10. The
/// kernels send IPv6 advertisements with 0.
pub const TOS_LOW_DELAY: u8 = 0x10;

/// TTL or hop limit of an advertisement. A lower one on receive means that a router has passed the packet on.
pub const TTL: u8 = 255;

/// Length in bytes of an IPv4 advertisement frame.
pub const LEN_V4: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN + advertisement::LEN;

/// Length in bytes of an IPv6 advertisement frame.
pub const LEN_V6: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN + advertisement::LEN;

/// The header that is sent is this long; the IP headers want it in 16 bits.
const PAYLOAD_LEN: u16 = 36;

/// The Ethernet address of a multicast group: RFC 1112 6.4 for IPv4, RFC 2464 7 for IPv6.
#[must_use]
pub fn multicast_mac(group: IpAddr) -> MacAddr {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            MacAddr([0x33, 0x33, a, b, c, d])
        }
    }
}

/// The source of UCARP's advertisements. UCARP 1.5.2 has 0 where the kernels have 1.
#[must_use]
pub const fn ucarp_mac(vhid: u8) -> MacAddr {
    MacAddr([0x00, 0x00, 0x5e, 0x00, 0x00, vhid])
}

/// The virtual address of the BSD kernels, and of a VRRP router of the same number.
#[must_use]
pub const fn kernel_mac(vhid: u8) -> MacAddr {
    MacAddr([0x00, 0x00, 0x5e, 0x00, 0x01, vhid])
}

/// An advertisement to send, with everything that its frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvertisementFrame {
    /// Ethernet source: [`ucarp_mac`] or [`kernel_mac`]. Receivers do not look at it, switches do.
    pub src_mac: MacAddr,
    /// Ethernet destination: [`multicast_mac`] of the group, or broadcast (`ucarp -M`), or a unicast peer.
    pub dst_mac: MacAddr,
    /// IP source. UCARP breaks ties with it.
    pub src: IpAddr,
    /// IP destination, of the same family. UCARP drops what is not for its group.
    pub dst: IpAddr,
    /// Type of service or traffic class: see [`TOS_LOW_DELAY`].
    pub tos: u8,
    /// Over IPv6, include the pseudo header in the CARP checksum, which only newer NetBSD accepts. Nobody does so
    /// over IPv4, where this has no effect.
    pub netbsd_checksum: bool,
    /// The CARP header.
    pub advertisement: advertisement::Repr,
}

impl AdvertisementFrame {
    /// Writes the frame: [`LEN_V4`] or [`LEN_V6`] bytes, unfragmentable, IPv4 identification 0, TTL 255. Nothing may
    /// follow the CARP header: FreeBSD 15 takes the whole IP payload into its checksum.
    ///
    /// # Errors
    /// [`WireError::MixedFamilies`] if source and destination are not of one family.
    pub fn emit(&self) -> Result<Frame, WireError> {
        let ethertype = if self.src.is_ipv4() { ethernet::EtherType::Ipv4 } else { ethernet::EtherType::Ipv6 };
        let ethernet = ethernet::Repr { dst: self.dst_mac, src: self.src_mac, ethertype }.emit();
        self.emit_behind(&ethernet)
    }

    /// Writes the packet alone, from the IP header on: for a peer that the routing table finds.
    ///
    /// # Errors
    /// As [`AdvertisementFrame::emit`].
    pub fn emit_packet(&self) -> Result<Frame, WireError> {
        self.emit_behind(&[])
    }

    fn emit_behind(&self, ethernet: &[u8]) -> Result<Frame, WireError> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Ok(self.emit_v4(ethernet, src, dst)),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ok(self.emit_v6(ethernet, src, dst)),
            (src, dst) => Err(WireError::MixedFamilies { src, dst }),
        }
    }

    fn emit_v4(&self, ethernet: &[u8], src: Ipv4Addr, dst: Ipv4Addr) -> Frame {
        let ip = ipv4::Repr {
            tos: self.tos,
            // RFC 6864 4.1: a packet that must not be fragmented needs no identification.
            identification: 0,
            dont_fragment: true,
            ttl: TTL,
            protocol: advertisement::PROTOCOL,
            src,
            dst,
            payload_len: PAYLOAD_LEN,
        };
        Frame::of(&[ethernet, &ip.emit(), &self.advertisement.emit()])
    }

    fn emit_v6(&self, ethernet: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> Frame {
        let ip = ipv6::Repr {
            traffic_class: self.tos,
            next_header: advertisement::PROTOCOL,
            hop_limit: TTL,
            src,
            dst,
            payload_len: PAYLOAD_LEN,
        };
        let advertisement = if self.netbsd_checksum {
            self.advertisement.emit_with_pseudo_header(src, dst)
        } else {
            self.advertisement.emit()
        };
        Frame::of(&[ethernet, &ip.emit(), &advertisement])
    }
}

#[cfg(test)]
mod tests;
