//! What guardian and engine tell each other: plain messages, several in one datagram of bounded size.
//!
//! The engine reads the network and is not trusted: its [`Report`]s name virtual hosts by number, never an address or a
//! program, and the one thing of any length among them, a goodbye kept for the worst case, is looked at before it is kept.
//! The guardian is trusted; that its [`Order`]s are read with the same care costs nothing.

mod check;
mod codec;
pub mod control;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::{Bar, State};
use carp_core::host::{Local, VirtualHostConfig};
use carp_core::node::{Command, LinkId, LinkState};
use carp_core::time::Instant;
use carp_core::wire::MacAddr;
use log::Level;

pub use check::{CheckState, CheckStatus, LONGEST_RESULT};
pub use codec::Malformed;
use codec::{Reader, Writer};

/// The most octets of one datagram: far below what a socket's queue holds.
pub const LONGEST_DATAGRAM: usize = 32 * 1024;

/// No goodbye is longer: the header of Ethernet, of IPv6, and the advertisement.
pub const LONGEST_GOODBYE: usize = 128;

/// No line of the log is longer; the rest of a longer one is lost.
pub const LONGEST_LINE: usize = 1024;

/// Both processes' number of a virtual host. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostNumber(pub u32);

/// What the engine needs to know of a virtual host beside the protocol's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What begins its lines in the log: its name and a colon, or nothing.
    pub who: String,
    /// How answers to SIGUSR1 call it.
    pub title: String,
    /// Whether the daemon holds its addresses, and not scripts.
    pub native: bool,
    /// How long the kernel keeps an address that nobody renews; `None`: for ever.
    pub lease: Option<Duration>,
    /// For how long it is demoted after something went wrong by itself, the first time; 0: not at all.
    pub penalty: Duration,
}

/// What the guardian tells the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take on a virtual host.
    Add {
        /// Which one.
        host: HostNumber,
        /// How the log calls it, and who holds its addresses.
        profile: Profile,
        /// What it is.
        config: Box<VirtualHostConfig>,
    },
    /// It is this one from now on.
    Change {
        /// Which one.
        host: HostNumber,
        /// How the log calls it, and who holds its addresses.
        profile: Profile,
        /// What it is.
        config: Box<VirtualHostConfig>,
        /// How long the old password and addresses go on.
        grace: Duration,
    },
    /// Forget a virtual host that is silent.
    Remove {
        /// Which one.
        host: HostNumber,
    },
    /// The own addresses on its link changed.
    Local {
        /// Whose.
        host: HostNumber,
        /// What they are.
        local: Local,
    },
    /// These Ethernet addresses are this host's.
    Own {
        /// Of all its interfaces, or of the first few hundred.
        macs: Vec<MacAddr>,
    },
    /// The state of a link.
    Link {
        /// Which one.
        link: LinkId,
        /// The interface's name.
        name: String,
        /// What it can do.
        state: LinkState,
    },
    /// The sockets of a link; their descriptors come along. Without sockets: close those that were there.
    Port {
        /// Which one.
        link: LinkId,
        /// What comes along.
        sockets: Sockets,
    },
    /// Sockets of a link to hear something else by than advertisements; their descriptors come along, and replace those that
    /// were there.
    Hear {
        /// Which one.
        link: LinkId,
        /// The index of the link.
        index: u32,
        /// What is heard.
        ear: Ear,
    },
    /// More descriptors of a link to keep open: memberships of its multicast groups.
    Keep {
        /// Which one.
        link: LinkId,
    },
    /// Something for the election; [`Report::Followed`] answers.
    Command {
        /// Whose.
        host: HostNumber,
        /// What to do, or what has been done.
        command: Command,
    },
    /// Addresses were removed by somebody else: a MASTER wants them back.
    Missing {
        /// Whose.
        host: HostNumber,
    },
    /// A virtual host is worse than its configuration says, for a named reason.
    Demote {
        /// Which one.
        host: HostNumber,
        /// The reason, as the log calls it.
        name: String,
        /// What is added to its advskew, up to the limit; 0 takes it back.
        by: u16,
    },
    /// A virtual host must not take part, for a named reason.
    Bar {
        /// Which one.
        host: HostNumber,
        /// The reason, as the log calls it.
        name: String,
        /// Which kind of reason; `None` takes it back.
        bar: Option<Bar>,
    },
    /// Something for the control socket.
    Control(control::Told),
    /// Tell the log which state each virtual host is in.
    TellStates,
    /// What is known of a check, and whom it concerns from now on.
    Check(CheckStatus),
    /// A check is none any more.
    ForgetCheck {
        /// Its name.
        name: String,
    },
    /// How often the engine has to report.
    Beat {
        /// At least once in this time.
        interval: Duration,
    },
}

