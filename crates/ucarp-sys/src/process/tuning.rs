//! How the kernel treats this process when the machine is busy.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

/// The real-time priorities of Linux, from the lowest to the highest.
pub const REALTIME_PRIORITIES: (u8, u8) = (1, 99);

/// Gives this process a place before all that have no real-time priority (`SCHED_FIFO`). What it forks or executes from now
/// on has none: a script that runs in a circle must not keep the machine.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_NICE` or a sufficient `RLIMIT_RTPRIO`, and in a control group without real-time budget;
/// `EINVAL` for a priority out of [`REALTIME_PRIORITIES`].
pub fn be_realtime(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority.into() };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the parameters are live, and nothing keeps the pointer; 0 is this process.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps all memory of this process, of now and of later, from being swapped out. A child that it forks has to ask for
/// itself. It is not limited by `RLIMIT_MEMLOCK` afterwards, which a process that has given its rights up would die of.
///
/// # Errors
///
/// `EPERM` or `ENOMEM` without `CAP_IPC_LOCK`; the limit cannot be raised without `CAP_SYS_RESOURCE`.
pub fn lock_memory() -> io::Result<()> {
    setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None })?;
    // What was never touched takes no memory by this.
    // SAFETY: it changes where pages are kept, and nothing that a program can see.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How much later than asked for the kernel may wake this process, to save power; at least 1 ns. What it forks has the
/// same.
///
/// # Errors
///
/// Those of `prctl(2)`; none is known.
pub fn set_timer_slack(slack: Duration) -> io::Result<()> {
    // 0 would stand for the default.
    let nanos = libc::c_ulong::try_from(slack.as_nanos()).unwrap_or(libc::c_ulong::MAX).max(1);
    // SAFETY: this option takes a number.
    let result = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanos) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
