//! Programs on hosts, with what they say and when.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::error::{Result, system};
use crate::lab::lock;
use crate::now;
use crate::record::Record;

const MAX_LINES: usize = 200_000;
/// A longer line is recorded in pieces.
const MAX_LINE_BYTES: u64 = 16 * 1024;

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// A line that a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When its end arrived, in nanoseconds of [`now`].
    pub at: u64,
    /// Where it was written to.
    pub stream: Stream,
    /// Without the line end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A program that was started with [`crate::Host::spawn`]. Dropping it kills it, if it still runs; what it has started itself
/// lives on until the lab ends.
pub struct Process {
    child: Mutex<Child>,
    pid: u32,
    handle: OwnedFd,
    lines: Arc<Record<Line>>,
}

impl Process {
    pub(crate) fn spawn(mut command: Command) -> Result<Process> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = format!("starting {}", command.get_program().display());
        let mut child = command.spawn().map_err(system(what.clone()))?;
        let pid = child.id();
        let lines = Arc::new(Record::new(MAX_LINES, 2));
        let (output, error) = (child.stdout.take(), child.stderr.take());
        let started = follow(output, Stream::Output, &lines)
            .and_then(|()| follow(error, Stream::Error, &lines))
            .and_then(|()| Ok(rustix::process::pidfd_open(as_pid(pid), PidfdFlags::empty())?));
        match started {
            Ok(handle) => Ok(Process { child: Mutex::new(child), pid, handle, lines }),
            Err(source) => {
                // It has no guard yet that would do this. It cannot fail for a child that was not waited for.
                let _ = child.kill().and_then(|()| child.wait());
                Err(system(what)(source))
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to this process alone.
    ///
    /// # Errors
    /// It has ended (`ESRCH`).
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let what = format!("sending signal {} to process {}", signal.as_raw(), self.pid);
        rustix::process::pidfd_send_signal(&self.handle, signal).map_err(system(what))
    }

    /// Sends a signal to this process and to those of its children that run the same program.
    ///
    /// # Errors
    /// It has ended (`ESRCH`).
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        let children = self.children();
        self.signal(signal)?;
        children.into_iter().for_each(|child| send(child, signal));
        Ok(())
    }

    /// Sends a signal to those children of this process that run the same program, and not to itself.
    pub fn signal_children(&self, signal: Signal) {
        self.children().into_iter().for_each(|child| send(child, signal));
    }

    /// The children of this process that run the same program: a daemon may consist of several.
    pub fn children(&self) -> Vec<u32> {
        let program = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        let (pid, own) = (self.pid, program(self.pid));
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let all = list.split_whitespace().filter_map(|child| child.parse().ok());
        all.filter(|child| own.is_some() && program(*child) == own).collect()
    }

    /// How it ended, or `None` if it still runs when the time is over.
    ///
    /// # Errors
    /// Those of `waitpid(2)`; none is known.
    pub fn wait(&self, within: Duration) -> Result<Option<ExitStatus>> {
        let failed = || system(format!("waiting for process {}", self.pid));
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = lock(&self.child).try_wait().map_err(failed())? {
                return Ok(Some(status));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = Timespec::try_from(left).ok();
            let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
            match rustix::event::poll(&mut ended, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed()(error.into())),
            }
        }
    }

    /// Everything it has written so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.all()
    }

    /// Everything it has written so far, as text, for messages of failed tests.
    pub fn output(&self) -> String {
        self.lines.read(|lines| lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n"))
    }

    /// The first line, already written or to come, that contains `text`. `None` when the time is over, or earlier when
    /// nobody is left who could write.
    pub fn wait_for_line(&self, text: &str, within: Duration) -> Option<Line> {
        self.wait_for(|line| line.text.contains(text), within)
    }

    /// The first line, already written or to come, that `wanted` accepts; such as one later than a moment.
    pub fn wait_for(&self, wanted: impl FnMut(&Line) -> bool, within: Duration) -> Option<Line> {
        self.lines.wait_for(wanted, within)
    }

    /// Waits until its output is complete: it and all that it started with the same output have closed it. Whether that
    /// was so in time.
    pub fn wait_for_end_of_output(&self, within: Duration) -> bool {
        self.lines.wait_closed(within)
    }

    /// How many lines were not recorded because there were too many.
    pub fn lost_lines(&self) -> u64 {
        self.lines.lost()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // Both are harmless for a child that has been waited for.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process({})", self.pid)
    }
}

fn follow<R: Read + Send + 'static>(pipe: Option<R>, stream: Stream, lines: &Arc<Record<Line>>) -> std::io::Result<()> {
    let pipe = pipe.expect("both pipes were asked for");
    let lines = Arc::clone(lines);
    // Not joined: it ends when the last process with this output ends, which is at the latest when the lab does.
    thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        // An error reading a pipe is an end, too.
        while pipe.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            lines.push(Line { at: now(), stream, text });
            bytes.clear();
        }
        lines.close();
    })?;
    Ok(())
}

/// One that has ended meanwhile needs no signal.
fn send(pid: u32, signal: Signal) {
    let _ = rustix::process::kill_process(as_pid(pid), signal);
}

fn as_pid(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the kernel's process ids are positive ints")
}
