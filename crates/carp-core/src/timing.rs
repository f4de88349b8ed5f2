//! How often a node advertises and how long it waits for others: pure functions of advbase, advskew and dead ratio.

use core::fmt;
use core::time::Duration;

/// One unit of advskew: 1/256 s.
const SKEW_UNIT: Duration = Duration::from_nanos(1_000_000_000 / 256);

/// The advskew of a node that should not be MASTER, if only another one is there: where FreeBSD, NetBSD and DragonFly
/// stop.
pub const WORST_SKEW: u8 = 240;

/// So many values of advskew share one of 241 to 254 when demoted nodes keep their ranks.
const RANKED_STEP: u8 = 19;

/// What a master-down time must leave above the peer's own interval, so that an advertisement that is sent on time is
/// also heard in time. Only a dead ratio of 1 comes this close.
const LEAST_SLACK: Duration = Duration::from_millis(5);

/// advbase and advskew: the advertisement interval, which is at the same time the rank in the election.
///
/// Ordered lexicographically: the *smaller* one advertises more often and is preferred (all CARP implementations).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Interval {
    /// Whole seconds.
    pub advbase: u8,
    /// 1/256 of a second each.
    pub advskew: u8,
}

impl Interval {
    /// advbase 255, advskew 255: "I am leaving", the goodbye of OpenBSD, NetBSD and FreeBSD up to 9.
    pub const BOW_OUT: Self = Self { advbase: 255, advskew: 255 };

