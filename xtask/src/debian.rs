//! The Debian packages that the tests need.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something from outside the workspace that tests use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// The package that has it.
    pub(crate) package: &'static str,
    probe: Probe,
}

/// How to see whether it is there.
#[derive(Debug, PartialEq, Eq)]
enum Probe {
    /// A program of this name.
    Program(&'static str),
    /// A library that faketime preloads.
    Faketime,
}

const TOOLS: [Tool; 9] = [
    Tool { package: "ucarp", probe: Probe::Program("ucarp") },
    Tool { package: "mandoc", probe: Probe::Program("mandoc") },
    Tool { package: "iproute2", probe: Probe::Program("ip") },
    Tool { package: "gdb", probe: Probe::Program("gdb") },
    Tool { package: "libfaketime", probe: Probe::Faketime },
    Tool { package: "procps", probe: Probe::Program("pkill") },
    Tool { package: "mmdebstrap", probe: Probe::Program("mmdebstrap") },
    Tool { package: "lintian", probe: Probe::Program("lintian") },
    Tool { package: "frr", probe: Probe::Program("vtysh") },
];

/// Where system programs are, which a user's PATH may leave out.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

impl Tool {
    fn is_there(&self) -> bool {
        match self.probe {
            Probe::Program(name) => find(name).is_some(),
            Probe::Faketime => fs::read_dir("/usr/lib")
                .into_iter()
                .flatten()
                .flatten()
                .any(|architecture| architecture.path().join("faketime/libfaketime.so.1").is_file()),
        }
    }
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(SYSTEM.iter().map(Into::into));
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// The version of an installed package.
pub(crate) fn version(package: &str) -> Option<String> {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then_some(version)
}

/// What is not there.
pub(crate) fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !tool.is_there()).collect()
}

/// Installs what is missing, if this is root on Debian. None of the packages starts a service but frr, whose daemons do
/// nothing without a configuration. Returns what is missing
/// after that; why apt-get failed is on the terminal.
///
/// # Errors
///
/// apt-get cannot be run.
pub(crate) fn install_missing() -> io::Result<Vec<&'static Tool>> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    install(&wanted.iter().map(|tool| tool.package).collect::<Vec<_>>())?;
    Ok(missing())
}

/// Installs packages, if this is root on Debian.
///
/// # Errors
///
/// apt-get cannot be run.
pub(crate) fn install(packages: &[&str]) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() || !Path::new("/etc/debian_version").exists() {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    if apt_get(&["update", "-q"])? {
        let options = ["install", "-y", "-q", "--no-install-recommends"];
        apt_get(&[options.as_slice(), packages].concat())?;
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> io::Result<bool> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.status().map_err(|error| io::Error::new(error.kind(), format!("apt-get: {error}")))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_program_that_every_system_has_and_misses_one_that_none_has() {
        assert!(Tool { package: "any", probe: Probe::Program("sh") }.is_there());
        assert!(!Tool { package: "any", probe: Probe::Program("no-such-program-of-ucarp-rs") }.is_there());
    }
}
