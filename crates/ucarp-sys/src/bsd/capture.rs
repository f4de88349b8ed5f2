//! What `bpf(4)` gives to a reader: a buffer full of records, each a header and a frame.

use super::{padded, u16_at, u32_at};

/// `bh_caplen`: how many bytes of the frame are there.
const CAPTURED: usize = 16;
/// `bh_hdrlen`: where the frame begins. It is 26 on Ethernet, which is neither the size of the structure (32) nor a
/// multiple of anything: the frame's IP header is aligned by it.
const HEADER_LENGTH: usize = 24;

/// The frames of one buffer that was read.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Where the next record begins.
    next: usize,
}

impl Records {
    /// The next frame of `buffer`, which is always the same one. Ends at the first record that is not whole.
    pub(crate) fn next<'b>(&mut self, buffer: &'b [u8]) -> Option<&'b [u8]> {
        let record = buffer.get(self.next..)?;
        let header = usize::from(u16_at(record, HEADER_LENGTH)?);
        let captured = usize::try_from(u32_at(record, CAPTURED)?).ok()?;
        let end = header.checked_add(captured)?;
        let frame = record.get(header..end)?;
        // The last record of a buffer is not padded, so that the next one may seem to begin behind the end.
        self.next = self.next.checked_add(padded(end))?;
        // A record without a header would come again for ever.
        (end > HEADER_LENGTH).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::buffers;
    use super::*;

    fn frames(buffer: &[u8]) -> Vec<&[u8]> {
        let mut records = Records::default();
        std::iter::from_fn(|| records.next(buffer)).collect()
    }

    #[test]
    fn one_advertisement() {
        for kernel in ["10.4", "15.0"] {
            let buffer = buffers(kernel, "20-bpf-immediate-carp", "bpf").remove(0);
            let frames = frames(&buffer);
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].len(), 70);
            assert_eq!(frames[0][..6], [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
            assert_eq!(frames[0][34..38], [0x21, 9, 0, 7], "the advertisement begins where it should");
        }
    }

    #[test]
    fn several_records_of_all_lengths_and_the_last_one_unpadded() {
        for (kernel, lengths) in
            [("15.0", vec![70, 77, 90, 77, 70, 1060]), ("10.4", vec![70, 77, 90, 77, 70, 1060, 70])]
        {
            let buffer = buffers(kernel, "21-bpf-several-records", "bpf").remove(0);
            let frames = frames(&buffer);
            let found: Vec<usize> = frames.iter().map(|frame| frame.len()).collect();
            assert!(found.starts_with(&lengths[..6]), "{kernel}: {found:?}");
            assert_eq!(frames[2][12..14], [0x86, 0xdd]);
            assert!(frames.iter().all(|frame| [[0x08, 0x00], [0x86, 0xdd]].contains(&[frame[12], frame[13]])));
        }
    }

    #[test]
    fn two_full_buffers() {
        for kernel in ["10.4", "15.0"] {
            let buffers = buffers(kernel, "27-bpf-small-buffer-drops", "bpf");
            let counts: Vec<usize> = buffers.iter().map(|buffer| frames(buffer).len()).collect();
            assert_eq!(counts, [5, 5], "{kernel}");
        }
    }

    #[test]
    fn a_frame_that_was_cut_is_as_long_as_what_is_there() {
        for kernel in ["10.4", "15.0"] {
            let buffer = buffers(kernel, "26-bpf-snaplen-60", "bpf").remove(0);
            assert!(frames(&buffer).iter().all(|frame| frame.len() == 60), "{kernel}");
        }
    }

    /// The filter that a descriptor gets, on the frames that a kernel gave to one without.
    #[test]
    fn the_filter_lets_advertisements_of_one_family_through() {
        use crate::filter::of_type;
        use crate::filter::tests::{accepts, of_the_frame_alone};
        for kernel in ["10.4", "15.0"] {
            let buffer = buffers(kernel, "21-bpf-several-records", "bpf").remove(0);
            let frames = frames(&buffer);
            let heard = |ethertype: u16, vhid: u8| -> Vec<usize> {
                let program = of_type(ethertype, &of_the_frame_alone(vhid));
                frames.iter().filter(|frame| accepts(&program, frame)).map(|frame| frame.len()).collect()
            };
            let v4 = heard(0x0800, 9);
            assert!(v4.starts_with(&[70, 70]) && v4.iter().all(|length| *length == 70), "{kernel}: {v4:?}");
            assert_eq!(heard(0x86dd, 9), [90], "{kernel}");
            assert_eq!(heard(0x0800, 8), [0; 0], "{kernel}");
        }
        for kernel in ["10.4", "15.0"] {
            let all = buffers(kernel, "25-bpf-all-traffic", "bpf");
            let program = of_type(0x0800, &of_the_frame_alone(9));
            let (mut passed, mut dropped) = (0, 0);
            for frame in all.iter().flat_map(|buffer| frames(buffer)) {
                let is_ours = frame[12..14] == [0x08, 0x00] && frame[23] == 112 && frame[35] == 9;
                assert_eq!(accepts(&program, frame), is_ours, "{kernel}: {frame:02x?}");
                if is_ours { passed += 1 } else { dropped += 1 }
            }
            assert!(passed > 0 && dropped > 0, "{kernel}: {passed} passed, {dropped} dropped");
        }
    }

    #[test]
    fn no_buffer_is_read_beyond_its_end_or_for_ever() {
        let buffer = buffers("15.0", "21-bpf-several-records", "bpf").remove(0);
        for length in 0..buffer.len() {
            assert!(frames(&buffer[..length]).len() <= 7);
        }
        assert!(frames(&[0; 4096]).is_empty(), "a record without a header is none");
        assert!(frames(&[0xff; 4096]).is_empty());
        let mut twisted = buffer.clone();
        for position in 0..200 {
            twisted[position] ^= 0xff;
            assert!(frames(&twisted).len() < 300);
        }
    }
}
