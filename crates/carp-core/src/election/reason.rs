//! Why a virtual host changed its state, with the evidence, in words for the log.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::advertisement::Repr;
use crate::wire::frame::Received;

/// Another node, as one of its advertisements showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Source address; may be 0.0.0.0 or a virtual address with BSD kernels.
    pub source: IpAddr,
    /// Source address on the link; UCARP and the kernels use virtual ones.
    pub mac: MacAddr,
    /// advbase and advskew as advertised, demotion included.
    pub interval: Interval,
    /// OpenBSD's demotion counter; 0 in all that others send.
    pub demotion: u8,
}

/// Why a node that could take part must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bar {
    /// The operator holds it, for maintenance.
    Held,
    /// A check says that it cannot serve.
    CheckFailed,
    /// Another virtual host of its group cannot take part.
    Group,
    /// Another machine has its address.
    AddressConflict,
    /// A crash is rehearsed: it leaves without a word.
    Rehearsal,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held by the operator",
            Self::CheckFailed => "a check has failed",
            Self::Group => "another virtual host of its group cannot take part",
            Self::AddressConflict => "another machine has the address",
            Self::Rehearsal => "a crash is rehearsed",
        })
    }
}

impl From<&Received> for Peer {
    fn from(received: &Received) -> Self {
        let Repr { advbase, advskew, demotion, .. } = received.advertisement;
        Self { source: received.src, mac: received.src_mac, interval: Interval { advbase, advskew }, demotion }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.source, self.interval)
    }
}

/// Why a state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The daemon was told to end.
    ShutDown,
    /// The operator told this node to leave the address to another one.
    HandedOver,
    /// The interface was set up, or its carrier returned.
    LinkUp,
    /// The interface was set down.
    LinkDown,
    /// The interface has no carrier.
    CarrierLost,
    /// The interface does not exist any more.
    LinkGone,
    /// The link has no address to advertise from: IPv6 alone is spoken, and there is no link-local address.
    NoSourceAddress,
    /// It must not take part.
    StoodDown {
        /// Why.
        bar: Bar,
    },
    /// A virtual host of the same group has gone to another node.
    GroupLeft,
    /// The operator wants this node, which is better than the master, to be MASTER now.
    Promoted {
        /// Whom we displace.
        master: Peer,
    },
    /// The master is demoted more than this node.
    MasterDemoted {
        /// Whom we displace.
        master: Peer,
    },
    /// Nobody advertised for so long.
    NoMasterHeard {
        /// Length of the silence.
        waited: Duration,
    },
    /// The master fell silent.
    MasterTimedOut {
        /// The master that was heard last.
        master: Peer,
        /// Length of its silence.
        waited: Duration,
    },
    /// The master said goodbye.
    MasterSaidGoodbye {
        /// Who left.
        master: Peer,
    },
    /// The master is slower and preemption is on.
    Preempted {
        /// Whom we displace.
        master: Peer,
    },
    /// The master advertises so rarely that our dead time would always end before.
    MasterBoundToTimeOut {
        /// Whom we displace.
        master: Peer,
    },
    /// A faster master advertised.
    BetterMaster {
        /// Whom we leave the address to.
        master: Peer,
    },
    /// An equally fast master advertised, and it wins ties against us.
    TieLost {
        /// Whom we leave the address to.
        master: Peer,
    },
    /// This host was silent for so long that its peers must have taken over.
    Stalled {
        /// Time since the last own advertisement.
        silent: Duration,
        /// Who advertised meanwhile, if anybody was heard.
        master: Option<Peer>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShutDown => f.write_str("told to stop"),
            Self::HandedOver => f.write_str("told to hand over"),
            Self::LinkUp => f.write_str("the link is up"),
            Self::LinkDown => f.write_str("the interface was set down"),
            Self::CarrierLost => f.write_str("the interface lost its carrier"),
            Self::LinkGone => f.write_str("the interface is gone"),
            Self::NoSourceAddress => f.write_str("the interface has no address to advertise from"),
            Self::StoodDown { bar } => bar.fmt(f),
            Self::GroupLeft => f.write_str("another virtual host of its group has gone to another node"),
            Self::Promoted { master } => write!(f, "told to displace {master}, which is slower"),
            Self::MasterDemoted { master } => write!(f, "{master} is demoted by {}", master.demotion),
            Self::NoMasterHeard { waited } => write!(f, "no master was heard for {waited:.3?}"),
            Self::MasterTimedOut { master, waited } => write!(f, "{master} was silent for {waited:.3?}"),
            Self::MasterSaidGoodbye { master } => write!(f, "{} said goodbye", master.source),
            Self::Preempted { master } => write!(f, "preempting {master}, which is slower"),
            Self::MasterBoundToTimeOut { master } => {
                write!(f, "{master} advertises more rarely than our dead time allows")
            }
            Self::BetterMaster { master } => write!(f, "{master} is faster"),
            Self::TieLost { master } => write!(f, "{master} is as fast and wins by its address"),
            Self::Stalled { silent, master: Some(master) } => {
                write!(f, "this host was silent for {silent:.3?} and {master} advertised meanwhile")
            }
            Self::Stalled { silent, master: None } => {
                write!(f, "this host was silent for {silent:.3?}, longer than peers wait")
            }
        }
    }
}

#[cfg(test)]
mod tests;
