//! One virtual host: its election, its announcements and its frames.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::announce::Schedule;
use crate::auth::{AddressList, Authenticator, Key};
use crate::election::{self, Effect, Election, Peer, State, TieRule};
use crate::node::{HostId, LinkId, LinkState, Notice, Output, Purpose};
use crate::random::Random;
use crate::time::Instant;
use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::advertisement;
use crate::wire::frame::{self, AdvertisementFrame, Received};

/// Own advertisements that are recognised when a switch sends them back.
const REMEMBERED: usize = 16;

/// What a virtual host is.
#[derive(Clone, Debug)]
pub struct VirtualHostConfig {
    /// The link that it advertises on.
    pub link: LinkId,
    /// 1 to 255; the same on all hosts of the group.
    pub vhid: u8,
    /// The key that the group shares.
    pub key: Key,
    /// The virtual addresses; the same on all hosts of the group. UCARP knows exactly one, of IPv4.
    pub addresses: AddressList,
    /// The address that advertisements come from.
    pub source: Ipv4Addr,
    /// Where advertisements go to and are accepted for: a multicast group.
    pub group: Ipv4Addr,
    /// Whether advertisements go to the link's broadcast address, for networks that lose multicast (UCARP's `-M`).
    pub broadcast: bool,
    /// Own advertisement interval and rank.
    pub interval: Interval,
    /// How many advbases of silence make a master dead.
    pub dead_ratio: u32,
    /// Whether to displace a slower master at once.
    pub preempt: bool,
    /// How ties are decided.
    pub tie: TieRule,
}

/// One virtual host at work. [`crate::node::Node`] drives it.
#[derive(Clone, Debug)]
pub(crate) struct VirtualHost {
    id: HostId,
    config: VirtualHostConfig,
    authenticator: Authenticator,
    election: Election,
    announcements: Schedule,
    random: Random,
    mac: Option<MacAddr>,
    /// Counters of the last own advertisements, oldest overwritten first; 0 is never sent.
    sent: [u64; REMEMBERED],
    sent_next: usize,
    effects: Vec<Effect>,
}

impl VirtualHost {
    pub(crate) fn new(id: HostId, config: VirtualHostConfig, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let election = election::Config {
            interval: config.interval,
            dead_ratio: config.dead_ratio,
            preempt: config.preempt,
            source: IpAddr::V4(config.source),
            tie: config.tie,
        };
        Self {
            id,
            authenticator: Authenticator::new(&config.key, config.vhid, &config.addresses),
            election: Election::new(election, random.bits()),
            announcements: Schedule::default(),
            random,
            mac: None,
            sent: [0; REMEMBERED],
            sent_next: 0,
            effects: Vec::new(),
            config,
        }
    }

    pub(crate) fn id(&self) -> HostId {
        self.id
    }

    pub(crate) fn config(&self) -> &VirtualHostConfig {
        &self.config
    }

    pub(crate) fn state(&self) -> State {
        self.election.state()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        [self.election.next_deadline(), self.announcements.next_deadline()].into_iter().flatten().min()
    }

    /// Lets the election act and turns what it wants into outputs.
    pub(crate) fn elect(
        &mut self,
        now: Instant,
        outputs: &mut impl Extend<Output>,
        act: impl FnOnce(&mut Election, &mut Vec<Effect>),
    ) {
        let mut effects = core::mem::take(&mut self.effects);
        act(&mut self.election, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(now, effect, outputs);
        }
        self.effects = effects;
    }

    pub(crate) fn link(&mut self, now: Instant, state: LinkState, outputs: &mut impl Extend<Output>) {
        if let LinkState::Up(mac) = state {
            self.mac = Some(mac);
        }
        self.elect(now, outputs, |election, effects| match state {
            LinkState::Up(_) => election.link_up(now, effects),
            _ => election.link_lost(state.reason(), effects),
        });
    }

