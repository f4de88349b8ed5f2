//! Figures, taken in a laboratory of network namespaces. Here: what a client sees of a failover, ours and Debian's `ucarp`
//! side by side. [`core`]: what the core does for an advertisement. [`flood`]: what forged packets do. [`scale`]: what many
//! virtual hosts cost.

pub(crate) mod core;
pub(crate) mod flood;
pub(crate) mod scale;
mod scene;
mod table;

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::thread::CapabilitySet;

use crate::cargo;
use crate::debian;
use scene::{Event, Phases, Setup};
use table::Table;

const DEFAULT_RUNS: usize = 3;
const MOST_RUNS: usize = 100;
/// What a run is assumed to take before one has been seen.
const FIRST_GUESS: Duration = Duration::from_secs(10);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0:?} is not understood: `cargo xtask bench failover [--runs N]`, with N from 1 to {MOST_RUNS}")]
    Usage(String),
    #[error("there is no ucarp to compare with: as root, run `apt-get install ucarp`")]
    NoOriginal,
    #[error("the programs cannot be built")]
    Build,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Lab(#[from] netlab::Error),
    #[error("{event}, {program}: {what} did not happen within {within:?}; the last lines were:\n{output}")]
    Late { event: Event, program: &'static str, what: &'static str, within: Duration, output: String },
}

/// A daemon to measure.
#[derive(Debug)]
struct Contender {
    name: &'static str,
    program: PathBuf,
}

/// Measures every event `--runs` times with both daemons in turn and prints the table.
pub(crate) fn failover(options: &[&str]) -> Result<bool, Error> {
    let runs = parse_runs(options)?;
    let original = debian::find("ucarp").ok_or(Error::NoOriginal)?;
    if !cargo::build(&["--release", "-p", "ucarp"])? || !cargo::build(&["-p", "netlab", "--bin", "ucarp-demo"])? {
        return Err(Error::Build);
    }
    let ours = cargo::target()?.join("release/ucarp");
    let heading = heading(&ours, runs)?;
    let contenders = [Contender { name: "ours", program: ours }, Contender { name: "ucarp", program: original }];
    let setup = Setup::new(make_scripts()?);
    get_rights()?;
    let table = measure_all(&setup, &contenders, runs)?;
    println!("\n{heading}\n\n{table}");
    Ok(true)
}

fn parse_runs(options: &[&str]) -> Result<usize, Error> {
    let usage = || Error::Usage(options.join(" "));
    let number = match options {
        [] => return Ok(DEFAULT_RUNS),
        ["--runs", number] => number,
        [option] => option.strip_prefix("--runs=").ok_or_else(usage)?,
        _ => return Err(usage()),
    };
    number.parse().ok().filter(|runs| (1..=MOST_RUNS).contains(runs)).ok_or_else(usage)
}

/// A user other than root makes the laboratory in a user namespace. It must be done before any thread is started.
fn get_rights() -> io::Result<()> {
    if rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN)) {
        return Ok(());
    }
    netlab::become_root_in_user_namespace()
}

fn heading(ours: &Path, runs: usize) -> io::Result<String> {
    let version = Command::new(ours).arg("--version").output()?.stdout;
    let ours = String::from_utf8_lossy(&version);
    let original = debian::version("ucarp").unwrap_or_else(|| "of unknown version".to_owned());
    let first_line = ours.lines().next().unwrap_or("ucarp of unknown version");
    Ok(format!(
        "Outage seen by a client, {runs} runs each: ours is {first_line}, the other is Debian's ucarp {original}."
    ))
}

/// The scripts and the password of all runs: the demo's program knows what a script has to do.
fn make_scripts() -> io::Result<PathBuf> {
    let target = cargo::target()?;
    let directory = target.join("bench");
    fs::create_dir_all(&directory)?;
    for name in [scene::UP_SCRIPT, scene::DOWN_SCRIPT] {
        let link = directory.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(target.join("debug/ucarp-demo"), link)?,
        }
    }
    let password = directory.join(scene::PASSWORD_FILE);
    fs::write(&password, "benchmark\n")?;
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
    Ok(directory)
}

/// One daemon after the other in every step, so that what the machine does meanwhile meets both.
fn measure_all(setup: &Setup, contenders: &[Contender; 2], runs: usize) -> Result<Table, Error> {
    let mut table = Table::default();
    let started = Instant::now();
    let all = runs * Event::ALL.len() * contenders.len();
    let mut done = 0;
    for run in 0..runs {
        for event in Event::ALL {
            for (column, contender) in contenders.iter().enumerate() {
                let left = time_left(started.elapsed(), done, all);
                eprint!("{:3} of {all}  {event}, {}, run {} of {runs}", done + 1, contender.name, run + 1);
                let measured = setup.measure(event, contender, phases(run, runs))?;
                eprintln!(": {:.3} s  (then about {} s left)", measured.outage.as_secs_f64(), left.as_secs());
                table.add(event, column, measured);
                done += 1;
            }
        }
    }
    Ok(table)
}

/// Both spread over a second, independently of each other, and the same for both daemons.
fn phases(run: usize, runs: usize) -> Phases {
    let (run, runs) = (u32::try_from(run).unwrap_or(0), u32::try_from(runs).unwrap_or(1).max(1));
    let second = Duration::from_secs(1);
    // Multiples of the golden ratio spread whatever their number is.
    let peer = second.mul_f64((f64::from(run) * 0.618 + 0.309).fract());
    Phases { peer, event: second * (2 * run + 1) / (2 * runs) }
}

/// What the runs after the present one will take, by what they took so far.
fn time_left(elapsed: Duration, done: usize, all: usize) -> Duration {
    let (done, left) = (u32::try_from(done).unwrap_or(0), u32::try_from(all - done - 1).unwrap_or(0));
    let each = elapsed.checked_div(done).unwrap_or(FIRST_GUESS);
    each * left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_runs_is_checked() {
        assert_eq!(parse_runs(&[]).unwrap(), DEFAULT_RUNS);
        assert_eq!(parse_runs(&["--runs", "7"]).unwrap(), 7);
        assert_eq!(parse_runs(&["--runs=100"]).unwrap(), 100);
        for wrong in
            [&["--runs"][..], &["--runs", "0"], &["--runs", "101"], &["--runs=x"], &["7"], &["--runs", "1", "2"]]
        {
            assert!(matches!(parse_runs(wrong), Err(Error::Usage(_))), "{wrong:?}");
        }
    }

    #[test]
    fn events_and_starts_are_spread_over_the_second_between_advertisements() {
        let phases: Vec<_> = (0..4).map(|run| phases(run, 4)).collect();
        let events: Vec<_> = phases.iter().map(|phases| phases.event.as_millis()).collect();
        assert_eq!(events, [125, 375, 625, 875]);
        let starts: Vec<_> = phases.iter().map(|phases| phases.peer.as_millis()).collect();
        assert_eq!(starts, [309, 927, 545, 163]);
        assert_eq!(super::phases(0, 1).event.as_millis(), 500);
    }

    #[test]
    fn the_time_left_follows_what_the_runs_took() {
        assert_eq!(time_left(Duration::ZERO, 0, 30), FIRST_GUESS * 29);
        assert_eq!(time_left(Duration::from_secs(40), 4, 10), Duration::from_secs(50));
        assert_eq!(time_left(Duration::from_secs(40), 9, 10), Duration::ZERO);
    }
}
