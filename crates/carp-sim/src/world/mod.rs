//! One run: nodes, the network between them, time, and the checkers that watch.

mod attack;
mod book;
mod faults;
mod host;
mod traffic;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use carp_core::election::{Reason, State};
use carp_core::node::{Command, LinkState};

use crate::checkers::{Checkers, Rule, Violation};
use crate::dice::Dice;
use crate::fault::{Fault, Planned};
use crate::ledger::{Fact, Ledger};
use crate::machine::{Act, Input, Machine, Why};
use crate::moment::Moment;
use crate::network::Network;
use crate::scenario::Scenario;
use crate::scripts::Script;
use crate::spec::Edition;
use crate::trace::Trace;
use host::{Host, Missed, Timer};
use traffic::Packet;

/// Writes a line of the timeline, if one is kept.
macro_rules! say {
    ($world:expr, $node:expr, $($words:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            trace.line($world.ledger.now, $node, format_args!($($words)*));
        }
    };
}
pub(super) use say;

/// Far more than the busiest honest node needs.
const MOST_EVENTS_IN_A_MILLISECOND: usize = 10_000;

#[derive(Debug)]
enum What {
    Arrive {
        to: usize,
        packet: Rc<Packet>,
    },
    Timer {
        node: usize,
    },
    ScriptEnds {
        node: usize,
        life: u32,
    },
    Start {
        node: usize,
    },
    /// From now on the node may not be understood by those who were reloaded in time, or is understood again.
    Apart {
        node: usize,
        apart: bool,
    },
    FaultBegins(usize),
    FaultEnds(usize),
    /// The next step of an attack.
    Attack(usize),
    Judge,
}

struct Event {
    at: Moment,
    /// Events of one moment happen in the order in which they were planned.
    order: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seconds of all nodes together, in simulated time.
    pub node_time: Duration,
    /// Things that happened.
    pub events: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Times that a node became MASTER.
    pub takeovers: u64,
    /// Advertisements that somebody sent again, changed or not, and that had to be without effect.
    pub attacks: u64,
    /// Those that somebody would have sent again, had they not looked like slow ones to the node that was to get them.
    pub withheld: u64,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) at: Moment,
    pub(crate) node: usize,
    pub(crate) from: State,
    pub(crate) to: State,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The rule that was broken, if one was.
    pub violation: Option<Violation>,
    /// Differs if anything that was sent or decided differs.
    pub hash: u64,
    /// What it amounted to.
    pub tally: Tally,
    /// If one was wanted.
    pub trace: Option<Trace>,
    pub(crate) moves: Vec<Move>,
}

/// A run in progress.
pub(crate) struct World {
    scenario: Scenario,
    queue: BinaryHeap<Event>,
    planned: u64,
    hosts: Vec<Host>,
    network: Network,
    active: Vec<bool>,
    ledger: Ledger,
    checkers: Checkers,
    violation: Option<Violation>,
    dice: Dice,
    hash: u64,
    tally: Tally,
    trace: Option<Trace>,
    acts: Vec<Act>,
    rush_since: Moment,
    rush: usize,
    moves: Vec<Move>,
    /// The group gets other credentials: these, and when those are late who were not reloaded yet.
    edition: Option<Edition>,
    grace_ends: Option<Moment>,
    /// Whether somebody records what is sent, and what.
    is_recorded: bool,
    recorded: Vec<Rc<Packet>>,
    /// For each fault that is an attack: what is played next.
    playing: Vec<Option<usize>>,
}

