//! A seeded, deterministic network of [`carp_core`] nodes, with faults, foreign peers and checkers, and an exhaustive
//! search over the election.
//!
//! A *run* is made from one number, its seed: a group of nodes and their configuration, the network between them, and
//! what goes wrong when. Real frames travel between real cores; time is simulated, so that a minute takes a
//! millisecond. The same seed gives the same run on every machine, so a failure is repeated by repeating its seed.
//!
//! # What must hold
//!
//! The checkers know what truly happened: which frames were handed to whom, who runs, which links are clear. They have
//! their own formulas and take from the nodes only their state, and that one has woken up after a stall. *Well* is a
//! node that runs and whose link carries frames. A direction is *clear* if every frame arrives, whole, within the
//! longest delay D of the run. All times are by the nodes' clocks; a thousandth, 1 ms and the lag of the run are
//! granted, for clocks that drift by up to 500 ppm and timers that are noticed late.
//!
//! 1. [`Rule::TwoMasters`], always. Two nodes that are well, have the same password and address list, and hear each
//!    other over clear directions, are not both MASTER for longer than the shorter of their two intervals plus D. If
//!    their intervals are equal, for the answers of the tie: 2 times (0.3 s or one interval, if that is less, plus D)
//!    longer; a node that was told to leave is not counted in a tie. And whatever the links: a MASTER of ours that was
//!    handed an authentic advertisement of a faster one is not MASTER after it; nor after the second one of an equal
//!    that wins ties against it, no more than 2.5 intervals after the one before and with one of its own sent in
//!    between, unless a third equal one that wins against that rival was heard in between.
//! 2. [`Rule::NoMaster`], always. A well BACKUP of ours is MASTER as soon as it has heard no authentic advertisement
//!    for its dead time (3 intervals if that is more, which twins need); 8 ms after a goodbye; at once when it hears
//!    one that is slower, if it preempts or if its dead time is not longer than that interval. After it handed over it
//!    waits for 3 s more, after a stall for one interval. A well MASTER of ours advertises every interval. While a node
//!    of ours is well and BACKUP, some well node is MASTER again within its dead time plus D. And a MASTER of ours that
//!    steps down for a peer leaves a MASTER behind, in groups of ours alone whose nodes all hear each other in order,
//!    unless a goodbye is on its way.
//! 3. [`Rule::Settled`], after the last fault. Within a bound that follows from the dead times (3 s for a handover,
//!    twice the longest wait, four delays and scripts; more with twins and with UCARP) exactly one node is MASTER, none
//!    that preempts is faster, and nothing changes any more.
//! 4. [`Rule::Address`], always, for ours. Nobody holds the address (from the start of the up script to the end of the
//!    down script) without being MASTER for longer than the two scripts take, and a MASTER has begun to take it within
//!    the time of a down script that may still run. No goodbye while the address is held, none that nobody asked for,
//!    nothing at all after it. Nothing is sent by a node that is not MASTER. No advertisement after a silence that is
//!    longer than peers wait, and none sooner than 0.3 s or half an interval after the last. Every advertisement and
//!    every goodbye goes out once in each family, or once to each peer.
//! 5. [`Rule::Grounds`], always, for ours. No takeover without silence for the dead time (1.2 intervals after a lost
//!    tie), a goodbye, or a slower master that preemption or the dead time displaces; none within 3 s of a handover. No
//!    step down without a better or equal master, a link lost, a long silence of its own, or a command, which ends in a
//!    goodbye. A node that was told to end does not come back. No deadline that is served without any effect.
//!
//! *Both families.* An advertisement is heard if either of its frames is. Two nodes hear each other if in each direction
//! some family is clear. Equal ones must go by the same: IPv4 where both directions of it are clear, and IPv6 when for
//! three intervals nothing has come to either of them over IPv4. (Where IPv4 comes one way only, they may disagree.)
//!
//! *Reloads.* From the moment of a reload the new rank and the new answer to preempt count: a MASTER tells a new rank
//! within 0.3 s, a BACKUP waits for the new dead time from where it counted before, and nobody changes its state for it.
//! Other credentials do not count as a change at all while every node gets them within the grace time of the first one:
//! all understand each other throughout. Only a node that is late may be without the others, from the end of the grace
//! time until the end of its own. What a node must understand is what its operator gave it: the present credentials, and
//! the former ones for twice the grace time after its reload.
//!
//! *Strict groups.* An advertisement counts as authentic only if it is later than all that the node has got of its sender,
//! by the stamp, and at most 10 s behind group time: the node's wall clock at its start, run on, and taken forward by
//! every stamp that it had to believe. [`Rule::Forged`]: whatever else is authentic but for that, honest or not, is
//! counted by the node once, and nothing that has to be believed is; and a frame that somebody sent again leaves the
//! node's deadline, its state and what was sent as they were. Where wall clocks are wrong, rule 1 allows the longer of
//! the two intervals, an answer and D more, and rule 3 another longest wait. What would have to be believed although
//! somebody sent it again is not delivered at all: it is a slow frame, slower than any here.
//!
//! Groups with foreign nodes have weaker bounds where their protocol can do no better: for two masters, one interval
//! more for each foreign node, and for UCARP the second by which it reads late, twice, and its up script, which stops
//! it. If foreign nodes have equal ranks, rule 3 does not apply: a kernel and a UCARP, or two kernels, may step down
//! before each other, again and again, for 3 s each time. Rules 2, 4 and 5 hold for each node of ours in any company.
//!
//! That the checkers can fail is shown with planted faults, [`Sabotage`]: each must be caught, and by the rule that it
//! breaks.
//!
//! [`campaign`] runs many seeds. [`search`] states rules of its own.
#![forbid(unsafe_code)]

mod bounds;
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
mod options;
mod ours;
mod sabotage;
pub mod scale;
mod scenario;
mod scripts;
pub mod search;
mod spec;
pub mod stage;
pub mod table;
mod trace;
mod world;

pub use checkers::{Rule, Violation};
pub use fault::{FaultKind, FaultSet};
pub use moment::Moment;
pub use options::Options;
pub use sabotage::Sabotage;
pub use spec::{Families, Kind};
pub use trace::Trace;
pub use world::{Outcome, Tally};

/// Runs the scenario of `seed`. The same seed and options give the same run, always.
#[must_use]
pub fn run(seed: u64, options: &Options, with_trace: bool) -> Outcome {
    world::World::new(scenario::Scenario::new(seed, options), with_trace).run()
}
