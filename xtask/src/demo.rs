//! The demo: builds it and becomes it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cargo;

/// What the demo consists of. The daemon stands beside it, where it looks first.
pub(crate) const BUILD: [&str; 5] = ["-p", "ucarp", "-p", "netlab", "--bins"];

/// Builds the demo and replaces this process by it, so that Ctrl-C and the exit status are its own business. Returns only
/// if that is impossible.
pub(crate) fn run(arguments: &[OsString]) -> io::Error {
    match cargo::build(&BUILD) {
        Ok(true) => {}
        Ok(false) => return io::Error::other("the demo cannot be built"),
        Err(error) => return error,
    }
    match program() {
        Ok(mut program) => program.args(arguments).exec(),
        Err(error) => error,
    }
}

/// The demo as [`BUILD`] leaves it.
///
/// # Errors
///
/// The target directory cannot be found.
pub(crate) fn program() -> io::Result<Command> {
    Ok(Command::new(cargo::target()?.join("debug/ucarp-demo")))
}
