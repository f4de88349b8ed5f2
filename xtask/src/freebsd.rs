//! Binaries for FreeBSD, made on Debian from what its registries and PyPI have: a compiler with the sources of its own
//! standard library, which is built for the other system, and a linker that knows the other system's libraries.
//!
//! `docs/freebsd.md` says why it is these.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cargo, debian};

const TARGET: &str = "x86_64-unknown-freebsd";
/// Debian's compiler and the sources of its standard library; both have the same version.
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];
const COMPILER: &str = "/usr/bin/rustc";
const SOURCES: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
/// A wheel with the whole of Zig, which has what linking for FreeBSD takes. Newer versions may do as well.
const LINKER: &str = "ziglang==0.17.1";
/// The package with what installs it.
const INSTALLER: &str = "python3-pip";
/// The oldest FreeBSD whose libraries the binaries ask for.
const RELEASE: &str = "14.0";
/// Libraries that the `libc` crate names for functions that nothing here calls, and that Zig does not have.
const NOT_NEEDED: [&str; 4] = ["-lkvm", "-lmemstat", "-lprocstat", "-ldevstat"];
/// The packages of cargo that are built.
const BUILT: [&str; 2] = ["ucarp", "ucarpctl"];
/// The programs that come of it.
const BINARIES: [&str; 3] = ["ucarp", "ucarpctl", "ucarp-exporter"];
/// The linker's name, by which the compiler takes it for a C compiler and not for `ld`.
const LINKER_NAME: &str = "freebsd-clang";

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0:?} is not understood: `cargo xtask freebsd [--check]`")]
    Usage(String),
    #[error("{COMPILER} and its sources are missing: install Debian's {}; if this task could not, see above", PACKAGES.join(" and "))]
    NoCompiler,
    #[error("{LINKER} cannot be installed: `python3 -m pip` (Debian's {INSTALLER}) has to reach PyPI; see above")]
    NoLinker,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What users get.
    Release,
    /// Only to see that it can be built and linked, as fast as possible.
    Check,
}

/// Builds the binaries. Whether it succeeded.
pub(crate) fn run(arguments: &[&str]) -> Result<bool, Error> {
    let extent = match arguments {
        [] => Extent::Release,
        ["--check"] => Extent::Check,
        other => return Err(Error::Usage(other.join(" "))),
    };
    find_compiler()?;
    let work = cargo::target()?.join("freebsd");
    fs::create_dir_all(&work)?;
    let linker = write_linker(&work, &find_zig(&work)?)?;
    let built = work.join("build");
    if !cargo::build_with(&build_arguments(extent), &environment(&built, linker, extent))? {
        return Ok(false);
    }
    let profile = built.join(TARGET).join(if extent == Extent::Check { "debug" } else { "release" });
    for name in BINARIES {
        let (from, to) = (profile.join(name), work.join(name));
        if extent == Extent::Release {
            fs::copy(&from, &to)?;
        }
        println!("{}", if extent == Extent::Release { to } else { from }.display());
    }
    Ok(true)
}

fn build_arguments(extent: Extent) -> Vec<&'static str> {
    let mut arguments = vec!["--locked", "--target", TARGET, "-Zbuild-std=std,panic_abort"];
    BUILT.iter().for_each(|name| arguments.extend(["--package", name]));
    if extent == Extent::Release {
        arguments.push("--release");
    }
    arguments
}

fn environment(built: &Path, linker: PathBuf, extent: Extent) -> Vec<(&'static str, OsString)> {
    let mut environment = vec![
        ("RUSTC", COMPILER.into()),
        // To build a standard library is not for everybody, the compiler says.
        ("RUSTC_BOOTSTRAP", "1".into()),
        ("CARGO_TARGET_DIR", built.into()),
        ("CARGO_TARGET_X86_64_UNKNOWN_FREEBSD_LINKER", linker.into()),
    ];
    if extent == Extent::Check {
        environment.extend([
            ("CARGO_PROFILE_DEV_OPT_LEVEL", "0".into()),
            ("CARGO_PROFILE_DEV_DEBUG", "0".into()),
            ("CARGO_INCREMENTAL", "0".into()),
        ]);
    }
    environment
}

fn find_compiler() -> Result<(), Error> {
    let is_there = || Path::new(COMPILER).is_file() && Path::new(SOURCES).is_file();
    if !is_there() {
        debian::install(&PACKAGES)?;
    }
    if is_there() { Ok(()) } else { Err(Error::NoCompiler) }
}

/// Where Zig is; it is installed into a directory of its own.
fn find_zig(work: &Path) -> Result<PathBuf, Error> {
    let site = work.join("zig");
    let zig = site.join("ziglang/zig");
    if !zig.is_file() {
        println!("installing {LINKER}");
        let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
        if !has_pip.is_ok_and(|output| output.status.success()) {
            debian::install(&[INSTALLER])?;
        }
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&site).arg(LINKER);
        if !pip.status().is_ok_and(|status| status.success()) || !zig.is_file() {
            return Err(Error::NoLinker);
        }
    }
    Ok(zig)
}

/// Writes the program that the compiler calls to link: Zig, for the right system, without libraries that nobody needs.
fn write_linker(work: &Path, zig: &Path) -> io::Result<PathBuf> {
    let path = work.join(LINKER_NAME);
    let zig = zig.to_string_lossy().replace('\'', r"'\''");
    let text = format!(
        "#!/bin/sh\n\
         for argument do\n\
         \tshift\n\
         \tcase $argument in\n\
         \t{}) ;;\n\
         \t*) set -- \"$@\" \"$argument\" ;;\n\
         \tesac\n\
         done\n\
         exec '{zig}' cc -target x86_64-freebsd.{RELEASE}-none \"$@\"\n",
        NOT_NEEDED.join(" | ")
    );
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
