//! Signals as something to poll for.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::pipe::PipeFlags;
use signal_hook::SigId;

#[cfg_attr(target_os = "freebsd", path = "signals/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "signals/linux.rs")]
mod system;
#[cfg(test)]
mod tests;

pub use system::Termination;

/// The signals the daemon can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `SIGUSR1`: say which state this is.
    Usr1,
    /// `SIGUSR2`: give the virtual address up.
    Usr2,
    /// `SIGHUP`.
    Hup,
    /// `SIGINT`.
    Int,
    /// `SIGQUIT`.
    Quit,
    /// `SIGTERM`.
    Term,
    /// `SIGCHLD`: a child ended.
    Child,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Usr1 => "SIGUSR1",
            Signal::Usr2 => "SIGUSR2",
            Signal::Hup => "SIGHUP",
            Signal::Int => "SIGINT",
            Signal::Quit => "SIGQUIT",
            Signal::Term => "SIGTERM",
            Signal::Child => "SIGCHLD",
        })
    }
}

impl Signal {
    /// The signal's number on this system.
    pub fn number(self) -> i32 {
        match self {
            Signal::Usr1 => libc::SIGUSR1,
            Signal::Usr2 => libc::SIGUSR2,
            Signal::Hup => libc::SIGHUP,
            Signal::Int => libc::SIGINT,
            Signal::Quit => libc::SIGQUIT,
            Signal::Term => libc::SIGTERM,
            Signal::Child => libc::SIGCHLD,
        }
    }
}

/// The signals that mean something to a daemon, but that of a child that ended.
const ALL_BUT_CHILD: [Signal; 6] = [Signal::Usr1, Signal::Usr2, Signal::Hup, Signal::Int, Signal::Quit, Signal::Term];

/// Makes this process ignore all signals that a daemon can act on but `SIGCHLD`, whatever was done with them before. For
/// a child of one that catches them: its handlers would write to descriptors that belong to its parent.
pub fn ignore_all() {
    for signal in ALL_BUT_CHILD {
        // SAFETY: to ignore a signal runs no code of this process.
        unsafe { libc::signal(signal.number(), libc::SIG_IGN) };
    }
    // SAFETY: the default action runs no code of this process.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Gives all signals that a daemon can act on back their default action. For a process that is about to become another
/// program: what is ignored would be ignored there, too.
pub fn restore_all() {
    for signal in ALL_BUT_CHILD {
        // SAFETY: the default action runs no code of this process.
        unsafe { libc::signal(signal.number(), libc::SIG_DFL) };
    }
}

/// Ends this process by a signal, as if nobody had caught it.
pub fn die_by(signal: Signal) -> ! {
    // SAFETY: the default action runs no code of this process.
    unsafe { libc::signal(signal.number(), libc::SIG_DFL) };
    // SAFETY: raise has no conditions.
    unsafe { libc::raise(signal.number()) };
    // It was blocked when this process was started.
    std::process::exit(128 + signal.number());
}

/// Signals caught for this process, to be polled for and drained.
///
/// Each kind is reported once however often it came, so a storm of signals costs no memory. A process that forks shares
/// the descriptor behind this with its child; the child must drop it and catch its own. After the drop the signals are
/// swallowed: neither the action they had before nor the default one returns.
pub struct Signals {
    wake: OwnedFd,
    caught: Vec<Caught>,
}

struct Caught {
    signal: Signal,
    arrived: Arc<AtomicBool>,
    actions: Vec<SigId>,
}

impl Signals {
    /// Catches these signals from now on, also those that were ignored. System calls that can be restarted are.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE`: it needs two descriptors and one more for each signal.
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let (wake, waker) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut all = Signals { wake, caught: Vec::with_capacity(signals.len()) };
        for signal in signals {
            let arrived = Arc::new(AtomicBool::new(false));
            all.caught.push(Caught { signal: *signal, arrived: Arc::clone(&arrived), actions: Vec::with_capacity(2) });
            let actions = &mut all.caught.last_mut().expect("it was pushed just now").actions;
            // In this order: who wakes up finds the flag set.
            actions.push(signal_hook::flag::register(signal.number(), arrived)?);
            actions.push(signal_hook::low_level::pipe::register_raw(signal.number(), waker.try_clone()?)?);
        }
        Ok(all)
    }

    /// The signals that came since the last call, each kind once, in the order given to [`Signals::catch`]. Never
    /// blocks.
    pub fn drain(&mut self) -> Vec<Signal> {
        // The pipe first: a signal that comes in between leaves a byte there and is seen by the next call at the latest.
        // One read is a bound; what a storm leaves in the pipe (64 KiB at most) wakes up a few times for nothing.
        let mut bytes = [0_u8; 4096];
        let _ = rustix::io::retry_on_intr(|| rustix::io::read(&self.wake, &mut bytes));
        let arrived = self.caught.iter().filter(|caught| caught.arrived.swap(false, Ordering::SeqCst));
        arrived.map(|caught| caught.signal).collect()
    }
}

/// Readable when there may be something to drain.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for action in self.caught.iter().flat_map(|caught| &caught.actions) {
            signal_hook::low_level::unregister(*action);
        }
    }
}
