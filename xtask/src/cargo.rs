//! Runs cargo on this workspace.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failures::{Collector, Failure};
use crate::tally::{Counts, Tally};

/// How a run of tests ended.
#[derive(Debug)]
pub(crate) struct TestRun {
    pub(crate) success: bool,
    pub(crate) counts: Counts,
    pub(crate) failures: Vec<Failure>,
}

/// The cargo that started us, or the one in PATH.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace());
    command
}

/// The directory of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// Where cargo puts what it builds: this program is in `PROFILE/` of it.
///
/// # Errors
///
/// The own executable cannot be found.
pub(crate) fn target() -> io::Result<PathBuf> {
    let exe = env::current_exe()?;
    let target = exe.parent().and_then(Path::parent).map(Path::to_owned);
    target.ok_or_else(|| io::Error::other(format!("{} is not in a target directory", exe.display())))
}

/// Runs `cargo build` with these arguments. Whether it succeeded.
///
/// # Errors
///
/// Cargo cannot be run.
pub(crate) fn build(arguments: &[&str]) -> io::Result<bool> {
    build_with(arguments, &[])
}

/// As [`build`], with more environment.
///
/// # Errors
///
/// Cargo cannot be run.
pub(crate) fn build_with(arguments: &[&str], environment: &[(&str, OsString)]) -> io::Result<bool> {
    let environment = environment.iter().map(|(name, value)| (name, value));
    Ok(cargo().arg("build").args(arguments).envs(environment).status()?.success())
}

/// Runs `cargo test` with these arguments and environment, passes its output through, counts the tests and collects what
/// failed.
///
/// # Errors
///
/// Cargo cannot be run, or the output cannot be passed on.
pub(crate) fn test(arguments: &[String], environment: &[(&str, OsString)]) -> io::Result<TestRun> {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]).args(arguments);
    command.envs(environment.iter().map(|(name, value)| (name, value))).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut output = child.stdout.take().expect("standard output was piped just now");
    let (mut tally, mut collector) = (Tally::default(), Collector::default());
    let copied = copy(&mut output, |piece| {
        tally.read(piece);
        collector.read(piece);
    });
    let success = child.wait()?.success();
    copied?;
    Ok(TestRun { success, counts: tally.counts(), failures: collector.failures() })
}

fn copy(from: &mut impl Read, mut read: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let piece = &buffer[..length];
                read(piece);
                let mut to = io::stdout().lock();
                to.write_all(piece)?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
