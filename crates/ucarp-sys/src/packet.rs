//! Packet sockets: whole Ethernet frames in and out of one link (`packet(7)`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::filter::Program;
use crate::socket_option::{self, socklen_of};

mod batch;
mod many;
#[cfg(test)]
pub(crate) mod tests;

pub use batch::Batch;

const ETHERTYPE: std::ops::Range<usize> = 12..14;
/// `PACKET_STATISTICS` of linux/if_packet.h.
const PACKET_STATISTICS: libc::c_int = 6;

/// Which frames a [`PacketSocket`] hears. One socket hears one family: a socket for all of them would have to look at
/// every frame of the link, also those that this host sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Ethernet type 0x0800.
    Ipv4,
    /// Ethernet type 0x86dd.
    Ipv6,
    /// Ethernet type 0x0806.
    Arp,
}

impl Family {
    const fn ethertype(self) -> u16 {
        match self {
            Family::Ipv4 => 0x0800,
            Family::Ipv6 => 0x86dd,
            Family::Arp => 0x0806,
        }
    }
}

/// How [`PacketSocket::open_with`] opens a socket.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which frames it hears.
    pub family: Family,
    /// Whether the filter stays as it is for ever. If not, [`PacketSocket::replace_filter`] changes it.
    pub lock_filter: bool,
    /// How much memory frames may take while they wait, instead of `net.core.rmem_default`. The kernel grants twice the
    /// figure and counts a frame with its overhead: an advertisement over veth takes 832 octets, so the usual 212,992
    /// hold 256 of them and 1 MiB given here 2,521 (measured); with a network card's driver it can be several times as
    /// much. Without `CAP_NET_ADMIN` the figure is limited by `net.core.rmem_max`.
    pub receive_buffer_bytes: Option<u32>,
}

/// A socket on one link that reads the frames of one family its filter lets through and sends frames of any kind.
///
/// It never blocks, is not inherited by scripts, and dies with the link: one that was removed and made again has
/// another index and needs a new socket.
pub struct PacketSocket {
    fd: OwnedFd,
    ifindex: i32,
    /// What the kernel sends without being told where, which is less work; `None` if that is not known.
    family: Option<Family>,
}

impl PacketSocket {
    /// Opens a socket for IPv4 on the link with this index. The filter is there before the first frame can be queued, and
    /// is locked: nobody, not this process either, can change it any more.
    ///
    /// # Errors
    ///
    /// As [`PacketSocket::open_with`].
    pub fn open(ifindex: u32, filter: &Program) -> io::Result<PacketSocket> {
        let options = Options { family: Family::Ipv4, lock_filter: true, receive_buffer_bytes: None };
        PacketSocket::open_with(ifindex, filter, &options)
    }

    /// Opens a socket on the link with this index. The filter is there before the first frame can be queued.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`, `ENODEV` if there is no such link. A link that is down is none: the first
    /// [`PacketSocket::recv`] says so, and the socket hears it once it is up.
    pub fn open_with(ifindex: u32, filter: &Program, options: &Options) -> io::Result<PacketSocket> {
        let address = LinkAddress::new(ifindex, options.family.ethertype())?;
        // Protocol 0 means deaf: it hears nothing until bind names a protocol.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        socket_option::attach_filter(fd.as_fd(), filter)?;
        if options.lock_filter {
            socket_option::lock_filter(fd.as_fd())?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            socket_option::set_receive_buffer(fd.as_fd(), bytes)?;
        }
        rustix::net::bind(&fd, &address)?;
        Ok(PacketSocket { fd, ifindex: address.0.sll_ifindex, family: Some(options.family) })
    }

    /// A socket on the link with this index that another process has opened with [`PacketSocket::open_with`], for this
    /// family if that is known.
    #[must_use]
    pub fn from_fd(fd: OwnedFd, ifindex: u32, family: Option<Family>) -> PacketSocket {
        // The index was checked where the socket was opened.
        PacketSocket { fd, ifindex: ifindex.cast_signed(), family }
    }

    /// Makes `filter` decide what is received from now on, in one step: no frame is lost, none is read twice, and what
    /// the old filter let through can still be read. No privilege is needed, so a reload works after they are dropped;
    /// a second socket opened beside the old one would need them, and would read frames that arrive meanwhile twice.
    ///
    /// A process that must not change the filter can be forbidden `setsockopt(2)`, or the socket is locked.
    ///
    /// # Errors
    ///
    /// `EPERM` if the filter is locked.
    pub fn replace_filter(&self, filter: &Program) -> io::Result<()> {
        socket_option::attach_filter(self.fd.as_fd(), filter)
    }

    /// Locks the filter as it is, for everybody who has this socket.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`; none is known for an open packet socket.
    pub fn lock_filter(&self) -> io::Result<()> {
        socket_option::lock_filter(self.fd.as_fd())
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

    /// A copy for another process. What that one can do with it is for its sandbox to say.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
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
pub(crate) struct LinkAddress(libc::sockaddr_ll);

impl LinkAddress {
    pub(crate) fn new(ifindex: u32, ethertype: u16) -> io::Result<LinkAddress> {
        // Index 0 would bind to all links.
        match i32::try_from(ifindex) {
            Ok(index) if index > 0 => Ok(LinkAddress::with_index(index, ethertype)),
            _ => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        }
    }

    /// To send to the Ethernet broadcast address.
    pub(crate) fn of_everybody(mut self) -> LinkAddress {
        self.0.sll_halen = 6;
        self.0.sll_addr = [0xff; 8];
        self
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
