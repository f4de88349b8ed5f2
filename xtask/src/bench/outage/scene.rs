//! One measurement: two hosts and a client, one event, one outage.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use netlab::{Direction, Frame, Host, Lab, Prober, Process, Signal, Tap, now};
use rustix::process::{Pid, kill_process};

use super::super::error::Error;
use super::super::group::{Group, Member, PREFIX, Timers, VHID};
use super::super::time::{milliseconds, nanos, sleep_until};
use super::super::wire::{self, Id, Kind};
use super::super::workshop::{Program, Workshop};
use super::event::{self, Event};

/// The address that is shared.
const SHARED: Ipv4Addr = Id { segment: 0, vhid: VHID }.address();
const MASTER: Member = Member { name: "master", own: Ipv4Addr::new(10, 0, 0, 1) };
const PEER: Member = Member { name: "peer", own: Ipv4Addr::new(10, 0, 0, 2) };
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// How long the first election and the first answer may take.
const LIMIT: Duration = Duration::from_secs(20);
/// From the master's election to the event, at the least. The peer has heard it then.
const LEAD: Duration = Duration::from_secs(2);
/// How often a group is made that does not settle.
const TRIES: usize = 5;
/// How often it is looked who holds the address.
const LOOK: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);

/// When things happen within the second between two advertisements of the master, as parts of it. UCARP looks around once a
/// second, so both matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Phases {
    /// The start of the peer.
    pub(super) peer: f64,
    /// The event.
    pub(super) event: f64,
}

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// For how long the client's address did not answer, in milliseconds.
    pub(super) outage: f64,
    /// For how long both hosts held the address, in milliseconds; `None` where that means nothing.
    pub(super) both: Option<f64>,
    /// Whether both hold it at the end.
    pub(super) left: Option<bool>,
    /// How many groups were made before this one in which the peer had taken over before the event.
    pub(super) moved: usize,
    /// From the last advertisement of a master that died to the first gratuitous ARP of its peer, in milliseconds.
    pub(super) silence: Option<f64>,
}

/// A laboratory in which the address is shared and answers.
pub(super) struct Scene<'a> {
    group: Group<'a>,
    event: Event,
    master: (Host, Process),
    peer: (Host, Process),
    prober: Prober,
    tap: Tap,
    /// When the master became it.
    since: u64,
    /// Last, so that processes are ended by their own guards first.
    _lab: Lab,
}

/// Lets something happen to a group. With the fastest timers a busy machine can make the peer take over before the event:
/// then the group is made again.
pub(super) fn measure(
    workshop: &Workshop,
    program: Program,
    timers: Timers,
    event: Event,
    phases: Phases,
) -> Result<Measured, Error> {
    for moved in 0..TRIES {
        let mut scene = Scene::open(workshop, program, timers, event, phases.peer)?;
        scene.approach(phases.event);
        if scene.has_settled() {
            return Ok(Measured { moved, ..scene.run()? });
        }
        eprintln!("{}, {}: the peer took over before the event; once more", event.name(), program.name());
    }
    Err(Error::Unsettled { who: format!("{}, {}", event.name(), program.name()), tries: TRIES })
}

