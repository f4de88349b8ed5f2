//! The Debian packages that the tests need.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;

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
    /// A program of this name, for which the package is only unpacked: installed, it would start a service.
    Unpacked(&'static str),
}

const TOOLS: [Tool; 13] = [
    Tool { package: "ucarp", probe: Probe::Program("ucarp") },
    Tool { package: "mandoc", probe: Probe::Program("mandoc") },
    Tool { package: "iproute2", probe: Probe::Program("ip") },
    Tool { package: "gdb", probe: Probe::Program("gdb") },
    Tool { package: "libfaketime", probe: Probe::Faketime },
    Tool { package: "valgrind", probe: Probe::Program("valgrind") },
    Tool { package: "procps", probe: Probe::Program("pkill") },
    Tool { package: "mmdebstrap", probe: Probe::Program("mmdebstrap") },
    Tool { package: "lintian", probe: Probe::Program("lintian") },
    Tool { package: "nftables", probe: Probe::Program("nft") },
    Tool { package: "frr", probe: Probe::Program("vtysh") },
    Tool { package: "chromium", probe: Probe::Program("chromium") },
    Tool { package: "prometheus", probe: Probe::Unpacked("promtool") },
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
            Probe::Unpacked(name) => find_unpacked(name).is_some(),
        }
    }
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(SYSTEM.iter().map(Into::into));
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Where packages are unpacked that are not installed.
fn unpacked() -> io::Result<PathBuf> {
    Ok(cargo::target()?.join("debian"))
}

/// Where a program is that need not be installed.
pub(crate) fn find_unpacked(program: &str) -> Option<PathBuf> {
    let own = unpacked().ok()?.join("usr/bin").join(program);
    find(program).or_else(|| own.is_file().then_some(own))
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
    let (to_unpack, to_install): (Vec<&Tool>, Vec<&Tool>) =
        wanted.iter().copied().partition(|tool| matches!(tool.probe, Probe::Unpacked(_)));
    install(&to_install.iter().map(|tool| tool.package).collect::<Vec<_>>())?;
    for tool in to_unpack {
        unpack(tool.package)?;
    }
    Ok(missing())
}

/// Unpacks a package and nothing else, if this is root on Debian: none of its scripts runs. The lists of packages have just
/// been brought up to date.
fn unpack(package: &str) -> io::Result<()> {
    if !is_able() {
        return Ok(());
    }
    let directory = unpacked()?;
    fs::create_dir_all(&directory)?;
    let fetched = Command::new("apt-get").args(["download", "-q", package]).current_dir(&directory).status();
    if !fetched.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            Command::new("dpkg-deb").arg("-x").arg(&path).arg(&directory).status()?;
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Whether this is root on Debian.
fn is_able() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

/// Installs packages, if this is root on Debian.
///
/// # Errors
///
/// apt-get cannot be run.
pub(crate) fn install(packages: &[&str]) -> io::Result<()> {
    if !is_able() {
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
        assert!(Tool { package: "any", probe: Probe::Unpacked("sh") }.is_there(), "installed is as good as unpacked");
        assert!(!Tool { package: "any", probe: Probe::Unpacked("no-such-program-of-ucarp-rs") }.is_there());
    }
}
