//! Packet sockets: whole Ethernet frames in and out of one link (`packet(7)`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::filter::Program;

#[cfg(test)]
pub(crate) mod tests;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE: std::ops::Range<usize> = 12..14;
/// `PACKET_STATISTICS` of linux/if_packet.h.
const PACKET_STATISTICS: libc::c_int = 6;

/// A socket on one link that reads the IPv4 frames its filter lets through and sends frames of any kind.
///
/// It never blocks, is not inherited by scripts, and dies with the link: one that was removed and made again has
/// another index and needs a new socket.
pub struct PacketSocket {
    fd: OwnedFd,
    ifindex: i32,
}

impl PacketSocket {
    /// Opens a socket on the link with this index. The filter is there before the first frame can be queued, and is
    /// locked: nobody, not this process either, can change it any more.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`, `ENODEV` if there is no such link. A link that is down is none: the first
    /// [`PacketSocket::recv`] says so, and the socket hears it once it is up.
    pub fn open(ifindex: u32, filter: &Program) -> io::Result<PacketSocket> {
        let address = LinkAddress::new(ifindex, ETHERTYPE_IPV4)?;
        // Protocol 0 means deaf: it hears nothing until bind names a protocol.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        attach(fd.as_fd(), filter)?;
        set_number(fd.as_fd(), libc::SOL_SOCKET, libc::SO_LOCK_FILTER, 1)?;
        rustix::net::bind(&fd, &address)?;
        Ok(PacketSocket { fd, ifindex: address.0.sll_ifindex })
    }

    /// Reads one frame from its Ethernet header on and returns its length; `None` if there is none waiting. What does
    /// not fit into `buffer` is lost, and the length is then that of the buffer.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` ([`io::ErrorKind::NetworkDown`]) once after the link went down or away; the socket can be read on.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match retry_on_intr(|| rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::empty())) {
            Ok((length, _)) => Ok(Some(length)),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends one frame, which begins with its Ethernet header.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for less than an Ethernet header, `EMSGSIZE` for more than the link takes,
    /// [`io::ErrorKind::WouldBlock`] or `ENOBUFS` if the queue is full, `ENETDOWN` ([`io::ErrorKind::NetworkDown`]) if
    /// the link is down, `ENXIO` if it is gone.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let Some(&[high, low]) = frame.get(ETHERTYPE).and_then(|bytes| bytes.first_chunk()) else {
            let problem = format!("a frame of {} octets has no ethernet header", frame.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        };
        // Bonding and bridges look at the protocol given here, not at the frame: an ARP frame must not go as IPv4.
        let address = LinkAddress::with_index(self.ifindex, u16::from_be_bytes([high, low]));
        retry_on_intr(|| rustix::net::sendto(&self.fd, frame, SendFlags::empty(), &address))?;
        Ok(())
    }

    /// How many frames that passed the filter were lost for want of room since the last call.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`; none is known for an open packet socket.
    pub fn dropped(&self) -> io::Result<u32> {
        let mut statistics = Statistics::default();
        let mut length = socklen_of::<Statistics>();
        // SAFETY: the pointer and length describe `statistics`, whose layout is struct tpacket_stats, and both live
        // through the call.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        if result == 0 { Ok(statistics.drops) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `struct tpacket_stats`.
#[derive(Default)]
#[repr(C)]
struct Statistics {
    packets: libc::c_uint,
    drops: libc::c_uint,
}

/// A `struct sockaddr_ll`.
struct LinkAddress(libc::sockaddr_ll);

impl LinkAddress {
    fn new(ifindex: u32, ethertype: u16) -> io::Result<LinkAddress> {
        // Index 0 would bind to all links.
        match i32::try_from(ifindex) {
            Ok(index) if index > 0 => Ok(LinkAddress::with_index(index, ethertype)),
            _ => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        }
    }

    fn with_index(ifindex: i32, ethertype: u16) -> LinkAddress {
        LinkAddress(libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET).expect("address families fit sa_family_t"),
            sll_protocol: ethertype.to_be(),
            sll_ifindex: ifindex,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        })
    }
}

// SAFETY: the pointer and length are those of a whole sockaddr_ll, valid and initialised for as long as `self` is
// borrowed.
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        f((&raw const self.0).cast(), socklen_of::<libc::sockaddr_ll>())
    }
}

fn attach(fd: BorrowedFd<'_>, filter: &Program) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.0.len()).expect("a filter has far fewer than 65,536 instructions"),
        // The kernel copies the instructions and writes nothing.
        filter: filter.0.as_ptr().cast_mut(),
    };
    // SAFETY: the length and pointer in `program` are those of a vector that lives through the call.
    unsafe { set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
}

/// `setsockopt(2)` for an option whose value is a number.
pub(crate) fn set_number(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: i32) -> io::Result<()> {
    // SAFETY: a number points nowhere, and the kernel refuses an option that is longer than this.
    unsafe { set_option(fd, level, name, &value) }
}

/// # Safety
///
/// Memory that `value` points to must be what the option wants, and live through the call.
unsafe fn set_option<T>(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let pointer = std::ptr::from_ref(value).cast();
    // SAFETY: the pointer and length describe `value`; the caller vouches for what it points to.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, socklen_of::<T>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn socklen_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("socket options and addresses are small")
}
