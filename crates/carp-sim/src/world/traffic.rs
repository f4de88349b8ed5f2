//! Frames from one node to the others, and what is true of them.

use std::net::IpAddr;
use std::rc::Rc;

use carp_core::host::Authentication;
use carp_core::node::Purpose;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, Received};

use super::host::{Host, Saying};
use super::{What, World, say};
use crate::ledger::Fact;
use crate::machine::Input;
use crate::network::damage;
use crate::spec::{Credentials, Edition, Families, Family, Kind};

/// How a frame came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A node sent it.
    Sent,
    /// Somebody sent it again.
    Repeated,
    /// Somebody sent it again, and changed it.
    Changed,
}

/// A frame on its way.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) from: usize,
    /// Which of the sender's lives it comes from.
    pub(super) life: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) family: Family,
    /// What it advertises; `None` if it was damaged.
    pub(super) rank: Option<Interval>,
    /// What it can be verified with.
    pub(super) signed_with: Signed,
    pub(super) origin: Origin,
}

/// The editions of the group's credentials that fit.
pub(super) type Signed = [Option<Credentials>; 2];

impl World {
    pub(super) fn arrive(&mut self, to: usize, packet: &Rc<Packet>) {
        let host = &mut self.hosts[to];
        if host.machine.is_none() || !host.carrier {
            return;
        }
        if let Some(stall) = &mut host.stall {
            stall.frame(packet);
            return;
        }
        self.hear(to, packet);
    }

    pub(super) fn hear(&mut self, to: usize, packet: &Packet) {
        let host = &self.hosts[to];
        let strict = self.scenario.authentication == Authentication::Strict;
        // Strict nodes know what they sent in an earlier life.
        let echo = packet.from == to && (strict || packet.life == host.life);
        let mut signed_with = packet.signed_with.iter().flatten();
        let verified = signed_with.any(|credentials| host.understands(*credentials, self.ledger.now));
        let authentic = verified && packet.rank.is_some();
        let mut believed = authentic && !echo;
        self.tally.attacks += u64::from(authentic && echo && packet.origin != Origin::Sent);
        if strict && believed {
            let Some(judged) = self.consult_book(to, packet) else { return };
            believed = judged;
        }
        let rank = packet.rank.filter(|_| believed);
        self.say_heard(to, packet, echo);
        if let Some(rank) = rank {
            self.note(&Fact::Heard { node: to, from: packet.from, family: packet.family, rank });
        }
        let before = if strict { self.looks(to) } else { None };
        self.feed(to, Input::Frame(&packet.bytes));
        self.judge_reaction(to, before.as_ref(), authentic && !believed, packet.origin != Origin::Sent);
        if let Some(rank) = rank {
            self.note(&Fact::Reacted { node: to, from: packet.from, rank });
        }
    }

    /// Whether a strict node has to believe an authentic advertisement of another one. `None` if somebody sends again
    /// what it would have to believe from the network: what was held back for a while cannot be told from what is slow,
    /// and no frame is so slow here.
    fn consult_book(&mut self, to: usize, packet: &Packet) -> Option<bool> {
        if packet.origin == Origin::Changed {
            self.tally.attacks += 1;
            return Some(false);
        }
        let received = frame::parse(&packet.bytes).expect("what has a rank can be read");
        let host = &mut self.hosts[to];
        let now = host.clock.at(self.ledger.now);
        let (source, counter) = (received.src, received.advertisement.counter);
        if packet.origin == Origin::Repeated {
            if host.book.believes(now, source, counter) {
                self.tally.withheld += 1;
                return None;
            }
            self.tally.attacks += 1;
        }
        Some(host.book.hear(now, source, counter))
    }

    fn say_heard(&mut self, to: usize, packet: &Packet, echo: bool) {
        let from = packet.from;
        let how = match packet.origin {
            Origin::Sent if echo => ", itself",
            Origin::Sent => "",
            Origin::Repeated => ", repeated by somebody",
            Origin::Changed => ", changed by somebody",
        };
        match packet.rank {
            Some(rank) => say!(self, Some(to), "hears n{from} ({rank}){how}"),
            None => say!(self, Some(to), "hears a damaged frame of n{from}"),
        }
    }

