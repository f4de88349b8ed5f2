//! The file of option `-o`: its first line is the password.
//!
//! The octets are taken as UCARP 1.5.2 takes them, so that both make the same HMAC of the same file. What is probably a
//! mistake in it is reported, never repaired.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// A longer first line is not read to its end: no password is that long. UCARP 1.5.2 stops after 511 octets.
pub const LONGEST_LINE: usize = 512;

/// What a password file holds.
pub struct PasswordFile {
    /// The first line without its newline; may be empty. More than [`LONGEST_LINE`] octets stand for a longer line.
    pub password: Zeroizing<Vec<u8>>,
    /// What is odd about the file, one line each, without any part of the password.
    pub warnings: Vec<String>,
}

/// Why a password file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// It does not exist or may not be opened.
    #[error("unable to open passfile {path} for reading: {source}")]
    Open {
        /// The file, printable.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It was opened but holds nothing that can be read.
    #[error("error reading passfile {path}: {source}")]
    Read {
        /// The file, printable.
        path: String,
        /// What the system said; "unexpected end of file" if the file is empty.
        source: io::Error,
    },
}

/// Reads the first line of `path`.
///
/// # Errors
///
/// If the file cannot be opened or read, is a directory or is empty. An empty first line is not an error here.
pub fn read(path: &Path) -> Result<PasswordFile, PasswordFileError> {
    let printable = || path.to_string_lossy().replace(char::is_control, "?");
    let open_error = |source| PasswordFileError::Open { path: printable(), source };
    let read_error = |source| PasswordFileError::Read { path: printable(), source };

    let mut file = File::open(path).map_err(open_error)?;
    let metadata = file.metadata().map_err(read_error)?;
    let line = first_line(&mut file).map_err(read_error)?;

    let name = printable();
    let mut warnings: Vec<String> = permission_oddity(&metadata, &name).into_iter().collect();
    // C strings end at a NUL.
    let end = line.iter().position(|&octet| octet == 0).unwrap_or(line.len());
    let password = Zeroizing::new(line[..end].to_vec());
    if end < line.len() {
        warnings.push(format!("passfile {name}: the password ends before a NUL octet; is it a text file?"));
    }
    warnings.extend(text_oddities(&password).map(|oddity| format!("passfile {name}: the password {oddity}")));
    Ok(PasswordFile { password, warnings })
}

