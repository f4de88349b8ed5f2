//! Whole IP packets to one host: the kernel finds the way and resolves the MAC address.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, ipproto, sockopt};

use crate::bsd::packet::Ipv6Packet;
use crate::socket_option;

/// Room for the three options that go with an IPv6 packet: a source and an interface (20 octets) and two numbers, each
/// with its header, padded.
const OPTIONS: usize = 128;

/// A socket that sends complete IP packets of one family.
///
/// It never blocks and is not inherited by scripts. FreeBSD cannot bind a socket to an interface: packets go wherever the
/// routing table says, and those to link-local addresses out of the interface of the socket.
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
    /// `EPERM` for others than root.
    pub fn open_v4(ifindex: u32) -> io::Result<RawSocket> {
        let fd = open(AddressFamily::INET, ipproto::RAW)?;
        // Each packet brings its IP header along.
        socket_option::set_number(fd.as_fd(), libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
        Ok(RawSocket::from_fd_v4(fd, ifindex))
    }

    /// Opens a socket for IPv6 packets on the interface with this index.
    ///
    /// # Errors
    ///
    /// As [`RawSocket::open_v4`]; also `EPROTONOSUPPORT` or `EAFNOSUPPORT` if the kernel runs without IPv6.
    pub fn open_v6(ifindex: u32) -> io::Result<RawSocket> {
        let number = std::num::NonZeroU32::new(Ipv6Packet::PROTOCOL.into()).expect("it is not 0");
        Ok(RawSocket::from_fd_v6(open(AddressFamily::INET6, Protocol::from_raw(number))?, ifindex))
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

    /// Sends one packet, which begins with its IP header, to the host its header names. The kernel chooses an IPv4 source
    /// address or identification that is 0. It makes an IPv6 header anew from what the packet's says: its source must be
    /// an address of this host.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if it has no IP header of this socket's family, or no advertisement behind that of
    /// IPv6; `EMSGSIZE` for more than the link takes, `ENETUNREACH` or `EHOSTUNREACH` if no route leads there,
    /// `EADDRNOTAVAIL` if its IPv6 source is not an address of this host, `ENOBUFS` if the queue is full, `ENETDOWN` if
    /// the interface is down, `ECAPMODE` in capability mode.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let sent = if self.is_ipv4 { self.send_v4(packet) } else { self.send_v6(packet) };
        sent.unwrap_or_else(|| {
            let family = if self.is_ipv4 { "ipv4" } else { "ipv6" };
            let problem = format!("a packet of {} octets has no {family} header", packet.len());
            Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
        })
    }

    fn send_v4(&self, packet: &[u8]) -> Option<io::Result<()>> {
        if packet.first()? >> 4 != 4 {
            return None;
        }
        let to = SocketAddrV4::new(Ipv4Addr::from(*packet.get(16..20)?.first_chunk::<4>()?), 0);
        let sent = retry_on_intr(|| rustix::net::sendto(&self.fd, packet, SendFlags::empty(), &to));
        Some(sent.map(drop).map_err(io::Error::from))
    }

    fn send_v6(&self, packet: &[u8]) -> Option<io::Result<()>> {
        let packet = Ipv6Packet::parse(packet)?;
        let scope = |address: Ipv6Addr| if address.is_unicast_link_local() { self.ifindex } else { 0 };
        // SAFETY: all of these structures are plain numbers and pointers that may be zero.
        let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        to.sin6_len = u8::try_from(size_of::<libc::sockaddr_in6>()).expect("28");
        to.sin6_family = u8::try_from(libc::AF_INET6).expect("28");
        to.sin6_addr.s6_addr = packet.destination.octets();
        to.sin6_scope_id = scope(packet.destination);
        let mut information: libc::in6_pktinfo = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: packet.source.octets() },
            ipi6_ifindex: scope(packet.destination),
        };
        if packet.source.is_unspecified() {
            information.ipi6_ifindex = self.ifindex;
        }
        let numbers = [
            (libc::IPV6_HOPLIMIT, libc::c_int::from(packet.hop_limit)),
            (libc::IPV6_TCLASS, libc::c_int::from(packet.traffic_class)),
        ];
        let mut options = Options::new();
        options.push(libc::IPV6_PKTINFO, &information);
        numbers.iter().for_each(|(kind, number)| options.push(*kind, number));
        Some(self.send_with(&to, packet.payload, &mut options))
    }

    fn send_with(&self, to: &libc::sockaddr_in6, payload: &[u8], options: &mut Options) -> io::Result<()> {
        let mut part = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
        // SAFETY: the structure is plain numbers and pointers that may be zero.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = std::ptr::from_ref(to).cast_mut().cast();
        message.msg_namelen = socket_option::socklen_of::<libc::sockaddr_in6>();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = options.bytes.as_mut_ptr().cast();
        message.msg_controllen = libc::socklen_t::try_from(options.length).expect("at most 128");
        loop {
            // SAFETY: all that the message points to is live and as long as it says; the kernel writes to none of it.
            if unsafe { libc::sendmsg(self.fd.as_raw_fd(), &raw const message, 0) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

/// To be shared with another process.
impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open(family: AddressFamily, protocol: Protocol) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    // It is never read: what comes in is dropped for want of room.
    sockopt::set_socket_recv_buffer_size(&fd, 1)?;
    Ok(fd)
}

/// Control messages, one behind the other.
#[repr(C, align(8))]
struct Options {
    bytes: [MaybeUninit<u8>; OPTIONS],
    length: usize,
}

impl Options {
    fn new() -> Options {
        Options { bytes: [MaybeUninit::zeroed(); OPTIONS], length: 0 }
    }

    /// Appends an option of IPv6.
    fn push<T: Copy>(&mut self, kind: libc::c_int, value: &T) {
        let size = libc::c_uint::try_from(size_of::<T>()).expect("options are small");
        // SAFETY: these two only compute.
        let (space, length) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
        let space = usize::try_from(space).expect("options are small");
        assert!(self.length + space <= OPTIONS, "the room is made for three options");
        let header = self.bytes[self.length..].as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: there is room for the header and the value (see above), aligned, as each option takes a multiple of 8.
        unsafe {
            (*header).cmsg_len = length;
            (*header).cmsg_level = libc::IPPROTO_IPV6;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(*value);
        }
        self.length += space;
    }
}
