//! What the two processes tell each other for the control socket: the engine answers it, and the guardian knows what the
//! engine cannot.

use std::net::IpAddr;
use std::time::Duration;

use log::Level;

use super::HostNumber;

/// Names that operators give their demotions are not longer, in octets.
pub const LONGEST_NAME: usize = 64;

/// Demotions of operators that one virtual host can have.
pub const MOST_DEMOTIONS: usize = 16;

/// So much of a text goes into one message, in octets.
pub const LONGEST_TEXT: usize = 16 * 1024;

/// What the guardian tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Answer on this socket, whose descriptor comes along; without one: on none.
    Listen(Terms),
    /// The answer to [`Asked::Facts`].
    Facts {
        /// Of which virtual host.
        host: HostNumber,
        /// What the guardian knows of it.
        facts: Facts,
    },
    /// The answer to [`Asked::Reload`].
    Reloaded {
        /// The daemon is as the files say now.
        is_applied: bool,
        /// What is wrong with the files.
        problems: Vec<String>,
    },
    /// A part of the answer to [`Asked::Configuration`].
    Configuration {
        /// What follows on the part before.
        text: String,
        /// Nothing follows.
        is_last: bool,
    },
    /// Something for the history.
    Happened {
        /// To whom; `None`: to the daemon.
        host: Option<HostNumber>,
        /// As the interface names it.
        kind: Kind,
        /// In a sentence.
        message: String,
    },
}

/// Which of the guardian's doings an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A script was started, or has ended.
    Script,
    /// An address was removed by somebody else.
    Address,
    /// The daemon.
    Daemon,
}

/// Who may do what on the control socket, and what it tells of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Terms {
    /// Whether a socket comes along.
    pub listens: bool,
    /// The user who may change things, beside root.
    pub owner: u32,
    /// The group that may read.
    pub group: Option<u32>,
    /// The guardian.
    pub process: u32,
    /// The host's name.
    pub host_name: String,
    /// The configuration file, if there is one.
    pub file: Option<String>,
}

/// What only the guardian knows of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Facts {
    /// The group of virtual hosts that change together.
    pub group: Option<String>,
    /// The virtual addresses, as many as fit.
    pub addresses: Vec<AddressFacts>,
    /// The script that runs, or ran last.
    pub script: Option<ScriptFacts>,
}

/// What the guardian knows of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressFacts {
    /// Which one.
    pub ip: IpAddr,
    /// Its prefix.
    pub prefix_len: u8,
    /// Whether it is there. `None`: scripts hold it.
    pub held: Option<bool>,
    /// How often somebody else took it away.
    pub removed: u32,
}

/// What the guardian knows of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFacts {
    /// Whether it is the up script.
    pub is_up: bool,
    /// When it was started.
    pub started_ago: Duration,
    /// How long it took, and how it ended; `None`: it runs.
    pub outcome: Option<(Duration, String)>,
}

/// What an operator wants of a virtual host beyond the configuration. It outlives engines and reloads.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wish {
    /// It stays out.
    pub held: bool,
    /// By how much it is demoted, under which names: at most [`MOST_DEMOTIONS`].
    pub demotions: Vec<(String, u16)>,
}

/// What the engine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What the guardian knows of a virtual host.
    Facts(HostNumber),
    /// To remember what an operator wants, and to forget what he wanted before.
    Remember(HostNumber, Wish),
    /// To read the configuration again.
    Reload,
    /// The configuration in effect.
    Configuration,
    /// To log what is as severe as this.
    LogLevel(Level),
}

impl Asked {
    /// Whether what was asked before need not be asked any more when this is.
    #[must_use]
    pub fn replaces(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Remember(one, _), Self::Remember(other, _)) => one == other,
            (Self::LogLevel(_), Self::LogLevel(_)) => true,
            _ => self == before,
        }
    }
}
