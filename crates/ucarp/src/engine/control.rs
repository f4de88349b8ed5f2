//! The control socket: tells what there is to know of the virtual hosts and does what operators want.
//!
//! Nothing here may delay an advertisement. A turn of the loop does it last, and a bounded amount of it; a client is
//! answered step by step, as it reads, from a buffer of one reply; and there are few clients.

mod answer;
mod change;
mod client;
mod explain;
mod history;
mod job;
mod names;
mod show;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use carp_core::time::Instant;
use log::debug;
use ucarp_control::Refusal;
use ucarp_control::calls::ReloadReply;
use ucarp_control::framing;
use ucarp_sys::local;

use super::{Engine, earliest};
use crate::protocol::HostNumber;
use crate::protocol::control::{Facts, Kind, Terms, Told, Wish};
use client::{Client, Gone, Rights, Written};
use history::History;
pub(super) use history::What;
use job::Job;
pub(super) use names::Record;
pub(super) use words::check_state;

/// Clients at the same time. Others are turned away.
const MOST_CLIENTS: usize = 16;

/// Connections that are taken in one turn of the loop.
const MOST_ACCEPTED: usize = 4;

/// Steps that are done for all clients together in one turn of the loop, each of one reply or one request.
const MOST_STEPS: usize = 24;

/// A client that has not asked for anything for so long gives its place to another one.
const IDLE: Duration = Duration::from_secs(10);

/// Everything that belongs to the control socket.
pub(super) struct Control {
    listener: Option<UnixListener>,
    terms: Terms,
    clients: Vec<Client>,
    /// Who waits in the listener's queue.
    is_knocked: bool,
    pub(super) history: History,
    started_at: u64,
    /// What the guardian has just told, for those who wait for it.
    facts: BTreeMap<HostNumber, Facts>,
    /// When the guardian was asked for something that takes it a while, and has not answered.
    asked: Option<Instant>,
    /// Virtual hosts that are silent for a rehearsal, and until when.
    silences: BTreeMap<HostNumber, Instant>,
    /// What operators want, as the guardian remembers it.
    wishes: BTreeMap<HostNumber, Wish>,
}

impl Default for Control {
    fn default() -> Self {
        let started_at = history::wall_clock();
        Self {
            listener: None,
            terms: Terms::default(),
            clients: Vec::new(),
            is_knocked: false,
            history: History::new(started_at),
            started_at,
            facts: BTreeMap::new(),
            asked: None,
            silences: BTreeMap::new(),
            wishes: BTreeMap::new(),
        }
    }
}

impl Control {
    /// What to wait for: the listener, if there is one, and the clients.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listener = self.listener.as_ref().map(AsFd::as_fd);
        listener.into_iter().chain(self.clients.iter().filter_map(Client::descriptor))
    }

    /// Notes which of the [`Control::descriptors`] have something to read.
    pub(super) fn note(&mut self, is_ready: impl Fn(usize) -> bool) {
        let mut indices = 0..;
        let mut look = || indices.next().is_some_and(&is_ready);
        if self.listener.is_some() {
            self.is_knocked = look();
        }
        for client in &mut self.clients {
            if client.descriptor().is_some() {
                client.is_readable = look();
            }
        }
    }

    /// When something has to be done.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let clients = earliest(self.clients.iter().map(|client| client.deadline(now)));
        earliest([clients, self.silences.values().min().copied()])
    }

    /// Answers on another socket from now on, or on none.
    pub(super) fn listen(&mut self, terms: Terms, descriptor: Option<OwnedFd>) {
        self.listener = descriptor.filter(|_| terms.listens).map(UnixListener::from);
        self.terms = terms;
    }

    /// Takes no more connections: the next daemon needs the place.
    pub(super) fn close(&mut self) {
        self.listener = None;
    }

    /// A virtual host is gone.
    pub(super) fn forget(&mut self, host: HostNumber) {
        self.history.forget(host);
        self.silences.remove(&host);
        self.wishes.remove(&host);
    }

    /// Takes those who have connected, as far as there is room.
    fn accept(&mut self, now: Instant) {
        let Some(listener) = self.listener.as_ref().filter(|_| std::mem::take(&mut self.is_knocked)) else { return };
        let mut accepted = Vec::new();
        for _ in 0..MOST_ACCEPTED {
            match listener.accept() {
                Ok((stream, _)) => accepted.push(stream),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        debug!("Unable to accept a connection to the control socket: {error}");
                    }
                    break;
                }
            }
        }
        for stream in accepted {
            self.admit(now, stream);
        }
    }

    fn admit(&mut self, now: Instant, stream: UnixStream) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let rights = local::peer(stream.as_fd()).map_or(Rights::Nothing, |peer| self.rights_of(&peer));
        if self.clients.len() < MOST_CLIENTS || self.make_room(now, rights) {
            self.clients.push(Client::new(now, stream, rights));
            return;
        }
        let reason = format!("there are {MOST_CLIENTS} other clients: try again later");
        if let Ok(reply) = framing::refuse(&Refusal::Busy { reason }) {
            Client::turn_away(&stream, &reply);
        }
    }

    fn rights_of(&self, peer: &local::Peer) -> Rights {
        if peer.uid == 0 || peer.uid == self.terms.owner {
            Rights::Change
        } else if self.terms.group.is_some_and(|group| peer.groups.contains(&group)) {
            Rights::Read
        } else {
            Rights::Nothing
        }
    }

    /// Lets the client go that matters least: one of fewer rights than the new one, or else one that has been idle.
    fn make_room(&mut self, now: Instant, rights: Rights) -> bool {
        let matters = |client: &Client| (client.rights, client.job.is_some(), client.last_active);
        let least = (0..self.clients.len()).min_by_key(|index| matters(&self.clients[*index]));
        let Some(index) = least else { return false };
        let client = &self.clients[index];
        let goes = client.rights < rights || client.job.is_none() && now - client.last_active >= IDLE;
        if goes {
            self.clients.remove(index);
        }
        goes
    }
}

