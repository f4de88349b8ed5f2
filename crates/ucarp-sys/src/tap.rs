//! A tap on every interface of a namespace: all frames that come in, whole, with the time the kernel got them.
//!
//! For tests and the demo. The daemon has [`crate::packet`], which hears nothing but its own protocol.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::socket_option::{set_number, set_receive_buffer, socklen_of};

/// Room for a burst: frames wait here until the reader is scheduled.
const RECEIVE_BUFFER_BYTES: u32 = 16 << 20;
/// Destination and source, after which a VLAN tag is put back.
const MAC_ADDRESSES_BYTES: usize = 12;
/// Where both auxiliary messages fit with room to spare.
const CONTROL_BYTES: usize = 256;
/// A stamp older than this was made before the wall clock was set, and is not used.
const MAX_AGE: Duration = Duration::from_secs(60);

/// One frame as a tap saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the kernel received it: `CLOCK_BOOTTIME` in nanoseconds.
    pub at: u64,
    /// The interface it came in on.
    pub ifindex: u32,
    /// How many bytes of the buffer it fills. What did not fit is cut off.
    pub length: usize,
}

/// A nonblocking packet socket for every frame that comes in on any interface. What this host sends is not among them.
#[derive(Debug)]
pub struct TapSocket {
    fd: OwnedFd,
}

impl TapSocket {
    /// Opens it in the calling thread's network namespace; it stays there.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`; no descriptors left.
    pub fn open() -> io::Result<TapSocket> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0 hears nothing, so nothing is received before the options are set.
        // SAFETY: socket takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and nobody else's.
        let tap = TapSocket { fd: unsafe { OwnedFd::from_raw_fd(fd) } };
        set_number(tap.as_fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        set_number(tap.as_fd(), libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
        set_number(tap.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        set_receive_buffer(tap.as_fd(), RECEIVE_BUFFER_BYTES)?;
        tap.hear_everything()?;
        Ok(tap)
    }

    /// The next frame, or `None` if there is none. A VLAN tag that the kernel took out is put back.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<Seen>> {
        let mut from = MaybeUninit::<libc::sockaddr_ll>::zeroed();
        let mut control = Control([0; CONTROL_BYTES]);
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: a msghdr of zeros is valid: no address, no parts, no control data.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = from.as_mut_ptr().cast();
        message.msg_namelen = socklen_of::<libc::sockaddr_ll>();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL_BYTES;
        let length = loop {
            // SAFETY: every pointer in `message` is to a live local of the length given beside it.
            let received = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
            if let Ok(length) = usize::try_from(received) {
                break length;
            }
            match Errno::from_io_error(&io::Error::last_os_error()) {
                Some(Errno::INTR) => {}
                Some(Errno::AGAIN) => return Ok(None),
                _ => return Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: zeroed at first, so initialized however much the kernel wrote; all its fields are integers.
        let from = unsafe { from.assume_init() };
        let extra = auxiliary(&message);
        let length = extra.vlan.map_or(length, |tag| put_back(buffer, length, tag));
        let ifindex = u32::try_from(from.sll_ifindex).map_err(io::Error::other)?;
        Ok(Some(Seen { at: boottime_of(extra.stamp), ifindex, length }))
    }

    /// How many frames were lost since the last call because they were not read in time.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn dropped(&self) -> io::Result<u32> {
        let mut statistics = MaybeUninit::<libc::tpacket_stats>::zeroed();
        let mut length = socklen_of::<libc::tpacket_stats>();
        // SAFETY: `statistics` has room for `length` bytes.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                statistics.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: zeroed at first; two integers.
        Ok(unsafe { statistics.assume_init() }.tp_drops)
    }

    fn hear_everything(&self) -> io::Result<()> {
        // SAFETY: all fields are integers, for which zero is valid.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).expect("address families are small numbers");
        address.sll_protocol = u16::try_from(libc::ETH_P_ALL).expect("0x0003 fits").to_be();
        // SAFETY: the address is a live sockaddr_ll of the length given.
        let result =
            unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), socklen_of::<libc::sockaddr_ll>()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsFd for TapSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Aligned as a `cmsghdr` has to be.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// What came beside the frame.
#[derive(Default)]
struct Auxiliary {
    /// The wall clock when the kernel got the frame.
    stamp: Option<libc::timespec>,
    /// TPID and TCI of the tag that was taken out.
    vlan: Option<[u8; 4]>,
}

fn auxiliary(message: &libc::msghdr) -> Auxiliary {
    let mut found = Auxiliary::default();
    // SAFETY: recvmsg has filled the control buffer and its length; the CMSG macros stay within it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: a header from these macros is null or points into the control buffer.
    while let Some(current) = unsafe { header.as_ref() } {
        // SAFETY: the data follows its header inside the buffer.
        let data = unsafe { libc::CMSG_DATA(header) };
        match (current.cmsg_level, current.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: the data of this type is a timespec; unaligned reads are allowed for.
                found.stamp = Some(unsafe { data.cast::<libc::timespec>().read_unaligned() });
            }
            (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                // SAFETY: the data of this type is a tpacket_auxdata; unaligned reads are allowed for.
                let data = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
                found.vlan = vlan_tag(&data);
            }
            _ => {}
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    found
}

fn vlan_tag(data: &libc::tpacket_auxdata) -> Option<[u8; 4]> {
    if data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let known = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let tpid = if known { data.tp_vlan_tpid } else { 0x8100 }.to_be_bytes();
    let tci = data.tp_vlan_tci.to_be_bytes();
    Some([tpid[0], tpid[1], tci[0], tci[1]])
}

/// Puts `tag` behind the MAC addresses of the frame in `buffer` and returns the frame's new length.
fn put_back(buffer: &mut [u8], length: usize, tag: [u8; 4]) -> usize {
    let longer = (length + tag.len()).min(buffer.len());
    let end = MAC_ADDRESSES_BYTES + tag.len();
    if length < MAC_ADDRESSES_BYTES || longer < end {
        return length;
    }
    buffer.copy_within(MAC_ADDRESSES_BYTES..longer - tag.len(), end);
    buffer[MAC_ADDRESSES_BYTES..end].copy_from_slice(&tag);
    longer
}

/// The boot time of a moment of the wall clock in the recent past. Without a stamp, or with one that makes no sense
/// because the wall clock was set in between, it is now.
fn boottime_of(stamp: Option<libc::timespec>) -> u64 {
    let stamp = stamp.map(|stamp| Timespec { tv_sec: stamp.tv_sec, tv_nsec: stamp.tv_nsec });
    let wall = clock_gettime(ClockId::Realtime);
    let now = crate::clock::boottime();
    let age = stamp.and_then(|stamp| Duration::try_from(wall - stamp).ok()).filter(|age| *age < MAX_AGE);
    now.saturating_sub(age.and_then(|age| u64::try_from(age.as_nanos()).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
