//! A node of any kind, driven by inputs with the time: the contract of `carp-core`, which foreign models follow too.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::{Reason, State};
use carp_core::host::Authentication;
use carp_core::node::{Command, LinkState, Notice, Purpose};
use carp_core::time::Instant;

use crate::foreign::{Kernel, Ucarp};
use crate::ours::Ours;
use crate::sabotage::Sabotage;
use crate::spec::{Credentials, Kind, Spec};

/// What happens to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A frame arrived.
    Frame(&'a [u8]),
    /// The link is in this state now.
    Link(LinkState),
    /// The operator or the script runner says this.
    Command(Command),
    /// Ours: the configuration is this one from now on.
    Reload(Reload),
    /// The operator, or a check, adds so much to the demotion.
    Demote(i32),
    /// The deadline that the machine named has come.
    Timeout,
}

/// A new configuration for a node that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reload {
    pub(crate) spec: Spec,
    pub(crate) credentials: Credentials,
    /// For how long the former credentials go on being sent.
    pub(crate) grace: Duration,
}

/// What a node is started as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) credentials: Credentials,
    /// The others, if advertisements go to each of them; none if they go to a group.
    pub(crate) peers: &'a [IpAddr],
    pub(crate) seed: u64,
    pub(crate) sabotage: Option<Sabotage>,
    /// Ours.
    pub(crate) authentication: Authentication,
    /// Now, by the node's monotonic clock, and the time since 1970 by its wall clock.
    pub(crate) now: Instant,
    pub(crate) wall: Duration,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Act {
    /// To everybody on the link, or to the one who has the address.
    Send {
        purpose: Purpose,
        to: Option<IpAddr>,
        frame: Vec<u8>,
    },
    Claim,
    Release,
    Leaving(Reason),
    Moved {
        from: State,
        to: State,
        why: Why,
    },
    Notice(Notice),
}

/// Why a node changed its state, in its own words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Why {
    Ours(Reason),
    Theirs(&'static str),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(reason) => reason.fmt(f),
            Self::Theirs(words) => f.write_str(words),
        }
    }
}

/// A node that runs.
pub(crate) enum Machine {
    Ours(Box<Ours>),
    Ucarp(Box<Ucarp>),
    Kernel(Box<Kernel>),
}

impl Machine {
    /// A node that has just been started; it does nothing before its link is up.
    pub(crate) fn new(birth: &Birth<'_>) -> Self {
        let Birth { spec, credentials, seed, .. } = *birth;
        match spec.kind {
            Kind::Ours => Self::Ours(Box::new(Ours::new(birth))),
            Kind::Ucarp => Self::Ucarp(Box::new(Ucarp::new(spec, credentials, seed))),
            Kind::FreeBsd | Kind::OpenBsd | Kind::NetBsd => {
                Self::Kernel(Box::new(Kernel::new(spec, credentials, seed)))
            }
        }
    }

    /// Hands in one input; what the node does is appended to `acts`, in order.
    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>, acts: &mut Vec<Act>) {
        match self {
            Self::Ours(ours) => ours.handle(now, input, acts),
            Self::Ucarp(ucarp) => ucarp.handle(now, input, acts),
            Self::Kernel(kernel) => kernel.handle(now, input, acts),
        }
    }

    /// When it wants [`Input::Timeout`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Ours(ours) => ours.next_deadline(),
            Self::Ucarp(ucarp) => ucarp.next_deadline(),
            Self::Kernel(kernel) => kernel.next_deadline(),
        }
    }
}
