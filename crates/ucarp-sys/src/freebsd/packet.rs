//! Packet sockets: whole Ethernet frames in and out of one link (`bpf(4)`).

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::bsd::capture::Records;
use crate::bsd::request;
use crate::filter::{self, Program};
pub use batch::Batch;

#[path = "../packet/batch.rs"]
mod batch;

/// Requests of net/bpf.h that libc does not have.
const BIOCSDIRECTION: libc::c_ulong = 0x8004_4277;
const BIOCLOCK: libc::c_ulong = 0x2000_427a;
/// `BPF_D_IN`: what this host sends is not heard.
const INCOMING: libc::c_uint = 0;
/// `DLT_EN10MB`.
const ETHERNET: libc::c_uint = 1;

/// What is read at once, at most: 2,700 advertisements. The kernel has two such buffers.
const LARGEST_BUFFER: u32 = 256 * 1024;
/// The least that is an Ethernet header.
const ETHERNET_HEADER: usize = 14;

/// Which frames a [`PacketSocket`] hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Ethernet type 0x0800.
    Ipv4,
    /// Ethernet type 0x86dd.
    Ipv6,
    /// Ethernet type 0x0806.
    Arp,
}

/// How [`PacketSocket::open_with`] opens a socket.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which frames it hears.
    pub family: Family,
    /// Whether the filter stays as it is for ever. If not, [`PacketSocket::replace_filter`] changes it.
    pub lock_filter: bool,
    /// How much memory frames may take while they wait: up to 256 KiB, and no more than `net.bpf.maxbufsize`. The kernel
    /// has two buffers of this size. An advertisement takes 96 octets.
    pub receive_buffer_bytes: Option<u32>,
}

/// A descriptor on one link that reads the frames of one family its filter lets through and sends frames of any kind.
///
/// It never blocks, is not inherited by scripts, and dies with the link.
pub struct PacketSocket {
    fd: OwnedFd,
    /// Where it was opened.
    family: Option<Family>,
    arrived: RefCell<Arrived>,
    /// What the kernel's counter said the last time.
    dropped: Cell<u32>,
}

/// What was read and not taken yet. The kernel gives a whole buffer at once, or nothing.
struct Arrived {
    buffer: Vec<u8>,
    length: usize,
    records: Records,
}

