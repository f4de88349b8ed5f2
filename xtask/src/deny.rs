//! The rules about dependencies (`deny.toml`), checked by cargo-deny: licences, duplicates, and where they come from.

use std::env;
use std::io;
use std::process::{Command, Stdio};

use crate::cargo;

/// The workspaces, which have lock files of their own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// What is checked without the network.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0:?} is not understood: `cargo xtask deny [--advisories]`")]
    Usage(String),
    #[error("cargo-deny is missing: run `cargo install cargo-deny --locked`")]
    NoCargoDeny,
    #[error("cargo-deny cannot be installed")]
    Install,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Checks both workspaces. With `--advisories` known vulnerabilities count too; their list comes from the network. Whether
/// all rules are kept.
pub(crate) fn run(arguments: &[&str]) -> Result<bool, Error> {
    let mut checks = CHECKS.to_vec();
    match arguments {
        [] => {}
        ["--advisories"] => checks.push("advisories"),
        _ => return Err(Error::Usage(arguments.join(" "))),
    }
    find_tool()?;
    let mut kept = true;
    for manifest in MANIFESTS {
        println!("{manifest}:");
        kept &= cargo_deny(manifest).arg("check").args(&checks).status()?.success();
    }
    Ok(kept)
}

fn cargo_deny(manifest: &str) -> Command {
    let mut command = Command::new("cargo-deny");
    command.args(["--config", "deny.toml", "--locked", "--manifest-path", manifest]).current_dir(cargo::workspace());
    command
}

fn is_there() -> bool {
    let mut command = Command::new("cargo-deny");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Installs cargo-deny under CI, where nobody can be asked to. It is built without optimisation: it runs for a second.
fn find_tool() -> Result<(), Error> {
    if is_there() {
        return Ok(());
    }
    if env::var_os("CI").is_none() {
        return Err(Error::NoCargoDeny);
    }
    let mut install = Command::new("cargo");
    install.args(["install", "cargo-deny", "--locked", "--debug"]).env("CARGO_PROFILE_DEV_DEBUG", "false");
    if install.status()?.success() && is_there() { Ok(()) } else { Err(Error::Install) }
}
