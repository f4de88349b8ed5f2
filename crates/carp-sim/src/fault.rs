//! What can go wrong, and for how long.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::moment::{Moment, Wall};
use crate::spec::{Credentials, Edition, Family, Spec};

/// Kinds of faults, as they are chosen on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Frames are lost at random.
    Loss,
    /// Frames take up to 0.3 s.
    Delay,
    /// Some frames arrive after later ones.
    Reordering,
    /// Some frames arrive twice.
    Duplication,
    /// Some frames arrive damaged.
    Corruption,
    /// Some nodes are not heard by some others.
    Asymmetry,
    /// The segment falls into two.
    Partition,
    /// The switch sends multicast back to the sender.
    Echo,
    /// A host dies and starts again, knowing nothing.
    Crash,
    /// A process stops and goes on; what arrives meanwhile is queued, or lost when the queue is full.
    Stall,
    /// A cable is pulled.
    Carrier,
    /// The link is reported to be as it is, again and again, as systems do when something else about it changed.
    Chatter,
    /// A node is stopped in order and started with another configuration.
    Restart,
    /// A node runs with a wrong password for a while.
    Password,
    /// A node runs with a wrong list of addresses for a while.
    Addresses,
    /// The operator tells a node to hand over.
    Handover,
    /// A node of ours is kept out for a while, by an operator or a check.
    Hold,
    /// Clocks run up to 500 millionths fast or slow, for the whole run.
    Drift,
    /// Two nodes have the same source address, for the whole run.
    Twins,
    /// A kernel is demoted for a while; in groups of ours alone one of ours.
    Demotion,
    /// Frames of one family do not pass, where both are spoken: a switch that filters multicast.
    Family,
    /// A node of ours is given another rank or another answer to preempt while it runs.
    Reload,
    /// The whole group is given a new password, new addresses or both, each node at its own time: within the grace
    /// time, but for one that may be late.
    Rekey,
    /// Strict groups: wall clocks are wrong, by up to a month or for never having been set; hosts die and start again by
    /// such clocks.
    Clock,
    /// Strict groups: somebody sends again what he has recorded, one by one or in a row.
    Replay,
    /// Strict groups: somebody sends again what he has recorded, with another priority, demotion or source.
    Forgery,
    /// Strict groups: somebody sends back to nodes what they have sent, in this life or an earlier one.
    Reflection,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 27] = [
        Self::Loss,
        Self::Delay,
        Self::Reordering,
        Self::Duplication,
        Self::Corruption,
        Self::Asymmetry,
        Self::Partition,
        Self::Echo,
        Self::Crash,
        Self::Stall,
        Self::Carrier,
        Self::Chatter,
        Self::Restart,
        Self::Password,
        Self::Addresses,
        Self::Handover,
        Self::Drift,
        Self::Twins,
        Self::Demotion,
        Self::Family,
        Self::Reload,
        Self::Rekey,
        Self::Clock,
        Self::Replay,
        Self::Forgery,
        Self::Reflection,
        Self::Hold,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Reordering => "reordering",
            Self::Duplication => "duplication",
            Self::Corruption => "corruption",
            Self::Asymmetry => "asymmetry",
            Self::Partition => "partition",
            Self::Echo => "echo",
            Self::Crash => "crash",
            Self::Stall => "stall",
            Self::Carrier => "carrier",
            Self::Chatter => "chatter",
            Self::Restart => "restart",
            Self::Password => "password",
            Self::Addresses => "addresses",
            Self::Handover => "handover",
            Self::Hold => "hold",
            Self::Drift => "drift",
            Self::Twins => "twins",
            Self::Demotion => "demotion",
            Self::Family => "family",
            Self::Reload => "reload",
            Self::Rekey => "rekey",
            Self::Clock => "clock",
            Self::Replay => "replay",
            Self::Forgery => "forgery",
            Self::Reflection => "reflection",
        }
    }
}

/// Which kinds of faults a scenario may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSet(Vec<FaultKind>);

impl FaultSet {
    /// Every kind.
    #[must_use]
    pub fn all() -> Self {
        Self(FaultKind::ALL.to_vec())
    }

    /// No kind.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Exactly these.
    #[must_use]
    pub fn of(kinds: &[FaultKind]) -> Self {
        Self(kinds.to_vec())
    }

    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }

    pub(crate) fn kinds(&self) -> &[FaultKind] {
        &self.0
    }
}

impl FromStr for FaultSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::all()),
            "none" => Ok(Self::none()),
            _ => text
                .split(',')
                .map(|name| {
                    FaultKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                        let names = FaultKind::ALL.map(FaultKind::name).join(",");
                        format!("no such fault: {name}: use all, none or some of {names}")
                    })
                })
                .collect::<Result<_, _>>()
                .map(Self),
        }
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        if self.0.len() == FaultKind::ALL.len() {
            return f.write_str("all");
        }
        f.write_str(&self.0.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(","))
    }
}

/// What somebody does who has recorded everything, and who does not know the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Sends any of it again.
    Replay,
    /// Sends it again in the order in which it was sent, from some moment on.
    Playback,
    /// Sends any of it again with changed fields.
    Forgery,
    /// Sends a node something of its own.
    Reflection,
}

/// Nodes, as a bit each.
pub(crate) type Nodes = u64;

