//! The program itself, against a daemon that answers what it is told to.

#![expect(clippy::unwrap_used, reason = "the helpers are for tests alone")]

#[path = "../fake/mod.rs"]
mod fake;
#[path = "../terminal/mod.rs"]
mod screen;

mod changes;
mod programs;
mod reading;
mod terminal;
mod watching;

use std::process::{Command, Output, Stdio};

use fake::Fake;

/// The program, with this daemon, in a zone that is the same everywhere.
fn command(daemon: &Fake, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucarpctl"));
    command.arg("--socket").arg(daemon.socket()).args(arguments).env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(daemon: &Fake, arguments: &[&str]) -> Output {
    command(daemon, arguments).output().expect("the program can be run")
}

/// What it wrote, and how it ended.
fn said(output: &Output) -> (&str, &str, Option<i32>) {
    let text = |bytes| std::str::from_utf8(bytes).expect("it writes UTF-8");
    (text(&output.stdout), text(&output.stderr), output.status.code())
}