impl World {
    /// A run before its start.
    pub(crate) fn new(scenario: Scenario, with_trace: bool) -> Self {
        let mut dice = Dice::new(scenario.seed ^ 0x00c0_ffee);
        let specs = &scenario.specs;
        let clocks = scenario.clocks.iter().zip(&scenario.walls);
        let hosts = specs.iter().zip(clocks).map(|(spec, (clock, wall))| Host::new(*spec, *clock, *wall)).collect();
        let is_attack = |planned: &Planned| matches!(planned.fault, Fault::Attack { .. });
        let mut world = Self {
            queue: BinaryHeap::new(),
            planned: 0,
            hosts,
            network: Network::new(specs.len(), scenario.quality),
            active: vec![false; scenario.faults.len()],
            ledger: Ledger::new(specs, scenario.bounds),
            checkers: Checkers::new(specs.len()),
            violation: None,
            hash: dice.bits(),
            dice,
            tally: Tally::default(),
            trace: with_trace.then(Trace::default),
            acts: Vec::new(),
            rush_since: Moment::default(),
            rush: 0,
            moves: Vec::new(),
            edition: None,
            grace_ends: None,
            is_recorded: scenario.faults.iter().any(is_attack),
            recorded: Vec::new(),
            playing: vec![None; scenario.faults.len()],
            scenario,
        };
        for node in 0..world.hosts.len() {
            world.plan(world.scenario.starts[node], What::Start { node });
        }
        for index in 0..world.scenario.faults.len() {
            world.plan(world.scenario.faults[index].begin, What::FaultBegins(index));
        }
        world.plan(world.scenario.calm + world.scenario.bounds.settle, What::Judge);
        world.plan(world.scenario.end, What::Judge);
        world
    }

    /// Runs to the end, or to the first broken rule.
    pub(crate) fn run(mut self) -> Outcome {
        for (node, spec) in self.scenario.specs.iter().enumerate() {
            let (drift, wall) = (self.scenario.clocks[node].drift_ppm, self.scenario.walls[node]);
            say!(self, Some(node), "is {spec}, its clock drifts by {drift} ppm, its wall clock is {wall}");
        }
        while let Some(event) = self.queue.pop() {
            let waited = self.checkers.wait_until(&self.ledger, event.at);
            self.ledger.now = event.at.min(self.scenario.end);
            if let Err(violation) = waited {
                self.violation = Some(violation);
            }
            if self.violation.is_some() || event.at > self.scenario.end {
                break;
            }
            self.tally.events += 1;
            self.count_rush();
            self.happen(event.what);
        }
        if let Some(violation) = &self.violation {
            say!(self, None, "VIOLATED: {violation}");
        }
        let lives = u32::try_from(self.hosts.len()).expect("groups are small");
        self.tally.node_time = (self.ledger.now - Moment::default()) * lives;
        let Self { violation, hash, tally, trace, moves, .. } = self;
        Outcome { violation, hash, tally, trace, moves }
    }

    /// A node that is woken again and again without any time passing has a deadline that it does not serve.
    fn count_rush(&mut self) {
        if self.ledger.now - self.rush_since >= Duration::from_millis(1) {
            (self.rush_since, self.rush) = (self.ledger.now, 0);
        }
        self.rush += 1;
        if self.rush > MOST_EVENTS_IN_A_MILLISECOND * self.hosts.len() {
            let (rule, at) = (Rule::Grounds, self.ledger.now);
            self.violation = Some(Violation { rule, at, text: "no end of events without any time passing".into() });
        }
    }

