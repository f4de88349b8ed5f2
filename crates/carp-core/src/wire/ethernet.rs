//! Ethernet II headers, untagged.

use super::{MacAddr, WireError, array, check_len};

const FORMAT: &str = "Ethernet";

/// Length in bytes of the header.
pub const HEADER_LEN: usize = 14;

/// What the payload of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtherType {
    /// 0x0800.
    Ipv4,
    /// 0x0806.
    Arp,
    /// 0x86dd.
    Ipv6,
    /// Any other number, VLAN tags and IEEE 802.3 lengths among them.
    Other(u16),
}

impl From<u16> for EtherType {
    fn from(number: u16) -> Self {
        match number {
            0x0800 => Self::Ipv4,
            0x0806 => Self::Arp,
            0x86dd => Self::Ipv6,
            other => Self::Other(other),
        }
    }
}

impl From<EtherType> for u16 {
    fn from(ethertype: EtherType) -> Self {
        match ethertype {
            EtherType::Ipv4 => 0x0800,
            EtherType::Arp => 0x0806,
            EtherType::Ipv6 => 0x86dd,
            EtherType::Other(other) => other,
        }
    }
}

mod field {
    use core::ops::Range;

    pub(super) const DST: Range<usize> = 0..6;
    pub(super) const SRC: Range<usize> = 6..12;
    pub(super) const ETHERTYPE: Range<usize> = 12..14;
}

/// A view of an Ethernet frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if the header is not complete.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, HEADER_LEN)?;
        Ok(Self { bytes })
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> MacAddr {
        MacAddr(array(self.bytes, field::DST))
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> MacAddr {
        MacAddr(array(self.bytes, field::SRC))
    }

    /// What the payload is.
    #[must_use]
    pub fn ethertype(&self) -> EtherType {
        u16::from_be_bytes(array(self.bytes, field::ETHERTYPE)).into()
    }

    /// Everything after the header, padding included.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }
}

/// The typed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Destination address.
    pub dst: MacAddr,
    /// Source address.
    pub src: MacAddr,
    /// What the payload is.
    pub ethertype: EtherType,
}

impl Repr {
    /// Reads the header of a frame.
    #[must_use]
    pub fn parse(frame: &Frame<'_>) -> Self {
        Self { dst: frame.dst(), src: frame.src(), ethertype: frame.ethertype() }
    }

    /// Writes the header.
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[field::DST].copy_from_slice(&self.dst.0);
        out[field::SRC].copy_from_slice(&self.src.0);
        out[field::ETHERTYPE].copy_from_slice(&u16::from(self.ethertype).to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 16] =
        [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x00, 0x01, 0x08, 0x00, 0x45, 0x10];
    const REPR: Repr = Repr {
        dst: MacAddr([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]),
        src: MacAddr([0x00, 0x00, 0x5e, 0x00, 0x00, 0x01]),
        ethertype: EtherType::Ipv4,
    };

    #[test]
    fn parses_and_emits_literal_bytes() {
        let frame = Frame::new_checked(&BYTES).unwrap();
        assert_eq!(Repr::parse(&frame), REPR);
        assert_eq!(frame.payload(), [0x45, 0x10]);
        assert_eq!(REPR.emit(), BYTES[..HEADER_LEN]);
    }

    #[test]
    fn every_ethertype_survives_both_ways() {
        for number in 0..=u16::MAX {
            assert_eq!(u16::from(EtherType::from(number)), number);
        }
        assert_eq!(EtherType::from(0x0806), EtherType::Arp);
        assert_eq!(EtherType::from(0x86dd), EtherType::Ipv6);
        assert_eq!(EtherType::from(0x8100), EtherType::Other(0x8100));
    }

    #[test]
    fn short_frames_are_refused() {
        for len in 0..HEADER_LEN {
            let error = Frame::new_checked(&BYTES[..len]).unwrap_err();
            assert_eq!(error, WireError::Truncated { format: "Ethernet", needed: 14, found: len });
        }
        assert!(Frame::new_checked(&BYTES[..HEADER_LEN]).unwrap().payload().is_empty());
    }
}
