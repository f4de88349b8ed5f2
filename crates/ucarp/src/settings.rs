//! What the daemon is told to do, checked, whether a command line or configuration files said it.

mod check;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use carp_core::auth::{AddressList, Key};
use carp_core::election::TieRule;
use carp_core::host::{self, Authentication, Credentials, GroupId, Local, MacMode, Policy, VirtualHostConfig};
use carp_core::node::LinkId;
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;

/// How often a MASTER announces its addresses anew unless it is told otherwise: switches and neighbours forget after
/// minutes.
pub const REFRESH: Duration = Duration::from_secs(60);
pub use check::{Check, Effect, ISOLATION, MOST_CHECKS, Probe, Url, Wanted};

/// Everything that the daemon runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The virtual hosts, each with a name of its own; no two with the same vhid on the same interface.
    pub hosts: Vec<HostSettings>,
    /// How long a reload lets the group go on with the old password and address list.
    pub grace: Duration,
    /// What is looked at, each with a name of its own; at most [`MOST_CHECKS`].
    pub checks: Vec<Check>,
    /// How the kernel treats the daemon.
    pub process: Process,
    /// Where the control socket is; `None`: nowhere.
    pub control: Option<PathBuf>,
}

/// How the kernel treats the processes of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Process {
    /// Before all others (`SCHED_FIFO`), with this priority, 1 to 99.
    pub realtime_priority: Option<u8>,
    /// Nothing of their memory is swapped out.
    pub lock_memory: bool,
    /// How much later than asked for they may be woken; `None`: what they inherit, 50 us as a rule.
    pub timer_slack: Option<Duration>,
}

/// One virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSettings {
    /// What the log calls it.
    pub name: String,
    /// The interface that it advertises on, without a label.
    pub interface: String,
    /// The interface as it was given, and as answers to SIGUSR1 name it: perhaps with a label.
    pub title: String,
    /// 1 to 255.
    pub vhid: u8,
    /// What authenticates the group.
    pub key: Key,
    /// The shared addresses, each once; at least one.
    pub addresses: Vec<VirtualAddress>,
    /// advbase and advskew.
    pub interval: Interval,
    /// How many advbases of silence make a master dead; at least 1.
    pub dead_ratio: u32,
    /// Whether to displace a slower master at once.
    pub preempt: bool,
    /// How advertisements reach the others.
    pub transport: Transport,
    /// The source of advertisements over IPv4; `None`: the first address of the interface that is not a virtual one.
    pub source_v4: Option<Ipv4Addr>,
    /// The source of advertisements over IPv6; `None`: the interface's link-local address.
    pub source_v6: Option<Ipv6Addr>,
    /// Who adds and removes the addresses.
    pub holding: Holding,
    /// Which Ethernet address clients see.
    pub mac: Mac,
    /// How ties between equal intervals are decided.
    pub tie: TieRule,
    /// The programs that run on changes of state.
    pub scripts: Scripts,
    /// Whether a missing carrier does not matter.
    pub ignore_carrier: bool,
    /// What is asked of advertisements beside their digest.
    pub authentication: Authentication,
    /// Forms of the protocol that only some peers have.
    pub dialect: Dialect,
    /// When it restrains itself; the group of virtual hosts is in `sync_group`.
    pub policy: Policy,
    /// For how long it is demoted after a stop of this host or advertisements that could not be sent; 0: not at all.
    pub penalty: Duration,
    /// The virtual hosts of the same name move together.
    pub sync_group: Option<String>,
    /// The names of the checks that it has, each once.
    pub checks: Vec<String>,
}

