//! The CARP header, version 2: 36 bytes, the same for every implementation.
//!
//! ```text
//!  0               1               2               3
//! +-------+-------+---------------+---------------+---------------+
//! |version| type  |     vhid      |    advskew    |    authlen    |
//! +-------+-------+---------------+---------------+---------------+
//! |   demotion    |    advbase    |           checksum            |
//! +---------------+---------------+-------------------------------+
//! |                      counter, 8 bytes                         |
//! +---------------------------------------------------------------+
//! |                      digest, 20 bytes                         |
//! +---------------------------------------------------------------+
//! ```

use core::net::Ipv6Addr;

use super::{WireError, array, check_len, checksum};

const FORMAT: &str = "CARP";

/// Number of CARP as an IP protocol, shared with VRRP.
pub const PROTOCOL: u8 = 112;

/// Length in bytes.
pub const LEN: usize = 36;

/// Length in bytes of the digest, an HMAC-SHA1.
pub const DIGEST_LEN: usize = 20;

/// The only version.
pub const VERSION: u8 = 2;

/// The only type. Sent, and never checked by any implementation.
pub const KIND: u8 = 1;

/// Length of counter and digest in words of 4 bytes. Sent, and never checked by any implementation.
pub const AUTH_LEN: u8 = 7;

mod field {
    use core::ops::Range;

    pub(super) const VERSION_KIND: usize = 0;
    pub(super) const VHID: usize = 1;
    pub(super) const ADVSKEW: usize = 2;
    pub(super) const AUTH_LEN: usize = 3;
    pub(super) const DEMOTION: usize = 4;
    pub(super) const ADVBASE: usize = 5;
    pub(super) const CHECKSUM: Range<usize> = 6..8;
    pub(super) const COUNTER: Range<usize> = 8..16;
    pub(super) const DIGEST: Range<usize> = 16..36;
}

/// A view of a CARP header.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Exactly the header.
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if there are fewer than 36 bytes. More are ignored, as UCARP and the BSD kernels do.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, LEN)?;
        Ok(Self { bytes: &bytes[..LEN] })
    }

    /// Version of the protocol.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.bytes[field::VERSION_KIND] >> 4
    }

    /// Type of the message.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.bytes[field::VERSION_KIND] & 0x0f
    }

    /// Virtual host.
    #[must_use]
    pub fn vhid(&self) -> u8 {
        self.bytes[field::VHID]
    }

    /// Advertisement skew, in 1/256 s.
    #[must_use]
    pub fn advskew(&self) -> u8 {
        self.bytes[field::ADVSKEW]
    }

    /// Length of the authentication data in words of 4 bytes, as claimed.
    #[must_use]
    pub fn auth_len(&self) -> u8 {
        self.bytes[field::AUTH_LEN]
    }

    /// Demotion counter of OpenBSD; 0 from everyone else.
    #[must_use]
    pub fn demotion(&self) -> u8 {
        self.bytes[field::DEMOTION]
    }

    /// Advertisement interval, in seconds.
    #[must_use]
    pub fn advbase(&self) -> u8 {
        self.bytes[field::ADVBASE]
    }

    /// Does the checksum fit the 36 bytes alone? So UCARP, OpenBSD and FreeBSD do it, over IPv6 too.
    #[must_use]
    pub fn verify_checksum(&self) -> bool {
        checksum::of(&[self.bytes]) == 0
    }

    /// Does the checksum fit the IPv6 pseudo header and the 36 bytes? So newer NetBSD does it.
    #[must_use]
    pub fn verify_checksum_with_pseudo_header(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        checksum::of(&[&pseudo_header(src, dst), self.bytes]) == 0
    }

    /// The counter that the digest covers.
    #[must_use]
    pub fn counter(&self) -> u64 {
        u64::from_be_bytes(array(self.bytes, field::COUNTER))
    }

    /// HMAC-SHA1 over the virtual host, its addresses and the counter: see [`crate::auth`].
    #[must_use]
    pub fn digest(&self) -> [u8; DIGEST_LEN] {
        array(self.bytes, field::DIGEST)
    }
}

fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr) -> [u8; checksum::PSEUDO_HEADER_LEN] {
    checksum::pseudo_header(src, dst, 36, PROTOCOL)
}

/// The typed header. Only the vhid and the counter are covered by the digest; all the rest can be forged by whoever
/// has seen one advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Virtual host.
    pub vhid: u8,
    /// Advertisement interval, in seconds.
    pub advbase: u8,
    /// Advertisement skew, in 1/256 s, with the sender's demotion added. 255 with advbase 255 is a bow-out.
    pub advskew: u8,
    /// Demotion counter of OpenBSD; 0 from everyone else.
    pub demotion: u8,
    /// The counter that the digest covers. OpenBSD drops 0, so do not send it.
    pub counter: u64,
    /// HMAC-SHA1 over the virtual host, its addresses and the counter: see [`crate::auth`].
    pub digest: [u8; DIGEST_LEN],
}

