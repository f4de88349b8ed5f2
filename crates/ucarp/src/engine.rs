//! The daemon's loop: hands what happens to the protocol core and does what it asks for, in one thread.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, HostId, LinkId, LinkState, Node, Output, Purpose};
use carp_core::time::Instant;
use log::{debug, error, info, warn};
use ucarp_sys::clock;
use ucarp_sys::monitor::{Event, Monitor};
use ucarp_sys::poll::Poller;
use ucarp_sys::signals::{Signal, Signals};

use crate::complaints::{Complaints, Subject};
use crate::interface::Interface;
use crate::report;
use crate::scripts::{Action, Runner};

/// The daemon has one link.
pub const LINK: LinkId = LinkId(0);

/// Frames that are read in one turn of the loop before timers get their chance. Far more than a socket's queue holds, so
/// that after a stall everything is heard before anything is decided.
const MOST_FRAMES: usize = 4096;

/// Reading that took this long was interrupted by a stop of the process, or by a flood.
const STALL: Duration = Duration::from_millis(20);

/// How often reading is repeated when it took long; a flood must not keep timers from firing for ever.
const MOST_READS: usize = 4;

/// A port that could not be opened is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// The rest after a wait that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Longer than any frame that the filter lets pass matters: the header of IPv4 with all options, the advertisement, and
/// some trailing bytes.
const LONGEST_FRAME: usize = 2048;

/// What the engine works with.
pub struct Parts {
    /// The protocol core with one virtual host.
    pub node: Node,
    /// That virtual host.
    pub host: HostId,
    /// Its interface, looked at and with an open port if it can carry frames.
    pub interface: Interface,
    /// Changes of links and addresses.
    pub monitor: Monitor,
    /// Signals that were asked for.
    pub signals: Signals,
    /// The scripts.
    pub scripts: Runner,
    /// What the state is reported for on SIGUSR1: the interface as it was given, and the vhid.
    pub title: String,
    /// The own address.
    pub source: IpAddr,
    /// The virtual address.
    pub address: IpAddr,
}

/// One virtual host at work.
pub struct Engine {
    parts: Parts,
    poller: Poller,
    complaints: Complaints,
    retry_port: Option<Instant>,
    reopened: Option<Instant>,
    shutting_down: bool,
    frame: Vec<u8>,
}

fn now() -> Instant {
    Instant::from_nanos(clock::boottime())
}

fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