/// The octets up to the first newline, the end of the file, or one more than [`LONGEST_LINE`].
fn first_line(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new([0; LONGEST_LINE + 1]);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Err(io::Error::new(ErrorKind::UnexpectedEof, "unexpected end of file")),
            Ok(0) => break,
            Ok(count) => {
                let searched = filled;
                filled += count;
                if let Some(length) = buffer[searched..filled].iter().position(|&octet| octet == b'\n') {
                    filled = searched + length;
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Zeroizing::new(buffer[..filled].to_vec()))
}

/// A complaint if everybody on the host can read or change the file.
fn permission_oddity(metadata: &Metadata, name: &str) -> Option<String> {
    let mode = metadata.permissions().mode() & 0o7777;
    (metadata.is_file() && mode & 0o006 != 0)
        .then(|| format!("passfile {name} is open to every user of this host (mode {mode:04o}): chmod 600 {name}"))
}

/// What editors leave in a line and eyes do not see.
fn text_oddities(password: &[u8]) -> impl Iterator<Item = &'static str> {
    let visible = password.strip_suffix(b"\r").unwrap_or(password);
    let blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    let found = [
        (visible.len() < password.len(), "ends with a carriage return; saved with Windows line ends?"),
        (blank(visible.first()), "begins with a blank, which is part of it"),
        (blank(visible.last()), "ends with a blank, which is part of it"),
        (password.starts_with(b"\xef\xbb\xbf"), "begins with a byte order mark; saved by a Windows editor?"),
    ];
    found.into_iter().filter_map(|(odd, text)| odd.then_some(text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Reads a file of mode 0600 with that content: the password and the warnings.
    fn read_content(content: &[u8]) -> (Vec<u8>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = read(&path).unwrap();
        (file.password.to_vec(), file.warnings)
    }

    #[test]
    fn the_first_line_is_the_password() {
        let plain: [(&[u8], &[u8]); 7] = [
            (b"secret", b"secret"),
            (b"secret\n", b"secret"),
            (b"secret\nother\n", b"secret"),
            (b"two words\n", b"two words"),
            (b"\n", b""),
            (b"\nsecret\n", b""),
            (b"# not a comment\n", b"# not a comment"),
        ];
        for (content, password) in plain {
            assert_eq!(read_content(content), (password.to_vec(), vec![]), "{content:?}");
        }
    }

    #[test]
    fn odd_octets_stay_and_are_named() {
        let odd: [(&[u8], &[u8], &[&str]); 7] = [
            (b"secret\r\n", b"secret\r", &["carriage return"]),
            (b"\r\n", b"\r", &["carriage return"]),
            (b"secret \n", b"secret ", &["ends with a blank"]),
            (b"\tsecret", b"\tsecret", &["begins with a blank"]),
            (b" secret \r\n", b" secret \r", &["carriage return", "begins with a blank", "ends with a blank"]),
            (b"\xef\xbb\xbfsecret\n", b"\xef\xbb\xbfsecret", &["byte order mark"]),
            (b"se\0cret\n", b"se", &["NUL"]),
        ];
        for (content, password, words) in odd {
            let (read, warnings) = read_content(content);
            assert_eq!(read, password, "{content:?}");
            assert_eq!(warnings.len(), words.len(), "{content:?}: {warnings:?}");
            for (warning, word) in warnings.iter().zip(words) {
                assert!(warning.contains(word), "{warning}");
                assert!(!warning.contains("secret"), "{warning}");
            }
        }
    }

    #[test]
    fn reading_is_bounded() {
        for length in [511, 512] {
            assert_eq!(read_content(&vec![b'x'; length]).0.len(), length);
        }
        for length in [513, 600, 1_000_000] {
            assert_eq!(read_content(&vec![b'x'; length]).0.len(), LONGEST_LINE + 1);
        }
    }

    #[test]
    fn a_missing_file_a_directory_and_an_empty_file_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("a\nb");
        let message = |path: &Path| read(path).err().unwrap().to_string();
        let text = message(&missing);
        assert!(text.starts_with("unable to open passfile /"), "{text}");
        assert!(text.contains("a?b for reading: No such file or directory"), "{text}");

        let text = message(directory.path());
        let path = directory.path().display();
        assert!(text.starts_with(&format!("error reading passfile {path}: Is a directory")), "{text}");

        let empty = directory.path().join("empty");
        fs::write(&empty, b"").unwrap();
        assert_eq!(message(&empty), format!("error reading passfile {}: unexpected end of file", empty.display()));
    }

    #[test]
    fn a_file_open_to_everybody_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        fs::write(&path, b"secret\n").unwrap();
        for (mode, odd) in [(0o600, false), (0o640, false), (0o400, false), (0o644, true), (0o602, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let warnings = read(&path).unwrap().warnings;
            assert_eq!(!warnings.is_empty(), odd, "{mode:o}: {warnings:?}");
            assert!(!odd || warnings[0].contains(&format!("mode {mode:04o}): chmod 600 {}", path.display())));
        }
    }

    /// A line from another program is complete at its newline, even if the other end stays open.
    #[test]
    fn a_pipe_is_read_no_further_than_the_line() {
        use std::io::Write;
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"sec").unwrap();
        let feeder = std::thread::spawn(move || {
            writer.write_all(b"ret\n").unwrap();
            writer
        });
        let mut file = File::from(std::os::fd::OwnedFd::from(reader));
        assert_eq!(first_line(&mut file).unwrap().as_slice(), b"secret");
        drop(feeder.join().unwrap());
    }
}
