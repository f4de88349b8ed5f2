//! What is going on, on standard error: a measurement takes minutes.

use std::time::{Duration, Instant};

/// What a step is assumed to take before one has been seen.
const FIRST_GUESS: Duration = Duration::from_secs(10);

/// The steps of one part.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    all: usize,
    done: usize,
}

impl Progress {
    pub(super) fn new(all: usize) -> Progress {
        Progress { started: Instant::now(), all, done: 0 }
    }

    /// Says what is measured now.
    pub(super) fn begin(&self, what: &str) {
        let left = time_left(self.started.elapsed(), self.done, self.all);
        eprintln!("{:3} of {}, {} s left  {what}", self.done + 1, self.all, left.as_secs());
    }

    /// Says what it gave.
    pub(super) fn end(&mut self, what: &str, result: &str) {
        eprintln!("{what}: {result}");
        self.done += 1;
    }
}

/// What the present step and those after it will take, by what they took so far.
fn time_left(elapsed: Duration, done: usize, all: usize) -> Duration {
    let (done, left) = (u32::try_from(done).unwrap_or(0), u32::try_from(all.saturating_sub(done)).unwrap_or(0));
    elapsed.checked_div(done).unwrap_or(FIRST_GUESS) * left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_what_the_steps_took() {
        assert_eq!(time_left(Duration::ZERO, 0, 30), FIRST_GUESS * 30);
        assert_eq!(time_left(Duration::from_secs(40), 4, 10), Duration::from_secs(60));
        assert_eq!(time_left(Duration::from_secs(40), 10, 10), Duration::ZERO);
    }
}
