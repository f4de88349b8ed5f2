//! What this host looks at to know whether it can serve: checks, each run in a process of its own.
//!
//! A run is a child that gives up its rights, asks its question, writes one line, and ends: with 0 for yes. It is killed
//! with all that it has started when its time is over. So whatever hangs (a file system, a name service, a program)
//! hangs there, and what arrives from the network is read there. What is known of a check survives: a run that cannot be
//! made makes it UNKNOWN after a while, which is told, and changes nothing for the virtual hosts.

mod probe;
mod run;
mod verdict;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use carp_core::time::Instant;
use log::{error, info, warn};
use ucarp_sys::link;

use crate::protocol::{CheckState, CheckStatus, HostNumber};
use crate::settings::{Check, Effect, Probe};
use run::Run;
use verdict::{Outcome, Verdict};

/// How often the log is told that a check is UNKNOWN.
const SHOUT: Duration = Duration::from_secs(60);

/// Checks of the same interval that begin together are spread over so much of it, so that not all run at once.
const SPREAD: u32 = 8;

/// All checks at work.
#[derive(Default)]
pub(crate) struct Checks {
    all: BTreeMap<String, Watched>,
    /// Checks whose state is to be told to the engine.
    news: Vec<String>,
    /// Runs that were killed because nobody wants to know any more, until they are gone.
    unwanted: Vec<Run>,
}

struct Watched {
    check: Check,
    verdict: Verdict,
    run: Option<Run>,
    /// When the next run begins.
    due: Instant,
    /// When the last run ended, and how long it took.
    ran: Option<(Instant, Duration)>,
    /// What it said.
    result: String,
    /// When the log was last told that it is UNKNOWN.
    shouted: Option<Instant>,
}

impl Watched {
    fn new(check: Check, now: Instant, due: Instant) -> Self {
        let (verdict, result) = (Verdict::new(now), "not run yet".to_owned());
        Self { check, verdict, run: None, due, ran: None, result, shouted: None }
    }

    fn next_deadline(&self) -> Instant {
        // A run that still goes on when the next is due is waited for.
        self.run.as_ref().and_then(Run::deadline).unwrap_or(self.due)
    }
}

impl Checks {
    /// Makes these the checks. Those that were there and are as before go on as if nothing had happened. What others did
    /// to virtual hosts stays until it is known anew whether they are UP.
    pub(crate) fn replace(&mut self, now: Instant, checks: &[Check]) {
        let mut before = std::mem::take(&mut self.all);
        for watched in before.values_mut().filter(|watched| !checks.contains(&watched.check)) {
            self.unwanted.extend(watched.run.take().map(|mut run| {
                run.kill();
                run
            }));
        }
        for (number, check) in (0..).zip(checks) {
            let watched = match before.remove(&check.name) {
                Some(watched) if watched.check == *check => watched,
                other => {
                    let wait = check.interval / SPREAD * (number % SPREAD);
                    let due = if check.interval >= SHOUT { now } else { now + wait };
                    let mut watched = Watched::new(check.clone(), now, due);
                    watched.verdict.in_force = other.is_some_and(|other| other.verdict.in_force);
                    watched
                }
            };
            self.all.insert(check.name.clone(), watched);
        }
        self.tell_all();
    }

