//! Messages between two processes of the daemon.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, RecvMsg, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};

#[cfg(test)]
mod tests;

/// The longest message, in bytes.
pub const LONGEST: usize = 60 * 1024;

/// How many descriptors can go with one message.
pub const MOST_FDS: usize = 4;

/// What one end may have sent that the other has not received yet, in bytes. The kernel grants twice the figure and
/// counts its own overhead: this holds 16 messages of [`LONGEST`] bytes or 1,366 of 100 (measured).
const IN_FLIGHT: usize = 512 * 1024;

/// Room for the descriptors of one message, in bytes.
const RIGHTS: usize = rustix::cmsg_space!(ScmRights(MOST_FDS));

/// One end of a channel. What is sent at one end is received at the other, message by message, complete, in order, once.
///
/// It never blocks, holds a bounded number of messages and is not inherited by scripts. After a fork each process drops
/// the end that is not its own; then either learns that the other is gone ([`Received::Closed`]) after it has received
/// everything that was sent before.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

/// What [`Channel::recv`] found.
#[derive(Debug)]
pub enum Received {
    /// Nothing waits to be received.
    Nothing,
    /// The other end was closed, and nothing that was sent before is left.
    Closed,
    /// A message.
    Message {
        /// How many bytes of the buffer it fills; at least 1.
        length: usize,
        /// What was sent along. Scripts do not inherit these descriptors.
        fds: Vec<OwnedFd>,
    },
}

impl Channel {
    /// The two ends of a new channel.
    ///
    /// 16 of the longest messages can be under way in each direction. Without `CAP_NET_ADMIN`, `net.core.wmem_max` sets a
    /// limit; its usual 212,992 bytes are enough for 256 KiB of them.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        for socket in [&one, &other] {
            make_room(socket)?;
        }
        Ok((Channel { socket: one }, Channel { socket: other }))
    }

    /// The same end again. It is closed when all copies are.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<Channel> {
        Ok(Channel { socket: self.socket.try_clone()? })
    }

    /// Sends one message, and copies of these descriptors with it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when the other end has too much to receive yet, [`io::ErrorKind::BrokenPipe`] when
    /// it is closed, [`io::ErrorKind::InvalidInput`] for a message of no byte (it would look like the end of the
    /// channel) or of more than [`LONGEST`], or for more than [`MOST_FDS`] descriptors. Nothing was sent then.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if bytes.is_empty() || bytes.len() > LONGEST || fds.len() > MOST_FDS {
            let problem = format!(
                "a message of {} bytes with {} descriptors: 1 to {LONGEST} bytes and at most {MOST_FDS} descriptors can \
                 be sent at once",
                bytes.len(),
                fds.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let mut space = [MaybeUninit::uninit(); RIGHTS];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            let fits = control.push(SendAncillaryMessage::ScmRights(fds));
            assert!(fits, "the space is made for as many descriptors as are allowed");
        }
        // From FreeBSD 15 on a message ends where the sender says so, and otherwise the next one is read with it.
        let flags = SendFlags::NOSIGNAL | SendFlags::EOR;
        let mut send = || rustix::net::sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, flags);
        let sent = match retry_on_intr(&mut send) {
            // It is said once if the other end was closed with messages in it.
            Err(Errno::CONNRESET) => retry_on_intr(send)?,
            // FreeBSD's word for a full queue.
            Err(Errno::NOBUFS) => return Err(io::ErrorKind::WouldBlock.into()),
            other => other?,
        };
        if sent < bytes.len() {
            // Nothing can be said any more that would not be taken for the rest of this message.
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    /// Receives the next message, with its descriptors. [`LONGEST`] bytes of buffer are enough for all messages of a
    /// [`Channel`].
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if the message does not fit into the buffer, or if its descriptors are more than
    /// [`MOST_FDS`] or than this process may open. That message is lost, and all its descriptors are closed; the
    /// channel can be used on.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); RIGHTS];
        self.recv_with(buffer, RecvAncillaryBuffer::new(&mut space))
    }

    /// Receives the next message from an end that has no business sending descriptors. They never get into this
    /// process: the kernel closes them.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if the message does not fit into the buffer, or if descriptors were sent along.
    /// That message is lost; the channel can be used on.
    pub fn recv_bytes(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.recv_with(buffer, RecvAncillaryBuffer::default())
    }

    fn recv_with(&self, buffer: &mut [u8], mut control: RecvAncillaryBuffer<'_>) -> io::Result<Received> {
        let size = buffer.len();
        let message = match self.recv_message(buffer, &mut control) {
            // It is said once if the other end was closed with messages in it; what came from there is still here.
            Err(Errno::CONNRESET) => self.recv_message(buffer, &mut control),
            other => other,
        };
        let message = match message {
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            other => other?,
        };
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(lost(format!("a message is longer than the buffer of {size} bytes")));
        }
        let rights = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let fds: Vec<OwnedFd> = rights.flatten().collect();
        // The room is rounded up, so that a few too many can get through.
        if message.flags.contains(ReturnFlags::CTRUNC) || fds.len() > MOST_FDS {
            return Err(lost("a message has more descriptors than can be taken".to_owned()));
        }
        if message.bytes == 0 {
            return Ok(Received::Closed);
        }
        Ok(Received::Message { length: message.bytes, fds })
    }

    fn recv_message(&self, buffer: &mut [u8], control: &mut RecvAncillaryBuffer<'_>) -> Result<RecvMsg, Errno> {
        let mut parts = [IoSliceMut::new(buffer)];
        retry_on_intr(|| rustix::net::recvmsg(&self.socket, &mut parts, control, RecvFlags::CMSG_CLOEXEC))
    }
}

/// Readable when there is a message or the other end was closed.
impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Makes room for what is under way from this end.
#[cfg(target_os = "linux")]
fn make_room(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::set_socket_send_buffer_size_force(socket, IN_FLIGHT)
        .or_else(|_| sockopt::set_socket_send_buffer_size(socket, IN_FLIGHT))
}

/// Makes room for what is under way from and to this end: the receiver's counts on FreeBSD, and the sender's too. What
/// the kernel allows is `kern.ipc.maxsockbuf`, 2 MiB unless somebody changed it.
#[cfg(target_os = "freebsd")]
fn make_room(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::set_socket_recv_buffer_size(socket, IN_FLIGHT)?;
    sockopt::set_socket_send_buffer_size(socket, IN_FLIGHT)
}

fn lost(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
