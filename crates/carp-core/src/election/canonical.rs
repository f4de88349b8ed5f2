//! One form for all elections that will behave alike: what makes the state space of a search finite.

use core::time::Duration;

use super::{ANSWER_GAP, Election, LEAST_STALL, Reason, State};
use crate::random::Random;
use crate::time::Instant;

impl Election {
    /// The election that behaves from `origin` on as this one does from `now` on, without what cannot matter any more.
    ///
    /// Two elections with the same configuration and the same canonical form answer the same inputs with the same
    /// states and effects, save the evidence in their reasons. Times become relative to `origin` and stop growing once
    /// they are older than anything that looks back at them; counts keep their order alone; the random waits start from
    /// `seed`. A daemon has no use for it.
    #[must_use]
    pub fn canonical(&self, now: Instant, origin: Instant, seed: u64) -> Self {
        let every = self.config.interval.duration();
        let master = self.state == State::Master;
        let tick = Duration::from_nanos(1);
        let shifted = |instant: Instant, memory| shift(instant, now, origin, memory);
        Self {
            config: self.config.clone(),
            state: self.state,
            random: Random::new(seed),
            deadline: self.deadline.map(|deadline| shifted(deadline, every.max(LEAST_STALL) + tick)),
            expectation: Reason::LinkUp,
            // Only a new configuration looks at it, as at the expectation.
            due: Instant::default(),
            hold_until: self.hold_until.filter(|until| *until > now).map(|until| shifted(until, every)),
            last_sent: if master {
                let memory = self.config.interval.peers_dead_time(self.config.dead_ratio).max(ANSWER_GAP);
                shifted(self.last_sent, memory + tick)
            } else {
                Instant::default()
            },
            sent_count: 1,
            leaving: self.leaving,
            ended: self.ended,
            // It changes nothing but what is told.
            worse: None,
            rivals: self.rivals.canonical(&self.config, now, self.sent_count, shifted),
        }
    }
}

/// `instant` on a clock that shows `origin` instead of `now`, and at most `memory` before it.
fn shift(instant: Instant, now: Instant, origin: Instant, memory: Duration) -> Instant {
    if instant >= now {
        return origin + (instant - now);
    }
    let age = (now - instant).min(memory);
    Instant::from_nanos(origin.as_nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
