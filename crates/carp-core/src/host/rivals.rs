//! Other owners of a virtual address (RFC 5227): somebody who is not MASTER says, or answers when asked, that it has it.
//!
//! A node that joins asks twice before it becomes MASTER for want of anybody else: it waits anyway. Where a master was
//! heard there is no time to ask before a takeover, and no use: an address of a dead master answers until its lease is over.
//! So a new MASTER asks when that is past ([`SETTLE`]), and from then on hears who else says that the address is its own.
//! What is heard while addresses move between nodes of the group is no conflict.

use alloc::boxed::Box;
use core::net::IpAddr;
use core::time::Duration;

use super::{Transport, VirtualHost};
use crate::election::{Bar, Reason, State};
use crate::node::{LinkState, Notice, Output, Outputs, Purpose};
use crate::time::Instant;
use crate::wire::MacAddr;
use crate::wire::frame::{self, Possession};

/// After a takeover, and after an advertisement of another node, claims are not counted for so long: frames of the former
/// master may be under way, and the kernel keeps an address for 1.5 s longer than its lease.
const SETTLE: Duration = Duration::from_secs(3);

/// How long the nodes of the group have to say that a claim is theirs.
const IDENTIFY: Duration = Duration::from_millis(500);

/// An address is defended, and somebody new suspected, at most this often (RFC 5227 1.1, DEFEND_INTERVAL).
const GAP: Duration = Duration::from_secs(10);

/// Nodes that are asked whether a claim is theirs.
const MOST_ASKED: usize = 8;

/// How long an address is left to somebody else where no hold-down is configured.
const YIELD: Duration = Duration::from_secs(60);

/// What to do about another owner of a virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConflictAnswer {
    /// Announce the address again, at most every 10 s: the election decides who has it, and a stranger is not in it.
    Defend,
    /// Give it up for as long as hold-down says, or do not take it.
    Yield,
    /// Nothing but to tell.
    Report,
}

/// How other owners are found, and what is done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConflictPolicy {
    /// What to do.
    pub answer: ConflictAnswer,
    /// Whether to ask for others, and not only to listen.
    pub probes: bool,
}

/// Another owner of a virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rival {
    /// The virtual address.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: MacAddr,
    /// The own address of that host, if it is one of the group.
    pub peer: Option<IpAddr>,
    /// When it last claimed the address.
    pub at: Instant,
    /// How often it did.
    pub claims: u64,
}

/// What one virtual host knows of others that have its addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Rivals {
    /// When addresses are asked for next, and how often after that.
    probe: Option<(Instant, u8)>,
    /// Claims are not counted before.
    quiet_until: Instant,
    /// Somebody answered while this node waits to become the first MASTER. In a box, as the others: few have any.
    objection: Option<Box<Rival>>,
    /// Somebody claims an address, and the nodes of the group are being asked. Nobody new is suspected before the time.
    suspect: Option<Box<Rival>>,
    next_suspect: Instant,
    known: Option<Box<Rival>>,
    /// All claims that were counted.
    claims: u64,
    defended: Option<Instant>,
    /// The addresses are left to somebody else until then.
    yields_until: Option<Instant>,
}

impl Rivals {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let probe = self.probe.map(|(at, _)| at);
        [probe, self.suspect.as_ref().map(|suspect| suspect.at + IDENTIFY), self.yields_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// The last one that was found, and how many claims there were in all.
    pub(super) fn known(&self) -> (Option<Rival>, u64) {
        (self.known.as_deref().copied(), self.claims)
    }

    /// What keeps the virtual host out.
    pub(super) fn bar(&self) -> Option<Bar> {
        self.yields_until.map(|_| Bar::AddressConflict)
    }

    /// A node of the group was heard: whoever answered before may have been that one.
    pub(super) fn heard_member(&mut self) {
        self.objection = None;
    }

    /// The state is another one: what was begun in the former one has no meaning.
    fn restart(&mut self) {
        (self.probe, self.suspect, self.objection) = (None, None, None);
    }
}

impl VirtualHost {
    /// The Ethernet address of the link, as it was last known.
    pub(crate) fn link_mac(&self) -> Option<MacAddr> {
        self.link_mac
    }

