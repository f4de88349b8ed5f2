//! The engine as the guardian sees it: a child that is started, ordered about, watched, and replaced when it fails.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use carp_core::election::State;
use carp_core::time::Instant;
use log::{debug, error, info, warn};
use ucarp_sys::channel::{self, Channel};
use ucarp_sys::monitor::Monitor;
use ucarp_sys::poll::Poller;
use ucarp_sys::process::{self, Signal, Tally};
use ucarp_sys::sandbox::{self, Sandbox};
use ucarp_sys::signals::{self, Termination};

use super::{Guardian, Player, STALL, earliest, now};
use crate::engine::{Engine, Line};
use crate::logging;
use crate::protocol::control;
use crate::protocol::{LONGEST_DATAGRAM, Order, Orders, Report, write_reports};
use crate::scripts::Action;
use crate::settings::{self, Transport};
use crate::tuning;

/// The engine reports at least as often as this.
const LONGEST_BEAT: Duration = Duration::from_secs(10);

/// Nobody needs it more often.
const SHORTEST_BEAT: Duration = Duration::from_millis(250);

/// Reports that come later than this many beats come from an engine that hangs.
const MOST_BEATS: f32 = 2.5;

/// A machine that is very busy may leave an engine without time for so long.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// An engine that fails again and again is started after rests that grow up to this.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// An engine that has worked for so long has not failed at its start.
const GOOD: Duration = Duration::from_secs(60);

/// An order that did not fit into the channel is tried again after this time.
const RETRY: Duration = Duration::from_millis(2);

/// Sockets that the engine can be given: six for each of 600 interfaces.
const SPARE_DESCRIPTORS: u32 = 3600;

/// Exit status of an engine that could not be confined.
const UNCONFINED: u8 = 3;

/// What a killed process may take to end.
const END: Duration = Duration::from_secs(1);

/// The engine, at work or to be started again.
#[derive(Default)]
pub(super) struct Child {
    running: Option<Running>,
    ending: Option<Ending>,
    /// When the next one is started.
    restart: Option<Instant>,
    /// How long the next rest is.
    rest: Duration,
    /// What became of the last one, until the next one is told.
    lost: Option<String>,
    /// How the kernel treats it.
    pub(super) tuning: settings::Process,
}

struct Running {
    engine: Kind,
    channel: Channel,
    tally: Tally,
    orders: Orders,
    outbox: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    buffer: Vec<u8>,
    started: Instant,
    last_beat: Instant,
    beat: Duration,
    /// Reports that were read since the tally was raised.
    read: bool,
    closed: bool,
}

/// A process that was killed, and that the kernel has not cleared away yet: its sockets take their time.
struct Ending {
    process: process::Child,
    by: Instant,
}

/// What the engine is.
enum Kind {
    Process(process::Child),
    /// With `--no-split`.
    Thread,
    /// In a test.
    Stranger,
}

impl Kind {
    fn start(player: &mut Player, unicast: bool, tuning: settings::Process, line: Line) -> io::Result<Self> {
        let guardian = std::process::id();
        match player {
            Player::Process => process::fork_child(|| work(guardian, unicast, &tuning, line)).map(Self::Process),
            Player::Thread => {
                let builder = thread::Builder::new().name("engine".into());
                let run = move || {
                    tuning::apply(&tuning, "engine");
                    Engine::new(line).run()
                };
                builder.spawn(run).map(|_| Self::Thread)
            }
            Player::Stranger(take) => {
                take(line);
                Ok(Self::Stranger)
            }
        }
    }
}

impl Running {
    fn patience(&self) -> Duration {
        self.beat.mul_f32(MOST_BEATS).max(LEAST_PATIENCE)
    }

    /// Sends what there is to send, as far as there is room.
    fn flush(&mut self) {
        self.outbox.extend(self.orders.take().into_iter().map(|datagram| (datagram, Vec::new())));
        while let Some((datagram, descriptors)) = self.outbox.front() {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            match self.channel.send(datagram, &descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that does not read any more is about to be noticed.
                _ => _ = self.outbox.pop_front(),
            }
        }
    }
}

impl Child {
    /// Tells the engine something, in the order of all that it is told. One that is not there is told everything when it
    /// starts.
    pub(super) fn order(&mut self, order: &Order) {
        if let Some(running) = &mut self.running {
            running.orders.push(order);
        }
    }

    /// As [`Child::order`], with descriptors.
    pub(super) fn order_with(&mut self, order: &Order, descriptors: Vec<OwnedFd>) {
        if let Some(running) = &mut self.running {
            running.outbox.extend(running.orders.take().into_iter().map(|datagram| (datagram, Vec::new())));
            running.orders.push(order);
            running.outbox.extend(running.orders.take().into_iter().zip([descriptors]));
        }
    }

