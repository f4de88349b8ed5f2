//! Echo requests of ICMP and ICMPv6 (RFC 792, RFC 4443 4.1).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with};

use super::{bind_to_interface, is_of_one_link, socket_address, wait_for};
use crate::{clock, link, socket_option};

/// Numbers of messages: request and reply.
const V4: (u8, u8) = (8, 0);
const V6: (u8, u8) = (128, 129);

/// `ICMP_FILTER` of linux/icmp.h: a bit for each kind of message that is not wanted.
const ICMP_FILTER: libc::c_int = 1;

/// Octets of the header of a message, and with what follows it here: a number that nobody else knows.
const HEADER: usize = 8;
const MESSAGE: usize = 16;

/// A socket for one echo request and its reply.
#[derive(Debug)]
pub struct Echo {
    fd: OwnedFd,
    target: IpAddr,
    interface: u32,
    /// Not a raw socket: the kernel numbers the request, and shows this socket nothing but its replies.
    numbered: bool,
    message: [u8; MESSAGE],
}

impl Echo {
    /// Opens a socket to ask `target`, by this interface and no other if one is named. Where `net.ipv4.ping_group_range`
    /// lets this process it needs no privilege, else a raw socket.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW` where that is needed; [`io::ErrorKind::NotFound`] if there is no such interface.
    pub fn open(target: IpAddr, interface: Option<&str>) -> io::Result<Echo> {
        let (family, protocol) = match target {
            IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
            IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let open = |kind| socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol));
        let (fd, numbered) = match open(SocketType::DGRAM) {
            Ok(fd) => (fd, true),
            Err(Errno::ACCESS | Errno::PERM) => (open(SocketType::RAW)?, false),
            Err(error) => return Err(error.into()),
        };
        let mut index = 0;
        if let Some(name) = interface {
            // A link-local address says on which link it is, and the name has to be that of one.
            let link = link::by_name(name).map_err(io::Error::other)?;
            index = link.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {name}")))?.index;
            if !matches!(target, IpAddr::V6(v6) if is_of_one_link(v6)) {
                bind_to_interface(&fd, name)?;
            }
        }
        if !numbered && target.is_ipv4() {
            let unwanted = !(1_u32 << V4.1);
            socket_option::set_number(fd.as_fd(), libc::SOL_RAW, ICMP_FILTER, unwanted.cast_signed())?;
        }
        let kind = if target.is_ipv4() { V4.0 } else { V6.0 };
        let mut message = [0; MESSAGE];
        message[0] = kind;
        message[4..6].copy_from_slice(&std::process::id().to_be_bytes()[2..]);
        message[7] = 1;
        message[HEADER..].copy_from_slice(&clock::random_seed().to_ne_bytes());
        if target.is_ipv4() {
            // Over IPv6 it covers addresses, and the kernel makes it.
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        Ok(Echo { fd, target, interface: index, numbered, message })
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// Such as `ENETUNREACH` if there is no route.
    pub fn send(&self) -> io::Result<()> {
        let to = socket_address(self.target, self.interface);
        retry_on_intr(|| sendto(&self.fd, &self.message, SendFlags::empty(), &to))?;
        Ok(())
    }

    /// Whether the target has answered before the deadline. If that has passed, whether it has answered so far.
    ///
    /// # Errors
    ///
    /// What the socket has to say, such as `ENETDOWN` when the interface went down.
    pub fn is_answered(&self, deadline: Instant) -> io::Result<bool> {
        let is_it =
            |sender: Option<IpAddr>, bytes: &[u8]| (sender == Some(self.target) && self.is_reply(bytes)).then_some(());
        Ok(wait_for(self.fd.as_fd(), deadline, is_it)?.is_some())
    }

    fn is_reply(&self, bytes: &[u8]) -> bool {
        let is_v4 = self.target.is_ipv4();
        // A raw socket of IPv4 shows the header of the packet, too.
        let header =
            if is_v4 && !self.numbered { bytes.first().map_or(0, |first| usize::from(first & 0xf) * 4) } else { 0 };
        let Some(message) = bytes.get(header..).filter(|message| message.len() == MESSAGE) else { return false };
        message[0] == if is_v4 { V4.1 } else { V6.1 } && message[1] == 0 && message[HEADER..] == self.message[HEADER..]
    }
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).expect("it was folded")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 section 3.
    #[test]
    fn the_checksum_is_that_of_the_internet() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0xff; 8]), 0);
        assert_eq!(checksum(&[1]), !0x0100);
    }
}
