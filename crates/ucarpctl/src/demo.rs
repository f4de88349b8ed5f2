//! `ucarpctl demo`: becomes the program ucarp-demo, which plays the daemon of the same build.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::failure::{Failure, UNAVAILABLE};
use crate::sibling;

/// Play a failover: two hosts and a client in network namespaces of their own
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to ucarp-demo
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// Returns only if there is no such program: Ctrl-C and the exit status are its own business.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let program = sibling::find("ucarp-demo");
    let error = Command::new(&program).args(&arguments.arguments).exec();
    let program = program.display();
    let remedy = "packages are without it; the sources have it: `cargo demo`";
    Err(Failure::new(UNAVAILABLE, format!("cannot run {program}: {error}; {remedy}")))
}
