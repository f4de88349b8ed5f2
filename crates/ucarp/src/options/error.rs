//! What can be wrong with a command line.

use std::ffi::OsStr;
use std::net::Ipv4Addr;

use crate::password_file::{LONGEST_LINE, PasswordFileError};

use super::LONGEST_PASSWORD;
use super::table::LARGEST_DEAD_RATIO;

/// Why the command line cannot be used. Messages are one line and begin as those of UCARP 1.5.2 and glibc do, where
/// these have one; they never hold a password.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A long option that does not exist.
    #[error("unrecognized option '--{0}'")]
    UnknownLong(String),
    /// A letter that is no option.
    #[error("invalid option -- '{0}'")]
    UnknownShort(String),
    /// A prefix of several long options.
    #[error("option '--{name}' is ambiguous; possibilities: {candidates}")]
    Ambiguous {
        /// The prefix as typed.
        name: String,
        /// What it may mean.
        candidates: String,
    },
    /// The last option wants an argument and there is none.
    #[error("option '{0}' requires an argument")]
    ArgumentMissing(String),
    /// `--flag=value`.
    #[error("option '--{0}' doesn't allow an argument")]
    ArgumentUnexpected(&'static str),
    /// A number out of its range, or no number.
    #[error("{name} must be between {least} and {most}. (option {option}, value {value}{remark})")]
    Number {
        /// The documented long name.
        name: &'static str,
        /// The option as typed.
        option: String,
        /// Its argument, quoted.
        value: String,
        /// Empty, or what is wrong with the argument beside the range.
        remark: &'static str,
        /// The smallest number allowed.
        least: u32,
        /// The largest number allowed.
        most: u32,
    },
    /// Not an IPv4 address.
    #[error(
        "Invalid address: [{value}] (option {option}: give an IPv4 address such as 192.0.2.1, without a prefix length)"
    )]
    Address {
        /// The option as typed.
        option: String,
        /// Its argument.
        value: String,
    },
    /// An interface name that is not UTF-8.
    #[error("invalid interface name {value} (option {option}: it must be UTF-8)")]
    Interface {
        /// The option as typed.
        option: String,
        /// Its argument, quoted.
        value: String,
    },
    /// A shell without completions.
    #[error("no completions for {0} (option --completions: give bash, zsh or fish)")]
    Shell(String),
    /// An option of a single virtual host beside a configuration file.
    #[error("option {option} cannot be combined with {config}: {instead}")]
    BesideConfig {
        /// The option as typed.
        option: String,
        /// The option that asks for a configuration file, as typed.
        config: String,
        /// What says the same.
        instead: String,
    },
    /// Two things to do with a configuration file.
    #[error("--check and --show-config cannot be combined: give one of them")]
    TwoTasks,
    /// The path of the configuration file is empty, or there is no working directory that it is relative to.
    #[error("unable to find the configuration file: {0} (option -c: give its full path)")]
    ConfigPath(#[source] std::io::Error),
    /// The path of the pid file is empty, or there is no working directory that it is relative to.
    #[error("unable to find the pid file: {0} (option --pidfile: give its full path)")]
    PidFilePath(#[source] std::io::Error),
    /// The path of the control socket is empty, or there is no working directory that it is relative to.
    #[error("unable to find a place for the control socket: {0} (option --control: give its full path, or none)")]
    ControlPath(#[source] std::io::Error),
    /// The file of `-o` cannot be used.
    #[error("{0} (option -o)")]
    PasswordFile(#[from] PasswordFileError),
    /// No `-v`.
    #[error("You must supply a valid virtual host id (option -v: 1 to 255)")]
    VhidMissing,
    /// Neither `-p` nor `-o`, or an empty password.
    #[error("You must supply a password (option -o or -p: 1 to {LONGEST_PASSWORD} octets)")]
    PasswordMissing,
    /// No `-s`, or 0.0.0.0.
    #[error("You must supply a persistent source address (option -s: an IPv4 address of this host)")]
    SourceMissing,
    /// No `-a`, or 0.0.0.0.
    #[error("You must supply a virtual host address (option -a: the IPv4 address to share)")]
    AddressMissing,
    /// `-b 0` and `-k 0`.
    #[error("You must supply an advertisement time base (options -b and -k are both 0: one must be 1 to 255)")]
    IntervalZero,
    /// `-b 255` and `-k 255`: on the wire this pair means goodbye.
    #[error("advbase and advskew can't both be 255: that is what a MASTER says when it leaves (options -b and -k)")]
    IntervalOfGoodbye,
    /// `-r 0`.
    #[error("Dead ratio can't be zero (option -r, value \"0\": give 1 to {LARGEST_DEAD_RATIO})")]
    DeadRatioZero,
    /// A source address that belongs to no single host.
    #[error("source address {0} is not the address of one host (option -s: give an IPv4 address of this host)")]
    SourceNotUnicast(Ipv4Addr),
    /// A group that is no multicast group.
    #[error(
        "group address {0} is not multicast (option --mcast: give 224.0.0.0 to 239.255.255.255, or -M to broadcast)"
    )]
    GroupNotMulticast(Ipv4Addr),
    /// A password that no CARP implementation takes unchanged.
    #[error(
        "Password too long ({} octets, allowed are 1 to {LONGEST_PASSWORD}; option -o or -p; BSD systems use the first \
         {LONGEST_PASSWORD} octets of a longer one)",
        octets(*.0)
    )]
    PasswordTooLong(usize),
}

impl UsageError {
    /// The exit status of UCARP 1.5.2 for this: 2 for what it finds out only when it sets itself up, otherwise 1.
    ///
    /// For errors that `getopt` finds UCARP prints its help and exits with 0; ours is 1 too.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::PasswordTooLong(_) => 2,
            _ => 1,
        }
    }

    /// A second line for errors in the form of the command line. The others say themselves what to do, and UCARP logs
    /// them with the level `ERROR`.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownLong(_)
            | Self::UnknownShort(_)
            | Self::Ambiguous { .. }
            | Self::ArgumentMissing(_)
            | Self::ArgumentUnexpected(_)
            | Self::BesideConfig { .. }
            | Self::TwoTasks => Some("try 'ucarp --help'"),
            _ => None,
        }
    }
}

/// A password's length in words: past [`LONGEST_LINE`] nobody counted.
fn octets(length: usize) -> String {
    if length > LONGEST_LINE { format!("more than {LONGEST_LINE}") } else { length.to_string() }
}

/// What was typed, fit for one line of a log: without control characters and not longer than a line.
pub(super) fn printable(typed: &OsStr) -> String {
    const LONGEST: usize = 60;
    let text = typed.to_string_lossy();
    let mut shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown
}
