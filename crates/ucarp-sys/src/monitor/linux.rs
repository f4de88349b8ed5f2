//! Linux: the multicast groups of rtnetlink.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use rustix::io::Errno;

use super::Event;
use crate::filter::{
    ANCILLARY, COPY_TO_X, IF_EQUAL, LOAD_BYTE_INDEXED, LOAD_HALF, LOAD_NUMBER, LOAD_WORD, LOAD_X_NUMBER, Program,
    RETURN, WHOLE_PACKET, instruction,
};
use crate::link::{self, Link};
use crate::{address, netlink, socket_option};

/// `RTNLGRP_LINK`.
const LINKS: u32 = 1;
/// `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`.
const ADDRESSES: [u32; 2] = [5, 9];
/// The kernel tells of one change per datagram, of a few hundred bytes up to some KiB.
const BUFFER_BYTES: usize = 32 * 1024;
/// What one call of [`Monitor::read`] takes at most, so that a storm of changes cannot keep the caller from its timers.
const MAX_DATAGRAMS: usize = 256;

/// Who asked the kernel for a change: a netlink port, which is the number of the process as a rule; 0 is the kernel
/// itself, at the end of a lifetime or because of what goes with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester(u32);

/// "by process 4711, ip".
impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0;
        if port == 0 {
            return f.write_str("by the kernel: its lifetime was over, or the interface lost it");
        }
        match std::fs::read_to_string(format!("/proc/{port}/comm")) {
            Ok(name) => write!(f, "by process {port}, {}", name.trim()),
            Err(_) => write!(f, "by process {port}, which has ended"),
        }
    }
}

/// A nonblocking socket that becomes readable when an interface or an address of its namespace changes.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Starts to listen in the calling thread's network namespace. Open it before looking at the present state, so that
    /// no change falls between the two.
    ///
    /// # Errors
    /// Those of `socket(2)`: no descriptors left, or no netlink in this sandbox.
    pub fn open() -> io::Result<Monitor> {
        let monitor = Self::prepare()?;
        monitor.socket.add_membership(LINKS)?;
        monitor.hear_addresses()?;
        Ok(monitor)
    }

    /// One that hears nothing yet, and costs nothing: each listener is one more for whom the kernel looks at each renewal of
    /// a lease.
    ///
    /// # Errors
    /// Those of [`Monitor::open`].
    pub fn prepare() -> io::Result<Monitor> {
        let socket = netlink::open_monitor()?;
        socket_option::attach_filter(socket.as_fd(), &without_renewals())?;
        Ok(Monitor { socket, buffer: Vec::new() })
    }

    /// Hears from now on what becomes of addresses.
    ///
    /// # Errors
    /// `EPERM` in a sandbox that does not know of it.
    pub fn hear_addresses(&self) -> io::Result<()> {
        ADDRESSES.into_iter().try_for_each(|group| self.socket.add_membership(group))
    }

    /// The changes that have arrived; empty if there are none. If more than a few hundred wait, the socket stays
    /// readable and the next call has the rest.
    ///
    /// # Errors
    /// A broken socket. Lost changes are no error but [`Event::Overrun`].
    pub fn read(&mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        self.buffer.resize(BUFFER_BYTES, 0);
        for _ in 0..MAX_DATAGRAMS {
            match netlink::receive(&self.socket, &mut self.buffer) {
                Ok(length) => match self.buffer.get(..length) {
                    Some(datagram) => events.extend(netlink::split(datagram).filter_map(event)),
                    None => events.push(Event::Overrun),
                },
                Err(Errno::AGAIN) => break,
                Err(Errno::NOBUFS) => events.push(Event::Overrun),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(events)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Drops the `RTM_NEWADDR` of addresses that carry our mark. Where the kernel knows no marks everything passes.
fn without_renewals() -> Program {
    /// `nlmsg_type`, in the host's order, while a filter loads in that of the network.
    const MESSAGE_TYPE: u32 = 4;
    /// Behind `nlmsghdr` and `ifaddrmsg`.
    const ATTRIBUTES: u32 = 16 + 8;
    /// Searches the attribute of type X from offset A on, and loads its offset, or 0.
    const FIND_ATTRIBUTE: u32 = ANCILLARY + libc::SKF_AD_NLATTR.cast_unsigned();
    const IFA_PROTO: u32 = 11;
    const ATTRIBUTE_HEADER: u32 = 4;
    Program(vec![
        instruction(LOAD_HALF, MESSAGE_TYPE, 0, 0),
        instruction(IF_EQUAL, libc::RTM_NEWADDR.to_be().into(), 0, 7),
        instruction(LOAD_NUMBER, ATTRIBUTES, 0, 0),
        instruction(LOAD_X_NUMBER, IFA_PROTO, 0, 0),
        instruction(LOAD_WORD, FIND_ATTRIBUTE, 0, 0),
        instruction(IF_EQUAL, 0, 3, 0),
        instruction(COPY_TO_X, 0, 0, 0),
        instruction(LOAD_BYTE_INDEXED, ATTRIBUTE_HEADER, 0, 0),
        instruction(IF_EQUAL, address::PROTOCOL.into(), 1, 0),
        instruction(RETURN, WHOLE_PACKET, 0, 0),
        instruction(RETURN, 0, 0, 0),
    ])
}

fn event(bytes: &[u8]) -> Option<Event> {
    let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
        // Something changed, and we cannot tell what: the same as having lost it.
        return Some(Event::Overrun);
    };
    let requester = Requester(message.header.port_number);
    let NetlinkPayload::InnerMessage(message) = message.payload else {
        return None;
    };
    match message {
        // Bridges tell of their ports with the same messages, of the bridge family: a DELLINK there is a port that left
        // the bridge, not a link that is gone.
        RouteNetlinkMessage::NewLink(link) if link.header.interface_family == AddressFamily::Unspec => {
            Link::from_message(&link).map(Event::LinkChanged)
        }
        RouteNetlinkMessage::DelLink(link) if link.header.interface_family == AddressFamily::Unspec => {
            Link::from_message(&link).map(|link| Event::LinkGone { index: link.index, name: link.name })
        }
        RouteNetlinkMessage::NewAddress(address) => {
            link::local_address(&address).map(|(index, address)| Event::AddressAdded { index, address })
        }
        RouteNetlinkMessage::DelAddress(address) => link::local_address(&address).map(|(index, address)| {
            let by = address.is_ipv4().then_some(requester);
            Event::AddressRemoved { index, address, by }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
