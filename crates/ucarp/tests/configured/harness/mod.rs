//! Hosts that run the daemon from configuration files, and what can be observed from outside.

mod forger;
#[path = "../../compliance/harness/moments.rs"]
mod moments;
pub mod node;
mod observe;
mod segment;

use std::env;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use forger::Forger;
pub use moments::{between, in_parallel, later, wait_until_time};
pub use node::{Node, figure_of};
pub use observe::{largest_gap, parsed};
pub use segment::Segment;

/// Longer than anything that a case waits for without a reason of its own.
pub const SOON: Duration = Duration::from_secs(20);

/// The password of all groups.
pub const PASSWORD: &str = "secret";

/// What begins every configuration.
pub const DEFAULTS: &str = "[defaults]\ninterface = \"eth0\"\npassword = \"secret\"\n";

/// Makes a lone host MASTER within a second. The lease that goes with it would be short for a busy machine.
pub const EAGER: &str = "dead-ratio = 1\nlease = \"5s\"";

/// The executable.
pub fn program() -> PathBuf {
    env::var_os("UCARP_OURS").map_or_else(|| env!("CARGO_BIN_EXE_ucarp").into(), PathBuf::from)
}

/// One virtual host of a configuration, with more keys, one a line.
pub fn virtual_host(name: &str, vhid: u8, addresses: &[&str], more: &str) -> String {
    format!("[virtual-host.{name}]\nvhid = {vhid}\naddresses = {addresses:?}\n{more}\n")
}

/// A configuration with one virtual host, `web` of vhid 1.
pub fn web(addresses: &[&str], more: &str) -> String {
    format!("{DEFAULTS}{}", virtual_host("web", 1, addresses, more))
}

/// An address.
pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
