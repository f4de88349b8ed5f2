//! One run of a check, as the guardian sees it: a process with a deadline.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use carp_core::time::Instant;
use ucarp_sys::process::{Exit, Job};

use super::probe::{self, FOUND_NOTHING};
use super::verdict::Outcome;
use crate::protocol::LONGEST_RESULT;
use crate::settings::{Check, Probe};

/// Whoever asks a question knows when its time is over, and says so; it has this time to do that.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Who writes more than is kept is listened to only so often: it would keep the guardian busy.
const PAUSE: Duration = Duration::from_millis(10);

/// What is kept of what a program writes: its last line is among this, if it is brief.
const MOST_OUTPUT: usize = 4096;

/// A run.
pub(super) struct Run {
    job: Job,
    began: Instant,
    /// When it is killed.
    deadline: Instant,
    timeout: Duration,
    output: Vec<u8>,
    /// Its output was not closed yet.
    speaks: bool,
    /// When its output was last read.
    heard: Instant,
    /// It took too long, which has been said.
    killed: bool,
    over: bool,
}

impl Run {
    pub(super) fn start(check: &Check, now: Instant) -> io::Result<Self> {
        let job = Job::start(|| probe::work(&check.probe, check.timeout))?;
        let timeout = check.timeout;
        let last_words = if matches!(check.probe, Probe::Command { .. }) { Duration::ZERO } else { LAST_WORDS };
        let deadline = now + timeout + last_words;
        Ok(Self {
            job,
            began: now,
            deadline,
            timeout,
            output: Vec::new(),
            speaks: true,
            heard: now,
            killed: false,
            over: false,
        })
    }

    /// When there is something to do about it, if it was not killed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadline = if self.is_loud() { self.deadline.min(self.heard + PAUSE) } else { self.deadline };
        (!self.killed).then_some(deadline)
    }

    fn is_loud(&self) -> bool {
        self.speaks && self.output.len() >= MOST_OUTPUT
    }

    /// Ends it, whatever it was about to say.
    pub(super) fn kill(&mut self) {
        self.job.kill();
        self.killed = true;
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed
    }

    /// Readable when there is something to do about it.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let is_heard = self.speaks && !self.killed && !self.is_loud();
        [self.job.end()].into_iter().chain(is_heard.then(|| self.job.output()))
    }

    /// Whether its process is gone.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// What came of it and how long it took, once, when that is known.
    pub(super) fn outcome(&mut self, now: Instant) -> Option<(Outcome, Duration)> {
        let took = now - self.began;
        if self.speaks && (!self.is_loud() || now - self.heard >= PAUSE) {
            self.heard = now;
            self.speaks = self.job.read(&mut self.output, MOST_OUTPUT);
        }
        let ended = self.job.try_wait();
        self.over = !matches!(ended, Ok(None));
        if self.killed {
            return None;
        }
        let outcome = match ended {
            Ok(Some(exit)) => {
                self.job.read(&mut self.output, MOST_OUTPUT);
                self.judge(exit)
            }
            Err(error) => Outcome::Unknown(format!("it cannot be watched: {error}")),
            Ok(None) if self.deadline <= now => {
                self.kill();
                Outcome::Bad(with_words(format!("not done within {:?}", self.timeout), &self.output))
            }
            Ok(None) => return None,
        };
        Some((outcome, took))
    }

    fn judge(&self, exit: Exit) -> Outcome {
        let words = last_line(&self.output);
        match exit {
            Exit::Code(0) => Outcome::Good(if words.is_empty() { "exit status 0".into() } else { words }),
            Exit::Code(code) if code == i32::from(FOUND_NOTHING) => {
                Outcome::Unknown(if words.is_empty() { "it cannot begin".into() } else { words })
            }
            Exit::Code(code) if code == i32::from(probe::NO) && !words.is_empty() => Outcome::Bad(words),
            exit => Outcome::Bad(with_words(exit.to_string(), &self.output)),
        }
    }
}

/// What happened, and the last that was said before.
fn with_words(what: String, output: &[u8]) -> String {
    match last_line(output) {
        words if words.is_empty() => what,
        words => shortened(&format!("{what}: {words}")),
    }
}

/// The last line that says something, printable and not too long.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    shortened(&line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_RESULT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_what_is_shown() {
        assert_eq!(last_line(b"first\nlast \n\n"), "last");
        assert_eq!(last_line(b"a\x1b[31mb\xff\n"), "a [31mb\u{fffd}");
        assert_eq!(last_line(b""), "");
        assert_eq!(last_line("ä".repeat(1000).as_bytes()).len(), LONGEST_RESULT);
        assert_eq!(with_words("exit status 1".into(), b""), "exit status 1");
        assert_eq!(with_words("exit status 1".into(), b"why\n"), "exit status 1: why");
        assert!(with_words("x".into(), &[b'y'; 1000]).len() <= LONGEST_RESULT);
    }
}
