//! Notices that this process was held up between a decision and what follows from it.
//!
//! A process can be stopped at any moment, for any time: a MASTER that has decided to advertise, and to renew its leases,
//! may come to do so when another host has long taken over.

use std::time::Duration;

use carp_core::time::Instant;

/// The time since the last decision, in steps.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    last: Instant,
    longest: Duration,
}

impl Pulse {
    /// What follows was decided just now.
    pub(super) fn begin(&mut self, now: Instant) {
        *self = Self { last: now, longest: Duration::ZERO };
    }

    /// The longest step since the decision, of which one ends now. Many short ones are only a lot of work.
    pub(super) fn longest_step(&mut self, now: Instant) -> Duration {
        self.longest = self.longest.max(now - self.last);
        self.last = now;
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_step_counts_until_the_next_decision_and_many_short_ones_do_not() {
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let mut pulse = Pulse::default();
        pulse.begin(at(1000));
        for step in 1..100 {
            assert_eq!(pulse.longest_step(at(1000 + 10 * step)), Duration::from_millis(10));
        }
        assert_eq!(pulse.longest_step(at(5000)), Duration::from_millis(3010));
        assert_eq!(pulse.longest_step(at(5001)), Duration::from_millis(3010));
        pulse.begin(at(5002));
        assert_eq!(pulse.longest_step(at(5003)), Duration::from_millis(1));
    }
}
