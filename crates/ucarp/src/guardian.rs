//! The process that the user started: has the rights, reads nothing from the network, and holds addresses and runs
//! scripts for the engine, which is its child.

mod checks;
mod child;
mod control;
mod hosts;
mod interfaces;
mod own;
mod reports;
#[cfg(test)]
mod tests;
mod wills;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, LinkId};
use carp_core::time::Instant;
use log::{error, info};
use ucarp_sys::clock;
use ucarp_sys::monitor::Monitor;
use ucarp_sys::poll::Poller;
use ucarp_sys::signals::{Signal, Signals};

use crate::checks::Checks;
use crate::complaints::{Complaints, Subject};
use crate::config::Secret;
use crate::engine::Line;
use crate::interface::Interface;
use crate::keeper::Keeper;
use crate::protocol::{HostNumber, Order};
use crate::report;
use crate::scripts::Action;
use crate::service::{Service, Stage};
use crate::settings::Settings;
use child::Child;
use control::Control;
pub use control::Place;
use hosts::Hosted;
use interfaces::Removals;
use own::Own;

/// A port that could not be opened is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// The rest after a wait that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// What the engine may take to leave all groups, beside the scripts that it waits for.
const LEAVE: Duration = Duration::from_secs(10);

/// A step of the loop that took this long was interrupted by a stop of the process.
const STALL: Duration = Duration::from_millis(20);

/// What the guardian works with.
pub struct Parts {
    /// Changes of links and addresses.
    pub monitor: Monitor,
    /// Signals that were asked for.
    pub signals: Signals,
    /// How lines of the log and answers to SIGUSR1 begin.
    pub style: Style,
    /// Reads the settings anew, and tells the log why if it cannot. `None`: SIGHUP ends the daemon, as UCARP's.
    pub reload: Option<Box<dyn FnMut() -> Reading>>,
    /// Whether signals that ask for the end let virtual hosts leave in peace. If not, all ends at once, and addresses
    /// stay with whoever has them, as UCARP without `-z`.
    pub orderly: bool,
    /// Who is the engine.
    pub engine: Player,
}

/// Who is the engine.
pub enum Player {
    /// A confined process.
    Process,
    /// A thread of this process, for debugging.
    Thread,
    /// Whoever takes the other end of the line, for tests: an engine that does what ours never would.
    Stranger(Box<dyn FnMut(Line)>),
}

/// What has come of reading the configuration.
#[derive(Debug, Default)]
pub struct Reading {
    /// What to run, and where the keys came from; `None` if it cannot be run.
    pub settings: Option<(Settings, Vec<Secret>)>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// How the log calls virtual hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As UCARP, which has only one: not at all.
    Classic,
    /// By their names.
    Named,
}

/// All virtual hosts, and the engine at work.
pub struct Guardian {
    /// In boxes: nodes of a tree have room for nearly twice as many.
    hosts: BTreeMap<HostNumber, Box<Hosted>>,
    next_number: u32,
    /// Numbered as the core's links.
    interfaces: Vec<Interface>,
    /// The names of groups that move together, by the core's numbers.
    groups: Vec<String>,
    keeper: Keeper,
    own: Own,
    parts: Parts,
    /// Virtual hosts that have a script to wait for.
    busy: BTreeSet<HostNumber>,
    /// Scripts that run as soon as the engine has announced addresses or said goodbye.
    awaiting: BTreeMap<HostNumber, Action>,
    /// Virtual hosts that are shutting down and are forgotten when they have.
    leaving: BTreeSet<HostNumber>,
    child: Child,
    checks: Checks,
    control: Control,
    service: Service,
    poller: Poller,
    complaints: Complaints,
    shutting_down: bool,
    /// When the engine has to have left all groups.
    leave_by: Option<Instant>,
    /// The signal that ends this process at once.
    killed_by: Option<Signal>,
    /// When the addresses that advertisements come from were last found, and when they are looked for again.
    sources_found: Option<Instant>,
    sources_due: Option<Instant>,
    /// When it is looked again whether the addresses that are held are there.
    verify_due: Option<Instant>,
    /// When the engine next listens to which virtual host ids are in use.
    ids_due: Option<Instant>,
    /// When this turn began.
    decided: Instant,
    /// When it was to begin at the latest.
    planned: Option<Instant>,
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
    reports: bool,
}

