//! Routing netlink: requests with their acknowledgement, dumps, and the socket of the link monitor.
//!
//! A socket belongs to the network namespace of the thread that opened it, for ever; which thread uses it later does not matter.

mod batch;

use std::io;
use std::time::Duration;

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags};

pub use batch::{Failure, Prepared};

/// The kernel answers inside `send`, so a wait for the answer ends at once; this only bounds the impossible.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Larger than the 32 KiB the kernel puts at most into one datagram of a dump.
const BUFFER_BYTES: usize = 64 * 1024;
/// How often a dump is repeated because the kernel's list changed while it was read.
const DUMP_ATTEMPTS: u32 = 8;
/// More than any host has links or addresses.
const MAX_MESSAGES: usize = 1 << 17;
/// In an acknowledgement the attributes follow the header of the request (`NETLINK_CAP_ACK`).
const NETLINK_HEADER_BYTES: usize = 16;
/// `NLMSGERR_ATTR_MSG`: the kernel's own words on what was wrong.
const EXTENDED_ACK_TEXT: u16 = 1;

/// Why a request failed. `request` is its rtnetlink name, such as `RTM_NEWADDR`.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel understood the request and refused it.
    #[error("{request} refused: {source}{detail}")]
    Refused {
        /// Which request.
        request: &'static str,
        /// The kernel's errno.
        source: io::Error,
        /// The kernel's words in brackets after a blank, or nothing.
        detail: String,
    },
    /// The socket failed, or the kernel did not answer.
    #[error("{request}: cannot talk to the kernel: {source}")]
    Socket {
        /// Which request.
        request: &'static str,
        /// What the socket reported.
        source: io::Error,
    },
    /// The answer is no netlink message, or not the one that was asked for.
    #[error("{request}: the kernel's answer cannot be read: {reason}")]
    Malformed {
        /// Which request.
        request: &'static str,
        /// What was wrong with it.
        reason: String,
    },
    /// The list changed each time it was read.
    #[error("{request}: the list changed during each of {DUMP_ATTEMPTS} attempts to read it")]
    Restless {
        /// Which request.
        request: &'static str,
    },
    /// The answer goes on and on. Drop the connection and open another.
    #[error("{request}: more than {MAX_MESSAGES} messages in one answer")]
    TooLong {
        /// Which request.
        request: &'static str,
    },
}

impl NetlinkError {
    /// The kernel's errno (positive, such as `libc::EEXIST`) if it refused the request, or that of the socket.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } | Self::Socket { source, .. } => source.raw_os_error(),
            Self::Malformed { .. } | Self::Restless { .. } | Self::TooLong { .. } => None,
        }
    }
}

/// A socket for requests to the kernel: one at a time, or several with one answer ([`Connection::request_all`]).
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
    /// Requests that go out together.
    requests: Vec<u8>,
}

/// What came back for one request.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    /// `NLM_F_DUMP_INTR` was seen.
    interrupted: bool,
    finished: bool,
}

impl Connection {
    /// Opens a connection in the calling thread's network namespace.
    ///
    /// # Errors
    /// Those of `socket(2)`: no descriptors left, or no netlink in this sandbox.
    pub fn open() -> io::Result<Connection> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(ANSWER_WITHIN))?;
        Ok(Connection { socket, sequence: 0, buffer: vec![0; BUFFER_BYTES], requests: Vec::new() })
    }

    /// The number by which the kernel names this connection to others.
    #[cfg(test)]
    pub(crate) fn port(&self) -> u32 {
        let mut address = SocketAddr::new(0, 0);
        self.socket.get_address(&mut address).unwrap();
        address.port_number()
    }

    /// Sends `message` and waits until the kernel has done it. `flags` are those beyond `NLM_F_REQUEST | NLM_F_ACK`,
    /// such as `NLM_F_CREATE | NLM_F_EXCL`.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with the errno and the kernel's words; the others tell of a broken socket.
    pub fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.exchange(message, flags | NLM_F_ACK).map(drop)
    }

    /// Asks for one object, such as the link of a name.
    ///
    /// # Errors
    /// As [`Connection::request`]; an object that does not exist is refused with `ENODEV` or `ENOENT`.
    pub fn get(&mut self, message: RouteNetlinkMessage) -> Result<RouteNetlinkMessage, NetlinkError> {
        let request = name(&message);
        let mut answer = self.exchange(message, NLM_F_ACK)?;
        answer.messages.pop().ok_or_else(|| NetlinkError::Malformed { request, reason: "it is empty".into() })
    }

    /// Asks for a whole list. Starts again when the kernel says that the list changed meanwhile. An entry that cannot be
    /// decoded is left out with a warning in the log: one strange interface must not hide the others.
    ///
    /// # Errors
    /// As [`Connection::request`], and [`NetlinkError::Restless`] when the list never keeps still.
    pub fn dump(&mut self, message: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let request = name(message);
        for _ in 0..DUMP_ATTEMPTS {
            let answer = self.exchange(message.clone(), NLM_F_DUMP)?;
            if !answer.interrupted {
                return Ok(answer.messages);
            }
        }
        Err(NetlinkError::Restless { request })
    }

    fn exchange(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<Answer, NetlinkError> {
        let request = name(&message);
        let broken = |source: Errno| NetlinkError::Socket { request, source: source.into() };
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        retry_on_intr(|| rustix::net::send(&self.socket, &bytes, SendFlags::empty())).map_err(broken)?;

        let mut answer = Answer::default();
        while !answer.finished {
            let (_, length) = retry_on_intr(|| rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC))
                .map_err(broken)?;
            let datagram = self.buffer.get(..length).ok_or_else(|| NetlinkError::Malformed {
                request,
                reason: format!("{length} bytes in one datagram"),
            })?;
            for bytes in split(datagram) {
                answer.take(bytes, self.sequence, request)?;
            }
        }
        Ok(answer)
    }
}

