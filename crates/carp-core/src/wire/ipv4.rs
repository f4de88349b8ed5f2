//! IPv4 headers (RFC 791). Options are accepted and skipped on receive, and never sent.

use core::net::Ipv4Addr;

use super::{WireError, array, check_len, checksum};

const FORMAT: &str = "IPv4";

/// Length in bytes of a header without options, the only kind that is sent.
pub const HEADER_LEN: usize = 20;

/// The longest payload in bytes that fits a packet without options.
pub const MAX_PAYLOAD_LEN: u16 = u16::MAX - 20;

mod field {
    use core::ops::Range;

    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOS: usize = 1;
    pub(super) const TOTAL_LEN: Range<usize> = 2..4;
    pub(super) const IDENTIFICATION: Range<usize> = 4..6;
    pub(super) const FLAGS_OFFSET: Range<usize> = 6..8;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: Range<usize> = 10..12;
    pub(super) const SRC: Range<usize> = 12..16;
    pub(super) const DST: Range<usize> = 16..20;
}

mod flag {
    pub(super) const DONT_FRAGMENT: u16 = 0x4000;
    pub(super) const MORE_FRAGMENTS: u16 = 0x2000;
    pub(super) const OFFSET: u16 = 0x1fff;
}

/// A view of an IPv4 packet. Bytes after its total length (Ethernet padding) are not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The whole packet, cut to its total length.
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if the bytes end before the header or the total length does;
    /// [`WireError::Malformed`] if the version is not 4 or a length contradicts another one.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, HEADER_LEN)?;
        let version = bytes[field::VERSION_IHL] >> 4;
        if version != 4 {
            return Err(WireError::Malformed { format: FORMAT, field: "version", value: version.into() });
        }
        let header_len = header_len(bytes);
        if header_len < HEADER_LEN {
            let value = u32::from(bytes[field::VERSION_IHL] & 0x0f);
            return Err(WireError::Malformed { format: FORMAT, field: "header length", value });
        }
        let total_len = u16::from_be_bytes(array(bytes, field::TOTAL_LEN));
        if usize::from(total_len) < header_len {
            return Err(WireError::Malformed { format: FORMAT, field: "total length", value: total_len.into() });
        }
        check_len(FORMAT, bytes, total_len.into())?;
        Ok(Self { bytes: &bytes[..usize::from(total_len)] })
    }

    /// Type of service, today DSCP and ECN.
    #[must_use]
    pub fn tos(&self) -> u8 {
        self.bytes[field::TOS]
    }

    /// Identification.
    #[must_use]
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes(array(self.bytes, field::IDENTIFICATION))
    }

    /// The flag "do not fragment".
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.flags_offset() & flag::DONT_FRAGMENT != 0
    }

    /// Is this a part of a packet: more are to follow, or it is not the first?
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset() & (flag::MORE_FRAGMENTS | flag::OFFSET) != 0
    }

    /// Time to live.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.bytes[field::TTL]
    }

    /// Number of the payload's protocol.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.bytes[field::PROTOCOL]
    }

    /// Does the header checksum fit the header, options included?
    #[must_use]
    pub fn verify_checksum(&self) -> bool {
        checksum::of(&[&self.bytes[..header_len(self.bytes)]]) == 0
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::from(array::<4>(self.bytes, field::SRC))
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::from(array::<4>(self.bytes, field::DST))
    }

    /// What follows the header and its options, up to the total length.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[header_len(self.bytes)..]
    }

    fn flags_offset(&self) -> u16 {
        u16::from_be_bytes(array(self.bytes, field::FLAGS_OFFSET))
    }
}

/// Length in bytes that the header claims, 0 to 60.
fn header_len(bytes: &[u8]) -> usize {
    usize::from(bytes[field::VERSION_IHL] & 0x0f) * 4
}

/// The typed header of an unfragmented packet, without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub identification: u16,
    /// The flag "do not fragment".
    pub dont_fragment: bool,
    /// Time to live.
    pub ttl: u8,
    /// Number of the payload's protocol.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Length in bytes of the payload, at most [`MAX_PAYLOAD_LEN`].
    pub payload_len: u16,
}

impl Repr {
    /// Reads a header. Options are left out.
    ///
    /// # Errors
    /// [`WireError::Checksum`] if the header checksum is wrong; [`WireError::Malformed`] for a fragment.
    pub fn parse(packet: &Packet<'_>) -> Result<Self, WireError> {
        if !packet.verify_checksum() {
            return Err(WireError::Checksum { format: FORMAT });
        }
        if packet.is_fragment() {
            let value = packet.flags_offset().into();
            return Err(WireError::Malformed { format: FORMAT, field: "fragment offset", value });
        }
        let payload_len = u16::try_from(packet.payload().len()).expect("the total length has 16 bits");
        Ok(Self {
            tos: packet.tos(),
            identification: packet.identification(),
            dont_fragment: packet.dont_fragment(),
            ttl: packet.ttl(),
            protocol: packet.protocol(),
            src: packet.src(),
            dst: packet.dst(),
            payload_len,
        })
    }

    /// Writes the header, checksum included.
    ///
    /// # Panics
    /// If `payload_len` exceeds [`MAX_PAYLOAD_LEN`].
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        assert!(self.payload_len <= MAX_PAYLOAD_LEN, "no IPv4 packet can hold {} bytes", self.payload_len);
        let flags = if self.dont_fragment { flag::DONT_FRAGMENT } else { 0 };
        let mut out = [0; HEADER_LEN];
        out[field::VERSION_IHL] = 0x45;
        out[field::TOS] = self.tos;
        out[field::TOTAL_LEN].copy_from_slice(&(20 + self.payload_len).to_be_bytes());
        out[field::IDENTIFICATION].copy_from_slice(&self.identification.to_be_bytes());
        out[field::FLAGS_OFFSET].copy_from_slice(&flags.to_be_bytes());
        out[field::TTL] = self.ttl;
        out[field::PROTOCOL] = self.protocol;
        out[field::SRC].copy_from_slice(&self.src.octets());
        out[field::DST].copy_from_slice(&self.dst.octets());
        let checksum = checksum::of(&[&out]);
        out[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests;
