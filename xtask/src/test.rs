//! All tests, suite by suite, with the outcome of each at the end.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ucarp_sys::netns::NetNs;

use crate::bench;
use crate::cargo::{self, TestRun};
use crate::debian::{self, Tool};
use crate::demo;
use crate::failures::Failure;
use crate::install;
use crate::tally::Counts;

/// The integration test that runs only against a program named in its environment.
const COMPLIANCE: &str = "compliance";

/// The integration test of the daemon that runs from configuration files.
const CONFIGURED: &str = "configured";

/// The integration test of the Debian package.
const INSTALLATION: &str = "installation";

/// What the compliance suite can be run against.
const UNDER_TEST: [&str; 3] = ["ucarp", "ours", "mixed"];

/// Cases of the compliance suite that run at once: they wait for timers nearly all the time.
const AT_ONCE: &str = "8";

/// Cases of the configured daemon that run at once: they wait for timers, too.
const CONFIGURED_AT_ONCE: &str = "12";

/// Cases of the installed package that run at once. They wait too, but dpkg does not.
const INSTALLED_AT_ONCE: &str = "6";

/// When at most so many cases fail, each is run again, alone: timers are late on a machine that is busy with other things.
/// More failures than that have another reason.
const MOST_ALONE: usize = 8;

/// How often a case may fail alone, too. The outcome names it in any case.
const MOST_TRIES: usize = 3;

/// How much to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What CI runs.
    Everything,
    /// Only what takes a minute or two.
    Quick,
}

/// How a suite ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed(Counts),
    /// The cases that are named failed beside others and passed alone.
    PassedAlone(Counts, Vec<String>),
    Failed(Counts, Vec<Failure>),
    CouldNotRun(String),
}

/// A suite that is over.
#[derive(Debug)]
struct Suite {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// The suites that are over.
#[derive(Debug, Default)]
struct Report {
    suites: Vec<Suite>,
}

/// Runs the tests. Whether everything passed.
///
/// # Errors
///
/// Cargo cannot be run, or the terminal is gone.
pub(crate) fn run(extent: Extent) -> io::Result<bool> {
    let missing = debian::install_missing()?;
    let mut report = Report::default();
    report.add("tests that need network namespaces", || Ok(cannot_make_namespaces()))?;
    report.add("lint of the manual page", || Ok(lacking(&missing, &["mandoc"])))?;
    report.add("the status page and its metrics", || Ok(lacking(&missing, &["chromium", "prometheus"])))?;
    let promtool = debian::find_unpacked("promtool").map(|path| ("PROMTOOL", path.into_os_string()));
    report.add("unit and integration tests", || patient_test(&workspace_targets()?, promtool.as_slice()))?;
    report.add("documentation tests", || cargo_test(&["--workspace".into(), "--doc".into()], &[]))?;
    report.add("release build", || Ok(as_one_test(cargo::build(&["--release", "-p", "ucarp"])?)))?;
    report.add("what the core takes for an advertisement", || core(&missing))?;
    if extent == Extent::Everything {
        report.add("the configured daemon", || configured(&missing))?;
        for under_test in UNDER_TEST {
            report.add(&format!("compliance, UNDER_TEST={under_test}"), || compliance(under_test, &missing))?;
        }
        report.add("installation", || installation(&missing, None))?;
        report.add("demo", demonstrate)?;
    }
    print!("\n{report}");
    Ok(report.is_good(env::var_os("CI").is_some()))
}

impl Report {
    /// Runs a suite. `None` means that there is nothing to report of it.
    fn add<T: Into<Option<Outcome>>>(&mut self, name: &str, suite: impl FnOnce() -> io::Result<T>) -> io::Result<()> {
        let started = Instant::now();
        if let Some(outcome) = suite()?.into() {
            self.suites.push(Suite { name: name.to_owned(), outcome, took: started.elapsed() });
        }
        Ok(())
    }

