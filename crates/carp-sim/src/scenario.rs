//! From a seed to a group of nodes, a network and what goes wrong: the workload.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use carp_core::election::TieRule;
use carp_core::host::Authentication;
use carp_core::timing::Interval;

use crate::bounds::{Bounds, longest_wait};
use crate::dice::Dice;
use crate::fault::{Attack, Fault, FaultKind, FaultSet, Nodes, Planned};
use crate::moment::{Clock, Moment, Wall};
use crate::network::{Quality, percent};
use crate::options::Options;
use crate::sabotage::Sabotage;
use crate::spec::{Credentials, Edition, Families, Family, Kind, Spec};

/// Most faults of one run.
const MOST_FAULTS: u64 = 12;

/// How long a run goes on after everything must have settled, to see that it stays so.
const WATCH: Duration = Duration::from_secs(12);

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) specs: Vec<Spec>,
    pub(crate) clocks: Vec<Clock>,
    /// What the hosts' wall clocks show at first.
    pub(crate) walls: Vec<Wall>,
    pub(crate) authentication: Authentication,
    pub(crate) starts: Vec<Moment>,
    pub(crate) quality: Quality,
    /// Whether nodes advertise to each other one by one.
    pub(crate) unicast: bool,
    pub(crate) faults: Vec<Planned>,
    pub(crate) calm: Moment,
    pub(crate) end: Moment,
    pub(crate) bounds: Bounds,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Scenario {
    /// The scenario of `seed`.
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut dice = Dice::new(seed);
        let strict = options.authentication == Authentication::Strict;
        let kinds = kinds(&mut dice, options);
        let mixed = kinds.iter().any(|kind| *kind != Kind::Ours);
        let mut specs = specs(&mut dice, &kinds, options);
        if options.families != Families::V4 {
            speak(&mut dice, &mut specs, options.families);
        }
        let fast = specs.iter().any(|spec| spec.interval.advbase == 0);
        let (quality, lag) = surroundings(&mut dice, fast);
        let script = match dice.below(4) {
            0 => Duration::ZERO,
            1 | 2 => dice.millis(1, 150),
            _ => dice.millis(100, if mixed { 300 } else { 3000 }),
        };
        let clocks = specs.iter().map(|_| clock(&mut dice, options.faults.has(FaultKind::Drift))).collect();
        let spread = if dice.coin() { 3 } else { 5000 };
        let starts = specs.iter().map(|_| Moment::default() + dice.millis(0, spread)).collect();
        let calm = Moment::default() + Duration::from_secs(options.seconds);
        let clocks_differ = strict && options.faults.has(FaultKind::Clock);
        let walls = specs.iter().map(|_| if strict { wall(&mut dice, clocks_differ) } else { Wall::Off(0) }).collect();
        let unicast = options.unicast;
        let faults =
            Plan { dice: &mut dice, specs: &specs, unicast, strict, calm, script, fast, mixed }.faults(&options.faults);
        let mut bounds = Bounds::new(&specs, &faults, quality, lag, script);
        if clocks_differ {
            bounds.clocks_differ = true;
            bounds.settle += specs.iter().map(|spec| longest_wait(spec, &bounds)).max().unwrap_or_default();
        }
        let end = calm + bounds.settle + WATCH;
        let Options { authentication, sabotage, .. } = *options;
        Self {
            seed,
            specs,
            clocks,
            walls,
            authentication,
            starts,
            quality,
            unicast,
            faults,
            calm,
            end,
            bounds,
            sabotage,
        }
    }
}

