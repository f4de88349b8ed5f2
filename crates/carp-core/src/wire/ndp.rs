//! Neighbour advertisements (ICMPv6 type 136, RFC 4861 4.4): what tells an IPv6 link that an address has moved. And the
//! solicitation (type 135, RFC 4861 4.3) that asks for one.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::{MacAddr, WireError, array, check_len, checksum};

const FORMAT: &str = "neighbour advertisement";

/// Number of ICMPv6 as an IPv6 next header.
pub const PROTOCOL: u8 = 58;

/// Length in bytes without options.
pub const HEADER_LEN: usize = 24;

/// Hop limit that every neighbour discovery message must have, which proves that it comes from this link
/// (RFC 4861 7.1.2).
pub const HOP_LIMIT: u8 = 255;

const KIND: u8 = 136;
const SOLICITATION: u8 = 135;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
/// Length in bytes of a link-layer address option on Ethernet: type, length, address (RFC 4861 4.6.1).
const LINK_LAYER_OPTION_LEN: usize = 8;

mod field {
    use core::ops::Range;

    pub(super) const KIND: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const CHECKSUM: Range<usize> = 2..4;
    pub(super) const FLAGS: usize = 4;
    pub(super) const TARGET: Range<usize> = 8..24;
    pub(super) const OPTION_ADDRESS: Range<usize> = 2..8;
}

mod flag {
    pub(super) const ROUTER: u8 = 0x80;
    pub(super) const SOLICITED: u8 = 0x40;
    pub(super) const OVERRIDE: u8 = 0x20;
}

/// A view of a neighbour advertisement.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if the header or an option is cut short; [`WireError::Malformed`] if it is another
    /// message, or has an option of length 0, which RFC 4861 4.6 tells to discard.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, HEADER_LEN)?;
        if bytes[field::KIND] != KIND {
            return Err(WireError::Malformed { format: FORMAT, field: "type", value: bytes[field::KIND].into() });
        }
        let mut rest = &bytes[HEADER_LEN..];
        while !rest.is_empty() {
            (_, rest) = split_option(rest)?;
        }
        Ok(Self { bytes })
    }

    /// Code, always 0 today.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.bytes[field::CODE]
    }

    /// Does the checksum fit the message and these addresses?
    #[must_use]
    pub fn verify_checksum(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        message_checksum(src, dst, self.bytes) == 0
    }

    /// The sender forwards packets.
    #[must_use]
    pub fn router(&self) -> bool {
        self.bytes[field::FLAGS] & flag::ROUTER != 0
    }

    /// Somebody has asked for this advertisement.
    #[must_use]
    pub fn solicited(&self) -> bool {
        self.bytes[field::FLAGS] & flag::SOLICITED != 0
    }

    /// Receivers are to replace a link-layer address that they already have.
    #[must_use]
    pub fn override_cached(&self) -> bool {
        self.bytes[field::FLAGS] & flag::OVERRIDE != 0
    }

    /// The address that is advertised.
    #[must_use]
    pub fn target(&self) -> Ipv6Addr {
        Ipv6Addr::from(array::<16>(self.bytes, field::TARGET))
    }

    /// Where the target is, if the message says so. The first such option counts.
    #[must_use]
    pub fn link_layer(&self) -> Option<MacAddr> {
        let mut rest = &self.bytes[HEADER_LEN..];
        while let Ok((option, after)) = split_option(rest) {
            if option[0] == OPTION_TARGET_LINK_LAYER && option.len() == LINK_LAYER_OPTION_LEN {
                return Some(MacAddr(array(option, field::OPTION_ADDRESS)));
            }
            rest = after;
        }
        None
    }
}

/// The first option, whole, and what follows it. Every option is at least 8 bytes long.
fn split_option(rest: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    check_len(FORMAT, rest, 2)?;
    let len = usize::from(rest[1]) * 8;
    if len == 0 {
        return Err(WireError::Malformed { format: FORMAT, field: "option length", value: 0 });
    }
    check_len(FORMAT, rest, len)?;
    Ok(rest.split_at(len))
}

fn message_checksum(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> u16 {
    let len = u32::try_from(message.len()).expect("an IPv6 payload has a length of 16 bits");
    checksum::of(&[&checksum::pseudo_header(src, dst, len, PROTOCOL), message])
}

/// The group that a host with this address listens to (RFC 4291 2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// Writes a solicitation for `target` in a packet from `src` to `dst`, without the sender's link-layer address, which one
/// from no address must not have.
#[must_use]
pub fn solicitation(target: Ipv6Addr, src: Ipv6Addr, dst: Ipv6Addr) -> [u8; HEADER_LEN] {
    let mut out = [0; HEADER_LEN];
    out[field::KIND] = SOLICITATION;
    out[field::TARGET].copy_from_slice(&target.octets());
    let checksum = message_checksum(src, dst, &out);
    out[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    out
}

/// The typed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// The sender forwards packets. A receiver that sees this go drops the sender as its router (RFC 4861 7.2.5).
    pub router: bool,
    /// Somebody has asked for this advertisement.
    pub solicited: bool,
    /// Receivers are to replace a link-layer address that they already have.
    pub override_cached: bool,
    /// The address that is advertised.
    pub target: Ipv6Addr,
    /// Where the target is.
    pub link_layer: Option<MacAddr>,
}

impl Repr {
    /// Reads a message that came from `src` to `dst`, with the checks of RFC 4861 7.1.2 that need no IP header.
    ///
    /// # Errors
    /// [`WireError::Checksum`]; [`WireError::Malformed`] if the code is not 0, the target is multicast, or a
    /// message to a multicast address claims to be solicited.
    pub fn parse(packet: &Packet<'_>, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Self, WireError> {
        let malformed = |field, value| Err(WireError::Malformed { format: FORMAT, field, value });
        if !packet.verify_checksum(src, dst) {
            return Err(WireError::Checksum { format: FORMAT });
        }
        if packet.code() != 0 {
            return malformed("code", packet.code().into());
        }
        if packet.target().is_multicast() {
            return malformed("target", packet.target().octets()[0].into());
        }
        if packet.solicited() && dst.is_multicast() {
            return malformed("solicited flag", 1);
        }
        Ok(Self {
            router: packet.router(),
            solicited: packet.solicited(),
            override_cached: packet.override_cached(),
            target: packet.target(),
            link_layer: packet.link_layer(),
        })
    }

    /// Writes the message for a packet from `src` to `dst`: 24 bytes, 32 with a link-layer address.
    #[must_use]
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
        let bit = |set, flag| if set { flag } else { 0 };
        let mut out = Vec::with_capacity(HEADER_LEN + LINK_LAYER_OPTION_LEN);
        out.resize(HEADER_LEN, 0);
        out[field::KIND] = KIND;
        out[field::FLAGS] = bit(self.router, flag::ROUTER)
            | bit(self.solicited, flag::SOLICITED)
            | bit(self.override_cached, flag::OVERRIDE);
        out[field::TARGET].copy_from_slice(&self.target.octets());
        if let Some(mac) = self.link_layer {
            out.extend([OPTION_TARGET_LINK_LAYER, 1]);
            out.extend(mac.0);
        }
        let checksum = message_checksum(src, dst, &out);
        out[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests;
