//! The methods of `io.ucarp`, with their parameters and replies.
//!
//! Parameters that the daemon does not know are an error, so that a misspelt one is noticed; fields of replies that a
//! client does not know are passed over, so that a daemon may be newer than its clients.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::types::{Daemon, Event, Explanation, VirtualHost};

/// A method with its parameters.
pub trait Call: Serialize + DeserializeOwned {
    /// Its full name.
    const METHOD: &'static str;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned;
}

/// A reply without anything in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

macro_rules! call {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* } -> $reply:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Call for $name {
            const METHOD: &'static str = concat!("io.ucarp.", stringify!($name));
            type Reply = $reply;
        }
    };
}

call! {
    /// The daemon itself.
    GetDaemon {} -> GetDaemonReply
}

/// Reply to [`GetDaemon`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetDaemonReply {
    /// What it is.
    pub daemon: Daemon,
}

call! {
    /// One reply for each virtual host.
    GetVirtualHosts {
        /// `None`: all of them.
        virtual_host: Option<String>,
    } -> GetVirtualHostsReply
}

/// Reply to [`GetVirtualHosts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetVirtualHostsReply {
    /// `None`: there is none left.
    pub virtual_host: Option<VirtualHost>,
}

call! {
    /// What happened, the oldest first, one reply each.
    GetEvents {
        /// `None`: to all of them, and the daemon.
        virtual_host: Option<String>,
        /// Only so many of the past, the last ones.
        most: Option<u64>,
        /// Only events with later numbers.
        after: Option<u64>,
        /// Whether to go on with what happens from now on.
        follow: Option<bool>,
    } -> GetEventsReply
}

/// Reply to [`GetEvents`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetEventsReply {
    /// `None`: there is none left.
    pub event: Option<Event>,
}

call! {
    /// Why a virtual host is what it is.
    Explain {
        /// Which one.
        virtual_host: String,
    } -> ExplainReply
}

/// Reply to [`Explain`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainReply {
    /// Why.
    pub explanation: Explanation,
}

call! {
    /// The configuration in effect.
    GetConfiguration {} -> GetConfigurationReply
}

/// Reply to [`GetConfiguration`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfigurationReply {
    /// As TOML, without secrets.
    pub toml: String,
}

call! {
    /// Raises the advertised skew.
    Demote {
        /// `None`: of all of them.
        virtual_host: Option<String>,
        /// Under which name; `None`: `operator`. A second demotion of the same name replaces the first.
        name: Option<String>,
        /// By how much.
        by: u16,
    } -> Done
}

call! {
    /// Takes demotions of operators away. A BACKUP of a better rank than the master takes over, as with preempt.
    Promote {
        /// `None`: of all of them.
        virtual_host: Option<String>,
        /// Only the one of this name.
        name: Option<String>,
    } -> Done
}

call! {
    /// Hands over and stays out until released.
    Hold {
        /// `None`: all of them.
        virtual_host: Option<String>,
    } -> Done
}

call! {
    /// Takes a [`Hold`] back.
    Release {
        /// `None`: all of them.
        virtual_host: Option<String>,
    } -> Done
}

call! {
    /// Lets another host be MASTER.
    HandOver {
        /// `None`: for all of them.
        virtual_host: Option<String>,
    } -> Done
}

call! {
    /// Announces the addresses of a MASTER again.
    Announce {
        /// `None`: of all of them.
        virtual_host: Option<String>,
    } -> Done
}

call! {
    /// A simulated crash: gives the addresses up and is silent, without goodbye.
    Silence {
        /// Which one.
        virtual_host: String,
        /// For how long.
        milliseconds: u64,
    } -> Done
}

call! {
    /// Reads the configuration again.
    Reload {} -> ReloadReply
}

/// Reply to [`Reload`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    /// Whether the daemon is as the files say now: there may be problems that only have to be known.
    pub applied: bool,
    /// What is wrong with the files; nothing was changed if one of them is an error.
    pub problems: Vec<String>,
}

call! {
    /// Says more or less in the log from now on.
    SetLogLevel {
        /// `error`, `warn`, `info` or `debug`.
        level: String,
    } -> Done
}
