//! A piece of work in a process of its own, which can be ended at any moment, whatever it hangs in.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, getppid, kill_process_group, setpgid};

use super::{Child, Exit, close_all_but, fork_child, system};
use crate::signals;

/// Exit status of a job that could not begin.
const NOT_BEGUN: u8 = 125;

/// Reads of its output at a time. A job that writes without end must not keep the reader.
const MOST_READS: usize = 16;

/// A process that does one thing, in a process group of its own, with an end of a pipe as its output.
///
/// It dies with the process that has started it. Dropping a job that runs kills its process group; its process remains a
/// zombie until this process ends, unless [`Job::try_wait`] was asked again.
#[derive(Debug)]
pub struct Job {
    child: Child,
    group: Pid,
    output: OwnedFd,
    over: bool,
}

impl Job {
    /// Forks a process for `work`, which exits with what that returns. It has nothing open but its standard streams: no
    /// input, and a pipe for output and errors. The signals that a daemon acts on are ignored there, as whoever sends
    /// them by the program's name means the daemon.
    ///
    /// # Errors
    ///
    /// As [`fork_child`], and when there are no descriptors left.
    pub fn start(work: impl FnOnce() -> u8) -> io::Result<Job> {
        let (output, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        // Only this end: a shell's commands take a writer that does not block for a broken one.
        rustix::io::ioctl_fionbio(&output, true)?;
        let parent = std::process::id();
        let child = fork_child(|| match prepare(parent, writer.as_fd()) {
            Ok(()) => work(),
            Err(_) => NOT_BEGUN,
        })?;
        let group = Pid::from_raw(child.pid().cast_signed()).expect("a process has a pid");
        Ok(Job { child, group, output, over: false })
    }

    /// Adds what it has written to `text`, which is not let grow beyond `most` bytes: the rest is lost. Whether there may
    /// be more later; if not, [`Job::output`] is not worth waiting for.
    pub fn read(&self, text: &mut Vec<u8>, most: usize) -> bool {
        let mut buffer = [0_u8; 1024];
        for _ in 0..MOST_READS {
            match retry_on_intr(|| rustix::io::read(&self.output, &mut buffer)) {
                Ok(length) if length > 0 => {
                    let room = most.saturating_sub(text.len());
                    text.extend_from_slice(&buffer[..length.min(room)]);
                }
                Err(Errno::AGAIN) => return true,
                _ => return false,
            }
        }
        true
    }

    /// How it ended, or `None` while it runs. What it has left running in its process group is killed.
    ///
    /// # Errors
    ///
    /// As [`Child::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if !self.over && crate::poll::readable_now(self.child.as_fd()) {
            // Before it is waited for, while its number cannot belong to another process group.
            self.kill();
            self.over = true;
        }
        if self.over { self.child.try_wait() } else { Ok(None) }
    }

    /// Kills it and all in its process group.
    pub fn kill(&self) {
        if !self.over {
            // It may not have come to making a group yet.
            let _ = self.child.kill(Signal::KILL);
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }

    /// Readable when it has ended.
    pub fn end(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }

    /// Readable when it has written something.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Becomes a process that has nothing to do with its parent but dies with it.
fn prepare(parent: u32, output: BorrowedFd<'_>) -> io::Result<()> {
    signals::ignore_all();
    system::die_with_parent()?;
    if getppid().map(|pid| pid.as_raw_pid().cast_unsigned()) != Some(parent) {
        return Err(Errno::SRCH.into());
    }
    setpgid(None, None)?;
    let null = std::fs::File::open("/dev/null")?;
    for (from, to) in [(null.as_raw_fd(), 0), (output.as_raw_fd(), 1), (output.as_raw_fd(), 2)] {
        // SAFETY: descriptors 0 to 2 belong to the process; std uses them by number and owns none of them.
        if unsafe { libc::dup2(from, to) } != to {
            return Err(io::Error::last_os_error());
        }
    }
    // It would be closed twice.
    drop(null);
    close_all_but(&[])
}

/// Becomes another program, which is called with these arguments and without a shell, with all signals at their default
/// action. Returns only if that is not possible.
pub fn become_program(path: &OsStr, arguments: &[OsString]) -> io::Error {
    signals::restore_all();
    Command::new(path).args(arguments).exec()
}
