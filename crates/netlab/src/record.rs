//! A growing list that one thread writes and others read and wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bounded list. What comes when it is full is counted and dropped: the beginning of a story explains more than its end.
#[derive(Debug)]
pub(crate) struct Record<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    limit: usize,
}

#[derive(Debug)]
struct State<T> {
    items: Vec<T>,
    lost: u64,
    writers: u32,
}

impl<T: Clone> Record<T> {
    /// A record that is complete once each of `writers` has called [`Record::close`].
    pub(crate) fn new(limit: usize, writers: u32) -> Record<T> {
        let state = State { items: Vec::new(), lost: 0, writers };
        Record { state: Mutex::new(state), changed: Condvar::new(), limit }
    }

    pub(crate) fn push(&self, item: T) {
        self.edit(|items| items.push(item));
    }

    /// Changes items that are there. Waiting readers look only at new ones.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Vec<T>)) {
        let mut state = self.lock();
        change(&mut state.items);
        if state.items.len() > self.limit {
            state.items.truncate(self.limit);
            state.lost += 1;
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn add_lost(&self, count: u64) {
        self.lock().lost += count;
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.writers = state.writers.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&[T]) -> R) -> R {
        read(&self.lock().items)
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.read(<[T]>::to_vec)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// The first item, old or new, that `wanted` accepts. `None` when the time is over or the writers are gone.
    pub(crate) fn wait_for(&self, mut wanted: impl FnMut(&T) -> bool, within: Duration) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items[seen..].iter().find(|item| wanted(item)) {
                return Some(item.clone());
            }
            seen = state.items.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.writers == 0 {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the writers were gone in time.
    pub(crate) fn wait_closed(&self, within: Duration) -> bool {
        let open = |state: &mut State<T>| state.writers > 0;
        let result = self.changed.wait_timeout_while(self.lock(), within, open);
        !result.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The list is whole after every step, so a reader that panicked while it held the lock has broken nothing.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_full_record_keeps_the_beginning_and_counts_the_rest() {
        let record = Record::new(2, 1);
        (0..5).for_each(|item| record.push(item));
        assert_eq!((record.all(), record.lost()), (vec![0, 1], 3));
    }

    #[test]
    fn waiting_sees_old_items_new_items_and_the_end() {
        let record = Arc::new(Record::new(10, 1));
        record.push(1);
        assert_eq!(record.wait_for(|item| *item == 1, Duration::ZERO), Some(1));
        assert_eq!(record.wait_for(|item| *item == 2, Duration::from_millis(1)), None);
        let writer = Arc::clone(&record);
        let thread = std::thread::spawn(move || {
            writer.push(2);
            writer.close();
        });
        assert_eq!(record.wait_for(|item| *item == 2, Duration::from_secs(10)), Some(2));
        assert!(record.wait_closed(Duration::from_secs(10)));
        let start = Instant::now();
        assert_eq!(record.wait_for(|item| *item == 3, Duration::from_secs(60)), None);
        assert!(start.elapsed() < Duration::from_secs(30), "nobody is left to write");
        thread.join().unwrap();
    }
}
