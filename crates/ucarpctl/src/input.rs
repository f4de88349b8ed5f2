//! Files that somebody names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::failure::{Failure, UNAVAILABLE};

/// The largest file that is read, in octets.
const LARGEST: u64 = 1 << 20;

/// The text of a file, or of standard input if it is called `-`.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(UNAVAILABLE, format!("cannot read {}: {error}", path.display()));
    let mut octets = Vec::new();
    let count = if path.as_os_str() == "-" {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut octets))
    };
    if count.map_err(failed)? as u64 > LARGEST {
        let text = format!("{} is larger than {LARGEST} octets: give a configuration", path.display());
        return Err(Failure::new(UNAVAILABLE, text));
    }
    let no_text =
        |_| Failure::new(UNAVAILABLE, format!("{} is no text in UTF-8: give a configuration", path.display()));
    String::from_utf8(octets).map_err(no_text)
}
