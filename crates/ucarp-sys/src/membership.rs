//! Membership of a multicast group on one link.
//!
//! A packet socket hears a group only if the network card lets it through, and a switch that snoops forwards it only to
//! ports where somebody reported the group. A membership does both: the kernel programs the card and sends the IGMP or
//! MLD reports, also after the link was down.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

/// One group joined on one link; dropping it leaves the group, unless a process forked meanwhile still has it, too. If
/// the link is removed the membership goes with it.
pub struct Membership {
    /// A socket without a port: no datagram ever reaches it, and the kernel leaves the group when it is closed.
    socket: OwnedFd,
}

impl Membership {
    /// Joins an IPv4 group on the link with this index. The link needs no address.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the address is not multicast, `ENODEV` if there is no such link.
    pub fn join(ifindex: u32, group: Ipv4Addr) -> io::Result<Membership> {
        let socket = socket(AddressFamily::INET, ifindex)?;
        // The default hands a socket datagrams of groups that others joined. Without a port it gets none anyway.
        #[cfg(target_os = "linux")]
        crate::socket_option::set_number(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0)?;
        sockopt::set_ip_add_membership_with_ifindex(&socket, &group, &Ipv4Addr::UNSPECIFIED, ifindex)?;
        Ok(Membership { socket })
    }

    /// Joins an IPv6 group on the link with this index.
    ///
    /// # Errors
    ///
    /// As [`Membership::join`]; also `EAFNOSUPPORT` if the kernel runs without IPv6 and `ENODEV` or `EADDRNOTAVAIL` if
    /// it is disabled on this link.
    pub fn join_v6(ifindex: u32, group: Ipv6Addr) -> io::Result<Membership> {
        let socket = socket(AddressFamily::INET6, ifindex)?;
        sockopt::set_ipv6_add_membership(&socket, &group, ifindex)?;
        Ok(Membership { socket })
    }
}

/// To be shared with another process, which keeps the membership then, too.
impl AsFd for Membership {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn socket(family: AddressFamily, ifindex: u32) -> io::Result<OwnedFd> {
    // Given index 0 the kernel would choose a link by its routes.
    if ifindex == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    Ok(rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
