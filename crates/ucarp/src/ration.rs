//! Lines about something that can happen without end, such as an interface that flaps: a few a minute, then a count.

use std::time::Duration;

use carp_core::time::Instant;

/// Lines in one [`WINDOW`].
const MOST: u32 = 6;

/// See [`MOST`].
const WINDOW: Duration = Duration::from_secs(60);

/// What has been told of one thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ration {
    window_ends: Instant,
    told: u32,
    untold: u64,
}

impl Ration {
    /// Whether there may be a line now; otherwise it is counted.
    pub fn allows(&mut self, now: Instant) -> bool {
        if now >= self.window_ends && self.untold == 0 {
            *self = Self { window_ends: now + WINDOW, told: 0, untold: 0 };
        }
        let allows = self.told < MOST;
        if allows {
            self.told += 1;
        } else {
            self.untold += 1;
        }
        allows
    }

    /// When [`Ration::due`] has something to tell.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        (self.untold > 0).then_some(self.window_ends)
    }

    /// How often it happened without a line in a window that is over.
    pub fn due(&mut self, now: Instant) -> Option<u64> {
        if self.untold == 0 || now < self.window_ends {
            return None;
        }
        let untold = self.untold;
        // The count is the first line of the next window.
        *self = Self { window_ends: now + WINDOW, told: 1, untold: 0 };
        Some(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_happens_now_and_then_is_told_each_time() {
        let mut ration = Ration::default();
        assert!((0..100).all(|number| ration.allows(at(1000 + number * 15))));
        assert_eq!(ration.next_deadline(), None);
    }

    #[test]
    fn what_happens_all_the_time_is_told_a_few_times_a_minute_and_counted() {
        let mut ration = Ration::default();
        let (mut lines, mut counted) = (0, 0);
        for tenth in 0..36_000 {
            let now = at(100) + Duration::from_millis(100) * tenth;
            counted += ration.due(now).inspect(|_| lines += 1).unwrap_or(0);
            lines += u64::from(ration.allows(now));
        }
        assert!(lines <= 60 * u64::from(MOST) + 1, "{lines} in an hour");
        assert_eq!(lines - 59 + counted + ration.untold, 36_000, "nothing is forgotten");
    }
}
