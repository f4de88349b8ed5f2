//! Every chance of a run comes from one seed. Integers only, so that a run is the same on every machine.

use std::time::Duration;

use carp_core::random::Random;

/// One part in a million: the unit of all probabilities here.
pub(crate) const MILLION: u32 = 1_000_000;

/// A seeded generator with the draws that scenarios need.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Random);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds start far apart.
        let mut random = Random::new(seed ^ 0x5eed_0fca_4b00_0001);
        let start = random.bits();
        Self(Random::new(start))
    }

    /// 64 bits, to seed another generator.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.0.bits()) * u128::from(bound);
        u64::try_from(product >> 64).expect("a part of 64 bits fits them")
    }

    /// 0 to `bound` - 1, to index a slice.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("usize has at most 64 bits");
        usize::try_from(self.below(bound)).expect("less than a usize")
    }

    /// Whether something happens that has `per_million` chances in a million.
    pub(crate) fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(u64::from(MILLION)) < u64::from(per_million)
    }

    /// One of two equally likely outcomes.
    pub(crate) fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// From `low` to just below `high`; `low` if there is nothing in between.
    pub(crate) fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        if high > low { self.0.between(low, high) } else { low }
    }

    /// From `low` to just below `high`, in milliseconds.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        self.duration(Duration::from_millis(low), Duration::from_millis(high))
    }

    /// One of the values.
    pub(crate) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.index(values.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_their_ranges_and_reach_their_ends() {
        let mut dice = Dice::new(1);
        let drawn: Vec<_> = (0..1000).map(|_| dice.below(3)).collect();
        assert!((0..3).all(|value| drawn.contains(&value)) && drawn.iter().all(|value| *value < 3));
        assert_eq!(dice.duration(Duration::from_secs(2), Duration::from_secs(2)), Duration::from_secs(2));
        let heads = (0..10_000).filter(|_| dice.chance(200_000)).count();
        assert!((1800..2200).contains(&heads), "{heads} of 10000 at 20 %");
        assert!(!(0..1000).any(|_| dice.chance(0)) && (0..1000).all(|_| dice.chance(MILLION)));
    }

    #[test]
    fn neighbouring_seeds_differ() {
        let first: std::collections::BTreeSet<_> = (0..1000).map(|seed| Dice::new(seed).bits()).collect();
        assert_eq!(first.len(), 1000);
    }
}
