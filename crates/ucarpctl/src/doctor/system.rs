//! This host, or what a test puts in its place: files below a directory, and programs of some directories.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where system programs are, which a user's PATH may leave out.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// What can be looked at.
pub(super) struct System {
    root: PathBuf,
    programs: Vec<PathBuf>,
}

/// What a program said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is no such program.
    NotThere,
    /// It failed; what it said of that.
    Failed(String),
    /// What it wrote.
    Said(String),
}

impl System {
    /// This host.
    pub(super) fn real() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let programs = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from)).collect();
        System { root: PathBuf::from("/"), programs }
    }

    /// Another one, for tests.
    #[cfg(test)]
    pub(super) fn at(root: &std::path::Path) -> Self {
        System { root: root.to_owned(), programs: vec![root.join("bin")] }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file without white space at its ends; `None`: it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        Some(fs::read_to_string(self.path(path)).ok()?.trim().to_owned())
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The name of what a symbolic link is for.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        Some(fs::read_link(self.path(path)).ok()?.file_name()?.to_string_lossy().into_owned())
    }

    /// The names in a directory.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs a program that only tells something.
    pub(super) fn run(&self, program: &str, arguments: &[&OsStr]) -> Answer {
        let found = self.programs.iter().map(|directory| directory.join(program)).find(|path| path.is_file());
        let Some(path) = found else { return Answer::NotThere };
        match Command::new(path).args(arguments).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => Answer::Said(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                let text = [&output.stdout[..], &output.stderr].concat();
                Answer::Failed(String::from_utf8_lossy(&text).trim().to_owned())
            }
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    /// Runs a program with arguments that are plain text.
    pub(super) fn ask(&self, program: &str, arguments: &[&str]) -> Answer {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        self.run(program, &arguments)
    }
}
