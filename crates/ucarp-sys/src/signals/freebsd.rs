//! FreeBSD: signals come by a pipe as all others do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Signal, Signals};

/// `SIGTERM`, kept until somebody asks for it.
pub struct Termination {
    signals: Signals,
}

impl Termination {
    /// Keeps `SIGTERM` from now on, which has no effect any more until this is asked.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn keep() -> io::Result<Termination> {
        Ok(Termination { signals: Signals::catch(&[Signal::Term])? })
    }

    /// Whether it came. Once it did, it always has: nobody asks again.
    pub fn came(&self) -> bool {
        let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::io::retry_on_intr(|| poll(&mut fds, Some(&at_once))).is_ok_and(|ready| ready > 0)
    }
}

/// Readable when it has come.
impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}
