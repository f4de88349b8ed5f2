//! The operator's tools of ucarp. `arguments` is the command line, `context` the way to the daemon, `look` and `table` how
//! output is written, `failure` how a command ends; every command is a module of its own with its arguments and a `run`.
#![forbid(unsafe_code)]

mod arguments;
mod change;
mod check;
mod completions;
mod concerns;
mod context;
mod convert;
mod demo;
mod doctor;
mod drill;
mod events;
mod explain;
pub mod exporter;
mod failure;
#[cfg(test)]
#[path = "../tests/fake/mod.rs"]
mod fake;
mod input;
mod look;
mod peers;
mod sibling;
mod simulate;
mod status;
mod table;
mod top;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use context::Context;
use failure::{Failure, USAGE};
use look::Look;

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
    let mut out = BufWriter::new(io::stdout().lock());
    let result = run(arguments, &mut out).and_then(|status| Ok(out.flush().map(|()| status)?));
    match result {
        Ok(status) => status,
        Err(failure) => {
            // What was written so far belongs before the message, if it can be written at all.
            let _ = out.flush();
            if !failure.is_silent() {
                eprintln!("ucarpctl: {failure}");
            }
            ExitCode::from(failure.status())
        }
    }
}

fn run(arguments: Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let context = Context { look: Look::of_stdout(arguments.global.colour), socket: arguments.global.socket };
    match arguments.command {
        Command::Status(arguments) => status::run(&context, &arguments, out),
        Command::Top(_) => top::run(&context),
        Command::Watch(arguments) => events::watch(&context, &arguments, out),
        Command::Events(arguments) => events::run(&context, &arguments, out),
        Command::Explain(arguments) => explain::run(&context, &arguments, out),
        Command::Peers(arguments) => peers::run(&context, &arguments, out),
        Command::Demote(arguments) => change::demote(&context, &arguments),
        Command::Promote(arguments) => change::promote(&context, &arguments),
        Command::Hold(target) => change::hold(&context, &target),
        Command::Release(target) => change::release(&context, &target),
        Command::HandOver(target) => change::hand_over(&context, &target),
        Command::Announce(target) => change::announce(&context, &target),
        Command::Reload => change::reload(&context, out),
        Command::LogLevel(arguments) => change::log_level(&context, &arguments),
        Command::Drill(arguments) => drill::run(&context, &arguments, out),
        Command::Doctor(arguments) => doctor::run(&context, &arguments, out),
        Command::Check(arguments) => check::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments, out),
        Command::Simulate(arguments) => simulate::run(&arguments, out),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, out),
    }
}
