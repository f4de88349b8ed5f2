//! The Debian package, installed where Debian's `ucarp` was, and what operators do with it. `cargo xtask test` makes the
//! package and a clean Debian to install it in, and names both in the environment.
//!
//! Each host is a system of its own: mounts, processes and network. It starts with Debian's `ucarp`, and runs that one
//! until the package is installed over it.
#![forbid(unsafe_code)]

mod by_hand;
mod checks;
mod harness;
mod ifupdown;
mod init_script;
mod migration;
mod package;
mod units;
mod watchdog;
