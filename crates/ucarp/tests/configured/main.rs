//! The daemon that runs from configuration files, with real addresses of the kernel in network namespaces.
//!
//! `UCARP_OURS` names the program; without it that is the one that cargo has just built.

#![expect(unreachable_pub, reason = "the harness is a small library for the cases beside it")]

mod harness;

mod alone;
mod authentication;
mod bad_world;
mod checking;
mod checks;
mod conflicts;
mod control;
mod crashes;
mod families;
mod flood;
mod groups;
mod handover;
mod ids;
mod isolation;
mod kernels;
mod leftovers;
mod links;
mod native;
mod process;
mod reload;
mod removals;
mod rollout;
mod scale;
mod service;
mod split;
mod teardown;
mod ucarp;
mod unicast;
mod virtual_mac;
