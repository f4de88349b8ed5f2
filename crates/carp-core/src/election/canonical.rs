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
mod tests {
    use alloc::vec::Vec;

    use super::super::{Config, Effect, Peer, TieRule};
    use super::*;
    use crate::timing::Interval;
    use crate::wire::MacAddr;

    const ORIGIN: Instant = Instant::from_nanos(1 << 50);

    fn apply(election: &mut Election, now: Instant, what: u64, effects: &mut Vec<Effect>) {
        let peer = |last: u8, advskew: u8, source: [u8; 4]| {
            let interval = Interval { advbase: 1, advskew };
            Peer { source: source.into(), mac: MacAddr([0, 0, 0, 0, 0, last]), interval }
        };
        match what % 16 {
            0..=5 => election.timeout(now, effects),
            6 => election.heard(now, peer(1, 100, [10, 0, 0, 1]), effects),
            7 => election.heard(now, peer(2, 100, [10, 0, 0, 2]), effects),
            8 => election.heard(now, peer(9, 100, [10, 0, 0, 9]), effects),
            9 => election.heard(now, peer(9, 200, [10, 0, 0, 9]), effects),
            10 => election.heard(now, peer(1, 0, [10, 0, 0, 1]), effects),
            11 => election.link_lost(Reason::CarrierLost, effects),
            12 => election.hand_over(effects),
            13 => election.released(now, effects),
            14 if what & 0x700 == 0 => election.shut_down(effects),
            _ => election.link_up(now, effects),
        }
    }

    /// What an election does, without the evidence.
    fn deeds(effects: &[Effect]) -> Vec<(u8, Option<(State, State)>)> {
        let deed = |effect: &Effect| match effect {
            Effect::Transition { from, to, .. } => (0, Some((*from, *to))),
            Effect::Advertise => (1, None),
            Effect::BowOut => (2, None),
            Effect::Claim => (3, None),
            Effect::Release => (4, None),
            Effect::Leaving(_) => (5, None),
            Effect::Reassert(_) => (6, None),
            Effect::EqualPeer(_) => (7, None),
        };
        effects.iter().map(deed).collect()
    }

    #[test]
    fn the_canonical_form_behaves_as_the_election_does() {
        let mut random = Random::new(7);
        let (mut transitions, mut steps) = (0, 0);
        for life in 0..200 {
            let interval = Interval { advbase: 1, advskew: 100 };
            let source = [10, 0, 0, 5].into();
            let config =
                Config { interval, dead_ratio: 3, preempt: life % 2 == 0, source, tie: TieRule::UcarpLittleEndian };
            let mut election = Election::new(config, 1);
            let mut canonical = election.canonical(Instant::default(), ORIGIN, 1);
            let mut now = Instant::from_nanos(0);
            for _ in 0..200 {
                let (dice, pause) = (random.bits(), Duration::from_millis(random.bits() % 512).saturating_mul(2));
                let wait = election.next_deadline().filter(|due| dice % 16 < 6 && *due > now);
                let step = wait.map_or(if dice % 200 == 0 { pause * 20 } else { pause }, |due| due - now);
                now = now + step;
                let (mut done, mut also_done) = (Vec::new(), Vec::new());
                apply(&mut election, now, dice, &mut done);
                apply(&mut canonical, ORIGIN + step, dice, &mut also_done);
                assert_eq!(deeds(&done), deeds(&also_done));
                assert_eq!(election.state(), canonical.state());
                canonical = canonical.canonical(ORIGIN + step, ORIGIN, 1);
                assert_eq!(canonical, election.canonical(now, ORIGIN, 1), "the form does not depend on the way to it");
                transitions += done.iter().filter(|effect| matches!(effect, Effect::Transition { .. })).count();
                steps += 1;
            }
        }
        assert!(transitions > steps / 50, "{transitions} transitions in {steps} steps");
    }
}
