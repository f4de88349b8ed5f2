//! Groups of ours and mixed ones, with every fault, and runs that repeat to the bit.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use carp_core::host::Authentication;
use carp_sim::{Families, FaultKind, FaultSet, Kind, Options, campaign};

use Authentication::{Classic, Strict};
use FaultKind::{
    Carrier, Clock, Crash, Duplication, Echo, Family, Forgery, Handover, Loss, Partition, Reflection, Rekey, Reload,
    Replay, Stall,
};

const KERNELS: [Kind; 4] = [Kind::Ours, Kind::FreeBsd, Kind::OpenBsd, Kind::NetBsd];

/// Runs the seeds and fails with the lines that replay what went wrong.
fn must_hold(seeds: u64, options: &Options) {
    let mut failures = Vec::new();
    let findings = campaign::run(0, seeds, options, &mut failures, &mut std::io::sink()).unwrap();
    let failures = String::from_utf8(failures).unwrap();
    assert!(failures.is_empty(), "{failures}");
    println!("{options}: {} node-seconds, {:.0} per second", findings.node_time.as_secs(), findings.rate());
}

#[test]
fn ours_with_every_fault() {
    must_hold(4000, &Options::default());
}

/// Each of these runs broke a rule before something was mended.
#[test]
fn runs_that_found_something_once() {
    let of = |kinds: &[FaultKind]| {
        let faults = FaultSet::of(kinds);
        Options { faults, authentication: Classic, ..Options::default() }
    };
    let over = |families, kinds: &[FaultKind]| Options { families, ..of(kinds) };
    for (seed, options) in [
        // A link that was reported again brought back a node that was told to end.
        (666, of(&FaultKind::ALL[..19])),
        // A node that was leaving heard a better one and then had a deadline that it never served.
        (2865, of(&FaultKind::ALL[..19])),
        // A form that old and new credentials share was taken for a sign that others had gone ahead.
        (79, over(Families::V6, &[Rekey, Handover, Partition])),
        // Two equal masters compared the one's IPv4 address with the other's IPv6 address, when IPv4 did not pass.
        (49, over(Families::Dual, &[Family, Partition])),
        // A reload hid from a master that it had not run.
        (160, of(&[Reload, Stall])),
        // Preemption that had been switched off acted at the end of a hold.
        (2963, of(&[Reload, Handover, Stall])),
    ] {
        let outcome = carp_sim::run(seed, &options, false);
        assert_eq!(outcome.violation, None, "seed {seed} {options}");
    }
}

#[test]
fn ours_with_one_kind_of_fault_at_a_time() {
    for (kind, authentication) in FaultKind::ALL.into_iter().flat_map(|kind| [Classic, Strict].map(|a| (kind, a))) {
        must_hold(120, &Options { faults: FaultSet::of(&[kind]), authentication, ..Options::default() });
    }
}

#[test]
fn classic_groups_with_every_fault() {
    must_hold(1000, &Options { authentication: Classic, ..Options::default() });
}

/// Nothing that somebody sends again has an effect, whatever else goes wrong and whatever clocks show.
#[test]
fn strict_groups_that_are_attacked() {
    let attacks = [Clock, Replay, Forgery, Reflection];
    let strict = Options { authentication: Strict, ..Options::default() };
    for families in Families::ALL {
        must_hold(1000, &Options { families, ..strict.clone() });
        for others in [&[][..], &[Crash, Partition, Handover, Loss], &[Stall, Carrier, Reload, Echo, Duplication]] {
            let faults = FaultSet::of(&[&attacks[..], others].concat());
            must_hold(300, &Options { families, faults, ..strict.clone() });
        }
    }
    must_hold(700, &Options { unicast: true, families: Families::Dual, ..strict });
}

#[test]
fn three_of_ours_without_faults() {
    must_hold(1000, &Options { nodes: 3..=3, faults: FaultSet::none(), ..Options::default() });
}

#[test]
fn ours_over_ipv6_and_over_both_families() {
    must_hold(1000, &Options { families: Families::V6, ..Options::default() });
    must_hold(1500, &Options { families: Families::Dual, ..Options::default() });
    let faults = FaultSet::of(&[Family, Partition, Loss, Handover]);
    must_hold(500, &Options { families: Families::Dual, faults, ..Options::default() });
}

#[test]
fn ours_by_unicast() {
    must_hold(1000, &Options { unicast: true, ..Options::default() });
    must_hold(500, &Options { unicast: true, families: Families::Dual, ..Options::default() });
}

#[test]
fn ours_that_are_reloaded() {
    for (kinds, families) in [
        (&[Reload, Stall, Handover, Loss][..], Families::V4),
        (&[Rekey, Stall, Handover, Loss], Families::Dual),
        (&[Reload, Rekey, Stall, Carrier, Partition], Families::V6),
    ] {
        must_hold(700, &Options { faults: FaultSet::of(kinds), families, ..Options::default() });
    }
}

#[test]
fn mixed_groups() {
    for kind in Kind::ALL.into_iter().skip(1) {
        must_hold(1000, &Options { peers: vec![Kind::Ours, kind], ..Options::default() });
    }
    must_hold(2000, &Options { peers: Kind::ALL.to_vec(), ..Options::default() });
}

#[test]
fn ours_and_kernels_over_ipv6_and_over_both_families() {
    for families in [Families::V6, Families::Dual] {
        must_hold(1000, &Options { peers: KERNELS.to_vec(), families, ..Options::default() });
    }
}

#[test]
fn the_same_seed_gives_the_same_run_with_and_without_a_trace_and_another_seed_another() {
    let options = Options { peers: Kind::ALL.to_vec(), ..Options::default() };
    let mut hashes = Vec::new();
    for seed in 0..50 {
        let (one, other) = (carp_sim::run(seed, &options, false), carp_sim::run(seed, &options, true));
        assert_eq!((one.hash, one.tally), (other.hash, other.tally), "seed {seed}");
        hashes.push(one.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 50);
}

#[test]
fn a_replay_tells_what_was_seen_and_decided_and_keeps_the_frames() {
    let outcome = carp_sim::run(0, &Options::default(), true);
    let trace = outcome.trace.unwrap();
    for words in ["n0  is ours", "starts", "goes from Init to Backup: the link is up", "to Master: ", "hears n"] {
        assert!(trace.timeline().contains(words), "{words}: not in\n{}", trace.timeline());
    }
    assert!(trace.pcap().len() > 24 + 100 * 70);
}
