use super::*;

/// An advertisement of UCARP 1.5.2, vhid 1, from 10.0.0.2.
pub(crate) const ADVERTISEMENT: [u8; 70] = [
    0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x00, 0x01, 0x08, 0x00, // Ethernet
    0x45, 0x10, 0x00, 0x38, 0xe3, 0xab, 0x40, 0x00, 0xff, 0x70, 0xad, 0x85, 10, 0, 0, 2, 224, 0, 0, 18, // IPv4
    0x21, 0x01, 0x00, 0x07, 0x00, 0x01, 0x3e, 0xe8, // CARP
    0x0a, 0x75, 0xf9, 0x85, 0x13, 0xae, 0xe0, 0x83, // counter
    0x71, 0x1b, 0x0c, 0x6c, 0x1f, 0x17, 0x1e, 0xf0, 0x3a, 0x86, 0xbc, 0xad, 0x12, 0xdf, 0x3d, 0x05, 0xa2, 0xbc, 0x02,
    0x7e,
];

/// The packet types of linux/if_packet.h.
pub(super) const HOST: u32 = 0;
pub(super) const BROADCAST: u32 = 1;
pub(super) const MULTICAST: u32 = 2;
pub(super) const OTHERHOST: u32 = 3;
pub(super) const OUTGOING: u32 = 4;
pub(super) const LOOPBACK: u32 = 5;

/// The link that all frames come in on.
const LINK: u32 = 7;

/// What FreeBSD gets of [`advertisements`].
pub(crate) fn of_the_frame_alone(vhid: u8) -> Program {
    assemble(&conditions(&VhidSet::from_iter([vhid]), CARP_BYTES))
}

/// Whether a program keeps a frame that nothing but its bytes is known of.
pub(crate) fn accepts(program: &Program, frame: &[u8]) -> bool {
    run(program, frame, u32::MAX, u32::MAX) > 0
}

