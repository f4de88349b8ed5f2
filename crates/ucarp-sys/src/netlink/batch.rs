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

impl Connection {
    /// Carries out `messages` in their order and returns the outcome of each in the same order. One that is refused does
    /// not keep the kernel from the next. `flags` are those beyond `NLM_F_REQUEST | NLM_F_ACK`, as in
    /// [`Connection::request`].
    ///
    /// If the socket fails in between, all requests whose outcome is not known report that.
    pub fn request_all(&mut self, messages: Vec<RouteNetlinkMessage>, flags: u16) -> Vec<Result<(), NetlinkError>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            outcomes.extend(self.batch(messages.by_ref().take(MOST_AT_ONCE).collect(), flags));
        }
        outcomes
    }

    /// At most [`MOST_AT_ONCE`] requests in one datagram. Only the last asks for an acknowledgement: the kernel answers
    /// a refused request in any case, and it answers in order.
    fn batch(&mut self, messages: Vec<RouteNetlinkMessage>, flags: u16) -> Vec<Result<(), NetlinkError>> {
        let first = self.sequence.wrapping_add(1);
        let names: Vec<&'static str> = messages.iter().map(name).collect();
        let mut bytes = Vec::new();
        let last = messages.len().saturating_sub(1);
        for (number, message) in messages.into_iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let mut header = NetlinkHeader::default();
            header.flags = flags | NLM_F_REQUEST | if number == last { NLM_F_ACK } else { 0 };
            header.sequence_number = self.sequence;
            append(&mut bytes, header, message);
        }
        let mut batch = Batch { first, outcomes: names.iter().map(|_| None).collect(), finished: false };
        let broken = self.converse(&bytes, &mut batch, &names).err();
        let outcomes = batch.outcomes.into_iter().zip(names);
        outcomes.map(|(outcome, request)| settle(outcome, broken.as_ref(), request)).collect()
    }

    fn converse(&mut self, bytes: &[u8], batch: &mut Batch, names: &[&'static str]) -> Result<(), Errno> {
        retry_on_intr(|| rustix::net::send(&self.socket, bytes, SendFlags::empty()))?;
        while !batch.finished {
            let (_, length) =
                retry_on_intr(|| rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC))?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            split(datagram).for_each(|answer| batch.take(answer, names));
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

/// The outcomes of one datagram of requests.
struct Batch {
    /// The sequence number of the first.
    first: u32,
    /// `Some` for each request that the kernel answered.
    outcomes: Vec<Option<Result<(), NetlinkError>>>,
    /// The last one was answered, so there will be no more.
    finished: bool,
}

impl Batch {
    fn take(&mut self, bytes: &[u8], names: &[&'static str]) {
        // Anything beyond the end is the rest of an answer that was given up earlier.
        let number = NetlinkBuffer::new(bytes).sequence_number().wrapping_sub(self.first);
        let Some(number) = usize::try_from(number).ok().filter(|number| *number < names.len()) else { return };
        let request = names[number];
        let outcome = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
            Err(error) => Err(NetlinkError::Malformed { request, reason: error.to_string() }),
            Ok(message) => match message.payload {
                NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
                NetlinkPayload::Error(error) => {
                    let detail = extended_text(&error, message.header.flags);
                    Err(NetlinkError::Refused { request, source: error.to_io(), detail })
                }
                // What a request with NLM_F_ECHO has brought about.
                _ => return,
            },
        };
        self.outcomes[number] = Some(outcome);
        self.finished |= number + 1 == names.len();
    }
}

/// A request without an answer was carried out, unless the conversation broke off before the last answer.
fn settle(
    outcome: Option<Result<(), NetlinkError>>,
    broken: Option<&Errno>,
    request: &'static str,
) -> Result<(), NetlinkError> {
    match (outcome, broken) {
        (Some(outcome), _) => outcome,
        (None, None) => Ok(()),
        (None, Some(errno)) => Err(NetlinkError::Socket { request, source: (*errno).into() }),
    }
}

fn append(bytes: &mut Vec<u8>, header: NetlinkHeader, message: RouteNetlinkMessage) {
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    packet.finalize();
    let start = bytes.len();
    let end = start + packet.buffer_len();
    bytes.resize(end.next_multiple_of(ALIGNMENT), 0);
    packet.serialize(&mut bytes[start..end]);
}

#[cfg(test)]
mod tests;