    /// A suite that could not run is a failure where `strict`: nobody reads the reasons there.
    fn is_good(&self, strict: bool) -> bool {
        self.suites.iter().all(|suite| match suite.outcome {
            Outcome::Passed(_) | Outcome::PassedAlone(..) => true,
            Outcome::Failed(..) => false,
            Outcome::CouldNotRun(_) => !strict,
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sum = Counts::default();
        for Suite { name, outcome, took } in &self.suites {
            let (word, counts) = match outcome {
                Outcome::Passed(counts) | Outcome::PassedAlone(counts, _) => ("passed", *counts),
                Outcome::Failed(counts, _) => ("FAILED", *counts),
                Outcome::CouldNotRun(reason) => {
                    writeln!(f, "{name}: could not run: {reason}")?;
                    continue;
                }
            };
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            write!(f, "{name}: {word} ({} passed, {} failed", counts.passed, counts.failed)?;
            if counts.ignored > 0 {
                write!(f, ", {} ignored", counts.ignored)?;
            }
            writeln!(f, ") in {:.1} s", took.as_secs_f64())?;
            if let Outcome::PassedAlone(_, names) = outcome {
                writeln!(f, "{name}: passed only when run alone: {}", names.join(", "))?;
            }
        }
        for Suite { name, outcome, .. } in &self.suites {
            let Outcome::Failed(_, failures) = outcome else { continue };
            failures.iter().try_for_each(|failure| write!(f, "\n{name}: {failure}"))?;
        }
        writeln!(f, "{} passed, {} failed", sum.passed, sum.failed)
    }
}

fn as_one_test(passed: bool) -> Outcome {
    if passed {
        Outcome::Passed(Counts { passed: 1, ..Counts::default() })
    } else {
        Outcome::Failed(Counts { failed: 1, ..Counts::default() }, Vec::new())
    }
}

fn cargo_test(arguments: &[String], environment: &[(&str, OsString)]) -> io::Result<Outcome> {
    Ok(judge(cargo::test(arguments, environment)?))
}

/// Runs an integration test of the daemon.
fn timed_test(name: &str, environment: &[(&str, OsString)]) -> io::Result<Outcome> {
    patient_test(&daemon_target(name), environment)
}

/// The arguments that select an integration test of the daemon: out of the whole workspace, so that nothing is built anew
/// with other features.
fn daemon_target(name: &str) -> [String; 3] {
    ["--workspace", "--test", name].map(String::from)
}

/// Runs tests, of which many depend on time. What fails is run again alone.
fn patient_test(tests: &[String], environment: &[(&str, OsString)]) -> io::Result<Outcome> {
    let outcome = cargo_test(tests, environment)?;
    let alone = |case: &str| {
        for attempt in 1..=MOST_TRIES {
            println!("\n{case} did not pass: alone, attempt {attempt} of {MOST_TRIES}");
            let arguments = [tests, &["--", "--exact", case].map(String::from)].concat();
            let run = cargo::test(&arguments, environment)?;
            if run.success && run.counts.passed > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    };
    forgive(outcome, alone)
}

/// Lets the cases that failed run alone, and forgives those that pass then.
fn forgive(outcome: Outcome, mut alone: impl FnMut(&str) -> io::Result<bool>) -> io::Result<Outcome> {
    let Outcome::Failed(counts, failures) = outcome else { return Ok(outcome) };
    // Something is wrong beside the cases if these are not all that failed.
    if failures.len() > MOST_ALONE || u64::try_from(failures.len()) != Ok(counts.failed) {
        return Ok(Outcome::Failed(counts, failures));
    }
    let (mut forgiven, mut failed) = (Vec::new(), Vec::new());
    for failure in failures {
        if alone(&failure.name)? {
            forgiven.push(failure.name);
        } else {
            failed.push(failure);
        }
    }
    let moved = u64::try_from(forgiven.len()).unwrap_or_default();
    let counts = Counts { passed: counts.passed + moved, failed: counts.failed - moved, ..counts };
    Ok(if failed.is_empty() { Outcome::PassedAlone(counts, forgiven) } else { Outcome::Failed(counts, failed) })
}

/// A run that failed without a failed test did not compile or died: that counts as one.
fn judge(TestRun { success, counts, failures }: TestRun) -> Outcome {
    match (success, counts.failed) {
        (true, 0) => Outcome::Passed(counts),
        (true, _) | (false, 1..) => Outcome::Failed(counts, failures),
        (false, 0) => Outcome::Failed(Counts { failed: 1, ..counts }, failures),
    }
}

fn cannot_make_namespaces() -> Option<Outcome> {
    NetNs::new().err().map(|error| Outcome::CouldNotRun(error.to_string()))
}

fn lacking(missing: &[&Tool], packages: &[&str]) -> Option<Outcome> {
    let lacking: Vec<_> = missing.iter().map(|tool| tool.package).filter(|name| packages.contains(name)).collect();
    let reason = format!("not installed: {} (as root on Debian this task installs it)", lacking.join(", "));
    (!lacking.is_empty()).then_some(Outcome::CouldNotRun(reason))
}

/// Why a suite of the daemon cannot run, or what tells it which program to test.
fn daemon_suite(packages: &[&str], missing: &[&Tool]) -> io::Result<Result<(&'static str, OsString), Outcome>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Err(Outcome::CouldNotRun("it needs root".into())));
    }
    if let Some(outcome) = lacking(missing, packages) {
        return Ok(Err(outcome));
    }
    let ours = cargo::target()?.join("release/ucarp");
    if !ours.is_file() {
        return Ok(Err(Outcome::CouldNotRun("the release build failed".into())));
    }
    Ok(Ok(("UCARP_OURS", ours.into_os_string())))
}

fn compliance(under_test: &str, missing: &[&Tool]) -> io::Result<Outcome> {
    let original = if under_test == "ours" { None } else { Some("ucarp") };
    let needed: Vec<_> = ["iproute2", "gdb", "libfaketime", "procps"].into_iter().chain(original).collect();
    match daemon_suite(&needed, missing)? {
        Err(outcome) => Ok(outcome),
        Ok(ours) => timed_test(
            COMPLIANCE,
            &[ours, ("UNDER_TEST", OsString::from(under_test)), ("RUST_TEST_THREADS", OsString::from(AT_ONCE))],
        ),
    }
}

fn configured(missing: &[&Tool]) -> io::Result<Outcome> {
    match daemon_suite(&["iproute2", "ucarp", "frr", "nftables"], missing)? {
        Err(outcome) => Ok(outcome),
        Ok(ours) => timed_test(CONFIGURED, &[ours, ("RUST_TEST_THREADS", OsString::from(CONFIGURED_AT_ONCE))]),
    }
}

/// The installation tests, or those whose names contain `name`.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn installation_alone(name: Option<&str>) -> io::Result<bool> {
    let missing = debian::install_missing()?;
    let mut report = Report::default();
    report.add("installation", || installation(&missing, name))?;
    print!("\n{report}");
    Ok(report.is_good(true))
}

fn installation(missing: &[&Tool], name: Option<&str>) -> io::Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::CouldNotRun("it needs root".into()));
    }
    if let Some(outcome) = lacking(missing, &["mmdebstrap", "lintian", "iproute2"]) {
        return Ok(outcome);
    }
    let mut environment = match install::prepare() {
        Ok(environment) => environment,
        Err(error) => {
            println!("{error}");
            return Ok(as_one_test(false));
        }
    };
    environment.push(("RUST_TEST_THREADS", OsString::from(INSTALLED_AT_ONCE)));
    let mut tests = daemon_target(INSTALLATION).to_vec();
    tests.extend(name.map(|name| ["--".to_owned(), name.to_owned()]).into_iter().flatten());
    patient_test(&tests, &environment)
}

