//! The daemon's loop: hands what happens to the protocol core and does what it asks for, in one thread.

mod hosts;
mod interfaces;
mod outputs;
mod pulse;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, HostId, LinkId, Node};
use carp_core::time::Instant;
use log::{debug, error, info};
use ucarp_sys::clock;
use ucarp_sys::monitor::Monitor;
use ucarp_sys::poll::Poller;
use ucarp_sys::signals::{Signal, Signals};

use crate::complaints::{Complaints, Subject};
use crate::interface::{Interface, Port};
use crate::keeper::Keeper;
use crate::report;
use crate::scripts::Action;
use crate::settings::Settings;
use hosts::Hosted;
use pulse::Pulse;

/// Frames that are read from a socket in one turn of the loop before timers get their chance. Far more than a socket's
/// queue holds, so that after a stall everything is heard before anything is decided.
const MOST_FRAMES: usize = 4096;

/// Reading that took this long was interrupted by a stop of the process, or by a flood.
const STALL: Duration = Duration::from_millis(20);

/// How often reading is repeated when it took long; a flood must not keep timers from firing for ever.
const MOST_READS: usize = 4;

/// A port that could not be opened is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// The rest after a wait that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Frames that follow each other within this time belong to one burst: a master of many virtual hosts advertises them
/// all in one go.
const BURST: Duration = Duration::from_millis(1);

/// How long the frames of a burst are let collect, so that they cost one wake-up and not one each.
const COLLECT: Duration = Duration::from_micros(500);

/// Longer than any frame that the filter lets pass matters: the header of IPv4 with all options, the advertisement, and
/// some trailing bytes.
const LONGEST_FRAME: usize = 2048;

/// What the engine works with.
pub struct Parts {
    /// Changes of links and addresses.
    pub monitor: Monitor,
    /// Signals that were asked for.
    pub signals: Signals,
    /// How lines of the log and answers to SIGUSR1 begin.
    pub style: Style,
    /// Reads the settings anew, and tells the log why if it cannot. `None`: SIGHUP ends the daemon, as UCARP's.
    pub reload: Option<Box<dyn FnMut() -> Option<Settings>>>,
}

/// How the log calls virtual hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As UCARP, which has only one: not at all.
    Classic,
    /// By their names.
    Named,
}

/// All virtual hosts at work.
pub struct Engine {
    node: Node,
    hosts: BTreeMap<HostId, Hosted>,
    /// Numbered as the core's links.
    interfaces: Vec<Interface>,
    keeper: Keeper,
    parts: Parts,
    /// Virtual hosts that have a script to wait for.
    busy: BTreeSet<HostId>,
    /// Virtual hosts that are shutting down and are forgotten when they have.
    leaving: BTreeSet<HostId>,
    poller: Poller,
    complaints: Complaints,
    pulse: Pulse,
    shutting_down: bool,
    frame: Vec<u8>,
    /// When frames last arrived.
    last_arrival: Instant,
    /// Whether more frames can be expected at once.
    in_burst: bool,
}

fn now() -> Instant {
    Instant::from_nanos(clock::boottime())
}

fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// What has something to read.
struct Arrivals {
    signals: bool,
    monitor: bool,
    frames: bool,
}

