//! Checks: what this host looks at to know whether it can serve.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The most checks that there can be.
pub const MOST_CHECKS: usize = 64;

/// The name of the check that `[isolation]` makes, which every virtual host has.
pub const ISOLATION: &str = "isolation";

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What the log and the tools call it.
    pub name: String,
    /// What is looked at.
    pub probe: Probe,
    /// From the begin of one run to that of the next.
    pub interval: Duration,
    /// A run that takes longer has failed; not longer than the interval.
    pub timeout: Duration,
    /// So many good results in a row make it UP, if it was DOWN; at least 1.
    pub rise: u32,
    /// So many bad ones make it DOWN; at least 1.
    pub fall: u32,
    /// What becomes of the virtual hosts that have it when it is DOWN.
    pub effect: Effect,
}

/// What a check that is DOWN does to a virtual host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds this to its advskew; at least 1.
    Demote(u8),
    /// Gives its addresses up and keeps it out.
    Fault,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Whether an interface is there, up, and has carrier.
    Link {
        /// Its name.
        interface: String,
    },
    /// Whether a host answers an echo request.
    Ping {
        /// The host.
        address: IpAddr,
        /// The interface that is used, whatever routes say.
        interface: Option<String>,
    },
    /// Whether a host on the same link answers ARP or a neighbour solicitation.
    Neighbour {
        /// The host.
        address: IpAddr,
        /// The link.
        interface: String,
    },
    /// Whether a TCP connection can be made.
    Tcp {
        /// The host.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// Whether a page can be had over HTTP.
    Http {
        /// The page.
        url: Url,
        /// What the server is asked for, if not its address.
        host: Option<String>,
        /// The status that is expected; `None`: any of 200 to 399.
        status: Option<u16>,
    },
    /// Whether a program runs.
    Process(Wanted),
    /// Whether a file is there.
    File {
        /// The file.
        path: PathBuf,
        /// A text that it must contain.
        contains: Option<String>,
    },
    /// Whether there is a route.
    Route {
        /// Where it has to lead.
        address: IpAddr,
        /// The router that it has to lead through.
        via: Option<IpAddr>,
        /// The interface that it has to lead through.
        interface: Option<String>,
    },
    /// Whether a program ends with status 0.
    Command {
        /// The program's full path.
        path: OsString,
        /// All its arguments.
        arguments: Vec<OsString>,
        /// Who runs it; `None`: the daemon's unprivileged user.
        user: Option<String>,
    },
    /// Whether this host is cut off from the network of its virtual hosts, while others are not.
    Isolation {
        /// The peer by that network.
        external: IpAddr,
        /// The peer by another network.
        internal: IpAddr,
        /// A third host of that network.
        isolation_host: IpAddr,
    },
}

/// How a program is recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By its name.
    Name(String),
    /// By the file that holds its process id.
    PidFile(PathBuf),
}

/// A page of a server that is named by its address: there is no waiting for name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The server.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The page, beginning with `/`.
    pub path: String,
}

impl Probe {
    /// What a configuration calls this kind of check.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Link { .. } => "link",
            Self::Ping { .. } => "ping",
            Self::Neighbour { .. } => "neighbour",
            Self::Tcp { .. } => "tcp",
            Self::Http { .. } => "http",
            Self::Process(_) => "process",
            Self::File { .. } => "file",
            Self::Route { .. } => "route",
            Self::Command { .. } => "command",
            Self::Isolation { .. } => "isolation",
        }
    }
}

/// "demote 50" or "fault".
impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Demote(by) => write!(f, "demote {by}"),
            Self::Fault => f.write_str("fault"),
        }
    }
}

/// As it is written in a configuration.
impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", std::net::SocketAddr::new(self.address, self.port), self.path)
    }
}
