//! The exhaustive search, as committed, and whether it can fail.

use std::time::Duration;

use carp_sim::search::{Expected, Extent, Longest, quick, report, wrong};

#[test]
fn everything_that_can_be_reached_is_as_committed() {
    if let Err(names) = report(Extent::Quick) {
        panic!("not as committed: {}", names.join("; "));
    }
}

#[test]
fn nodes_that_all_yield_to_an_equal_one_never_settle() {
    let [yielding, _] = wrong();
    let verdict = yielding.run();
    assert_eq!(verdict.settled, Longest::Forever);
    assert_eq!(Expected::of(&verdict), yielding.expected);
    assert!(verdict.examples[3].contains("Backup Backup"), "{}", verdict.examples[3]);
}

/// The failure that was measured on live hosts: ours and a UCARP are MASTER, a kernel joins, and the UCARP's parting
/// advertisement is taken for a decision.
#[test]
fn the_first_draft_of_the_tie_rule_leaves_a_hole_where_ours_leaves_none() {
    let [_, draft] = wrong();
    let verdict = draft.run();
    assert_eq!(verdict.gap, Longest::Lasts(Duration::from_secs(3)), "{}", verdict.examples[2]);
    assert_eq!(Expected::of(&verdict), draft.expected);
    let ours =
        quick().into_iter().find(|plan| plan.name.contains("staggered")).expect("there is the same plan for ours");
    assert_eq!(ours.expected.gap, Some(0));
}

#[test]
fn a_result_that_is_not_the_committed_one_is_a_complaint() {
    let mut plan = quick().swap_remove(0);
    let verdict = plan.run();
    assert_eq!(plan.complaints(&verdict), [""; 0]);
    plan.expected.worlds += 1;
    assert_eq!(plan.complaints(&verdict).len(), 1);
    plan.nodes.iter_mut().for_each(|node| node.latency = Duration::ZERO);
    plan.tick = Duration::ZERO;
    plan.nodes[0].interval.advbase = 0;
    plan.nodes[0].interval.advskew = 1;
    assert!(plan.complaints(&verdict).iter().any(|complaint| complaint.contains("several MASTERs for more than")));
}
