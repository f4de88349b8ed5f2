//! IPv6 headers (RFC 8200). Extension headers are not followed: no CARP implementation sends any.

use core::net::Ipv6Addr;

use super::{WireError, array, check_len};

const FORMAT: &str = "IPv6";

/// Length in bytes of the header.
pub const HEADER_LEN: usize = 40;

mod field {
    use core::ops::Range;

    pub(super) const VERSION_CLASS_FLOW: Range<usize> = 0..4;
    pub(super) const PAYLOAD_LEN: Range<usize> = 4..6;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SRC: Range<usize> = 8..24;
    pub(super) const DST: Range<usize> = 24..40;
}

/// A view of an IPv6 packet. Bytes after its payload length (Ethernet padding) are not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The whole packet, cut to its length.
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if the bytes end before the header or the payload does;
    /// [`WireError::Malformed`] if the version is not 6.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, HEADER_LEN)?;
        let version = bytes[0] >> 4;
        if version != 6 {
            return Err(WireError::Malformed { format: FORMAT, field: "version", value: version.into() });
        }
        let len = HEADER_LEN + usize::from(u16::from_be_bytes(array(bytes, field::PAYLOAD_LEN)));
        check_len(FORMAT, bytes, len)?;
        Ok(Self { bytes: &bytes[..len] })
    }

    /// Traffic class, the TOS of IPv6.
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        self.bytes[0] << 4 | self.bytes[1] >> 4
    }

    /// Flow label, 20 bits.
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        u32::from_be_bytes(array(self.bytes, field::VERSION_CLASS_FLOW)) & 0x000f_ffff
    }

    /// Number of the protocol or extension header that follows.
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.bytes[field::NEXT_HEADER]
    }

    /// Hop limit, the TTL of IPv6.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.bytes[field::HOP_LIMIT]
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv6Addr {
        Ipv6Addr::from(array::<16>(self.bytes, field::SRC))
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv6Addr {
        Ipv6Addr::from(array::<16>(self.bytes, field::DST))
    }

    /// What follows the header, up to the payload length.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }
}

/// The typed header. The flow label is left out on parse and zero on emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Traffic class.
    pub traffic_class: u8,
    /// Number of the protocol that follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// Length in bytes of what follows.
    pub payload_len: u16,
}

impl Repr {
    /// Reads a header.
    #[must_use]
    pub fn parse(packet: &Packet<'_>) -> Self {
        Self {
            traffic_class: packet.traffic_class(),
            next_header: packet.next_header(),
            hop_limit: packet.hop_limit(),
            src: packet.src(),
            dst: packet.dst(),
            payload_len: u16::from_be_bytes(array(packet.bytes, field::PAYLOAD_LEN)),
        }
    }

    /// Writes the header.
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        let version_class_flow = 6 << 28 | u32::from(self.traffic_class) << 20;
        let mut out = [0; HEADER_LEN];
        out[field::VERSION_CLASS_FLOW].copy_from_slice(&version_class_flow.to_be_bytes());
        out[field::PAYLOAD_LEN].copy_from_slice(&self.payload_len.to_be_bytes());
        out[field::NEXT_HEADER] = self.next_header;
        out[field::HOP_LIMIT] = self.hop_limit;
        out[field::SRC].copy_from_slice(&self.src.octets());
        out[field::DST].copy_from_slice(&self.dst.octets());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Header of an advertisement of a FreeBSD 15.0 kernel: traffic class 0xe0.
    const BYTES: [u8; 40] = [
        0x6e, 0x00, 0x00, 0x00, 0x00, 0x24, 0x70, 0xff, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0x00, 0xff, 0xfe,
        0xfb, 0x01, 0x03, 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12,
    ];

    fn repr() -> Repr {
        Repr {
            traffic_class: 0xe0,
            next_header: 112,
            hop_limit: 255,
            src: "fe80::5054:ff:fefb:103".parse().unwrap(),
            dst: "ff02::12".parse().unwrap(),
            payload_len: 36,
        }
    }

    fn packet() -> Vec<u8> {
        BYTES.into_iter().chain(0..36).collect()
    }

    #[test]
    fn parses_and_emits_literal_bytes() {
        let mut bytes = packet();
        bytes.extend([0xee; 4]);
        let view = Packet::new_checked(&bytes).unwrap();
        assert_eq!(Repr::parse(&view), repr());
        assert_eq!(view.payload(), (0..36).collect::<Vec<u8>>());
        assert_eq!(repr().emit(), BYTES);
    }

    #[test]
    fn class_and_flow_label_share_a_byte() {
        let mut bytes = packet();
        bytes[..4].copy_from_slice(&[0x6a, 0xbc, 0xde, 0xf1]);
        let view = Packet::new_checked(&bytes).unwrap();
        assert_eq!((view.traffic_class(), view.flow_label()), (0xab, 0xc_def1));
    }

    #[test]
    fn short_packets_and_other_versions_are_refused() {
        let bytes = packet();
        let truncated = |needed, found| WireError::Truncated { format: "IPv6", needed, found };
        assert_eq!(Packet::new_checked(&bytes[..39]).unwrap_err(), truncated(40, 39));
        assert_eq!(Packet::new_checked(&bytes[..75]).unwrap_err(), truncated(76, 75));
        let mut bytes = packet();
        bytes[0] = 0x45;
        let error = WireError::Malformed { format: "IPv6", field: "version", value: 4 };
        assert_eq!(Packet::new_checked(&bytes).unwrap_err(), error);
    }
}
