//! The open way to a segment, through sockets that the guardian has opened.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use ucarp_sys::packet::{Family, PacketSocket};
use ucarp_sys::raw::RawSocket;

use crate::protocol::Sockets;

/// The sockets on one link.
pub(super) struct Port {
    /// The index of the link.
    index: u32,
    v4: Option<PacketSocket>,
    v6: Option<PacketSocket>,
    unicast_v4: Option<RawSocket>,
    unicast_v6: Option<RawSocket>,
    /// Memberships of multicast groups, which last as long as somebody has them open.
    kept: Vec<OwnedFd>,
}

impl Port {
    /// The index of the link.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The sockets that came with an order; `None` if there are none, or fewer than it says.
    pub(super) fn new(sockets: Sockets, descriptors: Vec<OwnedFd>) -> Option<Self> {
        let Sockets { index, v4, v6, unicast_v4, unicast_v6 } = sockets;
        let count = [v4, v6, unicast_v4, unicast_v6].into_iter().filter(|present| *present).count();
        if count == 0 || count != descriptors.len() {
            return None;
        }
        let mut descriptors = descriptors.into_iter();
        let mut next = |present: bool| if present { descriptors.next() } else { None };
        Some(Self {
            index,
            v4: next(v4).map(|fd| PacketSocket::from_fd(fd, index, Some(Family::Ipv4))),
            v6: next(v6).map(|fd| PacketSocket::from_fd(fd, index, Some(Family::Ipv6))),
            unicast_v4: next(unicast_v4).map(|fd| RawSocket::from_fd_v4(fd, index)),
            unicast_v6: next(unicast_v6).map(|fd| RawSocket::from_fd_v6(fd, index)),
            kept: Vec::new(),
        })
    }

    /// Keeps more descriptors open.
    pub(super) fn keep(&mut self, descriptors: Vec<OwnedFd>) {
        self.kept.extend(descriptors);
    }

    /// The sockets that frames arrive on.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &PacketSocket> {
        self.v4.iter().chain(&self.v6)
    }

    /// Sends the first of these frames, of any kind, and returns how many: those that go with one system call.
    pub(super) fn send_many(&self, frames: &[impl AsRef<[u8]>]) -> io::Result<usize> {
        self.sockets().next().map_or(Err(io::ErrorKind::NotConnected.into()), |socket| socket.send_many(frames))
    }

    /// Sends an IP packet to wherever the routing table says.
    pub(super) fn send_packet(&self, destination: IpAddr, packet: &[u8]) -> io::Result<()> {
        let socket = if destination.is_ipv4() { &self.unicast_v4 } else { &self.unicast_v6 };
        socket.as_ref().map_or(Err(io::ErrorKind::NotConnected.into()), |socket| socket.send(packet))
    }
}
