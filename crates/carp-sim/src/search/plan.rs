//! What to search: the nodes, what can go wrong, and what must come out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use carp_core::election::{Config, HANDOVER_HOLD, Peer, TieRule};
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;

use super::actor::{Actor, Ours, Setting};
use super::explore::explore;
use super::foreign::{Foreign, Kind};
use super::verdict::{Longest, Verdict, judge};
use super::world::{MOST_NODES, Rules};

/// More worlds than this do not fit into the memory of a small machine.
const MOST_WORLDS: usize = 30_000_000;

/// How long a script takes at most to remove an address.
const RELEASE: Duration = Duration::from_millis(250);

/// UCARP's and the kernels' default.
const DEAD_RATIO: u32 = 3;

/// Whose code a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Ours, with this rule for ties.
    Ours(TieRule),
    /// A model of another one.
    Foreign(Kind),
}

/// A node of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Whose code.
    pub who: Who,
    /// advbase and advskew.
    pub interval: Interval,
    /// The last part of its address; the lower one wins ties.
    pub address: u16,
    /// Whether it preempts.
    pub preempt: bool,
    /// How long a frame takes at most until the node has read it.
    pub latency: Duration,
}

/// What can happen besides starts, deliveries in any order, and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Frames are lost.
    Loss,
    /// Frames are duplicated.
    Duplication,
    /// Links are lost and processes killed, at any time; both come back.
    Links,
    /// Operators hand over and shut down; daemons are started again.
    Commands,
    /// Our hosts stop running and go on.
    Stalls,
    /// All begin cut off from each other and are joined one by one.
    Healing,
}

/// What advertisements go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// One family.
    One,
    /// Both: each advertisement is two frames, lost and delivered each for itself. The two families order the addresses
    /// alike.
    Both,
    /// Both, and by IPv6 another node wins ties than by IPv4.
    Contrary,
    /// As that, and nothing passes over IPv4: a switch filters it.
    Filtered,
}

/// One search.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is about.
    pub name: &'static str,
    /// Two or three.
    pub nodes: Vec<Node>,
    /// Time moves by this much. Whatever is due in between happens at the next tick.
    pub tick: Duration,
    /// Frames under way at the same time; 0 for a network that delivers before anything else happens.
    pub frames: usize,
    /// Whether frames arrive in the order of their sending.
    pub ordered: bool,
    /// What advertisements go over.
    pub families: Families,
    /// What can go wrong.
    pub faults: Vec<Fault>,
    /// What must come out.
    pub expected: Expected,
}

/// The committed result of a plan; times in milliseconds, `None` for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// [`Verdict::worlds`]
    pub worlds: usize,
    /// [`Verdict::several`]
    pub several: Option<u64>,
    /// [`Verdict::none`]
    pub none: Option<u64>,
    /// [`Verdict::gap`]
    pub gap: Option<u64>,
    /// [`Verdict::settled`]
    pub settled: Option<u64>,
}

/// What the promises allow, from the timers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For [`Verdict::several`].
    pub several: Duration,
    /// For [`Verdict::none`].
    pub none: Duration,
}

impl Plan {
    /// Searches everything and judges it.
    ///
    /// # Panics
    ///
    /// If the plan is too large for this machine or has more than three nodes.
    #[must_use]
    pub fn run(&self) -> Verdict {
        assert!(self.nodes.len() <= MOST_NODES, "a search has at most {MOST_NODES} nodes");
        let setting = self.setting();
        let actors = self.nodes.iter().enumerate().map(|(number, node)| actor(&setting, number, node)).collect();
        let mut exploration = explore(&setting, actors, &self.rules(), MOST_WORLDS);
        let ours = self.nodes.iter().enumerate().map(|(number, node)| u8::from(is_ours(node)) << number).sum();
        judge(&mut exploration, self.tick, ours)
    }

