//! The simulator: builds it and becomes it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cargo;

/// Builds the simulator and replaces this process by it. `cargo xtask sim --seeds N` is short for `sim run --seeds N`.
/// Returns only if that is impossible.
pub(crate) fn run(arguments: &[OsString]) -> io::Error {
    match cargo::build(&["--release", "-p", "carp-sim"]) {
        Ok(true) => {}
        Ok(false) => return io::Error::other("the simulator cannot be built"),
        Err(error) => return error,
    }
    let runs_seeds = arguments.first().is_some_and(|first| first.to_string_lossy().starts_with("--seeds"));
    match cargo::target() {
        Ok(target) => {
            let mut program = Command::new(target.join("release/carp-sim"));
            program.args(runs_seeds.then_some("run")).args(arguments).exec()
        }
        Err(error) => error,
    }
}
