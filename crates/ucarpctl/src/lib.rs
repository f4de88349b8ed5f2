//! The operator's tools of ucarp. `arguments` is the command line, `failure` how a command ends; every command is a module of
//! its own with its arguments and a `run`.
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod completions;
mod failure;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::{Failure, USAGE};

/// What the binary `ucarpctl` does: the command line of this process, and the status to exit with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done for somebody whose terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(arguments.command) {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("ucarpctl: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
