//! Many virtual hosts on many links: what a daemon or a simulator drives.
//!
//! The contract: hand in one input with the time ([`Node::handle_frame`], [`Node::handle_link`],
//! [`Node::handle_command`], [`Node::handle_timeout`]), drain [`Node::poll_output`] until it returns `None`, then sleep
//! until [`Node::next_deadline`]. Hand in every frame that has been received before a timeout: a host that was stalled
//! first learns what happened meanwhile. A timeout that comes early is harmless. The same inputs give the same outputs.

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use crate::election::{Election, Peer, Reason, State};
use crate::host::{VirtualHost, VirtualHostConfig};
use crate::random::Random;
use crate::time::Instant;
use crate::wire::MacAddr;
use crate::wire::frame::{self, Rejected};

/// A link, numbered by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A virtual host of a [`Node`], numbered in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(usize);

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
}

/// What a transmitted frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A regular advertisement.
    Advertisement,
    /// The goodbye of a MASTER that leaves by command.
    Goodbye,
    /// A gratuitous ARP.
    Announcement,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advertisement => "advertisement",
            Self::Goodbye => "goodbye advertisement",
            Self::Announcement => "gratuitous ARP",
        })
    }
}

/// Something worth a line in the log that changes no state by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The frame was refused before its vhid could be trusted: TTL, version or checksum.
    Rejected(Rejected),
    /// The digest does not match: another password, another address list, or a forgery.
    BadDigest {
        /// The sender.
        peer: Peer,
        /// The digest that our key and addresses give.
        expected: [u8; 20],
        /// The digest in the advertisement.
        received: [u8; 20],
    },
    /// An advertisement of our own came back.
    OwnEcho {
        /// What it says of its sender.
        peer: Peer,
    },
    /// A slower or tie-losing node advertises as MASTER; we announce the address again.
    AddressContested {
        /// The other one.
        peer: Peer,
    },
    /// A peer has exactly our interval.
    EqualPeer {
        /// The other one.
        peer: Peer,
    },
    /// We run with advbase 0 and a peer is a UCARP, whose dead time is then a single interval.
    UcarpWithoutAdvbase {
        /// The UCARP.
        peer: Peer,
    },
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the frame.
    Transmit {
        /// On which link.
        link: LinkId,
        /// What for.
        purpose: Purpose,
        /// From the Ethernet header on, without checksum.
        frame: Vec<u8>,
    },
    /// Take the address, then say [`Command::Claimed`].
    Claim {
        /// Whose.
        host: HostId,
    },
    /// Give the address up, then say [`Command::Released`].
    Release {
        /// Whose.
        host: HostId,
    },
    /// A MASTER is about to leave by command: it advertises until the address is gone.
    Leaving {
        /// Which one.
        host: HostId,
        /// Why.
        reason: Reason,
    },
    /// The state changed.
    Transition {
        /// Of which virtual host.
        host: HostId,
        /// State before.
        from: State,
        /// State from now on.
        to: State,
        /// Why.
        reason: Reason,
    },
    /// Something to tell the operator, at a rate of the driver's choice.
    Notice {
        /// Which virtual host noticed it.
        host: HostId,
        /// What.
        notice: Notice,
    },
}

/// All virtual hosts of one daemon.
#[derive(Clone, Debug)]
pub struct Node {
    hosts: Vec<VirtualHost>,
    random: Random,
    outputs: VecDeque<Output>,
}

impl Node {
    /// A node without virtual hosts. Nodes of one group need different seeds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { hosts: Vec::new(), random: Random::new(seed), outputs: VecDeque::new() }
    }

    /// Adds a virtual host, in INIT until its link is reported up.
    pub fn add(&mut self, config: VirtualHostConfig) -> HostId {
        let id = HostId(self.hosts.len());
        self.hosts.push(VirtualHost::new(id, config, self.random.bits()));
        id
    }

    /// The state of a virtual host. A MASTER that is leaving stays MASTER until it has said goodbye.
    #[must_use]
    pub fn state(&self, host: HostId) -> State {
        self.hosts[host.0].state()
    }

    /// A frame arrived on `link`.
    pub fn handle_frame(&mut self, now: Instant, link: LinkId, frame: &[u8]) {
        match frame::parse(frame) {
            Ok(received) => {
                let vhid = received.advertisement.vhid;
                for host in Self::on(&mut self.hosts, link).filter(|host| host.config().vhid == vhid) {
                    host.heard(now, &received, &mut self.outputs);
                }
            }
            Err(rejected) => {
                let Some(vhid) = rejected.sender.and_then(|sender| sender.vhid) else { return };
                let notice = Notice::Rejected(rejected);
                let hosts = Self::on(&mut self.hosts, link).filter(|host| host.config().vhid == vhid);
                self.outputs.extend(hosts.map(|host| Output::Notice { host: host.id(), notice }));
            }
        }
    }

    /// The state of `link` is this one from now on; repeating it is harmless.
    pub fn handle_link(&mut self, now: Instant, link: LinkId, state: LinkState) {
        for host in Self::on(&mut self.hosts, link) {
            host.link(now, state, &mut self.outputs);
        }
    }

    /// The driver tells a virtual host something.
    pub fn handle_command(&mut self, now: Instant, host: HostId, command: Command) {
        let (host, outputs) = (&mut self.hosts[host.0], &mut self.outputs);
        match command {
            Command::HandOver => host.elect(now, outputs, Election::hand_over),
            Command::ShutDown => host.elect(now, outputs, Election::shut_down),
            Command::Released => host.elect(now, outputs, |election, effects| election.released(now, effects)),
            Command::Claimed => host.address_ready(now, outputs),
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        for host in self.hosts.iter_mut().filter(|host| host.next_deadline().is_some_and(|due| due <= now)) {
            host.timeout(now, &mut self.outputs);
        }
    }

    /// The next thing to do, in the order in which they must be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Node::handle_timeout`] has to be called; `None` if only an input can change anything.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.hosts.iter().filter_map(VirtualHost::next_deadline).min()
    }

    fn on(hosts: &mut [VirtualHost], link: LinkId) -> impl Iterator<Item = &mut VirtualHost> {
        hosts.iter_mut().filter(move |host| host.config().link == link)
    }
}
