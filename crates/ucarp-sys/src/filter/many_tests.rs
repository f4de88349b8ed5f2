//! Sets of ids, and IPv6.

use super::tests::{ADVERTISEMENT, BROADCAST, HOST, LOOPBACK, MULTICAST, OTHERHOST, OUTGOING, changed, run};
use super::*;
use crate::packet::tests::{cable, flush, in_new_network};
use crate::packet::{Family, Options, PacketSocket};

/// An advertisement of vhid 1 over IPv6, from fe80::2.
fn ipv6(vhid: u8) -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 0x12, 0, 0, 0x5e, 0, 1, 1, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0, 0, 36, 112, 255]);
    frame.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    frame.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12]);
    frame.extend(&ADVERTISEMENT[34..]);
    frame[55] = vhid;
    frame
}

fn ipv4(vhid: u8) -> Vec<u8> {
    changed(&[(35, vhid)])
}

fn keeps(program: &Program, frame: &[u8]) -> bool {
    let kept = run(program, frame, MULTICAST, 0);
    assert!(kept == 0 || kept as usize >= frame.len(), "cut to {kept}");
    kept > 0
}

/// Sets of each shape: none, one, few, every word's ends, odd ones, all.
fn sets() -> Vec<VhidSet> {
    let ends = (0..8).flat_map(|word| [word * 32, word * 32 + 31]).collect();
    let odd = (0..=255).filter(|vhid| vhid % 2 == 1).collect();
    let single = [0, 1, 31, 32, 255].map(|vhid| VhidSet::from_iter([vhid]));
    let more = [VhidSet::new(), [7, 200].into_iter().collect(), ends, odd, (0..=255).collect()];
    single.into_iter().chain(more).collect()
}

#[test]
fn a_set_holds_what_was_put_in() {
    let set: VhidSet = [0, 31, 32, 255, 255].into_iter().collect();
    let members: Vec<u8> = (0..=255).filter(|vhid| set.contains(*vhid)).collect();
    assert_eq!(members, [0, 31, 32, 255]);
    assert_eq!((set.only(), VhidSet::new().only(), VhidSet::from_iter([9]).only()), (None, None, Some(9)));
}

#[test]
fn keeps_the_members_of_each_set_in_both_families() {
    for set in sets() {
        let program = advertisements_of(&set);
        for vhid in 0..=255 {
            for frame in [ipv4(vhid), ipv6(vhid)] {
                assert_eq!(keeps(&program, &frame), set.contains(vhid), "{vhid} of {set:?}");
            }
        }
    }
}

#[test]
fn an_ipv6_frame_is_held_to_the_same_rules() {
    for set in sets().into_iter().filter(|set| set.contains(1)) {
        let program = advertisements_of(&set);
        let frame = ipv6(1);
        let of_type = |packet_type| run(&program, &frame, packet_type, 0) > 0;
        assert!(of_type(HOST) && of_type(BROADCAST) && of_type(MULTICAST));
        assert!(!of_type(OTHERHOST) && !of_type(OUTGOING) && !of_type(LOOPBACK));
        assert!(run(&program, &frame, MULTICAST, 0xe000) > 0, "priority 7 without a VLAN");
        assert_eq!(run(&program, &frame, MULTICAST, 5), 0, "VLAN 5");
        for (octet, value, what) in
            [(20, 44, "fragment"), (20, 0, "hop-by-hop options"), (20, 17, "UDP"), (13, 0xde, "-")]
        {
            let mut other = frame.clone();
            other[octet] = value;
            assert!(!keeps(&program, &other), "{what}");
        }
        for length in 0..frame.len() {
            assert!(!keeps(&program, &frame[..length]), "{length}");
        }
        for (length, is_kept) in [(0, false), (35, false), (36, true), (255, true)] {
            let mut other = frame.clone();
            other[19] = length;
            assert_eq!(keeps(&program, &other), is_kept, "{length} octets of payload");
        }
    }
}

#[test]
fn the_kernel_agrees_about_sets_and_families() {
    in_new_network(|| {
        let (left, right) = cable();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        for (family, make, stranger) in
            [(Family::Ipv4, ipv4 as fn(u8) -> Vec<u8>, ipv6(1)), (Family::Ipv6, ipv6, ipv4(1))]
        {
            let options = Options { family, lock_filter: false, receive_buffer_bytes: Some(4 << 20) };
            let receiver = PacketSocket::open_with(left, &nothing(), &options).unwrap();
            let witness = PacketSocket::open_with(left, &advertisements(1), &options).unwrap();
            // A longer frame is none of those that are counted.
            let marker = |octet| [&make(1)[..], &[octet]].concat();
            for set in sets() {
                receiver.replace_filter(&advertisements_of(&set)).unwrap();
                (0..=255).for_each(|vhid| sender.send(&make(vhid)).unwrap());
                sender.send(&stranger).unwrap();
                // When the witness has the marker, the receiver's filter has judged all frames before it.
                flush(&sender, &witness, &marker(1));
                receiver.replace_filter(&advertisements(1)).unwrap();
                let mut arrived = flush(&sender, &receiver, &marker(2));
                arrived.retain(|frame| frame.len() < marker(1).len());
                let wanted: Vec<Vec<u8>> = (0..=255).filter(|vhid| set.contains(*vhid)).map(make).collect();
                assert!(arrived == wanted, "{family:?} {set:?}: {} arrived", arrived.len());
                assert_eq!(receiver.dropped().unwrap(), 0);
            }
        }
    });
}
