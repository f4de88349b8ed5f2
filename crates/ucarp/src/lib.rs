//! The ucarp daemon as a library; `main.rs` is one call into it.
//!
//! [`options`] turns the command line into checked options, [`start`] opens what they name. Two processes do the work:
//! the [`guardian`] has the rights, opens each [`interface`], holds addresses ([`keeper`]), has checks done, runs [`scripts`] and speaks with the [`service`] manager; its child,
//! the [`engine`], drives the protocol core with what arrives from the network. They speak the [`protocol`], and both tell
//! the log ([`report`], [`complaints`], [`logging`], [`journal`]).
#![forbid(unsafe_code)]

mod checks;
pub mod complaints;
pub mod config;
pub mod engine;
pub mod guardian;
pub mod interface;
pub mod journal;
pub mod keeper;
pub mod logging;
pub mod options;
pub mod password_file;
pub mod pid_file;
pub mod protocol;
pub mod ration;
pub mod report;
pub mod scripts;
pub mod service;
pub mod settings;
pub mod start;
pub mod tuning;
mod wishes;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use options::{Action, ConfigTask};
use ucarp_sys::argv;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let parsed = options::parse(&arguments);
    let mut exposed = None;
    for secret in &parsed.secret_arguments {
        exposed = argv::overwrite(secret.index, secret.offset).err().or(exposed);
    }
    logging::start();
    if let Some(error) = exposed {
        log::warn!("The password stays readable in the process list ({error}): give it with -o instead of -p");
    }
    let status = match parsed.result {
        Ok(Action::Run(options)) => start::run(&options),
        Ok(Action::Configured(configured)) => match configured.task {
            ConfigTask::Check => config::check(&configured.file),
            ConfigTask::Show => config::print_effective(&configured.file),
            ConfigTask::Run => start::run_configured(&configured),
        },
        Ok(Action::Help) => print(&options::help()),
        Ok(Action::Version) => print(&options::version()),
        Ok(Action::Completions(shell)) => print(&options::completions(shell)),
        Err(error) => {
            // What getopt would have complained about is for the person who typed it; the rest is for the log.
            match error.hint() {
                Some(hint) => eprintln!("ucarp: {error}\n{hint}"),
                None => log::error!("{error}"),
            }
            error.exit_status()
        }
    };
    ExitCode::from(status)
}

/// Prints on standard output. A reader that has seen enough (`ucarp --help | head -1`) is no failure.
fn print(text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("unable to write to standard output: {error}");
            1
        }
        _ => 0,
    }
}
