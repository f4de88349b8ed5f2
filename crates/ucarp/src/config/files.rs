//! The files of a configuration: the main one and those of `conf.d` beside it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The directory beside the main file that holds more files.
const DIRECTORY: &str = "conf.d";
/// The size of the largest file that is read, in octets.
const LARGEST: usize = 1 << 20;
/// How many files there can be.
const MOST: usize = 1000;

/// Why a file of the configuration cannot be used. The path is told beside it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("unable to open: {0}")]
    Open(io::Error),
    #[error("unable to read: {0}")]
    Read(io::Error),
    #[error("not a regular file: name a file; more of them can be in the directory {DIRECTORY} beside it")]
    NotAFile,
    #[error("larger than {LARGEST} octets, the most that is read: split it into files of {DIRECTORY}")]
    TooLarge,
    #[error("changed while it was read: try again")]
    Changed,
    #[error("not UTF-8: octet 0x{octet:02x} in line {line}")]
    NotUtf8 { octet: u8, line: usize },
    #[error("unable to list: {0}")]
    List(io::Error),
    #[error("more than {MOST} files end in .toml: that is the most that is read")]
    TooMany,
}

/// A file and its permissions.
pub(super) struct FileText {
    pub(super) text: Zeroizing<String>,
    /// The permission bits.
    pub(super) mode: u32,
}

/// The main file and the others, in the order in which they are read. An error belongs to the directory.
pub(super) fn list(main: &Path) -> (Vec<PathBuf>, Option<(PathBuf, FileError)>) {
    let mut files = vec![main.to_owned()];
    let directory = main.parent().unwrap_or(Path::new("")).join(DIRECTORY);
    if !directory.is_dir() {
        return (files, None);
    }
    match more(&directory) {
        Ok(more) => files.extend(more),
        Err(error) => return (files, Some((directory, error))),
    }
    (files, None)
}

/// The files `*.toml` of a directory in the order of their names, without hidden ones.
fn more(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(FileError::List)? {
        let name = entry.map_err(FileError::List)?.file_name();
        let text = name.as_encoded_bytes();
        if text.ends_with(b".toml") && !text.starts_with(b".") && !text.starts_with(b"#") {
            files.push(directory.join(name));
        }
        if files.len() > MOST {
            return Err(FileError::TooMany);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file whole. Its text is wiped from memory in the end, for it may hold passwords.
pub(super) fn read(path: &Path) -> Result<FileText, FileError> {
    // Looked at first: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(FileError::Open)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut file = File::open(path).map_err(FileError::Open)?;
    let metadata = file.metadata().map_err(FileError::Read)?;
    let size = usize::try_from(metadata.len()).ok().filter(|size| *size <= LARGEST).ok_or(FileError::TooLarge)?;
    // One octet more tells whether it has grown; a buffer that grows would leave copies behind.
    let mut buffer = Zeroizing::new(vec![0; size + 1]);
    let filled = fill(&mut file, &mut buffer).map_err(FileError::Read)?;
    if filled > size {
        return Err(FileError::Changed);
    }
    buffer.truncate(filled);
    let text = Zeroizing::new(utf8(&buffer)?.to_owned());
    Ok(FileText { text, mode: metadata.permissions().mode() & 0o7777 })
}

/// Reads until the buffer is full or the file ends. Returns how much there was.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn utf8(octets: &[u8]) -> Result<&str, FileError> {
    std::str::from_utf8(octets).map_err(|error| {
        let good = &octets[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|octet| **octet == b'\n').count();
        FileError::NotUtf8 { octet: octets[good.len()], line }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(path: &Path) -> String {
        read(path).err().unwrap().to_string()
    }

    #[test]
    fn a_file_is_read_whole_with_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ucarp.toml");
        fs::write(&path, "# ä\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let file = read(&path).unwrap();
        assert_eq!((file.text.as_str(), file.mode), ("# ä\n", 0o640));
    }

    #[test]
    fn what_is_no_text_of_that_size_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ucarp.toml");
        assert!(error(&path).starts_with("unable to open: No such file"));
        assert!(error(directory.path()).starts_with("not a regular file"));
        fs::write(&path, b"a\nb\n\xff").unwrap();
        assert_eq!(error(&path), "not UTF-8: octet 0xff in line 3");
        fs::write(&path, vec![b'#'; LARGEST]).unwrap();
        assert_eq!(read(&path).unwrap().text.len(), LARGEST);
        fs::write(&path, vec![b'#'; LARGEST + 1]).unwrap();
        assert!(error(&path).starts_with("larger than 1048576 octets"));
    }

    /// The daemon must not wait for the other end of a pipe.
    #[test]
    fn a_pipe_is_no_file() {
        let (reader, _writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        assert!(error(Path::new(&path)).starts_with("not a regular file"));
    }

    #[test]
    fn the_directory_beside_the_main_file_adds_files_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("ucarp.toml");
        let alone = vec![main.clone()];
        assert_eq!(list(&main).0, alone);
        fs::write(directory.path().join(DIRECTORY), "").unwrap();
        assert_eq!(list(&main).0, alone, "a file of that name is none of ours");
        fs::remove_file(directory.path().join(DIRECTORY)).unwrap();
        let more = directory.path().join(DIRECTORY);
        fs::create_dir(&more).unwrap();
        for name in ["b.toml", "a.toml", "10.toml", ".hidden.toml", "#a.toml", "a.toml~", "a.toml.bak", "README"] {
            fs::write(more.join(name), "").unwrap();
        }
        let (files, error) = list(&main);
        assert!(error.is_none());
        let wanted = [main, more.join("10.toml"), more.join("a.toml"), more.join("b.toml")];
        assert_eq!(files, wanted);
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let more = directory.path().join(DIRECTORY);
        fs::create_dir(&more).unwrap();
        for number in 0..=MOST {
            fs::write(more.join(format!("{number}.toml")), "").unwrap();
        }
        let (files, error) = list(&directory.path().join("ucarp.toml"));
        assert_eq!(files.len(), 1);
        assert!(matches!(error, Some((path, FileError::TooMany)) if path == more));
    }
}
