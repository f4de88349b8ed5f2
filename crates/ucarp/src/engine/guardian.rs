//! The engine's side of the line to the guardian: what it asks for, and what it does when nobody answers.
//!
//! Each datagram that the guardian has dealt with raises a tally, which the engine reads when it is awake anyway. Without
//! a sign the addresses are gone when their lease is over, and only then may a goodbye be said.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, HostId, LinkId};
use carp_core::time::Instant;
use log::{error, info};
use ucarp_sys::channel::{self, Channel};
use ucarp_sys::monitor::{Event, Monitor};
use ucarp_sys::process::Tally;
use ucarp_sys::signals::Termination;

use super::{Engine, Hosted, STALL, earliest};
use crate::journal::Journal;
use crate::protocol::control::Asked;
use crate::protocol::{self, HostNumber, LONGEST_DATAGRAM, Report};
use crate::wishes::Wishes;

/// The kernel keeps an address longer than its lease: 0.2 s as a rule, and a second more where several leases end one
/// after the other, as it looks at most once a second (measured).
const KERNEL_DELAY: Duration = Duration::from_millis(1500);

/// A guardian that has been asked answers within this time, on a machine that is very busy.
const ANSWER: Duration = Duration::from_secs(1);

/// After so much of a beat a sign of life is given by an engine that is awake for another reason: most wake up for each
/// advertisement anyway.
const WHEN_AWAKE: f32 = 0.5;

/// After so many beats an engine wakes up to give one.
const WHEN_ASLEEP: f32 = 1.5;

/// Until the guardian has said how often it expects to hear of the engine.
const FIRST_BEAT: Duration = Duration::from_secs(1);

/// A datagram that did not fit into the line is tried again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// How often the log is told that scripts cannot be run any more.
const SHOUT: Duration = Duration::from_secs(60);

/// Where a frame says what is in it.
const ETHERTYPE: std::ops::Range<usize> = 12..14;

/// What connects the engine with the guardian.
pub struct Line {
    /// Orders come in, reports go out.
    pub channel: Channel,
    /// Raised by the guardian for each report that it has dealt with.
    pub tally: Tally,
    /// Asked when the guardian is gone: as long as it is there, signals are its business.
    pub termination: Option<Termination>,
    /// Asked what becomes of the addresses when the guardian is gone.
    pub monitor: Option<Monitor>,
    /// Where changes of state are entered with fields.
    pub journal: Option<Journal>,
}

/// What a virtual host wants of the guardian; only the last wish counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Claim,
    Renew,
    Release,
}

/// What was received.
pub(super) enum Received {
    Nothing,
    Closed,
    Datagram(Vec<u8>, Vec<OwnedFd>),
}

/// The guardian as the engine sees it.
pub(super) struct Guardian {
    /// `None`: it is gone.
    line: Option<Line>,
    termination: Option<Termination>,
    /// Hears of addresses only when the guardian is gone.
    monitor: Option<Monitor>,
    buffer: Vec<u8>,
    wishes: Wishes<Wish>,
    states: BTreeMap<HostNumber, State>,
    missing: BTreeSet<HostNumber>,
    broken: BTreeSet<LinkId>,
    /// Questions of the control socket's clients. A client has one at a time.
    questions: Vec<Asked>,
    /// Commands that were followed, with all that had to be sent.
    followed: BTreeSet<HostNumber>,
    /// Goodbyes that it is to keep, the last one of each virtual host, family and peer.
    wills: BTreeMap<(HostNumber, LinkId, Option<IpAddr>, bool), Vec<u8>>,
    /// How often it expects a report.
    pub(super) beat: Duration,
    last_report: Instant,
    /// When it was last seen to be alive.
    last_sign: Instant,
    /// When the first report since then was made.
    asked: Option<Instant>,
    /// When a report is made that could not be made.
    retry: Option<Instant>,
    next_shout: Option<Instant>,
}

