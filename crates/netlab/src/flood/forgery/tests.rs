use std::collections::BTreeSet;

use super::*;

/// An advertisement of UCARP 1.5.2, vhid 1, from 10.0.0.2.
const REAL: [u8; 70] = [
    0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x00, 0x01, 0x08, 0x00, // Ethernet
    0x45, 0x10, 0x00, 0x38, 0xe3, 0xab, 0x40, 0x00, 0xff, 0x70, 0xad, 0x85, 10, 0, 0, 2, 224, 0, 0, 18, // IPv4
    0x21, 0x01, 0x00, 0x07, 0x00, 0x01, 0x3e, 0xe8, // CARP
    0x0a, 0x75, 0xf9, 0x85, 0x13, 0xae, 0xe0, 0x83, // counter
    0x71, 0x1b, 0x0c, 0x6c, 0x1f, 0x17, 0x1e, 0xf0, 0x3a, 0x86, 0xbc, 0xad, 0x12, 0xdf, 0x3d, 0x05, 0xa2, 0xbc, 0x02,
    0x7e,
];

fn differing(kind: Forgery) -> BTreeSet<Vec<u8>> {
    kind.frames(&REAL).into_iter().collect()
}

#[test]
fn lengths_and_checksums_are_right_but_where_they_are_what_is_wrong() {
    for kind in Forgery::ALL.into_iter().filter(|kind| *kind != Forgery::Truncated) {
        for frame in kind.frames(&REAL) {
            assert_eq!(usize::from(frame[16]) << 8 | usize::from(frame[17]), frame.len() - ETHERNET, "{kind}");
            assert_eq!((checksum(&frame[IP_HEADER]), checksum(&frame[IP_HEADER.end..])), (0, 0), "{kind}");
        }
    }
}

#[test]
fn each_kind_is_what_it_is_called() {
    use Forgery::*;
    for kind in [BadDigest, ManySources, SpoofedPeer] {
        let frames = differing(kind);
        assert_eq!(frames.len(), 4096);
        assert!(frames.iter().all(|frame| frame[50..] != REAL[50..] && frame[TTL] == 255 && frame[VHID] == 1));
        let sources: BTreeSet<_> = frames.iter().map(|frame| &frame[SOURCE]).collect();
        assert_eq!(sources.len() > 4000, kind == ManySources);
        assert_eq!(sources.contains(&REAL[SOURCE]), kind == SpoofedPeer);
    }
    assert!(differing(SpoofedPeer).iter().all(|frame| frame[..14] == REAL[..14]));
    assert!(differing(BadTtl).iter().all(|frame| frame[TTL] == 64 && frame[VHID] == 1));
    assert!(differing(OtherVhid).iter().all(|frame| frame[VHID] == 129));
    assert_eq!(
        differing(Vrrp).iter().map(|frame| (frame.len(), frame[34], frame[36])).collect::<Vec<_>>(),
        [(54, 0x21, 255)]
    );
    let lengths: Vec<usize> = differing(Truncated).iter().map(Vec::len).collect();
    assert_eq!(lengths.len(), 36);
    assert!(lengths.iter().all(|length| (34..70).contains(length)));
    assert_eq!(differing(Replayed), BTreeSet::from([REAL.to_vec()]));
}
