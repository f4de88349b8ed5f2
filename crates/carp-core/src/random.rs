//! A small deterministic generator: the same seed gives the same advertisement counters and waits, so that a simulated
//! run can be repeated.

use core::time::Duration;

/// SplitMix64. Nothing that it produces is secret: counters travel in clear, and waits only have to differ between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Random(u64);

impl Random {
    /// A generator that starts from `seed`; drivers take it from the operating system.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A duration from `low` to just below `high`, which must not be the smaller one.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_nanos();
        let part = (u128::from(self.bits()) * span) >> 64;
        low + Duration::from_nanos(u64::try_from(part).expect("a part of a span of 64 bits fits them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
        let (mut a, mut b, mut c) = (Random::new(1), Random::new(1), Random::new(2));
        assert_eq!([a.bits(), a.bits()], [b.bits(), b.bits()]);
        assert_ne!(a.bits(), c.bits());
    }

    #[test]
    fn durations_stay_in_their_range() {
        let (mut random, low, high) = (Random::new(7), Duration::from_millis(3), Duration::from_millis(5));
        let drawn: std::vec::Vec<_> = (0..1000).map(|_| random.between(low, high)).collect();
        assert!(drawn.iter().all(|d| (low..high).contains(d)));
        assert!(
            drawn.iter().any(|d| *d < Duration::from_micros(3200))
                && drawn.iter().any(|d| *d > Duration::from_micros(4800))
        );
        assert_eq!(random.between(low, low), low);
    }
}
