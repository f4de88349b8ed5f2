//! What a [`Node`](super::Node) wants done, and what it has noticed.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use super::{HostId, LinkId};
use crate::election::{Effect, Peer, Reason, State};
use crate::host::{ConflictAnswer, Doubt, Rival};
use crate::wire::advertisement::DIGEST_LEN;
use crate::wire::frame::{Frame, Rejected};

/// What a transmitted frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A regular advertisement.
    Advertisement,
    /// The goodbye of a MASTER that leaves by command.
    Goodbye,
    /// A gratuitous ARP.
    Announcement,
    /// The question who has an address.
    Probe,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advertisement => "advertisement",
            Self::Goodbye => "goodbye advertisement",
            Self::Announcement => "gratuitous ARP",
            Self::Probe => "question for an address",
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
        /// The counter in the advertisement.
        counter: u64,
        /// The digest in the advertisement; [`super::Node::examine`] tells what is known of it.
        received: [u8; DIGEST_LEN],
        /// The sender seems to be a UCARP, which knows exactly one address of IPv4, and we have others.
        ucarp_with_list: bool,
    },
    /// An advertisement of our own came back.
    OwnEcho {
        /// What it says of its sender.
        peer: Peer,
    },
    /// Something speaks against an advertisement although its digest is right. Not told with classic authentication.
    Doubtful {
        /// What it says of its sender.
        peer: Peer,
        /// What speaks against it.
        doubt: Doubt,
        /// Whether it was not believed for that: in strict authentication.
        refused: bool,
    },
    /// An advertisement with the right digest came by a link that the virtual host is not on. It was not believed.
    WrongLink {
        /// What it says of its sender.
        peer: Peer,
    },
    /// A slower or tie-losing node advertises as MASTER; we announce the address again.
    AddressContested {
        /// The other one.
        peer: Peer,
    },
    /// A node goes on as MASTER although it should leave if it heard us: it does not hear us, or does not take our
    /// advertisements for genuine, or is told to have another rank than it says.
    DeafPeer {
        /// The other one.
        peer: Peer,
        /// How many of our advertisements it should have heard.
        unheard: u64,
    },
    /// A peer has exactly our interval.
    EqualPeer {
        /// The other one.
        peer: Peer,
    },
    /// Somebody who is not MASTER has one of the addresses.
    AddressConflict {
        /// Who.
        rival: Rival,
        /// What is done about it.
        answer: ConflictAnswer,
    },
    /// It has taken over too often, and does not preempt for a while.
    Flapping,
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
        /// Whose it is.
        host: HostId,
        /// On which link.
        link: LinkId,
        /// What for.
        purpose: Purpose,
        /// From the Ethernet header on, without checksum.
        frame: Frame,
    },
    /// Send the packet to a peer; the routing table knows the way.
    TransmitPacket {
        /// Whose it is.
        host: HostId,
        /// The link that it belongs to, and leaves by.
        link: LinkId,
        /// What for.
        purpose: Purpose,
        /// The peer.
        destination: IpAddr,
        /// From the IP header on.
        packet: Frame,
    },
    /// Take the address, then say [`super::Command::Claimed`].
    Claim {
        /// Whose.
        host: HostId,
    },
    /// Give the address up, then say [`super::Command::Released`].
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

/// All that a node wants done, in the order in which it must be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    waiting: VecDeque<Output>,
    /// What the election of a virtual host that acts wants, here for its memory alone.
    pub(crate) effects: Vec<Effect>,
}

impl Outputs {
    /// Takes the next one.
    pub(super) fn next(&mut self) -> Option<Output> {
        self.waiting.pop_front()
    }
}

impl Extend<Output> for Outputs {
    fn extend<T: IntoIterator<Item = Output>>(&mut self, outputs: T) {
        self.waiting.extend(outputs);
    }
}