    /// The time between two advertisements: `advbase + advskew/256` s. 0/0 counts as 1/256 s (OpenBSD does the same).
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.advbase))
            + self.skew().max(if self.advbase == 0 { SKEW_UNIT } else { Duration::ZERO })
    }

    /// The part of the interval that advskew contributes.
    #[must_use]
    pub fn skew(self) -> Duration {
        SKEW_UNIT * u32::from(self.advskew)
    }

    /// How long a BACKUP of this interval waits for an advertisement before it takes over:
    /// `dead_ratio * advbase + advskew/256` s, as UCARP and the kernels (whose ratio is 3).
    ///
    /// With advbase 0 that would be a single interval, which flaps (UCARP 1.5.2 does); here it is
    /// `dead_ratio * advskew/256` s, as OpenBSD.
    #[must_use]
    pub fn master_down(self, dead_ratio: u32) -> Duration {
        let wait = if self.advbase == 0 {
            self.duration() * dead_ratio
        } else {
            Duration::from_secs(u64::from(self.advbase) * u64::from(dead_ratio)) + self.skew()
        };
        if wait < self.duration() + LEAST_SLACK { wait + LEAST_SLACK } else { wait }
    }

    /// Whether a BACKUP of this interval is bound to time out while it listens to a slower master of interval `master`.
    ///
    /// UCARP and the kernels ask for a strictly longer interval and otherwise let the timer race with the advertisement
    /// that arrives at the same moment; a race is decided here: equal counts. An equal or faster master never qualifies,
    /// since a dead time is longer than the own interval.
    #[must_use]
    pub fn times_out_under(self, dead_ratio: u32, master: Self) -> bool {
        self.master_down(dead_ratio) <= master.duration()
    }

    /// The interval of a node that is demoted by `by`: advskew is raised, and never above 240, where the kernels stop, so
    /// that a demoted node is the last of all that are ranked below that. `ranked` spreads those that reach 240 over 241
    /// to 254 in the order of their advskew; FreeBSD's would count as no worse than its own 240.
    #[must_use]
    pub fn demoted(self, by: u16, ranked: bool) -> Self {
        let raised = u16::from(self.advskew).saturating_add(by);
        let advskew = match u8::try_from(raised) {
            Ok(raised) if by == 0 || raised < WORST_SKEW => raised,
            _ if ranked => self.advskew.max(WORST_SKEW + 1 + self.advskew / RANKED_STEP),
            _ => self.advskew.max(WORST_SKEW),
        };
        Self { advskew, ..self }
    }

    /// How long peers that are configured alike wait at the least: a MASTER that was silent for longer must expect that
    /// another one took over. Their advskew may be 0, so ours is left out.
    #[must_use]
    pub fn peers_dead_time(self, dead_ratio: u32) -> Duration {
        let plain = if self.advbase == 0 { self } else { Self { advskew: 0, ..self } };
        plain.master_down(dead_ratio).max(self.duration() * 3 / 2)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::BOW_OUT {
            f.write_str("goodbye")
        } else {
            write!(f, "advbase {} advskew {}", self.advbase, self.advskew)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn interval(advbase: u8, advskew: u8) -> Interval {
        Interval { advbase, advskew }
    }

    #[test]
    fn the_smaller_interval_is_preferred() {
        assert!(interval(1, 0) < interval(1, 1));
        assert!(interval(1, 255) < interval(2, 0));
        assert!(interval(254, 255) < Interval::BOW_OUT);
    }

    #[test]
    fn intervals_and_dead_times_follow_the_formulas() {
        // advbase, advskew, ratio -> interval ms, dead time ms (the reference's table, without UCARP's rounding)
        for (b, k, r, every, dead) in [
            (1, 0, 3, 1000.0, 3000.0),
            (1, 128, 3, 1500.0, 3500.0),
            (1, 254, 3, 1992.1875, 3992.1875),
            (2, 0, 3, 2000.0, 6000.0),
            (3, 128, 3, 3500.0, 9500.0),
            (1, 0, 10, 1000.0, 10000.0),
            (0, 128, 3, 500.0, 1500.0),
            (0, 2, 3, 7.8125, 23.4375),
            (0, 0, 3, 3.90625, 11.71875),
        ] {
            let millis = |d: Duration| d.as_secs_f64() * 1000.0;
            assert!((millis(interval(b, k).duration()) - every).abs() < 1e-3, "interval of b{b} k{k}");
            assert!((millis(interval(b, k).master_down(r)) - dead).abs() < 1e-3, "dead time of b{b} k{k} r{r}");
        }
    }

    #[test]
    fn a_dead_ratio_of_one_leaves_a_little_slack() {
        assert_eq!(interval(1, 0).master_down(1), Duration::from_millis(1005));
        assert_eq!(interval(0, 128).master_down(1), Duration::from_millis(505));
    }

    #[test]
    fn every_dead_time_is_longer_than_the_interval_of_an_equal_or_faster_master() {
        let mut faster = Duration::ZERO;
        for (advbase, advskew) in (0..=255).flat_map(|advbase| (0..=255).map(move |advskew| (advbase, advskew))) {
            let own = interval(advbase, advskew);
            assert!(own.duration() >= faster, "advertises no more often than one that is preferred: {own}");
            faster = own.duration();
            assert!((1..=3).all(|dead_ratio| own.master_down(dead_ratio) > own.duration()), "{own}");
        }
    }

    #[test]
    fn a_slower_master_times_out_when_it_advertises_no_faster_than_the_dead_time() {
        let own = interval(1, 0);
        assert!(!own.times_out_under(3, interval(2, 0)), "hears it every 2 s, waits for 3 s");
        assert!(own.times_out_under(3, interval(3, 0)));
        assert!(own.times_out_under(3, interval(3, 1)));
        assert!(own.times_out_under(3, Interval::BOW_OUT));
        assert!(!own.times_out_under(1, own), "an equal master is never timed out by decree");
        assert!(!interval(100, 0).times_out_under(3, Interval::BOW_OUT), "300 s is longer than any interval");
    }

    #[test]
    fn peers_are_assumed_to_have_no_skew_but_never_to_die_between_two_advertisements() {
        assert_eq!(interval(1, 200).peers_dead_time(3), Duration::from_secs(3));
        assert_eq!(interval(1, 0).peers_dead_time(1), Duration::from_millis(1500));
        assert_eq!(interval(0, 128).peers_dead_time(3), Duration::from_millis(1500));
    }

    #[test]
    fn a_demoted_node_is_slower_and_never_slower_than_the_kernels_allow() {
        let skew = |advskew, by| interval(1, advskew).demoted(by, false).advskew;
        assert_eq!([skew(100, 0), skew(100, 50), skew(100, 200), skew(100, u16::MAX)], [100, 150, 240, 240]);
        assert_eq!([skew(250, 0), skew(250, 1), skew(239, 1)], [250, 250, 240], "never faster than it was");
    }

    #[test]
    fn ranked_demotion_keeps_the_order_of_demoted_nodes() {
        let skew = |advskew| interval(1, advskew).demoted(u16::MAX, true).advskew;
        assert_eq!([skew(0), skew(19), skew(100), skew(240), skew(254)], [241, 242, 246, 253, 254]);
        for advskew in 0..=255 {
            let demoted = interval(1, advskew).demoted(1000, true);
            assert!(demoted.advskew >= advskew && demoted != Interval::BOW_OUT);
            assert!(skew(advskew.saturating_add(1)) >= skew(advskew));
        }
        assert_eq!(interval(1, 7).demoted(20, true), interval(1, 27), "below 240 there is room for all");
    }

    #[test]
    fn an_interval_is_shown_as_its_two_numbers_and_a_goodbye_as_what_it_is() {
        assert_eq!(interval(1, 100).to_string(), "advbase 1 advskew 100");
        assert_eq!(interval(255, 254).to_string(), "advbase 255 advskew 254");
        assert_eq!(Interval::BOW_OUT.to_string(), "goodbye");
    }
}
