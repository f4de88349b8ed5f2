//! The command line: one table feeds parser, help, completions and the check of the manual page.
//!
//! [`parse`] turns the arguments into an [`Action`]. The habits are those of `getopt_long`, because scripts depend on
//! them: bundled flags, attached values, unambiguous prefixes of long options, the last one wins.

mod check;
mod completions;
mod configured;
mod error;
mod facility;
mod help;
mod parse;
mod secret;
mod table;
mod value;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

pub use completions::{Shell, completions};
pub use error::UsageError;
pub use facility::Facility;
pub use help::{help, version};
pub use parse::{Parsed, parse};
pub use secret::{LONGEST_PASSWORD, Password, SecretArgument};
pub use table::{Argument, Kind, OPTIONS, Opt, OptionId, Origin};

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Run the daemon.
    Run(Box<Options>),
    /// Do something with a configuration file.
    Configured(Configured),
    /// Print [`help`] on stdout and exit with status 0.
    Help,
    /// Print [`version`] on stdout and exit with status 0.
    Version,
    /// Print [`completions`] for this shell on stdout and exit with status 0.
    Completions(Shell),
}

/// What the command line says when a configuration file has the rest.
#[derive(Debug)]
pub struct Configured {
    /// What to do.
    pub task: ConfigTask,
    /// The file; its full path, for the daemon changes its directory.
    pub file: PathBuf,
    /// `-D`: log debug messages too.
    pub debug: bool,
    /// Two processes; not with `--no-split`.
    pub split: bool,
    /// `-B`: run in the background.
    pub daemonize: bool,
    /// `--pidfile`: where the process id is written to; a full path.
    pub pid_file: Option<PathBuf>,
    /// `--control`: where the control socket is.
    pub control: Option<ControlSocket>,
    /// `-f`: the syslog facility.
    pub facility: Facility,
    /// What to log as soon as logging is up, in this order.
    pub warnings: Vec<Warning>,
}

/// Where the control socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlSocket {
    /// At this path.
    At(PathBuf),
    /// There is none.
    Nowhere,
}

/// What to do with a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigTask {
    /// `-c`: run it.
    Run,
    /// `--check`: tell what is wrong with it.
    Check,
    /// `--show-config`: print what takes effect.
    Show,
}

/// Everything the daemon is told by its command line, checked.
#[derive(Debug)]
pub struct Options {
    /// `-i`: the interface, or an alias label such as `eth0:1`. `None`: the first usable one.
    pub interface: Option<String>,
    /// `-s`: the own address; unicast.
    pub source: Ipv4Addr,
    /// `--mcast`: the group that advertisements are sent to; multicast.
    pub group: Ipv4Addr,
    /// `-v`: the virtual host; never 0.
    pub vhid: u8,
    /// `-p` or the first line of the file of `-o`, whichever came last.
    pub password: Password,
    /// `-P`: take over from a MASTER of lower rank.
    pub preempt: bool,
    /// `-n`: no down script at start.
    pub neutral: bool,
    /// `-a`: the shared address.
    pub address: Ipv4Addr,
    /// `-b`: the whole seconds of the advertisement interval. Not 0 together with `advskew`.
    pub advbase: u8,
    /// `-k`: what is added to the interval, in 1/256 s.
    pub advskew: u8,
    /// `-u`: the program that runs on becoming MASTER.
    pub up_script: Option<OsString>,
    /// `-d`: the program that runs on leaving MASTER.
    pub down_script: Option<OsString>,
    /// `-r`: how many `advbase` a MASTER may be silent; 1 to 1,000,000.
    pub dead_ratio: u32,
    /// `-D`: log debug messages too.
    pub debug: bool,
    /// Two processes; not with `--no-split`.
    pub split: bool,
    /// `-z`: run the down script and say goodbye at exit.
    pub shutdown: bool,
    /// `-B`: run in the background.
    pub daemonize: bool,
    /// `--pidfile`: where the process id is written to; a full path.
    pub pid_file: Option<PathBuf>,
    /// `--control`: where the control socket is.
    pub control: Option<ControlSocket>,
    /// `-S`: an interface without carrier is no reason to step down.
    pub ignore_interface_state: bool,
    /// `-M`: send to the broadcast MAC address instead of the group's.
    pub no_multicast: bool,
    /// `-f`: the syslog facility.
    pub facility: Facility,
    /// `-x`: the third argument of the scripts; may be empty.
    pub xparam: Option<OsString>,
    /// `--script-timeout`: how long a script may run.
    pub script_timeout: Duration,
    /// What to log as soon as logging is up, in this order.
    pub warnings: Vec<Warning>,
}

/// A message about the command line that does not keep the daemon from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Warn`, or `Error` where UCARP 1.5.2 logs an error and runs on.
    pub level: log::Level,
    /// One line; never holds a password or a part of one.
    pub text: String,
}

impl Warning {
    fn warn(text: impl Into<String>) -> Self {
        Self { level: log::Level::Warn, text: text.into() }
    }

    fn error(text: impl Into<String>) -> Self {
        Self { level: log::Level::Error, text: text.into() }
    }
}
