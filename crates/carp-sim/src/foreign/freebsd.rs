//! FreeBSD 10 to 13.

use std::time::Duration;

use super::kernel::{Demotion, Traits, plain_master_down};

/// Never bows out, adopts counters, adds its demotion to advskew and never advertises more than 240.
pub(super) const TRAITS: Traits = Traits {
    tick: Duration::from_millis(1),
    bows_out: false,
    adopts_counter: true,
    demotion: Demotion::Added,
    link_down_demotion: 240,
    master_down: plain_master_down,
};
