//! From single results to UP and DOWN.

use carp_core::time::Instant;

use crate::protocol::CheckState;

/// What came of one run, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Good(String),
    Bad(String),
    /// Nothing was found out.
    Unknown(String),
}

/// What the results so far say.
///
/// ```text
///               one good one               `fall` bad ones
///  UNKNOWN ───────────────────► UP ─────────────────────────► DOWN
///     │ ▲                        ▲        `rise` good ones       │
///     │ │                        └───────────────────────────────┘
///     │ └── `fall` results in a row that say nothing, from both
///     └──── `fall` bad ones ─────────────────────────────────► DOWN
/// ```
///
/// Whether its effect is in force changes with UP and DOWN only. A check whose effect is in force and that is UNKNOWN
/// needs `rise` good results, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) state: CheckState,
    /// Whether it counts against virtual hosts.
    pub(super) in_force: bool,
    /// Since when it is in this state.
    pub(super) since: Instant,
    good: u32,
    bad: u32,
    unknown: u32,
}

impl Verdict {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: CheckState::Unknown, in_force: false, since: now, good: 0, bad: 0, unknown: 0 }
    }

    /// Counts a result. Whether the state is another one now.
    pub(super) fn count(&mut self, now: Instant, outcome: &Outcome, rise: u32, fall: u32) -> bool {
        let (good, bad, unknown) = match outcome {
            Outcome::Good(_) => (self.good.saturating_add(1), 0, 0),
            Outcome::Bad(_) => (0, self.bad.saturating_add(1), 0),
            // Says nothing, so it interrupts nothing.
            Outcome::Unknown(_) => (self.good, self.bad, self.unknown.saturating_add(1)),
        };
        (self.good, self.bad, self.unknown) = (good, bad, unknown);
        let enough = if self.in_force { rise } else { 1 };
        let state = if unknown >= fall {
            CheckState::Unknown
        } else if unknown > 0 {
            self.state
        } else if good >= enough {
            CheckState::Up
        } else if bad >= fall {
            CheckState::Down
        } else {
            self.state
        };
        match state {
            CheckState::Up => self.in_force = false,
            CheckState::Down => self.in_force = true,
            CheckState::Unknown => {}
        }
        let is_new = state != self.state;
        if is_new {
            (self.state, self.since) = (state, now);
        }
        is_new
    }

    /// Whether so many runs in a row found nothing out that this is worth telling.
    pub(super) fn is_lost(&self, fall: u32) -> bool {
        self.unknown >= fall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckState::{Down, Unknown, Up};

    /// The states after each of `results`: `+` good, `-` bad, `?` unknown; in capitals when the effect is in force.
    fn states(rise: u32, fall: u32, results: &str) -> String {
        let mut verdict = Verdict::new(Instant::default());
        let step = |(at, result): (usize, char)| {
            let text = String::new();
            let outcome = match result {
                '+' => Outcome::Good(text),
                '-' => Outcome::Bad(text),
                _ => Outcome::Unknown(text),
            };
            let now = Instant::from_nanos(u64::try_from(at).unwrap());
            let before = verdict.clone();
            let is_new = verdict.count(now, &outcome, rise, fall);
            assert_eq!(is_new, verdict.state != before.state);
            assert_eq!(verdict.since, if is_new { now } else { before.since });
            let letter = match verdict.state {
                Up => 'u',
                Down => 'd',
                Unknown => 'x',
            };
            if verdict.in_force { letter.to_ascii_uppercase() } else { letter }
        };
        results.chars().enumerate().map(step).collect()
    }

    #[test]
    fn the_first_good_result_is_enough_and_bad_ones_must_be_many() {
        assert_eq!(states(3, 2, "+"), "u");
        assert_eq!(states(3, 2, "--"), "xD");
        assert_eq!(states(3, 2, "-+"), "xu");
    }

    #[test]
    fn only_results_in_a_row_count() {
        assert_eq!(states(2, 3, "+--+--+---"), "uuuuuuuuuD");
        assert_eq!(states(3, 1, "+-++-+++"), "uDDDDDDu");
    }

    #[test]
    fn results_that_say_nothing_make_it_unknown_and_leave_the_effect() {
        assert_eq!(states(2, 2, "+??+"), "uuxu");
        assert_eq!(states(2, 2, "--??++"), "xDDXXu");
        // One in between interrupts nothing.
        assert_eq!(states(2, 2, "+-?-"), "uuuD");
        assert_eq!(states(2, 2, "--+?+"), "xDDDu");
        assert_eq!(states(1, 1, "?-?"), "xDX");
    }
}
