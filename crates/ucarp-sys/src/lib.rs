//! What ucarp asks of the operating system. The only crate with unsafe code.

pub mod address;
pub mod argv;
pub mod channel;
pub mod clock;
pub mod filter;
pub mod link;
pub mod membership;
pub mod monitor;
pub mod netlink;
pub mod netns;
pub mod packet;
pub mod poll;
pub mod probe;
pub mod process;
pub mod raw;
pub mod route;
pub mod sandbox;
pub mod signals;
mod socket_option;
pub mod sysctl;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod virtual_interface;
