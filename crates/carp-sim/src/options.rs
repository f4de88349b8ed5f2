//! What scenarios may be made of, as the command line says it.

use std::fmt;
use std::ops::RangeInclusive;

use carp_core::host::Authentication;

use crate::fault::FaultSet;
use crate::sabotage::Sabotage;
use crate::spec::{Families, Kind};

/// What scenarios may be made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes a group may have.
    pub nodes: RangeInclusive<usize>,
    /// What may go wrong.
    pub faults: FaultSet,
    /// What nodes may be. A group has at least one of ours; with other kinds, at least one of these too.
    pub peers: Vec<Kind>,
    /// For how many seconds things go wrong; what it takes to settle comes on top.
    pub seconds: u64,
    /// What groups advertise over.
    pub families: Families,
    /// Whether nodes advertise to each other one by one instead of to a group. Ours alone can.
    pub unicast: bool,
    /// What nodes of ours ask for beside the digest. Strict groups are of ours alone.
    pub authentication: Authentication,
    /// A rule that one node breaks.
    pub sabotage: Option<Sabotage>,
}

impl fmt::Display for Options {
    /// As they are written on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers: Vec<_> = self.peers.iter().map(|kind| kind.name()).collect();
        let (low, high) = (self.nodes.start(), self.nodes.end());
        write!(f, "--nodes {low}..{high} --faults {} --peers {}", self.faults, peers.join(","))?;
        write!(f, " --seconds {}", self.seconds)?;
        if self.families != Families::default() {
            write!(f, " --families {}", self.families.name())?;
        }
        if self.unicast {
            f.write_str(" --transport unicast")?;
        }
        if self.authentication != Authentication::default() {
            write!(f, " --authentication {}", authentication_name(self.authentication))?;
        }
        self.sabotage.map_or(Ok(()), |sabotage| write!(f, " --sabotage {sabotage}"))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 2..=5,
            faults: FaultSet::all(),
            peers: vec![Kind::Ours],
            seconds: 60,
            families: Families::default(),
            unicast: false,
            authentication: Authentication::default(),
            sabotage: None,
        }
    }
}

/// The name of a choice on the command line.
pub(crate) const fn authentication_name(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::Classic => "classic",
        Authentication::Observe => "observe",
        Authentication::Strict => "strict",
    }
}

/// The choice of this name.
pub(crate) fn authentication(name: &str) -> Result<Authentication, String> {
    [Authentication::Classic, Authentication::Observe, Authentication::Strict]
        .into_iter()
        .find(|authentication| authentication_name(*authentication) == name)
        .ok_or_else(|| format!("--authentication {name}: use classic, observe or strict"))
}
