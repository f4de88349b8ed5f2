//! Sockets that ask whether another host is there: echo requests, ARP, neighbour solicitations.
//!
//! Each is opened for one question, with the rights of the process at that moment, needs none afterwards, and waits for
//! the answer at most until a deadline.

mod echo;
mod neighbour;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, recvfrom};

use crate::poll::Poller;

pub use echo::Echo;
pub use neighbour::{ArpSocket, NeighbourSocket};

/// More than any answer has.
const LONGEST: usize = 2048;

/// Messages that are read when the time is over: more than wait in a socket, unless there is a flood.
const MOST_LATE: u32 = 1024;

/// The address of a host. An IPv6 address of one link only needs the index of that.
fn socket_address(address: IpAddr, interface: u32) -> SocketAddr {
    match address {
        IpAddr::V6(v6) if is_of_one_link(v6) => SocketAddrV6::new(v6, 0, 0, interface).into(),
        other => SocketAddr::new(other, 0),
    }
}

fn is_of_one_link(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || address.is_multicast()
}

/// Reads until `wanted` accepts a message and says what it is, or the time is over and all that waits has been read.
fn wait_for<T>(
    fd: BorrowedFd<'_>,
    deadline: Instant,
    mut wanted: impl FnMut(Option<IpAddr>, &[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut buffer = [0_u8; LONGEST];
    let mut poller = Poller::new();
    let mut late = 0;
    while late < MOST_LATE {
        let left = deadline.saturating_duration_since(Instant::now());
        match retry_on_intr(|| recvfrom(fd, &mut buffer[..], RecvFlags::DONTWAIT)) {
            Ok((length, _, sender)) => {
                let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok()).map(|sender| sender.ip());
                if let Some(found) = wanted(sender, &buffer[..length]) {
                    return Ok(Some(found));
                }
                late += u32::from(left.is_zero());
            }
            Err(Errno::AGAIN) if left.is_zero() => return Ok(None),
            Err(Errno::AGAIN) => _ = poller.wait([fd], Some(left))?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Lets a socket use this interface and no other.
fn bind_to_interface(fd: impl AsFd, name: &str) -> io::Result<()> {
    let length = libc::socklen_t::try_from(name.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and length describe the name, which the kernel copies; it needs no NUL at the end.
    let result = unsafe {
        let fd = fd.as_fd().as_raw_fd();
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_ptr().cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests;
