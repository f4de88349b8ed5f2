//! When a MASTER tells the segment where the address now is: the gratuitous ARP (and neighbour advertisement) schedule.

use core::time::Duration;

use crate::time::Instant;

/// Repetitions after the first announcement. A lost frame, a UCARP peer that announces while it steps down, and switches
/// that learn late are all mended within these.
const REPEAT_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// The address is announced at the latest this long after the takeover, even while the up script still runs.
const LATEST_FIRST: Duration = Duration::from_secs(1);

/// Announcements that others provoke are at least this far apart.
const LEAST_GAP: Duration = Duration::from_secs(1);

/// The announcements of one virtual host while it is MASTER.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// What the repetitions count from, and how many of them are done. `None` before the first announcement.
    series: Option<(Instant, usize)>,
    next: Option<Instant>,
    last: Option<Instant>,
    /// How long after the last announcement there is another one, for switches and neighbours that forget.
    refresh: Option<Duration>,
}

impl Schedule {
    /// The virtual host became MASTER; the address is not there yet.
    pub fn takeover(&mut self, now: Instant, refresh: Option<Duration>) {
        *self = Self { series: None, next: Some(now + LATEST_FIRST), last: None, refresh };
    }

    /// The address is there: announce it now and start the repetitions.
    pub fn address_ready(&mut self, now: Instant) {
        self.series = None;
        self.next = Some(now);
    }

    /// Another node claimed the address: announce again, at once if the last announcement is a second old.
    pub fn contested(&mut self, now: Instant) {
        if self.series.is_none() {
            return;
        }
        let earliest = self.last.map_or(now, |last| (last + LEAST_GAP).max(now));
        self.series = None;
        self.next = Some(earliest);
    }

    /// No longer MASTER: announce nothing any more.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// When [`Schedule::due`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Whether an announcement is due. Calling it early is harmless.
    pub fn due(&mut self, now: Instant) -> bool {
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        let (base, done) = self.series.map_or((now, 0), |(base, done)| (base, REPEAT_AFTER.len().min(done + 1)));
        self.series = Some((base, done));
        self.last = Some(now);
        let refreshed = self.refresh.map(|refresh| now + refresh);
        self.next = REPEAT_AFTER.get(done).map(|after| base + *after).or(refreshed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Runs the schedule to its end and returns the milliseconds at which it announced.
    fn run(schedule: &mut Schedule) -> Vec<u64> {
        let mut announced = Vec::new();
        while let Some(next) = schedule.next_deadline() {
            assert!(schedule.due(next), "the deadline is the moment at which it acts");
            announced.push(next.as_nanos() / 1_000_000);
            assert!(announced.len() < 100, "the schedule ends");
        }
        announced
    }

    #[test]
    fn announces_when_the_script_has_ended_and_three_times_more() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), None);
        schedule.address_ready(at(40));
        assert_eq!(run(&mut schedule), [40, 1040, 2040, 5040]);
    }

    #[test]
    fn a_slow_script_is_not_waited_for_longer_than_a_second_and_its_end_starts_anew() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), None);
        assert!(!schedule.due(at(999)));
        assert!(schedule.due(at(1000)));
        schedule.address_ready(at(1700));
        assert_eq!(run(&mut schedule), [1700, 2700, 3700, 6700]);
    }

    #[test]
    fn a_rival_is_answered_at_most_once_a_second() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), None);
        schedule.address_ready(at(0));
        assert!(schedule.due(at(0)));
        schedule.contested(at(300));
        schedule.contested(at(400));
        assert_eq!(run(&mut schedule), [1000, 2000, 3000, 6000]);
        schedule.contested(at(9000));
        assert_eq!(run(&mut schedule), [9000, 10000, 11000, 14000]);
    }

    #[test]
    fn a_rival_does_not_bring_the_first_announcement_before_the_address() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), None);
        schedule.contested(at(10));
        assert_eq!(schedule.next_deadline(), Some(at(1000)));
    }

    #[test]
    fn the_address_is_announced_again_and_again_where_that_is_wanted() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), Some(Duration::from_secs(60)));
        schedule.address_ready(at(0));
        let times = core::iter::from_fn(|| schedule.next_deadline().inspect(|next| assert!(schedule.due(*next))));
        let millis: Vec<u64> = times.take(7).map(|at| at.as_nanos() / 1_000_000).collect();
        assert_eq!(millis, [0, 1000, 2000, 5000, 65_000, 125_000, 185_000]);
    }

    #[test]
    fn nothing_is_announced_after_stepping_down() {
        let mut schedule = Schedule::default();
        schedule.takeover(at(0), None);
        schedule.address_ready(at(0));
        schedule.stop();
        assert_eq!(schedule.next_deadline(), None);
        assert!(!schedule.due(at(99_000)));
    }
}
