//! Questions to a neighbour on one link: ARP (RFC 826) and neighbour solicitations (RFC 4861 7.2). What the messages are
//! is the caller's business.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use rustix::io::retry_on_intr;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, ipproto, sendto, socket_with, sockopt};

use super::{bind_to_interface, socket_address, wait_for};
use crate::link::Link;
use crate::packet::LinkAddress;
use crate::socket_option::socklen_of;

const ETHERTYPE_ARP: u16 = 0x0806;

/// `ICMP6_FILTER` (RFC 3542 3.2), and the one kind of message that is let through.
const ICMP6_FILTER: libc::c_int = 1;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// What neighbour discovery messages must have (RFC 4861 7.1.1).
const HOP_LIMIT: u8 = 255;

/// ARP on one link.
#[derive(Debug)]
pub struct ArpSocket {
    fd: OwnedFd,
    index: u32,
}

impl ArpSocket {
    /// Opens a socket on the link.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`; `ENODEV` if the link is gone.
    pub fn open(link: &Link) -> io::Result<ArpSocket> {
        let fd = socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        bind(&fd, &LinkAddress::new(link.index, ETHERTYPE_ARP)?)?;
        Ok(ArpSocket { fd, index: link.index })
    }

    /// Sends an ARP packet to everybody.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` if the link is down.
    pub fn broadcast(&self, packet: &[u8]) -> io::Result<()> {
        let to = LinkAddress::new(self.index, ETHERTYPE_ARP)?.of_everybody();
        retry_on_intr(|| sendto(&self.fd, packet, SendFlags::empty(), &to))?;
        Ok(())
    }

    /// What `wanted` makes of the first packet that it accepts; `None` if there was none before the deadline.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` when the link went down.
    pub fn wait<T>(&self, deadline: Instant, mut wanted: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        wait_for(self.fd.as_fd(), deadline, |_, packet| wanted(packet))
    }
}

/// Neighbour discovery on one link.
#[derive(Debug)]
pub struct NeighbourSocket {
    fd: OwnedFd,
    index: u32,
}

impl NeighbourSocket {
    /// Opens a socket on the link, that hears neighbour advertisements and nothing else.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`; `ENODEV` if the link is gone.
    pub fn open(link: &Link) -> io::Result<NeighbourSocket> {
        let fd = socket_with(AddressFamily::INET6, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMPV6))?;
        bind_to_interface(&fd, &link.name)?;
        let mut unwanted = [u32::MAX; 8];
        unwanted[usize::from(NEIGHBOUR_ADVERTISEMENT >> 5)] &= !(1 << (NEIGHBOUR_ADVERTISEMENT & 31));
        // SAFETY: the pointer and length describe the filter, whose layout is struct icmp6_filter, and which is copied.
        let result = unsafe {
            let pointer = unwanted.as_ptr().cast();
            libc::setsockopt(fd.as_raw_fd(), libc::IPPROTO_ICMPV6, ICMP6_FILTER, pointer, socklen_of::<[u32; 8]>())
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        sockopt::set_ipv6_multicast_hops(&fd, HOP_LIMIT.into())?;
        sockopt::set_ipv6_multicast_if(&fd, link.index)?;
        Ok(NeighbourSocket { fd, index: link.index })
    }

    /// Asks who has `target`, by the multicast group that its owner listens to (RFC 4291 2.7.1), and tells this host's own
    /// link-layer address.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` if the link is down, `EADDRNOTAVAIL` if it has no usable IPv6 address.
    pub fn solicit(&self, target: Ipv6Addr, own: [u8; 6]) -> io::Result<()> {
        const SOLICITATION: u8 = 135;
        const SOURCE_LINK_LAYER: [u8; 2] = [1, 1];
        let octets = target.octets();
        // The checksum is the kernel's business.
        let message = [&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0], &octets[..], &SOURCE_LINK_LAYER, &own].concat();
        let [.., a, b, c] = octets;
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
        let to = socket_address(IpAddr::V6(group), self.index);
        retry_on_intr(|| sendto(&self.fd, &message, SendFlags::empty(), &to))?;
        Ok(())
    }

    /// What `wanted` makes of the first neighbour advertisement that it accepts; `None` if there was none before the
    /// deadline.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` when the link went down.
    pub fn wait<T>(&self, deadline: Instant, mut wanted: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        wait_for(self.fd.as_fd(), deadline, |_, message| wanted(message))
    }
}