/// Which sockets of a link come along, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sockets {
    /// The index of the link.
    pub index: u32,
    /// For frames of IPv4.
    pub v4: bool,
    /// For frames of IPv6.
    pub v6: bool,
    /// For IPv4 packets to peers.
    pub unicast_v4: bool,
    /// For IPv6 packets to peers.
    pub unicast_v6: bool,
}

/// What sockets hear beside advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ear {
    /// Who says that a virtual address is its own.
    Owners,
    /// Which virtual host ids are in use, by CARP and VRRP, for a moment.
    Ids,
}

/// What the engine tells the guardian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It became MASTER: take the addresses.
    Claim(HostNumber),
    /// It is still MASTER: renew them.
    Renew(HostNumber),
    /// Give them up.
    Release(HostNumber),
    /// A command was followed, and all that it led to has been sent.
    Followed(HostNumber),
    /// The state changed.
    State(HostNumber, State),
    /// What to send when the engine has died and the addresses are gone. It replaces the one of the same destination.
    Will {
        /// Whose goodbye it is.
        host: HostNumber,
        /// Where it leaves by.
        link: LinkId,
        /// The peer that a packet is for; `None`: it is a frame for everybody.
        destination: Option<IpAddr>,
        /// The frame or packet.
        goodbye: Vec<u8>,
    },
    /// The sockets of a link fail: open new ones.
    Broken(LinkId),
    /// A line for syslog.
    Log(Level, String),
    /// Something that the control socket was asked for.
    Control(control::Asked),
}

/// Puts orders into as few datagrams as possible.
#[derive(Debug, Default)]
pub struct Orders {
    full: Vec<Vec<u8>>,
    last: Writer,
}

impl Orders {
    /// Adds an order behind the others.
    pub fn push(&mut self, order: &Order) {
        let mut writer = Writer::default();
        codec::put_order(&mut writer, order);
        if self.last.len() + writer.len() > LONGEST_DATAGRAM {
            self.full.push(std::mem::take(&mut self.last).into_bytes());
        }
        self.last.append(&writer);
    }

    /// The datagrams so far, and none is left here.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        let mut all = std::mem::take(&mut self.full);
        if self.last.len() > 0 {
            all.push(std::mem::take(&mut self.last).into_bytes());
        }
        all
    }
}

/// The orders in a datagram.
///
/// # Errors
///
/// It is not what [`Orders`] makes.
pub fn read_orders(datagram: &[u8]) -> Result<Vec<Order>, Malformed> {
    let mut reader = Reader::new(datagram);
    let mut orders = Vec::new();
    while !reader.is_empty() {
        orders.push(codec::order(&mut reader)?);
    }
    Ok(orders)
}

/// Puts reports into datagrams, each with the time when what it says was decided.
#[must_use]
pub fn write_reports(decided: Instant, reports: impl IntoIterator<Item: Borrow<Report>>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut datagram = codec::reports(decided);
    for report in reports {
        let before = datagram.len();
        codec::put_report(&mut datagram, report.borrow());
        if datagram.len() > LONGEST_DATAGRAM {
            let last = datagram.split_off(before);
            all.push(std::mem::replace(&mut datagram, codec::reports(decided)).into_bytes());
            datagram.append(&last);
        }
    }
    all.push(datagram.into_bytes());
    all
}

/// The reports in a datagram, and when they were decided.
///
/// # Errors
///
/// It is not what [`write_reports`] makes: the engine is out of its mind, or in somebody's hands.
pub fn read_reports(datagram: &[u8]) -> Result<(Instant, Vec<Report>), Malformed> {
    let mut reader = Reader::new(datagram);
    let decided = codec::decided(&mut reader)?;
    let mut reports = Vec::new();
    while !reader.is_empty() {
        reports.push(codec::report(&mut reader)?);
    }
    Ok((decided, reports))
}