    pub(crate) fn address_ready(&mut self, now: Instant, outputs: &mut impl Extend<Output>) {
        if self.state() == State::Master && !self.election.is_leaving() {
            self.announcements.address_ready(now);
            self.announce_if_due(now, outputs);
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant, outputs: &mut impl Extend<Output>) {
        self.elect(now, outputs, |election, effects| election.timeout(now, effects));
        self.announce_if_due(now, outputs);
    }

    /// Judges an advertisement of this vhid in the order of UCARP's checks: destination, then authenticity.
    pub(crate) fn heard(&mut self, now: Instant, received: &Received, outputs: &mut impl Extend<Output>) {
        let advertisement = &received.advertisement;
        let peer = Peer {
            source: received.src,
            mac: received.src_mac,
            interval: Interval { advbase: advertisement.advbase, advskew: advertisement.advskew },
        };
        if received.dst != IpAddr::V4(self.config.group) {
            return;
        }
        if !self.authenticator.verify(advertisement.counter, &advertisement.digest) {
            let expected = self.authenticator.sign(advertisement.counter);
            let notice = Notice::BadDigest { peer, expected, received: advertisement.digest };
            return outputs.extend([Output::Notice { host: self.id, notice }]);
        }
        if self.sent.contains(&advertisement.counter) {
            return outputs.extend([Output::Notice { host: self.id, notice: Notice::OwnEcho { peer } }]);
        }
        if self.config.interval.advbase == 0 && self.is_ucarp(received) {
            outputs.extend([Output::Notice { host: self.id, notice: Notice::UcarpWithoutAdvbase { peer } }]);
        }
        self.elect(now, outputs, |election, effects| election.heard(now, peer, effects));
    }

    /// UCARP and this implementation share a source MAC that no other one uses; this one sends 0 as identification,
    /// where UCARP draws a random number.
    fn is_ucarp(&self, received: &Received) -> bool {
        received.src_mac == frame::ucarp_mac(self.config.vhid) && received.ip_id.is_some_and(|id| id != 0)
    }

    fn carry_out(&mut self, now: Instant, effect: Effect, outputs: &mut impl Extend<Output>) {
        let host = self.id;
        let output = match effect {
            Effect::Advertise => self.advertise(self.config.interval, Purpose::Advertisement),
            Effect::BowOut => self.advertise(Interval::BOW_OUT, Purpose::Goodbye),
            Effect::Claim => {
                self.announcements.takeover(now);
                Output::Claim { host }
            }
            Effect::Release => Output::Release { host },
            Effect::Leaving(reason) => {
                self.announcements.stop();
                Output::Leaving { host, reason }
            }
            Effect::Transition { from, to, reason } => {
                self.announcements.stop();
                Output::Transition { host, from, to, reason }
            }
            Effect::Reassert(peer) => {
                self.announcements.contested(now);
                self.announce_if_due(now, outputs);
                Output::Notice { host, notice: Notice::AddressContested { peer } }
            }
            Effect::EqualPeer(peer) => Output::Notice { host, notice: Notice::EqualPeer { peer } },
        };
        outputs.extend([output]);
    }

    fn advertise(&mut self, interval: Interval, purpose: Purpose) -> Output {
        // A fresh random counter each time: two MASTERs that adopted each other's counters would take the other's
        // advertisements for echoes of their own. OpenBSD drops 0.
        let counter = loop {
            let counter = self.random.bits();
            if counter != 0 {
                break counter;
            }
        };
        self.sent[self.sent_next] = counter;
        self.sent_next = (self.sent_next + 1) % REMEMBERED;
        let dst_mac = if self.config.broadcast {
            MacAddr::BROADCAST
        } else {
            frame::multicast_mac(IpAddr::V4(self.config.group))
        };
        let frame = AdvertisementFrame {
            src_mac: frame::ucarp_mac(self.config.vhid),
            dst_mac,
            src: IpAddr::V4(self.config.source),
            dst: IpAddr::V4(self.config.group),
            tos: frame::TOS_LOW_DELAY,
            netbsd_checksum: false,
            advertisement: advertisement::Repr {
                vhid: self.config.vhid,
                advbase: interval.advbase,
                advskew: interval.advskew,
                demotion: 0,
                counter,
                digest: self.authenticator.sign(counter),
            },
        };
        let frame = frame.emit().expect("source and group are both of IPv4");
        Output::Transmit { link: self.config.link, purpose, frame }
    }

    fn announce_if_due(&mut self, now: Instant, outputs: &mut impl Extend<Output>) {
        if !self.announcements.due(now) {
            return;
        }
        let Some(mac) = self.mac else { return };
        let link = self.config.link;
        outputs.extend(self.config.addresses.v4().map(|address| Output::Transmit {
            link,
            purpose: Purpose::Announcement,
            frame: frame::gratuitous_arp(mac, address).to_vec(),
        }));
    }
}
