//! OpenBSD, as of 2025.

use std::time::Duration;

use carp_core::timing::Interval;

use super::kernel::{Demotion, Traits};

/// Bows out, has a constant counter, and shows its demotion in byte 4 of the header.
pub(super) const TRAITS: Traits = Traits {
    tick: Duration::from_millis(10),
    bows_out: true,
    adopts_counter: false,
    demotion: Demotion::Byte4,
    link_down_demotion: 1,
    master_down,
};

/// Three whole intervals, advskew included; up to 2020 it was `3 * advbase + advskew/256` s.
fn master_down(interval: Interval) -> Duration {
    interval.duration() * 3
}
