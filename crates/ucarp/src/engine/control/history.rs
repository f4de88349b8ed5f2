//! What has happened, with its reasons: bounded for each virtual host and in all.

use std::collections::{BTreeMap, VecDeque};
use std::time::UNIX_EPOCH;

use carp_core::election::Reason;
use ucarp_control::types::State;

use crate::protocol::HostNumber;

/// Events that are kept of one virtual host, and of the daemon.
const MOST_OF_ONE: usize = 1000;

/// Events that are kept in all.
const MOST: usize = 50_000;

/// Numbers of one start of an engine, before those of the next that can be a millisecond later. JSON's readers know whole
/// numbers up to 2^53 exactly: enough until the year 2255.
const NUMBERS_OF_A_MILLISECOND: u64 = 1000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Event {
    /// Milliseconds since 1970.
    pub(in crate::engine) at: u64,
    /// `None`: the daemon.
    pub(in crate::engine) host: Option<HostNumber>,
    pub(in crate::engine) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum What {
    Transition { from: State, to: State, reason: Reason },
    Leaving { reason: Reason },
    Other { kind: &'static str, cause: &'static str, message: Box<str> },
}

/// All events that are kept.
#[derive(Debug)]
pub(in crate::engine) struct History {
    events: BTreeMap<u64, Event>,
    by_host: BTreeMap<Option<HostNumber>, VecDeque<u64>>,
    next: u64,
}

/// The wall clock, in milliseconds since 1970.
pub(in crate::engine) fn wall_clock() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl History {
    /// An empty history that was begun at `at`. Numbers grow from one to the next, as long as the clock does.
    pub(in crate::engine) fn new(at: u64) -> Self {
        let next = at.saturating_mul(NUMBERS_OF_A_MILLISECOND).max(1);
        Self { events: BTreeMap::new(), by_host: BTreeMap::new(), next }
    }

    /// Adds what happened just now.
    pub(in crate::engine) fn add(&mut self, host: Option<HostNumber>, what: What) {
        let number = self.next;
        self.next += 1;
        self.events.insert(number, Event { at: wall_clock(), host, what });
        let own = self.by_host.entry(host).or_default();
        own.push_back(number);
        let outdated = if own.len() > MOST_OF_ONE { own.pop_front() } else { None };
        if let Some(outdated) = outdated {
            self.events.remove(&outdated);
        } else if self.events.len() > MOST {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.events.pop_first()
            && let Some(own) = self.by_host.get_mut(&oldest.host)
        {
            // Numbers grow: the oldest of all is the oldest of its virtual host.
            own.pop_front();
        }
    }

    /// A virtual host is gone, and what happened to it with it.
    pub(in crate::engine) fn forget(&mut self, host: HostNumber) {
        for number in self.by_host.remove(&Some(host)).unwrap_or_default() {
            self.events.remove(&number);
        }
    }

    /// The number of the last event so far, or one before the first.
    pub(in crate::engine) fn last(&self) -> u64 {
        self.next - 1
    }

    /// The number behind which the last `most` events of a virtual host, or of all and the daemon, are.
    pub(in crate::engine) fn before_last(&self, host: Option<HostNumber>, most: usize) -> u64 {
        let first = match host {
            Some(_) => self.by_host.get(&host).and_then(|own| own.get(own.len().saturating_sub(most))),
            None if most >= self.events.len() => self.events.keys().next(),
            None => self.events.keys().rev().nth(most.saturating_sub(1)),
        };
        first.filter(|_| most > 0).map_or(self.last(), |number| number - 1)
    }

    /// The next event behind a number, of a virtual host, or of any and the daemon.
    pub(in crate::engine) fn after(&self, host: Option<HostNumber>, number: u64) -> Option<(u64, &Event)> {
        let next = match host {
            Some(_) => {
                let own = self.by_host.get(&host)?;
                *own.get(own.partition_point(|known| *known <= number))?
            }
            None => *self.events.range(number.checked_add(1)?..).next()?.0,
        };
        self.events.get(&next).map(|event| (next, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> What {
        What::Other { kind: "notice", cause: "test", message: text.into() }
    }

    /// The numbers of what there is behind `from`, beginning with 0 for the first ever.
    fn numbers(history: &History, host: Option<HostNumber>, from: u64) -> Vec<u64> {
        let mut from = from;
        std::iter::from_fn(|| {
            from = history.after(host, from)?.0;
            Some(from)
        })
        .collect()
    }

    #[test]
    fn events_are_found_by_virtual_host_and_in_all() {
        let mut history = History::new(5);
        let (one, two) = (Some(HostNumber(1)), Some(HostNumber(2)));
        for host in [None, one, two, one] {
            history.add(host, note("x"));
        }
        assert_eq!(numbers(&history, None, 0), [5000, 5001, 5002, 5003]);
        assert_eq!(numbers(&history, one, 0), [5001, 5003]);
        assert_eq!(numbers(&history, one, 5001), [5003]);
        assert_eq!((history.last(), history.before_last(one, 1), history.before_last(None, 2)), (5003, 5002, 5001));
        assert_eq!((history.before_last(two, 0), history.before_last(Some(HostNumber(9)), 5)), (5003, 5003));
        history.forget(HostNumber(1));
        assert_eq!(numbers(&history, None, 0), [5000, 5002]);
    }

    #[test]
    fn each_virtual_host_has_its_share_and_all_together_have_theirs() {
        let mut history = History::new(0);
        // Of the first one nothing is lost although the second is very busy.
        (0..10).for_each(|_| history.add(Some(HostNumber(1)), note("x")));
        (0..3000).for_each(|_| history.add(Some(HostNumber(2)), note("x")));
        assert_eq!(numbers(&history, Some(HostNumber(1)), 0).len(), 10);
        assert_eq!(numbers(&history, Some(HostNumber(2)), 0).len(), MOST_OF_ONE);
        for host in 3..100 {
            (0..1000).for_each(|_| history.add(Some(HostNumber(host)), note("x")));
        }
        assert_eq!(history.events.len(), MOST);
        let listed: usize = history.by_host.values().map(VecDeque::len).sum();
        assert_eq!(listed, MOST);
        assert_eq!(numbers(&history, None, 0).len(), MOST);
    }
}
