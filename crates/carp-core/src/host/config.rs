//! What a virtual host is told to be.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::rivals::ConflictPolicy;
use crate::auth::{AddressList, Key};
use crate::election::{self, TieRule};
use crate::node::LinkId;
use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::frame::{CARP_GROUP_V4, CARP_GROUP_V6};

/// What a virtual host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHostConfig {
    /// The link that it advertises on.
    pub link: LinkId,
    /// 1 to 255; the same on all hosts of the group.
    pub vhid: u8,
    /// What makes advertisements authentic; the same on all hosts of the group.
    pub credentials: Credentials,
    /// The own addresses on the link.
    pub local: Local,
    /// Where advertisements go to and are accepted for.
    pub transport: Transport,
    /// The Ethernet address that the virtual addresses are announced at.
    pub mac: MacMode,
    /// Own advertisement interval and rank.
    pub interval: Interval,
    /// How many advbases of silence make a master dead.
    pub dead_ratio: u32,
    /// Whether to displace a slower master at once.
    pub preempt: bool,
    /// How ties are decided.
    pub tie: TieRule,
    /// Whether checksums over IPv6 cover the pseudo header, which only newer NetBSD understands. Either is accepted.
    pub pseudo_header_checksum: bool,
    /// What is sent, and asked for, beyond the digest.
    pub authentication: Authentication,
    /// When it restrains itself.
    pub policy: Policy,
}

/// When a virtual host restrains itself, beyond what CARP itself does: the default is not at all.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether nodes that are demoted to the limit keep their ranks: advskew 241 to 254 instead of 240 for all of them.
    /// FreeBSD's 240 is then better than any of ours.
    pub ranked_demotion: bool,
    /// Whether the demotion is sent as OpenBSD's counter too, and that of others is compared before the interval. Only
    /// OpenBSD's nodes and ours understand it.
    pub demotion_byte: bool,
    /// After its link came up a virtual host does not preempt for so long.
    pub preempt_delay: Duration,
    /// After its start a virtual host only listens for so long.
    pub start_delay: Duration,
    /// What happens to a virtual host that takes over again and again.
    pub hold_down: Option<HoldDown>,
    /// A MASTER announces its addresses at least so often; `None`: only after a takeover.
    pub refresh: Option<Duration>,
    /// How other owners of its addresses are found; `None`: not at all.
    pub conflict: Option<ConflictPolicy>,
    /// The virtual hosts that it moves together with.
    pub group: Option<GroupId>,
}

/// Virtual hosts of one [`crate::node::Node`] that are MASTER together or not at all, numbered by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// How often a virtual host may take over before it does not preempt any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldDown {
    /// So many takeovers are in order,
    pub takeovers: u8,
    /// within this time.
    pub window: Duration,
    /// How long it does not preempt then.
    pub length: Duration,
}

impl VirtualHostConfig {
    /// The family of IPv4 is spoken as soon as there is an address to serve, even from 0.0.0.0, as the kernels do. Peers
    /// of unicast know this host by its address and answer there.
    pub(crate) fn speaks_v4(&self) -> bool {
        match &self.transport {
            Transport::Multicast { .. } => self.credentials.addresses.has_v4(),
            Transport::Unicast { peers, .. } => !self.local.v4.is_unspecified() && peers.iter().any(IpAddr::is_ipv4),
        }
    }

    /// Advertisements over IPv6 need a source: the unspecified address is none for a router to believe.
    pub(crate) fn speaks_v6(&self) -> Option<Ipv6Addr> {
        let wanted = match &self.transport {
            Transport::Multicast { .. } => self.credentials.addresses.has_v6(),
            Transport::Unicast { peers, .. } => peers.iter().any(IpAddr::is_ipv6),
        };
        self.local.v6.filter(|_| wanted)
    }

    pub(crate) fn election(&self) -> election::Config {
        let v6 = self.speaks_v6();
        let (source, source_v6) = match v6 {
            Some(source) if !self.speaks_v4() => (source.into(), None),
            _ => (self.local.v4.into(), v6),
        };
        let Self { interval, dead_ratio, preempt, tie, .. } = *self;
        election::Config { interval, dead_ratio, preempt, source, source_v6, tie, demotion: None }
    }
}

/// What makes an advertisement believable beside its digest, which any recorded one has.
///
/// Hosts of one group may have different ones, so that a group can be changed host by host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Authentication {
    /// The digest alone, as every other implementation. Counters are random. What is doubtful is counted as far as others
    /// stamp their advertisements, and nothing is said of it.
    Classic,
    /// Advertisements are stamped ([`crate::auth::stamp`]). What is doubtful is told, and believed all the same: right
    /// for groups with other implementations, which notice nothing.
    #[default]
    Observe,
    /// As [`Authentication::Observe`], but what is doubtful is not believed. All hosts of the group must stamp theirs.
    Strict,
}

/// What makes the advertisements of a group authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The key that the group shares.
    pub key: Key,
    /// The virtual addresses. UCARP knows exactly one, of IPv4.
    pub addresses: AddressList,
    /// Whether the digests that are sent cover IPv6 link-local addresses, as those of FreeBSD and NetBSD do and
    /// OpenBSD's do not. Either is accepted.
    pub link_local_in_digest: bool,
    /// The Ethernet address that an OpenBSD administrator has set on the carp interface: there it is part of the digest.
    pub lladdr: Option<MacAddr>,
}

impl Credentials {
    /// Those that all implementations share.
    #[must_use]
    pub const fn new(key: Key, addresses: AddressList) -> Self {
        Self { key, addresses, link_local_in_digest: false, lladdr: None }
    }
}

/// The own addresses on the link, which may come and go while a virtual host is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// The source of advertisements over IPv4; 0.0.0.0 if there is none.
    pub v4: Ipv4Addr,
    /// The source of advertisements over IPv6: normally the link-local address. Without one, none are sent.
    pub v6: Option<Ipv6Addr>,
    /// Whether this host forwards IPv6, which neighbour advertisements tell (RFC 4861 7.2.5).
    pub router: bool,
}

impl Local {
    /// A host with nothing but an address of IPv4.
    #[must_use]
    pub const fn v4(address: Ipv4Addr) -> Self {
        Self { v4: address, v6: None, router: false }
    }
}

/// Where advertisements go to and are accepted for. All hosts of a group need the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// To everybody on the link who joined the groups.
    Multicast {
        /// The group of IPv4.
        v4: Ipv4Addr,
        /// The group of IPv6.
        v6: Ipv6Addr,
        /// Whether frames go to the link's broadcast address, for networks that lose multicast (UCARP's `-M`).
        broadcast: bool,
    },
    /// To each of the other hosts. Accepted only from one of them, and for an own address.
    Unicast {
        /// The other hosts.
        peers: Vec<IpAddr>,
        /// Whether they may be behind routers: a TTL below 255 is accepted.
        any_ttl: bool,
    },
}

impl Default for Transport {
    /// The groups of all implementations.
    fn default() -> Self {
        Self::Multicast { v4: CARP_GROUP_V4, v6: CARP_GROUP_V6, broadcast: false }
    }
}

/// The Ethernet address that virtual addresses are announced at, and advertisements come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MacMode {
    /// The link's own; advertisements come from 00:00:5e:00:00:VHID. As UCARP.
    #[default]
    Interface,
    /// 00:00:5e:00:01:VHID for both. As the BSD kernels.
    Virtual,
}
