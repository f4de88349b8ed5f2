//! Why a command could not be done, and the exit status that says so.

use std::error::Error;
use std::fmt;
use std::io;

/// The command line is wrong. These are the numbers of sysexits.h: none is an answer of a command, which are all below 64.
pub(crate) const USAGE: u8 = 64;

/// Something that is needed cannot be had.
pub(crate) const UNAVAILABLE: u8 = 69;

/// The output cannot be written.
pub(crate) const OUTPUT: u8 = 74;

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
        Failure::new(OUTPUT, format!("cannot write the output: {error}"))
    }
}