    /// Whether it matters to this virtual host who has that address.
    pub(crate) fn is_concerned_by(&self, possession: &Possession) -> bool {
        self.config.policy.conflict.is_some()
            && (self.rivals.suspect.is_some() || self.config.credentials.addresses.contains(possession.address))
    }

    /// Somebody else on the link says that an address is its own.
    pub(crate) fn possessed(&mut self, now: Instant, possession: &Possession, outputs: &mut Outputs) {
        let &Possession { address, mac } = possession;
        if self.rivals.suspect.as_ref().is_some_and(|suspect| suspect.mac == mac) && self.is_member(address) {
            return self.judge(now, Some(address), outputs);
        }
        let vhid = self.config.vhid;
        let is_virtual = mac == frame::kernel_mac(vhid) || mac == frame::ucarp_mac(vhid);
        if is_virtual || !self.config.credentials.addresses.contains(address) {
            return;
        }
        let claim = Rival { address, mac, peer: None, at: now, claims: 1 };
        match self.state() {
            State::Backup if self.waits_alone() => self.rivals.objection = Some(Box::new(claim)),
            State::Master if self.is_settled(now) => self.suspect(now, claim, outputs),
            State::Init | State::Backup | State::Master => {}
        }
    }

    /// Whether it will become MASTER because nobody has been heard since it joined.
    fn waits_alone(&self) -> bool {
        self.state() == State::Backup && matches!(self.election.outlook().expectation, Reason::NoMasterHeard { .. })
    }

    /// Whether it has been the only MASTER for long enough that a claim is not one of its predecessor or successor.
    fn is_settled(&self, now: Instant) -> bool {
        !self.election.is_leaving()
            && now >= self.rivals.quiet_until
            && self.senders.last().is_none_or(|last| now - last >= SETTLE)
    }

    fn is_member(&self, address: IpAddr) -> bool {
        self.members().any(|member| member == address)
    }

    /// The own addresses of other nodes of the group, as far as they are known.
    fn members(&self) -> impl Iterator<Item = IpAddr> {
        let configured = match &self.config.transport {
            Transport::Unicast { peers, .. } => &peers[..],
            Transport::Multicast { .. } => &[],
        };
        let virtual_ones = &self.config.credentials.addresses;
        let heard = self.senders.addresses().filter(|source| !source.is_unspecified());
        configured.iter().copied().chain(heard).filter(|source| !virtual_ones.contains(*source))
    }

    /// Somebody claims an address of this MASTER: asks the group whose it is, unless that is known.
    fn suspect(&mut self, now: Instant, claim: Rival, outputs: &mut Outputs) {
        let rivals = &mut self.rivals;
        let is_same = |other: &Rival| (other.address, other.mac) == (claim.address, claim.mac);
        if let Some(known) = rivals.known.as_deref_mut().filter(|known| is_same(known)) {
            (known.at, known.claims) = (now, known.claims + 1);
            rivals.claims += 1;
            return self.answer_conflict(now, outputs);
        }
        if rivals.suspect.is_some() || now < rivals.next_suspect {
            return;
        }
        (rivals.suspect, rivals.next_suspect) = (Some(Box::new(claim)), now + GAP);
        let Some(mac) = self.link_mac else { return };
        let members = self.members().filter_map(|member| match member {
            IpAddr::V4(member) => Some(frame::arp_probe(mac, member)),
            IpAddr::V6(_) => None,
        });
        let (host, link) = (self.id, self.config.link);
        let ask = |frame| Output::Transmit { host, link, purpose: Purpose::Probe, frame };
        outputs.extend(members.take(MOST_ASKED).map(ask));
    }