impl Answer {
    fn take(&mut self, bytes: &[u8], sequence: u32, request: &'static str) -> Result<(), NetlinkError> {
        if NetlinkBuffer::new(bytes).sequence_number() != sequence {
            // The rest of an answer that was given up earlier.
            return Ok(());
        }
        let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
            Ok(message) => message,
            Err(error) => {
                log::warn!("{request}: left out an entry that cannot be decoded: {error}");
                return Ok(());
            }
        };
        self.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) if self.messages.len() < MAX_MESSAGES => self.messages.push(inner),
            NetlinkPayload::InnerMessage(_) => return Err(NetlinkError::TooLong { request }),
            NetlinkPayload::Error(error) => {
                self.finished = true;
                if error.code.is_some() {
                    let detail = extended_text(&error, message.header.flags);
                    return Err(NetlinkError::Refused { request, source: error.to_io(), detail });
                }
            }
            NetlinkPayload::Done(done) => {
                self.finished = true;
                if done.code < 0 {
                    let source = io::Error::from_raw_os_error(done.code.saturating_neg());
                    return Err(NetlinkError::Refused { request, source, detail: String::new() });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Opens a nonblocking socket for the kernel's announcements; it hears none before it joins their groups.
pub(crate) fn open_monitor() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

/// Receives one datagram of a nonblocking socket. The length may exceed that of `buffer`: then the datagram was cut.
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
    retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::TRUNC)).map(|(_, length)| length)
}

/// The messages of one datagram; ends at the first that is not whole.
pub(crate) fn split(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(NetlinkBuffer::new_checked(rest).ok()?.length()).ok()?;
        let message = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The kernel's words on what was wrong with a request, in brackets after a blank.
fn extended_text(error: &ErrorMessage, flags: u16) -> String {
    if flags & NLM_F_ACK_TLVS == 0 {
        return String::new();
    }
    NlasIterator::new(error.header.get(NETLINK_HEADER_BYTES..).unwrap_or_default())
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == EXTENDED_ACK_TEXT)
        .map(|attribute| format!(" ({})", String::from_utf8_lossy(attribute.value()).trim_end_matches('\0')))
        .unwrap_or_default()
}

/// The rtnetlink name of a request, for errors.
fn name(message: &RouteNetlinkMessage) -> &'static str {
    match message {
        RouteNetlinkMessage::NewLink(_) => "RTM_NEWLINK",
        RouteNetlinkMessage::DelLink(_) => "RTM_DELLINK",
        RouteNetlinkMessage::GetLink(_) => "RTM_GETLINK",
        RouteNetlinkMessage::SetLink(_) => "RTM_SETLINK",
        RouteNetlinkMessage::NewAddress(_) => "RTM_NEWADDR",
        RouteNetlinkMessage::DelAddress(_) => "RTM_DELADDR",
        RouteNetlinkMessage::GetAddress(_) => "RTM_GETADDR",
        RouteNetlinkMessage::NewRoute(_) => "RTM_NEWROUTE",
        RouteNetlinkMessage::DelRoute(_) => "RTM_DELROUTE",
        RouteNetlinkMessage::GetRoute(_) => "RTM_GETROUTE",
        RouteNetlinkMessage::NewNeighbour(_) => "RTM_NEWNEIGH",
        RouteNetlinkMessage::DelNeighbour(_) => "RTM_DELNEIGH",
        RouteNetlinkMessage::GetNeighbour(_) => "RTM_GETNEIGH",
        RouteNetlinkMessage::NewQueueDiscipline(_) => "RTM_NEWQDISC",
        RouteNetlinkMessage::DelQueueDiscipline(_) => "RTM_DELQDISC",
        _ => "netlink request",
    }
}

#[cfg(test)]
mod tests;
