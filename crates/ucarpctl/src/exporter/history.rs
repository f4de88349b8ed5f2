//! What happened, as far as the daemon and this process remember it, and the news of it for whoever waits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use ucarp_control::types::Event;

use super::model::{DAY, Gap, Past};

/// So many events are kept. They take less than 10 MB.
pub(super) const MOST_EVENTS: usize = 10_000;

/// So many times of a missing daemon are kept.
const MOST_GAPS: usize = 200;

/// So many changes of state are told to others at once.
const MOST_TOLD: usize = 2_000;

/// What has changed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The position of the newest event: the first one is 1.
    pub(super) position: u64,
    /// Whether the daemon answers.
    pub(super) up: bool,
}

/// Events in the order in which they came, and when the daemon was away.
#[derive(Debug)]
pub(super) struct History {
    kept: Mutex<Kept>,
    mark: watch::Sender<Mark>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Event>,
    /// The position of the event before the first one that is kept.
    forgotten: u64,
    /// The highest number there ever was.
    highest: u64,
    gaps: VecDeque<Gap>,
}

impl Kept {
    fn newest(&self) -> u64 {
        self.forgotten + self.events.len() as u64
    }
}

impl History {
    /// Of a daemon that has not answered yet.
    pub(super) fn new() -> Self {
        History { kept: Mutex::default(), mark: watch::Sender::new(Mark::default()) }
    }

    /// To wait for news with.
    pub(super) fn subscribe(&self) -> watch::Receiver<Mark> {
        self.mark.subscribe()
    }

    /// Nothing that could panic happens while the lock is held, and a poisoned one would do no harm.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event on, unless it is known: after a lost connection the daemon tells its whole history again.
    pub(super) fn add(&self, event: Event) {
        let mut kept = self.kept();
        if event.number <= kept.highest
            && kept.events.iter().any(|known| known.number == event.number && known.at == event.at)
        {
            return;
        }
        if kept.events.len() == MOST_EVENTS {
            kept.events.pop_front();
            kept.forgotten += 1;
        }
        kept.highest = kept.highest.max(event.number);
        kept.events.push_back(event);
        let position = kept.newest();
        drop(kept);
        self.mark.send_modify(|mark| mark.position = position);
    }

    /// The daemon answers, or not, since `at` in milliseconds since 1970.
    pub(super) fn set_up(&self, up: bool, at: u64) {
        if self.mark.borrow().up == up {
            return;
        }
        let mut kept = self.kept();
        if up {
            if let Some(gap) = kept.gaps.back_mut().filter(|gap| gap.to.is_none()) {
                gap.to = Some(at);
            }
        } else {
            if kept.gaps.len() == MOST_GAPS {
                kept.gaps.pop_front();
            }
            kept.gaps.push_back(Gap { from: at, to: None });
        }
        drop(kept);
        self.mark.send_modify(|mark| mark.up = up);
    }

    /// The position of the event of this number, to go on after it. If it is not known any more: before the first later
    /// one.
    pub(super) fn position_of(&self, number: u64) -> u64 {
        let kept = self.kept();
        let exact = kept.events.iter().position(|event| event.number == number).map(|index| index + 1);
        let at = exact.or_else(|| kept.events.iter().position(|event| event.number > number));
        kept.forgotten + at.unwrap_or(kept.events.len()) as u64
    }

    /// At most `most` events after a position, the oldest first, each with its own position.
    pub(super) fn after(&self, position: u64, most: usize) -> Vec<(u64, Event)> {
        let kept = self.kept();
        let skipped = usize::try_from(position.saturating_sub(kept.forgotten)).unwrap_or(usize::MAX);
        let first = kept.forgotten + skipped as u64 + 1;
        (first..).zip(kept.events.iter().skip(skipped).take(most).cloned()).collect()
    }

    /// The changes of state of the last day, and when the daemon was away.
    pub(super) fn past(&self, now: u64) -> Past {
        let kept = self.kept();
        let since = now.saturating_sub(DAY);
        let transitions = kept.events.iter().rev().filter(|event| event.kind == "transition" && event.at >= since);
        let mut events: Vec<Event> = transitions.take(MOST_TOLD).cloned().collect();
        events.reverse();
        let gaps = kept.gaps.iter().filter(|gap| gap.to.is_none_or(|to| to >= since)).copied().collect();
        Past { events, gaps }
    }
}

#[cfg(test)]
mod tests {
    use ucarp_control::types::State;

    use super::*;
    use crate::exporter::testing::{change, event};

    fn numbers(events: &[(u64, Event)]) -> Vec<u64> {
        events.iter().map(|(_, event)| event.number).collect()
    }

    #[test]
    fn a_reader_goes_on_where_it_was_whatever_was_forgotten_meanwhile() {
        let history = History::new();
        for number in 1..=MOST_EVENTS as u64 + 10 {
            history.add(event(number * 2));
        }
        assert_eq!(history.kept().events.len(), MOST_EVENTS, "it is bounded");
        let last = (MOST_EVENTS as u64 + 10) * 2;
        let position = history.position_of(last - 4);
        assert_eq!(numbers(&history.after(position, 10)), [last - 2, last]);
        assert_eq!(numbers(&history.after(history.position_of(last - 3), 1)), [last - 2], "one that never was");
        assert_eq!(numbers(&history.after(history.position_of(4), 1)), [22], "one that is forgotten");
        assert_eq!(numbers(&history.after(0, 1)), [22]);
        assert!(history.after(history.position_of(last), 10).is_empty());
        let (newest, _) = history.after(position, 10).pop().unwrap();
        assert_eq!(newest, history.subscribe().borrow().position);
    }

    #[test]
    fn what_is_told_again_is_known_and_a_clock_that_was_set_back_loses_nothing() {
        let history = History::new();
        for number in [5, 6, 5, 6, 7, 3, 5, 6, 7, 3] {
            history.add(event(number));
        }
        assert_eq!(numbers(&history.after(0, 10)), [5, 6, 7, 3]);
    }

    #[test]
    fn the_past_is_a_day_of_changes_and_the_times_when_nobody_knew() {
        let history = History::new();
        let now = 10 * DAY;
        history.set_up(true, now - 3 * DAY);
        history.set_up(false, now - 3 * DAY + 1);
        history.set_up(true, now - 2 * DAY);
        history.set_up(false, now - 500);
        history.set_up(false, now - 400);
        let changed = change(0, State::Backup, State::Master);
        history.add(Event { number: 1, at: now - DAY - 1, ..changed.clone() });
        history.add(Event { number: 2, at: now - 1000, ..changed });
        history.add(Event { at: now - 900, kind: "check".into(), ..event(3) });
        let past = history.past(now);
        assert_eq!(past.events.iter().map(|event| event.number).collect::<Vec<_>>(), [2]);
        assert_eq!(past.gaps, [Gap { from: now - 500, to: None }]);
    }
}
