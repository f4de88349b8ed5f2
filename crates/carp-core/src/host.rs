//! One virtual host: its election, its announcements and its frames.

mod config;
mod freshness;
mod heard;
mod restraint;
mod rivals;
mod saying;
mod trust;

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

pub use config::{
    Authentication, Credentials, GroupId, HoldDown, Local, MacMode, Policy, Transport, VirtualHostConfig,
};
use freshness::{Claim, Freshness};
pub use freshness::{Counters, Doubt, WINDOW};
pub use heard::Heard;
use heard::Senders;
use restraint::Restraint;
use rivals::Rivals;
pub use rivals::{ConflictAnswer, ConflictPolicy, Rival};
use trust::Trust;

use crate::announce::Schedule;
use crate::auth::difference::{self, Difference};
use crate::auth::stamp::Tick;
use crate::election::{Bar, Effect, Election, Peer, Reason, State};
use crate::node::{HostId, LinkState, Notice, Output, Outputs, Purpose, View};
use crate::random::Random;
use crate::time::Instant;
use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::advertisement::{DIGEST_LEN, Repr};
use crate::wire::frame::{self, Received, Rejected, Sender};

/// One virtual host at work. [`crate::node::Node`] drives it.
#[derive(Clone, Debug)]
pub(crate) struct VirtualHost {
    id: HostId,
    config: VirtualHostConfig,
    trust: Trust,
    freshness: Freshness,
    counters: Counters,
    senders: Senders,
    election: Election,
    announcements: Schedule,
    restraint: Restraint,
    rivals: Rivals,
    /// The restraint has changed, and the election does not know.
    is_restraint_news: bool,
    random: Random,
    /// Why it must not take part.
    bar: Option<Bar>,
    /// Whether another one of its group cannot take part.
    is_barred_by_group: bool,
    link: LinkState,
    /// The link's own Ethernet address, as it was last known.
    link_mac: Option<MacAddr>,
}

impl VirtualHost {
    /// `clock` is the wall clock minus the driver's clock, in ticks of group time.
    pub(crate) fn new(id: HostId, config: VirtualHostConfig, seed: u64, clock: i64) -> Self {
        let (mut random, restraint) = (Random::new(seed), Restraint::default());
        Self {
            id,
            trust: Trust::new(&config.credentials, config.vhid),
            freshness: Freshness::new(clock),
            counters: Counters::default(),
            election: Election::new(restraint.temper(config.election(), &config.policy), random.bits()),
            senders: Senders::default(),
            announcements: Schedule::default(),
            rivals: Rivals::default(),
            restraint,
            is_restraint_news: false,
            random,
            bar: None,
            is_barred_by_group: false,
            link: LinkState::Gone,
            link_mac: None,
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

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn view(&self) -> View<'_> {
        let (rival, claims) = self.rivals.known();
        View {
            config: &self.config,
            state: self.state(),
            outlook: self.election.outlook(),
            link: self.link,
            heard: self.senders.latest_first(),
            believed: self.senders.count(),
            doubted: self.counters,
            rival,
            claims,
        }
    }

    pub(crate) fn is_changing_credentials(&self, now: Instant) -> bool {
        self.trust.is_changing(now)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let mut earliest = self.election.next_deadline();
        for other in [self.announcements.next_deadline(), self.restraint.next_deadline(), self.rivals.next_deadline()] {
            if other.is_some_and(|other| earliest.is_none_or(|earliest| other < earliest)) {
                earliest = other;
            }
        }
        earliest
    }

    /// The interval of a MASTER's election, and when it advertises next.
    pub(crate) fn beat(&self) -> Option<(Interval, Instant)> {
        self.election.beat()
    }

    /// Advertises together with another MASTER, whose next advertisement is at `beat`.
    pub(crate) fn fall_in(&mut self, now: Instant, beat: Instant) {
        self.election.fall_in(now, beat);
    }

    /// The interval that is advertised, demotion included.
    pub(crate) fn interval(&self) -> Interval {
        self.restraint.interval(self.config.interval, &self.config.policy)
    }

    /// How long it waits for a master.
    pub(crate) fn dead_time(&self) -> Duration {
        self.interval().master_down(self.config.dead_ratio)
    }

    /// Lets the election act and turns what it wants into outputs.
    pub(crate) fn elect(
        &mut self,
        now: Instant,
        outputs: &mut Outputs,
        act: impl FnOnce(&mut Election, &mut Vec<Effect>),
    ) {
        let mut effects = core::mem::take(&mut outputs.effects);
        act(&mut self.election, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(now, effect, outputs);
        }
        outputs.effects = effects;
        if core::mem::take(&mut self.is_restraint_news) {
            self.inform_election(now, outputs);
        }
    }

    /// Becomes what `config` says, without a change of state that the change of configuration does not need.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        config: VirtualHostConfig,
        grace: Duration,
        outputs: &mut Outputs,
    ) {
        // Without a grace time an earlier change is over, too.
        if config.credentials != self.config.credentials || grace.is_zero() {
            self.trust.change(now, &config.credentials, config.vhid, grace);
        }
        self.config = config;
        self.adjust(now, outputs);
    }

