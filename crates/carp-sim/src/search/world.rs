//! The nodes, the frames under way between them, and everything that can happen next.

use std::fmt;

use carp_core::election::State;

use super::actor::{Input, Sent};
use super::automaton::Automaton;

/// Nodes of the largest search.
pub(super) const MOST_NODES: usize = 3;

/// Frames that a world has room for. Beyond the bound of a search only what is sent in answer to a delivery finds room.
const MOST_FRAMES: usize = 8;

/// One frame under way; all its receivers together count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Frame {
    /// A bit for each node it is still on its way to; 0 for none, which is no frame.
    to: u8,
    from: u8,
    goodbye: bool,
    v6: bool,
    /// Another copy of it has arrived somewhere already; a frame is duplicated once.
    duplicate: bool,
    /// In ticks; beyond the latency of a node it waits in the queue of one that does not run.
    age: u8,
}

impl Frame {
    fn goes_to(self, node: usize) -> bool {
        self.to & bit(node) != 0
    }

    fn sent(self) -> Sent {
        if self.goodbye { Sent::Goodbye } else { Sent::Advertisement }
    }
}

/// Everything that decides what can happen next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct World {
    nodes: [u16; MOST_NODES],
    /// A bit for each node that does not run: a stopped process, a paused machine.
    stalled: u8,
    /// A bit for each node that is cut off from the others: it sends to nobody and hears nobody.
    cut: u8,
    /// Sorted, the rest being empty: the order in which frames were sent does not matter, any may arrive first.
    frames: [Frame; MOST_FRAMES],
}

/// What happens in one step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Time passes.
    Tick,
    /// The input arrives at the node. For a frame: whether a duplicate of it is still under way.
    Node(u8, Input, bool),
    /// The node stops running, or goes on.
    Stall(u8, bool),
    /// The node, which was cut off, is joined to the others.
    Join(u8),
}

/// An event with the receivers that what was sent in it will not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// What happens.
    pub(super) event: Event,
    /// A bit for each node that does not receive what is sent, over the first family and over the second.
    pub(super) lost: [u8; 2],
}

/// What can go wrong in a search.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Frames under way at the same time. While there are more, deliveries come first.
    pub(super) frames: usize,
    /// Whether frames arrive at each node in the order in which they were sent.
    pub(super) ordered: bool,
    /// How many ticks a frame takes at most to each node.
    pub(super) latency: Vec<u8>,
    /// Whether frames are lost.
    pub(super) loss: bool,
    /// Whether frames are duplicated.
    pub(super) duplication: bool,
    /// Whether links are lost and processes killed. That they come up, one after the other, is always part of a search.
    pub(super) links: bool,
    /// Whether nodes begin cut off from each other and are joined one by one. (Links that are cut later are part of loss.)
    pub(super) healing: bool,
    /// Whether operators hand over and shut down.
    pub(super) commands: bool,
    /// Whether hosts of ours stop running and go on later. What is sent to them waits, and is lost when
    /// their queue is full.
    pub(super) stalls: bool,
    /// Whether random waits of all nodes take either end of their range. Otherwise node 0 draws low and the others high,
    /// as two of them do sooner or later.
    pub(super) any_draw: bool,
    /// Which nodes are ours.
    pub(super) ours: Vec<bool>,
    /// The families that an advertisement is sent over, a frame each: whether it is that of IPv6 in a group of both.
    pub(super) families: Vec<bool>,
}

/// A successor of a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Successor {
    /// How it comes about.
    pub(super) step: Move,
    /// The world then.
    pub(super) world: World,
    /// Whether it is part of a fair continuation: nothing is lost, duplicated, broken or commanded.
    pub(super) fair: bool,
    /// The broken rule of a node's contract, if any.
    pub(super) fault: Option<&'static str>,
}

fn bit(node: usize) -> u8 {
    1 << node
}

fn index(node: usize) -> u8 {
    u8::try_from(node).expect("there are at most three nodes")
}

impl World {
    /// The world before anything happened.
    pub(super) fn start(rules: &Rules) -> Self {
        Self { cut: if rules.healing { bit(rules.latency.len()) - 1 } else { 0 }, ..Self::default() }
    }

    fn runs(&self, node: usize) -> bool {
        self.stalled & bit(node) == 0
    }

