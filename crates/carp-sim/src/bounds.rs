//! How long things may take in a run: what the checkers calculate with.

use std::time::Duration;

use carp_core::election::HANDOVER_HOLD;

use crate::fault::{Fault, Planned};
use crate::foreign::{CARRIER_SLEEP, READING_DELAY};
use crate::network::Quality;
use crate::spec::{Kind, Spec};

/// The longest times of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// No frame is longer on its way.
    pub(crate) max_delay: Duration,
    /// No timer is noticed later.
    pub(crate) lag: Duration,
    /// Frames of one node to another never overtake each other, where links are clear.
    pub(crate) in_order: bool,
    pub(crate) up_script: Duration,
    pub(crate) down_script: Duration,
    /// After the last fault, the group has settled within this time.
    pub(crate) settle: Duration,
    /// Whether it must settle at all: some foreign ties never do.
    pub(crate) must_settle: bool,
    /// Wall clocks may differ by more than what strict nodes allow.
    pub(crate) clocks_differ: bool,
}

impl Bounds {
    /// Those of this group on such a network.
    pub(crate) fn new(specs: &[Spec], faults: &[Planned], quality: Quality, lag: Duration, script: Duration) -> Self {
        let mut worst = quality;
        let mut straggle = Duration::ZERO;
        let mut max_delay = quality.longest();
        for planned in faults {
            match planned.fault {
                Fault::Delay { min, mean } => {
                    (worst.delay_min, worst.delay_mean) = (min, mean);
                    max_delay = max_delay.max(worst.longest());
                }
                Fault::Stragglers { by, .. } => straggle = straggle.max(by),
                _ => {}
            }
        }
        let ranks: Vec<_> = specs.iter().map(|spec| spec.interval).collect();
        let all_differ = ranks.iter().enumerate().all(|(node, rank)| !ranks[..node].contains(rank));
        let first = |spec: &Spec| spec.address(spec.first_family());
        let twins = specs.iter().enumerate().any(|(node, spec)| specs[..node].iter().any(|o| first(o) == first(spec)));
        let mixed = specs.iter().any(|spec| spec.kind != Kind::Ours);
        let mut bounds = Self {
            max_delay: max_delay + straggle,
            lag,
            in_order: quality.in_order,
            up_script: script,
            down_script: script,
            settle: Duration::ZERO,
            must_settle: !mixed || all_differ,
            clocks_differ: false,
        };
        let wait = specs.iter().map(|spec| longest_wait(spec, &bounds)).max().unwrap_or_default();
        bounds.settle = HANDOVER_HOLD + wait * 2 + (bounds.max_delay + script) * 4;
        if twins {
            // Equal in everything: only chance tells them apart, one collision at a time.
            bounds.settle += wait * 10;
        }
        if specs.iter().any(|spec| spec.kind == Kind::Ucarp) {
            bounds.settle += CARRIER_SLEEP + READING_DELAY * 2;
        }
        bounds
    }
}

/// How long a node of any kind may take to become MASTER when nobody else is.
pub(crate) fn longest_wait(spec: &Spec, bounds: &Bounds) -> Duration {
    let interval = spec.interval;
    match spec.kind {
        Kind::Ours => interval.master_down(spec.dead_ratio).max(interval.duration() * 3) + bounds.lag,
        Kind::Ucarp => interval.duration() * (spec.dead_ratio + 1) + READING_DELAY * 2 + bounds.down_script,
        Kind::FreeBsd | Kind::OpenBsd | Kind::NetBsd => interval.duration() * 3 + Duration::from_millis(30),
    }
}
