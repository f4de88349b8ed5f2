//! The network interfaces of this namespace and their addresses, as they are now. For changes see [`crate::monitor`].

#[cfg_attr(target_os = "freebsd", path = "link/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "link/linux.rs")]
mod system;

use std::io;

use rustix::io::Errno;

pub use system::{HARDWARE_ETHERNET, addresses, all, by_name, find, first_usable, forwards_ipv6};
#[cfg(target_os = "linux")]
pub(crate) use system::{describe, describe_all, describe_name, local_address};
#[cfg(target_os = "linux")]
pub use system::{list, list_addresses};

/// Whether a socket says that its interface is down or gone.
#[must_use]
pub fn is_unusable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NXIO | Errno::NODEV | Errno::NETDOWN))
}

/// The longest name an interface can have, in bytes (`IFNAMSIZ` without the final NUL).
pub const MAX_NAME_BYTES: usize = 15;

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Never reused for another interface while the host runs, unless someone asks for it.
    pub index: u32,
    /// Its present name; it can be renamed.
    pub name: String,
    /// `IFF_UP`: the administrator wants it up.
    pub up: bool,
    /// `IFF_RUNNING`: it has carrier and is operational.
    pub running: bool,
    /// The hardware address, if it has one of six bytes.
    pub mac: Option<[u8; 6]>,
    /// `ARPHRD_...`, such as [`HARDWARE_ETHERNET`].
    pub hardware_type: u16,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
}