impl Guardian {
    pub(super) fn new(mut line: Line, now: Instant) -> Self {
        Self {
            termination: line.termination.take(),
            monitor: line.monitor.take(),
            line: Some(line),
            buffer: vec![0; LONGEST_DATAGRAM],
            wishes: Wishes::default(),
            states: BTreeMap::new(),
            missing: BTreeSet::new(),
            broken: BTreeSet::new(),
            questions: Vec::new(),
            followed: BTreeSet::new(),
            wills: BTreeMap::new(),
            beat: FIRST_BEAT,
            last_report: now,
            last_sign: now,
            asked: None,
            retry: None,
            next_shout: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.line.is_none()
    }

    /// What the guardian says; when it is gone, what is asked in its place.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let line = self.line.as_ref().map(|line| line.channel.as_fd());
        let termination = self.termination.as_ref().filter(|_| self.is_gone()).map(AsFd::as_fd);
        let monitor = self.monitor.as_ref().filter(|_| self.is_gone()).map(AsFd::as_fd);
        line.into_iter().chain(termination).chain(monitor)
    }

    /// Whether this process was told to end, and nobody is left to care about it.
    pub(super) fn is_to_end(&self) -> bool {
        self.is_gone() && self.termination.as_ref().is_some_and(Termination::came)
    }

    pub(super) fn claim(&mut self, host: HostNumber) {
        self.wishes.replace(host, Wish::Claim);
    }

    /// What has not been told yet is more than this: a claim, or the wish of one that advertises until the address is gone.
    pub(super) fn renew(&mut self, host: HostNumber) {
        self.wishes.add(host, Wish::Renew);
    }

    fn release(&mut self, host: HostNumber) {
        self.wishes.replace(host, Wish::Release);
    }

    pub(super) fn state_is(&mut self, host: HostNumber, state: State) {
        self.states.insert(host, state);
    }

    pub(super) fn missing(&mut self, host: HostNumber) {
        self.missing.insert(host);
    }

    /// Asks for something on behalf of a client. What is asked twice before it is told counts once.
    pub(super) fn ask(&mut self, question: Asked) {
        self.questions.retain(|known| !question.replaces(known));
        self.questions.push(question);
    }

    pub(super) fn has_followed(&mut self, host: HostNumber) {
        self.followed.insert(host);
    }

    pub(super) fn leave(&mut self, host: HostNumber, link: LinkId, peer: Option<IpAddr>, goodbye: Vec<u8>) {
        let is_v4 = goodbye.get(ETHERTYPE) == Some(&[0x08, 0x00]);
        self.wills.insert((host, link, peer, is_v4), goodbye);
    }

    pub(super) fn link_is_broken(&mut self, link: LinkId) {
        self.broken.insert(link);
    }

    pub(super) fn receive(&mut self) -> io::Result<Received> {
        let Some(line) = &self.line else { return Ok(Received::Nothing) };
        Ok(match line.channel.recv(&mut self.buffer)? {
            channel::Received::Nothing => Received::Nothing,
            channel::Received::Closed => Received::Closed,
            channel::Received::Message { length, fds } => Received::Datagram(self.buffer[..length].to_vec(), fds),
        })
    }

    pub(super) fn is_lost(&mut self) {
        self.line = None;
        // Without it the addresses are gone for certain a while later.
        self.monitor.take_if(|monitor| monitor.hear_addresses().is_err());
    }

    /// Addresses that were removed since the guardian is gone, each with the index of its interface.
    fn removals(&mut self) -> Vec<(u32, IpAddr)> {
        let Some(monitor) = self.monitor.as_mut().filter(|_| self.line.is_none()) else { return Vec::new() };
        let events = monitor.read().unwrap_or_else(|error| {
            // One that goes on failing would be ready without end. The addresses are gone for certain a while later.
            error!("Unable to hear of addresses: {error}");
            self.monitor = None;
            Vec::new()
        });
        let removal = |event| match event {
            Event::AddressRemoved { index, address, .. } => Some((index, address)),
            _ => None,
        };
        events.into_iter().filter_map(removal).collect()
    }

