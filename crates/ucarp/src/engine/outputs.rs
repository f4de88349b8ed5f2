//! Doing what the core asks for: frames, addresses, scripts, lines of the log.

use std::fs;

use carp_core::node::{Command, HostId, LinkId, Output, Purpose};
use carp_core::time::Instant;
use log::{debug, error, warn};

use super::interfaces::Removals;
use super::{Engine, STALL};
use crate::complaints::Subject;
use crate::keeper::Outcome;
use crate::report;
use crate::scripts::Action;

/// A change of addresses can lead to another one: the goodbye of one virtual host lets no other of the same daemon
/// move, so two rounds are all there is, and more would be a circle.
const MOST_ROUNDS: usize = 4;

impl Engine {
    /// Does everything that the core asks for. Addresses follow at the end of the turn.
    pub(super) fn carry_out(&mut self, now: Instant) {
        while let Some(output) = self.node.poll_output() {
            match output {
                // The core, which knows of slow scripts, announces after a while whatever has become of the addresses.
                Output::Transmit { host, purpose: Purpose::Announcement, .. } if self.keeper.lacks_some(host) => {}
                Output::Transmit { host, link, purpose, frame } => {
                    self.sent(host, link, purpose, |port| port.send(&frame));
                }
                Output::TransmitPacket { host, link, purpose, destination, packet } => {
                    self.sent(host, link, purpose, |port| port.send_packet(destination, &packet));
                }
                Output::Claim { host } if self.keeper.keeps(host) => self.keeper.claim(host),
                Output::Claim { host } => self.request(now, host, Action::Up),
                Output::Release { host } if self.keeper.keeps(host) => self.keeper.release(host),
                Output::Release { host } => self.request(now, host, Action::Down),
                Output::Leaving { host, reason } => report::leaving(&self.who(host), &reason),
                Output::Transition { host, from, to, reason } => {
                    report::transition(&self.who(host), from, to, &reason);
                }
                Output::Notice { host, notice } => {
                    let who = self.who(host);
                    report::notice(&mut self.complaints, now, host, &who, &notice);
                }
            }
        }
    }

    fn sent(
        &mut self,
        host: HostId,
        link: LinkId,
        purpose: Purpose,
        send: impl FnOnce(&crate::interface::Port) -> std::io::Result<()>,
    ) {
        if purpose != Purpose::Goodbye && self.is_outdated(host) {
            return;
        }
        let index = link.0 as usize;
        let Some(port) = self.interfaces[index].port() else { return };
        match send(port) {
            Ok(()) => debug!("{}{purpose} sent", self.who(host)),
            Err(error) => {
                let name = self.interfaces[index].name().to_owned();
                self.complain("Unable to send", &name, &error);
            }
        }
        if purpose == Purpose::Advertisement && self.keeper.keeps(host) {
            self.keeper.want(host);
        }
    }

    /// Whether this process was held up for so long since it decided what it is doing that another host may have taken
    /// this virtual host over.
    fn is_outdated(&mut self, host: HostId) -> bool {
        let held_up = self.pulse.longest_step(super::now());
        held_up >= STALL && self.hosts.get(&host).is_some_and(|hosted| held_up >= hosted.patience())
    }

    /// Lets addresses come and go as the decisions of this turn want it, and the decisions follow the addresses.
    pub(super) fn settle(&mut self, now: Instant) {
        let held_up = self.pulse.longest_step(super::now());
        if held_up >= STALL && self.hosts.values().any(|hosted| held_up >= hosted.patience()) {
            // The next turn comes at once, and decides anew.
            self.keeper.postpone(now);
            return;
        }
        for _ in 0..MOST_ROUNDS {
            let outcomes = self.keeper.settle(now);
            if outcomes.is_empty() {
                return;
            }
            let mut scripts = Vec::new();
            for outcome in outcomes {
                let (host, command) = match outcome {
                    Outcome::Claimed(host) => (host, Command::Claimed),
                    Outcome::Released(host) => (host, Command::Released),
                    Outcome::Hopeless(host) => (host, Command::HandOver),
                };
                match outcome {
                    Outcome::Claimed(_) => scripts.push((host, Action::Up)),
                    Outcome::Released(_) => scripts.push((host, Action::Down)),
                    Outcome::Hopeless(_) => {
                        error!("{}Unable to hold the addresses: leaving them to another host", self.who(host));
                    }
                }
                self.node.handle_command(now, host, command);
            }
            // Announcements and goodbyes before scripts, which take time to start.
            self.carry_out(now);
            for (host, action) in scripts {
                self.request_once(now, host, action);
            }
        }
    }

    /// Runs a script unless the last one that ran or is to run was the same: an address that was put back is no new
    /// takeover.
    fn request_once(&mut self, now: Instant, host: HostId, action: Action) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        if hosted.last_action.replace(action) != Some(action) {
            self.request(now, host, action);
        }
    }

    /// Puts back addresses that a MASTER has lost.
    pub(super) fn restore_addresses(&mut self, now: Instant, removals: &Removals) {
        for (host, address) in self.keeper.verify(now) {
            let kind = "Virtual address removed by somebody else";
            if self.complaints.is_news(now, Subject { host: Some(host), kind, sender: Some(address) }) {
                let by = removals.get(&address).filter(|_| address.is_ipv4()).map(|port| requester(*port));
                let by = by.unwrap_or_else(|| "by whom is not known".into());
                warn!("{}{kind} ({by}): putting {address} back", self.who(host));
            }
        }
    }
}

/// Who asked the kernel for something, as far as that can be known: the number is that of a process as a rule.
fn requester(port: u32) -> String {
    if port == 0 {
        return "by the kernel: its lifetime was over, or the interface lost it".into();
    }
    match fs::read_to_string(format!("/proc/{port}/comm")) {
        Ok(name) => format!("by process {port}, {}", name.trim()),
        Err(_) => format!("by process {port}, which has ended"),
    }
}
