//! A seeded, deterministic network of [`carp_core`] nodes, with faults, foreign peers and checkers.
#![forbid(unsafe_code)]

pub mod campaign;
mod checkers;
pub mod cli;
mod dice;
mod fault;
mod foreign;
mod ledger;
mod machine;
mod moment;
mod network;
mod ours;
mod sabotage;
pub mod scale;
mod scenario;
mod scripts;
pub mod search;
mod spec;
pub mod table;
mod trace;
mod world;

pub use checkers::{Rule, Violation};
pub use fault::{FaultKind, FaultSet};
pub use moment::Moment;
pub use sabotage::Sabotage;
pub use scenario::Options;
pub use spec::Kind;
pub use trace::Trace;
pub use world::{Outcome, Tally};

/// Runs the scenario of `seed`. The same seed and options give the same run, always.
#[must_use]
pub fn run(seed: u64, options: &Options, with_trace: bool) -> Outcome {
    world::World::new(scenario::Scenario::new(seed, options), with_trace).run()
}