impl HostSettings {
    /// The virtual host as the core wants it. What it advertises on, from where and with which others, the caller knows.
    #[must_use]
    pub fn virtual_host(&self, link: LinkId, local: Local, group: Option<GroupId>) -> VirtualHostConfig {
        VirtualHostConfig {
            link,
            vhid: self.vhid,
            credentials: Credentials {
                key: self.key.clone(),
                addresses: AddressList::new(self.addresses.iter().map(|address| address.ip)),
                link_local_in_digest: self.dialect.link_local_in_digest,
                lladdr: self.dialect.lladdr,
            },
            local,
            transport: match &self.transport {
                Transport::Multicast { v4, v6 } => host::Transport::Multicast { v4: *v4, v6: *v6, broadcast: false },
                Transport::Broadcast { v4, v6 } => host::Transport::Multicast { v4: *v4, v6: *v6, broadcast: true },
                Transport::Unicast { peers, any_ttl } => {
                    host::Transport::Unicast { peers: peers.clone(), any_ttl: *any_ttl }
                }
            },
            mac: match self.mac {
                Mac::Interface => MacMode::Interface,
                Mac::Virtual { .. } => MacMode::Virtual,
            },
            interval: self.interval,
            dead_ratio: self.dead_ratio,
            preempt: self.preempt,
            tie: self.tie,
            pseudo_header_checksum: self.dialect.pseudo_header_checksum,
            authentication: self.authentication,
            policy: Policy { group, ..self.policy.clone() },
        }
    }
}

/// A shared address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualAddress {
    /// The address.
    pub ip: IpAddr,
    /// 1 to 32, or 1 to 128.
    pub prefix_len: u8,
}

/// How advertisements reach the other hosts of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To multicast groups.
    Multicast {
        /// The group of IPv4; 224.0.0.18 unless the whole group of hosts uses another one.
        v4: Ipv4Addr,
        /// The group of IPv6; ff02::12.
        v6: Ipv6Addr,
    },
    /// To the same groups, but to the Ethernet broadcast address (`ucarp -M`).
    Broadcast {
        /// The group of IPv4.
        v4: Ipv4Addr,
        /// The group of IPv6.
        v6: Ipv6Addr,
    },
    /// To each peer by itself.
    Unicast {
        /// The other hosts, at least one, of either family.
        peers: Vec<IpAddr>,
        /// Whether routers may lie between the hosts: advertisements of any TTL are accepted.
        any_ttl: bool,
    },
}

/// Who adds and removes the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// The scripts, as with UCARP.
    Scripts,
    /// The daemon, by netlink.
    Native(Native),
}

/// How the daemon holds addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// How long the kernel keeps an address that is not renewed, in whole seconds, at least 1; 0: for ever.
    pub lease: u32,
    /// The label of IPv4 addresses, such as `eth0:vip`, at most 15 characters.
    pub label: Option<String>,
    /// Their scope.
    pub scope: Scope,
    /// Whether the kernel makes no route for the prefix.
    pub noprefixroute: bool,
}

/// The scope of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Valid everywhere.
    #[default]
    Global,
    /// Valid on its link only.
    Link,
    /// Valid on this host only.
    Host,
}

/// Which Ethernet address clients see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mac {
    /// The interface's own.
    Interface,
    /// 00:00:5e:00:01:VHID, on a virtual interface of this name that holds the addresses.
    Virtual {
        /// The virtual interface; at most 15 characters.
        name: String,
    },
}

/// The programs that run on changes of state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scripts {
    /// Run on becoming MASTER.
    pub up: Option<Script>,
    /// Run on leaving MASTER, and at start unless `neutral`.
    pub down: Option<Script>,
    /// No down script at start.
    pub neutral: bool,
    /// A script that runs longer is ended.
    pub time_limit: Duration,
}

/// A program and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file to execute.
    pub path: OsString,
    /// All its arguments, those of UCARP's convention (interface, first address, extra parameter) included.
    pub arguments: Vec<OsString>,
}

/// Forms of the protocol that only some peers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The digests that are sent cover IPv6 link-local addresses (FreeBSD, NetBSD) or do not (OpenBSD). Both are accepted.
    pub link_local_in_digest: bool,
    /// Checksums over IPv6 cover the pseudo header (NetBSD since about 2020). Both are accepted.
    pub pseudo_header_checksum: bool,
    /// The Ethernet address that an OpenBSD administrator has set on the carp interface: part of the digest there.
    pub lladdr: Option<MacAddr>,
}