impl<'a> Scene<'a> {
    /// Makes the group and waits until the address answers.
    pub(super) fn open(
        workshop: &'a Workshop,
        program: Program,
        timers: Timers,
        event: Event,
        phase: f64,
    ) -> Result<Scene<'a>, Error> {
        let (slow_script, own_clock) = (event == Event::SlowScript, event == Event::ClockStep);
        let group = Group { workshop, program, timers, addresses: &[SHARED], slow_script, own_clock };
        let lab = Lab::new()?;
        let tap = Tap::new(&lab)?;
        let host = |member: Member, octet| lab.host(member.name, octet, member.own, PREFIX);
        let (master, peer) = (host(MASTER, 1)?, host(PEER, 2)?);
        let client = lab.host("client", 9, CLIENT, PREFIX)?;
        let late = |what: &str, process: &Process| Error::Late {
            who: format!("{}, {}", event.name(), program.name()),
            what: what.to_owned(),
            within: LIMIT,
            output: process.output(),
        };
        let daemon = group.start(&master, MASTER)?;
        let announced = tap.wait_for(|frame| is_announcement(frame, MASTER.name), LIMIT);
        let since = announced.ok_or_else(|| late("the first master's election", &daemon))?.at;
        sleep_until(since + nanos(SECOND.mul_f64(phase)));
        let second = group.start(&peer, PEER)?;
        let prober = Prober::start(&client, SHARED, Prober::INTERVAL)?;
        prober.wait_for_answer(since, LIMIT).ok_or_else(|| late("an answer of the address", &daemon))?;
        Ok(Scene { group, event, master: (master, daemon), peer: (peer, second), prober, tap, since, _lab: lab })
    }

    /// Waits for the moment of the event. All programs advertise in whole seconds from becoming MASTER on.
    pub(super) fn approach(&self, phase: f64) {
        sleep_until(self.since + nanos(LEAD + SECOND.mul_f64(phase)));
    }

    /// Whether the master alone has the address.
    fn has_settled(&self) -> bool {
        self.holds(&self.master.0) && !self.holds(&self.peer.0)
    }

    /// Lets the event happen and watches what becomes of it.
    pub(super) fn run(&mut self) -> Result<Measured, Error> {
        let before = now();
        self.happen()?;
        let mut thaw = (self.event == Event::Frozen).then(|| before + nanos(self.event.length()));
        let end = before + nanos(self.event.length() + event::watch(self.group.timers, self.group.program));
        let (mut both, mut held, mut last) = (0, false, now());
        while now() < end {
            let present = now();
            held = self.holds(&self.peer.0) && self.holds(&self.master.0);
            both += if held { present - last } else { 0 };
            last = present;
            if thaw.is_some_and(|at| present >= at) {
                signal_all(&self.master.0, Signal::CONT)?;
                thaw = None;
            }
            thread::sleep(LOOK);
        }
        let outage = milliseconds(self.prober.outage(before.saturating_sub(nanos(LOOK)), now()));
        let counts = self.event.leaves_both_on_the_network();
        Ok(Measured {
            outage,
            both: counts.then(|| milliseconds(Duration::from_nanos(both))),
            left: counts.then_some(held),
            moved: 0,
            silence: if self.event == Event::HostCrash { self.silence(before) } else { None },
        })
    }

    fn happen(&mut self) -> Result<(), Error> {
        let (host, daemon) = &self.master;
        match self.event {
            Event::HostCrash => {
                host.silence(Direction::Both)?;
                signal_all(host, Signal::KILL)?;
            }
            Event::Cable => host.unplug()?,
            Event::SilentLoss => host.silence(Direction::Both)?,
            Event::InterfaceDown => host.link_down()?,
            Event::PlannedStop => daemon.signal(Signal::TERM)?,
            Event::RoleSwap | Event::SlowScript if self.group.program == Program::Keepalived => {
                daemon.signal(Signal::TERM)?;
                daemon.wait(LIMIT)?;
                self.master.1 = self.group.start(host, MASTER)?;
            }
            Event::RoleSwap | Event::SlowScript => daemon.signal(Signal::USR2)?,
            Event::Killed => signal_all(host, Signal::KILL)?,
            Event::WorkerKilled => daemon.signal_children(Signal::KILL),
            Event::ParentKilled => daemon.signal(Signal::KILL)?,
            Event::Frozen => signal_all(host, Signal::STOP)?,
            Event::ClockStep => self.group.step_clock(MASTER)?,
        }
        Ok(())
    }

    /// A host whose addresses cannot be read holds none that counts.
    fn holds(&self, host: &Host) -> bool {
        host.has_address(SHARED).unwrap_or(false)
    }

    fn silence(&self, since: u64) -> Option<f64> {
        let frames = self.tap.frames();
        let advertisement = |frame: &&Frame| {
            matches!(wire::read(&frame.bytes), Some(Kind::Advertisement(_))) && &*frame.port == MASTER.name
        };
        let last = frames.iter().rev().filter(|frame| frame.at <= since).find(advertisement)?.at;
        let announced = frames.iter().find(|frame| frame.at > since && is_announcement(frame, PEER.name))?.at;
        Some(milliseconds(Duration::from_nanos(announced - last)))
    }

    /// What went over the wires, and who sent it.
    pub(super) fn frames(&self) -> Vec<Frame> {
        self.tap.frames()
    }

    /// All probes of the client.
    pub(super) fn prober(&self) -> &Prober {
        &self.prober
    }
}

fn is_announcement(frame: &Frame, host: &str) -> bool {
    wire::read(&frame.bytes) == Some(Kind::Announcement(VHID)) && &*frame.port == host
}

/// Sends a signal to all that runs on a host.
fn signal_all(host: &Host, signal: Signal) -> Result<(), Error> {
    for pid in host.processes()? {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        // One that has ended meanwhile needs no signal.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }
    Ok(())
}
