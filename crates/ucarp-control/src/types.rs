//! What is told of virtual hosts. Times are milliseconds; those that end in `_at` are of the wall clock since 1970.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a virtual host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Starting or ending.
    Init,
    /// Listens to a MASTER, or waits for one.
    Backup,
    /// Serves the addresses.
    Master,
    /// Cannot or must not serve: no link, a check that failed, or held by the operator.
    Fault,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        })
    }
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Of the program.
    pub version: String,
    /// The process that has the rights and gets signals.
    pub pid: u32,
    /// The process that reads the network.
    pub engine_pid: u32,
    /// When the engine was started.
    pub started_at: u64,
    /// The wall clock of the host.
    pub now: u64,
    /// `None`: it was started with UCARP's options.
    pub configuration_file: Option<String>,
    /// How many there are.
    pub virtual_hosts: u32,
    /// The host's name.
    pub host_name: String,
}

/// A virtual address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// With the length of its prefix, such as `192.0.2.1/24`.
    pub address: String,
    /// Whether it is there as far as the guardian knows. `None`: scripts hold it.
    pub held: Option<bool>,
    /// How often somebody else took it away.
    pub removed_by_others: u64,
}

/// Somebody whose authentic advertisements are heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// What the advertisements come from.
    pub address: String,
    /// The Ethernet address that they come from, if any is known.
    pub mac: Option<String>,
    /// Seconds between its advertisements.
    pub advbase: u8,
    /// 1/256 seconds more.
    pub advskew: u8,
    /// The demotion that it tells, as the kernels of the BSDs do.
    pub demotion: u8,
    /// When it was last heard.
    pub heard_ago: u64,
    /// How many advertisements of it were believed.
    pub advertisements: u64,
    /// Whether it is MASTER: it was heard within the dead time, and has not said goodbye.
    pub is_master: bool,
    /// Whether its advertisements are stamped, which only this implementation does.
    pub stamped: bool,
}

/// What raises the advertised skew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// The name of a check, `operator`, `send errors`, ...
    pub name: String,
    /// By how much.
    pub demotion: u16,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckState {
    /// All is well.
    Up,
    /// It failed as often as it takes.
    Down,
    /// It has not run, or not been heard of.
    Unknown,
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// A check of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name in the configuration.
    pub name: String,
    /// What is checked: `ping`, `tcp`, ...
    pub kind: String,
    /// What it says.
    pub state: CheckState,
    /// For how long it has said so.
    pub since: u64,
    /// When it last ran.
    pub ran_ago: Option<u64>,
    /// How long it took then.
    pub took: Option<u64>,
    /// What came of it then.
    pub result: String,
    /// What follows when it is DOWN.
    pub effect: String,
}

/// A script that runs, or the last one that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// `up` or `down`.
    pub action: String,
    /// When it was started.
    pub started_ago: u64,
    /// How long it took.
    pub took: Option<u64>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<String>,
}

/// Another machine that has, or had, an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The virtual address.
    pub address: String,
    /// The Ethernet address where it is said to be.
    pub mac: String,
    /// The own address of that machine, if it is one of the group.
    pub peer: Option<String>,
    /// When it last said so.
    pub claimed_ago: u64,
    /// How often it did.
    pub claims: u64,
    /// What is done about it: `defend`, `yield` or `report`.
    pub answer: String,
}

/// What is due, and the times it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Until the next own advertisement of a MASTER.
    pub next_advertisement: Option<u64>,
    /// Until a BACKUP takes over if it hears nothing.
    pub takeover: Option<u64>,
    /// How much silence makes a master dead.
    pub dead_time: u64,
    /// Between two advertisements.
    pub advertisement_interval: u64,
}

/// A virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualHost {
    /// Its name in the configuration, or the interface's.
    pub name: String,
    /// 1 to 255.
    pub vhid: u8,
    /// Where it advertises.
    pub interface: String,
    /// The group of virtual hosts that change together.
    pub group: Option<String>,
    /// What it is.
    pub state: State,
    /// For how long.
    pub since: u64,
    /// Since when.
    pub since_at: u64,
    /// Why, as a sentence.
    pub reason: String,
    /// Why, as a word: see [`Event::cause`].
    pub cause: String,
    /// How often the state changed since the engine was started.
    pub transitions: u64,
    /// The virtual addresses.
    pub addresses: Vec<Address>,
    /// Whether the daemon holds them itself, without scripts.
    pub native: bool,
    /// As configured: seconds between advertisements.
    pub advbase: u8,
    /// As configured: 1/256 seconds more.
    pub advskew: u8,
    /// What is advertised: with what demotes it.
    pub advertised_skew: u8,
    /// How many advbases of silence make a master dead.
    pub dead_ratio: u32,
    /// Whether it displaces a slower master.
    pub preempt: bool,
    /// `multicast`, `broadcast` or `unicast`.
    pub transport: String,
    /// `classic`, `observe` or `strict`.
    pub authentication: String,
    /// The Ethernet address that the addresses are announced at: `interface` or `virtual`.
    pub mac: String,
    /// What raises the advertised skew.
    pub demotion: Vec<Contribution>,
    /// Whether an operator holds it.
    pub held: bool,
    /// What is due.
    pub timers: Timers,
    /// The address of the host that is MASTER, if one is known and it is not this one.
    pub master: Option<String>,
    /// Who was heard, the last one first.
    pub peers: Vec<Peer>,
    /// Its checks.
    pub checks: Vec<Check>,
    /// The script that runs, or ran last.
    pub script: Option<Script>,
    /// Another machine that had one of the addresses within the last hour.
    pub conflict: Option<Conflict>,
    /// Packets and what was wrong with them, also under the names of the BSD kernels.
    pub counters: BTreeMap<String, u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows, also from one start of the daemon to the next.
    pub number: u64,
    /// When.
    pub at: u64,
    /// To whom; `None`: to the daemon.
    pub virtual_host: Option<String>,
    /// Of that virtual host.
    pub vhid: Option<u8>,
    /// Of that virtual host.
    pub interface: Option<String>,
    /// `transition`, `leaving`, `address`, `script`, `check`, `notice`, `command` or `daemon`.
    pub kind: String,
    /// Of a transition: the state before.
    pub from: Option<State>,
    /// Of a transition: the state from then on.
    pub to: Option<State>,
    /// A word per reason, such as `master-timed-out`.
    pub cause: String,
    /// A sentence.
    pub message: String,
}

/// Why a virtual host is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which one.
    pub virtual_host: String,
    /// What it is.
    pub state: State,
    /// The last decision in one sentence.
    pub summary: String,
    /// What the decision was made of.
    pub evidence: Vec<String>,
    /// What would make it MASTER, and when.
    pub to_become_master: Vec<String>,
    /// What would make it BACKUP, and when.
    pub to_become_backup: Vec<String>,
    /// What is not as it should be.
    pub warnings: Vec<String>,
}
