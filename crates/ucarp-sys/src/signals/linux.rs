//! Linux: a signal that waits in a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SIGTERM`, kept until somebody asks for it.
pub struct Termination {
    descriptor: OwnedFd,
}

impl Termination {
    /// Keeps `SIGTERM` from now on, which has no effect any more until this is asked.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn keep() -> io::Result<Termination> {
        // SAFETY: an all-zero sigset_t is a valid one, and is emptied before it is used.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is live, and the signal has a valid number.
        unsafe {
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
        }
        // SAFETY: the set is initialised; nothing but the mask of this thread changes.
        let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        if blocked != 0 {
            return Err(io::Error::from_raw_os_error(blocked));
        }
        // A blocked signal waits whatever its action is; to be sure, it is not "ignore".
        // SAFETY: the default action runs no code of this process.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
        // SAFETY: the set is initialised, and a new descriptor is asked for.
        let descriptor = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was made just now, and nobody else has it.
        Ok(Termination { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) } })
    }

    /// Whether it came since the last call.
    pub fn came(&self) -> bool {
        let mut information = [0_u8; size_of::<libc::signalfd_siginfo>()];
        rustix::io::retry_on_intr(|| rustix::io::read(&self.descriptor, &mut information)).is_ok()
    }
}

/// Readable when it has come.
impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