    /// Whether it has dealt with a report since the last call.
    fn gave_sign(&mut self, now: Instant) -> bool {
        let sign = self.line.as_ref().is_some_and(|line| line.tally.take() > 0);
        if sign {
            self.last_sign = now;
            self.asked = None;
        }
        sign
    }

    /// When an address with this lease is gone for certain if the guardian stays silent; `None` while it has no reason to
    /// speak.
    fn end_of(&self, lease: Duration) -> Option<Instant> {
        let end = self.last_sign + lease + KERNEL_DELAY;
        if self.is_gone() { Some(end) } else { self.asked.map(|asked| end.max(asked + ANSWER)) }
    }

    /// What has to be told.
    fn reports(&self) -> impl Iterator<Item = Report> {
        let wishes = self.wishes.iter().map(|(host, wish)| match wish {
            Wish::Claim => Report::Claim(host),
            Wish::Renew => Report::Renew(host),
            Wish::Release => Report::Release(host),
        });
        let states = self.states.iter().map(|(host, state)| Report::State(*host, *state));
        let others = self.followed.iter().copied().map(Report::Followed);
        let others = others.chain(self.broken.iter().copied().map(Report::Broken));
        let others = others.chain(self.questions.iter().cloned().map(Report::Control));
        let wills = self.wills.iter().map(|((host, link, peer, _), goodbye)| Report::Will {
            host: *host,
            link: *link,
            destination: *peer,
            goodbye: goodbye.clone(),
        });
        // A will is of a MASTER: it comes behind the state.
        states.chain(wishes).chain(others).chain(wills)
    }

    /// Tells what has to be told, and gives a sign of life when it is time for one.
    fn report(&mut self, now: Instant) {
        self.retry = None;
        let is_time_for_a_sign = now - self.last_report >= self.beat.mul_f32(WHEN_AWAKE);
        if !is_time_for_a_sign && self.reports().next().is_none() {
            return;
        }
        let Some(line) = &self.line else { return };
        self.asked.get_or_insert(now);
        for datagram in protocol::write_reports(now, self.reports()) {
            match line.channel.send(&datagram, &[]) {
                Ok(()) => {}
                // What was told is told again: the last word counts.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.retry = Some(now + RETRY);
                    return;
                }
                Err(_) => return self.is_lost(),
            }
        }
        self.last_report = now;
        self.wishes.clear();
        self.states.clear();
        self.broken.clear();
        self.questions.clear();
        self.followed.clear();
        self.wills.clear();
    }
}

impl Engine {
    /// When the guardian has to be told something, or has been silent for too long.
    pub(super) fn guardian_deadline(&self) -> Option<Instant> {
        let silence = self.calendar().shortest_lease.and_then(|lease| self.guardian.end_of(lease));
        let beat =
            (!self.guardian.is_gone()).then(|| self.guardian.last_report + self.guardian.beat.mul_f32(WHEN_ASLEEP));
        earliest([silence, beat, self.guardian.retry, self.guardian.next_shout])
    }

    /// Asks the guardian for what this turn has brought about, unless the turn took so long that it may be outdated: then
    /// the next one comes at once, and decides anew.
    pub(super) fn report(&mut self, now: Instant) {
        for host in mem::take(&mut self.guardian.missing) {
            if self.hosts.get(&host).is_some_and(|hosted| self.node.state(hosted.id) == State::Master) {
                self.guardian.renew(host);
            }
        }
        let held_up = self.pulse.longest_step(super::now());
        if held_up >= STALL && self.hosts.values().any(|hosted| held_up >= self.patience(hosted.id)) {
            self.guardian.retry = Some(now);
            return;
        }
        self.guardian.report(now);
    }