    /// The own addresses on the link are these from now on.
    pub(crate) fn set_local(&mut self, now: Instant, local: Local, outputs: &mut Outputs) {
        if local != self.config.local {
            self.config.local = local;
            self.adjust(now, outputs);
        }
    }

    /// Tells the election what has become of its part of the configuration.
    fn adjust(&mut self, now: Instant, outputs: &mut Outputs) {
        self.inform_election(now, outputs);
        self.use_link(now, outputs);
    }

    fn inform_election(&mut self, now: Instant, outputs: &mut Outputs) {
        let config = self.restraint.temper(self.config.election(), &self.config.policy);
        self.elect(now, outputs, |election, effects| election.reconfigure(now, config, effects));
    }

    /// Raises the advertised advskew by this much, instead of what it was raised by before.
    pub(crate) fn demote(&mut self, now: Instant, by: u16, outputs: &mut Outputs) {
        if by != self.restraint.demotion() {
            self.restraint.demote(by);
            self.inform_election(now, outputs);
        }
    }

    /// It must not take part for this reason, or may if there is none.
    pub(crate) fn set_bar(&mut self, now: Instant, bar: Option<Bar>, outputs: &mut Outputs) {
        self.bar = bar;
        self.use_link(now, outputs);
    }

    /// Another one of its group cannot take part, or all can again.
    pub(crate) fn bar_by_group(&mut self, now: Instant, is_barred: bool, outputs: &mut Outputs) {
        if is_barred != self.is_barred_by_group {
            self.is_barred_by_group = is_barred;
            self.use_link(now, outputs);
        }
    }

    /// Whether it could take part if it were not for its group.
    pub(crate) fn is_fit(&self) -> bool {
        self.own_bar().is_none() && matches!(self.link, LinkState::Up(_)) && self.can_speak()
    }

    /// What keeps it out, beside its group.
    fn own_bar(&self) -> Option<Bar> {
        self.bar.or(self.rivals.bar())
    }

    fn can_speak(&self) -> bool {
        self.config.speaks_v4() || self.config.speaks_v6().is_some()
    }

    pub(crate) fn link(&mut self, now: Instant, state: LinkState, outputs: &mut Outputs) {
        self.link = state;
        if let LinkState::Up(mac) = state {
            self.link_mac = Some(mac);
        }
        self.use_link(now, outputs);
    }

    /// A virtual host takes part while its link is up and it has something to say there.
    fn use_link(&mut self, now: Instant, outputs: &mut Outputs) {
        let can_speak = self.can_speak();
        let bar = self.own_bar().or(self.is_barred_by_group.then_some(Bar::Group));
        let link = self.link;
        self.elect(now, outputs, |election, effects| match (link, bar) {
            (LinkState::Up(_), _) if !can_speak => election.link_lost(Reason::NoSourceAddress, effects),
            (LinkState::Up(_), None) => election.link_up(now, effects),
            (LinkState::Up(_), Some(bar @ Bar::Rehearsal)) => election.link_lost(Reason::StoodDown { bar }, effects),
            (LinkState::Up(_), Some(bar)) => election.stand_down(bar, effects),
            _ => election.link_lost(link.reason(), effects),
        });
    }

    /// The address that a release asked for is gone. Who has left for a reason that has gone meanwhile comes back.
    pub(crate) fn released(&mut self, now: Instant, outputs: &mut Outputs) {
        self.elect(now, outputs, |election, effects| election.released(now, effects));
        self.use_link(now, outputs);
    }

    /// Announces the addresses once more, if they are there.
    pub(crate) fn announce_again(&mut self, now: Instant, outputs: &mut Outputs) {
        if self.state() == State::Master && !self.election.is_leaving() {
            self.announcements.contested(now);
            self.announce_if_due(now, outputs);
        }
    }

