//! Linux: a process as a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
    waitid,
};

use super::Exit;

/// A child as a descriptor, which no other process can ever be mistaken for.
#[derive(Debug)]
pub(super) struct Watch {
    pidfd: OwnedFd,
}

impl Watch {
    /// Watches a child that nobody has waited for.
    pub(super) fn new(pid: Pid) -> Result<Watch, Errno> {
        Ok(Watch { pidfd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    pub(super) fn kill(&self, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(&self.pidfd, signal)
    }

    /// How the child ended, if it has.
    pub(super) fn try_wait(&self) -> io::Result<Option<Exit>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let ended = retry_on_intr(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), options))?;
        Ok(ended.map(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.expect("what has ended and did not exit was killed")),
        }))
    }
}

/// Readable when the child has ended.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Whether there is such a process, and it has not ended without anybody having asked how.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the state may have blanks and brackets in it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Lets this process be killed when its parent dies.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Closes the descriptors from `first` to `last`.
///
/// # Safety
///
/// Nobody must use them any more.
pub(super) unsafe fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: that is what the caller vouches for.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// How many threads this process has.
pub(super) fn count_threads() -> io::Result<usize> {
    let directory = "/proc/self/task";
    let list =
        std::fs::read_dir(directory).map_err(|error| io::Error::new(error.kind(), format!("{directory}: {error}")))?;
    Ok(list.count())
}
