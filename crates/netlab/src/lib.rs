//! Hosts on one machine: network namespaces, cables, a switch, faults and a probing client.
//!
//! ```no_run
//! use std::process::Command;
//! use std::time::Duration;
//! use netlab::{Direction, Lab, Prober, Tap};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lab = Lab::new()?;
//! let tap = Tap::new(&lab)?;
//! let alpha = lab.host("alpha", 1, [10, 0, 0, 1], 24)?;
//! let client = lab.host("client", 9, [10, 0, 0, 9], 24)?;
//! let server = alpha.spawn(Command::new("./server"))?;
//! server.wait_for_line("ready", Duration::from_secs(5)).expect("it starts");
//! let prober = Prober::start(&client, [10, 0, 0, 1], Prober::INTERVAL)?;
//! alpha.silence(Direction::Both)?;
//! # Ok(()) }
//! ```
//!
//! Everything is gone when the [`Lab`] is dropped, also by a panic or because its process was killed: namespaces are held
//! by descriptors only, and whatever still runs in them is killed (see [`ucarp_sys::netns::Undertaker`]). No `ip` program,
//! no shell, no mounts. It needs root, or [`become_root_in_user_namespace`] at the start of `main`.
//!
//! All times are nanoseconds of `CLOCK_BOOTTIME`, as [`now`] reads it: those of lines, frames and probes can be compared.

#![forbid(unsafe_code)]

mod error;
mod flood;
mod host;
mod lab;
mod plumbing;
mod probe;
mod process;
mod record;
mod tap;

use std::time::{Duration, Instant};

pub use rustix::process::Signal;
pub use ucarp_sys::clock::boottime as now;
pub use ucarp_sys::netns::become_root_in_user_namespace;

pub use error::{Error, Result};
pub use flood::{Ear, Flood, Forgery};
pub use host::{Direction, Host, INTERFACE};
pub use lab::Lab;
pub use probe::{Probe, Prober};
pub use process::{Line, Process, Stream};
pub use tap::{Frame, Tap};

/// Checks `condition` every two milliseconds until it holds or the time is over. Whether it held.
pub fn wait_until(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether this process may make a lab; what every test that needs one asks first. If it may not, it says so on standard
/// error, and the test is to return.
///
/// # Panics
/// If it may not and `CI` is set in the environment: there a test that cannot run has failed.
pub fn can_run() -> bool {
    let Err(error) = ucarp_sys::netns::NetNs::new() else { return true };
    assert!(std::env::var_os("CI").is_none(), "this test cannot run here: {error}");
    eprintln!("skipped: {error}");
    false
}
