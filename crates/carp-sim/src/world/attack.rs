//! Somebody on the segment who has recorded everything that was sent, and does not know the password.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame};

use super::traffic::{Origin, Packet};
use super::{What, World};
use crate::checkers::{Rule, Violation};
use crate::fault::{Attack, Fault};
use crate::machine::Machine;
use crate::spec::Family;

/// What counts as recent among what was recorded.
const RECENT: usize = 20;

/// What a node looks like from outside, to see whether something had an effect on it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looks {
    next_deadline: Option<carp_core::time::Instant>,
    moves: usize,
    frames: u64,
    /// Advertisements that it has doubted.
    pub(super) doubts: u64,
}

impl World {
    /// One step of an attack, and the plan for the next one.
    pub(super) fn attack(&mut self, index: usize) {
        let Fault::Attack { how, every } = self.scenario.faults[index].fault else { return };
        if !self.active[index] {
            return;
        }
        self.plan(self.ledger.now + every, What::Attack(index));
        let victim = self.dice.index(self.hosts.len());
        let Some(packet) = self.recording(index, how, victim) else { return };
        let everybody = how != Attack::Reflection && self.dice.coin();
        for to in (0..self.hosts.len()).filter(|to| everybody || *to == victim) {
            if let Some(packet) = self.forged(how, to, &packet) {
                let at = self.ledger.now + self.dice.duration(Duration::ZERO, Duration::from_millis(1));
                self.plan(at, What::Arrive { to, packet: Rc::new(packet) });
            }
        }
    }

    /// Something that was recorded.
    fn recording(&mut self, index: usize, how: Attack, victim: usize) -> Option<Rc<Packet>> {
        let recorded = self.recorded.len();
        if recorded == 0 {
            return None;
        }
        let recent = recorded - 1 - self.dice.index(recorded.min(RECENT));
        let any = if self.dice.coin() { recent } else { self.dice.index(recorded) };
        let position = match how {
            Attack::Playback => {
                let next = self.playing[index].map_or(any, |position| position + 1);
                self.playing[index] = Some(next).filter(|next| *next < recorded);
                next
            }
            Attack::Replay | Attack::Forgery => any,
            Attack::Reflection => (any..recorded).find(|position| self.recorded[*position].from == victim)?,
        };
        self.recorded.get(position).cloned()
    }

    /// What the attacker makes of it for one node. Unicast asks for the right addresses.
    fn forged(&mut self, how: Attack, to: usize, packet: &Packet) -> Option<Packet> {
        let received = frame::parse(&packet.bytes).expect("what was sent can be read");
        let (mut src, mut dst, mut advertisement) = (received.src, received.dst, received.advertisement);
        if self.scenario.unicast {
            if packet.from == to {
                return None;
            }
            dst = self.hosts[to].spec.address(packet.family);
        }
        let mut origin = Origin::Repeated;
        if how == Attack::Forgery {
            origin = Origin::Changed;
            let own = self.hosts[to].spec.interval;
            match self.dice.below(5) {
                0 => (advertisement.advbase, advertisement.advskew) = (0, 1),
                1 => (advertisement.advbase, advertisement.advskew) = (255, 255),
                2 => (advertisement.advbase, advertisement.advskew) = (own.advbase, own.advskew),
                3 => advertisement.demotion = 1,
                _ if self.scenario.unicast => advertisement.advskew ^= 1,
                _ => src = self.other_source(packet.family),
            }
            if (src, advertisement) == (received.src, received.advertisement) {
                origin = Origin::Repeated;
            }
        }
        let frame = AdvertisementFrame {
            src_mac: received.src_mac,
            dst_mac: received.dst_mac,
            src,
            dst,
            tos: 0,
            netbsd_checksum: false,
            advertisement,
        };
        let rank = Some(Interval { advbase: advertisement.advbase, advskew: advertisement.advskew });
        let bytes = frame.emit().expect("source and destination are of one family").to_vec();
        let signed_with = self.signed_with_by_now(packet, &received);
        Some(Packet { bytes, rank, origin, signed_with, ..*packet })
    }

    /// The address of a node, or one that nobody has.
    fn other_source(&mut self, family: Family) -> IpAddr {
        let node = self.dice.index(self.hosts.len() + 1);
        match (self.hosts.get(node), family) {
            (Some(host), _) => host.spec.address(family),
            (None, Family::V4) => Ipv4Addr::new(10, 0, 9, 9).into(),
            (None, Family::V6) => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, 9).into(),
        }
    }

    /// What a node of ours looks like at this moment.
    pub(super) fn looks(&self, node: usize) -> Option<Looks> {
        let Some(Machine::Ours(ours)) = &self.hosts[node].machine else { return None };
        let (next_deadline, doubts) = (ours.next_deadline(), ours.doubts());
        Some(Looks { next_deadline, moves: self.moves.len(), frames: self.tally.frames, doubts })
    }

    /// A strict node has dealt with an advertisement: one that must be doubted has been counted and has changed nothing
    /// else, and one that must be believed has not been counted.
    pub(super) fn judge_reaction(&mut self, node: usize, before: Option<&Looks>, is_doubtful: bool, is_forged: bool) {
        let (Some(before), Some(after)) = (before, self.looks(node)) else { return };
        let counted = after.doubts - before.doubts;
        let text = if counted != u64::from(is_doubtful) {
            let should = if is_doubtful { "once" } else { "not at all" };
            format!("n{node} doubts an advertisement {counted} times that it should doubt {should}")
        } else if is_forged && (Looks { doubts: before.doubts, ..after }) != *before {
            format!("n{node} lets itself be told something by a forged advertisement")
        } else {
            return;
        };
        if self.violation.is_none() {
            self.violation = Some(Violation { rule: Rule::Forged, at: self.ledger.now, text });
        }
    }
}
