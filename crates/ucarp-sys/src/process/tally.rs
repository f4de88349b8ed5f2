//! A counter between two processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::retry_on_intr;

/// A counter that one process raises and the other reads when it likes, without being woken by it: a sign of life that
/// costs no more than a system call. Processes share it by a fork; scripts do not inherit it.
#[derive(Debug)]
pub struct Tally {
    counter: OwnedFd,
}

impl Tally {
    /// A counter that stands at 0.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn new() -> io::Result<Tally> {
        Ok(Tally { counter: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// The same counter again, for another process.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<Tally> {
        Ok(Tally { counter: self.counter.try_clone()? })
    }

    /// Raises the counter by one. Never blocks.
    pub fn raise(&self) {
        // It fails only where nothing is lost by it: at 2^64 - 2, which no reader can take for silence.
        let _ = retry_on_intr(|| rustix::io::write(&self.counter, &1_u64.to_ne_bytes()));
    }

    /// How often the counter was raised since the last call, in whichever process; 0 if it was not. Never blocks.
    pub fn take(&self) -> u64 {
        let mut count = [0; 8];
        match retry_on_intr(|| rustix::io::read(&self.counter, &mut count)) {
            Ok(8) => u64::from_ne_bytes(count),
            // `EAGAIN`; the kernel has no other answer.
            _ => 0,
        }
    }
}

/// To be kept open where all else is closed.
impl AsFd for Tally {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_was_raised_since_it_was_taken() {
        let tally = Tally::new().unwrap();
        assert_eq!(tally.take(), 0);
        (0..3).for_each(|_| tally.raise());
        assert_eq!(tally.take(), 3);
        assert_eq!(tally.take(), 0);
    }

    #[test]
    fn a_counter_at_its_end_neither_blocks_nor_looks_silent() {
        let tally = Tally::new().unwrap();
        let most = u64::MAX - 1;
        rustix::io::write(&tally.counter, &most.to_ne_bytes()).unwrap();
        tally.raise();
        assert_eq!(tally.take(), most);
        tally.raise();
        assert_eq!(tally.take(), 1);
    }
}