fn core(missing: &[&Tool]) -> io::Result<Outcome> {
    if let Some(outcome) = lacking(missing, &["valgrind"]) {
        return Ok(outcome);
    }
    let is_good = bench::core::run().unwrap_or_else(|error| {
        println!("{error}");
        false
    });
    Ok(as_one_test(is_good))
}

fn demonstrate() -> io::Result<Outcome> {
    if !cargo::build(&demo::BUILD)? {
        return Ok(as_one_test(false));
    }
    let shown = demo::program()?.status()?.success();
    if !shown && !rustix::process::geteuid().is_root() {
        return Ok(Outcome::CouldNotRun("it failed, perhaps because this is not root: its last lines say why".into()));
    }
    Ok(as_one_test(shown))
}

/// The arguments that select every test of the workspace but the suites of the daemon. Cargo has no way to leave one out.
fn workspace_targets() -> io::Result<Vec<String>> {
    let mut arguments = ["--workspace", "--lib", "--bins"].map(String::from).to_vec();
    for package in fs::read_dir(cargo::workspace().join("crates"))? {
        for name in integration_tests(&package?.path().join("tests"))? {
            if ![COMPLIANCE, CONFIGURED, INSTALLATION].contains(&name.as_str()) {
                arguments.extend(["--test".to_owned(), name]);
            }
        }
    }
    Ok(arguments)
}