    pub(super) fn release(&mut self, now: Instant, id: HostId) {
        let host = self.number(id);
        let hosted = self.hosts.get_mut(&host).expect("the core knows those that are here");
        hosted.complete = false;
        if hosted.lapsed {
            self.node.handle_command(now, id, Command::Released);
        } else if self.guardian.is_gone() {
            if !hosted.profile.native {
                error!("{}Nobody is left to run the down script: remove the address by hand", self.who(host));
            }
            self.node.handle_command(now, id, Command::Released);
        } else {
            self.guardian.release(host);
        }
    }

    /// Gives up what has run out while the guardian was silent, and starts afresh when it is back.
    pub(super) fn watch_guardian(&mut self, now: Instant) {
        if self.guardian.gave_sign(now) && self.calendar().lapses {
            let lapsed = self.hosts.iter().filter(|(_, hosted)| hosted.lapsed).map(|(host, _)| *host);
            for host in lapsed.collect::<Vec<_>>() {
                info!("{}The guardian is back: starting afresh", self.who(host));
                self.renew(host);
            }
        }
        if self.guardian.is_gone() {
            self.control.close();
            self.stay_without_guardian(now);
            self.leave_with_addresses(now);
        }
        let is_over = |lease| self.guardian.end_of(lease).is_some_and(|end| end <= now);
        if !is_over(Duration::ZERO) {
            return;
        }
        let over = self.hosts.iter().filter(|(_, hosted)| !hosted.lapsed && hosted.profile.lease.is_some_and(is_over));
        for host in over.map(|(host, _)| *host).collect::<Vec<_>>() {
            error!("{}The guardian is silent, and the leases of the addresses are over: leaving", self.who(host));
            self.lapse(now, host);
        }
    }

    /// Says goodbye for virtual hosts whose addresses have gone, of which nobody tells any more.
    fn leave_with_addresses(&mut self, now: Instant) {
        for (index, address) in self.guardian.removals() {
            for hosted in self.hosts.values_mut().filter(|hosted| hosted.profile.native) {
                let config = self.node.config(hosted.id);
                let port = self.links.get(&config.link).and_then(|link| link.port.as_ref());
                if port.is_some_and(|port| port.index() == index) && config.credentials.addresses.contains(address) {
                    hosted.gone.insert(address);
                }
            }
        }
        let is_gone = |hosted: &Hosted| {
            let addresses = &self.node.config(hosted.id).credentials.addresses;
            !hosted.lapsed && hosted.gone.len() == addresses.v4().count() + addresses.v6().count()
        };
        let gone = self.hosts.iter().filter(|(_, hosted)| is_gone(hosted));
        for host in gone.map(|(host, _)| *host).collect::<Vec<_>>() {
            error!("{}The guardian has died, and the addresses are gone: leaving", self.who(host));
            self.lapse(now, host);
        }
    }

    /// Lets a virtual host leave its group: there is nobody who could take its addresses or give them up.
    fn lapse(&mut self, now: Instant, host: HostNumber) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        hosted.lapsed = true;
        let id = hosted.id;
        self.doubt_calendar();
        self.node.handle_command(now, id, Command::ShutDown);
        self.carry_out(now);
    }

    /// Without a guardian nobody can become MASTER. Who is stays: as long as the address is here, it must be served.
    fn stay_without_guardian(&mut self, now: Instant) {
        if self.guardian.next_shout.is_some_and(|at| now < at) {
            return;
        }
        self.guardian.next_shout = Some(now + SHOUT);
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            let hosted = &self.hosts[&host];
            let (master, expires) = (self.node.state(hosted.id) == State::Master, hosted.profile.lease.is_some());
            if !master && !hosted.lapsed {
                self.lapse(now, host);
            } else if master && expires {
                error!("{}The guardian has died: advertising until the leases are over", self.who(host));
            } else if master {
                error!(
                    "{}The guardian has died, and the address is still here: staying MASTER. End process {}, and start ucarp \
                     again",
                    self.who(host),
                    std::process::id()
                );
            }
        }
    }
}
