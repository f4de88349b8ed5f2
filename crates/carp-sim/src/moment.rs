//! True time, and the clocks of nodes, which drift from it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use carp_core::time::Instant;

/// A point of true time, in nanoseconds since the start of a run. Nodes do not know it: each has a clock of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Later than everything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// Nanoseconds since the start of the run.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at [`Moment::NEVER`].
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Zero if `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    /// Seconds, with microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:06}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1000))
    }
}

/// The monotonic clock of a node: starts anywhere and runs a little fast or slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What it shows at the start of the run, in nanoseconds.
    pub(crate) origin: u64,
    /// How much it gains, in millionths.
    pub(crate) drift_ppm: i32,
}

impl Clock {
    /// What it shows at `moment`.
    pub(crate) fn at(&self, moment: Moment) -> Instant {
        let gain = i128::from(moment.0 / 1000) * i128::from(self.drift_ppm) / 1000;
        let shown = i128::from(self.origin) + i128::from(moment.0) + gain;
        Instant::from_nanos(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }

    /// The first moment at which it shows `instant` or more.
    pub(crate) fn when(&self, instant: Instant) -> Moment {
        let mut guess = Moment(instant.as_nanos().saturating_sub(self.origin));
        // Each turn leaves 500 millionths of the error at the most.
        for _ in 0..8 {
            let shown = self.at(guess).as_nanos();
            guess = Moment((guess.0 + instant.as_nanos()).saturating_sub(shown));
        }
        while guess.0 > 0 && self.at(Moment(guess.0 - 1)) >= instant {
            guess.0 -= 1;
        }
        while self.at(guess) < instant {
            guess.0 += 1;
        }
        guess
    }
}

/// What the wall clock of a host shows when a node starts there. Nothing else of it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wall {
    /// So many milliseconds more than the right time.
    Off(i64),
    /// It was never set: 1970 at the start of the run.
    Cold,
}

/// The right time at the start of a run, in milliseconds since 1970.
const TODAY: i64 = 1_790_000_000_000;

impl Wall {
    /// The time since 1970 that it shows at `moment`.
    pub(crate) fn at(self, moment: Moment) -> Duration {
        let start = match self {
            Self::Off(millis) => u64::try_from(TODAY + millis).expect("no clock is half a century behind"),
            Self::Cold => 0,
        };
        Duration::from_millis(start) + Duration::from_nanos(moment.0)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(millis) => write!(f, "{} s ahead", millis / 1000),
            Self::Cold => f.write_str("in 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_gains_reaches_its_deadline_early() {
        let hour = Moment::default() + Duration::from_secs(3600);
        let clock = Clock { origin: 7_000_000_000, drift_ppm: 500 };
        assert_eq!(clock.at(hour).as_nanos(), 7_000_000_000 + 3_600_000_000_000 + 1_800_000_000);
        let slow = Clock { drift_ppm: -500, ..clock };
        assert_eq!(slow.at(hour).as_nanos(), 7_000_000_000 + 3_600_000_000_000 - 1_800_000_000);
    }

    #[test]
    fn the_moment_of_an_instant_is_the_first_at_which_the_clock_shows_it() {
        for drift_ppm in [-500, -1, 0, 3, 500] {
            let clock = Clock { origin: 123_456_789_012, drift_ppm };
            for nanos in [123_456_789_012, 123_456_789_013, 124_000_000_000, 999_999_999_999, 7_777_777_777_777] {
                let instant = Instant::from_nanos(nanos);
                let moment = clock.when(instant);
                assert!(clock.at(moment) >= instant, "{drift_ppm} ppm, {nanos}");
                assert!(moment.0 == 0 || clock.at(Moment(moment.0 - 1)) < instant, "{drift_ppm} ppm, {nanos}");
            }
        }
    }

    #[test]
    fn moments_are_shown_as_seconds() {
        assert_eq!((Moment::default() + Duration::from_micros(12_003_004)).to_string(), "12.003004");
    }
}