    fn under_way(&self) -> impl Iterator<Item = Frame> + '_ {
        self.frames.iter().copied().take_while(|frame| frame.to != 0)
    }

    /// Brings the frames into the one order of their state: that of their sending, or none.
    fn tidy(&mut self, rules: &Rules) {
        if rules.ordered {
            self.frames.sort_by_key(|frame| frame.to == 0);
        } else {
            self.frames.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way().next().is_none()
    }

    /// The nodes that take part: they run, have a link, and the others hear them.
    fn participants<'a>(&'a self, nodes: &'a [Automaton]) -> impl Iterator<Item = usize> + 'a {
        (0..nodes.len()).filter(|node| {
            let connected = (self.stalled | self.cut) & bit(*node) == 0;
            connected && nodes[*node].view(self.nodes[*node]).state != State::Init
        })
    }

    /// The MASTERs among those that take part, a bit each; `None` if nobody takes part.
    pub(super) fn masters(&self, nodes: &[Automaton]) -> Option<u8> {
        self.participants(nodes)
            .map(|node| if nodes[node].view(self.nodes[node]).is_master() { bit(node) } else { 0 })
            .reduce(|a, b| a | b)
    }

    /// Everything that can happen next.
    pub(super) fn successors(&self, rules: &Rules, nodes: &mut [Automaton], found: &mut Vec<Successor>) {
        found.clear();
        let deliverable = self.under_way().filter(|frame| frame.to & !self.stalled != 0).count();
        self.deliveries(rules, nodes, found);
        if deliverable > rules.frames {
            return;
        }
        for node in 0..nodes.len() {
            self.local(rules, node, nodes, found);
        }
        self.tick(rules, nodes, found);
    }

    fn deliveries(&self, rules: &Rules, nodes: &mut [Automaton], found: &mut Vec<Successor>) {
        let room = self.under_way().count() <= rules.frames;
        let mut last = Frame::default();
        for (place, frame) in self.under_way().enumerate() {
            if frame == last {
                continue;
            }
            last = frame;
            let overtakes = |node: usize| self.frames[..place].iter().any(|earlier| earlier.goes_to(node));
            for node in (0..nodes.len()).filter(|node| frame.goes_to(*node) && self.runs(*node)) {
                if rules.ordered && overtakes(node) {
                    continue;
                }
                let mut rest = *self;
                rest.frames[place].to &= !bit(node);
                if rest.frames[place].to == 0 {
                    rest.frames[place] = Frame::default();
                }
                rest.tidy(rules);
                let heard =
                    |high| Input::Heard { from: usize::from(frame.from), sent: frame.sent(), v6: frame.v6, high };
                let number = self.nodes[node];
                let differs = nodes[node].step(number, heard(false)) != nodes[node].step(number, heard(true));
                let draws = if rules.any_draw && differs { &[false, true][..] } else { &[node != 0][..] };
                for high in draws {
                    rest.happens(rules, node, heard(*high), Cause::fair(), nodes, found);
                    if rules.duplication && !frame.duplicate && room {
                        let mut both = *self;
                        both.frames[place].duplicate = true;
                        both.tidy(rules);
                        both.happens(rules, node, heard(*high), Cause::duplicate(), nodes, found);
                    }
                }
            }
        }
    }

    /// What a node does by itself or is told.
    fn local(&self, rules: &Rules, node: usize, nodes: &mut [Automaton], found: &mut Vec<Successor>) {
        let stall = |stalled| Move { event: Event::Stall(index(node), stalled), lost: [0; 2] };
        if !self.runs(node) {
            let world = Self { stalled: self.stalled & !bit(node), ..*self };
            found.push(Successor { step: stall(false), world, fair: false, fault: None });
            return;
        }
        if rules.stalls && rules.ours[node] {
            let world = Self { stalled: self.stalled | bit(node), ..*self };
            found.push(Successor { step: stall(true), world, fair: false, fault: None });
        }
        if self.cut & bit(node) != 0 {
            let step = Move { event: Event::Join(index(node)), lost: [0; 2] };
            let world = Self { cut: self.cut & !bit(node), ..*self };
            found.push(Successor { step, world, fair: false, fault: None });
        }
        let view = nodes[node].view(self.nodes[node]);
        // What came in while the host did not run is handed in before its timers act.
        let queued = self.under_way().any(|frame| frame.goes_to(node) && frame.age > rules.latency[node]);
        if view.due && !queued {
            self.happens(rules, node, Input::Fire, Cause::fair(), nodes, found);
        }
        if view.releasing {
            self.happens(rules, node, Input::Released, Cause::fair(), nodes, found);
        }
        let unfair = [
            (Input::LinkUp, true),
            (Input::LinkLost, rules.links),
            (Input::HandOver, rules.commands),
            (Input::ShutDown, rules.commands),
        ];
        for (input, wanted) in unfair {
            if wanted && nodes[node].matters(self.nodes[node], input) {
                self.happens(rules, node, input, Cause::unfair(), nodes, found);
            }
        }
    }

    /// Time passes when nothing of what is due now is left to do.
    fn tick(&self, rules: &Rules, nodes: &mut [Automaton], found: &mut Vec<Successor>) {
        let mut world = *self;
        for node in (0..nodes.len()).filter(|node| self.runs(*node)) {
            let view = nodes[node].view(self.nodes[node]);
            let arrived = self.under_way().any(|frame| frame.goes_to(node) && frame.age >= rules.latency[node]);
            if view.due || view.release_due || arrived {
                return;
            }
        }
        for (number, node) in world.nodes.iter_mut().zip(nodes) {
            *number = node.step(*number, Input::Tick).next;
        }
        for frame in world.frames.iter_mut().filter(|frame| frame.to != 0) {
            let slowest = (0..rules.latency.len()).filter(|node| frame.goes_to(*node)).map(|node| rules.latency[node]);
            frame.age = (frame.age + 1).min(slowest.max().unwrap_or(0) + 1);
        }
        world.tidy(rules);
        found.push(Successor { step: Move { event: Event::Tick, lost: [0; 2] }, world, fair: true, fault: None });
    }

    /// `input` reaches a node; what it sends reaches all, or any part of the others.
    fn happens(
        &self,
        rules: &Rules,
        node: usize,
        input: Input,
        cause: Cause,
        nodes: &mut [Automaton],
        found: &mut Vec<Successor>,
    ) {
        let step = nodes[node].step(self.nodes[node], input);
        let event = Event::Node(index(node), input, cause.duplicate);
        let mut world = *self;
        world.nodes[node] = step.next;
        let fault = step.reaction.fault;
        let Some(sent) = step.reaction.sent else {
            found.push(Successor { step: Move { event, lost: [0; 2] }, world, fair: cause.fair, fault });
            return;
        };
        let others = if self.cut & bit(node) == 0 { (bit(nodes.len()) - 1) & !bit(node) & !self.cut } else { 0 };
        // The queue of a host that does not run is bounded, and the network holds no more for it.
        let full = world.under_way().count() >= rules.frames;
        let reachable = if full { others & !self.stalled } else { others };
        let ways = || (0..=others).filter(|lost| lost & !others == 0 && (rules.loss || *lost == 0));
        let second = |lost| ways().filter(move |other| rules.families.len() > 1 || *other == lost);
        for lost in ways().flat_map(|first| second(first).map(move |second| [first, second])) {
            let mut after = world;
            for (lost, v6) in lost.iter().zip(&rules.families) {
                let (to, from) = (reachable & !lost, index(node));
                let frame = Frame { to, from, goodbye: sent == Sent::Goodbye, v6: *v6, ..Frame::default() };
                if frame.to != 0 {
                    let last = after.frames.last_mut().expect("there is room for frames");
                    assert_eq!(last.to, 0, "more frames under way than there is room for");
                    *last = frame;
                    after.tidy(rules);
                }
            }
            let fair = cause.fair && lost == [0; 2];
            found.push(Successor { step: Move { event, lost }, world: after, fair, fault });
        }
    }
}