    pub(crate) fn address_ready(&mut self, now: Instant, outputs: &mut Outputs) {
        if self.state() == State::Master && !self.election.is_leaving() {
            self.announcements.address_ready(now);
            self.announce_if_due(now, outputs);
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant, outputs: &mut Outputs) {
        if self.restraint.ends(now) {
            self.inform_election(now, outputs);
        }
        self.watch_rivals(now, outputs);
        self.elect(now, outputs, |election, effects| election.timeout(now, effects));
        self.announce_if_due(now, outputs);
    }

    /// Judges an advertisement of this vhid in the order of UCARP's checks: destination, then authenticity.
    pub(crate) fn heard(&mut self, now: Instant, received: &Received, outputs: &mut Outputs) {
        let advertisement = &received.advertisement;
        let peer = Peer::from(received);
        if !self.is_for_us(received) {
            return;
        }
        let host = self.id;
        let mut tell = |notice| outputs.extend([Output::Notice { host, notice }]);
        if received.ttl != frame::TTL && !self.accepts_any_ttl() {
            let sender = Sender { mac: received.src_mac, ip: received.src, vhid: Some(self.config.vhid) };
            let reason = frame::Reason::BadTtl(received.ttl);
            return tell(Notice::Rejected(Rejected { reason, sender: Some(sender) }));
        }
        let Some(form) = self.trust.verify(now, advertisement.counter, &advertisement.digest) else {
            let Repr { counter, digest, .. } = *advertisement;
            let ucarp_with_list = self.is_ucarp(received) && !self.has_one_v4_address();
            return tell(Notice::BadDigest { peer, counter, received: digest, ucarp_with_list });
        };
        let tick = form.sealer().tick(received.src, advertisement);
        if self.freshness.is_echo(advertisement.counter, tick) {
            self.counters.count(Doubt::Reflected);
            return tell(Notice::OwnEcho { peer });
        }
        if let Some(doubt) = self.freshness.judge(now, &self.claim(received, tick)) {
            self.counters.count(doubt);
            let refused = self.config.authentication == Authentication::Strict;
            let is_told = match (self.config.authentication, doubt) {
                (Authentication::Classic, _) => false,
                // Nothing is wrong with a peer of another implementation: once is enough.
                (Authentication::Observe, Doubt::Unstamped) => self.freshness.is_new_stranger(received.src),
                _ => true,
            };
            if is_told {
                tell(Notice::Doubtful { peer, doubt, refused });
            }
            if refused {
                return;
            }
        }
        self.trust.believe(now, advertisement.counter, &advertisement.digest);
        self.senders.note(now, peer, tick.is_some());
        self.rivals.heard_member();
        if self.config.interval.advbase == 0 && self.is_ucarp(received) {
            tell(Notice::UcarpWithoutAdvbase { peer });
        }
        self.elect(now, outputs, |election, effects| election.heard(now, peer, effects));
    }

    fn claim(&self, received: &Received, tick: Option<Tick>) -> Claim {
        let Local { v4, v6, .. } = self.config.local;
        Claim {
            source: received.src,
            is_own: !received.src.is_unspecified() && (received.src == v4 || v6.is_some_and(|own| received.src == own)),
            counter: received.advertisement.counter,
            tick,
        }
    }

    /// What is known of a digest that did not match.
    pub(crate) fn examine(
        &self,
        source: IpAddr,
        counter: u64,
        received: &[u8; DIGEST_LEN],
    ) -> ([u8; DIGEST_LEN], Option<Difference>) {
        let Credentials { key, addresses, .. } = &self.config.credentials;
        let difference = difference::find(key, self.config.vhid, addresses, source, counter, received);
        (self.trust.expected(counter), difference)
    }

    /// An advertisement of this vhid came by another link than this virtual host's. If it is the group's it is counted.
    pub(crate) fn misplaced(&mut self, now: Instant, received: &Received, outputs: &mut Outputs) {
        let Repr { counter, digest, .. } = received.advertisement;
        if self.trust.verify(now, counter, &digest).is_none() {
            return;
        }
        self.counters.misplaced += 1;
        if self.config.authentication != Authentication::Classic {
            let notice = Notice::WrongLink { peer: Peer::from(received) };
            outputs.extend([Output::Notice { host: self.id, notice }]);
        }
    }

    fn is_for_us(&self, received: &Received) -> bool {
        match &self.config.transport {
            Transport::Multicast { v4, v6, .. } => {
                let addresses = &self.config.credentials.addresses;
                received.dst == *v4 && addresses.has_v4() || received.dst == *v6 && addresses.has_v6()
            }
            Transport::Unicast { peers, .. } => {
                let local = &self.config.local;
                let own = received.dst == local.v4 || local.v6.is_some_and(|own| received.dst == own);
                own && peers.contains(&received.src)
            }
        }
    }

    /// Whether peers may be behind routers.
    pub(crate) fn accepts_any_ttl(&self) -> bool {
        matches!(self.config.transport, Transport::Unicast { any_ttl: true, .. })
    }

    /// UCARP and this implementation share a source MAC that no other one uses; this one sends 0 as identification,
    /// where UCARP draws a random number.
    fn is_ucarp(&self, received: &Received) -> bool {
        received.src_mac == frame::ucarp_mac(self.config.vhid) && received.ip_id.is_some_and(|id| id != 0)
    }

    fn has_one_v4_address(&self) -> bool {
        let addresses = &self.config.credentials.addresses;
        addresses.v4().count() == 1 && !addresses.has_v6()
    }

    fn carry_out(&mut self, now: Instant, effect: Effect, outputs: &mut Outputs) {
        let host = self.id;
        let output = match effect {
            Effect::Advertise => return self.advertise(now, self.interval(), Purpose::Advertisement, outputs),
            Effect::BowOut => return self.advertise(now, Interval::BOW_OUT, Purpose::Goodbye, outputs),
            Effect::Claim => {
                self.announcements.takeover(now, self.config.policy.refresh);
                Output::Claim { host }
            }
            Effect::Release => Output::Release { host },
            Effect::Leaving(reason) => {
                self.announcements.stop();
                Output::Leaving { host, reason }
            }
            Effect::Transition { from, to, reason } => {
                self.announcements.stop();
                outputs.extend([Output::Transition { host, from, to, reason }]);
                return self.moved(now, from, to, outputs);
            }
            Effect::Reassert(peer) => {
                self.announcements.contested(now);
                self.announce_if_due(now, outputs);
                Output::Notice { host, notice: Notice::AddressContested { peer } }
            }
            Effect::DeafPeer(peer, unheard) => Output::Notice { host, notice: Notice::DeafPeer { peer, unheard } },
            Effect::EqualPeer(peer) => Output::Notice { host, notice: Notice::EqualPeer { peer } },
        };
        outputs.extend([output]);
    }

    /// What a change of state means for the restraint.
    fn moved(&mut self, now: Instant, from: State, to: State, outputs: &mut Outputs) {
        let policy = &self.config.policy;
        if from == State::Init && to == State::Backup {
            if let Some(until) = self.restraint.joined(now, policy) {
                self.election.hold(until);
            }
            self.is_restraint_news = !policy.preempt_delay.is_zero();
        }
        self.look_for_rivals(now, from, to);
        let policy = &self.config.policy;
        if to == State::Master && self.restraint.took_over(now, policy) {
            self.is_restraint_news = true;
            outputs.extend([Output::Notice { host: self.id, notice: Notice::Flapping }]);
        }
    }

    fn announce_if_due(&mut self, now: Instant, outputs: &mut Outputs) {
        if !self.announcements.due(now) {
            return;
        }
        let Credentials { addresses, .. } = &self.config.credentials;
        self.announce(addresses.v4().map(IpAddr::V4).chain(addresses.v6().map(IpAddr::V6)), outputs);
    }

    /// Tells the link where these addresses are.
    fn announce(&self, addresses: impl Iterator<Item = IpAddr>, outputs: &mut Outputs) {
        let mac = match self.config.mac {
            MacMode::Interface => self.link_mac,
            MacMode::Virtual => Some(frame::kernel_mac(self.config.vhid)),
        };
        let Some(mac) = mac else { return };
        let (host, link, router) = (self.id, self.config.link, self.config.local.router);
        let frames = addresses.map(|address| match address {
            IpAddr::V4(address) => frame::gratuitous_arp(mac, address),
            IpAddr::V6(address) => frame::unsolicited_na(mac, address, router),
        });
        outputs.extend(frames.map(|frame| Output::Transmit { host, link, purpose: Purpose::Announcement, frame }));
    }
}
