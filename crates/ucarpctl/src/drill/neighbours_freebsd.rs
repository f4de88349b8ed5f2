//! FreeBSD's tables of neighbours are not asked: a drill goes by what the daemon says and by what answers, and does not tell
//! from whose Ethernet address.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// As it is written: `02:00:00:00:00:01`.
    pub(super) mac: String,
}

/// The number of an interface, if there is one of this name.
pub(super) fn index(interface: &str) -> Option<u32> {
    // The C library knows the zone of a link-local address by the interface's name.
    let mut found = (format!("fe80::1%{interface}").as_str(), 0).to_socket_addrs().ok()?;
    found.find_map(|address| match address {
        SocketAddr::V6(address) => Some(address.scope_id()).filter(|index| *index != 0),
        SocketAddr::V4(_) => None,
    })
}

/// Whether the kernel has an answer of this neighbour that is not old: that is not known here.
pub(super) fn is_reachable(_interface: &str, _address: IpAddr) -> bool {
    false
}

/// The neighbour table, which nobody has.
pub(super) enum Table {}

impl Table {
    /// # Errors
    /// Always: it is not asked.
    pub(super) fn open(_interface: &str) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The neighbour with an address.
    pub(super) fn find(&self, _address: IpAddr) -> io::Result<Option<Neighbour>> {
        match *self {}
    }
}