impl Scenario {
    /// A group on a good network, with these faults and with nothing left to chance but phases and delays. It need not
    /// settle.
    pub(crate) fn plain(seed: u64, specs: Vec<Spec>, faults: Vec<Planned>, end: Moment) -> Self {
        let mut dice = Dice::new(seed);
        let quality = Quality::good(Duration::from_micros(100), Duration::from_micros(300));
        let clock = Clock { origin: 1_000_000_000, drift_ppm: 0 };
        let bounds = Bounds {
            max_delay: quality.longest(),
            lag: Duration::ZERO,
            in_order: true,
            up_script: Duration::ZERO,
            down_script: Duration::ZERO,
            settle: Duration::ZERO,
            must_settle: false,
            clocks_differ: false,
        };
        // The first node starts first; the others at any phase of its interval.
        let later = |_| Moment::default() + dice.millis(100, 1100);
        let starts = std::iter::once(Moment::default()).chain((1..specs.len()).map(later)).collect();
        Self {
            seed,
            clocks: vec![clock; specs.len()],
            walls: vec![Wall::Off(0); specs.len()],
            authentication: Authentication::default(),
            specs,
            starts,
            quality,
            unicast: false,
            faults,
            calm: end,
            end,
            bounds,
            sabotage: None,
        }
    }
}

/// UCARP knows IPv4 alone, and nobody but ours knows unicast and stamps.
fn kinds(dice: &mut Dice, options: &Options) -> Vec<Kind> {
    let (low, high) = (*options.nodes.start(), *options.nodes.end());
    let size = low + dice.index(high - low + 1);
    let can = |kind: &Kind| match kind {
        Kind::Ours => false,
        _ if options.unicast || options.authentication == Authentication::Strict => false,
        Kind::Ucarp => options.families == Families::V4,
        Kind::FreeBsd | Kind::OpenBsd | Kind::NetBsd => true,
    };
    let foreign: Vec<_> = options.peers.iter().copied().filter(can).collect();
    (0..size)
        .map(|node| match node {
            0 => Kind::Ours,
            1 if !foreign.is_empty() => dice.pick(&foreign),
            _ => Some(dice.pick(&options.peers)).filter(|kind| foreign.contains(kind)).unwrap_or(Kind::Ours),
        })
        .collect()
}

/// Gives every node an address of IPv6, in another order than those of IPv4.
fn speak(dice: &mut Dice, specs: &mut [Spec], families: Families) {
    let mut last: Vec<u16> = (1..=250).collect();
    for node in 0..specs.len() {
        let octet = last.swap_remove(dice.index(last.len()));
        let twin = specs[..node].iter().find(|other| other.source == specs[node].source).map(|other| other.source_v6);
        let own = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(dice.coin()), octet);
        // Twins without IPv4 are those that have the same address of IPv6.
        specs[node].source_v6 = twin.filter(|_| families == Families::V6).unwrap_or(own);
        specs[node].families = families;
        specs[node].whole_digest = dice.coin();
    }
}

/// How ranks are spread over a group. The values keep clear of combinations in which a node's dead time and another
/// one's interval are within a hair of each other: there, jitter decides, with any implementation.
fn specs(dice: &mut Dice, kinds: &[Kind], options: &Options) -> Vec<Spec> {
    let mixed = kinds.iter().any(|kind| *kind != Kind::Ours);
    let dead_ratio = if mixed { 3 } else { dice.pick(&[2, 3, 3, 3, 5]) };
    let tie = if mixed || dice.below(4) > 0 { TieRule::UcarpLittleEndian } else { TieRule::Numeric };
    let bases: &[u8] = match dice.below(8) {
        0 if !mixed => &[0],
        1 => &[2],
        2 if dead_ratio == 3 && !mixed => &[1, 2, 4],
        _ => &[1],
    };
    let style = dice.below(4);
    let preempt = dice.below(3);
    let first = u8::try_from(dice.below(40)).expect("less than 40");
    let mut octets: Vec<u8> = (1..=250).collect();
    let mut specs: Vec<Spec> = Vec::with_capacity(kinds.len());
    for (node, kind) in (0_u8..).zip(kinds) {
        let advbase = dice.pick(bases);
        let advskew = match style {
            _ if bases == [0] => dice.pick(&[26, 32, 40, 64]),
            0 => first,
            1 => first + dice.pick(&[0, 40]),
            _ => first + 20 * node,
        };
        let octet = octets.swap_remove(dice.index(octets.len()));
        let source = Ipv4Addr::new(10, 0, u8::try_from(dice.below(2)).expect("0 or 1"), octet);
        let preempt = preempt == 1 || (preempt == 2 && dice.coin());
        let interval = Interval { advbase, advskew };
        specs.push(Spec { interval, dead_ratio, preempt, tie, source, ..Spec::plain(*kind, octet, 0) });
    }
    for node in (1..specs.len()).rev() {
        let other = dice.index(node + 1);
        let (a, b) = (specs[node].interval, specs[other].interval);
        (specs[node].interval, specs[other].interval) = (b, a);
    }
    let may_have_twins = options.faults.has(FaultKind::Twins) && !options.unicast && !mixed;
    // Stamps name their sender by its address.
    if may_have_twins && dice.below(20) == 0 && options.authentication == Authentication::Classic {
        specs[1].source = specs[0].source;
    }
    specs
}

