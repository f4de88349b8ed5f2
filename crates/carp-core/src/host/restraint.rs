//! What a virtual host takes back of what its configuration says: rank while it is demoted, and preemption while it is
//! fresh or has changed too often.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use super::config::{HoldDown, Policy};
use crate::election;
use crate::time::Instant;
use crate::timing::Interval;

/// The restraint of one virtual host.
#[derive(Clone, Debug, Default)]
pub(super) struct Restraint {
    demotion: u16,
    /// It has been BACKUP before.
    has_started: bool,
    /// It does not preempt before.
    fresh_until: Option<Instant>,
    /// The last takeovers, as many as the hold-down counts.
    takeovers: Vec<Instant>,
    /// It has taken over too often, and neither preempts nor is quick to take over before.
    held_down_until: Option<Instant>,
}

impl Restraint {
    /// By how much the advertised advskew is raised, before the limit.
    pub(super) fn demotion(&self) -> u16 {
        self.demotion
    }

    pub(super) fn demote(&mut self, by: u16) {
        self.demotion = by;
    }

    /// When [`Restraint::ends`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.fresh_until, self.held_down_until].into_iter().flatten().min()
    }

    /// Whether a restraint ends at `now`.
    pub(super) fn ends(&mut self, now: Instant) -> bool {
        let ended = |until: &mut Option<Instant>| until.take_if(|until| *until <= now).is_some();
        ended(&mut self.fresh_until) | ended(&mut self.held_down_until)
    }

    /// The virtual host can take part from now on. Returns until when it only listens.
    pub(super) fn joined(&mut self, now: Instant, policy: &Policy) -> Option<Instant> {
        self.fresh_until = (!policy.preempt_delay.is_zero()).then(|| now + policy.preempt_delay);
        let is_first = !core::mem::replace(&mut self.has_started, true);
        (is_first && !policy.start_delay.is_zero()).then(|| now + policy.start_delay)
    }

    /// The virtual host became MASTER. Returns whether that was once too often.
    pub(super) fn took_over(&mut self, now: Instant, policy: &Policy) -> bool {
        let Some(HoldDown { takeovers, window, length }) = policy.hold_down else { return false };
        self.takeovers.retain(|at| now - *at < window);
        self.takeovers.push(now);
        let is_flapping = self.takeovers.len() > usize::from(takeovers);
        if is_flapping {
            self.takeovers.clear();
            self.held_down_until = Some(now + length);
        }
        is_flapping
    }

    /// The configuration of the election as it has to be at the moment.
    pub(super) fn temper(&self, mut config: election::Config, policy: &Policy) -> election::Config {
        let is_patient = self.fresh_until.is_some() || self.held_down_until.is_some();
        config.interval = self.interval(config.interval, policy);
        config.preempt &= !is_patient;
        config.demotion = policy.demotion_byte.then(|| u8::try_from(self.demotion).unwrap_or(u8::MAX));
        config
    }

    /// The interval that is advertised.
    pub(super) fn interval(&self, configured: Interval, policy: &Policy) -> Interval {
        configured.demoted(self.demotion, policy.ranked_demotion)
    }
}
