//! Wire formats: one file per format, and [`frame`] for the whole frames that CARP sends and receives.
//!
//! Every format has the same parts, in this order:
//!
//! * `mod field`: where each field is, as named byte positions and ranges;
//! * a view (`Packet`, `Frame`) over borrowed bytes. `new_checked` checks every length that an accessor relies on,
//!   so that **after it succeeded no accessor panics**, whatever the bytes say;
//! * `Repr`, the typed representation: `parse` makes one from a view, `emit` writes one.
//!
//! Views tell what is there; they accept values that make no sense. What makes sense is decided by `parse` and, for
//! received advertisements, by [`frame::parse`]. Nothing here allocates on receive.

use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

pub mod advertisement;
pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod frame;
pub mod ipv4;
pub mod ipv6;
pub mod ndp;

/// An Ethernet (EUI-48) address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`, every station on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Why bytes are not what a format says, or cannot be written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than the format, or a length inside it, asks for.
    #[error("{format}: {needed} bytes needed, only {found} there")]
    Truncated {
        /// Name of the format.
        format: &'static str,
        /// Bytes that would be needed.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A field has a value that the format does not allow.
    #[error("{format}: field {field} has the impossible value {value}")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
    /// The checksum does not fit the bytes.
    #[error("{format}: wrong checksum")]
    Checksum {
        /// Name of the format.
        format: &'static str,
    },
    /// A frame was to be written from an address of one family to one of the other.
    #[error("source {src} and destination {dst} are of different families: use two of one family")]
    MixedFamilies {
        /// Source address.
        src: IpAddr,
        /// Destination address.
        dst: IpAddr,
    },
}

/// Fails unless `bytes` has at least `needed` bytes.
fn check_len(format: &'static str, bytes: &[u8], needed: usize) -> Result<(), WireError> {
    if bytes.len() < needed {
        return Err(WireError::Truncated { format, needed, found: bytes.len() });
    }
    Ok(())
}

/// The `N` bytes of a field. Ranges are constants inside the length that the view has checked.
fn array<const N: usize>(bytes: &[u8], range: Range<usize>) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[range]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn mac_address_is_printed_in_lower_case_with_leading_zeros() {
        assert_eq!(MacAddr([0x02, 0, 0, 0, 0, 0x0a]).to_string(), "02:00:00:00:00:0a");
        assert_eq!(MacAddr::BROADCAST.to_string(), "ff:ff:ff:ff:ff:ff");
    }

    #[test]
    fn errors_name_the_wrong_value() {
        let error = check_len("ARP", &[0; 3], 28).unwrap_err();
        assert_eq!(error.to_string(), "ARP: 28 bytes needed, only 3 there");
        assert_eq!(check_len("ARP", &[0; 28], 28), Ok(()));
    }
}
