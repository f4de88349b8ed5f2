//! Virtual addresses: added for a limited time, renewed, removed and listed, many at once.
//!
//! The kernel removes an address whose time is over by itself: measured 0.0 to 0.3 s after it. Putting an address that is
//! there renews its time and changes nothing else: IPv4 keeps label, scope and `noprefixroute`, IPv6 even the prefix
//! length, and a prefix route that somebody removed stays removed. To change those, remove the address first.

#[cfg_attr(target_os = "freebsd", path = "address/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "address/linux.rs")]
mod system;

use std::net::IpAddr;
use std::time::Duration;

pub use system::{Renewal, TrapError, list, primary_trap, put, remove};

/// How addresses that this crate adds are marked (`IFA_PROTO`): with CARP's number in the IP header. Linux has the mark
/// since 5.18; an older kernel ignores it, and [`Found::protocol`] is then `None`.
pub const PROTOCOL: u8 = 112;

/// An address on an interface. An IPv4 address can be on the same interface several times, with different prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Assignment {
    /// The interface.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// 0 to 32 or 0 to 128. The kernel refuses a longer one.
    pub prefix_len: u8,
}

/// How far an IPv4 address is valid. IPv6 has its scopes in the addresses, and the kernel ignores what is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everywhere.
    #[default]
    Global,
    /// Within the site, which means whatever the administrator wants.
    Site,
    /// On this link: never the source of packets to elsewhere.
    Link,
    /// Inside the host.
    Host,
}

/// An address that this host is to have for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which address, and where.
    pub at: Assignment,
    /// How long from now, in whole seconds: rounded down, and at least 1 s. `None` is for ever.
    pub valid: Option<Duration>,
    /// The name that `ifconfig` shows, at most 15 octets that begin with the name of the interface. IPv4 only.
    pub label: Option<String>,
    /// How far it is valid. All addresses of one IPv4 prefix must have the same scope, the kernel says.
    pub scope: Scope,
    /// Whether the kernel is not to add a route to the address's prefix. For /32 and /128 it is never added.
    pub noprefixroute: bool,
    /// Whether this host may choose an IPv6 address as the source of connections that it opens. If not, it is added as
    /// deprecated: then it is chosen only if there is no other, and all else works. A /128 address that is not
    /// deprecated beats the host's own for every destination in its network (measured, RFC 6724 5 rule 8), and those
    /// connections would break when the address moves on. IPv4 does not have this problem nor the choice.
    pub preferred: bool,
}

impl Lease {
    /// The usual lease: global, without a label, not preferred as source.
    #[must_use]
    pub fn new(at: Assignment, valid: Option<Duration>) -> Lease {
        Lease { at, valid, label: None, scope: Scope::Global, noprefixroute: false, preferred: false }
    }
}

/// An address that the kernel has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which address, and where. On a point-to-point link it is the local end's.
    pub at: Assignment,
    /// Its label, which is the name of its interface if nobody gave it one. IPv4 only.
    pub label: Option<String>,
    /// Who added it (`IFA_PROTO`), such as [`PROTOCOL`]; `None` if nobody said or the kernel is older than 5.18.
    pub protocol: Option<u8>,
    /// How long it is still valid, in whole seconds; `None` is for ever.
    pub valid: Option<Duration>,
    /// IPv4: another address of the interface has the same prefix and was there first.
    pub secondary: bool,
    /// IPv6: not usable yet, because the kernel is looking for duplicates, or has found one.
    pub tentative: bool,
    /// IPv6: not chosen as the source of new connections.
    pub deprecated: bool,
}
