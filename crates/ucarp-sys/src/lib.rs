//! What ucarp asks of the operating system. The only crate with unsafe code.
//!
//! Linux and FreeBSD have the same functions. Where a module has types that both share, these are in its file, and the
//! rest is in `linux.rs` and `freebsd.rs` beneath it; where there is nothing to share, FreeBSD's module is in `freebsd/`.

pub mod address;
#[cfg_attr(target_os = "freebsd", path = "freebsd/argv.rs")]
pub mod argv;
#[cfg(any(test, target_os = "freebsd"))]
mod bsd;
pub mod channel;
pub mod clock;
pub mod filter;
pub mod kernel;
pub mod link;
pub mod local;
pub mod membership;
pub mod monitor;
#[cfg(target_os = "linux")]
pub mod netlink;
#[cfg(target_os = "linux")]
pub mod netns;
#[cfg_attr(target_os = "freebsd", path = "freebsd/packet.rs")]
pub mod packet;
pub mod poll;
#[cfg_attr(target_os = "freebsd", path = "freebsd/probe.rs")]
pub mod probe;
pub mod process;
#[cfg_attr(target_os = "freebsd", path = "freebsd/raw.rs")]
pub mod raw;
#[cfg_attr(target_os = "freebsd", path = "freebsd/route.rs")]
pub mod route;
pub mod sandbox;
pub mod signals;
mod socket_option;
#[cfg(target_os = "linux")]
pub mod sysctl;
#[cfg(target_os = "linux")]
pub mod tap;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod testing;
#[cfg_attr(target_os = "freebsd", path = "freebsd/virtual_interface.rs")]
pub mod virtual_interface;
