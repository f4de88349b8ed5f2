//! Doing what the core asks for: frames, wishes for the guardian, lines of the log.

use std::io;
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::Reason;
use carp_core::host::Authentication;
use carp_core::node::{Command, HostId, LinkId, Output, Purpose};
use carp_core::time::Instant;
use carp_core::wire::frame::Frame;
use log::{debug, error};
use ucarp_sys::link;
use ucarp_sys::packet::Batch;

use super::control::What;
use super::ids::free_id;
use super::{Engine, STALL};
use crate::protocol::HostNumber;
use crate::report::{self, Examined};

/// The kernel lets a packet of ours not out.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}: the firewall of this host drops protocol 112; with nftables let it pass by: nft insert rule inet filter output meta \
     l4proto 112 accept"
)]
struct Refused(String);

/// Frames that leave by one link, together.
#[derive(Default)]
pub(super) struct Outbox {
    link: LinkId,
    mail: Vec<Mail>,
}

/// A frame to send.
struct Mail {
    host: HostId,
    purpose: Purpose,
    frame: Frame,
}

impl AsRef<[u8]> for Mail {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Engine {
    /// Does everything that the core asks for.
    pub(super) fn carry_out(&mut self, now: Instant) {
        let mut stalled = Vec::new();
        while let Some(output) = self.next_output() {
            match output {
                // The core, which knows of slow scripts, announces after a while whatever has become of the addresses.
                Output::Transmit { host, purpose: Purpose::Announcement, .. } if self.lacks_some(host) => {}
                Output::Transmit { host, link, purpose, frame } => self.post(link, Mail { host, purpose, frame }),
                Output::TransmitPacket { host, link, purpose, destination, packet } => {
                    self.send_packet(host, link, purpose, destination, &packet);
                }
                Output::Claim { host } => {
                    let host = self.number(host);
                    let hosted = self.hosts.get_mut(&host).expect("the core knows those that are here");
                    (hosted.complete, hosted.voice.renewed) = (false, now);
                    self.guardian.claim(host);
                }
                Output::Release { host } => self.release(now, host),
                Output::Leaving { host, reason } => {
                    let host = self.number(host);
                    report::leaving(&self.who(host), &reason);
                    self.control.history.add(Some(host), What::Leaving { reason });
                }
                Output::Transition { host, from, to, reason } => {
                    let host = self.number(host);
                    let hosted = self.hosts.get_mut(&host).expect("the core knows those that are here");
                    hosted.voice.has_will = false;
                    if !report::is_of_link(from, to, &reason) || hosted.link_lines.allows(now) {
                        report::transition(&hosted.profile.who, from, to, &reason);
                    }
                    self.doubt_calendar();
                    self.guardian.state_is(host, to);
                    self.note_transition(now, host, from, to, reason);
                    if matches!(reason, Reason::NoMasterHeard { .. }) {
                        self.tell_alone(host);
                    }
                    if matches!(reason, Reason::Stalled { .. }) {
                        stalled.push(host);
                    }
                }
                Output::Notice { host, notice } => {
                    let (id, host) = (host, self.number(host));
                    let who = self.who(host);
                    let known = self.hosts.get_mut(&host).expect("the core knows those that are here");
                    known.record.counts.notice(&notice);
                    let (node, hosts, links) = (&self.node, &self.hosts, &self.links);
                    let examine = |source, counter, digest: &_| {
                        let (expected, difference) = node.examine(id, source, counter, digest);
                        let free = free_id(node, hosts, links, now, node.config(id).link);
                        Examined { expected, difference, free }
                    };
                    if let Some(text) = report::notice(&mut self.complaints, now, host, &who, &notice, examine) {
                        self.note_notice(host, &notice, text);
                    }
                }
            }
        }
        for host in stalled {
            self.punish(now, host, "this host was stopped");
        }
    }

    /// Says once of a MASTER that nobody of its group was ever heard: it may be the first one, or behind a broken network.
    fn tell_alone(&mut self, host: HostNumber) {
        let hosted = self.hosts.get_mut(&host).expect("the core knows those that are here");
        let heard = self.node.view(hosted.id).heard;
        if heard.is_empty() && !mem::replace(&mut hosted.told_alone, true) {
            report::alone(&hosted.profile.who);
            self.note(Some(host), "notice", "alone", report::ALONE);
        }
    }

    /// Both processes' number of a virtual host of the core.
    pub(super) fn number(&self, host: HostId) -> HostNumber {
        self.numbers[host.index()]
    }

    /// Whether the daemon holds the addresses of this virtual host and some are not there.
    fn lacks_some(&self, host: HostId) -> bool {
        let hosted = &self.hosts[&self.number(host)];
        hosted.profile.native && !hosted.complete
    }

    /// What the core asks for next. Frames leave together as long as nothing else comes between them.
    fn next_output(&mut self) -> Option<Output> {
        let next = self.node.poll_output();
        if !matches!(next, Some(Output::Transmit { .. })) {
            self.send_mail();
        }
        // One that could not be sent may have consequences.
        next.or_else(|| self.node.poll_output())
    }

