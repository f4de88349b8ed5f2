//! A group of nodes on a bad network, judged by all checkers of the simulator. With the name of one of its planted faults
//! in `UCARP_FUZZ_SABOTAGE`, the first node has it: to see that this target can fail.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ucarp_fuzz::{Families, FaultKind, FaultSet, Kind, Options, run};

/// For how many seconds of simulated time things go wrong.
const SECONDS: u64 = 20;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Whether there may be other implementations.
    mixed: bool,
    unicast: bool,
    families: u8,
    plan: &'a [u8],
    fate: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    // Nodes that are equal in everything are told apart by chance alone, which is in the fuzzer's hands here.
    let faults: Vec<_> = FaultKind::ALL.into_iter().filter(|kind| *kind != FaultKind::Twins).collect();
    let peers = if input.mixed { Kind::ALL.to_vec() } else { vec![Kind::Ours] };
    let options = Options {
        nodes: 2..=3,
        faults: FaultSet::of(&faults),
        peers,
        seconds: SECONDS,
        families: Families::ALL[usize::from(input.families) % Families::ALL.len()],
        unicast: input.unicast,
        ..Options::default()
    };
    if let Some(violation) = run(input.plan, input.fate, &options, false).violation {
        let trace = run(input.plan, input.fate, &options, true).trace.expect("a trace was asked for");
        panic!("{violation}\n{}", trace.timeline());
    }
});
