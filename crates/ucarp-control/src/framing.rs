//! How messages are written: JSON objects, each ended by a NUL.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calls::Call;
use crate::refusal::Refusal;

/// What ends a message.
pub const END: u8 = 0;

/// The longest request that the daemon reads, in bytes.
pub const LONGEST_REQUEST: usize = 16 * 1024;

/// The longest reply that a client reads, in bytes: the configuration of a few thousand virtual hosts.
pub const LONGEST_REPLY: usize = 16 * 1024 * 1024;

/// How much is read at once, in bytes.
const CHUNK: usize = 4096;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The full name of a method.
    pub method: String,
    /// Its parameters: an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether several replies are welcome.
    #[serde(default, skip_serializing_if = "is_not")]
    pub more: bool,
    /// Whether no reply is wanted.
    #[serde(default, skip_serializing_if = "is_not")]
    pub oneway: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_not(flag: &bool) -> bool {
    !flag
}

impl Request {
    /// A request of one reply.
    ///
    /// # Errors
    ///
    /// The parameters are nothing that JSON can say.
    pub fn new<C: Call>(call: &C) -> serde_json::Result<Self> {
        let parameters = Some(serde_json::to_value(call)?);
        Ok(Self { method: C::METHOD.to_owned(), parameters, more: false, oneway: false })
    }

    /// The parameters as those of the method `C`.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidParameter`].
    pub fn parameters<C: Call>(&self) -> Result<C, Refusal> {
        let parameters = self.parameters.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        serde_json::from_value(parameters).map_err(|error| Refusal::InvalidParameter { parameter: error.to_string() })
    }
}

/// What a service answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What was asked for, or what comes with an error: an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether there is another reply to the same request.
    #[serde(default, skip_serializing_if = "is_not")]
    pub continues: bool,
    /// The full name of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A reply as it is sent, with its NUL.
///
/// # Errors
///
/// The parameters are nothing that JSON can say.
pub fn reply(parameters: &impl Serialize, continues: bool) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Written<'a, T> {
        parameters: &'a T,
        #[serde(skip_serializing_if = "is_not")]
        continues: bool,
    }
    ended(&Written { parameters, continues })
}

/// An error as it is sent, with its NUL.
///
/// # Errors
///
/// [`Refusal::Other`] is for those who receive it.
pub fn refuse(refusal: &Refusal) -> serde_json::Result<Vec<u8>> {
    ended(refusal)
}

fn ended(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(END);
    Ok(bytes)
}

/// A message is longer than it may be. What follows it cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {longest} bytes")]
pub struct TooLong {
    longest: usize,
}

/// Finds the messages in what is read.
#[derive(Debug)]
pub struct Splitter {
    longest: usize,
    bytes: Vec<u8>,
    /// So many of them have no end of a message.
    searched: usize,
}

impl Splitter {
    /// For messages of at most so many bytes, without the NUL.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self { longest, bytes: Vec::new(), searched: 0 }
    }

    /// Adds what was read. Take all messages with [`Splitter::next_message`] before more is added: then no more is kept
    /// than a message and one addition.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete message, without its NUL.
    ///
    /// # Errors
    ///
    /// It is too long, whether its end was read or not.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let end = self.bytes[self.searched..].iter().position(|byte| *byte == END).map(|at| at + self.searched);
        if end.unwrap_or(self.bytes.len()) > self.longest {
            return Err(TooLong { longest: self.longest });
        }
        let Some(end) = end else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        self.searched = 0;
        let rest = self.bytes.split_off(end + 1);
        let mut message = std::mem::replace(&mut self.bytes, rest);
        message.truncate(end);
        Ok(Some(message))
    }

    /// How much was added and not taken, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a part of a message is waiting for the rest.
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        !self.bytes.is_empty()
    }
}

/// Why no message could be received or sent.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The stream failed. [`FramingError::is_timeout`] tells whether to try again.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The other side has closed the stream in the middle of a message.
    #[error("the connection was closed in the middle of a message")]
    CutOff,
    /// It is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// It is no JSON, or not what was expected.
    #[error("a message is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl FramingError {
    /// Whether only the time was over: what has arrived is kept, and the rest can be received later.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }
}

/// Messages over a stream that blocks.
#[derive(Debug)]
pub struct Messages<S> {
    stream: S,
    splitter: Splitter,
}

impl<S: Read + Write> Messages<S> {
    /// Messages of at most so many bytes.
    pub fn new(stream: S, longest: usize) -> Self {
        Self { stream, splitter: Splitter::new(longest) }
    }

    /// What it all goes over.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Waits for the next message; `None`: the other side has nothing more to say.
    ///
    /// # Errors
    ///
    /// As [`FramingError`] says.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FramingError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(message) = self.splitter.next_message()? {
                return Ok(Some(serde_json::from_slice(&message)?));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) if self.splitter.is_in_message() => return Err(FramingError::CutOff),
                Ok(0) => return Ok(None),
                Ok(length) => self.splitter.push(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// As [`FramingError`] says.
    pub fn send(&mut self, message: &impl Serialize) -> Result<(), FramingError> {
        self.send_bytes(&ended(message)?)
    }

    /// Sends what [`reply`] or [`refuse`] has made.
    ///
    /// # Errors
    ///
    /// As [`FramingError`] says.
    pub fn send_bytes(&mut self, message: &[u8]) -> Result<(), FramingError> {
        self.stream.write_all(message)?;
        self.stream.flush()?;
        Ok(())
    }
}
