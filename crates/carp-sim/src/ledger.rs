//! What is true of a run at a moment: the record that the checkers judge by. The nodes have no part in it.

use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, Purpose};
use carp_core::timing::Interval;

use crate::moment::Moment;
use crate::scenario::Bounds;
use crate::spec::{Credentials, Kind, Spec};

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
    Heard { node: usize, from: usize, rank: Interval },
    /// The node has dealt with what it heard.
    Reacted { node: usize, from: usize, rank: Interval },
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

    /// The time between two of its advertisements.
    pub(crate) fn every(&self) -> Duration {
        every(self.rank)
    }
}

/// `advbase + advskew/256` s.
pub(crate) fn every(rank: Interval) -> Duration {
    Duration::from_secs(u64::from(rank.advbase)) + Duration::from_nanos(u64::from(rank.advskew) * 1_000_000_000 / 256)
}

/// The record.
pub(crate) struct Ledger {
    pub(crate) now: Moment,
    pub(crate) nodes: Vec<NodeFacts>,
    /// For each direction: since when every frame has arrived in time.
    clear_since: Vec<Option<Moment>>,
    pub(crate) bounds: Bounds,
}

impl Ledger {
    pub(crate) fn new(specs: &[Spec], bounds: Bounds) -> Self {
        let clear_since = vec![Some(Moment::default()); specs.len() * specs.len()];
        let nodes = specs.iter().copied().map(NodeFacts::new).collect();
        Self { now: Moment::default(), nodes, clear_since, bounds }
    }

    /// Records whether a direction is clear from now on.
    pub(crate) fn set_clear(&mut self, from: usize, to: usize, clear: bool) {
        let since = &mut self.clear_since[from * self.nodes.len() + to];
        *since = clear.then(|| since.unwrap_or(self.now));
    }

    /// Records whether a node is well from now on.
    pub(crate) fn set_well(&mut self, node: usize, well: bool) {
        let since = &mut self.nodes[node].well_since;
        *since = well.then(|| since.unwrap_or(self.now));
    }

    /// Since when two nodes have been able to hear each other and to react.
    pub(crate) fn connected_since(&self, a: usize, b: usize) -> Option<Moment> {
        let size = self.nodes.len();
        let (one, other) = (&self.nodes[a], &self.nodes[b]);
        if one.credentials != other.credentials {
            return None;
        }
        let links = self.clear_since[a * size + b]?.max(self.clear_since[b * size + a]?);
        Some(links.max(one.well_since?).max(other.well_since?))
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
            Fact::Told { node, command: Command::HandOver | Command::ShutDown } => {
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
