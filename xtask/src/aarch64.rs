//! The programs for 64-bit ARM, and the unit tests under an emulator of its processor. A maintainers' task: CI has not the
//! time to build everything once more.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use crate::{cargo, debian};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// What links, by its package.
const LINKER: (&str, &str) = ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu");

/// What runs the tests, by its package.
const EMULATOR: (&str, &str) = ("qemu-aarch64-static", "qemu-user-static");

/// Where Debian has the libraries of the other architecture.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// The programs, by cargo's packages, each built by itself as for a package.
const SHIPPED: [&str; 2] = ["ucarp", "ucarpctl"];

/// The packages whose unit tests are run. The emulator knows too little of netlink and of packet sockets for the
/// laboratory, and for what needs one.
const TESTED: [&str; 3] = ["carp-core", "ucarp-control", "ucarp"];

/// Under the emulator a program that cannot be executed is an exit status, and not an error of the one who starts it.
const NOT_EMULATED: &str = "a_script_that_cannot_be_executed_changes_nothing_and_is_over_at_once";

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0} is missing: install Debian's {1}")]
    Missing(&'static str, &'static str),
    #[error("there is no standard library for {TARGET}: run `rustup target add {TARGET}`")]
    NoStandardLibrary,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Builds the programs and runs the tests. Whether both went well.
pub(crate) fn run() -> Result<bool, Error> {
    for (program, package) in [LINKER, EMULATOR] {
        debian::find(program).ok_or(Error::Missing(program, package))?;
    }
    if !has_standard_library()? {
        return Err(Error::NoStandardLibrary);
    }
    let environment = environment();
    for package in SHIPPED {
        if !cargo::build_with(&["--release", "--locked", "--target", TARGET, "-p", package], &environment)? {
            return Ok(false);
        }
    }
    let programs = cargo::target()?.join(TARGET).join("release");
    let mut version = Command::new(EMULATOR.0);
    version.args(["-L", LIBRARIES]).arg(programs.join("ucarp")).arg("--version");
    if !version.status()?.success() {
        return Ok(false);
    }
    let mut arguments = ["--locked", "--lib", "--target", TARGET].map(String::from).to_vec();
    arguments.extend(TESTED.iter().flat_map(|package| ["-p".to_owned(), (*package).to_owned()]));
    arguments.extend(["--", "--skip", NOT_EMULATED].map(String::from));
    let tests = cargo::test(&arguments, &environment)?;
    println!(
        "{} passed, {} failed; the programs are in {}",
        tests.counts.passed,
        tests.counts.failed,
        programs.display()
    );
    Ok(tests.success)
}

/// Whether the compiler has a standard library for the target.
fn has_standard_library() -> io::Result<bool> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output()?;
    Ok(std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn environment() -> [(&'static str, OsString); 2] {
    [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER.0.into()),
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{} -L {LIBRARIES}", EMULATOR.0).into()),
    ]
}
