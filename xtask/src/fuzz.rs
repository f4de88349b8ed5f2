//! Fuzzing: every target of `fuzz/` for a while, two side by side, with a line for each at the end.

mod log;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cargo;
use log::Summary;

/// What a target gets if nothing else is said.
const DEFAULT: Duration = Duration::from_secs(60);
/// A day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Each has one thread.
const SIDE_BY_SIDE: usize = 2;
/// An input that takes longer than this counts as a hang. They take some milliseconds; a busy machine may need more.
const LONGEST_INPUT: Duration = Duration::from_secs(60);

/// Why nothing was fuzzed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0:?} is not understood: `cargo xtask fuzz [--minutes N | --seconds N] [TARGET...]`, a day at the most")]
    Usage(String),
    #[error("there is no fuzz target {name}: use some of {}", all.join(", "))]
    NoSuchTarget { name: String, all: Vec<String> },
    #[error("fuzzing needs a nightly compiler: run `rustup toolchain install nightly --profile minimal`")]
    NoNightly,
    #[error("cargo-fuzz is missing: run `cargo install cargo-fuzz --locked`")]
    NoCargoFuzz,
    #[error("cargo-fuzz cannot be installed")]
    Install,
    #[error("`cargo +nightly fuzz list` fails")]
    List,
    #[error("the fuzz targets cannot be built")]
    Build,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// How long each target runs.
    each: Duration,
    /// Which; none means all.
    targets: Vec<String>,
}

/// A target that has run.
#[derive(Debug)]
struct Run {
    target: String,
    held: bool,
    summary: Summary,
    log: PathBuf,
}

/// Runs the targets and prints what came of it. Whether all inputs were survived.
pub(crate) fn run(arguments: &[&str]) -> Result<bool, Error> {
    let request = parse(arguments)?;
    find_tools()?;
    let targets = choose(&request.targets, list()?)?;
    println!("{}: {} s each, {SIDE_BY_SIDE} at a time", targets.join(", "), request.each.as_secs());
    if !cargo_fuzz().args(["build", "--fuzz-dir", "fuzz"]).status()?.success() {
        return Err(Error::Build);
    }
    let work = cargo::target()?.join("fuzz");
    let runs = side_by_side(targets, |target| fuzz(target, request.each, &work))?;
    print!("\n{}", log::table(runs.iter().map(|run| (run.target.as_str(), &run.summary, run.held))));
    for run in runs.iter().filter(|run| !run.held) {
        print!("\n{}", complaint(run));
    }
    Ok(runs.iter().all(|run| run.held))
}

fn parse(arguments: &[&str]) -> Result<Request, Error> {
    let usage = || Error::Usage(arguments.join(" "));
    let mut request = Request { each: DEFAULT, targets: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if !argument.starts_with('-') {
            request.targets.push((*argument).to_owned());
            continue;
        }
        let (name, number) = match argument.split_once('=') {
            Some((name, number)) => (name, number),
            None => (*argument, *rest.next().ok_or_else(usage)?),
        };
        let unit = match name {
            "--minutes" => 60,
            "--seconds" => 1,
            _ => return Err(usage()),
        };
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(usage)?;
        request.each = Duration::from_secs(seconds);
        if request.each.is_zero() || request.each > LONGEST {
            return Err(usage());
        }
    }
    Ok(request)
}

/// The targets that are wanted, in the order of the list.
fn choose(wanted: &[String], all: Vec<String>) -> Result<Vec<String>, Error> {
    if let Some(name) = wanted.iter().find(|name| !all.contains(name)) {
        return Err(Error::NoSuchTarget { name: name.clone(), all });
    }
    Ok(all.into_iter().filter(|target| wanted.is_empty() || wanted.contains(target)).collect())
}

/// Only nightly compilers have what cargo-fuzz asks of them.
fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]).current_dir(cargo::workspace());
    // Otherwise cargo-fuzz would be sent back to the cargo that runs us.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

fn cargo_fuzz() -> Command {
    let mut command = nightly("cargo");
    command.arg("fuzz");
    command
}

/// Installs cargo-fuzz under CI, where nobody can be asked to.
fn find_tools() -> Result<(), Error> {
    let works = |mut command: Command| {
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
        silent.arg("--version").status().is_ok_and(|status| status.success())
    };
    if !works(nightly("rustc")) {
        return Err(Error::NoNightly);
    }
    if works(cargo_fuzz()) {
        return Ok(());
    }
    if env::var_os("CI").is_none() {
        return Err(Error::NoCargoFuzz);
    }
    let installed = nightly("cargo").args(["install", "cargo-fuzz", "--locked"]).status()?.success();
    if installed && works(cargo_fuzz()) { Ok(()) } else { Err(Error::Install) }
}

/// All targets.
fn list() -> Result<Vec<String>, Error> {
    let output = cargo_fuzz().args(["list", "--fuzz-dir", "fuzz"]).stderr(Stdio::inherit()).output()?;
    let names: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    if output.status.success() && !names.is_empty() { Ok(names) } else { Err(Error::List) }
}

/// Does `work` for every target and returns the results in the order of the targets.
fn side_by_side(targets: Vec<String>, work: impl Fn(String) -> io::Result<Run> + Sync) -> Result<Vec<Run>, Error> {
    let waiting: Mutex<VecDeque<_>> = Mutex::new(targets.into_iter().enumerate().collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let one_after_the_other = || {
        let mut done = Vec::new();
        while let Some((place, target)) = next() {
            done.push((place, work(target)));
        }
        done
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(one_after_the_other)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a panic has been reported")).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, run)| run.map_err(Error::from)).collect()
}

/// Runs one target. New inputs go to a corpus below `work`: the committed one is only read.
fn fuzz(target: String, each: Duration, work: &Path) -> io::Result<Run> {
    let (grown, log) = (work.join("corpus").join(&target), work.join(format!("{target}.log")));
    fs::create_dir_all(&grown)?;
    let mut command = cargo_fuzz();
    command.args(["run", "--fuzz-dir", "fuzz", &target]).arg(&grown);
    let committed = cargo::workspace().join("fuzz/corpus").join(&target);
    if committed.is_dir() {
        command.arg(committed);
    }
    command.args(["--", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", each.as_secs()));
    command.arg(format!("-timeout={}", LONGEST_INPUT.as_secs()));
    let file = File::create(&log)?;
    println!("{target} ...");
    let held = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?.success();
    let summary = log::summarise(&String::from_utf8_lossy(&fs::read(&log)?));
    println!("{target}: {}", if held { "ok" } else { "FAILED" });
    Ok(Run { target, held, summary, log })
}

/// What is wrong, and how to see it again.
fn complaint(run: &Run) -> String {
    let Run { target, summary, log, .. } = run;
    let mut text = format!("{target}: {}\n", summary.reason.as_deref().unwrap_or("it ended without a reason"));
    if let Some(input) = &summary.reproducer {
        text += &format!("  the input:    {input}\n  to repeat it: cargo +nightly fuzz run {target} {input}\n");
    }
    text + &format!("  the log:      {}\n", log.display())
}
