//! All tests, suite by suite, with the outcome of each at the end.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ucarp_sys::netns::NetNs;

use crate::cargo;
use crate::debian::{self, Tool};
use crate::demo;
use crate::tally::Counts;

/// The integration test that runs only against a program named in its environment.
const COMPLIANCE: &str = "compliance";

/// What the compliance suite can be run against.
const UNDER_TEST: [&str; 3] = ["ucarp", "ours", "mixed"];

/// Cases of the compliance suite that run at once: they wait for timers nearly all the time.
const AT_ONCE: &str = "8";

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
    Failed(Counts),
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
    report.add("unit and integration tests", || cargo_test(&workspace_targets()?, &[]))?;
    report.add("documentation tests", || cargo_test(&["--workspace".into(), "--doc".into()], &[]))?;
    report.add("release build", || Ok(as_one_test(cargo::build(&["--release", "-p", "ucarp"])?)))?;
    if extent == Extent::Everything {
        for under_test in UNDER_TEST {
            report.add(&format!("compliance, UNDER_TEST={under_test}"), || compliance(under_test, &missing))?;
        }
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
            Outcome::Passed(_) => true,
            Outcome::Failed(_) => false,
            Outcome::CouldNotRun(_) => !strict,
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sum = Counts::default();
        for Suite { name, outcome, took } in &self.suites {
            let (word, counts) = match outcome {
                Outcome::Passed(counts) => ("passed", *counts),
                Outcome::Failed(counts) => ("FAILED", *counts),
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
        }
        writeln!(f, "{} passed, {} failed", sum.passed, sum.failed)
    }
}

fn as_one_test(passed: bool) -> Outcome {
    if passed {
        Outcome::Passed(Counts { passed: 1, ..Counts::default() })
    } else {
        Outcome::Failed(Counts { failed: 1, ..Counts::default() })
    }
}

fn cargo_test(arguments: &[String], environment: &[(&str, OsString)]) -> io::Result<Outcome> {
    let (success, counts) = cargo::test(arguments, environment)?;
    Ok(judge(success, counts))
}

/// A run that failed without a failed test did not compile or died: that counts as one.
fn judge(success: bool, counts: Counts) -> Outcome {
    match (success, counts.failed) {
        (true, 0) => Outcome::Passed(counts),
        (true, _) | (false, 1..) => Outcome::Failed(counts),
        (false, 0) => Outcome::Failed(Counts { failed: 1, ..counts }),
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

fn compliance(under_test: &str, missing: &[&Tool]) -> io::Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::CouldNotRun("it needs root".into()));
    }
    let original = if under_test == "ours" { None } else { Some("ucarp") };
    let needed: Vec<_> = ["iproute2", "gdb", "libfaketime", "procps"].into_iter().chain(original).collect();
    if let Some(outcome) = lacking(missing, &needed) {
        return Ok(outcome);
    }
    let ours = cargo::target()?.join("release/ucarp");
    if !ours.is_file() {
        return Ok(Outcome::CouldNotRun("the release build failed".into()));
    }
    let environment = [
        ("UNDER_TEST", OsString::from(under_test)),
        ("UCARP_OURS", ours.into_os_string()),
        ("RUST_TEST_THREADS", OsString::from(AT_ONCE)),
    ];
    cargo_test(&["-p", "ucarp", "--test", COMPLIANCE].map(String::from), &environment)
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

/// The arguments that select every test of the workspace but the compliance suite. Cargo has no way to leave one out.
fn workspace_targets() -> io::Result<Vec<String>> {
    let mut arguments = ["--workspace", "--lib", "--bins"].map(String::from).to_vec();
    for package in fs::read_dir(cargo::workspace().join("crates"))? {
        for name in integration_tests(&package?.path().join("tests"))? {
            if name != COMPLIANCE {
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

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed, ignored: 0 }
    }

    fn report(outcomes: Vec<Outcome>) -> Report {
        let suites = outcomes.into_iter().map(|outcome| Suite { name: "some".into(), outcome, took: Duration::ZERO });
        Report { suites: suites.collect() }
    }

    #[test]
    fn the_last_line_is_the_sum_and_what_could_not_run_is_named() {
        let text = report(vec![
            Outcome::Passed(counts(12, 0)),
            Outcome::Failed(counts(3, 2)),
            Outcome::CouldNotRun("no root".into()),
        ])
        .to_string();
        assert_eq!(text.lines().last(), Some("15 passed, 2 failed"));
        assert!(text.contains("some: could not run: no root\n"), "{text}");
        assert!(text.contains("some: FAILED (3 passed, 2 failed) in 0.0 s\n"), "{text}");
    }

    #[test]
    fn what_could_not_run_is_a_failure_only_under_ci() {
        assert!(report(vec![Outcome::Passed(counts(1, 0))]).is_good(true));
        assert!(!report(vec![Outcome::Failed(counts(1, 1))]).is_good(false));
        let unable = report(vec![Outcome::Passed(counts(1, 0)), Outcome::CouldNotRun("no root".into())]);
        assert!(unable.is_good(false));
        assert!(!unable.is_good(true));
    }

    #[test]
    fn a_run_that_ended_badly_has_failed_whatever_was_counted() {
        assert_eq!(judge(true, counts(5, 0)), Outcome::Passed(counts(5, 0)));
        assert_eq!(judge(false, counts(5, 0)), Outcome::Failed(counts(5, 1)));
        assert_eq!(judge(false, counts(5, 2)), Outcome::Failed(counts(5, 2)));
        assert_eq!(judge(true, counts(5, 1)), Outcome::Failed(counts(5, 1)));
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
    fn the_compliance_suite_is_not_among_the_ordinary_tests() {
        let arguments = workspace_targets().unwrap();
        assert!(arguments.iter().any(|argument| argument == "manual"), "{arguments:?}");
        assert!(arguments.iter().all(|argument| argument != COMPLIANCE), "{arguments:?}");
    }
}
