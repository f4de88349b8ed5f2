//! FreeBSD: a routing socket.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, sockopt};

use super::Event;
use crate::bsd::routing::{events, messages};
use crate::{kernel, socket_option};

/// The kernel tells of one change per message, of a few hundred bytes.
const BUFFER_BYTES: usize = 8 * 1024;
/// What may wait: some hundreds of changes.
const WAITING_BYTES: usize = 256 * 1024;
/// What one call of [`Monitor::read`] takes at most, so that a storm of changes cannot keep the caller from its timers.
const MAX_MESSAGES: usize = 1024;
/// `SO_RERROR` of sys/socket.h: whether lost messages are told of. Since FreeBSD 14.
const TELL_OF_LOSSES: libc::c_int = 0x0002_0000;

/// Who asked the kernel for a change, which FreeBSD does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requester {}

impl fmt::Display for Requester {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// A nonblocking socket that becomes readable when an interface or an address changes.
#[derive(Debug)]
pub struct Monitor {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Starts to listen. Open it before looking at the present state, so that no change falls between the two.
    ///
    /// # Errors
    /// Those of `socket(2)`: no descriptors left.
    pub fn open() -> io::Result<Monitor> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::ROUTE, SocketType::RAW, flags, None)?;
        // Less room means more to look for anew.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, WAITING_BYTES);
        // Not before FreeBSD 14, which loses messages in silence.
        let _ = socket_option::set_number(socket.as_fd(), libc::SOL_SOCKET, TELL_OF_LOSSES, 1);
        Ok(Monitor { socket, buffer: vec![0; BUFFER_BYTES] })
    }

    /// One that hears nothing before it is told to, which a routing socket cannot do.
    ///
    /// # Errors
    /// `ENOTSUP`, always.
    pub fn prepare() -> io::Result<Monitor> {
        Err(Errno::NOTSUP.into())
    }

    /// Hears from now on what becomes of addresses, as it has done before.
    ///
    /// # Errors
    /// None.
    pub fn hear_addresses(&self) -> io::Result<()> {
        Ok(())
    }

    /// The changes that have arrived; empty if there are none that matter. If very many wait, the socket stays readable
    /// and the next call has the rest.
    ///
    /// # Errors
    /// A broken socket, or a list that cannot be read. Lost changes are no error but [`Event::Overrun`].
    pub fn read(&mut self) -> io::Result<Vec<Event>> {
        let (mut told, mut lost) = (Vec::new(), false);
        for _ in 0..MAX_MESSAGES {
            match retry_on_intr(|| rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())) {
                Ok((_, length)) => told.extend(messages(&self.buffer[..length.min(self.buffer.len())])),
                Err(Errno::AGAIN) => break,
                Err(Errno::NOBUFS) => lost = true,
                Err(error) => return Err(error.into()),
            }
        }
        let mut all = if told.is_empty() { Vec::new() } else { events(&told, &kernel::snapshot()?) };
        if lost {
            all.push(Event::Overrun);
        }
        Ok(all)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
