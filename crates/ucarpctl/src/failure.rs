//! Why a command could not be done, and the exit status that says so.

use std::error::Error;
use std::fmt;
use std::io;

use ucarp_control::Refusal;

/// The command line is wrong. These are the numbers of sysexits.h: none is an answer of a command, which are all below 64.
pub(crate) const USAGE: u8 = 64;

/// What was given to the command, or what it names, is no good.
pub(crate) const DATA: u8 = 65;

/// The daemon, or something else that is needed, cannot be had.
pub(crate) const UNAVAILABLE: u8 = 69;

/// The output cannot be written.
pub(crate) const OUTPUT: u8 = 74;

/// Not as things are; later, perhaps.
pub(crate) const LATER: u8 = 75;

/// The daemon and this program do not understand each other.
pub(crate) const PROTOCOL: u8 = 76;

/// Somebody else may.
pub(crate) const PERMISSION: u8 = 77;

/// A command that could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    /// A failure with one of the statuses of this module.
    pub(crate) fn new(status: u8, message: impl Into<String>) -> Self {
        Failure { status, message: message.into() }
    }

    /// What the process exits with.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// Whether there is nothing to say: the reader has seen enough, as `head` does.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

/// Of writing to standard output: other places have more to say about an error, and say it.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::new(OUTPUT, "");
        }
        Failure::new(OUTPUT, format!("cannot write the output: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<ucarp_control::Error> for Failure {
    fn from(error: ucarp_control::Error) -> Self {
        use ucarp_control::Error;
        let status = match &error {
            Error::Connect { .. } | Error::Closed => UNAVAILABLE,
            Error::Refused(Refusal::NotPermitted { .. } | Refusal::PermissionDenied {}) => PERMISSION,
            Error::Refused(Refusal::NoSuchVirtualHost { .. } | Refusal::AmbiguousVirtualHost { .. }) => DATA,
            Error::Refused(Refusal::NotPossible { .. } | Refusal::Busy { .. }) | Error::TimedOut => LATER,
            Error::Refused(_) | Error::Framing(_) | Error::Unfinished => PROTOCOL,
        };
        Failure::new(status, crate::look::clean(&error.to_string()))
    }
}
