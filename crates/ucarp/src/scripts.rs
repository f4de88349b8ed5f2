//! The up and down scripts of one virtual host: one at a time, in order, outdated ones skipped, none for ever.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::time::Duration;

use carp_core::time::Instant;
use log::{debug, error, info, warn};
use ucarp_sys::process::{Exit, Script};

use crate::protocol::control::ScriptFacts;
use crate::settings::{self, Scripts};

/// What a script that was told to end, or killed, may take for it.
const GRACE: Duration = Duration::from_secs(5);

/// A script for which there was no room is started again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take the address.
    Up,
    /// Give it up.
    Down,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Up { "up" } else { "down" })
    }
}

/// How far a running script has been pushed towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InTime,
    Terminated,
    Killed,
}

struct Running {
    action: Action,
    line: String,
    script: Script,
    started: Instant,
    stage: Stage,
    stage_ends: Instant,
}

/// Runs the scripts of one virtual host.
pub struct Runner {
    scripts: Scripts,
    running: Option<Running>,
    /// What has to run after the running one. More than one is never needed: only the last wish counts.
    next: Option<Action>,
    /// What could not be started, for want of memory or processes.
    refused: Option<Refused>,
    /// The last one that has ended.
    last: Option<Ended>,
    /// What was started, has ended or was left out since it was asked for, in sentences.
    news: Vec<String>,
}

/// A script that has ended.
struct Ended {
    action: Action,
    started: Instant,
    took: Duration,
    outcome: String,
}

/// A script that has to wait until there is room for it.
#[derive(Clone, Copy)]
struct Refused {
    action: Action,
    since: Instant,
    retry: Instant,
}

impl Runner {
    /// A runner with nothing to do.
    #[must_use]
    pub fn new(scripts: Scripts) -> Self {
        Self { scripts, running: None, next: None, refused: None, last: None, news: Vec::new() }
    }

    /// The scripts are these from the next one on.
    pub fn replace(&mut self, scripts: Scripts) {
        self.scripts = scripts;
    }