fn surroundings(dice: &mut Dice, fast: bool) -> (Quality, Duration) {
    let delay_min = dice.duration(Duration::from_micros(20), Duration::from_millis(1));
    let spread = if fast || dice.coin() { dice.millis(0, 2) } else { dice.millis(0, 20) };
    let mut quality = Quality::good(delay_min, delay_min + spread);
    quality.in_order = dice.below(3) > 0;
    let lag = match dice.below(3) {
        0 => Duration::ZERO,
        1 => Duration::from_micros(100),
        _ => Duration::from_millis(2),
    };
    (quality, lag)
}

fn clock(dice: &mut Dice, drifts: bool) -> Clock {
    let ppm = i32::try_from(dice.below(1001)).expect("at most 1000") - 500;
    let origin = if dice.coin() { dice.below(10_000_000_000) } else { dice.below(1 << 55) };
    Clock { origin, drift_ppm: if drifts { ppm } else { 0 } }
}

/// Clocks that are set from the network differ by little.
fn wall(dice: &mut Dice, may_be_wrong: bool) -> Wall {
    const MONTH: u64 = 30 * 86_400_000;
    let off = |millis: u64| i64::try_from(millis).expect("a month fits");
    match if may_be_wrong { dice.below(6) } else { 0 } {
        0..=2 => Wall::Off(off(dice.below(4000)) - 2000),
        3 => Wall::Off(off(dice.below(60_000)) - 30_000),
        4 => Wall::Off(off(dice.below(2 * MONTH)) - off(MONTH)),
        _ => Wall::Cold,
    }
}

/// Makes the list of faults.
struct Plan<'a> {
    dice: &'a mut Dice,
    specs: &'a [Spec],
    unicast: bool,
    strict: bool,
    calm: Moment,
    script: Duration,
    fast: bool,
    mixed: bool,
}

