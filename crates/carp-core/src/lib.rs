//! CARP, the Common Address Redundancy Protocol, without I/O, clock, threads or unsafe code.
//!
//! Hosts of a group share virtual addresses; one of them, the MASTER, holds them and advertises, and when it falls
//! silent another takes over. [`node::Node`] is the whole of it for a daemon or a simulator, and states the contract:
//! hand in one input with the time, drain the outputs, sleep until the next deadline. Below it stand the [`election`] of
//! one virtual host, the [`timing`] formulas, the [`announce`] schedule of gratuitous ARP, [`auth`] and the [`wire`]
//! formats.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod announce;
pub mod auth;
pub mod election;
pub mod host;
pub mod node;
pub mod random;
pub mod time;
pub mod timing;
pub mod wire;
