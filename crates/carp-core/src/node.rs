//! Many virtual hosts on many links: what a daemon or a simulator drives.
//!
//! The contract: hand in one input with the time ([`Node::handle_frame`], [`Node::handle_link`],
//! [`Node::handle_command`], [`Node::handle_timeout`]), drain [`Node::poll_output`] until it returns `None`, then sleep
//! until [`Node::next_deadline`]. Hand in every frame that has been received before a timeout: a host that was stalled
//! first learns what happened meanwhile. A timeout that comes early is harmless. The same inputs give the same outputs.

mod group;
mod output;
#[cfg(test)]
mod tests;
mod view;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;
use core::time::Duration;

pub use view::View;

use crate::auth::difference::Difference;
use crate::auth::stamp::Tick;
use crate::election::{Bar, Election, Reason, State};
use crate::host::{GroupId, Local, VirtualHost, VirtualHostConfig};
use crate::random::Random;
use crate::time::Instant;
use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::advertisement::DIGEST_LEN;
use crate::wire::frame::{self, Possession, Received, Sender};
use group::Group;
pub(crate) use output::Outputs;
pub use output::{Notice, Output, Purpose};

/// A link, numbered by the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A virtual host of a [`Node`], numbered in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(usize);

impl HostId {
    /// Its place among all that there are and were at the same time, from 0: for a driver's own table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What a link can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// It carries frames; its own address on the link is this one.
    Up(MacAddr),
    /// The administrator set it down.
    Down,
    /// Nothing answers at the other end.
    NoCarrier,
    /// It does not exist.
    Gone,
}

impl LinkState {
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Up(_) => Reason::LinkUp,
            Self::Down => Reason::LinkDown,
            Self::NoCarrier => Reason::CarrierLost,
            Self::Gone => Reason::LinkGone,
        }
    }
}

/// What the driver tells a virtual host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Let another node be MASTER. A BACKUP has nothing to do.
    HandOver,
    /// The node is about to end: leave the group, with a goodbye if MASTER.
    ShutDown,
    /// What [`Output::Claim`] asked for is done: the address can be announced.
    Claimed,
    /// What [`Output::Release`] asked for is done: the address is gone. Only the last wish counts: a `Claim` that comes
    /// while a `Release` is under way takes it back, and the `Release` must not be answered any more. Otherwise a goodbye
    /// could be said while the address is still there.
    Released,
    /// It must not take part. A MASTER leaves with a goodbye, save with [`Bar::Rehearsal`].
    StandDown(Bar),
    /// It may take part again.
    StandUp,
    /// Displace the master if this node is better, as with preemption, but once.
    Promote,
    /// Announce the addresses once more; a BACKUP has none, and a second within a second is put off.
    Announce,
}

/// All virtual hosts of one daemon.
#[derive(Clone, Debug)]
pub struct Node {
    /// Empty places are those of virtual hosts that were removed; the next one that is added takes the first.
    hosts: Vec<Option<VirtualHost>>,
    /// Who listens for which vhid on which link, ascending.
    listeners: Vec<(LinkId, u8, usize)>,
    /// When which virtual host has something to do. Searched from end to end, once or twice for each time that the driver
    /// is awake, which costs less than to keep it in order: each advertisement that is heard changes an entry.
    agenda: Vec<Option<Instant>>,
    /// Those that are due, here for its memory alone.
    due: Vec<(Instant, usize)>,
    /// The place of the virtual host whose moments the MASTERs of an interval keep. It may have become something else since,
    /// and is looked at before. There are at most as many as intervals.
    pacemakers: BTreeMap<Interval, usize>,
    groups: BTreeMap<GroupId, Group>,
    random: Random,
    /// The wall clock minus the driver's clock, in ticks of group time.
    clock: i64,
    /// The Ethernet addresses of this host, beside those of its links.
    own: Vec<MacAddr>,
    outputs: Outputs,
}

/// Wall clocks that show more are not believed: group time ends in 2106, and must not be there before.
const LATEST_CLOCK: Duration = Duration::from_secs(4_102_444_800);

