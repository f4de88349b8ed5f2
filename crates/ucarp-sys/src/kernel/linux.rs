//! Linux: routing netlink.

pub use crate::netlink::{Connection, Failure, NetlinkError as KernelError};
