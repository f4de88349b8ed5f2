//! Changes of interfaces and addresses, as the kernel tells them.

#[cfg_attr(target_os = "freebsd", path = "monitor/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "monitor/linux.rs")]
mod system;

use std::net::IpAddr;

use crate::link::Link;

pub use system::{Monitor, Requester};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link appeared or something about it changed: up, carrier, MAC, name (then the index is the same) or something
    /// we do not look at.
    LinkChanged(Link),
    /// A link is gone: removed, or moved to another namespace.
    LinkGone {
        /// Its index.
        index: u32,
        /// Its last name.
        name: String,
    },
    /// An address was added, or its lifetime or flags changed. Those that carry [`crate::address::PROTOCOL`] are not told of: the
    /// kernel tells of each renewal, and a daemon with many addresses would wake up for its own work.
    AddressAdded {
        /// The interface.
        index: u32,
        /// The address.
        address: IpAddr,
    },
    /// An address was removed.
    AddressRemoved {
        /// The interface.
        index: u32,
        /// The address.
        address: IpAddr,
        /// Who asked for it, where the kernel tells: Linux does of IPv4 addresses, and FreeBSD does not.
        by: Option<Requester>,
    },
    /// Changes were lost: look at the state anew ([`crate::link::all`], [`crate::link::addresses`]).
    Overrun,
}
