//! The bytes of a BSD kernel: what its packet filter delivers, what its routing socket tells, and what its interface
//! requests take. Nothing here asks the system for anything, so all of it is tested on Linux, too, with bytes that live
//! FreeBSD 10.4 and 15.0 kernels have given (`tests/vectors/freebsd`). Numbers are those of 64-bit FreeBSD, and
//! little-endian where an order matters: FreeBSD's amd64 and arm64.

pub(crate) mod capture;
pub(crate) mod leases;
pub(crate) mod packet;
pub(crate) mod request;
pub(crate) mod routing;
#[cfg(test)]
mod testing;

/// `AF_INET`.
const INET: u8 = 2;
/// `AF_LINK`.
const LINK: u8 = 18;
/// `AF_INET6`.
const INET6: u8 = 28;

/// The longest name of an interface and its NUL.
pub(crate) const NAME_BYTES: usize = 16;

/// A number in the kernel's order, if it is there.
fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// As [`u16_at`].
fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Where `length` bytes end that are padded to a multiple of 8.
fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// The text of a field that ends with a NUL or is full.
pub(crate) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|octet| *octet == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}