impl Node {
    /// A node without virtual hosts. Nodes of one group need different seeds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hosts: Vec::new(),
            listeners: Vec::new(),
            agenda: Vec::new(),
            due: Vec::new(),
            pacemakers: BTreeMap::new(),
            groups: BTreeMap::new(),
            random: Random::new(seed),
            clock: 0,
            own: Vec::new(),
            outputs: Outputs::default(),
        }
    }

    /// The wall clock shows `since_1970` at `now`. It is the group time that virtual hosts which are added from now on
    /// begin with; later steps of the clock change nothing. Without it, as with a clock beyond the year 2100, they begin
    /// in 1970, and are refused by strict peers until they have heard one.
    pub fn set_clock(&mut self, now: Instant, since_1970: Duration) {
        let is_plausible = since_1970 < LATEST_CLOCK;
        self.clock = if is_plausible { Tick::in_duration(since_1970) - Tick::on_clock(now) } else { 0 };
    }

    /// Adds a virtual host, in INIT until its link is reported up.
    pub fn add(&mut self, config: VirtualHostConfig) -> HostId {
        let index = self.hosts.iter().position(Option::is_none).unwrap_or(self.hosts.len());
        if index == self.hosts.len() {
            self.hosts.push(None);
            self.agenda.push(None);
        }
        let id = HostId(index);
        let listener = (config.link, config.vhid, index);
        self.listeners.insert(self.listeners.partition_point(|other| *other < listener), listener);
        self.join_group(index, config.policy.group);
        self.hosts[index] = Some(VirtualHost::new(id, config, self.random.bits(), self.clock));
        id
    }

    /// Forgets a virtual host. Nothing is said or given up: [`Command::ShutDown`] does that before. Its number may be
    /// given to the next one.
    pub fn remove(&mut self, now: Instant, host: HostId) {
        if let Some(removed) = self.hosts[host.0].take() {
            let config = removed.config();
            let listener = (config.link, config.vhid, host.0);
            self.listeners.retain(|other| *other != listener);
            self.agenda[host.0] = None;
            self.leave_group(now, host.0, config.policy.group);
        }
    }

    /// The virtual host becomes what `config` says: of the same vhid on the same link, or it were another one. For
    /// `grace` the group's former credentials are still understood, and still sent until somebody sends the new ones:
    /// hosts are reconfigured one after the other.
    ///
    /// # Panics
    /// If the vhid or the link is another one, or there is no such virtual host.
    pub fn reconfigure(&mut self, now: Instant, host: HostId, config: VirtualHostConfig, grace: Duration) {
        let former = self.host(host).config();
        assert_eq!((former.link, former.vhid), (config.link, config.vhid), "another virtual host");
        let (before, after) = (former.policy.group, config.policy.group);
        if before != after {
            self.leave_group(now, host.0, before);
            self.join_group(host.0, after);
        }
        self.with(now, host.0, |host, outputs| {
            if before != after {
                host.bar_by_group(now, false, outputs);
            }
            host.reconfigure(now, config, grace, outputs);
        });
    }

    /// These Ethernet addresses are this host's own from now on: one of its interfaces may answer for a virtual address of
    /// another one in the same segment. Those of the links are known anyway.
    pub fn set_own(&mut self, addresses: Vec<MacAddr>) {
        self.own = addresses;
    }

    /// The own addresses on the virtual host's link are these from now on.
    pub fn set_local(&mut self, now: Instant, host: HostId, local: Local) {
        self.with(now, host.0, |host, outputs| host.set_local(now, local, outputs));
    }

    /// The advertised advskew is raised by so much from now on, up to the limit: this host would serve badly. What it is
    /// the sum of is the driver's business.
    pub fn set_demotion(&mut self, now: Instant, host: HostId, by: u16) {
        self.with(now, host.0, |host, outputs| host.demote(now, by, outputs));
    }

    /// The interval that a virtual host advertises, demotion included.
    #[must_use]
    pub fn advertised_interval(&self, host: HostId) -> Interval {
        self.host(host).interval()
    }

    /// Whether a virtual host still sends the form of its former credentials.
    #[must_use]
    pub fn is_changing_credentials(&self, now: Instant, host: HostId) -> bool {
        self.host(host).is_changing_credentials(now)
    }

    /// What is known of a digest that did not match: the one that was expected, and the difference in password or addresses
    /// that would explain it. That takes some 200 digests: not for each advertisement.
    #[must_use]
    pub fn examine(
        &self,
        host: HostId,
        source: IpAddr,
        counter: u64,
        received: &[u8; DIGEST_LEN],
    ) -> ([u8; DIGEST_LEN], Option<Difference>) {
        self.host(host).examine(source, counter, received)
    }

    /// The goodbye of a MASTER for somebody else to send if this process dies, when the address is gone: frames or
    /// packets for all families and peers.
    ///
    /// Strict peers believe it until the virtual host's dead time is over, advertisements of meanwhile notwithstanding:
    /// make a new one after each advertisement. It must not be sent while the process lives, for nothing may follow a
    /// goodbye. A process that is started in its place listens for a dead time, and what it says then comes after the
    /// will.
    #[must_use]
    pub fn last_will(&mut self, now: Instant, host: HostId) -> Vec<Output> {
        let host = self.hosts[host.0].as_mut().expect("a virtual host that was removed leaves no will");
        host.last_will(now)
    }

    /// A frame arrived on `link`.
    pub fn handle_frame(&mut self, now: Instant, link: LinkId, frame: &[u8]) {
        if let Some(possession) = frame::possession(frame) {
            return self.possessed(now, link, &possession);
        }
        let parsed = frame::parse(frame).or_else(|rejected| match (rejected.reason, rejected.sender) {
            (frame::Reason::BadTtl(_), Some(Sender { vhid: Some(vhid), .. })) if self.accepts_any_ttl(link, vhid) => {
                frame::parse_routed(frame)
            }
            _ => Err(rejected),
        });
        match parsed {
            Ok(received) => {
                let any = self.with_each_of(now, link, received.advertisement.vhid, |host, outputs| {
                    host.heard(now, &received, outputs);
                });
                if !any {
                    self.misplaced(now, &received);
                }
            }
            Err(rejected) => {
                let Some(vhid) = rejected.sender.and_then(|sender| sender.vhid) else { return };
                let notice = Notice::Rejected(rejected);
                self.with_each_of(now, link, vhid, |host, outputs| {
                    outputs.extend([Output::Notice { host: host.id(), notice }]);
                });
            }
        }
    }

    /// The state of `link` is this one from now on; repeating it is harmless.
    pub fn handle_link(&mut self, now: Instant, link: LinkId, state: LinkState) {
        for index in 0..self.hosts.len() {
            if self.hosts[index].as_ref().is_some_and(|host| host.config().link == link) {
                self.with(now, index, |host, outputs| host.link(now, state, outputs));
            }
        }
    }

    /// The driver tells a virtual host something.
    pub fn handle_command(&mut self, now: Instant, host: HostId, command: Command) {
        self.with(now, host.0, |host, outputs| match command {
            Command::HandOver => host.elect(now, outputs, Election::hand_over),
            Command::ShutDown => host.elect(now, outputs, Election::shut_down),
            Command::Released => host.released(now, outputs),
            Command::Claimed => host.address_ready(now, outputs),
            Command::StandDown(bar) => host.set_bar(now, Some(bar), outputs),
            Command::StandUp => host.set_bar(now, None, outputs),
            Command::Promote => host.elect(now, outputs, |election, effects| election.promote(now, effects)),
            Command::Announce => host.announce_again(now, outputs),
        });
    }

    /// Does what is due at `now`: once for each virtual host, those that have waited longest first.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut due = core::mem::take(&mut self.due);
        let is_due = |at: &Option<Instant>| at.filter(|at| *at <= now);
        due.extend(self.agenda.iter().zip(0..).filter_map(|(at, index)| Some((is_due(at)?, index))));
        due.sort_unstable();
        for (_, index) in due.drain(..) {
            self.with(now, index, |host, outputs| host.timeout(now, outputs));
        }
        self.due = due;
    }

    /// The next thing to do, in the order in which they must be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.next()
    }

    /// When [`Node::handle_timeout`] has to be called; `None` if only an input can change anything.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.agenda.iter().flatten().min().copied()
    }

    fn host(&self, host: HostId) -> &VirtualHost {
        self.hosts[host.0].as_ref().expect("a virtual host that was removed is not asked for")
    }

    /// Lets a virtual host act, and notes when it wants to act again.
    fn with(&mut self, now: Instant, index: usize, act: impl FnOnce(&mut VirtualHost, &mut Outputs)) {
        let before = self.act(now, index, act);
        let group = self.hosts[index].as_ref().and_then(|host| host.config().policy.group);
        if let Some(group) = group {
            self.keep_together(now, group, index, before);
        }
    }

    /// The same, but its group does not care. Returns the state before.
    fn act(&mut self, now: Instant, index: usize, act: impl FnOnce(&mut VirtualHost, &mut Outputs)) -> State {
        let host = self.hosts[index].as_mut().expect("a virtual host that was removed is not told anything");
        let before = host.state();
        act(host, &mut self.outputs);
        self.agenda[index] = host.next_deadline();
        if before != State::Master && host.state() == State::Master {
            self.fall_in(now, index);
        }
        before
    }

    /// Lets a new MASTER advertise when the others of its interval do: one burst wakes everybody up once, and leases that are
    /// renewed together end together, for which a kernel looks once a second.
    fn fall_in(&mut self, now: Instant, index: usize) {
        let beat = |hosts: &[Option<VirtualHost>], index: usize| hosts.get(index)?.as_ref()?.beat();
        let Some((interval, _)) = beat(&self.hosts, index) else { return };
        let pacemaker = self.pacemakers.entry(interval).or_insert(index);
        match (beat(&self.hosts, *pacemaker), &mut self.hosts[index]) {
            (Some((same, next)), Some(host)) if same == interval => {
                host.fall_in(now, next);
                self.agenda[index] = host.next_deadline();
            }
            _ => *pacemaker = index,
        }
    }

    /// Lets all virtual hosts of this number on this link act; there should be one at most. Whether there are any.
    fn with_each_of(
        &mut self,
        now: Instant,
        link: LinkId,
        vhid: u8,
        mut act: impl FnMut(&mut VirtualHost, &mut Outputs),
    ) -> bool {
        let places = self.listeners(link, vhid);
        for place in places.clone() {
            self.with(now, self.listeners[place].2, &mut act);
        }
        !places.is_empty()
    }

    /// The places of those who listen for this number on this link.
    fn listeners(&self, link: LinkId, vhid: u8) -> Range<usize> {
        let first = self.listeners.partition_point(|(on, number, _)| (*on, *number) < (link, vhid));
        let others = &self.listeners[first..];
        first..first + others.iter().take_while(|(on, number, _)| (*on, *number) == (link, vhid)).count()
    }

    /// Tells the virtual hosts of this number on other links, if it is an advertisement of their group.
    fn misplaced(&mut self, now: Instant, received: &Received) {
        for host in self.hosts.iter_mut().flatten() {
            if host.config().vhid == received.advertisement.vhid {
                host.misplaced(now, received, &mut self.outputs);
            }
        }
    }

    /// Somebody says that an address is at its place. What this host says of itself comes back from some networks.
    fn possessed(&mut self, now: Instant, link: LinkId, possession: &Possession) {
        let is_of_link = |host: &VirtualHost| host.link_mac() == Some(possession.mac);
        if self.own.contains(&possession.mac) || self.hosts.iter().flatten().any(is_of_link) {
            return;
        }
        for index in 0..self.hosts.len() {
            let is_concerned = |host: &VirtualHost| host.config().link == link && host.is_concerned_by(possession);
            if self.hosts[index].as_ref().is_some_and(is_concerned) {
                self.with(now, index, |host, outputs| host.possessed(now, possession, outputs));
            }
        }
    }

    fn accepts_any_ttl(&self, link: LinkId, vhid: u8) -> bool {
        let mut listeners = self.listeners[self.listeners(link, vhid)].iter();
        listeners.any(|(_, _, index)| self.hosts[*index].as_ref().is_some_and(VirtualHost::accepts_any_ttl))
    }
}
