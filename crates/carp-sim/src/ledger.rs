//! What is true of a run at a moment: the record that the checkers judge by. The nodes have no part in it.

use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, Purpose};
use carp_core::timing::Interval;

use crate::bounds::Bounds;
use crate::moment::Moment;
use crate::network::Quality;
use crate::spec::{Credentials, Families, Family, Kind, Spec};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The node was started and knows nothing.
    Started { node: usize },
    /// The node changed its state.
    Moved {
        node: usize,
        from: State,
        to: State,
        /// When it had entered `from`.
        since: Moment,
        /// Its link carries no frames.
        link_lost: bool,
        /// It says that it did not run for a while.
        stalled: bool,
    },
    /// The node sent a frame.
    Sent {
        node: usize,
        purpose: Purpose,
        /// If it is an advertisement: what it says.
        rank: Option<Interval>,
        /// Since its last advertisement in this term as MASTER.
        gap: Option<Duration>,
    },
    /// An authentic advertisement of another node is about to be handed to this one.
    Heard { node: usize, from: usize, family: Family, rank: Interval },
    /// The node has dealt with what it heard.
    Reacted { node: usize, from: usize, rank: Interval },
    /// All that the node says at this moment has been sent: its advertisement or goodbye went to `copies` of `all`
    /// families or peers.
    Said { node: usize, copies: usize, all: usize },
    /// The node, which runs, has another rank or another answer to preempt from now on; it was `former` before.
    Reconfigured { node: usize, former: Spec },
    /// The operator told the node something.
    Told { node: usize, command: Command },
    /// From now on the node may hold the address, or certainly does not.
    Held { node: usize },
    /// The health of nodes or links changed.
    Conditions,
    /// The faults have been over for so long that the group must have settled.
    Judged,
}

/// What is true of a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeFacts {
    /// As the operator configured it.
    pub(crate) spec: Spec,
    pub(crate) credentials: Credentials,
    /// It was not reloaded within the grace time of the others, or was so late that it may not have followed yet.
    pub(crate) apart: bool,
    /// When it was given another rank or answer to preempt while it ran.
    pub(crate) reconfigured: Moment,
    /// What it advertises.
    pub(crate) rank: Interval,
    pub(crate) state: State,
    /// When it entered the state.
    pub(crate) since: Moment,
    /// It was told to go and has not gone yet.
    pub(crate) leaving: bool,
    /// The address may be there.
    pub(crate) holds: bool,
    /// It runs and its link carries frames: since when.
    pub(crate) well_since: Option<Moment>,
    /// Its last advertisement in this term as MASTER.
    pub(crate) last_sent: Option<Moment>,
    /// Advertisements that it sent since it was started.
    pub(crate) sent_count: u64,
}

impl NodeFacts {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            credentials: Credentials::default(),
            apart: false,
            reconfigured: Moment::default(),
            rank: spec.interval,
            state: State::Init,
            since: Moment::default(),
            leaving: false,
            holds: false,
            well_since: None,
            last_sent: None,
            sent_count: 0,
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.spec.kind == Kind::Ours
    }

    pub(crate) fn is_master(&self) -> bool {
        self.state == State::Master
    }

    /// How long it waits for a master, from the formula and not from the core.
    pub(crate) fn dead_time(&self) -> Duration {
        let Interval { advbase, advskew } = self.spec.interval;
        let skew = Duration::from_nanos(u64::from(advskew) * 1_000_000_000 / 256);
        if advbase == 0 {
            skew * self.spec.dead_ratio
        } else {
            Duration::from_secs(u64::from(advbase) * u64::from(self.spec.dead_ratio)) + skew
        }
    }

    /// For how long those who are configured like it wait at the least.
    pub(crate) fn peers_patience(&self) -> Duration {
        let Interval { advbase, .. } = self.spec.interval;
        let whole = Duration::from_secs(u64::from(advbase) * u64::from(self.spec.dead_ratio));
        if advbase == 0 { self.dead_time() } else { whole.max(self.every() * 3 / 2) }
    }

    /// The time between two of its advertisements.
    pub(crate) fn every(&self) -> Duration {
        every(self.rank)
    }
}

/// `advbase + advskew/256` s.
pub(crate) fn every(rank: Interval) -> Duration {
    Duration::from_secs(u64::from(rank.advbase)) + Duration::from_nanos(u64::from(rank.advskew) * 1_000_000_000 / 256)
}

/// One direction between two nodes, IPv4 and IPv6.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Since when every frame has arrived in time.
    clear_since: [Option<Moment>; 2],
    /// Since when no frame of IPv4 has arrived.
    stopped_since: Option<Moment>,
}

impl Link {
    /// Since when it has been clear in some family that the group speaks.
    fn some(&self, families: Families) -> Option<Moment> {
        Family::BOTH.into_iter().filter(|family| families.has(*family)).filter_map(|family| self.clear(family)).min()
    }

