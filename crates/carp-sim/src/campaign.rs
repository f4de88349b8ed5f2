//! Many seeds in a row, with progress, and one line to repeat each failure.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::checkers::Violation;
use crate::options::Options;
use crate::world::Tally;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Failures that are listed; a change that breaks everything need not fill the screen.
const MOST_LISTED: usize = 20;

/// What a campaign found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Seeds that broke a rule, in order.
    pub failures: Vec<(u64, Violation)>,
    /// Seeds that were run.
    pub runs: u64,
    /// Node-seconds of all runs.
    pub node_time: Duration,
    /// Events of all runs.
    pub events: u64,
    /// Frames of all runs.
    pub frames: u64,
    /// Forged advertisements of all runs: those that had to be without effect, and those that were withheld.
    pub attacks: (u64, u64),
    /// How long it really took.
    pub took: Duration,
}

impl Findings {
    /// Simulated node-seconds per real second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.node_time.as_secs_f64() / self.took.as_secs_f64().max(1e-9)
    }

    fn add(&mut self, tally: &Tally) {
        self.runs += 1;
        self.node_time += tally.node_time;
        self.events += tally.events;
        self.frames += tally.frames;
        self.attacks.0 += tally.attacks;
        self.attacks.1 += tally.withheld;
    }
}

/// The command that repeats a run and shows it.
#[must_use]
pub fn replay_line(seed: u64, options: &Options) -> String {
    format!("cargo run --release -p carp-sim -- replay {seed} {options}")
}

/// Runs `seeds` seeds from `first` on. Failures go to `out` as they are found, progress to `progress`.
///
/// # Errors
/// Writing failed.
pub fn run(
    first: u64,
    seeds: u64,
    options: &Options,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> io::Result<Findings> {
    let started = Instant::now();
    let (mut findings, mut told) = (Findings::default(), started);
    for seed in first..first.saturating_add(seeds) {
        let outcome = crate::run(seed, options, false);
        findings.add(&outcome.tally);
        if let Some(violation) = outcome.violation {
            if findings.failures.len() < MOST_LISTED {
                writeln!(out, "seed {seed}: {violation}\n  {}", replay_line(seed, options))?;
            }
            findings.failures.push((seed, violation));
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            findings.took = started.elapsed();
            tell(&findings, seeds, progress)?;
        }
    }
    findings.took = started.elapsed();
    Ok(findings)
}

fn tell(findings: &Findings, seeds: u64, progress: &mut dyn Write) -> io::Result<()> {
    let per_seed = findings.took.as_secs_f64() / findings.runs as f64;
    let left = Duration::from_secs_f64(per_seed * (seeds - findings.runs) as f64);
    writeln!(
        progress,
        "{} of {seeds} seeds, {} failed, {:.0} node-seconds per second, {} s left",
        findings.runs,
        findings.failures.len(),
        findings.rate(),
        left.as_secs(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sabotage::Sabotage;

    #[test]
    fn a_failing_seed_is_listed_with_the_command_that_repeats_it() {
        let options = Options { sabotage: Some(Sabotage::EarlyTakeover), ..Options::default() };
        let (mut out, mut progress) = (Vec::new(), Vec::new());
        let findings = run(0, 3, &options, &mut out, &mut progress).unwrap();
        assert_eq!(findings.runs, 3);
        let (seed, violation) = findings.failures.first().expect("the fault shows at once");
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&format!("seed {seed}: {violation}\n  cargo run ")), "{text}");
        assert!(text.contains(&format!("replay {seed} --nodes 2..5 --faults all --peers ours --seconds 60")), "{text}");
    }
}