impl PacketSocket {
    /// Opens a socket for IPv4 on the link with this index. Its filter is locked: nobody, not this process either, can
    /// change it any more.
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
    /// `EACCES` for others than root, `ENXIO` if there is no such link, [`io::ErrorKind::Unsupported`] if it is not like
    /// Ethernet. A link that is down is none.
    pub fn open_with(ifindex: u32, filter: &Program, options: &Options) -> io::Result<PacketSocket> {
        let mut link = link_name(ifindex)?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = retry_on_intr(|| rustix::fs::open("/dev/bpf", flags, Mode::empty()))?;
        if let Some(bytes) = options.receive_buffer_bytes {
            // Before it is bound. The kernel takes what it allows.
            ask(&fd, libc::BIOCSBLEN, &mut bytes.min(LARGEST_BUFFER))?;
        }
        set_filter(&fd, libc::BIOCSETF, options.family, filter)?;
        ask(&fd, BIOCSDIRECTION, &mut { INCOMING })?;
        // Each frame wakes the reader, instead of a full buffer.
        ask(&fd, libc::BIOCIMMEDIATE, &mut 1)?;
        // Frames go out as they are, with the source address that is in them.
        ask(&fd, libc::BIOCSHDRCMPLT, &mut 1)?;
        ask(&fd, libc::BIOCSETIF, &mut link)?;
        let mut kind = 0;
        ask(&fd, libc::BIOCGDLT, &mut kind)?;
        if kind != ETHERNET {
            let problem = format!("interface {ifindex} has frames of type {kind} and not of Ethernet, {ETHERNET}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
        }
        if options.lock_filter {
            lock(&fd)?;
        }
        Ok(PacketSocket { family: Some(options.family), ..PacketSocket::from_fd(fd, ifindex, None) })
    }

    /// A socket on the link with this index that another process has opened with [`PacketSocket::open_with`]. Neither has
    /// to be known here.
    #[must_use]
    pub fn from_fd(fd: OwnedFd, _: u32, _: Option<Family>) -> PacketSocket {
        let arrived = Arrived { buffer: Vec::new(), length: 0, records: Records::default() };
        PacketSocket { fd, family: None, arrived: RefCell::new(arrived), dropped: Cell::new(0) }
    }

    /// Makes `filter` decide what is received from now on, in one step: no frame is lost, none is read twice, and what
    /// the old filter let through can still be read.
    ///
    /// # Errors
    ///
    /// `EPERM` if the filter is locked, [`io::ErrorKind::InvalidInput`] if another process has opened it.
    pub fn replace_filter(&self, filter: &Program) -> io::Result<()> {
        let family = self.family.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "only the process that opened a packet socket changes its filter",
            )
        })?;
        set_filter(&self.fd, libc::BIOCSETFNR, family, filter)
    }

    /// Locks the filter as it is, for everybody who has this socket.
    ///
    /// # Errors
    ///
    /// Those of `ioctl(2)`; none is known for an open packet socket.
    pub fn lock_filter(&self) -> io::Result<()> {
        lock(&self.fd)
    }

    /// Reads one frame from its Ethernet header on and returns its length; `None` if there is none waiting. What does
    /// not fit into `buffer` is lost, and the length is then that of the buffer.
    ///
    /// Whoever waits for this socket reads it to its end first: what was read ahead makes it not readable.
    ///
    /// # Errors
    ///
    /// `ENXIO` if the link is gone. One that is down is none: nothing comes.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut arrived = self.arrived.borrow_mut();
        loop {
            let Arrived { buffer: all, length, records } = &mut *arrived;
            if let Some(frame) = records.next(&all[..*length]) {
                let length = frame.len().min(buffer.len());
                buffer[..length].copy_from_slice(&frame[..length]);
                return Ok(Some(length));
            }
            if !self.read_more(&mut arrived)? {
                return Ok(None);
            }
        }
    }

    /// Reads the kernel's buffer. Whether there was something.
    fn read_more(&self, arrived: &mut Arrived) -> io::Result<bool> {
        if arrived.buffer.is_empty() {
            let mut bytes: libc::c_uint = 0;
            ask(&self.fd, libc::BIOCGBLEN, &mut bytes)?;
            // A read of any other length is refused.
            arrived.buffer = vec![0; usize::try_from(bytes).expect("a length fits")];
        }
        (arrived.length, arrived.records) = (0, Records::default());
        match retry_on_intr(|| rustix::io::read(&self.fd, &mut arrived.buffer[..])) {
            Ok(length) => arrived.length = length,
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(arrived.length > 0)
    }

    /// Sends one frame, which begins with its Ethernet header.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for less than an Ethernet header, `EMSGSIZE` for more than the link takes,
    /// `ENOBUFS` if the queue is full, `ENETDOWN` ([`io::ErrorKind::NetworkDown`]) if the link is down, `ENXIO` if it is
    /// gone.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        if frame.len() < ETHERNET_HEADER {
            let problem = format!("a frame of {} octets has no ethernet header", frame.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        retry_on_intr(|| rustix::io::write(&self.fd, frame))?;
        Ok(())
    }

    /// Reads as many frames as are waiting and fit into `batch`, and returns how many. Fewer than [`Batch::MOST`] means
    /// that there was not one more.
    ///
    /// # Errors
    ///
    /// Those of [`PacketSocket::recv`], unless frames have been received.
    pub fn recv_many(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut lengths = Vec::with_capacity(Batch::MOST);
        for room in batch.rooms() {
            match self.recv(room) {
                Ok(Some(length)) => lengths.push(length),
                Err(error) if lengths.is_empty() => return Err(error),
                // An error comes again: the link is gone.
                Ok(None) | Err(_) => break,
            }
        }
        let count = lengths.len();
        batch.filled(lengths);
        Ok(count)
    }

    /// Sends the first of these frames and returns how many: `bpf(4)` takes one at a time.
    ///
    /// # Errors
    ///
    /// Those of [`PacketSocket::send`].
    pub fn send_many<T: AsRef<[u8]>>(&self, frames: &[T]) -> io::Result<usize> {
        frames.first().map_or(Ok(0), |frame| self.send(frame.as_ref()).map(|()| 1))
    }

    /// How many frames that passed the filter were lost for want of room since the last call.
    ///
    /// # Errors
    ///
    /// Those of `ioctl(2)`; none is known for an open packet socket.
    pub fn dropped(&self) -> io::Result<u32> {
        let mut statistics = libc::bpf_stat { bs_recv: 0, bs_drop: 0 };
        ask(&self.fd, libc::BIOCGSTATS, &mut statistics)?;
        Ok(statistics.bs_drop.wrapping_sub(self.dropped.replace(statistics.bs_drop)))
    }

    /// A copy for another process, which can read and write frames with it and nothing else.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn share(&self) -> io::Result<OwnedFd> {
        let copy = self.fd.try_clone()?;
        limit(copy.as_fd())?;
        Ok(copy)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Takes all rights from a descriptor but to read, to write, to wait, and to ask for its length and its losses.
fn limit(fd: BorrowedFd<'_>) -> io::Result<()> {
    let requests = [libc::BIOCGBLEN, libc::BIOCGSTATS];
    // SAFETY: the structure is plain numbers, and made a valid one by the call that follows.
    let mut rights: libc::cap_rights_t = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is live, and a list of rights of this version ends with a 0 of their size.
    unsafe {
        libc::__cap_rights_init(
            libc::CAP_RIGHTS_VERSION,
            &raw mut rights,
            libc::CAP_READ,
            libc::CAP_WRITE,
            libc::CAP_EVENT,
            libc::CAP_IOCTL,
            0_u64,
        );
    }
    // SAFETY: the rights are those made just now.
    let limited = unsafe { libc::cap_rights_limit(fd.as_raw_fd(), &raw const rights) } == 0
        // SAFETY: the pointer and length are those of the list.
        && unsafe { libc::cap_ioctls_limit(fd.as_raw_fd(), requests.as_ptr(), requests.len()) } == 0;
    match io::Error::last_os_error() {
        _ if limited => Ok(()),
        // A kernel without capabilities.
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}

/// An `ifreq` with the name of the link of this index.
fn link_name(ifindex: u32) -> io::Result<[u8; 32]> {
    let mut name = [0; crate::bsd::NAME_BYTES];
    // SAFETY: the memory is as long as the longest name with its NUL.
    if unsafe { libc::if_indextoname(ifindex, name.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(request::named(name))
}

fn set_filter(fd: &OwnedFd, request: libc::c_ulong, family: Family, filter: &Program) -> io::Result<()> {
    let ethertype = match family {
        Family::Ipv4 => 0x0800,
        Family::Ipv6 => 0x86dd,
        Family::Arp => 0x0806,
    };
    let mut filter = filter::of_type(ethertype, filter);
    let mut program = libc::bpf_program {
        bf_len: libc::c_uint::try_from(filter.0.len()).expect("a filter has far fewer than 4,294,967,296 instructions"),
        bf_insns: filter.0.as_mut_ptr(),
    };
    ask(fd, request, &mut program)
}

fn lock(fd: &OwnedFd) -> io::Result<()> {
    ask(fd, BIOCLOCK, &mut ())
}

/// `ioctl(2)`. Every request here has its size in its number, which is that of `T`; pointers in it are to live memory.
fn ask<T>(fd: &OwnedFd, request: libc::c_ulong, value: &mut T) -> io::Result<()> {
    /// The part of a number that is a length.
    const LENGTH: libc::c_ulong = 0x1fff;
    assert_eq!(usize::try_from(request >> 16 & LENGTH), Ok(size_of::<T>()), "a request has a size");
    loop {
        // SAFETY: the kernel reads and writes as many bytes as the number says, which are those of `value`; the only one
        // with a pointer is a filter's, whose instructions live through the call.
        let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(value)) };
        if result >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
