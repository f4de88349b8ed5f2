//! What the configuration names outside of itself: password files and programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use carp_core::auth::Key;

use super::Purpose;
use super::problem::{Findings, Severity, Site};
use crate::password_file::{self, PasswordFileError};

/// The permission bits with which somebody else can read or change a file.
const OPEN_TO_GROUP_AND_OTHERS: u32 = 0o066;

/// Looks at files, each once, and tells what is wrong with them where they are first named.
pub(super) struct Outside {
    /// `None`: nothing outside is looked at.
    purpose: Option<Purpose>,
    /// The permissions of the configuration's files.
    modes: Vec<u32>,
    passwords: BTreeMap<(PathBuf, bool), Option<Key>>,
    programs: BTreeSet<PathBuf>,
    /// Sources that were warned about already.
    open_sources: BTreeSet<usize>,
}

impl Outside {
    pub(super) fn new(purpose: Option<Purpose>, modes: Vec<u32>) -> Self {
        let (passwords, programs, open_sources) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { purpose, modes, passwords, programs, open_sources }
    }

    /// The key of the password in a file. `None`: there is none, and that has been told.
    pub(super) fn password(
        &mut self,
        path: &Path,
        open_to_others: bool,
        site: &Site,
        findings: &mut Findings<'_>,
    ) -> Option<Key> {
        let purpose = self.purpose?;
        let known = (path.to_owned(), open_to_others);
        if let Some(key) = self.passwords.get(&known) {
            return key.clone();
        }
        let key = read_password(path, open_to_others, purpose, site, findings);
        self.passwords.insert(known, key.clone());
        key
    }

    /// Warns of a password in a configuration file that other users can read.
    pub(super) fn secret_in_file(&mut self, key: &Site, findings: &mut Findings<'_>) {
        let Some(mode) = self.modes.get(key.source).filter(|mode| **mode & 0o004 != 0) else { return };
        if self.open_sources.insert(key.source) {
            let message = format!("every user of this host can read this file and its passwords (mode {mode:04o})");
            let path = findings.path(key).display();
            let help = format!("chmod 600 {path}, or use `password-file`");
            findings.warning(key, message).help(help).tell();
        }
    }

    /// Warns of a program that cannot be run. It may be there later, on a file system that is not mounted yet.
    pub(super) fn look_at_program(&mut self, path: &str, site: &Site, findings: &mut Findings<'_>) {
        if self.purpose.is_none() || !self.programs.insert(path.into()) {
            return;
        }
        if let Some(fault) = program_fault(Path::new(path)) {
            findings.warning(site, fault).tell();
        }
    }
}

fn read_password(
    path: &Path,
    open_to_others: bool,
    purpose: Purpose,
    site: &Site,
    findings: &mut Findings<'_>,
) -> Option<Key> {
    let fault = match look_at_password_file(path, open_to_others) {
        Err(fault) => fault,
        Ok(()) => match password_file::read(path) {
            Ok(file) => {
                for warning in file.warnings {
                    findings.warning(site, warning).tell();
                }
                match Key::from_password(&file.password) {
                    Ok(key) => return Some(key),
                    Err(error) => Fault::Wrong(format!("passfile {}: {error}", path.display())),
                }
            }
            Err(PasswordFileError::Open { source, .. }) => Fault::of(path, &source),
            Err(error) => Fault::Wrong(error.to_string()),
        },
    };
    match fault {
        Fault::NotPermitted(message) if purpose == Purpose::Check => {
            findings.warning(site, format!("{message}: not checked")).help("only root can check passwords").tell();
        }
        Fault::NotPermitted(message) | Fault::Wrong(message) => findings.error(site, message).tell(),
        Fault::Open(message) => {
            let help = format!("chmod 600 {}, or allow it with `allow-readable-password-file = true`", path.display());
            findings.error(site, message).help(help).tell();
        }
    }
    None
}

/// Why there is no password in a file.
enum Fault {
    /// This user may not look.
    NotPermitted(String),
    /// Others may look.
    Open(String),
    Wrong(String),
}

impl Fault {
    fn of(path: &Path, error: &io::Error) -> Self {
        let message = format!("unable to open password file {}: {error}", path.display());
        if error.kind() == ErrorKind::PermissionDenied { Self::NotPermitted(message) } else { Self::Wrong(message) }
    }
}

fn look_at_password_file(path: &Path, open_to_others: bool) -> Result<(), Fault> {
    let metadata = fs::metadata(path).map_err(|error| Fault::of(path, &error))?;
    if !metadata.is_file() {
        return Err(Fault::Wrong(format!("the password file {} is not a regular file", path.display())));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OPEN_TO_GROUP_AND_OTHERS != 0 && !open_to_others {
        let message = format!("other users can read or change the password file {} (mode {mode:04o})", path.display());
        return Err(Fault::Open(message));
    }
    Ok(())
}

/// What keeps a program from being run: the first part of its path that is missing, or that it is not executable.
fn program_fault(path: &Path) -> Option<String> {
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    for part in parts {
        match fs::metadata(part) {
            Ok(_) => {}
            // What another user may not see is no fault.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
            Err(_) if part == path => return Some(format!("there is no {}", path.display())),
            Err(_) => return Some(format!("there is no {}: {} is missing", path.display(), part.display())),
        }
    }
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() {
        Some(format!("{} is not a file", path.display()))
    } else if metadata.permissions().mode() & 0o111 == 0 {
        Some(format!("{} is not executable: chmod 755 {}", path.display(), path.display()))
    } else {
        None
    }
}

/// Tells about a file of the configuration itself that every user can change, and so run programs as root.
pub(super) fn check_mode(path: &Path, mode: u32, findings: &mut Findings<'_>) {
    if mode & 0o002 != 0 {
        let message = format!("every user of this host can change this file (mode {mode:04o}): chmod 644 it");
        findings.file_problem(Severity::Warning, path, message);
    }
}

#[cfg(test)]
mod tests;
