use std::collections::BTreeSet;

use super::*;

#[test]
fn every_call_is_listed_once() {
    // A second entry would replace the rules of the first.
    let numbers: BTreeSet<_> = CALLS.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers.len(), CALLS.len());
}

#[test]
fn the_filter_can_be_made_and_is_far_from_the_kernel_s_limit() {
    let length = program().unwrap().len();
    assert!((CALLS.len()..1000).contains(&length), "{length} instructions");
}
