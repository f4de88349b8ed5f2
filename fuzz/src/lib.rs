//! What the fuzz targets share, above all the simulated group of `carp-sim` on a tape of bytes instead of a seed.
//!
//! The modules of the simulator are compiled into this crate as they are, except for one: [`dice`], from which every
//! chance of a run comes, is ours and takes them from the fuzzer. So a fuzzer decides what a group is made of, what goes
//! wrong when, and what becomes of every single frame, and the simulator's own checkers judge it. A new module of
//! `carp-sim` that one of these needs must be listed here too.
#![forbid(unsafe_code)]

mod dice;
pub mod frames;
pub mod node;
pub mod pair;
pub mod tape;

use std::sync::LazyLock;

pub use fault::{FaultKind, FaultSet};
pub use options::Options;
pub use spec::{Families, Kind};
pub use world::Outcome;

use sabotage::Sabotage;

/// The simulator has functions that no fuzz target needs.
macro_rules! simulator {
    ($($path:literal $module:ident),* $(,)?) => {
        $(#[allow(dead_code, missing_docs, unreachable_pub)] #[path = $path] mod $module;)*
    };
}

simulator! {
    "../../crates/carp-sim/src/bounds.rs" bounds,
    "../../crates/carp-sim/src/checkers/mod.rs" checkers,
    "../../crates/carp-sim/src/fault.rs" fault,
    "../../crates/carp-sim/src/foreign/mod.rs" foreign,
    "../../crates/carp-sim/src/ledger.rs" ledger,
    "../../crates/carp-sim/src/machine.rs" machine,
    "../../crates/carp-sim/src/moment.rs" moment,
    "../../crates/carp-sim/src/network.rs" network,
    "../../crates/carp-sim/src/options.rs" options,
    "../../crates/carp-sim/src/ours.rs" ours,
    "../../crates/carp-sim/src/sabotage/mod.rs" sabotage,
    "../../crates/carp-sim/src/scenario.rs" scenario,
    "../../crates/carp-sim/src/scripts.rs" scripts,
    "../../crates/carp-sim/src/spec.rs" spec,
    "../../crates/carp-sim/src/trace.rs" trace,
    "../../crates/carp-sim/src/world/mod.rs" world,
}

/// Names a planted fault ([`Sabotage`]) that a node then has: to see that a target can fail.
const SABOTAGE: &str = "UCARP_FUZZ_SABOTAGE";

/// The fault that the environment asks for.
static SABOTEUR: LazyLock<Option<Sabotage>> = LazyLock::new(|| {
    let name = std::env::var(SABOTAGE).ok()?;
    Some(name.parse().unwrap_or_else(|error| panic!("{SABOTAGE}: {error}")))
});

/// Runs a group. `plan` decides what it is made of and what goes wrong, `fate` what happens to each frame. Where a tape
/// ends, the rest is drawn from a fixed seed: the same tapes give the same run, always. The first node is sabotaged if the
/// environment says so.
#[must_use]
pub fn run(plan: &[u8], fate: &[u8], options: &Options, with_trace: bool) -> Outcome {
    let mut scenario = dice::with_tape(plan, || scenario::Scenario::new(0, options));
    scenario.sabotage = *SABOTEUR;
    let world = dice::with_tape(fate, || world::World::new(scenario, with_trace));
    world.run()
}
