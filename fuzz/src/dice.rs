//! Takes the place of `carp-sim`'s dice: every chance comes from a tape of bytes, one or a few bytes each, so that a
//! fuzzer which changes a byte changes one decision. After the end of the tape they are drawn from the seed.

use std::cell::RefCell;
use std::time::Duration;

use carp_core::random::Random;

/// One part in a million: the unit of all probabilities here.
pub(crate) const MILLION: u32 = 1_000_000;

thread_local! {
    /// What the next dice reads.
    static TAPE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Does `work`, in which the first dice that is made reads `tape`. Others have nothing but their seed.
pub(crate) fn with_tape<T>(tape: &[u8], work: impl FnOnce() -> T) -> T {
    TAPE.set(tape.to_vec());
    let done = work();
    TAPE.take();
    done
}

/// The draws that scenarios need.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    tape: std::vec::IntoIter<u8>,
    random: Random,
    drawn: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tape: TAPE.take().into_iter(), random: Random::new(seed), drawn: 0 }
    }

    /// 64 bits to seed another generator, never twice the same: nodes with equal seeds would act as one.
    pub(crate) fn bits(&mut self) -> u64 {
        self.drawn += 1;
        let byte = self.below(256);
        Random::new(self.drawn << 8 | byte).bits()
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let bytes = (bound.saturating_sub(1).checked_ilog2().unwrap_or(0) / 8 + 1).min(8);
        let drawn = (0..bytes).fold(0, |number, _| number << 8 | u128::from(self.byte()));
        let scaled = (drawn * u128::from(bound)) >> (8 * bytes);
        u64::try_from(scaled).expect("less than the bound")
    }

    /// 0 to `bound` - 1, to index a slice.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("usize has at most 64 bits");
        usize::try_from(self.below(bound)).expect("less than a usize")
    }

    /// Whether something happens that has `per_million` chances in a million. A 0 on the tape means yes.
    pub(crate) fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(256) * u64::from(MILLION) < u64::from(per_million) * 256
    }

    /// One of two equally likely outcomes.
    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// From `low` to just below `high`, in 65,536 steps; `low` if there is nothing in between.
    pub(crate) fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low);
        if span.is_zero() {
            return low;
        }
        let steps = u32::try_from(self.below(1 << 16)).expect("16 bits");
        low + span * steps / (1 << 16)
    }

    /// From `low` to just below `high`, in milliseconds.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        self.duration(Duration::from_millis(low), Duration::from_millis(high))
    }

    /// One of the values.
    pub(crate) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.index(values.len())]
    }

    fn byte(&mut self) -> u8 {
        self.tape.next().unwrap_or_else(|| self.random.bits().to_be_bytes()[0])
    }
}
