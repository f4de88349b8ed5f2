//! NetBSD.

use std::time::Duration;

use super::kernel::{Demotion, Traits, plain_master_down};

/// Bows out, adopts counters, advertises 240 while demoted. With advbase 0 its dead time is a single interval.
pub(super) const TRAITS: Traits = Traits {
    tick: Duration::from_millis(10),
    bows_out: true,
    adopts_counter: true,
    demotion: Demotion::Suppressed,
    link_down_demotion: 1,
    master_down: plain_master_down,
};