impl Repr {
    /// Reads a header. Version and checksum are for the caller to check: which one is wrong matters to the operator,
    /// and the checksum has two forms.
    #[must_use]
    pub fn parse(packet: &Packet<'_>) -> Self {
        Self {
            vhid: packet.vhid(),
            advbase: packet.advbase(),
            advskew: packet.advskew(),
            demotion: packet.demotion(),
            counter: packet.counter(),
            digest: packet.digest(),
        }
    }

    /// Writes the header with the plain checksum that UCARP, OpenBSD and FreeBSD expect, over IPv6 too.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut out = self.emit_without_checksum();
        let checksum = checksum::of(&[&out]);
        out[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        out
    }

    /// Writes the header with the checksum that newer NetBSD expects over IPv6, pseudo header included.
    #[must_use]
    pub fn emit_with_pseudo_header(&self, src: Ipv6Addr, dst: Ipv6Addr) -> [u8; LEN] {
        let mut out = self.emit_without_checksum();
        let checksum = checksum::of(&[&pseudo_header(src, dst), &out]);
        out[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        out
    }

    fn emit_without_checksum(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[field::VERSION_KIND] = VERSION << 4 | KIND;
        out[field::VHID] = self.vhid;
        out[field::ADVSKEW] = self.advskew;
        out[field::AUTH_LEN] = AUTH_LEN;
        out[field::DEMOTION] = self.demotion;
        out[field::ADVBASE] = self.advbase;
        out[field::COUNTER].copy_from_slice(&self.counter.to_be_bytes());
        out[field::DIGEST].copy_from_slice(&self.digest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// vhid 0x51, advskew 100, demotion 3, advbase 2.
    const BYTES: [u8; 36] = [
        0x21, 0x51, 0x64, 0x07, 0x03, 0x02, 0x94, 0xc8, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xc7, 0x5a,
        0xb0, 0x0e, 0xd4, 0xdc, 0x16, 0x37, 0x00, 0x9b, 0xbe, 0x2d, 0xf6, 0x69, 0xfa, 0xd0, 0x87, 0xc0, 0xaa, 0x75,
    ];
    const REPR: Repr = Repr {
        vhid: 0x51,
        advbase: 2,
        advskew: 100,
        demotion: 3,
        counter: 0x0123_4567_89ab_cdef,
        digest: [
            0xc7, 0x5a, 0xb0, 0x0e, 0xd4, 0xdc, 0x16, 0x37, 0x00, 0x9b, 0xbe, 0x2d, 0xf6, 0x69, 0xfa, 0xd0, 0x87, 0xc0,
            0xaa, 0x75,
        ],
    };

    #[test]
    fn parses_and_emits_literal_bytes() {
        let packet = Packet::new_checked(&BYTES).unwrap();
        assert_eq!((packet.version(), packet.kind(), packet.auth_len()), (2, 1, 7));
        assert!(packet.verify_checksum());
        assert_eq!(Repr::parse(&packet), REPR);
        assert_eq!(REPR.emit(), BYTES);
    }

    #[test]
    fn version_and_type_share_a_byte() {
        let mut bytes = BYTES;
        bytes[0] = 0x5a;
        let packet = Packet::new_checked(&bytes).unwrap();
        assert_eq!((packet.version(), packet.kind()), (5, 10));
    }

    #[test]
    fn each_form_of_the_checksum_is_its_own() {
        let (src, dst) = ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap());
        let bytes = REPR.emit_with_pseudo_header(src, dst);
        let packet = Packet::new_checked(&bytes).unwrap();
        assert!(packet.verify_checksum_with_pseudo_header(src, dst));
        assert!(!packet.verify_checksum_with_pseudo_header("fe80::2".parse().unwrap(), dst));
        assert!(!packet.verify_checksum());
        assert!(!Packet::new_checked(&BYTES).unwrap().verify_checksum_with_pseudo_header(src, dst));
    }

    #[test]
    fn every_flipped_bit_breaks_the_checksum() {
        for bit in 0..LEN * 8 {
            let mut bytes = BYTES;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!Packet::new_checked(&bytes).unwrap().verify_checksum(), "bit {bit}");
        }
    }

    #[test]
    fn trailing_bytes_are_ignored_and_missing_ones_are_not() {
        let mut longer = [0xee; 40];
        longer[..36].copy_from_slice(&BYTES);
        let packet = Packet::new_checked(&longer).unwrap();
        assert!(packet.verify_checksum());
        assert_eq!(Repr::parse(&packet), REPR);
        let error = Packet::new_checked(&BYTES[..35]).unwrap_err();
        assert_eq!(error, WireError::Truncated { format: "CARP", needed: 36, found: 35 });
    }
}
