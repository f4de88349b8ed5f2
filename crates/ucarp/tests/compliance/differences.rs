//! The list of differences and the cases that show them are the same set.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness;

#[test]
fn every_listed_difference_is_shown_by_a_case_and_no_other() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compliance");
    let mut shown = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Put together so that this line is no call itself.
        let calls = text.split(concat!("differs", "(")).skip(1);
        shown
            .extend(calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned)));
    }
    let listed: BTreeSet<_> = harness::listed_differences().into_iter().collect();
    assert_eq!(shown, listed, "left: shown by cases; right: headings of docs/differences.md");
}
