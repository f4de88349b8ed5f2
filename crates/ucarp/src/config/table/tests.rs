use std::collections::BTreeSet;

use super::*;
use crate::options::{OPTIONS, Origin};

#[test]
fn names_and_settings_are_unique_and_kebab_case() {
    let names: BTreeSet<&str> = KEYS.iter().map(|spec| spec.name).collect();
    let settings: BTreeSet<KeyId> = KEYS.iter().map(|spec| spec.id).collect();
    assert_eq!((names.len(), settings.len()), (KEYS.len(), KEYS.len()));
    for name in names {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
    }
}

/// What is left has no place in a file: who runs the daemon says it, or it is always so.
#[test]
fn every_classic_option_has_its_key() {
    let keys: BTreeSet<&str> = KEYS.iter().flat_map(|spec| spec.classic).copied().collect();
    let mut left = BTreeSet::new();
    for name in OPTIONS.iter().filter(|option| option.origin == Origin::Classic).flat_map(|option| option.long) {
        if !keys.contains(name) {
            left.insert(*name);
        }
    }
    assert_eq!(left, BTreeSet::from(["daemonize", "debug", "facility", "help", "shutdown"]));
}

#[test]
fn the_control_socket_is_where_clients_look_for_it() {
    assert_eq!(CONTROL, format!("{:?}", ucarp_control::DEFAULT_PATH));
}

#[test]
fn times_are_written_in_the_largest_whole_unit() {
    for (seconds, text) in
        [(0, "0s"), (1, "1s"), (59, "59s"), (60, "1m"), (90, "90s"), (3600, "1h"), (5400, "90m"), (86_400, "1d")]
    {
        assert_eq!(duration(seconds), text);
    }
}