    /// Two MASTERs of different rank are one as soon as the better one has advertised; equal ones when each has heard
    /// the other and the loser has heard an answer. A group without MASTER has one when the slowest has timed out.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        let durations = || self.nodes.iter().map(|node| node.interval.duration());
        let latency = self.nodes.iter().map(|node| node.latency).max().unwrap_or_default() + self.tick;
        let fastest = durations().min().unwrap_or_default();
        let tie = self
            .nodes
            .iter()
            .enumerate()
            .any(|(number, node)| self.nodes[..number].iter().any(|other| other.interval == node.interval));
        let dead = self.nodes.iter().map(dead_time).max().unwrap_or_default();
        let hold = if self.faults.contains(&Fault::Commands) { HANDOVER_HOLD } else { Duration::ZERO };
        Bounds { several: if tie { (fastest + latency) * 2 } else { fastest + latency }, none: dead + latency + hold }
    }

    /// What is wrong with a verdict, each with the way to it: a broken contract, a broken bound, no hope, or another
    /// result than the committed one.
    #[must_use]
    pub fn complaints(&self, verdict: &Verdict) -> Vec<String> {
        let [several, none, gap, settled] = &verdict.examples;
        let (bounds, expected, found) = (self.bounds(), self.expected, Expected::of(verdict));
        let mut complaints = Vec::new();
        complaints.extend(verdict.fault.clone());
        if verdict.hopeless > 0 {
            complaints.push(format!("{} worlds can never settle", verdict.hopeless));
        }
        if !verdict.several.is_within(bounds.several) {
            complaints.push(format!("{several}\nseveral MASTERs for more than {:?}", bounds.several));
        }
        if !verdict.none.is_within(bounds.none) {
            complaints.push(format!("{none}\nno MASTER for more than {:?}", bounds.none));
        }
        if found.gap != expected.gap {
            complaints.push(format!("{gap}\na gap after one of ours has left, not the committed one"));
        }
        if found.settled != expected.settled {
            complaints.push(format!("{settled}\ntime until all is settled, not the committed one"));
        }
        if found != expected {
            complaints.push(format!("committed {expected:?}\nfound     {found:?}"));
        }
        complaints
    }

    fn setting(&self) -> Setting {
        let (mac, link_local) = (MacAddr([0, 0, 0x5e, 0, 0, 1]), |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last));
        let over_v6 = |node: &Node| {
            let contrary = matches!(self.families, Families::Contrary | Families::Filtered);
            let address = if contrary { u16::from(u8::MAX) - node.address } else { node.address };
            Peer { source: link_local(address).into(), mac, interval: node.interval, demotion: 0 }
        };
        let over_v4 = |node: &Node| {
            let last = u8::try_from(node.address).expect("addresses of plans are small");
            Peer { source: Ipv4Addr::new(10, 0, 0, last).into(), ..over_v6(node) }
        };
        let all = |peer: &dyn Fn(&Node) -> Peer| self.nodes.iter().map(peer).collect();
        // One family is IPv6, because an election remembers that it heard IPv4: time that would multiply the worlds, for
        // a rule about groups of both.
        let (peers, peers_v6) = match self.families {
            Families::One => (all(&over_v6), Vec::new()),
            Families::Both | Families::Contrary | Families::Filtered => (all(&over_v4), all(&over_v6)),
        };
        Setting { tick: self.tick, release_ticks: self.ticks(RELEASE), peers, peers_v6 }
    }

    fn rules(&self) -> Rules {
        let has = |fault| self.faults.contains(&fault);
        let same_address = |a: &Node| self.nodes.iter().filter(|b| b.address == a.address).count() > 1;
        Rules {
            frames: self.frames,
            ordered: self.ordered,
            latency: self.nodes.iter().map(|node| self.ticks(node.latency)).collect(),
            loss: has(Fault::Loss),
            duplication: has(Fault::Duplication),
            links: has(Fault::Links),
            commands: has(Fault::Commands),
            stalls: has(Fault::Stalls),
            healing: has(Fault::Healing),
            any_draw: !self.nodes.iter().any(same_address),
            ours: self.nodes.iter().map(is_ours).collect(),
            families: match self.families {
                Families::One => vec![false],
                Families::Both | Families::Contrary => vec![false, true],
                Families::Filtered => vec![true],
            },
        }
    }

    fn ticks(&self, time: Duration) -> u8 {
        u8::try_from(time.as_nanos().div_ceil(self.tick.as_nanos())).expect("a latency is shorter than 256 ticks")
    }
}

impl Expected {
    /// What came out of a search.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        let millis = |longest: &Longest| match longest {
            Longest::Lasts(time) => Some(u64::try_from(time.as_millis()).expect("it lasts less than a million years")),
            Longest::Forever => None,
        };
        Self {
            worlds: verdict.worlds,
            several: millis(&verdict.several),
            none: millis(&verdict.none),
            gap: millis(&verdict.gap),
            settled: millis(&verdict.settled),
        }
    }
}

/// UCARP looks at its timer once per interval.
fn dead_time(node: &Node) -> Duration {
    let (dead, every) = (node.interval.master_down(DEAD_RATIO), node.interval.duration());
    if node.who == Who::Foreign(Kind::Ucarp) {
        every * u32::try_from(dead.as_nanos().div_ceil(every.as_nanos())).expect("a dead time is a few intervals")
    } else {
        dead
    }
}

fn is_ours(node: &Node) -> bool {
    // The first draft stands for ours: it is judged by the same questions.
    matches!(node.who, Who::Ours(_) | Who::Foreign(Kind::FirstDraft))
}

fn actor(setting: &Setting, number: usize, node: &Node) -> Actor {
    match node.who {
        Who::Foreign(kind) => Actor::Foreign(Foreign::new(kind, number, node.preempt)),
        Who::Ours(tie) => {
            let (interval, source) = (node.interval, setting.peers[number].source);
            let source_v6 = setting.peers_v6.get(number).and_then(|peer| match peer.source {
                IpAddr::V6(source) => Some(source),
                IpAddr::V4(_) => None,
            });
            let config = Config {
                interval,
                dead_ratio: DEAD_RATIO,
                preempt: node.preempt,
                source,
                source_v6,
                tie,
                demotion: None,
            };
            Actor::Ours(Box::new(Ours::new(config, setting)))
        }
    }
}
