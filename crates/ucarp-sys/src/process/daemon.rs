//! Going into the background.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::PipeFlags;
use rustix::process::{chdir, setsid};

use super::require_one_thread;

#[cfg(test)]
mod tests;

/// Exit status of the first process when the daemon ends without a word; UCARP's for a failed set-up.
const SETUP_FAILED: u8 = 2;

/// The daemon's word to the process the user started, which waits for it: it is ready, or it failed.
///
/// Dropping it, or dying, lets that process exit with status 2. A process that the daemon forks before must drop its
/// copy.
#[derive(Debug)]
pub struct Readiness {
    pipe: OwnedFd,
}

impl Readiness {
    /// Everything is set up: moves descriptors 0 to 2 to /dev/null and lets the first process exit with status 0.
    ///
    /// # Errors
    ///
    /// If /dev/null cannot be opened; the first process then exits with status 2.
    pub fn ready(self) -> io::Result<()> {
        self.report(0)
    }

    /// The set-up failed and messages about it have been written: moves descriptors 0 to 2 to /dev/null and lets the
    /// first process exit with status `code`.
    ///
    /// # Errors
    ///
    /// As [`Readiness::ready`].
    pub fn failed(self, code: u8) -> io::Result<()> {
        self.report(code)
    }

    fn report(self, code: u8) -> io::Result<()> {
        // First, so that nothing comes to the terminal after its shell has prompted for the next command.
        detach_standard_descriptors()?;
        match retry_on_intr(|| rustix::io::write(&self.pipe, &[code])) {
            // If the first process was killed meanwhile there is nobody to tell.
            Ok(_) | Err(Errno::PIPE) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Continues as a daemon: forked twice, so that it leads neither a session nor a process group and has no terminal; in
/// the directory `/`; the umask as it was. Descriptors 0 to 2 stay until it reports, so that errors of its set-up are
/// seen. The process the user started waits for that report and exits with it, unlike UCARP 1.5.2, whose first process
/// exits with 0 before the sockets are open.
///
/// To be called before threads, packet sockets or signal handlers are made.
///
/// # Errors
///
/// If this process has more than one thread, as the others would not be in the daemon, or when it cannot fork. The
/// error may be returned in a process already forked; the caller prints it and exits, and the first process then exits
/// with status 2.
pub fn daemonize() -> io::Result<Readiness> {
    require_one_thread("become a daemon")?;
    // What is buffered now would be written twice.
    io::stdout().flush()?;
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    if fork()? == Side::Parent {
        drop(writer);
        exit(reported(reader.as_fd()));
    }
    drop(reader);
    setsid()?;
    // A session leader could get a terminal by opening one.
    if fork()? == Side::Parent {
        exit(0);
    }
    chdir("/")?;
    Ok(Readiness { pipe: writer })
}

/// Waits for the daemon's exit status.
fn reported(pipe: BorrowedFd<'_>) -> u8 {
    let mut code = [SETUP_FAILED];
    match retry_on_intr(|| rustix::io::read(pipe, &mut code)) {
        Ok(1) => code[0],
        _ => SETUP_FAILED,
    }
}

#[derive(PartialEq)]
enum Side {
    Parent,
    Child,
}

fn fork() -> io::Result<Side> {
    // SAFETY: the only caller has made sure that this process has one thread, so the child's memory is consistent.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        _ => Ok(Side::Parent),
    }
}

/// Ends this process without running exit handlers, which belong to the daemon now.
fn exit(code: u8) -> ! {
    // SAFETY: _exit has no conditions.
    unsafe { libc::_exit(code.into()) }
}

fn detach_standard_descriptors() -> io::Result<()> {
    // A full disk behind stdout is no reason not to start.
    let _ = io::stdout().flush();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for fd in 0..=2 {
        loop {
            // SAFETY: descriptors 0 to 2 belong to the process; std uses them by number and owns none of them.
            if unsafe { libc::dup2(null.as_raw_fd(), fd) } == fd {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    Ok(())
}
