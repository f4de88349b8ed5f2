//! Many requests with one system call, and errors that name the object.

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags};

use super::{Connection, NetlinkError, extended_text, name, split};
use crate::link::{self, Link};

/// How many requests go to the kernel together. If it refuses them all, its answers have to wait in the receive buffer:
/// those of 256 fit into the usual 212,992 octets, those of 512 do not. Renewing 255 addresses at once was not measurably
/// faster.
const MOST_AT_ONCE: usize = 128;
/// Requests are aligned to this (`NLMSG_ALIGNTO`).
const ALIGNMENT: usize = 4;

/// What could not be done, and why.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct Failure {
    /// What was asked for and of which object, such as `adding 192.0.2.1/32 to eth0`.
    pub what: String,
    /// Why it was not done.
    pub source: NetlinkError,
}

impl Failure {
    /// As [`NetlinkError::errno`].
    pub fn errno(&self) -> Option<i32> {
        self.source.errno()
    }
}

/// A request as the kernel gets it, to be made as often as one likes: writing it takes longer than sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    name: &'static str,
    /// Padded, and without a sequence number.
    bytes: Vec<u8>,
}

impl Prepared {
    /// `flags` are those beyond `NLM_F_REQUEST | NLM_F_ACK`, as in [`Connection::request`].
    pub fn new(message: RouteNetlinkMessage, flags: u16) -> Prepared {
        let name = name(&message);
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        packet.finalize();
        let length = packet.buffer_len();
        let mut bytes = vec![0; length.next_multiple_of(ALIGNMENT)];
        packet.serialize(&mut bytes[..length]);
        Prepared { name, bytes }
    }
}

impl Connection {
    /// Carries out `messages` in their order and returns the outcome of each in the same order. One that is refused does
    /// not keep the kernel from the next. `flags` are those beyond `NLM_F_REQUEST | NLM_F_ACK`, as in
    /// [`Connection::request`].
    ///
    /// If the socket fails in between, all requests whose outcome is not known report that.
    pub fn request_all(&mut self, messages: Vec<RouteNetlinkMessage>, flags: u16) -> Vec<Result<(), NetlinkError>> {
        let requests: Vec<_> = messages.into_iter().map(|message| Prepared::new(message, flags)).collect();
        let mut outcomes: Vec<_> = requests.iter().map(|_| Ok(())).collect();
        for (number, error) in self.request_prepared(&requests) {
            outcomes[number] = Err(error);
        }
        outcomes
    }

    /// As [`Connection::request_all`], for requests that are made again and again: returns only what went wrong, each with
    /// the number of its request, from 0, ascending. No memory is taken as long as nothing goes wrong.
    pub fn request_prepared<'a>(
        &mut self,
        requests: impl IntoIterator<Item = &'a Prepared>,
    ) -> Vec<(usize, NetlinkError)> {
        let mut errors = Vec::new();
        let mut requests = requests.into_iter().peekable();
        let mut before = 0;
        while requests.peek().is_some() {
            let mut batch = Batch::default();
            let broken = self.converse(&mut batch, requests.by_ref().take(MOST_AT_ONCE)).err();
            if let Some(errno) = broken {
                batch.give_up(errno);
            }
            errors.extend(batch.errors.into_iter().map(|(number, error)| (before + number, error)));
            before += batch.count;
        }
        errors
    }

    /// Sends at most [`MOST_AT_ONCE`] requests in one datagram. Only the last asks for an acknowledgement: the kernel
    /// answers a refused request in any case, and it answers in order.
    fn converse<'a>(&mut self, batch: &mut Batch, requests: impl Iterator<Item = &'a Prepared>) -> Result<(), Errno> {
        batch.first = self.sequence.wrapping_add(1);
        self.requests.clear();
        let mut last = 0;
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            batch.names[batch.count] = request.name;
            batch.count += 1;
            last = self.requests.len();
            self.requests.extend_from_slice(&request.bytes);
            NetlinkBuffer::new(&mut self.requests[last..]).set_sequence_number(self.sequence);
        }
        let mut header = NetlinkBuffer::new(&mut self.requests[last..]);
        header.set_flags(header.flags() | NLM_F_ACK);
        retry_on_intr(|| rustix::net::send(&self.socket, &self.requests, SendFlags::empty()))?;
        while !batch.finished {
            let (_, length) =
                retry_on_intr(|| rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC))?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            split(datagram).for_each(|answer| batch.take(answer));
        }
        Ok(())
    }

    /// The name of an interface for an error message, or its index if it has none any more.
    pub(crate) fn interface_name(&mut self, index: u32) -> String {
        let message = link::describe(self, index).ok().flatten();
        let link = message.as_ref().and_then(Link::from_message);
        link.map_or_else(|| format!("interface {index}"), |link| link.name)
    }
}

/// One datagram of requests, and what has come of them.
struct Batch {
    /// The sequence number of the first.
    first: u32,
    count: usize,
    names: [&'static str; MOST_AT_ONCE],
    /// Those that were refused, ascending.
    errors: Vec<(usize, NetlinkError)>,
    /// The last one was answered, so there will be no more.
    finished: bool,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { first: 0, count: 0, names: [""; MOST_AT_ONCE], errors: Vec::new(), finished: false }
    }
}

impl Batch {
    fn take(&mut self, bytes: &[u8]) {
        // Anything beyond the end is the rest of an answer that was given up earlier.
        let number = NetlinkBuffer::new(bytes).sequence_number().wrapping_sub(self.first);
        let Some(number) = usize::try_from(number).ok().filter(|number| *number < self.count) else { return };
        let request = self.names[number];
        let refused = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
            Err(error) => Some(NetlinkError::Malformed { request, reason: error.to_string() }),
            Ok(message) => match message.payload {
                NetlinkPayload::Error(error) if error.code.is_none() => None,
                NetlinkPayload::Error(error) => {
                    let detail = extended_text(&error, message.header.flags);
                    Some(NetlinkError::Refused { request, source: error.to_io(), detail })
                }
                // What a request with NLM_F_ECHO has brought about.
                _ => return,
            },
        };
        self.errors.extend(refused.map(|error| (number, error)));
        self.finished |= number + 1 == self.count;
    }

    /// The conversation broke off: what became of the requests that were not refused is not known.
    fn give_up(&mut self, errno: Errno) {
        for (number, request) in self.names[..self.count].iter().enumerate() {
            if self.errors.get(number).is_none_or(|(refused, _)| *refused != number) {
                self.errors.insert(number, (number, NetlinkError::Socket { request, source: errno.into() }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
