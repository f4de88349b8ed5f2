//! The directory with the scripts and the password, which goes when its process does, by whatever cause.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use ucarp_sys::clock;

use crate::script;

/// The name under which this program cleans up.
pub(crate) const JANITOR: &str = "ucarp-demo-janitor";

/// What the directory's name begins with. The janitor removes nothing else.
const PREFIX: &str = "ucarp-demo-";

const PASSWORD_FILE: &str = "password";

/// A directory that only this user can enter.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// A process that removes the directory at the end of its standard input: when we drop it, or die.
    janitor: Child,
}

impl Directory {
    /// Makes the directory with both scripts and a file with `password`.
    ///
    /// # Errors
    ///
    /// No room, no rights, no processes.
    pub(crate) fn new(password: &str) -> io::Result<Directory> {
        let path = env::temp_dir().join(format!("{PREFIX}{:016x}", clock::random_seed()));
        let program = env::current_exe()?;
        let mut janitor = Command::new(&program);
        // In a process group of its own, which Ctrl-C does not reach.
        janitor.arg0(JANITOR).arg(&path).process_group(0);
        let janitor = janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let directory = Directory { path, janitor };
        DirBuilder::new().mode(0o700).create(&directory.path)?;
        symlink(&program, directory.up_script())?;
        symlink(&program, directory.down_script())?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.password_file())?;
        writeln!(file, "{password}")?;
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn up_script(&self) -> PathBuf {
        self.path.join(script::UP)
    }

    pub(crate) fn down_script(&self) -> PathBuf {
        self.path.join(script::DOWN)
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.path.join(PASSWORD_FILE)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // It only removes a few files. Should it have been killed, there is nobody to tell.
        let _ = self.janitor.wait();
    }
}

/// The janitor's whole life.
pub(crate) fn clean_up_after_parent(arguments: &[OsString]) -> ExitCode {
    let Some(directory) = arguments.first().map(Path::new).filter(|path| is_ours(path)) else {
        return ExitCode::FAILURE;
    };
    // An error ends the wait as the end does.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_janitor_removes_only_directories_of_the_demo() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = [directory.path().as_os_str().to_owned()];
        assert_eq!(clean_up_after_parent(&arguments), ExitCode::FAILURE);
        assert!(directory.path().is_dir());
        assert!(is_ours(Path::new("/tmp/ucarp-demo-0123")));
        assert!(!is_ours(Path::new("/tmp")));
        assert!(!is_ours(Path::new("/")));
    }
}