impl Engine {
    /// The guardian has told something for the control socket.
    pub(super) fn is_told(&mut self, told: Told, descriptors: Vec<OwnedFd>) {
        let now = super::now();
        match told {
            Told::Listen(terms) => {
                let pid = std::process::id();
                if terms.listens {
                    self.note(None, "daemon", "listening", format!("the engine, process {pid}, answers"));
                }
                self.control.listen(terms, descriptors.into_iter().next());
            }
            Told::Facts { host, facts } => self.facts_are(host, facts),
            Told::Reloaded { is_applied, problems } => {
                self.reloaded(now, &ReloadReply { applied: is_applied, problems });
            }
            Told::Configuration { text, is_last } => self.configuration_is(now, &text, is_last),
            Told::Happened { host, kind, message } => {
                let kind = match kind {
                    Kind::Script => "script",
                    Kind::Address => "address",
                    Kind::Daemon => "daemon",
                };
                self.note(host, kind, kind, message);
            }
        }
    }

    /// Does a bounded amount of what clients want. The last thing in a turn of the loop.
    pub(super) fn serve(&mut self) {
        let now = super::now();
        let is_due = self.control.next_deadline(now).is_some_and(|deadline| deadline <= now);
        let is_readable = self.control.clients.iter().any(|client| client.is_readable);
        let has_news = self.control.clients.iter().any(|client| client.job.as_ref().is_some_and(Job::is_endless));
        if !(is_due || is_readable || has_news || self.control.is_knocked) {
            return;
        }
        self.pulse.begin(now);
        self.control.accept(now);
        self.end_silences(now);
        self.serve_clients(now);
        // Somebody may have wanted something that the network or the guardian has to know.
        let now = super::now();
        self.carry_out(now);
        self.report(now);
    }

    fn serve_clients(&mut self, now: Instant) {
        let mut clients = std::mem::take(&mut self.control.clients);
        // Each is the first one now and then.
        if !clients.is_empty() {
            clients.rotate_left(1);
        }
        let mut steps = MOST_STEPS;
        clients.retain_mut(|client| self.attend(now, client, &mut steps).is_ok());
        // Only those who wait for what the guardian has told get it, and at once.
        self.control.facts.clear();
        self.control.clients = clients;
    }

    /// Reads, answers and writes for one client, as long as that goes on and there are steps left.
    fn attend(&mut self, now: Instant, client: &mut Client, steps: &mut usize) -> Result<(), Gone> {
        client.read()?;
        client.has_work = false;
        while client.write(now)? == Written::All {
            if *steps == 0 {
                client.has_work = true;
                return Ok(());
            }
            if !self.step(now, client)? {
                return Ok(());
            }
            *steps -= 1;
        }
        Ok(())
    }

    /// Makes one reply, or begins with one request. Whether there may be more to do.
    fn step(&mut self, now: Instant, client: &mut Client) -> Result<bool, Gone> {
        if let Some(job) = client.job.take() {
            return Ok(self.go_on(now, client, job));
        }
        let Some(request) = client.next_request()? else { return Ok(false) };
        client.last_active = now;
        self.answer(now, client, &request)?;
        Ok(true)
    }
}
