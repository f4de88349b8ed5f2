//! A play: hosts with configurations of their own on one segment, and what befalls them when, written down beforehand.
//!
//! [`crate::run`] draws groups and faults from a seed and judges them. Here the caller says what there is, and gets back who
//! was what, when and why. The network delays every frame by 0.1 to 0.5 ms; the seed decides about that, about losses and
//! about what the nodes leave to chance.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use carp_core::election::{Reason, State};
use carp_core::host::VirtualHostConfig;
use carp_core::node::{Command, HostId, LinkState, Node, Output};
use carp_core::time::Instant;
use carp_core::wire::{MacAddr, ethernet};

use crate::dice::Dice;

/// What the clocks of all hosts show at the start, as most never show 0.
const ORIGIN: Duration = Duration::from_secs(1000);
/// The time of day at the start: strict nodes compare theirs.
const SINCE_1970: Duration = Duration::from_secs(1_790_000_000);
/// Frames that wait for a host that stands still; the socket has no room for more.
const QUEUE: usize = 1000;
/// More than any honest group needs for a play.
const MOST_EVENTS: u64 = 20_000_000;

/// A host of the play.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Its virtual host. The link is that of the stage, whichever it names.
    pub config: VirtualHostConfig,
    /// Whether a missing carrier does not matter to it.
    pub ignores_carrier: bool,
}

/// What befalls the group. Actors are named by their place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The host dies: no goodbye. It is started anew when this is over.
    Kill(usize),
    /// The daemon is ended in order, and started when this is over.
    Stop(usize),
    /// It stands still; what arrives waits.
    Hang(usize),
    /// Its cable is pulled, and it notices.
    Cable(usize),
    /// It is cut off, and does not notice.
    Cut(usize),
    /// It hears nothing, and is heard.
    Deaf(usize),
    /// It is not heard, and hears.
    Mute(usize),
    /// It is told to hand over. This is over at once.
    HandOver(usize),
    /// So many frames of a million are lost.
    Loss(u32),
}

/// A trouble with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// From the start of the play.
    pub at: Duration,
    /// `None`: to the end of the play.
    pub lasts: Option<Duration>,
    /// What it is.
    pub trouble: Trouble,
}

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not run, or stands still.
    Off,
    /// It runs and takes no part.
    Init,
    /// It listens.
    Backup,
    /// It has the addresses.
    Master,
}

impl From<State> for Standing {
    fn from(state: State) -> Self {
        match state {
            State::Init => Self::Init,
            State::Backup => Self::Backup,
            State::Master => Self::Master,
        }
    }
}

/// Why a host is something else now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It decided so.
    Decided(Reason),
    /// It was killed, or stopped to stand still, or ended.
    Struck,
    /// It goes on, or was started.
    Recovered,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// From the start of the play.
    pub at: Duration,
    /// Who.
    pub actor: usize,
    /// What it is now.
    pub to: Standing,
    /// Why.
    pub cause: Cause,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Play {
    /// Changes in the order of time.
    pub moves: Vec<Move>,
    /// Frames that were sent.
    pub frames: u64,
}

/// Plays from 0 to `length`. All hosts start at 0, unless they are struck then.
#[must_use]
pub fn play(seed: u64, actors: &[Actor], incidents: &[Incident], length: Duration) -> Play {
    let mut stage = Stage::new(seed, actors, incidents);
    stage.run(length);
    stage.play
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Ends(usize),
    Begins(usize),
    Start(usize),
    Arrives(usize, Rc<Vec<u8>>),
}

struct Player {
    actor: Actor,
    /// None while it does not run.
    running: Option<(Node, HostId)>,
    starts: u64,
    /// Frames that wait while it stands still.
    still: Option<Vec<Rc<Vec<u8>>>>,
    /// How many troubles keep it from being there, from hearing, from being heard, and from having a carrier.
    away: u32,
    deaf: u32,
    mute: u32,
    unplugged: u32,
}

struct Stage<'a> {
    now: Duration,
    dice: Dice,
    seed: u64,
    players: Vec<Player>,
    incidents: &'a [Incident],
    /// Of one moment, ends come before beginnings and those before starts; then the order of planning counts.
    queue: BinaryHeap<Reverse<(Duration, What, u64)>>,
    planned: u64,
    play: Play,
}

impl<'a> Stage<'a> {
    fn new(seed: u64, actors: &[Actor], incidents: &'a [Incident]) -> Self {
        let player = |actor: &Actor| Player {
            actor: actor.clone(),
            running: None,
            starts: 0,
            still: None,
            away: 0,
            deaf: 0,
            mute: 0,
            unplugged: 0,
        };
        let players = actors.iter().map(player).collect();
        let (queue, play) = (BinaryHeap::new(), Play::default());
        let mut stage =
            Self { now: Duration::ZERO, dice: Dice::new(seed), seed, players, incidents, queue, planned: 0, play };
        for (index, incident) in incidents.iter().enumerate() {
            stage.plan(incident.at, What::Begins(index));
            if let Some(lasts) = incident.lasts {
                stage.plan(incident.at + lasts, What::Ends(index));
            }
        }
        (0..actors.len()).for_each(|who| stage.plan(Duration::ZERO, What::Start(who)));
        stage
    }

