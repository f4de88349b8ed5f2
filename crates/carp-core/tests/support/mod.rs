//! What the tests on recorded data share.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Path of a file below `tests/data`.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The addresses of a list separated by commas.
pub(crate) fn addresses(list: &str) -> Vec<IpAddr> {
    list.split(',').map(|address| address.parse().unwrap()).collect()
}

/// The frames of a classic little-endian pcap file with link type Ethernet.
pub(crate) fn pcap(name: &str) -> Vec<Vec<u8>> {
    timed_pcap(name).into_iter().map(|(_, frame)| frame).collect()
}

/// The same with the time since the first one.
pub(crate) fn timed_pcap(name: &str) -> Vec<(Duration, Vec<u8>)> {
    let bytes = std::fs::read(data(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "{name}: magic number and link type");
    let mut frames = Vec::new();
    let (mut at, mut first) = (24, None);
    while at < bytes.len() {
        let stamp = Duration::from_secs(word(at).into()) + Duration::from_micros(word(at + 4).into());
        let (captured, original) = (word(at + 8), word(at + 12));
        assert_eq!(captured, original, "{name}: frame {} was cut", frames.len() + 1);
        let start = at + 16;
        at = start + usize::try_from(captured).unwrap();
        frames.push((stamp - *first.get_or_insert(stamp), bytes[start..at].to_vec()));
    }
    frames
}
