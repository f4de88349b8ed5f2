//! Whole IP packets to one host: the kernel finds the way and resolves the MAC address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};

use crate::{filter, socket_option};

/// `SO_BINDTOIFINDEX` of asm-generic/socket.h, since Linux 5.0.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_BINDTOIFINDEX: libc::c_int = 62;
/// Sparc has numbers of its own.
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const SO_BINDTOIFINDEX: libc::c_int = 0x0041;

/// A socket that sends complete IP packets of one family out of one interface and receives nothing.
///
/// It never blocks and is not inherited by scripts. While the kernel resolves the MAC address it keeps a few packets; if
/// nobody answers they are lost without an error, as on any network.
pub struct RawSocket {
    fd: OwnedFd,
    ifindex: u32,
    is_ipv4: bool,
}

impl RawSocket {
    /// Opens a socket for IPv4 packets on the interface with this index.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`, `ENODEV` if there is no such interface.
    pub fn open_v4(ifindex: u32) -> io::Result<RawSocket> {
        RawSocket::open(ifindex, AddressFamily::INET)
    }

    /// Opens a socket for IPv6 packets on the interface with this index.
    ///
    /// # Errors
    ///
    /// As [`RawSocket::open_v4`]; also `EAFNOSUPPORT` if the kernel runs without IPv6.
    pub fn open_v6(ifindex: u32) -> io::Result<RawSocket> {
        RawSocket::open(ifindex, AddressFamily::INET6)
    }

    /// A socket for IPv4 packets on the interface with this index that another process has opened.
    #[must_use]
    pub fn from_fd_v4(fd: OwnedFd, ifindex: u32) -> RawSocket {
        RawSocket { fd, ifindex, is_ipv4: true }
    }

    /// As [`RawSocket::from_fd_v4`], for IPv6.
    #[must_use]
    pub fn from_fd_v6(fd: OwnedFd, ifindex: u32) -> RawSocket {
        RawSocket { fd, ifindex, is_ipv4: false }
    }

    fn open(ifindex: u32, family: AddressFamily) -> io::Result<RawSocket> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // The protocol "raw" says that each packet brings its IP header along.
        let fd = rustix::net::socket_with(family, SocketType::RAW, flags, Some(ipproto::RAW))?;
        // Contrary to what raw(7) says, such a socket would receive packets of the protocol number 255.
        socket_option::attach_filter(fd.as_fd(), &filter::nothing())?;
        socket_option::lock_filter(fd.as_fd())?;
        // Given index 0 the kernel would send where its routes lead, and it takes any other without a look.
        rustix::net::netdevice::index_to_name_inlined(&fd, ifindex)?;
        let index = i32::try_from(ifindex).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        socket_option::set_number(fd.as_fd(), libc::SOL_SOCKET, SO_BINDTOIFINDEX, index)?;
        Ok(RawSocket { fd, ifindex, is_ipv4: family == AddressFamily::INET })
    }

    /// Sends one packet, which begins with its IP header, to the host its header names. The kernel computes the checksum
    /// and length of an IPv4 header, and chooses a source address or identification that is 0; all else stays as it is.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if it has no IP header of this socket's family, `EMSGSIZE` for more than the link
    /// takes, `ENETUNREACH` or `EHOSTUNREACH` if no route leads there, `EADDRNOTAVAIL` if the host has no IPv6 address to
    /// use on the way, [`io::ErrorKind::WouldBlock`] or `ENOBUFS` if the
    /// queue is full, `ENETDOWN` if the interface is down, `ENODEV` or `ENXIO` if it is gone, `EACCES` for a broadcast
    /// address.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        match destination(packet) {
            Some(IpAddr::V4(to)) if self.is_ipv4 => self.send_to(packet, &SocketAddrV4::new(to, 0)),
            // A link-local address means nothing without its link.
            Some(IpAddr::V6(to)) if !self.is_ipv4 => {
                let scope = if to.is_unicast_link_local() { self.ifindex } else { 0 };
                self.send_to(packet, &SocketAddrV6::new(to, 0, 0, scope))
            }
            _ => {
                let family = if self.is_ipv4 { "ipv4" } else { "ipv6" };
                let problem = format!("a packet of {} octets has no {family} header", packet.len());
                Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
            }
        }
    }

    fn send_to(&self, packet: &[u8], to: &impl SocketAddrArg) -> io::Result<()> {
        retry_on_intr(|| rustix::net::sendto(&self.fd, packet, SendFlags::empty(), to))?;
        Ok(())
    }
}

/// To be shared with another process.
impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where a packet goes, by its header.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(*packet.get(16..20)?.first_chunk::<4>()?).into()),
        6 => Some(Ipv6Addr::from(*packet.get(24..40)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
