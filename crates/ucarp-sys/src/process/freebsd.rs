//! FreeBSD: a process as an event.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::Exit;

/// A child, and a queue for the one event that it has ended. As long as nobody has waited for it, its number cannot
/// belong to another process.
#[derive(Debug)]
pub(super) struct Watch {
    pid: Pid,
    queue: OwnedFd,
}

impl Watch {
    /// Watches a child that nobody has waited for.
    pub(super) fn new(pid: Pid) -> Result<Watch, Errno> {
        // SAFETY: kqueue has no conditions; the descriptor is looked at below.
        let queue = unsafe { libc::kqueue() };
        if queue < 0 {
            return Err(last_error());
        }
        // SAFETY: it was made just now, and nobody else has it.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
        // SAFETY: the structure is plain numbers and pointers, all of which may be zero.
        let mut event: libc::kevent = unsafe { std::mem::zeroed() };
        event.ident = usize::try_from(pid.as_raw_pid()).expect("a pid is not negative");
        event.filter = libc::EVFILT_PROC;
        event.flags = libc::EV_ADD;
        event.fflags = libc::NOTE_EXIT;
        // SAFETY: one live event goes in, none comes out, and null stands for no time limit.
        let added =
            unsafe { libc::kevent(queue.as_raw_fd(), &raw const event, 1, std::ptr::null_mut(), 0, std::ptr::null()) };
        if added < 0 { Err(last_error()) } else { Ok(Watch { pid, queue }) }
    }

    /// To be called only as long as [`Watch::try_wait`] has not said how the child ended.
    pub(super) fn kill(&self, signal: Signal) -> Result<(), Errno> {
        kill_process(self.pid, signal)
    }

    /// How the child ended, if it has.
    pub(super) fn try_wait(&self) -> io::Result<Option<Exit>> {
        let ended = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::NOHANG))?;
        Ok(ended.map(|(_, status)| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.expect("what has ended and did not exit was killed")),
        }))
    }
}

/// Readable when the child has ended.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).expect("it is the system's")
}

/// Whether there is such a process. One that has ended counts as long as nobody has asked how.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Who may not send it a signal learns that it is there.
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH)))
}

/// Lets this process be killed when its parent dies.
pub(super) fn die_with_parent() -> io::Result<()> {
    let mut signal = libc::SIGKILL;
    // SAFETY: the command takes the number of a signal, which is live; process 0 stands for this one.
    if unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_PDEATHSIG_CTL, (&raw mut signal).cast()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes the descriptors from `first` to `last`.
///
/// # Safety
///
/// Nobody must use them any more.
pub(super) unsafe fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: that is what the caller vouches for.
    if unsafe { libc::close_range(first, last, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// How many threads this process has.
pub(super) fn count_threads() -> io::Result<usize> {
    // SAFETY: getpid has no conditions.
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, unsafe { libc::getpid() }];
    let mut process = MaybeUninit::<libc::kinfo_proc>::zeroed();
    let mut length = size_of::<libc::kinfo_proc>();
    // SAFETY: the name and its length belong together, as do the memory for the answer and its length; nothing is set.
    let asked =
        unsafe { libc::sysctl(name.as_ptr(), 4, process.as_mut_ptr().cast(), &raw mut length, std::ptr::null(), 0) };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the structure is plain numbers and pointers that nobody follows; it was zero, and the kernel has filled it.
    let threads = unsafe { process.assume_init_ref() }.ki_numthreads;
    if length != size_of::<libc::kinfo_proc>() {
        return Err(io::Error::other(format!("the kernel describes a process in {length} bytes")));
    }
    Ok(usize::try_from(threads).unwrap_or(usize::MAX))
}
