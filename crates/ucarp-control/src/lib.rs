//! The control socket of ucarp: what can be asked, how it is written, and a client.
//!
//! The socket speaks varlink: JSON objects ended by a NUL, and the interface `io.ucarp` ([`DESCRIPTION`]). `varlinkctl` and
//! whatever else speaks JSON work with it as well.
//!
//! ```no_run
//! use std::time::Duration;
//! use ucarp_control::{Client, DEFAULT_PATH, calls::GetVirtualHosts};
//!
//! let mut client = Client::connect(DEFAULT_PATH, Duration::from_secs(5))?;
//! for reply in client.call_more(&GetVirtualHosts::default())? {
//!     if let Some(virtual_host) = reply?.virtual_host {
//!         println!("{} is {}", virtual_host.name, virtual_host.state);
//!     }
//! }
//! # Ok::<(), ucarp_control::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod calls;
mod client;
pub mod framing;
mod refusal;
pub mod service;
#[cfg(test)]
mod tests;
pub mod types;

pub use client::{Client, Error, Replies};
pub use refusal::Refusal;

/// Where the daemon listens unless it is told otherwise.
pub const DEFAULT_PATH: &str =
    if cfg!(target_os = "freebsd") { "/var/run/ucarp/control.sock" } else { "/run/ucarp/control.sock" };

/// The name of the interface.
pub const INTERFACE: &str = "io.ucarp";

/// The definition of the interface, in varlink's language.
pub const DESCRIPTION: &str = include_str!("io.ucarp.varlink");