    /// Lets the engine have what it was told, and know that its reports were dealt with.
    pub(super) fn flush(&mut self) {
        if let Some(running) = &mut self.running {
            if std::mem::take(&mut running.read) {
                running.tally.raise();
            }
            running.flush();
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().filter(|running| !running.closed).map(|running| running.channel.as_fd())
    }

    /// Readable when the engine that was dismissed has ended.
    pub(super) fn end_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.ending.as_ref().map(|ending| ending.process.as_fd())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref();
        let silence = running.map(|running| running.last_beat + running.patience());
        let retry = running.filter(|running| !running.outbox.is_empty()).map(|_| now() + RETRY);
        let (restart, end) = match &self.ending {
            Some(ending) => (None, Some(ending.by)),
            None => (self.restart, None),
        };
        earliest([restart, end, silence, retry])
    }

    /// Expects the engine to report at least so often.
    fn expect(&mut self, beat: Duration) {
        if let Some(running) = &mut self.running {
            running.beat = beat;
            running.orders.push(&Order::Beat { interval: beat });
        }
    }

    /// The engine has given a sign of life.
    pub(super) fn is_alive(&mut self, now: Instant) {
        if let Some(running) = &mut self.running {
            running.last_beat = now;
        }
    }

    /// The next report, if there is one.
    ///
    /// # Errors
    ///
    /// The engine has sent what it must not.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(running) = &mut self.running else { return Ok(None) };
        match running.channel.recv_bytes(&mut running.buffer)? {
            channel::Received::Nothing => Ok(None),
            channel::Received::Closed => {
                running.closed = true;
                Ok(None)
            }
            channel::Received::Message { length, .. } => {
                running.read = true;
                Ok(Some(running.buffer[..length].to_vec()))
            }
        }
    }

    /// Ends the engine, which has nothing left to do or cannot be trusted, without waiting for it. A thread cannot be ended:
    /// it does so by itself when nobody listens.
    fn dismiss(&mut self, now: Instant) {
        let Some(Running { engine: Kind::Process(process), .. }) = self.running.take() else { return };
        if let Err(error) = process.kill(Signal::KILL) {
            warn!("Unable to end the engine, process {}: {error}", process.pid());
        }
        self.ending = Some(Ending { process, by: now + END });
    }

    /// Ends the engine, and waits until it has ended.
    pub(super) fn end(&mut self) {
        self.dismiss(now());
        if let Some(mut ending) = self.ending.take() {
            let _ = Poller::new().wait([ending.process.as_fd()], Some(END));
            // One that hangs in the kernel ends later, and is nobody's zombie when this process has ended.
            let _ = ending.process.try_wait();
        }
    }

    /// Learns how the engine that was dismissed ended.
    fn bury(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else { return };
        let pid = ending.process.pid();
        match ending.process.try_wait() {
            Ok(None) if now < ending.by => return,
            Ok(None) => warn!("The engine, process {pid}, has been killed and does not end"),
            Ok(Some(exit)) => {
                warn!("The engine, process {pid}, ended with {exit}");
                if let Some(cause) = &mut self.lost {
                    *cause += &format!(" and ended with {exit}");
                }
            }
            Err(error) => warn!("The engine, process {pid}, cannot be watched: {error}"),
        }
        self.ending = None;
    }

    fn launch(&mut self, player: &mut Player, unicast: bool) -> io::Result<()> {
        let (channel, other) = Channel::pair()?;
        let tally = Tally::new()?;
        let line = Line {
            channel: other,
            tally: tally.try_clone()?,
            termination: None,
            monitor: Monitor::prepare()
                .inspect_err(|error| debug!("No news of addresses for the engine: {error}"))
                .ok(),
            journal: if matches!(player, Player::Process) { None } else { logging::journal() },
        };
        let engine = Kind::start(player, unicast, self.tuning, line)?;
        let (started, last_beat) = (now(), now());
        let (orders, outbox, buffer) = (Orders::default(), VecDeque::new(), vec![0; LONGEST_DATAGRAM]);
        let (beat, read, closed) = (LONGEST_BEAT, false, false);
        self.restart = None;
        self.running =
            Some(Running { engine, channel, tally, orders, outbox, buffer, started, last_beat, beat, read, closed });
        Ok(())
    }

    /// Why the engine that was running is none any more, if so.
    fn failure(&mut self, now: Instant, late: bool) -> Option<String> {
        let running = self.running.as_mut()?;
        if running.closed {
            return Some("has closed its line".into());
        }
        let patience = running.patience();
        if now - running.last_beat < patience {
            return None;
        }
        if late {
            // It was this process that was stopped, and perhaps both were.
            running.last_beat = now - patience.mul_f32(0.5);
            return None;
        }
        Some(format!("gave no sign of life for {:.1?}", now - running.last_beat))
    }

    /// Plans the start of the next engine.
    fn replace(&mut self, now: Instant, started: Instant) {
        if now - started >= GOOD {
            self.rest = Duration::ZERO;
        }
        self.restart = Some(now + self.rest);
        self.rest = (self.rest * 2).clamp(Duration::from_secs(1), LONGEST_REST);
    }
}

