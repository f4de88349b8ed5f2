//! The way to the kernel's configuration of interfaces and addresses.

#[cfg_attr(target_os = "freebsd", path = "kernel/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "kernel/linux.rs")]
mod system;

#[cfg(target_os = "freebsd")]
pub(crate) use system::snapshot;
pub use system::{Connection, Failure, KernelError};
