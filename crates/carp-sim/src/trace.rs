//! What is kept of a run for people: the timeline, and the frames as a pcap file.

use std::fmt::Write as _;
use std::time::Duration;

use crate::moment::Moment;

/// A readable run.
#[derive(Debug, Default)]
pub struct Trace {
    lines: String,
    frames: Vec<(Moment, Vec<u8>)>,
}

impl Trace {
    pub(crate) fn line(&mut self, now: Moment, node: Option<usize>, text: std::fmt::Arguments<'_>) {
        let who = node.map_or_else(|| "--".to_owned(), |node| format!("n{node}"));
        writeln!(self.lines, "{now:>14}  {who}  {text}").expect("writing to a string never fails");
    }

    pub(crate) fn frame(&mut self, now: Moment, frame: &[u8]) {
        self.frames.push((now, frame.to_vec()));
    }

    /// What each node saw and decided, one line each.
    #[must_use]
    pub fn timeline(&self) -> &str {
        &self.lines
    }

    /// Everything that was sent, with the true time of sending, as a pcap file of Ethernet frames.
    #[must_use]
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Little endian, version 2.4, no correction, at most 64 KiB a frame, Ethernet.
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x1_0000, 1_u32] {
            out.extend(word.to_le_bytes());
        }
        for (moment, frame) in &self.frames {
            let at = Duration::from_nanos(moment.as_nanos());
            let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
            let length = u32::try_from(frame.len()).expect("frames are short");
            for word in [seconds, at.subsec_micros(), length, length] {
                out.extend(word.to_le_bytes());
            }
            out.extend(frame);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pcap_file_has_a_header_and_a_record_for_each_frame() {
        let mut trace = Trace::default();
        trace.frame(Moment::default() + Duration::from_micros(3_000_007), &[1, 2, 3]);
        let bytes = trace.pcap();
        assert_eq!(bytes.len(), 24 + 16 + 3);
        assert_eq!(bytes[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(bytes[24..], [3, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn a_line_has_the_time_and_the_node() {
        let mut trace = Trace::default();
        trace.line(Moment::default() + Duration::from_secs(2), Some(1), format_args!("does {}", "something"));
        assert_eq!(trace.timeline(), "      2.000000  n1  does something\n");
    }
}
