//! The file of option `--pidfile`: the process id of the daemon, for init scripts.
//!
//! The file is locked as long as the daemon runs. So the id in it is never that of some later process, and a second daemon
//! with the same file is refused.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use log::warn;

/// How often a file that its owner removed while it was being opened is opened again.
const MOST_TRIES: usize = 10;

/// No process id has more digits; what else may be in the file is of no use.
const LONGEST_ID: u64 = 20;

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// It cannot be written.
    #[error("unable to write the process id to {path}: {source} (option --pidfile)")]
    Write {
        /// The file, printable.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another daemon holds it.
    #[error(
        "{path} belongs to a daemon that runs, process {owner}: stop that one or name another file (option --pidfile)"
    )]
    InUse {
        /// The file, printable.
        path: String,
        /// What is in it.
        owner: String,
    },
}

/// A locked file with the id of this process. Dropped, it is removed: by the process that claimed it, not by a child.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    owner: u32,
    /// Held for its lock.
    _file: File,
}

impl PidFile {
    /// Writes the id of this process to `path`, which may be left over from a daemon that was killed.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or another daemon holds it.
    pub fn claim(path: &Path) -> Result<Self, PidFileError> {
        let printable = || path.to_string_lossy().replace(char::is_control, "?");
        let write_error = |source| PidFileError::Write { path: printable(), source };
        for _ in 0..MOST_TRIES {
            let mut file = open(path).map_err(write_error)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(PidFileError::InUse { path: printable(), owner: owner(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(write_error(source)),
            }
            if !is_at(&file, path).map_err(write_error)? {
                continue;
            }
            let owner = process::id();
            file.set_len(0).and_then(|()| writeln!(file, "{owner}")).map_err(write_error)?;
            return Ok(Self { path: path.to_owned(), owner, _file: file });
        }
        Err(write_error(io::Error::other("it is removed again and again")))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!("Unable to remove {}: {error}", self.path.display());
            }
            _ => {}
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

/// Whether the file is still the one of that name: its last owner may have removed it before it was locked.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who holds the file, as far as it says so.
fn owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_ID).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(id) if read.is_ok() => id.to_string(),
        _ => "of unknown id".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_id_as_long_as_it_is_claimed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ucarp.pid");
        fs::write(&path, "4194304, left by a daemon that was killed\n").unwrap();
        let claimed = PidFile::claim(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        drop(claimed);
        assert!(!path.exists());
    }

    #[test]
    fn a_second_daemon_is_refused_and_told_who_has_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ucarp.pid");
        let claimed = PidFile::claim(&path).unwrap();
        let text = PidFile::claim(&path).unwrap_err().to_string();
        let expected = format!("{} belongs to a daemon that runs, process {}:", path.display(), process::id());
        assert!(text.starts_with(&expected), "{text}");
        fs::write(&path, "nonsense").unwrap();
        let text = PidFile::claim(&path).unwrap_err().to_string();
        assert!(text.contains("process of unknown id"), "{text}");
        drop(claimed);
        drop(PidFile::claim(&path).unwrap());
    }

    #[test]
    fn a_child_does_not_remove_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ucarp.pid");
        let mut claimed = PidFile::claim(&path).unwrap();
        claimed.owner += 1;
        drop(claimed);
        assert!(path.exists());
    }

    #[test]
    fn where_nothing_can_be_written_the_error_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none/ucarp.pid");
        let text = PidFile::claim(&path).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("unable to write the process id to {}: No such file", path.display())),
            "{text}"
        );
        let text = PidFile::claim(directory.path()).unwrap_err().to_string();
        assert!(text.contains("Is a directory"), "{text}");
    }
}
