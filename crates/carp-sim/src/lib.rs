//! A seeded, deterministic network of [`carp_core`] nodes, with faults, foreign peers and checkers, and an exhaustive
//! search over the election.
//!
//! [`run`] plays one seed: the scenario (who takes part, what goes wrong and when) comes from the seed alone, the nodes are
//! the real core or models of other implementations, and the frames are real bytes. [`campaign`] plays many.
//!
//! # The rules
//!
//! Checkers judge what truly happened, in true time, and know the workload only through the facts that the world reports.
//! *Clear* means that frames pass a link in both directions within its greatest delay; *well* that a host runs and is on
//! a link. All bounds are widened by the drift of the clocks and by the lag of a timer.
//!
//! * [`Rule::TwoMasters`]: two MASTERs between which the link has been clear are both MASTER for at most one advertisement
//!   interval of the faster one and the delay; equal ones for two answers more (300 ms or an interval, and the delay,
//!   each). Checked always, whatever else goes wrong. A node of ours that hears a better MASTER, or for the second time
//!   an equal one that wins, with an own advertisement in between, is not MASTER afterwards.
//! * [`Rule::NoMaster`]: while a node of ours is well and BACKUP, the group is without a well MASTER for at most its longest
//!   wait (the dead time, or three intervals; three seconds more after a hand-over). A BACKUP of ours takes over when it
//!   must, a MASTER of ours advertises when it must, and in a calm group nobody steps down and leaves nobody behind.
//! * [`Rule::Settled`]: when the faults have been over for long enough, exactly one node is MASTER, none that is faster and
//!   preempts is not, and nothing changes any more. Not demanded where the protocols of foreign peers cannot give it.
//! * [`Rule::Address`]: a node of ours that is not MASTER is rid of the address in the time that its scripts need, and one
//!   that is has it; it sends only as MASTER, nothing after its goodbye, no goodbye while the address may be there or
//!   without having been told to go, no advertisement after a silence longer than its peers wait, none too soon.
//! * [`Rule::Grounds`]: a node of ours changes its state only for a reason that it can have known.
//!
//! [`Sabotage`] plants faults to show that each rule can be broken. [`search`] states its own rules.
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
