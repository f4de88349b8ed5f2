//! Waiting for descriptors: `ppoll(2)`, the daemon's only place to sleep.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

#[cfg(test)]
mod tests;

/// Waits for any of a set of descriptors to become readable. Its memory is kept from one wait to the next.
#[derive(Default)]
pub struct Poller {
    entries: Vec<libc::pollfd>,
}

impl Poller {
    /// A poller that has not waited for anything yet.
    pub fn new() -> Poller {
        Poller::default()
    }

    /// Sleeps until one of `fds` is readable, closed by its other end or in error, or until `timeout` is over; `None`
    /// waits without limit. The time is monotonic and its resolution is that of the kernel's timers, not milliseconds.
    ///
    /// Returns how many are ready; [`Poller::ready`] tells which. 0 means that the time is over *or that a signal
    /// came*: the caller computes its deadline anew in either case.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` for more descriptors than the process may have open.
    pub fn wait<'fd>(
        &mut self,
        fds: impl IntoIterator<Item = BorrowedFd<'fd>>,
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let entry = |fd: BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        self.entries.clear();
        self.entries.extend(fds.into_iter().map(entry));
        let count = libc::nfds_t::try_from(self.entries.len()).expect("nfds_t holds any number of descriptors");
        let timeout = timeout.map(timespec);
        let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the pointer and count are those of `entries`, which nothing else touches during the call; the timeout
        // is null or points to a live timespec; a null signal mask leaves the mask alone.
        let ready = unsafe { libc::ppoll(self.entries.as_mut_ptr(), count, timeout, std::ptr::null()) };
        usize::try_from(ready).or_else(|_| {
            let error = io::Error::last_os_error();
            // After a failure the kernel's answers are not defined.
            self.entries.iter_mut().for_each(|entry| entry.revents = 0);
            if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) }
        })
    }

    /// Whether the descriptor that was number `index` (from 0) in the last wait was found ready.
    pub fn ready(&self, index: usize) -> bool {
        self.entries.get(index).is_some_and(|entry| entry.revents != 0)
    }
}

/// A duration as the kernel wants it; what does not fit (292 billion years) becomes the longest that does.
fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(i32::try_from(duration.subsec_nanos()).expect("below 1,000,000,000")),
    }
}

/// Whether a read would not block now: because there is something, or because it would fail at once.
pub fn readable_now(fd: BorrowedFd<'_>) -> bool {
    is_ready_now(fd, PollFlags::IN)
}

/// Whether a write would not block now: because there is room, or because it would fail at once.
///
/// A pipe has room when 4,096 bytes (`PIPE_BUF`) fit into it. For a log sink that must never hold the daemon up.
pub fn writable_now(fd: BorrowedFd<'_>) -> bool {
    is_ready_now(fd, PollFlags::OUT)
}

fn is_ready_now(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&at_once))).is_ok_and(|ready| ready > 0)
}