    fn plan(&mut self, at: Duration, what: What) {
        self.planned += 1;
        self.queue.push(Reverse((at, what, self.planned)));
    }

    fn run(&mut self, length: Duration) {
        for _ in 0..MOST_EVENTS {
            let event = self.queue.peek().map(|Reverse((at, ..))| *at);
            let deadline = (0..self.players.len()).filter_map(|who| Some((self.deadline(who)?, who))).min();
            match (event, deadline) {
                // Frames come before timers, as in the daemon.
                (Some(at), deadline) if deadline.is_none_or(|(due, _)| at <= due) && at <= length => {
                    self.now = self.now.max(at);
                    let Some(Reverse((_, what, _))) = self.queue.pop() else { return };
                    self.happen(what);
                }
                (_, Some((due, who))) if due <= length => {
                    self.now = self.now.max(due);
                    self.feed(who, |node, _, now| node.handle_timeout(now));
                }
                _ => return,
            }
        }
    }

    /// When a host that runs is to be woken.
    fn deadline(&self, who: usize) -> Option<Duration> {
        let player = &self.players[who];
        let (node, _) = player.running.as_ref().filter(|_| player.still.is_none())?;
        Some(Duration::from_nanos(node.next_deadline()?.as_nanos()).saturating_sub(ORIGIN))
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Start(who) if self.players[who].away == 0 => self.start(who),
            What::Start(_) => {}
            What::Arrives(who, frame) => self.arrive(who, frame),
            What::Begins(index) => self.begin(self.incidents[index].trouble),
            What::Ends(index) => self.end(self.incidents[index].trouble),
        }
    }

    fn begin(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Kill(who) => {
                self.players[who].away += 1;
                self.off(who);
            }
            Trouble::Stop(who) => {
                self.players[who].away += 1;
                self.feed(who, |node, host, now| node.handle_command(now, host, Command::ShutDown));
                self.off(who);
            }
            Trouble::Hang(who) if self.players[who].running.is_some() && self.players[who].still.is_none() => {
                self.players[who].still = Some(Vec::new());
                self.moved(who, Standing::Off, Cause::Struck);
            }
            Trouble::Cable(who) => {
                self.players[who].unplugged += 1;
                self.tell_link(who);
            }
            Trouble::Cut(who) => {
                self.players[who].deaf += 1;
                self.players[who].mute += 1;
            }
            Trouble::Deaf(who) => self.players[who].deaf += 1,
            Trouble::Mute(who) => self.players[who].mute += 1,
            Trouble::HandOver(who) => {
                self.feed(who, |node, host, now| node.handle_command(now, host, Command::HandOver));
            }
            Trouble::Hang(_) | Trouble::Loss(_) => {}
        }
    }

    fn end(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Kill(who) | Trouble::Stop(who) => {
                self.players[who].away -= 1;
                if self.players[who].away == 0 {
                    self.start(who);
                }
            }
            Trouble::Hang(who) => self.go_on(who),
            Trouble::Cable(who) => {
                self.players[who].unplugged -= 1;
                self.tell_link(who);
            }
            Trouble::Cut(who) => {
                self.players[who].deaf -= 1;
                self.players[who].mute -= 1;
            }
            Trouble::Deaf(who) => self.players[who].deaf -= 1,
            Trouble::Mute(who) => self.players[who].mute -= 1,
            Trouble::HandOver(_) | Trouble::Loss(_) => {}
        }
    }

    fn start(&mut self, who: usize) {
        if self.players[who].running.is_some() {
            return;
        }
        let now = self.instant();
        let player = &mut self.players[who];
        player.starts += 1;
        let name = u64::try_from(who).unwrap_or(u64::MAX);
        let mut node = Node::new(self.seed.wrapping_add(name << 32).wrapping_add(player.starts));
        node.set_clock(now, SINCE_1970 + self.now);
        let host = node.add(player.actor.config.clone());
        player.running = Some((node, host));
        if player.starts > 1 {
            self.moved(who, Standing::Init, Cause::Recovered);
        }
        self.tell_link(who);
    }

    fn off(&mut self, who: usize) {
        self.players[who].still = None;
        if self.players[who].running.take().is_some() {
            self.moved(who, Standing::Off, Cause::Struck);
        }
    }

    /// A host that stood still hears first what it missed.
    fn go_on(&mut self, who: usize) {
        let Some(missed) = self.players[who].still.take() else { return };
        let before = self.play.moves.len();
        self.feed(who, |node, _, now| {
            missed.iter().for_each(|frame| node.handle_frame(now, LINK, frame));
            node.handle_timeout(now);
        });
        let state = self.players[who].running.as_ref().map(|(node, host)| node.state(*host));
        if let Some(state) = state.filter(|_| self.play.moves.len() == before) {
            self.moved(who, state.into(), Cause::Recovered);
        }
    }

    fn tell_link(&mut self, who: usize) {
        let player = &self.players[who];
        let is_up = player.unplugged == 0 || player.actor.ignores_carrier;
        let last = u8::try_from(who).unwrap_or(u8::MAX);
        let state = if is_up { LinkState::Up(MacAddr([2, 0, 0, 0, 0, last])) } else { LinkState::NoCarrier };
        self.feed(who, |node, _, now| node.handle_link(now, LINK, state));
    }

    fn arrive(&mut self, who: usize, frame: Rc<Vec<u8>>) {
        match &mut self.players[who].still {
            Some(waiting) if waiting.len() < QUEUE => waiting.push(frame),
            Some(_) => {}
            None => self.feed(who, |node, _, now| node.handle_frame(now, LINK, &frame)),
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_nanos(u64::try_from((ORIGIN + self.now).as_nanos()).unwrap_or(u64::MAX))
    }

    /// Hands something to a host that runs and does not stand still, and does what it asks for.
    fn feed(&mut self, who: usize, hand_in: impl FnOnce(&mut Node, HostId, Instant)) {
        let now = self.instant();
        let player = &mut self.players[who];
        let Some((node, host)) = player.running.as_mut().filter(|_| player.still.is_none()) else { return };
        let mut outputs = Vec::new();
        hand_in(node, *host, now);
        while let Some(output) = node.poll_output() {
            // Addresses come and go at once.
            match output {
                Output::Claim { .. } => node.handle_command(now, *host, Command::Claimed),
                Output::Release { .. } => node.handle_command(now, *host, Command::Released),
                _ => {}
            }
            outputs.push(output);
        }
        outputs.iter().for_each(|output| self.carry_out(who, output));
    }

    fn carry_out(&mut self, who: usize, output: &Output) {
        match output {
            Output::Transmit { frame, .. } => self.send(who, None, frame.to_vec()),
            Output::TransmitPacket { destination, packet, .. } => {
                self.send(who, Some(*destination), behind_ethernet(*destination, packet));
            }
            Output::Transition { to, reason, .. } => self.moved(who, (*to).into(), Cause::Decided(*reason)),
            _ => {}
        }
    }

    fn moved(&mut self, actor: usize, to: Standing, cause: Cause) {
        self.play.moves.push(Move { at: self.now, actor, to, cause });
    }

    /// A frame to all others, or to the one that has the address.
    fn send(&mut self, from: usize, to: Option<IpAddr>, frame: Vec<u8>) {
        self.play.frames += 1;
        let frame = Rc::new(frame);
        let loss = self.loss();
        for who in 0..self.players.len() {
            let is_meant = to.is_none_or(|to| has(&self.players[who].actor.config, to));
            let passes = self.passes(from, who) && !self.dice.chance(loss);
            if who != from && is_meant && passes {
                let delay = self.dice.duration(Duration::from_micros(100), Duration::from_micros(500));
                self.plan(self.now + delay, What::Arrives(who, Rc::clone(&frame)));
            }
        }
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        let [from, to] = [&self.players[from], &self.players[to]];
        from.mute == 0 && to.deaf == 0 && from.unplugged == 0 && to.unplugged == 0 && to.running.is_some()
    }

    /// The loss of this moment; the worst one counts.
    fn loss(&self) -> u32 {
        let is_now = |incident: &&Incident| {
            incident.at <= self.now && incident.lasts.is_none_or(|lasts| self.now < incident.at + lasts)
        };
        let rate = |incident: &Incident| if let Trouble::Loss(rate) = incident.trouble { rate } else { 0 };
        self.incidents.iter().filter(is_now).map(rate).max().unwrap_or(0)
    }
}

/// The only link.
pub const LINK: carp_core::node::LinkId = carp_core::node::LinkId(0);

/// Whether a host has this own address.
fn has(config: &VirtualHostConfig, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => config.local.v4 == v4,
        IpAddr::V6(v6) => config.local.v6 == Some(v6),
    }
}

/// The packet as it comes from the link.
pub(crate) fn behind_ethernet(destination: IpAddr, packet: &[u8]) -> Vec<u8> {
    let ethertype = if destination.is_ipv4() { ethernet::EtherType::Ipv4 } else { ethernet::EtherType::Ipv6 };
    let header = ethernet::Repr { dst: MacAddr([2, 0, 0, 0, 1, 0]), src: MacAddr([2, 0, 0, 0, 2, 0]), ethertype };
    [&header.emit()[..], packet].concat()
}

#[cfg(test)]
mod tests;
