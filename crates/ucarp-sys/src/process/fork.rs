//! A second process of the daemon.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::Exit;
use super::system::{self, Watch};

/// Exit status of a child that panicked: that of any Rust program.
const PANICKED: u8 = 101;

/// A child process that [`fork_child`] made.
///
/// Dropping it leaves the process as it is; if nobody waited for it, it remains a zombie until this process ends.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    watch: Watch,
    exit: Option<Exit>,
}

/// Forks a child process that runs `child` and exits with what it returns, or with 101 if it panics (where a panic does
/// not abort anyway).
///
/// The child has a copy of everything: memory, descriptors, signal handlers and mask. Nothing is closed or flushed, in
/// either process, and the child ends without running exit handlers or destructors of its caller. It outlives this
/// process if it likes to.
///
/// # Errors
///
/// If this process has more than one thread: the others, and what they have locked, would stand still in the child for
/// ever. `EAGAIN` or `ENOMEM` when there can be no new process. `EMFILE`, `ENFILE` or `ENOMEM` when there can be no
/// descriptor to watch it: then it is killed at once. This process must not ignore `SIGCHLD`.
pub fn fork_child(child: impl FnOnce() -> u8) -> io::Result<Child> {
    require_one_thread("fork a child")?;
    // SAFETY: this process has one thread, so that the child's memory is consistent.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {
            // The frames below this one belong to the parent; a panic must not unwind into them.
            let code = catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED);
            // SAFETY: _exit has no conditions.
            unsafe { libc::_exit(code.into()) }
        }
        pid => Pid::from_raw(pid).expect("a new process has a pid"),
    };
    match Watch::new(pid) {
        Ok(watch) => Ok(Child { pid, watch, exit: None }),
        // It has ended already, and `SIGCHLD` is ignored.
        Err(Errno::SRCH) => Err(Errno::SRCH.into()),
        Err(error) => {
            // It was not waited for, so that its number cannot belong to another process.
            kill_process(pid, Signal::KILL)?;
            retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED))?;
            Err(error.into())
        }
    }
}

impl Child {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// Sends the child a signal. Does nothing once the child has ended.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child has taken another user's identity and this process has no privileges.
    pub fn kill(&self, signal: Signal) -> io::Result<()> {
        if self.exit.is_some() {
            return Ok(());
        }
        match self.watch.kill(signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How the child ended, or `None` while it runs.
    ///
    /// # Errors
    ///
    /// `ECHILD` if this process ignores `SIGCHLD`, or if somebody else has waited for the child: then nobody learns how
    /// it ended.
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            self.exit = self.watch.try_wait()?;
        }
        Ok(self.exit)
    }
}

/// Closes all descriptors of this process but these and the three standard streams. For a child that has been forked and
/// never returns to what it has copied: whoever believes to own a descriptor there must not use it any more.
///
/// # Errors
///
/// Those of `close_range(2)`: `ENOSYS` before Linux 5.9.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd().cast_unsigned()).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for last in kept.into_iter().map(|fd| fd - 1).chain([u32::MAX]) {
        if first <= last {
            // SAFETY: the caller does not use what is closed, and what it keeps is not in the range.
            unsafe { system::close_range(first, last) }?;
        }
        first = last.saturating_add(2);
    }
    Ok(())
}

/// Readable when the child has ended.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

/// What follows concerns one thread only, or all but one.
pub(crate) fn require_one_thread(to: &str) -> io::Result<()> {
    let threads = system::count_threads()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot {to} without counting threads: {error}")))?;
    if threads == 1 {
        return Ok(());
    }
    Err(io::Error::other(format!("cannot {to} with {threads} threads: do so before starting them")))
}