/// A fault with its particulars. The first group is of the network, the second of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Loss {
        from: Nodes,
        to: Nodes,
        rate: u32,
    },
    Delay {
        min: Duration,
        mean: Duration,
    },
    Stragglers {
        rate: u32,
        by: Duration,
    },
    Duplication {
        rate: u32,
    },
    Corruption {
        rate: u32,
    },
    OneWay {
        from: Nodes,
        to: Nodes,
    },
    Partition {
        side: Nodes,
    },
    Family {
        family: Family,
        from: Nodes,
        to: Nodes,
    },
    Echo,
    /// Somebody attacks a node, or all, every so often.
    Attack {
        how: Attack,
        every: Duration,
    },

    Crash {
        node: usize,
    },
    /// As a crash, and the wall clock shows something else afterwards.
    Reclock {
        node: usize,
        wall: Wall,
    },
    Stall {
        node: usize,
        queue: usize,
    },
    Carrier {
        node: usize,
    },
    Restart {
        node: usize,
        spec: Spec,
    },
    Reload {
        node: usize,
        spec: Spec,
    },
    Rekey {
        node: usize,
        edition: Edition,
        grace: Duration,
    },
    Credentials {
        node: usize,
        credentials: Credentials,
    },
    Chatter {
        node: usize,
    },
    HandOver {
        node: usize,
    },
    Hold {
        node: usize,
    },
    Demotion {
        node: usize,
        by: i32,
    },
}

impl Fault {
    /// Whether it is over as soon as it has begun.
    pub(crate) fn is_momentary(&self) -> bool {
        let reloads = matches!(self, Self::Reload { .. } | Self::Rekey { .. });
        reloads || matches!(self, Self::HandOver { .. } | Self::Chatter { .. })
    }

    /// Whether the node knows nothing of what was before when it is over.
    pub(crate) fn forgets(&self) -> bool {
        matches!(self, Self::Crash { .. } | Self::Reclock { .. } | Self::Restart { .. } | Self::Credentials { .. })
    }

    /// The node that it befalls, if it is not one of the network.
    pub(crate) fn node(&self) -> Option<usize> {
        match *self {
            Self::Crash { node }
            | Self::Reclock { node, .. }
            | Self::Stall { node, .. }
            | Self::Carrier { node }
            | Self::Restart { node, .. }
            | Self::Reload { node, .. }
            | Self::Rekey { node, .. }
            | Self::Credentials { node, .. }
            | Self::Chatter { node }
            | Self::HandOver { node }
            | Self::Hold { node }
            | Self::Demotion { node, .. } => Some(node),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |rate: u32| rate / 10_000;
        let list = |nodes: Nodes| {
            (0..64).filter(|node| nodes >> node & 1 == 1).map(|node| format!("n{node}")).collect::<Vec<_>>().join(" ")
        };
        match *self {
            Self::Loss { from, to, rate } => write!(f, "{} % loss from {} to {}", percent(rate), list(from), list(to)),
            Self::Delay { min, mean } => write!(f, "delay of {min:?} and more, {mean:?} in the mean"),
            Self::Stragglers { rate, by } => write!(f, "{} % of the frames are {by:?} late", percent(rate)),
            Self::Duplication { rate } => write!(f, "{} % of the frames arrive twice", percent(rate)),
            Self::Corruption { rate } => write!(f, "{} % of the frames are damaged", percent(rate)),
            Self::OneWay { from, to } => write!(f, "{} cannot be heard by {}", list(from), list(to)),
            Self::Partition { side } => write!(f, "{} cut off from the others", list(side)),
            Self::Family { family, from, to } => {
                write!(f, "{family} from {} to {} does not pass", list(from), list(to))
            }
            Self::Echo => f.write_str("the switch sends multicast back"),
            Self::Attack { how, every } => write!(f, "{how:?} every {every:?}"),
            Self::Crash { node } => write!(f, "n{node} crashes"),
            Self::Reclock { node, wall } => write!(f, "n{node} crashes, its wall clock is {wall} from now on"),
            Self::Stall { node, queue } => write!(f, "n{node} is stopped, its queue holds {queue} frames"),
            Self::Carrier { node } => write!(f, "n{node} loses its carrier"),
            Self::Restart { node, spec } => write!(f, "n{node} is stopped, to be started as {spec}"),
            Self::Reload { node, spec } => write!(f, "n{node} is reloaded as {spec}"),
            Self::Rekey { node, edition, grace } => {
                write!(f, "n{node} is reloaded with the new {edition}, grace time {grace:?}")
            }
            Self::Credentials { node, credentials } => {
                write!(f, "n{node} is started with a wrong ")?;
                f.write_str(if credentials.wrong_password { "password" } else { "address list" })
            }
            Self::Chatter { node } => write!(f, "the link of n{node} is reported again"),
            Self::HandOver { node } => write!(f, "n{node} is told to hand over"),
            Self::Hold { node } => write!(f, "n{node} is kept out"),
            Self::Demotion { node, by } => write!(f, "n{node} is demoted by {by}"),
        }
    }
}

/// A fault with its time. The end of a momentary one means nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) begin: Moment,
    pub(crate) end: Moment,
    pub(crate) fault: Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_are_written() {
        for text in ["all", "none", "loss", "loss,crash,stall"] {
            assert_eq!(text.parse::<FaultSet>().unwrap().to_string(), text);
        }
        let error = "loss,flood".parse::<FaultSet>().unwrap_err();
        assert!(error.starts_with("no such fault: flood: use all, none or some of loss,delay,"), "{error}");
    }
}