#[derive(Clone, Copy)]
struct Cause {
    fair: bool,
    duplicate: bool,
}

impl Cause {
    fn fair() -> Self {
        Self { fair: true, duplicate: false }
    }

    fn unfair() -> Self {
        Self { fair: false, duplicate: false }
    }

    fn duplicate() -> Self {
        Self { fair: false, duplicate: true }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Event::Tick => f.write_str("time passes"),
            Event::Stall(node, true) => write!(f, "node {node} stops running"),
            Event::Stall(node, false) => write!(f, "node {node} runs again"),
            Event::Join(node) => write!(f, "node {node} is joined to the others"),
            Event::Node(node, Input::Heard { from, sent, .. }, duplicate) => {
                write!(f, "node {node} hears {sent:?} of node {from}")?;
                f.write_str(if duplicate { ", a duplicate is still under way" } else { "" })
            }
            Event::Node(node, input, _) => write!(f, "node {node}: {input:?}"),
        }?;
        let [first, second] = self.lost;
        for node in 0..MOST_NODES {
            match (first & bit(node) != 0, second & bit(node) != 0) {
                (false, false) => {}
                (true, true) => write!(f, " (what it sends does not reach node {node})")?,
                (true, false) => write!(f, " (what it sends over IPv4 does not reach node {node})")?,
                (false, true) => write!(f, " (what it sends over IPv6 does not reach node {node})")?,
            }
        }
        Ok(())
    }
}

impl World {
    /// The states of the nodes, one word each, and the number of frames under way.
    pub(super) fn summary(&self, nodes: &[Automaton]) -> String {
        let mut text = String::new();
        for (node, automaton) in nodes.iter().enumerate() {
            let view = automaton.view(self.nodes[node]);
            let stalled = if self.runs(node) { "" } else { "(stalled)" };
            let cut = if self.cut & bit(node) == 0 { "" } else { "(cut off)" };
            text += &format!("{:?}{stalled}{cut} ", view.state);
        }
        text + &format!("frames {}", self.under_way().count())
    }
}