    /// Whether nothing runs or waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.refused.is_none()
    }

    /// The longest that is waited for scripts: one that runs, and one behind it.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let one = self.scripts.time_limit + 2 * GRACE;
        if self.scripts.up.is_none() && self.scripts.down.is_none() { Duration::ZERO } else { 2 * one }
    }

    /// Wishes the outcome of `action`. Returns it if that is reached already, because there is no script to run.
    pub fn request(&mut self, now: Instant, action: Action) -> Option<Action> {
        if let Some(refused) = self.refused.take_if(|refused| refused.action != action) {
            self.skip(refused.action);
        }
        let Some(running) = self.running.as_ref().map(|running| running.action) else {
            return self.start(now, action);
        };
        if let Some(outdated) = self.next.take() {
            self.skip(outdated);
        }
        if running != action {
            debug!("The {action} script waits until the {running} script has ended");
            self.next = Some(action);
        }
        None
    }

    fn skip(&mut self, outdated: Action) {
        info!("Skipping the {outdated} script: outdated before it could run");
        self.news.push(format!("the {outdated} script was skipped: outdated before it could run"));
    }

    /// What was started, has ended or was left out since the last call, in sentences: at most two for each
    /// [`Runner::request`] and [`Runner::poll`].
    pub fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// When [`Runner::poll`] has to look at a script that takes too long.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.stage_ends).or(self.refused.map(|refused| refused.retry))
    }

    /// Looks whether the running script has ended or must be ended, and starts the next one. Returns the action whose
    /// outcome has been reached, when nothing more has to run.
    pub fn poll(&mut self, now: Instant) -> Option<Action> {
        if let Some(refused) = self.refused {
            return if now < refused.retry { None } else { self.start(now, refused.action) };
        }
        let running = self.running.as_mut()?;
        let mut outcome = running.outcome(now);
        if outcome.is_none() && running.push(now, self.scripts.time_limit) {
            outcome = Some("given up as lost".into());
        }
        let outcome = outcome?;
        let (ended, started) = (running.action, running.started);
        let took = now - started;
        self.news.push(format!("the {ended} script has ended after {took:.3?}: {outcome}"));
        self.last = Some(Ended { action: ended, started, took, outcome });
        self.running = None;
        match self.next.take() {
            Some(next) => self.start(now, next),
            None => Some(ended),
        }
    }

    /// What there is to know of the script that runs, or ran last.
    #[must_use]
    pub fn facts(&self, now: Instant) -> Option<ScriptFacts> {
        let facts =
            |action, started, outcome| ScriptFacts { is_up: action == Action::Up, started_ago: now - started, outcome };
        let last =
            || self.last.as_ref().map(|last| facts(last.action, last.started, Some((last.took, last.outcome.clone()))));
        self.running.as_ref().map(|running| facts(running.action, running.started, None)).or_else(last)
    }

    fn start(&mut self, now: Instant, action: Action) -> Option<Action> {
        let script = match action {
            Action::Up => self.scripts.up.as_ref(),
            Action::Down => self.scripts.down.as_ref(),
        };
        let Some(settings::Script { path, arguments }) = script else { return Some(action) };
        let line = command_line(path, arguments);
        let refused = self.refused.take();
        if refused.is_none() {
            warn!("Spawning [{line}]");
        }
        match Script::spawn(path, arguments) {
            Ok(script) => {
                self.news.push(format!("the {action} script was started"));
                let stage_ends = now + self.scripts.time_limit;
                self.running = Some(Running { action, line, script, started: now, stage: Stage::InTime, stage_ends });
                None
            }
            Err(error) => {
                let since = refused.map_or(now, |refused| refused.since);
                let is_shortage = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory);
                if !is_shortage || now - since >= self.scripts.time_limit {
                    error!("Unable to exec {line}: {}", explain(&error));
                    self.news.push(format!("the {action} script could not be started: {}", explain(&error)));
                    return Some(action);
                }
                if refused.is_none() {
                    error!("Unable to exec {line}: {}: trying again", explain(&error));
                }
                self.refused = Some(Refused { action, since, retry: now + RETRY });
                None
            }
        }
    }
}

impl Running {
    /// How it has ended, if it has.
    fn outcome(&mut self, now: Instant) -> Option<String> {
        match self.script.try_wait() {
            Ok(None) => None,
            Ok(Some(exit)) => {
                let took = now - self.started;
                if exit == Exit::Code(0) {
                    info!("[{}] ended after {took:.3?}", self.line);
                } else {
                    warn!(
                        "[{}] ended with {exit} after {took:.3?}: see that the address is as it should be",
                        self.line
                    );
                }
                Some(exit.to_string())
            }
            Err(error) => {
                error!("Unable to wait for [{}]: {error}", self.line);
                Some(format!("unable to wait for it: {error}"))
            }
        }
    }

    /// Pushes a script that is over its time to the next stage. Returns whether it has to be given up as lost.
    fn push(&mut self, now: Instant, limit: Duration) -> bool {
        if now < self.stage_ends {
            return false;
        }
        let pid = self.script.pid();
        let (stage, result) = match self.stage {
            Stage::InTime => {
                warn!("[{}] still runs after {limit:?}: terminating its process group {pid}", self.line);
                (Stage::Terminated, self.script.terminate_group())
            }
            Stage::Terminated => {
                warn!("[{}] did not end: killing its process group {pid}", self.line);
                (Stage::Killed, self.script.kill_group())
            }
            Stage::Killed => {
                error!("[{}] cannot be killed (process {pid}): going on without it", self.line);
                return true;
            }
        };
        if let Err(error) = result {
            warn!("Unable to signal process group {pid}: {error}");
        }
        self.stage = stage;
        self.stage_ends = now + GRACE;
        false
    }
}

fn command_line(path: &OsStr, arguments: &[OsString]) -> String {
    let words = std::iter::once(path).chain(arguments.iter().map(OsString::as_os_str));
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The system's text for an error without Rust's " (os error 2)", which UCARP's users do not look for.
fn explain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
