//! Moments of [`netlab::now`] and spans between them.

use std::thread;
use std::time::Duration;

use netlab::now;

/// A span in the unit of [`now`].
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A span as it is written.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// From one moment to a later one.
pub(super) fn since(before: u64, after: u64) -> Duration {
    Duration::from_nanos(after.saturating_sub(before))
}

/// From one moment to another in milliseconds, negative if the other is the earlier.
pub(super) fn milliseconds_between(from: u64, to: u64) -> f64 {
    milliseconds(since(from, to)) - milliseconds(since(to, from))
}

/// Waits for a moment.
pub(super) fn sleep_until(at: u64) {
    thread::sleep(Duration::from_nanos(at.saturating_sub(now())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_came_too_early_is_negative() {
        assert!((milliseconds_between(1_000_000_000, 1_250_000_000) - 250.0).abs() < 1e-9);
        assert!((milliseconds_between(1_250_000_000, 1_000_000_000) + 250.0).abs() < 1e-9);
        assert_eq!(since(5, 3), Duration::ZERO);
    }
}
