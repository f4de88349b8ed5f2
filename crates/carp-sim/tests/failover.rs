//! Failover and handover times, compared exactly: a change of behaviour shows as a difference of one file.
//!
//! After a wanted change: `UPDATE=1 cargo test -p carp-sim --test failover`.

use std::path::Path;
use std::{env, fs};

use carp_sim::table;

#[test]
fn failover_and_handover_times_are_as_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/failover.txt");
    let now = table::render();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &now).expect("the snapshot can be written");
    }
    let recorded = fs::read_to_string(&path).expect("the snapshot is in the tree");
    assert!(
        now == recorded,
        "the table changed, which may be right: see the head of this file\n\nnow:\n{now}\nrecorded:\n{recorded}"
    );
}