impl Engine {
    /// An engine that has not started. `prepare` opens the interfaces of its virtual hosts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            node: Node::new(clock::random_seed()),
            hosts: BTreeMap::new(),
            interfaces: Vec::new(),
            keeper: Keeper::default(),
            parts,
            busy: BTreeSet::new(),
            leaving: BTreeSet::new(),
            poller: Poller::new(),
            complaints: Complaints::default(),
            pulse: Pulse::default(),
            shutting_down: false,
            frame: vec![0; LONGEST_FRAME],
            last_arrival: Instant::default(),
            in_burst: false,
        }
    }

    /// Runs until a signal asked for the end and everything is given up. Nothing else ends it: the address would stay.
    pub fn run(mut self) {
        self.start();
        while !self.is_over() {
            let arrivals = self.wait().unwrap_or_else(|error| {
                self.complain("Unable to wait for events", "", &error);
                // Not in a circle at full speed: whatever the kernel lacks, it may have soon.
                thread::sleep(PAUSE);
                Arrivals { signals: true, monitor: true, frames: true }
            });
            self.turn(&arrivals);
        }
        self.forget_all();
    }

    fn is_over(&self) -> bool {
        self.shutting_down
            && self.busy.is_empty()
            && self.keeper.is_idle()
            && self.hosts.keys().all(|host| self.is_silent(*host))
    }

    fn is_silent(&self, host: HostId) -> bool {
        self.node.state(host) == State::Init
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self) -> io::Result<Arrivals> {
        let scripts = self.busy.iter().filter_map(|host| self.hosts.get(host)).map(Hosted::next_deadline);
        let interfaces = self.interfaces.iter().map(|interface| interface.retry);
        let others = [self.node.next_deadline(), self.complaints.next_deadline(), self.keeper.next_deadline()];
        let deadline = earliest(scripts.chain(interfaces).chain(others));
        if self.in_burst {
            thread::sleep(deadline.map_or(COLLECT, |deadline| COLLECT.min(deadline - now())));
        }
        let sockets = self.interfaces.iter().filter_map(Interface::port).flat_map(Port::sockets);
        let fds = [self.parts.signals.as_fd(), self.parts.monitor.as_fd()].into_iter();
        let fds = fds.chain(sockets.map(AsFd::as_fd));
        let ready = self.poller.wait(fds, deadline.map(|deadline| deadline - now()))?;
        let [signals, monitor] = [0, 1].map(|index| self.poller.ready(index));
        Ok(Arrivals { signals, monitor, frames: ready > usize::from(signals) + usize::from(monitor) })
    }

    /// One turn: first everything that came in, links before frames, then what is due, and in the end what all of it
    /// means for the addresses.
    fn turn(&mut self, arrivals: &Arrivals) {
        self.pulse.begin(now());
        let removals = if arrivals.monitor { self.read_monitor() } else { None };
        if arrivals.signals {
            self.read_signals();
        }
        let now = self.hear_everything(arrivals.frames);
        self.pulse.begin(now);
        self.retry_interfaces(now);
        self.poll_busy(now);
        self.node.handle_timeout(now);
        self.carry_out(now);
        if let Some(removals) = removals {
            // Only now: a MASTER that was stalled does not take back what its leases have lost.
            self.restore_addresses(now, &removals);
        }
        self.settle(now);
        self.forget_the_gone();
        while let Some(summary) = self.complaints.due(now) {
            report::summary(&summary, |host| self.who(host));
        }
    }

    /// Reads the frames that have arrived, before anything that is due is decided, and returns the time to decide at.
    /// A process that was stopped on the way reads again: what arrived meanwhile matters.
    fn hear_everything(&mut self, arrived: bool) -> Instant {
        let mut before = now();
        let due = self.node.next_deadline().is_some_and(|deadline| deadline <= before);
        self.in_burst = arrived && before - self.last_arrival < BURST;
        if arrived {
            self.last_arrival = before;
        }
        if arrived || due {
            for _ in 0..MOST_READS {
                for index in 0..self.interfaces.len() {
                    self.read_frames(index);
                }
                let after = now();
                if after - before < STALL {
                    return after;
                }
                before = after;
            }
        }
        before
    }

    fn read_frames(&mut self, index: usize) {
        let link = link_id(index);
        let mut broken = false;
        if let Some(port) = self.interfaces[index].port() {
            for socket in port.sockets() {
                for _ in 0..MOST_FRAMES {
                    match socket.recv(&mut self.frame) {
                        Ok(Some(length)) => self.node.handle_frame(now(), link, &self.frame[..length]),
                        Ok(None) => break,
                        // The link went down or away; the monitor tells more.
                        Err(error) => {
                            debug!("Unable to receive: {error}");
                            broken = true;
                            break;
                        }
                    }
                }
            }
        }
        self.carry_out(now());
        if broken {
            self.reopen(now(), index);
        }
    }

    fn read_signals(&mut self) {
        for signal in self.parts.signals.drain() {
            let now = now();
            match signal {
                Signal::Usr1 => self.tell_states(),
                Signal::Usr2 => self.command_all(now, Command::HandOver),
                Signal::Hup if self.parts.reload.is_some() && !self.shutting_down => self.reload(),
                Signal::Hup | Signal::Int | Signal::Quit | Signal::Term if !self.shutting_down => {
                    info!("Told to end by {signal}");
                    self.shutting_down = true;
                    self.command_all(now, Command::ShutDown);
                }
                // A second request to end changes nothing; an ended script is noticed in every turn.
                _ => {}
            }
        }
    }

    fn tell_states(&self) {
        for (host, hosted) in &self.hosts {
            let master = self.node.state(*host) == State::Master;
            info!("{} on {}", if master { "MASTER" } else { "BACKUP" }, hosted.title());
        }
    }

    fn command_all(&mut self, now: Instant, command: Command) {
        for host in self.hosts.keys() {
            self.node.handle_command(now, *host, command);
        }
        self.carry_out(now);
    }

    /// Looks whether scripts have ended or must be ended.
    fn poll_busy(&mut self, now: Instant) {
        for host in self.busy.clone() {
            let done = self.hosts.get_mut(&host).and_then(|hosted| hosted.scripts.poll(now));
            if let Some(done) = done {
                self.script_done(now, host, done);
            }
            if self.hosts.get(&host).is_none_or(|hosted| hosted.scripts.is_idle()) {
                self.busy.remove(&host);
            }
        }
    }

    fn request(&mut self, now: Instant, host: HostId, action: Action) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        match hosted.scripts.request(now, action) {
            Some(done) => self.script_done(now, host, done),
            None => _ = self.busy.insert(host),
        }
    }

    /// Where scripts hold the address, the end of one is the end of the change.
    fn script_done(&mut self, now: Instant, host: HostId, action: Action) {
        if !self.keeper.keeps(host) {
            let command = if action == Action::Up { Command::Claimed } else { Command::Released };
            self.node.handle_command(now, host, command);
        }
    }

    /// What begins the lines about a virtual host.
    fn who(&self, host: HostId) -> String {
        self.hosts.get(&host).map(|hosted| hosted.who.clone()).unwrap_or_default()
    }

    /// Tells what went wrong on this host, unless it did a moment ago.
    fn complain(&mut self, kind: &'static str, name: &str, error: &dyn Error) {
        if self.complaints.is_news(now(), Subject { host: None, kind, sender: None }) {
            error!("{kind} [{name}]: {error}");
        }
    }
}

/// The number of an interface as the core knows it.
fn link_id(index: usize) -> LinkId {
    LinkId(u32::try_from(index).expect("there are fewer interfaces"))
}
