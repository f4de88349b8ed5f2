use super::super::tests::{BROADCAST, HOST, MULTICAST, OTHERHOST, OUTGOING, run};
use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 101);

/// ARP from 02:..:09, without the padding that Ethernet adds.
fn arp(operation: u8, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x08, 0x06];
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 9]);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

fn neighbour(kind: u8, target: Ipv6Addr) -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0, 0, 24, 58, 255]);
    frame.extend(target.octets());
    frame.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    frame.extend([kind, 0, 0, 0, 0x20, 0, 0, 0]);
    frame.extend(target.octets());
    frame
}

fn keeps(program: &Program, frame: &[u8]) -> bool {
    let kept = run(program, frame, BROADCAST, 0);
    assert!(kept == 0 || kept as usize >= frame.len(), "cut to {kept}");
    kept > 0
}

#[test]
fn arp_passes_if_its_sender_has_one_of_the_addresses() {
    let program = possessions_v4([OTHER, ADDRESS]);
    for (frame, passes) in [
        (arp(1, ADDRESS, ADDRESS), true),
        (arp(1, OTHER, Ipv4Addr::new(10, 0, 0, 1)), true),
        (arp(2, ADDRESS, Ipv4Addr::new(10, 0, 0, 1)), true),
        (arp(1, Ipv4Addr::new(10, 0, 0, 1), ADDRESS), false),
        (arp(1, Ipv4Addr::UNSPECIFIED, ADDRESS), false),
        (arp(2, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)), false),
        // An answer to somebody without an address.
        (arp(2, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::UNSPECIFIED), true),
        (arp(1, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::UNSPECIFIED), false),
    ] {
        assert_eq!(keeps(&program, &frame), passes, "{frame:02x?}");
    }
    let frame = arp(1, ADDRESS, ADDRESS);
    assert!(keeps(&program, &[&frame[..], &[0; 18]].concat()), "padding");
    assert!(!keeps(&program, &frame[..30]), "cut short");
    assert!(!keeps(&possessions_v4([]), &frame));
}

#[test]
fn neighbour_advertisements_pass_if_they_are_about_one_of_the_addresses() {
    let all: Vec<Ipv6Addr> =
        ["fd00::100", "fd00::101", "fd01::100", "fe80::1"].map(|text| text.parse().unwrap()).into();
    let program = possessions_v6(all[1..].iter().copied());
    for address in &all {
        assert_eq!(keeps(&program, &neighbour(136, *address)), *address != all[0], "{address}");
        assert!(!keeps(&program, &neighbour(135, *address)), "a question");
    }
    let mut routed = neighbour(136, all[1]);
    routed[21] = 64;
    assert!(!keeps(&program, &routed));
    assert!(!keeps(&program, &neighbour(136, all[1])[..77]), "cut short");
    assert!(!keeps(&possessions_v6([]), &neighbour(136, all[1])));
}

#[test]
fn what_was_sent_or_overheard_or_is_of_another_network_does_not_pass() {
    let cases = [
        (possessions_v4([ADDRESS]), arp(1, ADDRESS, ADDRESS)),
        (possessions_v6([Ipv6Addr::LOCALHOST]), neighbour(136, Ipv6Addr::LOCALHOST)),
    ];
    for (program, frame) in cases {
        for packet_type in [HOST, BROADCAST, MULTICAST, OTHERHOST, OUTGOING] {
            let passes = run(&program, &frame, packet_type, 0) > 0;
            assert_eq!(passes, packet_type <= MULTICAST, "{packet_type}");
            assert_eq!(run(&program, &frame, packet_type, 5), 0, "another VLAN");
        }
    }
}

#[test]
fn the_kernel_takes_the_largest_program_and_addresses_beyond_it_are_left_out() {
    let v4 = (0..1000).map(|number| Ipv4Addr::from_bits(0x0a00_0000 + number));
    let v6 = (0..1000).map(|number| Ipv6Addr::from_bits(0xfd00 << 112 | number));
    let (one, two) = (possessions_v4(v4), possessions_v6(v6));
    assert!(keeps(&one, &arp(1, Ipv4Addr::new(10, 0, 0, 255), ADDRESS)));
    assert!(!keeps(&one, &arp(1, Ipv4Addr::new(10, 0, 1, 0), ADDRESS)));
    assert!(keeps(&two, &neighbour(136, "fd00::ff".parse().unwrap())));
    assert!(!keeps(&two, &neighbour(136, "fd00::100".parse().unwrap())));
    for program in [one, two] {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        program.attach(&socket).unwrap();
    }
}