impl Engine {
    /// An engine that has not started.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let frame = vec![0; LONGEST_FRAME];
        let (poller, complaints) = (Poller::new(), Complaints::default());
        Self { parts, poller, complaints, retry_port: None, reopened: None, shutting_down: false, frame }
    }

    /// Runs until a signal asked for the end and everything is given up. Nothing else ends it: the address would stay.
    pub fn run(mut self, neutral: bool) {
        warn!("Switching to state: BACKUP");
        if !neutral {
            self.request(now(), Action::Down);
        }
        self.link_changed(now());
        while !self.is_over() {
            let ready = self.wait().unwrap_or_else(|error| {
                self.complain("Unable to wait for events", &error);
                // Not in a circle at full speed: whatever the kernel lacks, it may have soon.
                thread::sleep(PAUSE);
                [true; 3]
            });
            self.turn(ready);
        }
    }

    fn is_over(&self) -> bool {
        self.shutting_down && self.parts.node.state(self.parts.host) == State::Init && self.parts.scripts.is_idle()
    }

    /// Sleeps until something happens or is due. Tells which of signals, monitor and frames have something to read.
    fn wait(&mut self) -> io::Result<[bool; 3]> {
        let Parts { node, scripts, signals, monitor, interface, .. } = &self.parts;
        let deadline =
            earliest([node.next_deadline(), scripts.next_deadline(), self.complaints.next_deadline(), self.retry_port]);
        let frames = interface.port().map(|port| port.socket().as_fd());
        let fds = [signals.as_fd(), monitor.as_fd()].into_iter().chain(frames);
        self.poller.wait(fds, deadline.map(|deadline| deadline - now()))?;
        Ok([0, 1, 2].map(|index| self.poller.ready(index)))
    }

    /// One turn: first everything that came in, links before frames, then what is due.
    fn turn(&mut self, [signals, monitor, frames]: [bool; 3]) {
        if monitor {
            self.read_monitor();
        }
        if signals {
            self.read_signals();
        }
        let now = self.hear_everything(frames);
        if self.retry_port.is_some_and(|at| at <= now) {
            self.link_changed(now);
        }
        if let Some(done) = self.parts.scripts.poll(now) {
            self.script_done(now, done);
        }
        self.parts.node.handle_timeout(now);
        self.carry_out(now);
        while let Some(summary) = self.complaints.due(now) {
            report::summary(&summary);
        }
    }

    /// Reads the frames that have arrived, before anything that is due is decided, and returns the time to decide at.
    /// A process that was stopped on the way reads again: what arrived meanwhile matters.
    fn hear_everything(&mut self, arrived: bool) -> Instant {
        let mut before = now();
        let due = self.parts.node.next_deadline().is_some_and(|deadline| deadline <= before);
        if arrived || due {
            for _ in 0..MOST_READS {
                self.read_frames();
                let after = now();
                if after - before < STALL {
                    return after;
                }
                before = after;
            }
        }
        before
    }

    fn read_frames(&mut self) {
        for _ in 0..MOST_FRAMES {
            let Some(port) = self.parts.interface.port() else { return };
            match port.socket().recv(&mut self.frame) {
                Ok(Some(length)) => {
                    let now = now();
                    self.parts.node.handle_frame(now, LINK, &self.frame[..length]);
                    self.carry_out(now);
                }
                Ok(None) => return,
                // The link went down or away; the monitor tells more.
                Err(error) => {
                    debug!("Unable to receive: {error}");
                    self.reopen(now());
                    return;
                }
            }
        }
    }

    fn read_monitor(&mut self) {
        let events = self.parts.monitor.read().unwrap_or_else(|error| {
            self.complain("Unable to watch links", &error);
            if let Ok(monitor) = Monitor::open() {
                self.parts.monitor = monitor;
            }
            vec![Event::Overrun]
        });
        let interface = &self.parts.interface;
        let is_concerned = events.iter().any(|event| match event {
            Event::LinkChanged(link) => interface.is_concerned(link.index, &link.name),
            Event::LinkGone { index, name } => interface.is_concerned(*index, name),
            Event::AddressAdded { .. } | Event::AddressRemoved { .. } => false,
            Event::Overrun => true,
        });
        if is_concerned {
            self.link_changed(now());
        }
        // Only now, as the addresses of a link that is gone need no words of their own.
        for event in events {
            if let Event::AddressRemoved { index, address } = event {
                self.address_removed(index, address);
            }
        }
    }

    /// Looks at the interface anew and tells the core.
    fn link_changed(&mut self, now: Instant) {
        let before = self.parts.interface.link().map(|link| link.index);
        if let Err(error) = self.parts.interface.look() {
            self.complain("Unable to look at the interface", &error);
            self.retry_port = Some(now + RETRY);
            return;
        }
        let after = self.parts.interface.link().map(|link| link.index);
        if before.is_some() && before != after {
            // Another interface of the same name: what was known of the old one is void.
            self.parts.node.handle_link(now, LINK, LinkState::Gone);
        }
        if before.is_none() && after.is_some() {
            // A script that ran while the interface was away had nothing to act on.
            self.request(now, Action::Down);
        }
        self.retry_port = None;
        let mut state = self.parts.interface.state();
        if let Err(error) = self.parts.interface.open_or_close() {
            self.complain("Unable to open the interface", &error);
            self.retry_port = Some(now + RETRY);
            state = LinkState::Down;
        }
        self.parts.node.handle_link(now, LINK, state);
        self.carry_out(now);
    }

    /// Opens the port anew after an error; one that does so again and again is given a rest in between.
    fn reopen(&mut self, now: Instant) {
        self.parts.interface.close();
        if self.reopened.is_none_or(|last| now - last >= RETRY) {
            self.reopened = Some(now);
            self.link_changed(now);
        } else {
            self.retry_port = Some(now + RETRY);
            self.parts.node.handle_link(now, LINK, LinkState::Down);
            self.carry_out(now);
        }
    }

    fn address_removed(&self, index: u32, address: IpAddr) {
        if self.parts.interface.link().is_none_or(|link| link.index != index) {
            return;
        }
        if address == self.parts.source {
            warn!("The own address {address} was removed from the interface: advertisements still carry it");
        } else if address == self.parts.address && self.holds_address() {
            warn!("The virtual address {address} was removed from the interface, and not by a script of this MASTER");
        }
    }

    /// Whether this host is MASTER and nothing is under way that may move the address.
    fn holds_address(&self) -> bool {
        self.parts.node.state(self.parts.host) == State::Master && self.parts.scripts.is_idle()
    }

    fn read_signals(&mut self) {
        for signal in self.parts.signals.drain() {
            let now = now();
            match signal {
                Signal::Usr1 => {
                    let master = self.parts.node.state(self.parts.host) == State::Master;
                    info!("{} on {}", if master { "MASTER" } else { "BACKUP" }, self.parts.title);
                }
                Signal::Usr2 => self.command(now, Command::HandOver),
                Signal::Hup | Signal::Int | Signal::Quit | Signal::Term if !self.shutting_down => {
                    info!("Told to end by {signal}");
                    self.shutting_down = true;
                    self.command(now, Command::ShutDown);
                }
                // A second request to end changes nothing; an ended script is noticed in every turn.
                _ => {}
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        self.parts.node.handle_command(now, self.parts.host, command);
        self.carry_out(now);
    }

    fn request(&mut self, now: Instant, action: Action) {
        if let Some(done) = self.parts.scripts.request(now, action) {
            self.script_done(now, done);
        }
    }

    fn script_done(&mut self, now: Instant, action: Action) {
        let command = if action == Action::Up { Command::Claimed } else { Command::Released };
        self.parts.node.handle_command(now, self.parts.host, command);
    }

    /// Does everything that the core asks for.
    fn carry_out(&mut self, now: Instant) {
        while let Some(output) = self.parts.node.poll_output() {
            match output {
                Output::Transmit { purpose, frame, .. } => self.transmit(purpose, &frame),
                Output::TransmitPacket { .. } => unreachable!("the command line knows no unicast peers"),
                Output::Claim { .. } => self.request(now, Action::Up),
                Output::Release { .. } => self.request(now, Action::Down),
                Output::Leaving { reason, .. } => report::leaving(&reason),
                Output::Transition { from, to, reason, .. } => report::transition(from, to, &reason),
                Output::Notice { notice, .. } => report::notice(&mut self.complaints, now, &notice),
            }
        }
    }

    fn transmit(&mut self, purpose: Purpose, frame: &[u8]) {
        let Some(port) = self.parts.interface.port() else { return };
        match port.socket().send(frame) {
            Ok(()) => debug!("{purpose} sent"),
            Err(error) => self.complain("Unable to send", &error),
        }
    }

    /// Tells what went wrong on this host, unless it did a moment ago.
    fn complain(&mut self, kind: &'static str, error: &dyn Error) {
        if self.complaints.is_news(now(), Subject { kind, sender: None }) {
            error!("{kind} [{}]: {error}", self.parts.interface.name());
        }
    }
}
