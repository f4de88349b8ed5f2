//! The same cases against Debian's `ucarp` and against ours, and mixed groups of both.
//!
//! `UNDER_TEST=ucarp`, `ours` (default) or `mixed` chooses. What is meant to differ is listed in `docs/differences.md`,
//! and each entry is asserted here in both directions: a listed difference that is gone fails, and so does an unlisted one.

#![expect(unreachable_pub, reason = "the harness is a small library for the cases beside it")]

mod harness;

mod announcing;
mod command_line;
mod daemon;
mod differences;
mod election;
mod habits;
mod leaving;
mod links;
mod log;
mod mixed;
mod packets;
mod resources;
mod scripts;
mod signals;
mod stalls;
mod start;
mod timing;
mod wire;