impl Guardian {
    /// A guardian without virtual hosts. `prepare` opens their interfaces.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            hosts: BTreeMap::new(),
            next_number: 0,
            interfaces: Vec::new(),
            groups: Vec::new(),
            keeper: Keeper::default(),
            own: Own::default(),
            parts,
            busy: BTreeSet::new(),
            awaiting: BTreeMap::new(),
            leaving: BTreeSet::new(),
            child: Child::default(),
            checks: Checks::default(),
            control: Control::default(),
            service: Service::from_environment(),
            poller: Poller::new(),
            complaints: Complaints::default(),
            shutting_down: false,
            leave_by: None,
            killed_by: None,
            sources_found: None,
            sources_due: None,
            verify_due: None,
            ids_due: None,
            decided: Instant::default(),
            planned: None,
        }
    }

    /// Runs until a signal asked for the end and everything is given up. Nothing else ends it: the address would stay.
    /// Returns the signal by which this process has to die, if it has to.
    pub fn run(mut self) -> Option<Signal> {
        self.start();
        self.service.stage(Stage::Ready);
        while !self.is_over() {
            let arrivals = self.wait().unwrap_or_else(|error| {
                self.complain("Unable to wait for events", "", &error);
                // Not in a circle at full speed: whatever the kernel lacks, it may have soon.
                thread::sleep(PAUSE);
                Arrivals { signals: true, monitor: true, reports: true }
            });
            self.turn(&arrivals);
        }
        self.finish()
    }

    /// One turn, with what has arrived and without waiting for more, for those who [start](Self::start) it and drive it step
    /// by step.
    pub fn one_turn(&mut self) {
        self.turn(&Arrivals { signals: true, monitor: true, reports: true });
    }

    /// Ends the engine, and forgets all virtual hosts unless this process is to die at once.
    pub fn finish(mut self) -> Option<Signal> {
        self.checks.end();
        self.child.end();
        if self.killed_by.is_none() {
            self.forget_all();
        }
        self.killed_by
    }

    fn is_over(&self) -> bool {
        self.killed_by.is_some()
            || self.shutting_down
                && self.busy.is_empty()
                && self.awaiting.is_empty()
                && self.keeper.is_idle()
                && self.hosts.keys().all(|host| self.is_silent(*host))
    }

    fn is_silent(&self, host: HostNumber) -> bool {
        self.hosts.get(&host).is_none_or(|hosted| hosted.state == State::Init)
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self) -> io::Result<Arrivals> {
        let scripts = self.busy.iter().filter_map(|host| self.hosts.get(host)).map(|hosted| hosted.next_deadline());
        let interfaces = self.interfaces.iter().map(|interface| interface.retry);
        let others = [self.complaints.next_deadline(), self.keeper.next_deadline(), self.child.next_deadline()];
        let others = others.into_iter().chain([self.sources_due, self.verify_due, self.leave_by, self.ids_due]);
        let others = others.chain([self.checks.next_deadline(), self.control.next_deadline()]);
        let deadline = earliest(scripts.chain(interfaces).chain(others));
        let fds = [self.parts.signals.as_fd(), self.parts.monitor.as_fd()].into_iter().chain(self.child.descriptor());
        let reports_expected = self.child.descriptor().is_some();
        let fds = fds.chain(self.child.end_descriptor()).chain(self.checks.descriptors());
        self.planned = deadline;
        self.poller.wait(fds, deadline.map(|deadline| deadline - now()))?;
        let [signals, monitor, reports] = [0, 1, 2].map(|index| self.poller.ready(index));
        Ok(Arrivals { signals, monitor, reports: reports && reports_expected })
    }

    /// One turn: first everything that came in, then what is due, and in the end what all of it means for the addresses.
    fn turn(&mut self, arrivals: &Arrivals) {
        self.decided = now();
        let removals = if arrivals.monitor { self.read_monitor() } else { None };
        let doubted = self.verify_due.take_if(|due| *due <= now()).map(|_| Removals::new());
        let removals = removals.or(doubted);
        if arrivals.signals {
            self.read_signals();
        }
        if arrivals.reports {
            self.read_reports();
        }
        let now = now();
        self.watch_child(now);
        if self.leave_by.take_if(|by| *by <= now).is_some() && self.child.is_running() {
            self.engine_failed(now, "does not leave");
        }
        self.retry_control(now);
        self.retry_interfaces(now);
        self.listen_for_ids(now);
        if self.sources_due.is_some_and(|due| due <= now) {
            self.find_sources();
        }
        self.poll_busy(now);
        self.do_checks(now);
        if let Some(removals) = removals {
            self.look_for_missing(now, &removals);
        }
        self.settle(now);
        self.forget_the_gone();
        self.child.flush();
        if self.service.is_there() {
            let masters = self.hosts.values().filter(|hosted| hosted.state == State::Master).count();
            self.service.status(masters, self.hosts.len() - masters);
        }
        while let Some(summary) = self.complaints.due(now) {
            report::summary(&summary, |host| self.who(host));
        }
    }

    fn read_signals(&mut self) {
        for signal in self.parts.signals.drain() {
            match signal {
                Signal::Usr1 => self.tell_states(),
                Signal::Usr2 => self.command_all(Command::HandOver),
                Signal::Hup if self.parts.reload.is_some() && !self.shutting_down => {
                    self.service.stage(Stage::Reloading);
                    let _ = self.reload();
                    self.service.stage(Stage::Ready);
                }
                Signal::Hup | Signal::Int | Signal::Quit | Signal::Term if !self.parts.orderly => {
                    self.killed_by.get_or_insert(signal);
                }
                Signal::Hup | Signal::Int | Signal::Quit | Signal::Term if !self.shutting_down => {
                    info!("Told to end by {signal}");
                    self.shut_down();
                }
                // A second request to end changes nothing; an ended process is noticed in every turn.
                _ => {}
            }
        }
    }

    /// Lets all virtual hosts leave their groups. An engine that does not let go is not waited for longer than the scripts
    /// may take.
    fn shut_down(&mut self) {
        self.shutting_down = true;
        self.service.stage(Stage::Stopping);
        self.command_all(Command::ShutDown);
        let scripts = self.hosts.values().map(|hosted| hosted.scripts.longest()).max().unwrap_or_default();
        self.leave_by = Some(now() + LEAVE + scripts);
    }

    /// The engine knows best. Without one nothing is held.
    fn tell_states(&mut self) {
        if self.child.is_running() {
            return self.child.order(&Order::TellStates);
        }
        for hosted in self.hosts.values() {
            info!("BACKUP on {}", hosted.profile.title);
        }
    }

    fn command_all(&mut self, command: Command) {
        for host in self.hosts.keys() {
            self.child.order(&Order::Command { host: *host, command });
        }
    }

    /// Looks whether scripts have ended or must be ended.
    fn poll_busy(&mut self, now: Instant) {
        for host in self.busy.clone() {
            let done = self.hosts.get_mut(&host).and_then(|hosted| hosted.scripts.poll(now));
            self.scripts_happened(host);
            if let Some(done) = done {
                self.script_done(host, done);
            }
            if self.hosts.get(&host).is_none_or(|hosted| hosted.scripts.is_idle()) {
                self.busy.remove(&host);
            }
        }
    }

    fn request(&mut self, now: Instant, host: HostNumber, action: Action) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let outcome = hosted.scripts.request(now, action);
        self.scripts_happened(host);
        match outcome {
            Some(done) => self.script_done(host, done),
            None => _ = self.busy.insert(host),
        }
    }

    /// Where scripts hold the address, the end of one is the end of the change.
    fn script_done(&mut self, host: HostNumber, action: Action) {
        if !self.keeper.keeps(host) {
            if action == Action::Down {
                self.execute_will(host);
            }
            let command = if action == Action::Up { Command::Claimed } else { Command::Released };
            self.child.order(&Order::Command { host, command });
        }
    }

    /// What begins the lines about a virtual host.
    fn who(&self, host: HostNumber) -> String {
        self.hosts.get(&host).map(|hosted| hosted.profile.who.clone()).unwrap_or_default()
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
