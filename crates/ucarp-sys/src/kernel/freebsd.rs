//! FreeBSD: sockets for interface requests, and the process that ends leases.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::bsd::leases::Place;
use crate::bsd::request::Request;
use crate::bsd::routing::Snapshot;
use expiry::Expiry;

#[path = "../freebsd/expiry.rs"]
mod expiry;

/// How often a list is read again because it has grown while it was read.
const ATTEMPTS: u32 = 8;

/// Room for what a list may grow by while it is read.
const SLACK: usize = 4096;

/// Why the kernel could not be asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The list of interfaces and addresses cannot be read.
    #[error("cannot list interfaces and addresses: {0}")]
    List(#[source] io::Error),
    /// The kernel understood the request and refused it.
    #[error("{request} refused: {source}")]
    Refused {
        /// Which request.
        request: &'static str,
        /// The kernel's errno.
        source: io::Error,
    },
    /// This system cannot do it.
    #[error("FreeBSD has no {0}")]
    Unsupported(&'static str),
}

impl KernelError {
    /// The kernel's errno.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::List(source) | Self::Refused { source, .. } => source.raw_os_error(),
            Self::Unsupported(_) => None,
        }
    }
}

/// What could not be done, and why.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct Failure {
    /// What was asked for and of which object, such as `adding 192.0.2.1/32 to em0`.
    pub what: String,
    /// Why it was not done.
    pub source: KernelError,
}

impl Failure {
    /// As [`KernelError::errno`].
    pub fn errno(&self) -> Option<i32> {
        self.source.errno()
    }
}

/// The way to the kernel.
#[derive(Debug)]
pub struct Connection {
    requests: Requests,
    expiry: Expiry,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// Those of `socket(2)`: no descriptors left.
    pub fn open() -> io::Result<Connection> {
        Ok(Connection { requests: Requests::open()?, expiry: Expiry::default() })
    }

    /// All interfaces and addresses.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, KernelError> {
        snapshot().map_err(KernelError::List)
    }

    /// Carries a request out; its answer is in its bytes.
    pub(crate) fn request(&self, request: &mut Request) -> io::Result<()> {
        self.requests.carry_out(request)
    }

    /// Sees to it that addresses go when their time is over, whatever becomes of this process; zero is not any more.
    pub(crate) fn expire(&mut self, leases: &[(Place, Duration)]) {
        self.expiry.tell(leases);
    }
}

/// Sockets that interface requests are made on, one for each family.
#[derive(Debug)]
struct Requests {
    v4: OwnedFd,
    /// `None` in a kernel without IPv6.
    v6: Option<OwnedFd>,
}

impl Requests {
    fn open() -> io::Result<Requests> {
        let open = |family| rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
        Ok(Requests { v4: open(AddressFamily::INET)?, v6: open(AddressFamily::INET6).ok() })
    }

    fn carry_out(&self, request: &mut Request) -> io::Result<()> {
        let socket = if request.is_of_ipv6() { self.v6.as_ref() } else { Some(&self.v4) };
        let socket = socket.ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
        // SAFETY: the number says how many bytes the kernel reads and writes, and there are that many (`Request::new`).
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), request.number(), request.bytes_mut().as_mut_ptr()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// All interfaces and addresses, at one moment.
pub(crate) fn snapshot() -> io::Result<Snapshot> {
    let name = [libc::CTL_NET, libc::PF_ROUTE, 0, 0, libc::NET_RT_IFLIST, 0];
    let mut list = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut length = 0;
        sysctl(&name, &mut [], &mut length)?;
        list.resize(length + SLACK, 0);
        length = list.len();
        match sysctl(&name, &mut list, &mut length) {
            Ok(()) => return Ok(Snapshot::from_list(&list[..length.min(list.len())])),
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("the list grew during each of {ATTEMPTS} attempts to read it")))
}

/// Reads what `name` stands for into `memory`, or only how long it is if that is empty.
fn sysctl(name: &[libc::c_int], memory: &mut [u8], length: &mut usize) -> io::Result<()> {
    let count = libc::c_uint::try_from(name.len()).expect("names are short");
    let to = if memory.is_empty() { std::ptr::null_mut() } else { memory.as_mut_ptr().cast() };
    // SAFETY: the name and its length belong together; the memory is as long as `length` says or null; nothing is set.
    let result = unsafe { libc::sysctl(name.as_ptr(), count, to, length, std::ptr::null(), 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