    fn plan(&mut self, at: Moment, what: What) {
        self.planned += 1;
        self.queue.push(Event { at, order: self.planned, what });
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrive { to, packet } => self.arrive(to, &packet),
            What::Timer { node } => self.timer(node),
            What::ScriptEnds { node, life } => self.script_ends(node, life),
            What::Start { node } => self.start(node),
            What::Apart { node, apart } => self.set_apart(node, apart),
            What::FaultBegins(index) => self.fault_begins(index),
            What::FaultEnds(index) => self.fault_ends(index),
            What::Attack(index) => self.attack(index),
            What::Judge => self.note(&Fact::Judged),
        }
    }

    /// Records a fact and asks the checkers. Only the first broken rule counts: the run ends there.
    fn note(&mut self, fact: &Fact) {
        self.ledger.record(fact);
        if self.violation.is_none() {
            self.violation = self.checkers.observe(&self.ledger, fact).err();
        }
    }

    fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Hands an input to a node that runs, and does what it wants.
    fn feed(&mut self, node: usize, input: Input<'_>) {
        let host = &mut self.hosts[node];
        let Some(machine) = &mut host.machine else { return };
        let now = host.clock.at(self.ledger.now);
        let mut acts = std::mem::take(&mut self.acts);
        machine.handle(now, input, &mut acts);
        for act in acts.drain(..) {
            self.carry_out(node, act);
        }
        self.acts = acts;
        self.said(node);
        self.set_timer(node);
    }

    /// Wakes the node at its deadline or a little later. An event that comes too early is harmless.
    fn set_timer(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(deadline) = host.machine.as_ref().and_then(Machine::next_deadline) else { return };
        if host.timer.is_some_and(|timer| timer.deadline <= deadline) {
            return;
        }
        let lag = self.dice.duration(Duration::ZERO, self.scenario.bounds.lag);
        let at = host.clock.when(deadline).max(self.ledger.now) + lag;
        host.timer = Some(Timer { deadline, at });
        self.plan(at, What::Timer { node });
    }

    fn timer(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if host.timer.is_none_or(|timer| timer.at != self.ledger.now) {
            return;
        }
        host.timer = None;
        if host.stall.is_none() {
            self.feed(node, Input::Timeout);
        }
    }

    fn carry_out(&mut self, node: usize, act: Act) {
        match act {
            Act::Send { purpose, to, frame } => self.send(node, purpose, to, frame),
            Act::Claim => self.request(node, Script::Up),
            Act::Release => self.request(node, Script::Down),
            Act::Leaving(reason) => say!(self, Some(node), "is about to leave: {reason}"),
            Act::Moved { from, to, why } => self.moved(node, from, to, why),
            Act::Notice(notice) => say!(self, Some(node), "notices {notice:?}"),
        }
    }

    fn moved(&mut self, node: usize, from: State, to: State, why: Why) {
        say!(self, Some(node), "goes from {from:?} to {to:?}: {why}");
        self.mix(self.ledger.now.as_nanos() << 4 | (node as u64) << 2 | to as u64);
        self.tally.takeovers += u64::from(to == State::Master);
        self.moves.push(Move { at: self.ledger.now, node, from, to });
        let stalled = matches!(why, Why::Ours(Reason::Stalled { .. }));
        let since = self.ledger.nodes[node].since;
        let link_lost = !self.hosts[node].carrier;
        self.note(&Fact::Moved { node, from, to, since, link_lost, stalled });
        if self.hosts[node].held {
            self.conditions_changed();
        }
    }

    fn request(&mut self, node: usize, script: Script) {
        if self.hosts[node].spec.kind.is_kernel() {
            return self.hold(node, script == Script::Up);
        }
        if let Some(script) = self.hosts[node].scripts.request(script) {
            self.run_script(node, script);
        }
    }

    fn run_script(&mut self, node: usize, script: Script) {
        say!(self, Some(node), "runs its {} script", if script == Script::Up { "up" } else { "down" });
        let bounds = &self.scenario.bounds;
        let longest = if script == Script::Up { bounds.up_script } else { bounds.down_script };
        let takes = self.dice.duration(longest / 2, longest);
        if script == Script::Up {
            self.hold(node, true);
        }
        let (at, life) = (self.ledger.now + takes, self.hosts[node].life);
        self.plan(at, What::ScriptEnds { node, life });
    }

    fn script_ends(&mut self, node: usize, life: u32) {
        let host = &mut self.hosts[node];
        if host.life != life {
            return;
        }
        if let Some(stall) = &mut host.stall {
            return stall.missed.push(Missed::ScriptEnd);
        }
        self.script_ended(node);
    }

    fn script_ended(&mut self, node: usize) {
        let scripts = &mut self.hosts[node].scripts;
        if scripts.running() == Some(Script::Down) {
            self.hold(node, false);
        }
        match self.hosts[node].scripts.ended() {
            Ok(script) => {
                let command = if script == Script::Up { Command::Claimed } else { Command::Released };
                self.feed(node, Input::Command(command));
            }
            Err(next) => self.run_script(node, next),
        }
    }

    fn hold(&mut self, node: usize, holds: bool) {
        self.ledger.nodes[node].holds = holds;
        self.note(&Fact::Held { node });
    }

    fn link(&mut self, node: usize) {
        let state = if self.hosts[node].carrier { LinkState::Up(host::mac(node)) } else { LinkState::NoCarrier };
        self.feed(node, Input::Link(state));
    }

    fn tell(&mut self, node: usize, command: Command) {
        say!(self, Some(node), "is told: {command:?}");
        self.note(&Fact::Told { node, command });
        self.feed(node, Input::Command(command));
    }
}
