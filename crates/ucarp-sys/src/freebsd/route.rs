//! Where packets to an address go, which is not asked on FreeBSD.

use std::net::IpAddr;

use crate::kernel::{Connection, KernelError};

/// The way of packets to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The interface that they leave by.
    pub interface: u32,
    /// The router that they are given to; `None`: the address is on the interface's own network.
    pub gateway: Option<IpAddr>,
    /// The address is this host's own.
    pub is_local: bool,
}

/// Finds none.
///
/// # Errors
///
/// [`KernelError::Unsupported`], always.
pub fn lookup(_: &mut Connection, _: IpAddr) -> Result<Option<Route>, KernelError> {
    Err(KernelError::Unsupported("questions for routes in ucarp: use a command as check"))
}
