//! An exhaustive search: everything that two or three nodes can do, breadth first, over the real election code.
//!
//! The nodes are [`carp_core::election::Election`] itself, brought into a canonical form after every input, or models of
//! other implementations. From any world (the nodes and the frames under way) the search follows every event: any frame
//! is delivered next, lost or duplicated, any timer that is due fires, links and hosts fail and return, operators give
//! commands, or time passes. Every world that can come about is visited once.
//!
//! What is asked of them:
//!
//! * Each node keeps its contract in every step: it advertises as MASTER only, says goodbye when its address is gone and
//!   then nothing, claims and releases by turns, and nothing is due in INIT.
//! * From *every* world, in *every* fair continuation (no faults and no commands from now on; the order and the delays
//!   of everything are still the worst ones), there is exactly one MASTER within a bound, and it stays.
//! * On the way there, two MASTERs that hear each other last no longer than a bound, and so does having none.
//!
//! What bounds it, honestly: time moves in ticks, and what is due in between happens at the next tick, so all times that
//! come out are rounded up, by as much as a tick for each timer involved; frames take at most the latency of their
//! receiver; at most so many are under way at once, and while there are more, deliveries come first; a frame is
//! duplicated at most once; a random wait takes one of the two ends of its range; scripts take at most 250 ms. Within
//! these the search is complete: it has no horizon in time and ends when nothing new is found.
//!
//! The number of worlds of each plan is committed in `plans.rs`. A number that changes means that nodes do something
//! that they did not do before, or do not do any more what they did: look at it, then commit the new one.

mod actor;
mod automaton;
mod explore;
mod foreign;
mod graph;
mod plan;
mod plans;
mod verdict;
mod world;

use std::time::Instant;

pub use foreign::Kind;
pub use plan::{Bounds, Expected, Families, Fault, Node, Plan, Who};
pub use plans::{quick, thorough, wrong};
pub use verdict::{Longest, Verdict};

/// How much [`report`] searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What the tests search: seconds.
    Quick,
    /// That and larger ones: minutes, and some gigabytes of memory.
    Thorough,
}

/// Runs the plans, prints a line for each, and for what is not as committed the way to it.
///
/// # Errors
///
/// The names of the plans whose results are not the committed ones.
pub fn report(extent: Extent) -> Result<(), Vec<&'static str>> {
    let mut wrong = Vec::new();
    println!("{:<46} {:>9} {:>10} {:>8} {:>8} {:>8} {:>8}", "", "worlds", "steps", "several", "none", "gap", "settled");
    let plans = if extent == Extent::Quick { quick() } else { [quick(), thorough()].concat() };
    for plan in plans {
        let started = Instant::now();
        let verdict = plan.run();
        println!("{:<46} {verdict} {:>6.1} s", plan.name, started.elapsed().as_secs_f64());
        for complaint in plan.complaints(&verdict) {
            wrong.push(plan.name);
            println!("{complaint}");
        }
    }
    wrong.dedup();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
