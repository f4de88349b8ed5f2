//! Moments, in nanoseconds of `CLOCK_BOOTTIME` as those of frames and lines, and how time passes in tests.

use std::thread;
use std::time::Duration;

/// The time from one moment to a later one.
pub fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

/// The moment `duration` after `at`.
pub fn later(at: u64, duration: Duration) -> u64 {
    at + u64::try_from(duration.as_nanos()).expect("tests do not last for centuries")
}

/// Lets time pass until `at`: what is watched is what happens, or does not happen, until then.
pub fn wait_until_time(at: u64) {
    thread::sleep(between(netlab::now(), at));
}

/// Runs one case for several groups at the same time. They are idle most of the time, and what they wait for is long.
pub fn in_parallel<T: Send>(cases: impl IntoIterator<Item = T>, case: impl Fn(T) + Sync) {
    let case = &case;
    thread::scope(|scope| {
        for one in cases {
            scope.spawn(move || case(one));
        }
    });
}
