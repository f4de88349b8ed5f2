//! FreeBSD: interfaces as `sysctl(3)` lists them.

use std::net::IpAddr;

use super::Link;
use crate::bsd::routing::ETHERNET;
use crate::kernel::{Connection, KernelError, snapshot};

/// `IFT_ETHER`: the [`Link::hardware_type`] of everything that speaks Ethernet, also where FreeBSD has another number.
pub const HARDWARE_ETHERNET: u16 = ETHERNET as u16;

/// The interface called `name`, or `None`.
///
/// # Errors
/// The list cannot be read.
pub fn by_name(name: &str) -> Result<Option<Link>, KernelError> {
    Ok(all()?.into_iter().find(|link| link.name == name))
}

/// [`by_name`] over an open connection.
///
/// # Errors
/// The list cannot be read.
pub fn find(connection: &mut Connection, name: &str) -> Result<Option<Link>, KernelError> {
    Ok(connection.snapshot()?.links.into_iter().find(|link| link.name == name))
}

/// All interfaces, in the kernel's order.
///
/// # Errors
/// The list cannot be read.
pub fn all() -> Result<Vec<Link>, KernelError> {
    Ok(snapshot().map_err(KernelError::List)?.links)
}

/// The interface that UCARP 1.5.2 uses when none is given: the first in the kernel's order that is up, running and not a
/// loopback. `None` if there is no such interface.
///
/// # Errors
/// The list cannot be read.
pub fn first_usable() -> Result<Option<Link>, KernelError> {
    Ok(all()?.into_iter().find(|link| link.up && link.running && !link.loopback))
}

/// Every address of this host with the index of its interface.
///
/// # Errors
/// The list cannot be read.
pub fn addresses() -> Result<Vec<(u32, IpAddr)>, KernelError> {
    let addresses = snapshot().map_err(KernelError::List)?.addresses;
    Ok(addresses.into_iter().map(|own| (own.index, own.address)).collect())
}

/// Whether this host forwards IPv6 packets: then it is a router to its neighbours, on all interfaces. Not if that cannot
/// be read, as in a kernel without IPv6.
pub fn forwards_ipv6(_: &str) -> bool {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>();
    // SAFETY: the name ends with a NUL; the number and its length are live; nothing is set.
    let result = unsafe {
        libc::sysctlbyname(
            c"net.inet6.ip6.forwarding".as_ptr(),
            (&raw mut value).cast(),
            &raw mut length,
            std::ptr::null(),
            0,
        )
    };
    result == 0 && length == size_of::<libc::c_int>() && value != 0
}