/// The integration tests in a `tests` directory, by cargo's rule: `NAME.rs` and `NAME/main.rs`.
fn integration_tests(directory: &PathBuf) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    if !directory.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_test) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failures::Collector;

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed, ignored: 0 }
    }

    fn failures(names: &[&str]) -> Vec<Failure> {
        let mut collector = Collector::default();
        for name in names {
            collector.read(format!("---- {name} stdout ----\nit never came\n").as_bytes());
        }
        collector.failures()
    }

    fn report(outcomes: Vec<Outcome>) -> Report {
        let suites = outcomes.into_iter().map(|outcome| Suite { name: "some".into(), outcome, took: Duration::ZERO });
        Report { suites: suites.collect() }
    }

    #[test]
    fn the_last_line_is_the_sum_and_what_could_not_run_is_named() {
        let text = report(vec![
            Outcome::Passed(counts(12, 0)),
            Outcome::Failed(counts(3, 2), failures(&["links::gone"])),
            Outcome::PassedAlone(counts(4, 0), vec!["stalls::woken".into()]),
            Outcome::CouldNotRun("no root".into()),
        ])
        .to_string();
        assert_eq!(text.lines().last(), Some("19 passed, 2 failed"));
        assert!(text.contains("some: could not run: no root\n"), "{text}");
        assert!(text.contains("some: FAILED (3 passed, 2 failed) in 0.0 s\n"), "{text}");
        assert!(text.contains("some: passed only when run alone: stalls::woken\n"), "{text}");
        let [.., name, message, _] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert_eq!((name, message), ("some: ---- links::gone", "it never came"), "messages come again at the end");
    }

    #[test]
    fn what_could_not_run_is_a_failure_only_under_ci() {
        assert!(report(vec![Outcome::Passed(counts(1, 0))]).is_good(true));
        assert!(!report(vec![Outcome::Failed(counts(1, 1), vec![])]).is_good(false));
        let unable = report(vec![Outcome::Passed(counts(1, 0)), Outcome::CouldNotRun("no root".into())]);
        assert!(unable.is_good(false));
        assert!(!unable.is_good(true));
    }

    #[test]
    fn a_run_that_ended_badly_has_failed_whatever_was_counted() {
        let judge = |success, counts| judge(TestRun { success, counts, failures: Vec::new() });
        assert_eq!(judge(true, counts(5, 0)), Outcome::Passed(counts(5, 0)));
        assert_eq!(judge(false, counts(5, 0)), Outcome::Failed(counts(5, 1), vec![]));
        assert_eq!(judge(false, counts(5, 2)), Outcome::Failed(counts(5, 2), vec![]));
        assert_eq!(judge(true, counts(5, 1)), Outcome::Failed(counts(5, 1), vec![]));
    }

    #[test]
    fn cases_that_pass_alone_are_forgiven_and_no_others() {
        let forgive = |outcome, good: &[&str]| forgive(outcome, |case| Ok(good.contains(&case))).unwrap();
        let failed = |names: &[&str]| Outcome::Failed(counts(5, names.len() as u64), failures(names));
        assert_eq!(forgive(Outcome::Passed(counts(5, 0)), &[]), Outcome::Passed(counts(5, 0)));
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(forgive(failed(&["a", "b"]), &["b", "a"]), Outcome::PassedAlone(counts(7, 0), names));
        assert_eq!(forgive(failed(&["a", "b"]), &["b"]), Outcome::Failed(counts(6, 1), failures(&["a"])));
        let many: Vec<String> = (0..=MOST_ALONE).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(forgive(failed(&many), &many), failed(&many), "this is no noise");
        let died = Outcome::Failed(counts(5, 1), vec![]);
        assert_eq!(forgive(died, &[]), Outcome::Failed(counts(5, 1), vec![]), "nobody knows what failed");
    }

    #[test]
    fn integration_tests_are_found_as_cargo_finds_them() {
        let directory = tempfile::tempdir().unwrap();
        let tests = directory.path().join("tests");
        assert!(integration_tests(&tests).unwrap().is_empty(), "there need not be any");
        for path in ["two/main.rs", "support/mod.rs", "one.rs", "notes.txt"] {
            let path = tests.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(integration_tests(&tests).unwrap(), ["one", "two"]);
    }

    #[test]
    fn the_suites_of_the_daemon_are_not_among_the_ordinary_tests() {
        let arguments = workspace_targets().unwrap();
        assert!(arguments.iter().any(|argument| argument == "manual"), "{arguments:?}");
        assert!(
            arguments.iter().all(|argument| ![COMPLIANCE, CONFIGURED, INSTALLATION].contains(&argument.as_str())),
            "{arguments:?}"
        );
    }
}