    /// Sends a frame together with those that follow.
    fn post(&mut self, link: LinkId, mail: Mail) {
        if self.outbox.link != link || self.outbox.mail.len() == Batch::MOST {
            self.send_mail();
            self.outbox.link = link;
        }
        self.outbox.mail.push(mail);
    }

    fn send_mail(&mut self) {
        let Outbox { link, mut mail } = mem::take(&mut self.outbox);
        while !mail.is_empty() {
            // Looked at again whenever some are left: to stop the process, the kernel interrupts the call.
            let held_up = self.pulse.longest_step(super::now());
            if held_up >= STALL {
                mail.retain(|mail| mail.purpose == Purpose::Goodbye || held_up < self.patience(mail.host));
            }
            let Some(port) = self.links.get(&link).and_then(|link| link.port.as_ref()) else { break };
            let (count, outcome) = match port.send_many(&mail) {
                Ok(count) => (count, Ok(())),
                Err(error) => (1, Err(error)),
            };
            let now = super::now();
            for mail in mail.drain(..count) {
                self.sent(now, mail.host, link, mail.purpose, &outcome);
            }
        }
        mail.clear();
        self.outbox = Outbox { link, mail };
    }

    fn send_packet(&mut self, host: HostId, link: LinkId, purpose: Purpose, destination: IpAddr, packet: &[u8]) {
        let held_up = self.pulse.longest_step(super::now());
        if purpose != Purpose::Goodbye && held_up >= STALL && held_up >= self.patience(host) {
            return;
        }
        let Some(port) = self.links.get(&link).and_then(|link| link.port.as_ref()) else { return };
        let outcome = port.send_packet(destination, packet);
        self.sent(super::now(), host, link, purpose, &outcome);
    }

    /// A frame or packet was sent, or could not be.
    fn sent(&mut self, now: Instant, host: HostId, link: LinkId, purpose: Purpose, outcome: &io::Result<()>) {
        let number = self.number(host);
        let Some(hosted) = self.hosts.get_mut(&number) else { return };
        hosted.record.counts.sent(purpose, outcome.is_ok());
        let is_advertisement = purpose == Purpose::Advertisement;
        let mut needs_will = false;
        if is_advertisement {
            hosted.voice.renewed = now;
            self.guardian.renew(number);
            // Strict peers believe a goodbye for a dead time only; for others one is enough.
            let is_strict = self.node.config(host).authentication == Authentication::Strict;
            needs_will = !mem::replace(&mut hosted.voice.has_will, true) || is_strict;
        }
        match outcome {
            Ok(()) => {
                hosted.voice.unheard = None;
                debug!("{}{purpose} sent", hosted.profile.who);
            }
            Err(error) => self.could_not_send(number, link, is_advertisement, error),
        }
        if needs_will {
            self.make_will(now, host, number);
        }
    }

    fn could_not_send(&mut self, host: HostNumber, link: LinkId, is_advertisement: bool, error: &io::Error) {
        let name = self.links.get(&link).map(|link| link.name.clone()).unwrap_or_default();
        if error.kind() == io::ErrorKind::PermissionDenied {
            self.complain("Unable to send", &name, &Refused(error.to_string()));
        } else {
            self.complain("Unable to send", &name, error);
        }
        if link::is_unusable(error) {
            // That is nobody's failure to send, and the guardian is about to say so.
            self.break_link(link);
        } else if is_advertisement {
            self.could_not_advertise(host);
        }
    }

    /// Leaves a goodbye with the guardian.
    fn make_will(&mut self, now: Instant, id: HostId, host: HostNumber) {
        for output in self.node.last_will(now, id) {
            match output {
                Output::Transmit { link, frame, .. } => self.guardian.leave(host, link, None, frame.to_vec()),
                Output::TransmitPacket { link, destination, packet, .. } => {
                    self.guardian.leave(host, link, Some(destination), packet.to_vec());
                }
                _ => {}
            }
        }
    }

    /// Leaves a virtual host to another node before the others think that this one is dead, and take it themselves.
    fn could_not_advertise(&mut self, host: HostNumber) {
        let now = super::now();
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let id = hosted.id;
        let since = *hosted.voice.unheard.get_or_insert(now);
        if now - since + self.node.advertised_interval(id).duration() >= self.patience(id) {
            error!("{}Unable to advertise: leaving the addresses to another host", self.who(host));
            self.hosts.get_mut(&host).expect("it was there just now").voice.unheard = None;
            self.node.handle_command(now, id, Command::HandOver);
            self.punish(now, host, "advertisements could not be sent");
        }
    }

    /// How long the advertisements of a virtual host can be late without another one taking over.
    pub(super) fn patience(&self, host: HostId) -> Duration {
        let interval = self.node.advertised_interval(host);
        interval.peers_dead_time(self.node.config(host).dead_ratio).saturating_sub(interval.duration())
    }
}
