//! The trap of `promote_secondaries`.

use std::net::Ipv4Addr;

use super::{Assignment, IpAddr, list};
use crate::netlink::{Connection, NetlinkError};
use crate::sysctl::{self, Family, SysctlError};

/// Why it is not known whether an address is trapped.
#[derive(Debug, thiserror::Error)]
pub enum TrapError {
    /// The kernel did not list its addresses.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// `promote_secondaries` cannot be read.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
}

/// Whether the end of a lease would take other addresses of the interface along, now or after somebody has added them.
///
/// The first IPv4 address of a prefix on an interface is its primary address, later ones are secondary. When the primary
/// goes, by its time or because it is removed, the kernel removes the secondary ones as well, unless
/// `promote_secondaries` is 1 for the interface or for `all`. A /32 shares its prefix with nobody, and IPv6 knows nothing
/// of this. `interface` is the name of the interface; it and `promote_secondaries` are those of the calling thread's
/// namespace.
///
/// # Errors
/// The kernel's addresses or `/proc/sys` cannot be read.
pub fn primary_trap(connection: &mut Connection, interface: &str, at: Assignment) -> Result<bool, TrapError> {
    let IpAddr::V4(wanted) = at.address else { return Ok(false) };
    if at.prefix_len >= 32 {
        return Ok(false);
    }
    let network = network(wanted, at.prefix_len);
    let has_primary = list(connection)?.iter().any(|found| {
        let IpAddr::V4(address) = found.at.address else { return false };
        let is_other = (found.at.index, found.at.prefix_len) == (at.index, at.prefix_len) && address != wanted;
        is_other && !found.secondary && self::network(address, at.prefix_len) == network
    });
    if has_primary {
        return Ok(false);
    }
    for of in ["all", interface] {
        if sysctl::read(Family::Ipv4, of, "promote_secondaries")? != "0" {
            return Ok(false);
        }
    }
    Ok(true)
}

fn network(address: Ipv4Addr, prefix_len: u8) -> u32 {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0);
    address.to_bits() & mask
}
