//! The file of option `-o`, whatever is in it.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use carp_core::auth::Key;
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;
use ucarp::options::LONGEST_PASSWORD;
use ucarp::password_file::{self, LONGEST_LINE};

thread_local! {
    /// Written anew for each input. Readable by its owner alone, as it should be.
    static FILE: LazyCell<NamedTempFile> = LazyCell::new(|| {
        let shared_memory = std::path::Path::new("/dev/shm");
        let directory = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
        NamedTempFile::with_prefix_in("ucarp-fuzz-", directory).expect("a file can be made")
    });
}

fuzz_target!(|content: &[u8]| {
    let Some((password, warnings)) = read(content) else {
        return assert!(content.is_empty(), "a file with something in it cannot be read");
    };
    assert_eq!(password, expected(content));
    assert!(warnings.iter().all(|warning| !warning.contains(char::is_control)), "{warnings:?}");
    // No key for a password that the daemon would refuse, and one for any other.
    assert_eq!(Key::from_password(&password).is_ok(), (1..=LONGEST_PASSWORD).contains(&password.len()));
    // The warnings tell nothing of the password: they are the same for any other of its kind.
    let (_, others) = read(&disguised(content)).expect("it is as long");
    assert_eq!(warnings, others);
});

/// The password and the warnings; `None` if there are none.
fn read(content: &[u8]) -> Option<(Vec<u8>, Vec<String>)> {
    FILE.with(|file| {
        fs::write(file.path(), content).expect("there is room for a few bytes");
        let file = password_file::read(file.path()).ok()?;
        Some((file.password.to_vec(), file.warnings))
    })
}

/// As UCARP takes it: the first line, up to a NUL.
fn expected(content: &[u8]) -> &[u8] {
    let read = &content[..content.len().min(LONGEST_LINE + 1)];
    read.split(|octet| matches!(octet, b'\n' | 0)).next().unwrap_or_default()
}

/// The same with other visible octets.
fn disguised(content: &[u8]) -> Vec<u8> {
    let mark = if content.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (mark, rest) = content.split_at(mark);
    let other = |octet: &u8| if matches!(octet, b'\n' | b'\r' | b'\t' | b' ' | 0) { *octet } else { b'x' };
    mark.iter().copied().chain(rest.iter().map(other)).collect()
}
