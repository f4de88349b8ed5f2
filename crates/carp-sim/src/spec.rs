//! What a node of a simulated group is and how it was configured.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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

/// What a group advertises over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Families {
    /// IPv4 alone.
    #[default]
    V4,
    /// IPv6 alone.
    V6,
    /// Both: every advertisement is sent twice.
    Dual,
}

impl Families {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Dual];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
            Self::Dual => "dual",
        }
    }

    /// How many frames make an advertisement to a group.
    pub(crate) const fn count(self) -> usize {
        if matches!(self, Self::Dual) { 2 } else { 1 }
    }

    pub(crate) const fn has(self, family: Family) -> bool {
        matches!((self, family), (Self::Dual, _) | (Self::V4, Family::V4) | (Self::V6, Family::V6))
    }
}

impl FromStr for Families {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|families| families.name() == name);
        found.ok_or_else(|| format!("no such choice of families: {name}: use {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// The family of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::V4 { "IPv4" } else { "IPv6" })
    }
}

/// Which of several passwords and address lists a node was given; only nodes with the same ones understand each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    pub(crate) wrong_password: bool,
    pub(crate) wrong_addresses: bool,
    /// What the whole group was given, and then was given anew.
    pub(crate) edition: Edition,
}

/// A group has one edition of its credentials at the start, and may get another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Edition {
    pub(crate) new_password: bool,
    pub(crate) new_addresses: bool,
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.new_password, self.new_addresses) {
            (true, true) => "password and addresses",
            (true, false) => "password",
            (false, _) => "addresses",
        })
    }
}

impl Credentials {
    /// Those of the group.
    pub(crate) fn right(edition: Edition) -> Self {
        Self { edition, ..Self::default() }
    }

    /// Whether the operator meant them to be those of the same group, at some time.
    pub(crate) fn same_group(self, other: Self) -> bool {
        (self.wrong_password, self.wrong_addresses) == (other.wrong_password, other.wrong_addresses)
    }

    pub(crate) fn key(self) -> Key {
        let password: &[u8] = match (self.wrong_password, self.edition.new_password) {
            (true, _) => b"secert",
            (false, false) => b"secret",
            (false, true) => b"terces",
        };
        Key::from_password(password).expect("all passwords are of a permitted length")
    }

    pub(crate) fn addresses(self, families: Families) -> AddressList {
        let last = if self.wrong_addresses { 101 } else { 100 };
        let all: [(bool, IpAddr); 4] = [
            (true, Ipv4Addr::new(10, 0, 0, last).into()),
            (true, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into()),
            (self.edition.new_addresses, Ipv4Addr::new(10, 0, 0, 200).into()),
            (self.edition.new_addresses, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x200).into()),
        ];
        let wanted = |(there, address): &(bool, IpAddr)| *there && families.has(Family::of(*address));
        AddressList::new(all.into_iter().filter(wanted).map(|(_, address)| address))
    }

    /// The forms of digest that go with them: over the whole list first, then without link-local addresses.
    pub(crate) fn authenticators(self, families: Families) -> [Authenticator; 2] {
        let whole = self.addresses(families);
        [&whole, &whole.without_link_local()].map(|list| Authenticator::new(&self.key(), VHID, list))
    }

    pub(crate) fn authenticator(self, families: Families) -> Authenticator {
        let [whole, _] = self.authenticators(families);
        whole
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
    pub(crate) source_v6: Ipv6Addr,
    pub(crate) families: Families,
    /// Ours: whether its digests cover link-local addresses.
    pub(crate) whole_digest: bool,
}

impl Spec {
    /// A node with addresses 10.0.0.`last` and fe80::`last` and everything else as by default, IPv4 alone.
    pub(crate) fn plain(kind: Kind, last: u8, advskew: u8) -> Self {
        Self {
            kind,
            interval: Interval { advbase: 1, advskew },
            dead_ratio: 3,
            preempt: false,
            tie: TieRule::UcarpLittleEndian,
            source: Ipv4Addr::new(10, 0, 0, last),
            source_v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into()),
            families: Families::V4,
            whole_digest: false,
        }
    }

    /// The own address in a family.
    pub(crate) fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.source.into(),
            Family::V6 => self.source_v6.into(),
        }
    }

    /// The family that decides ties while it is heard.
    pub(crate) fn first_family(&self) -> Family {
        if self.families.has(Family::V4) { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        for family in Family::BOTH.into_iter().filter(|family| self.families.has(*family)) {
            write!(f, " {}", self.address(family))?;
        }
        write!(f, " {}", self.interval)?;
        if self.dead_ratio != 3 {
            write!(f, " dead ratio {}", self.dead_ratio)?;
        }
        f.write_str(if self.preempt { " preempt" } else { "" })
    }
}