    fn clear(&self, family: Family) -> Option<Moment> {
        self.clear_since[usize::from(family == Family::V6)]
    }
}

/// The record.
pub(crate) struct Ledger {
    pub(crate) now: Moment,
    pub(crate) nodes: Vec<NodeFacts>,
    /// For each direction.
    links: Vec<Link>,
    pub(crate) bounds: Bounds,
}

impl Ledger {
    pub(crate) fn new(specs: &[Spec], bounds: Bounds) -> Self {
        let link = Link { clear_since: [Some(Moment::default()); 2], stopped_since: None };
        let links = vec![link; specs.len() * specs.len()];
        let nodes = specs.iter().copied().map(NodeFacts::new).collect();
        Self { now: Moment::default(), nodes, links, bounds }
    }

    /// Records what a direction is like from now on.
    pub(crate) fn set_link(&mut self, from: usize, to: usize, quality: &Quality) {
        let now = self.now;
        let link = &mut self.links[from * self.nodes.len() + to];
        let since = |flag: bool, since: Option<Moment>| flag.then(|| since.unwrap_or(now));
        for (index, family) in Family::BOTH.into_iter().enumerate() {
            link.clear_since[index] = since(quality.is_clear(family), link.clear_since[index]);
        }
        link.stopped_since = since(quality.stops(Family::V4), link.stopped_since);
    }

    /// Records whether a node is well from now on.
    pub(crate) fn set_well(&mut self, node: usize, well: bool) {
        let since = &mut self.nodes[node].well_since;
        *since = well.then(|| since.unwrap_or(self.now));
    }

    /// Since when two nodes have been able to hear each other and to react.
    ///
    /// With different ranks any family will do in each direction. With equal ones both must go by the same family: that
    /// is IPv4 where it is spoken, and IPv6 when for three intervals nothing from anybody has come over IPv4 to either.
    pub(crate) fn connected_since(&self, a: usize, b: usize) -> Option<Moment> {
        let size = self.nodes.len();
        let (one, other) = (&self.nodes[a], &self.nodes[b]);
        if one.apart || other.apart || !one.credentials.same_group(other.credentials) {
            return None;
        }
        let families = one.spec.families;
        let links = [self.links[a * size + b], self.links[b * size + a]];
        let links = if one.rank != other.rank || families != Families::Dual {
            links[0].some(families)?.max(links[1].some(families)?)
        } else if let [Some(there), Some(back)] = links.map(|link| link.clear(Family::V4)) {
            there.max(back)
        } else {
            let stopped = self.stopped_since(a)?.max(self.stopped_since(b)?);
            let memory = one.every().max(other.every()) * 3;
            links[0].clear(Family::V6)?.max(links[1].clear(Family::V6)?).max(stopped + memory)
        };
        Some(links.max(one.well_since?).max(other.well_since?))
    }

    /// Since when nothing has come to a node over IPv4.
    fn stopped_since(&self, node: usize) -> Option<Moment> {
        let size = self.nodes.len();
        let others = (0..size).filter(|other| *other != node);
        others.map(|other| self.links[other * size + node].stopped_since).reduce(|a, b| Some(a?.max(b?))).flatten()
    }

    /// Takes a fact into the record.
    pub(crate) fn record(&mut self, fact: &Fact) {
        let now = self.now;
        match *fact {
            Fact::Started { node } => {
                let facts = &mut self.nodes[node];
                (facts.state, facts.since, facts.leaving, facts.holds) = (State::Init, now, false, false);
                (facts.last_sent, facts.sent_count, facts.rank) = (None, 0, facts.spec.interval);
            }
            Fact::Moved { node, to, .. } => {
                let facts = &mut self.nodes[node];
                (facts.state, facts.since, facts.leaving, facts.last_sent) = (to, now, false, None);
            }
            Fact::Sent { node, purpose: Purpose::Advertisement, rank, .. } => {
                let facts = &mut self.nodes[node];
                facts.last_sent = Some(now);
                facts.sent_count += 1;
                facts.rank = rank.unwrap_or(facts.rank);
            }
            Fact::Reconfigured { node, .. } => {
                let facts = &mut self.nodes[node];
                (facts.reconfigured, facts.rank) = (now, facts.spec.interval);
            }
            Fact::Told { node, command: Command::HandOver | Command::ShutDown | Command::StandDown(_) } => {
                let facts = &mut self.nodes[node];
                facts.leaving = facts.is_ours() && facts.is_master();
            }
            _ => {}
        }
    }

    /// The latest at which what should take `duration` by the clock of a node may happen, drift and lag included.
    pub(crate) fn late(&self, duration: Duration) -> Duration {
        duration + duration / 1000 + self.bounds.lag + Duration::from_millis(1)
    }

    /// The earliest.
    pub(crate) fn early(duration: Duration) -> Duration {
        (duration - duration / 1000).saturating_sub(Duration::from_millis(1))
    }
}
