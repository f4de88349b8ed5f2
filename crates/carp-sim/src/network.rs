//! One segment: a link from every node to every other one, each with its own faults.

use std::time::Duration;

use crate::dice::{Dice, MILLION};
use crate::moment::Moment;
use crate::spec::Family;

/// How one direction between two nodes treats frames. Probabilities are in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quality {
    /// Nothing passes.
    pub(crate) cut: bool,
    /// Nothing of this family passes.
    pub(crate) filtered: Option<Family>,
    pub(crate) loss: u32,
    pub(crate) duplication: u32,
    pub(crate) corruption: u32,
    /// Every frame takes this long at the least.
    pub(crate) delay_min: Duration,
    /// The mean; delays are spread evenly up to as much above it as the minimum is below.
    pub(crate) delay_mean: Duration,
    /// Frames that take `straggle_by` longer, and so arrive after later ones.
    pub(crate) straggling: u32,
    pub(crate) straggle_by: Duration,
    /// Frames never overtake each other, stragglers apart.
    pub(crate) in_order: bool,
}

impl Quality {
    /// A link that loses nothing and keeps the order.
    pub(crate) const fn good(delay_min: Duration, delay_mean: Duration) -> Self {
        Self {
            cut: false,
            filtered: None,
            loss: 0,
            duplication: 0,
            corruption: 0,
            delay_min,
            delay_mean,
            straggling: 0,
            straggle_by: Duration::ZERO,
            in_order: true,
        }
    }

    /// Whether nothing of a family arrives.
    pub(crate) fn stops(&self, family: Family) -> bool {
        self.cut || self.filtered == Some(family)
    }

    /// Whether every frame of a family arrives, whole and in the usual time.
    pub(crate) fn is_clear(&self, family: Family) -> bool {
        !self.stops(family) && self.loss == 0 && self.corruption == 0 && self.straggling == 0
    }

    /// The longest delay of any frame.
    pub(crate) fn longest(&self) -> Duration {
        let spread = (self.delay_mean.saturating_sub(self.delay_min)) * 2;
        let straggle = if self.straggling > 0 { self.straggle_by } else { Duration::ZERO };
        self.delay_min + spread + straggle
    }
}

/// One copy of a frame on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) at: Moment,
    pub(crate) damaged: bool,
}

/// The links of a segment.
pub(crate) struct Network {
    size: usize,
    links: Vec<Quality>,
    last_arrival: Vec<Moment>,
    /// Whether the switch sends multicast back to where it came from.
    pub(crate) echo: bool,
}

impl Network {
    pub(crate) fn new(size: usize, quality: Quality) -> Self {
        let links = size * size;
        Self { size, links: vec![quality; links], last_arrival: vec![Moment::default(); links], echo: false }
    }

    /// The direction from one node to another.
    pub(crate) fn link(&self, from: usize, to: usize) -> &Quality {
        &self.links[from * self.size + to]
    }

    pub(crate) fn link_mut(&mut self, from: usize, to: usize) -> &mut Quality {
        &mut self.links[from * self.size + to]
    }

    /// All directions.
    pub(crate) fn links_mut(&mut self) -> impl Iterator<Item = &mut Quality> {
        self.links.iter_mut()
    }

    /// Sends one frame over one direction: at most two copies arrive.
    pub(crate) fn send(
        &mut self,
        dice: &mut Dice,
        now: Moment,
        family: Family,
        (from, to): (usize, usize),
    ) -> [Option<Delivery>; 2] {
        let index = from * self.size + to;
        let quality = self.links[index];
        if quality.stops(family) || dice.chance(quality.loss) {
            return [None, None];
        }
        let first = self.arrive(dice, now, index);
        let second = if dice.chance(quality.duplication) { Some(self.arrive(dice, now, index)) } else { None };
        [Some(first), second]
    }

    fn arrive(&mut self, dice: &mut Dice, now: Moment, index: usize) -> Delivery {
        let quality = &self.links[index];
        let spread = quality.delay_mean.saturating_sub(quality.delay_min) * 2;
        let mut at = now + dice.duration(quality.delay_min, quality.delay_min + spread);
        let damaged = dice.chance(quality.corruption);
        if dice.chance(quality.straggling) {
            return Delivery { at: at + quality.straggle_by, damaged };
        }
        if quality.in_order {
            at = at.max(self.last_arrival[index]);
            self.last_arrival[index] = at;
        }
        Delivery { at, damaged }
    }
}

/// Damages a frame: some wrong bytes, a flipped bit, or a missing end.
pub(crate) fn damage(dice: &mut Dice, frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    match dice.below(4) {
        0 => bytes.truncate(dice.index(frame.len())),
        1 => {
            let bit = dice.index(frame.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        _ => {
            for _ in 0..=dice.below(8) {
                let at = dice.index(frame.len());
                bytes[at] = u8::try_from(dice.below(256)).expect("a byte");
            }
        }
    }
    bytes
}

/// A probability in millionths from one in percent.
pub(crate) const fn percent(percent: u32) -> u32 {
    MILLION / 100 * percent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(quality: Quality, frames: u64) -> Vec<Delivery> {
        let (mut dice, mut network) = (Dice::new(5), Network::new(2, quality));
        (0..frames)
            .flat_map(|frame| {
                let now = Moment::default() + Duration::from_millis(frame);
                network.send(&mut dice, now, Family::V4, (0, 1)).into_iter().flatten().collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_good_link_delivers_everything_once_in_order_and_in_time() {
        let quality = Quality::good(Duration::from_millis(1), Duration::from_millis(9));
        let arrived = arrivals(quality, 500);
        assert_eq!(arrived.len(), 500);
        assert!(arrived.is_sorted_by_key(|delivery| delivery.at));
        assert!(arrived.iter().zip(0..).all(|(delivery, sent)| {
            let took = delivery.at - (Moment::default() + Duration::from_millis(sent));
            took >= Duration::from_millis(1) && took <= quality.longest() && !delivery.damaged
        }));
    }

    #[test]
    fn faults_have_the_frequency_that_was_asked_for() {
        let good = Quality::good(Duration::from_millis(1), Duration::from_millis(1));
        assert!((350..450).contains(&arrivals(Quality { loss: percent(60), ..good }, 1000).len()));
        assert!((1150..1250).contains(&arrivals(Quality { duplication: percent(20), ..good }, 1000).len()));
        let damaged = arrivals(Quality { corruption: percent(20), ..good }, 1000);
        assert!((150..250).contains(&damaged.iter().filter(|delivery| delivery.damaged).count()));
        assert!(arrivals(Quality { cut: true, ..good }, 10).is_empty());
        assert!(arrivals(Quality { filtered: Some(Family::V4), ..good }, 10).is_empty());
        assert_eq!(arrivals(Quality { filtered: Some(Family::V6), ..good }, 10).len(), 10);
    }

    #[test]
    fn stragglers_arrive_after_later_frames() {
        let good = Quality::good(Duration::from_micros(10), Duration::from_micros(10));
        let arrived = arrivals(Quality { straggling: percent(10), straggle_by: Duration::from_millis(5), ..good }, 200);
        assert!(!arrived.is_sorted_by_key(|delivery| delivery.at));
    }

    #[test]
    fn damage_changes_the_frame_or_its_length() {
        let (mut dice, frame) = (Dice::new(3), [7; 70]);
        let damaged = (0..1000).filter(|_| damage(&mut dice, &frame) != frame).count();
        assert!(damaged > 990, "{damaged} of 1000");
    }
}
