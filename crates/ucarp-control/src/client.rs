//! A client that waits for its replies.

use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::calls::Call;
use crate::framing::{FramingError, LONGEST_REPLY, Messages, Reply, Request};
use crate::refusal::Refusal;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or not for us.
    #[error("unable to connect to {}: {source}{}", .path.display(), remedy(.source))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The daemon says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There was no answer in time. The connection can be used on, unless it was in the middle of sending.
    #[error("the daemon has not answered in time")]
    TimedOut,
    /// The daemon has closed the connection.
    #[error("the daemon has closed the connection")]
    Closed,
    /// The connection failed, or something else than replies came.
    #[error(transparent)]
    Framing(FramingError),
    /// There are replies to an earlier call that were not read.
    #[error(
        "replies to an earlier call are still to come: use a connection of its own for each call of several replies"
    )]
    Unfinished,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => " (does the daemon run, with a control socket there?)",
        io::ErrorKind::ConnectionRefused => " (the daemon that has made it does not run any more)",
        io::ErrorKind::PermissionDenied => " (for root and members of the socket's group only)",
        io::ErrorKind::WouldBlock => " (the daemon does not take new connections)",
        _ => "",
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl From<FramingError> for Error {
    fn from(error: FramingError) -> Self {
        match error {
            error if error.is_timeout() => Self::TimedOut,
            FramingError::Io(error) if is_gone(&error) => Self::Closed,
            error => Self::Framing(error),
        }
    }
}

/// A connection to a daemon, or to whatever answers like one.
#[derive(Debug)]
pub struct Client<S> {
    messages: Messages<S>,
    /// Replies are to come.
    is_waiting: bool,
}

impl Client<UnixStream> {
    /// Connects to the socket of a daemon. No wait is longer than `timeout`, which must not be zero.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`].
    pub fn connect(path: impl AsRef<Path>, timeout: Duration) -> Result<Self, Error> {
        let path = path.as_ref();
        let stream =
            connect(path, timeout).map_err(|source| Error::Connect { path: path.to_owned(), source: source.into() })?;
        let client = Self::new(stream);
        client.set_timeout(Some(timeout)).map_err(|source| Error::Connect { path: path.to_owned(), source })?;
        Ok(client)
    }

    /// How long to wait for a reply from now on; `None`: for ever, as one who follows events wants it.
    ///
    /// # Errors
    ///
    /// `Some` of zero.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.messages.stream().set_read_timeout(timeout)?;
        self.messages.stream().set_write_timeout(timeout)
    }
}

/// A daemon that is stopped has a queue of connections that is full at some time: without a limit this would wait for it.
fn connect(path: &Path, timeout: Duration) -> rustix::io::Result<UnixStream> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    let address = SocketAddrUnix::new(path)?;
    retry_on_intr(|| rustix::net::connect(&socket, &address))?;
    Ok(socket.into())
}

impl<S: Read + Write> Client<S> {
    /// A client over a stream that blocks.
    pub fn new(stream: S) -> Self {
        Self { messages: Messages::new(stream, LONGEST_REPLY), is_waiting: false }
    }

    /// What it all goes over.
    pub fn stream(&self) -> &S {
        self.messages.stream()
    }

    /// Calls a method that has one reply.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn call<C: Call>(&mut self, call: &C) -> Result<C::Reply, Error> {
        self.send(call, false)?;
        self.reply::<C>()
    }

    /// Calls a method that has several replies.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn call_more<C: Call>(&mut self, call: &C) -> Result<Replies<'_, S, C>, Error> {
        self.send(call, true)?;
        Ok(Replies { client: self, call: PhantomData })
    }

    fn send<C: Call>(&mut self, call: &C, more: bool) -> Result<(), Error> {
        if self.is_waiting {
            return Err(Error::Unfinished);
        }
        let request = Request { more, ..Request::new(call).map_err(FramingError::from)? };
        self.messages.send(&request)?;
        self.is_waiting = true;
        Ok(())
    }

    fn reply<C: Call>(&mut self) -> Result<C::Reply, Error> {
        let reply: Reply = self.messages.receive()?.ok_or(Error::Closed)?;
        self.is_waiting = reply.continues;
        if let Some(error) = reply.error {
            self.is_waiting = false;
            return Err(Refusal::from_reply(&error, reply.parameters).into());
        }
        let parameters = reply.parameters.unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()));
        Ok(serde_json::from_value(parameters).map_err(FramingError::from)?)
    }
}

/// The replies to one call. After [`Error::TimedOut`] one can go on to wait; each other error is the last item.
#[derive(Debug)]
pub struct Replies<'a, S, C> {
    client: &'a mut Client<S>,
    call: PhantomData<C>,
}

impl<S: Read + Write, C: Call> Replies<'_, S, C> {
    /// The connection, to change its timeout.
    pub fn client(&self) -> &Client<S> {
        self.client
    }
}

impl<S: Read + Write, C: Call> Iterator for Replies<'_, S, C> {
    type Item = Result<C::Reply, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.client.is_waiting {
            return None;
        }
        let reply = self.client.reply::<C>();
        if reply.as_ref().is_err_and(|error| !matches!(error, Error::TimedOut)) {
            self.client.is_waiting = false;
        }
        Some(reply)
    }
}