impl Plan<'_> {
    fn faults(mut self, allowed: &FaultSet) -> Vec<Planned> {
        let kinds: Vec<_> = allowed.kinds().iter().copied().filter(|kind| self.is_possible(*kind)).collect();
        let mut planned: Vec<Planned> = Vec::new();
        if kinds.is_empty() {
            return planned;
        }
        // Most runs have few kinds, so that each is seen alone and in pairs too.
        let kinds: Vec<_> = (0..self.dice.pick(&[1, 2, 3, 8])).map(|_| self.dice.pick(&kinds)).collect();
        for _ in 0..=self.dice.below(MOST_FAULTS) {
            let kind = self.dice.pick(&kinds);
            if kind == FaultKind::Rekey {
                self.rekey(&mut planned);
                continue;
            }
            let begin = Moment::default() + self.dice.duration(Duration::ZERO, self.calm - Moment::default());
            let longest = if self.dice.coin() { 3000 } else { 20_000 };
            let end = (begin + self.dice.millis(1, longest)).min(self.calm);
            let fault = self.fault(kind);
            let Some(node) = fault.node() else {
                planned.push(Planned { begin, end, fault });
                continue;
            };
            let shortest = if matches!(fault, Fault::Restart { .. }) { self.script * 3 } else { Duration::ZERO };
            let end = end.max(begin + shortest + Duration::from_millis(100));
            let free = |other: &Planned| {
                let same = other.fault.node() == Some(node) && !other.fault.is_momentary();
                !same || other.end < begin || end < other.begin
            };
            if end < self.calm && (fault.is_momentary() || planned.iter().all(free)) {
                planned.push(Planned { begin, end, fault });
            }
        }
        planned.sort_by_key(|planned| planned.begin);
        undisturbed(planned)
    }

    /// The whole group gets other credentials, once in a run: all nodes within the grace time of the first, but for one
    /// that may be late.
    fn rekey(&mut self, planned: &mut Vec<Planned>) {
        let grace = self.dice.millis(4000, 12_000);
        // By then all have started.
        let earliest = Moment::default() + Duration::from_secs(6);
        let room = (self.calm - earliest).saturating_sub(grace * 4);
        let again = planned.iter().any(|planned| matches!(planned.fault, Fault::Rekey { .. }));
        if room.is_zero() || again {
            return;
        }
        let first = earliest + self.dice.duration(Duration::ZERO, room);
        let (leader, late) = (self.dice.index(self.specs.len()), self.dice.index(self.specs.len() * 3));
        let (new_password, new_addresses) = self.dice.pick(&[(true, false), (false, true), (true, true)]);
        let edition = Edition { new_password, new_addresses };
        for node in 0..self.specs.len() {
            let wait = match node {
                node if node == leader => Duration::ZERO,
                node if node == late => grace * 11 / 10 + self.dice.duration(Duration::ZERO, grace * 7 / 10),
                _ => self.dice.duration(Duration::ZERO, grace * 85 / 100),
            };
            let begin = first + wait;
            planned.push(Planned { begin, end: begin, fault: Fault::Rekey { node, edition, grace } });
        }
    }

    /// Echoed multicast makes the kernels step down before themselves, whatever others do.
    fn is_possible(&self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::Drift | FaultKind::Twins => false,
            FaultKind::Delay => !self.fast,
            FaultKind::Echo => !self.unicast && self.specs.iter().all(|spec| !spec.kind.is_kernel()),
            FaultKind::Family => self.specs[0].families == Families::Dual,
            FaultKind::Rekey => !self.mixed,
            FaultKind::Clock | FaultKind::Replay | FaultKind::Forgery => self.strict,
            FaultKind::Reflection => self.strict && !self.unicast,
            FaultKind::Demotion => !self.mixed || self.specs.iter().any(|spec| spec.kind.is_kernel()),
            _ => true,
        }
    }

    fn some_nodes(&mut self) -> Nodes {
        let all = (1 << self.specs.len()) - 1;
        loop {
            let nodes = self.dice.bits() & all;
            if nodes != 0 && nodes != all {
                return nodes;
            }
        }
    }

    fn one_of_ours(&mut self) -> usize {
        let ours: Vec<_> = (0..self.specs.len()).filter(|node| self.specs[*node].kind == Kind::Ours).collect();
        self.dice.pick(&ours)
    }

    fn fault(&mut self, kind: FaultKind) -> Fault {
        let node = self.dice.index(self.specs.len());
        let rate = percent(self.dice.pick(&[1, 5, 10, 25, 50, 80]));
        match kind {
            FaultKind::Loss if self.dice.coin() => Fault::Loss { from: Nodes::MAX, to: Nodes::MAX, rate },
            FaultKind::Loss => Fault::Loss { from: self.some_nodes(), to: self.some_nodes(), rate },
            FaultKind::Delay => {
                let (min, spread) = (self.dice.millis(0, 150), self.dice.millis(0, 75));
                Fault::Delay { min, mean: min + spread }
            }
            FaultKind::Reordering => {
                let by = if self.fast { self.dice.millis(1, 20) } else { self.dice.millis(1, 300) };
                Fault::Stragglers { rate, by }
            }
            FaultKind::Duplication => Fault::Duplication { rate },
            FaultKind::Corruption => Fault::Corruption { rate },
            FaultKind::Asymmetry => {
                let from = self.some_nodes();
                Fault::OneWay { from, to: !from & self.some_nodes() }
            }
            FaultKind::Partition => Fault::Partition { side: self.some_nodes() },
            FaultKind::Echo => Fault::Echo,
            FaultKind::Replay => {
                let how = self.dice.pick(&[Attack::Replay, Attack::Playback]);
                Fault::Attack { how, every: self.dice.millis(50, 1000) }
            }
            FaultKind::Forgery => Fault::Attack { how: Attack::Forgery, every: self.dice.millis(50, 1000) },
            FaultKind::Reflection => Fault::Attack { how: Attack::Reflection, every: self.dice.millis(50, 1000) },
            FaultKind::Clock => Fault::Reclock { node, wall: wall(self.dice, true) },
            FaultKind::Crash => Fault::Crash { node },
            FaultKind::Stall => Fault::Stall { node, queue: self.dice.pick(&[0, 1, 3, 4096]) },
            FaultKind::Carrier => Fault::Carrier { node },
            FaultKind::Chatter => Fault::Chatter { node },
            FaultKind::Restart => Fault::Restart { node, spec: self.reconfigured(node) },
            FaultKind::Reload => {
                let node = self.one_of_ours();
                Fault::Reload { node, spec: self.reconfigured(node) }
            }
            FaultKind::Hold => Fault::Hold { node: self.one_of_ours() },
            FaultKind::Family => {
                let family = self.dice.pick(&Family::BOTH);
                let [from, to] =
                    if self.dice.coin() { [Nodes::MAX; 2] } else { [self.some_nodes(), self.some_nodes()] };
                Fault::Family { family, from, to }
            }
            FaultKind::Password => {
                Fault::Credentials { node, credentials: Credentials { wrong_password: true, ..Credentials::default() } }
            }
            FaultKind::Addresses => {
                let credentials = Credentials { wrong_addresses: true, ..Credentials::default() };
                Fault::Credentials { node, credentials }
            }
            FaultKind::Demotion => {
                // In mixed groups ranks stay distinct, which those of ours would not.
                let may_be = |node: &usize| !self.mixed || self.specs[*node].kind.is_kernel();
                let nodes: Vec<_> = (0..self.specs.len()).filter(may_be).collect();
                Fault::Demotion { node: self.dice.pick(&nodes), by: self.dice.pick(&[1, 100, 240]) }
            }
            FaultKind::Handover | FaultKind::Drift | FaultKind::Twins | FaultKind::Rekey => Fault::HandOver { node },
        }
    }

    /// Another rank, or another answer to preempt. In mixed groups ranks stay distinct.
    fn reconfigured(&mut self, node: usize) -> Spec {
        let mut spec = self.specs[node];
        if self.dice.coin() && !self.mixed {
            spec.interval = self.specs[self.dice.index(self.specs.len())].interval;
        } else {
            spec.preempt = self.dice.coin();
        }
        spec
    }
}

/// What remains of the faults when a group is given other credentials: a node that is started in the middle knows nothing
/// of the former ones, and nobody can say by then whom it understands.
fn undisturbed(planned: Vec<Planned>) -> Vec<Planned> {
    let grace = planned.iter().find_map(|planned| match planned.fault {
        Fault::Rekey { grace, .. } => Some((planned.begin, planned.begin + grace * 4)),
        _ => None,
    });
    let Some((begin, end)) = grace else { return planned };
    let disturbs = |planned: &Planned| planned.fault.forgets() && planned.begin <= end && planned.end >= begin;
    planned.into_iter().filter(|planned| !disturbs(planned)).collect()
}