    /// Has the engine be told of all.
    pub(crate) fn tell_all(&mut self) {
        self.news = self.all.keys().cloned().collect();
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Ends all runs.
    pub(crate) fn end(&mut self) {
        self.all.clear();
        self.news.clear();
    }

    /// Looks at an interface at once, of which there is news; at all if none is named.
    pub(crate) fn link_changed(&mut self, now: Instant, name: Option<&str>) {
        for watched in self.all.values_mut() {
            let Probe::Link { interface } = &watched.check.probe else { continue };
            if name.is_none_or(|name| name == interface) {
                watched.due = now;
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.all.values().map(Watched::next_deadline).min()
    }

    /// What has to be waited for.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all.values().filter_map(|watched| watched.run.as_ref()).flat_map(Run::descriptors)
    }

    /// Ends runs that are over, and begins those that are due.
    pub(crate) fn turn(&mut self, now: Instant) {
        self.unwanted.retain_mut(|run| {
            run.outcome(now);
            !run.is_over()
        });
        for (name, watched) in &mut self.all {
            if let Some((outcome, took)) = watched.turn(now) {
                watched.conclude(now, outcome, took);
                self.news.push(name.clone());
            }
        }
    }

    /// What the engine has to be told now. `users` are the virtual hosts that have a check of this name.
    pub(crate) fn news(&mut self, users: impl Fn(&str) -> Vec<HostNumber>) -> Vec<CheckStatus> {
        let news = std::mem::take(&mut self.news);
        news.iter().filter_map(|name| Some(self.all.get(name)?.status(users(name)))).collect()
    }
}

impl Watched {
    /// What came of a run, if that is known now.
    fn turn(&mut self, now: Instant) -> Option<(Outcome, Duration)> {
        if let Some(run) = &mut self.run {
            let outcome = run.outcome(now);
            let is_hanging = run.is_killed();
            if run.is_over() {
                self.run = None;
            } else if is_hanging && self.due <= now && outcome.is_none() {
                self.plan(now);
                let text = "the last run was killed and is still there".into();
                return Some((Outcome::Bad(text), Duration::ZERO));
            }
            if outcome.is_some() || self.run.is_some() {
                return outcome;
            }
        }
        if self.due > now {
            return None;
        }
        self.plan(now);
        if let Probe::Link { interface } = &self.check.probe {
            return Some((look_at_link(interface), Duration::ZERO));
        }
        match Run::start(&self.check, now) {
            Ok(run) => {
                self.run = Some(run);
                None
            }
            Err(error) => Some((Outcome::Unknown(format!("it cannot be run: {error}")), Duration::ZERO)),
        }
    }

    /// Plans the next run: after as many intervals as have passed, as those that were missed are not made up for.
    fn plan(&mut self, now: Instant) {
        let interval = self.check.interval;
        self.due = if now - self.due < interval { self.due + interval } else { now + interval };
    }

    /// Counts a result, and tells the log what it means.
    fn conclude(&mut self, now: Instant, outcome: Outcome, took: Duration) {
        let change = self.verdict.count(now, &outcome, self.check.rise, self.check.fall);
        self.ran = Some((now, took));
        let (Outcome::Good(result) | Outcome::Bad(result) | Outcome::Unknown(result)) = outcome;
        self.result = result;
        let (name, result, effect) = (&self.check.name, &self.result, self.check.effect);
        match (change, self.verdict.state) {
            (true, CheckState::Up) => info!("Check {name} is UP: {result}"),
            (true, CheckState::Down) => warn!("Check {name} is DOWN: {result} ({effect})"),
            (_, CheckState::Unknown)
                if self.verdict.is_lost(self.check.fall) && self.shouted.is_none_or(|last| now - last >= SHOUT) =>
            {
                self.shouted = Some(now);
                let stays = if self.verdict.in_force { "its effect stays" } else { "it has no effect" };
                error!("Check {name} is UNKNOWN: {result}; {stays} until it is known better");
            }
            _ => {}
        }
        if self.verdict.state != CheckState::Unknown {
            self.shouted = None;
        }
    }

    fn status(&self, hosts: Vec<HostNumber>) -> CheckStatus {
        CheckStatus {
            name: self.check.name.clone(),
            kind: self.check.probe.kind().to_owned(),
            state: self.verdict.state,
            in_force: self.verdict.in_force,
            since: self.verdict.since,
            ran: self.ran,
            result: self.result.clone(),
            demotion: match self.check.effect {
                Effect::Demote(by) => Some(by),
                Effect::Fault => None,
            },
            hosts,
        }
    }
}

/// Needs no process: the kernel answers at once.
fn look_at_link(name: &str) -> Outcome {
    match link::by_name(name) {
        Ok(None) => Outcome::Bad(format!("there is no interface {name}")),
        Ok(Some(link)) if !link.up => Outcome::Bad(format!("{name} is down")),
        Ok(Some(link)) if !link.running => Outcome::Bad(format!("{name} has no carrier")),
        Ok(Some(_)) => Outcome::Good(format!("{name} is up and has carrier")),
        Err(error) => Outcome::Unknown(format!("{name} cannot be looked at: {error}")),
    }
}