/// Runs a program as the kernel would and returns how many octets of the frame it keeps.
pub(super) fn run(program: &Program, frame: &[u8], packet_type: u32, vlan_tag: u32) -> u32 {
    let load = |offset: u32, size: usize| -> Option<u32> {
        if offset == INTERFACE {
            return Some(LINK);
        }
        if offset == PACKET_TYPE {
            return Some(packet_type);
        }
        if offset == VLAN_TAG {
            return Some(vlan_tag);
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = frame.get(start..start.checked_add(size)?)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    let (mut a, mut x, mut scratch) = (0_u32, 0_u32, 0_u32);
    let mut next = 0;
    // Jumps go forward only, so the program is a bound on its own run.
    while let Some(&libc::sock_filter { code, jt, jf, k }) = program.0.get(next) {
        next += 1;
        let mut jump = |condition: bool| next += usize::from(if condition { jt } else { jf });
        let loaded = match code {
            LOAD_WORD => load(k, 4),
            LOAD_HALF => load(k, 2),
            LOAD_BYTE => load(k, 1),
            LOAD_BYTE_INDEXED => load(x + k, 1),
            LOAD_HEADER_LENGTH => load(k, 1).map(|byte| {
                x = 4 * (byte & 0xf);
                a
            }),
            LOAD_NUMBER => Some(k),
            LOAD_SCRATCH => Some(scratch),
            STORE_SCRATCH => {
                scratch = a;
                Some(a)
            }
            COPY_TO_X => {
                x = a;
                Some(a)
            }
            AND => Some(a & k),
            SUBTRACT_X => Some(a.wrapping_sub(x)),
            SHIFT_RIGHT => Some(a >> k),
            SHIFT_RIGHT_BY_X => Some(a >> x),
            JUMP => {
                next += usize::try_from(k).unwrap();
                Some(a)
            }
            IF_EQUAL => (jump(a == k), Some(a)).1,
            IF_GREATER => (jump(a > k), Some(a)).1,
            IF_AT_LEAST => (jump(a >= k), Some(a)).1,
            IF_ANY_BIT => (jump(a & k != 0), Some(a)).1,
            RETURN => return k,
            _ => panic!("instruction {code:#x} is not in the interpreter"),
        };
        // A load beyond the end of the frame drops it.
        let Some(value) = loaded else { return 0 };
        a = value;
    }
    panic!("the program ran off its end");
}

fn kept(frame: &[u8]) -> bool {
    match run(&advertisements(1), frame, MULTICAST, 0) {
        0 => false,
        length => {
            assert!(usize::try_from(length).unwrap() >= frame.len(), "the frame was cut to {length}");
            true
        }
    }
}

/// The advertisement with some octets changed.
pub(crate) fn changed(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut frame = ADVERTISEMENT.to_vec();
    for (offset, value) in changes {
        frame[*offset] = *value;
    }
    frame
}

/// The advertisement with four octets of IP options.
pub(crate) fn with_options() -> Vec<u8> {
    let mut frame = changed(&[(14, 0x46), (17, 0x3c)]);
    frame.splice(34..34, [1, 1, 1, 0]);
    frame
}

#[test]
fn the_instruction_codes_are_the_kernel_s() {
    let code = |parts: &[u32]| u16::try_from(parts.iter().sum::<u32>()).unwrap();
    assert_eq!(LOAD_WORD, code(&[libc::BPF_LD, libc::BPF_W, libc::BPF_ABS]));
    assert_eq!(LOAD_HALF, code(&[libc::BPF_LD, libc::BPF_H, libc::BPF_ABS]));
    assert_eq!(LOAD_BYTE, code(&[libc::BPF_LD, libc::BPF_B, libc::BPF_ABS]));
    assert_eq!(LOAD_BYTE_INDEXED, code(&[libc::BPF_LD, libc::BPF_B, libc::BPF_IND]));
    assert_eq!(LOAD_HEADER_LENGTH, code(&[libc::BPF_LDX, libc::BPF_B, libc::BPF_MSH]));
    assert_eq!(LOAD_NUMBER, code(&[libc::BPF_LD, libc::BPF_IMM]));
    assert_eq!(LOAD_SCRATCH, code(&[libc::BPF_LD, libc::BPF_MEM]));
    assert_eq!(STORE_SCRATCH, code(&[libc::BPF_ST]));
    assert_eq!(LOAD_X_NUMBER, code(&[libc::BPF_LDX, libc::BPF_IMM]));
    assert_eq!(COPY_TO_X, code(&[libc::BPF_MISC, libc::BPF_TAX]));
    assert_eq!(SHIFT_RIGHT, code(&[libc::BPF_ALU, libc::BPF_RSH, libc::BPF_K]));
    assert_eq!(SHIFT_RIGHT_BY_X, code(&[libc::BPF_ALU, libc::BPF_RSH, libc::BPF_X]));
    assert_eq!(JUMP, code(&[libc::BPF_JMP, libc::BPF_JA]));
    assert_eq!(AND, code(&[libc::BPF_ALU, libc::BPF_AND, libc::BPF_K]));
    assert_eq!(IF_EQUAL, code(&[libc::BPF_JMP, libc::BPF_JEQ, libc::BPF_K]));
    assert_eq!(IF_GREATER, code(&[libc::BPF_JMP, libc::BPF_JGT, libc::BPF_K]));
    assert_eq!(SUBTRACT_X, code(&[libc::BPF_ALU, libc::BPF_SUB, libc::BPF_X]));
    assert_eq!(IF_AT_LEAST, code(&[libc::BPF_JMP, libc::BPF_JGE, libc::BPF_K]));
    assert_eq!(IF_ANY_BIT, code(&[libc::BPF_JMP, libc::BPF_JSET, libc::BPF_K]));
    assert_eq!(RETURN, code(&[libc::BPF_RET, libc::BPF_K]));
}

#[test]
fn keeps_the_advertisements_of_its_id_only() {
    for vhid in 0..=255 {
        let frame = changed(&[(35, vhid)]);
        assert_eq!(run(&advertisements(vhid), &frame, MULTICAST, 0), 0xffff);
        assert_eq!(run(&advertisements(vhid.wrapping_add(1)), &frame, MULTICAST, 0), 0);
    }
}

#[test]
fn keeps_what_was_received_and_drops_what_was_sent_or_overheard() {
    let verdict = |packet_type| run(&advertisements(1), &ADVERTISEMENT, packet_type, 0) > 0;
    assert!(verdict(HOST) && verdict(BROADCAST) && verdict(MULTICAST));
    assert!(!verdict(OTHERHOST) && !verdict(OUTGOING) && !verdict(LOOPBACK));
}

#[test]
fn keeps_untagged_and_priority_tagged_frames() {
    let verdict = |tag| run(&advertisements(1), &ADVERTISEMENT, MULTICAST, tag) > 0;
    assert!(verdict(0) && verdict(0xe000) && verdict(0x1000));
    assert!(!verdict(1) && !verdict(0xe005) && !verdict(0x0800));
    // A tag the kernel left in the frame is another ethertype.
    let mut tagged = ADVERTISEMENT.to_vec();
    tagged.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
    assert!(!kept(&tagged));
}

#[test]
fn drops_other_protocols_and_fragments() {
    assert!(kept(&ADVERTISEMENT));
    assert!(!kept(&changed(&[(12, 0x86), (13, 0xdd)])), "IPv6");
    assert!(!kept(&changed(&[(13, 0x06)])), "ARP");
    assert!(!kept(&changed(&[(23, 17)])), "UDP");
    assert!(!kept(&changed(&[(20, 0x60)])), "more fragments, do not fragment");
    assert!(!kept(&changed(&[(20, 0x20)])), "more fragments");
    assert!(!kept(&changed(&[(20, 0x00), (21, 0x01)])), "offset 8");
    assert!(!kept(&changed(&[(20, 0x1f), (21, 0xff)])), "the highest offset");
    assert!(kept(&changed(&[(20, 0x00)])), "no flags");
    assert!(kept(&changed(&[(20, 0x80)])), "the reserved flag says nothing about fragments");
}

#[test]
fn finds_the_id_behind_ip_options() {
    assert!(kept(&with_options()));
    let mut other = with_options();
    other[39] = 2;
    assert!(!kept(&other));
    // The octet where the id would be without options.
    other[35] = 1;
    assert!(!kept(&other));
}

#[test]
fn drops_what_is_shorter_than_carp() {
    for length in 0..70 {
        assert!(!kept(&ADVERTISEMENT[..length]), "cut to {length}");
    }
    assert!(kept(&[&ADVERTISEMENT[..], &[0; 6]].concat()), "padding");
    // The IP header decides, and not the padding.
    for length in 20..56 {
        assert!(!kept(&changed(&[(17, length)])), "{length} octets of IP");
    }
    assert!(kept(&changed(&[(17, 57)])), "more than the 36 octets");
    let mut options = with_options();
    assert!(kept(&options));
    options[17] -= 1;
    assert!(!kept(&options));
}

#[test]
fn an_ear_at_a_link_hears_carp_and_vrrp_there() {
    let vrrp = changed(&[(17, 40)])[..54].to_vec();
    let kept = |program: &Program, frame: &[u8]| run(program, frame, MULTICAST, 0) > 0;
    for frame in [&ADVERTISEMENT[..], &vrrp] {
        assert!(kept(&arriving_at(LINK, 1), frame));
        assert!(!kept(&arriving_at(LINK, 2), frame) && !kept(&arriving_at(LINK + 1, 1), frame));
        assert_eq!(run(&arriving_at(LINK, 1), frame, OUTGOING, 0), 0);
    }
    assert!(!kept(&advertisements(1), &vrrp));
    assert!(!kept(&arriving_at(LINK, 1), &vrrp[..41]), "a header cut short");
}

#[test]
fn ids_are_heard_of_carp_and_vrrp_alike_and_of_nothing_else() {
    let kept = |frame: &[u8]| run(&any_id(), frame, MULTICAST, 0) > 0;
    for vhid in 0..=255 {
        assert!(kept(&changed(&[(35, vhid)])));
        assert!(kept(&changed(&[(17, 40), (35, vhid)])[..54]), "VRRP with one address");
    }
    assert!(!kept(&changed(&[(23, 17)])) && !kept(&changed(&[(20, 0x20)])) && !kept(&ADVERTISEMENT[..41]));
    assert_eq!(run(&any_id(), &ADVERTISEMENT, OUTGOING, 0), 0);
}

#[test]
fn nothing_drops_everything() {
    for packet_type in HOST..=LOOPBACK {
        assert_eq!(run(&nothing(), &ADVERTISEMENT, packet_type, 0), 0);
    }
}