fn enter_sandbox(unicast: bool) -> Result<sandbox::Report, sandbox::SandboxError> {
    // Without an unprivileged user there is less that protects, and the report says so.
    let user = sandbox::unprivileged_user().ok().flatten();
    sandbox::enter(&Sandbox { user, spare_descriptors: SPARE_DESCRIPTORS, names_destinations: unicast })
}

/// What the child does.
fn work(guardian: u32, unicast: bool, tuning: &settings::Process, mut line: Line) -> u8 {
    // The guardian's handlers would write to its pipe.
    signals::ignore_all();
    logging::hang_up();
    let monitor = line.monitor.as_ref().map(AsFd::as_fd);
    let kept: Vec<_> = [line.channel.as_fd(), line.tally.as_fd()].into_iter().chain(monitor).collect();
    if let Err(error) = process::close_all_but(&kept) {
        warn!("Unable to close what the engine does not need: {error}");
    }
    line.journal = logging::journal();
    match Termination::keep() {
        Ok(termination) => line.termination = Some(termination),
        Err(error) => warn!("Unable to keep SIGTERM: {error}"),
    }
    match line.channel.try_clone() {
        Ok(channel) => logging::speak_for(guardian, move |level, text| {
            let report = Report::Log(level, text.to_owned());
            write_reports(now(), &[report]).iter().all(|datagram| channel.send(datagram, &[]).is_ok())
        }),
        Err(error) => warn!("Unable to share the log: {error}"),
    }
    // It has the rights for it only now.
    tuning::apply(tuning, "engine");
    match enter_sandbox(unicast) {
        Ok(report) => info!("The engine, process {}, is confined: {report}", std::process::id()),
        Err(error) => {
            error!("The engine cannot be confined, and must not run unconfined: {error}");
            return UNCONFINED;
        }
    }
    Engine::new(line).run()
}

impl Guardian {
    /// Starts an engine and tells it everything.
    pub(super) fn launch(&mut self, now: Instant) {
        let unicast = self.hosts.values().any(|hosted| matches!(hosted.settings.transport, Transport::Unicast { .. }));
        if let Err(error) = self.child.launch(&mut self.parts.engine, unicast) {
            error!("Unable to start the engine: {error}");
            self.child.replace(now, now);
            return;
        }
        self.expect_beat();
        self.offer_control();
        if let Some(cause) = self.child.lost.take() {
            let message = format!("the engine before this one {cause}; what happened until then, only the log knows");
            self.happened(None, control::Kind::Daemon, message);
        }
        self.tell_own();
        for index in 0..self.interfaces.len() {
            self.interfaces[index].told = None;
            self.tell_link(index);
        }
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            self.introduce(host);
        }
        self.checks.tell_all();
        self.child.flush();
    }

    /// Expects the engine to report as often as the most frequent of its virtual hosts advertises, within reason, and so
    /// often that the service manager can be told.
    pub(super) fn expect_beat(&mut self) {
        let shortest = self.hosts.values().map(|hosted| hosted.settings.interval.duration()).min();
        let beat = shortest.unwrap_or(LONGEST_BEAT).clamp(SHORTEST_BEAT, LONGEST_BEAT);
        self.child.expect(self.service.feeding().map_or(beat, |feeding| beat.min(feeding)));
    }

    /// Notices that the engine has died or hangs, and starts the next one.
    pub(super) fn watch_child(&mut self, now: Instant) {
        let late = now - self.decided >= STALL || self.was_late();
        if let Some(cause) = self.child.failure(now, late) {
            self.engine_failed(now, &cause);
        }
        self.child.bury(now);
        if self.shutting_down {
            // There is nothing left for another one to do.
            self.child.restart = None;
        }
        if self.child.ending.is_none() && self.child.restart.is_some_and(|at| at <= now) {
            self.launch(now);
        }
    }

    /// Whether this process slept longer than it wanted to.
    fn was_late(&self) -> bool {
        self.planned.is_some_and(|planned| self.decided - planned >= STALL)
    }

    /// Gives up what the engine was MASTER of, and waits for nothing before that.
    pub(super) fn engine_failed(&mut self, now: Instant, cause: &str) {
        let then = if self.shutting_down { "" } else { " and starting it anew" };
        error!("The engine {cause}: giving all addresses up{then}");
        let started = self.child.running.as_ref().map_or(now, |running| running.started);
        self.child.dismiss(now);
        self.child.replace(now, started);
        self.child.lost = Some(cause.to_owned());
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            let hosted = self.hosts.get_mut(&host).expect("it was there just now");
            hosted.orphaned = std::mem::replace(&mut hosted.state, State::Init) == State::Master;
            let orphaned = hosted.orphaned;
            if orphaned {
                warn!("{}Switching to state: BACKUP", hosted.profile.who);
            }
            if self.keeper.keeps(host) {
                self.keeper.release(host);
            } else if orphaned {
                self.request(now, host, Action::Down);
            }
        }
    }
}