    pub(super) fn send(&mut self, node: usize, purpose: Purpose, only: Option<IpAddr>, bytes: Vec<u8>) {
        let received = frame::parse(&bytes).ok();
        let rank = received.map(|r| Interval { advbase: r.advertisement.advbase, advskew: r.advertisement.advskew });
        match (rank, only) {
            (Some(rank), None) => say!(self, Some(node), "sends {purpose} ({rank})"),
            (Some(rank), Some(to)) => say!(self, Some(node), "sends {purpose} ({rank}) to {to}"),
            (None, _) => say!(self, Some(node), "sends {purpose}"),
        }
        self.mix(self.ledger.now.as_nanos() ^ received.map_or(0, |received| received.advertisement.counter));
        self.tally.frames += 1;
        if !self.is_copy(node, received.map(|received| received.advertisement.counter)) {
            let gap = self.ledger.nodes[node].last_sent.map(|at| self.ledger.now - at);
            self.note(&Fact::Sent { node, purpose, rank, gap });
        }
        if !self.hosts[node].carrier {
            return;
        }
        if let Some(trace) = &mut self.trace {
            trace.frame(self.ledger.now, &bytes);
        }
        // Only clients look at announcements.
        if let Some(received) = received {
            let signed_with = self.signed_with(node, &received);
            let (life, family) = (self.hosts[node].life, Family::of(received.src));
            let packet = Packet { from: node, life, bytes, family, rank, signed_with, origin: Origin::Sent };
            let packet = Rc::new(packet);
            if self.is_recorded {
                self.recorded.push(Rc::clone(&packet));
            }
            self.spread(node, only, &packet);
        }
    }

    /// Whether this is one more frame of the advertisement that is being said: ours say one thing under one counter, or
    /// with stamps of one time, which the first 40 bits are.
    fn is_copy(&mut self, node: usize, counter: Option<u64>) -> bool {
        let (host, now) = (&mut self.hosts[node], self.ledger.now);
        let Some(stamp) = counter.filter(|_| host.spec.kind == Kind::Ours).map(|counter| counter >> 24) else {
            return false;
        };
        match &mut host.saying {
            Some(saying) if (saying.at, saying.stamp) == (now, stamp) => {
                saying.copies += 1;
                true
            }
            saying => {
                *saying = Some(Saying { at: now, stamp, copies: 1 });
                false
            }
        }
    }

    /// A node has done everything for now: whoever was to be told has been.
    pub(super) fn said(&mut self, node: usize) {
        let all = if self.scenario.unicast {
            self.hosts[node].spec.families.count() * (self.hosts.len() - 1)
        } else {
            self.hosts[node].spec.families.count()
        };
        if let Some(Saying { copies, .. }) = self.hosts[node].saying.take() {
            self.note(&Fact::Said { node, copies, all });
        }
    }

    /// What the frame can be verified with, whatever the node thinks: two editions may have a form of digest in common.
    fn signed_with(&self, node: usize, received: &Received) -> Signed {
        let Host { credentials, spec, .. } = &self.hosts[node];
        let Some(edition) = self.edition.filter(|_| credentials.same_group(Credentials::default())) else {
            return [Some(*credentials), None];
        };
        signed_with_either(edition, spec.families, received)
    }

    /// What a recording can be verified with by now: editions that came later may have a form of digest in common with
    /// that of the time.
    pub(super) fn signed_with_by_now(&self, packet: &Packet, received: &Received) -> Signed {
        let mut credentials = packet.signed_with.iter().flatten();
        match self.edition {
            Some(edition) if credentials.all(|credentials| credentials.same_group(Credentials::default())) => {
                signed_with_either(edition, self.hosts[packet.from].spec.families, received)
            }
            _ => packet.signed_with,
        }
    }

    fn spread(&mut self, from: usize, only: Option<IpAddr>, packet: &Rc<Packet>) {
        for to in 0..self.hosts.len() {
            let meant = match only {
                Some(address) => self.hosts[to].spec.address(packet.family) == address,
                None => to != from || self.network.echo,
            };
            if !meant {
                continue;
            }
            let way = (from, to);
            let deliveries = self.network.send(&mut self.dice, self.ledger.now, packet.family, way);
            for delivery in deliveries.into_iter().flatten() {
                let packet = if delivery.damaged { self.damaged(packet) } else { Some(Rc::clone(packet)) };
                if let Some(packet) = packet {
                    self.plan(delivery.at, What::Arrive { to, packet });
                }
            }
        }
    }

    /// The packet with some damage. Damage that no checksum notices, and that changes what is said, does not happen
    /// here: the checkers could not tell it from a lie, and Ethernet has a checksum of its own.
    fn damaged(&mut self, packet: &Packet) -> Option<Rc<Packet>> {
        let bytes = damage(&mut self.dice, &packet.bytes);
        let original = frame::parse(&packet.bytes).expect("what was sent can be read");
        let rank = match frame::parse(&bytes) {
            Ok(received) if (received.src, received.advertisement) != (original.src, original.advertisement) => {
                return None;
            }
            // Only what nobody reads has changed, such as the Ethernet addresses.
            Ok(received) if received.dst == original.dst => packet.rank,
            _ => None,
        };
        Some(Rc::new(Packet { bytes, rank, ..*packet }))
    }
}

/// Which of the two editions of the group's credentials fit.
fn signed_with_either(edition: Edition, families: Families, received: &Received) -> Signed {
    let carp = &received.advertisement;
    [Edition::default(), edition].map(Credentials::right).map(|credentials| {
        let forms = credentials.authenticators(families);
        forms.iter().any(|form| form.verify(carp.counter, &carp.digest)).then_some(credentials)
    })
}
