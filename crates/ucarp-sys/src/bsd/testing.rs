//! Bytes that live kernels have given.

use std::path::Path;

/// All buffers with this tag in a file such as `15.0-52-iflist`.
pub(crate) fn buffers(kernel: &str, step: &str, tag: &str) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/freebsd/{kernel}-{step}.hex"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found: Vec<(bool, usize, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            // What the console said; it may stand between a buffer and its bytes.
        } else if let Some(head) = line.strip_prefix("@ ") {
            let (name, length) = head.rsplit_once(' ').unwrap();
            found.push((name == tag, length.parse().unwrap(), Vec::new()));
        } else {
            let bytes = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes = bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap());
            found.last_mut().unwrap().2.extend(bytes);
        }
    }
    let wanted = found.into_iter().filter(|(is_wanted, ..)| *is_wanted);
    wanted.inspect(|(_, length, bytes)| assert_eq!(*length, bytes.len())).map(|(.., bytes)| bytes).collect()
}
