//! `ucarpctl check`: the daemon's own check of a configuration file. There is no second one that could disagree.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use crate::failure::{Failure, UNAVAILABLE};
use crate::sibling;

/// Tell all that is wrong with a configuration file
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(help = format!("The file, {} unless given", ucarp::config::DEFAULT_PATH))]
    file: Option<PathBuf>,
}

/// Exits as `ucarp --check` does: 0 if the daemon would start with the file, and otherwise 1.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let daemon = sibling::find("ucarp");
    let mut command = process::Command::new(&daemon);
    command.arg("--check");
    if let Some(file) = &arguments.file {
        command.arg("-c").arg(file);
    }
    let status = command.status().map_err(|error| {
        let daemon = daemon.display();
        Failure::new(UNAVAILABLE, format!("cannot run {daemon}: {error}; install ucarp beside ucarpctl or in the PATH"))
    })?;
    match status.code() {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(_) => Ok(ExitCode::FAILURE),
        None => {
            let signal = status.signal().unwrap_or_default();
            Err(Failure::new(UNAVAILABLE, format!("{} ended by signal {signal}", daemon.display())))
        }
    }
}