    /// It is known now, as well as it can be, who has claimed the address.
    fn judge(&mut self, now: Instant, peer: Option<IpAddr>, outputs: &mut Outputs) {
        let Some(suspect) = self.rivals.suspect.take() else { return };
        let has_heard = self.senders.last().is_some_and(|last| last >= suspect.at);
        if self.state() == State::Master && !self.election.is_leaving() && !has_heard {
            self.rivals.known = Some(Box::new(Rival { peer, ..*suspect }));
            self.rivals.claims += 1;
            self.answer_conflict(now, outputs);
        }
    }

    /// Tells of the rival that is known, and does what is configured.
    fn answer_conflict(&mut self, now: Instant, outputs: &mut Outputs) {
        let (Some(rival), Some(policy)) = (self.rivals.known.as_deref().copied(), self.config.policy.conflict) else {
            return;
        };
        let host = self.id;
        outputs.extend([Output::Notice { host, notice: Notice::AddressConflict { rival, answer: policy.answer } }]);
        match policy.answer {
            ConflictAnswer::Defend if self.state() == State::Master => {
                if self.rivals.defended.is_none_or(|last| now - last >= GAP) {
                    self.rivals.defended = Some(now);
                    self.announce([rival.address].into_iter(), outputs);
                }
            }
            // What is announced after the takeover is defence enough.
            ConflictAnswer::Report | ConflictAnswer::Defend => {}
            ConflictAnswer::Yield => {
                let length = self.config.policy.hold_down.map_or(YIELD, |hold_down| hold_down.length);
                self.rivals.yields_until = Some(now + length);
                self.rivals.restart();
                self.use_link(now, outputs);
            }
        }
    }

    /// What a change of state means for the search for others.
    pub(super) fn look_for_rivals(&mut self, now: Instant, from: State, to: State) {
        self.rivals.restart();
        let Some(policy) = self.config.policy.conflict else { return };
        if (from, to) == (State::Init, State::Backup) && policy.probes {
            let third = self.dead_time() / 3;
            let takeover = self.election.next_deadline();
            self.rivals.probe = takeover.map(|takeover| (now + ((takeover - now).saturating_sub(third * 2)), 1));
        }
        if to == State::Master {
            self.rivals.quiet_until = now + SETTLE;
            self.rivals.probe = policy.probes.then_some((now + SETTLE, 0));
        }
    }

    /// Does what is due in the search for others.
    pub(super) fn watch_rivals(&mut self, now: Instant, outputs: &mut Outputs) {
        let is_due = |at: Instant| at <= now;
        if self.rivals.yields_until.take_if(|until| is_due(*until)).is_some() {
            self.use_link(now, outputs);
        }
        if self.rivals.suspect.as_ref().is_some_and(|suspect| is_due(suspect.at + IDENTIFY)) {
            self.judge(now, None, outputs);
        }
        if let Some((_, more)) = self.rivals.probe.take_if(|(at, _)| is_due(*at)) {
            let is_wanted = self.state() == State::Master && !self.election.is_leaving() || self.waits_alone();
            if is_wanted {
                self.probe(outputs);
                self.rivals.probe = more.checked_sub(1).map(|more| (now + self.dead_time() / 3, more));
            }
        }
        let takes_over = self.waits_alone() && self.election.next_deadline().is_some_and(is_due);
        if let Some(rival) = self.rivals.objection.take_if(|_| takes_over) {
            self.rivals.known = Some(rival);
            self.rivals.claims += 1;
            self.answer_conflict(now, outputs);
        }
    }

    /// Asks who has the addresses. Whoever has one answers.
    fn probe(&mut self, outputs: &mut Outputs) {
        let (Some(mac), LinkState::Up(_)) = (self.link_mac, self.link) else { return };
        let addresses = &self.config.credentials.addresses;
        let v4 = addresses.v4().map(|address| frame::arp_probe(mac, address));
        let v6 = addresses.v6().map(|address| frame::neighbour_probe(mac, address));
        let (host, link) = (self.id, self.config.link);
        let ask = |frame| Output::Transmit { host, link, purpose: Purpose::Probe, frame };
        outputs.extend(v4.chain(v6).map(ask));
    }
}

#[cfg(test)]
mod tests;
