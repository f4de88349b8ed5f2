//! Packages, made of a tree of files that is staged first: [`tree`] says what is where, [`deb`], [`rpm`] and [`tar`] wrap it.

mod deb;
mod rpm;
mod tar;
mod tree;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;

/// The name of the packages.
const NAME: &str = "ucarp-rs";

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0:?} is not understood: `cargo xtask dist deb`, `rpm` or `tar`")]
    Usage(String),
    #[error("the programs cannot be built")]
    Build,
    #[error("packages cannot be made for {0}: add its name to xtask/src/dist.rs")]
    Architecture(&'static str),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{program} cannot be run: {source}; on Debian install the package {package}")]
    Missing { program: String, package: &'static str, source: io::Error },
    #[error("{command} failed: {output}")]
    Failed { command: String, output: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Adds the path to what the system says.
fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), source }
}

/// Builds the programs and makes a package of them in `target/dist`.
pub(crate) fn run(arguments: &[&str]) -> Result<bool, Error> {
    let made = match arguments {
        ["deb"] => deb(),
        ["rpm"] => rpm::build(&release()?),
        ["tar"] => tar::build(),
        _ => return Err(Error::Usage(arguments.join(" "))),
    }?;
    println!("{}", made.display());
    Ok(true)
}

/// Makes the Debian package.
pub(crate) fn deb() -> Result<PathBuf, Error> {
    deb::build(&release()?)
}

/// The packages of cargo whose programs are shipped. Each is built by itself: what they have in common is built with what
/// one of them needs, and not with what all of them do.
fn shipped() -> Vec<&'static str> {
    let mut packages: Vec<_> = tree::PROGRAMS.iter().map(|program| program.package).collect();
    packages.dedup();
    packages
}

/// Builds what is shipped. Returns where the programs are.
fn release() -> Result<PathBuf, Error> {
    for package in shipped() {
        if !cargo::build(&["--release", "--locked", "-p", package])? {
            return Err(Error::Build);
        }
    }
    Ok(cargo::target()?.join("release"))
}

/// An empty directory of this name below `target/dist`.
fn fresh(name: &str) -> Result<PathBuf, Error> {
    let path = cargo::target()?.join("dist").join(name);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
        _ => fs::create_dir_all(&path).map_err(at(&path))?,
    }
    Ok(path)
}

/// A file of the project.
fn project(path: &str) -> PathBuf {
    cargo::workspace().join(path)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(at(path))
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Error> {
    fs::write(path, text).map_err(at(path))
}

/// The version of all packages: that of the workspace.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// When the last change was made, in seconds since 1970: packages of the same sources are the same. Outside of a checkout
/// it is what `SOURCE_DATE_EPOCH` says, or the beginning of 2026.
fn source_date() -> String {
    const FALLBACK: &str = "1767225600";
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given;
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(cargo::workspace());
    let output = git.output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(|| FALLBACK.to_owned())
}

/// Runs a program of a Debian package and returns what it printed.
fn run_tool(package: &'static str, command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.env("SOURCE_DATE_EPOCH", source_date()).output();
    let output = output.map_err(|source| Error::Missing { program, package, source })?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let command = format!("{} {}", command.get_program().display(), words.join(" "));
    Err(Error::Failed { command, output: text(&output.stderr) + &text(&output.stdout) })
}
