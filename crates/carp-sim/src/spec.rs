//! What a node of a simulated group is and how it was configured.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::election::TieRule;
use carp_core::timing::Interval;

/// The virtual host of every simulated group.
pub(crate) const VHID: u8 = 7;

/// The virtual address that all of them should have.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

/// An implementation of CARP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `carp-core`, the code that ships.
    Ours,
    /// UCARP 1.5.2.
    Ucarp,
    /// The kernel of FreeBSD 10 to 13.
    FreeBsd,
    /// The kernel of OpenBSD.
    OpenBsd,
    /// The kernel of NetBSD.
    NetBsd,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ours, Self::Ucarp, Self::FreeBsd, Self::OpenBsd, Self::NetBsd];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Ucarp => "ucarp",
            Self::FreeBsd => "freebsd",
            Self::OpenBsd => "openbsd",
            Self::NetBsd => "netbsd",
        }
    }

    pub(crate) const fn is_kernel(self) -> bool {
        matches!(self, Self::FreeBsd | Self::OpenBsd | Self::NetBsd)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no such kind of peer: {name}: use some of {}", Self::ALL.map(Self::name).join(",")))
    }
}

/// Which of several passwords and address lists a node was given; only nodes with the same ones understand each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    pub(crate) wrong_password: bool,
    pub(crate) wrong_addresses: bool,
}

impl Credentials {
    pub(crate) fn key(self) -> Key {
        let password: &[u8] = if self.wrong_password { b"secert" } else { b"secret" };
        Key::from_password(password).expect("both passwords are of a permitted length")
    }

    pub(crate) fn addresses(self) -> AddressList {
        let last = if self.wrong_addresses { 101 } else { 100 };
        AddressList::new([Ipv4Addr::new(10, 0, 0, last).into()])
    }

    pub(crate) fn authenticator(self) -> Authenticator {
        Authenticator::new(&self.key(), VHID, &self.addresses())
    }
}

/// The configuration of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) interval: Interval,
    /// Ours and UCARP; the kernels have 3.
    pub(crate) dead_ratio: u32,
    pub(crate) preempt: bool,
    /// Ours; UCARP is simulated on a little-endian host.
    pub(crate) tie: TieRule,
    pub(crate) source: Ipv4Addr,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.source, self.interval)?;
        if self.dead_ratio != 3 {
            write!(f, " dead ratio {}", self.dead_ratio)?;
        }
        f.write_str(if self.preempt { " preempt" } else { "" })
    }
}
