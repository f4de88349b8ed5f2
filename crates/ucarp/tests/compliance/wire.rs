//! What is sent, octet for octet, and what is accepted.

use std::net::Ipv4Addr;

use carp_core::wire::MacAddr;
use carp_core::wire::frame::{self, multicast_mac};
use netlab::{Host, Process};

use crate::harness::{
    Forger, Group, Node, Program, QUICK, SOON, VIP, correct_checksums, correct_ip_checksum, differs, programs,
};

/// The frames from a host that `wanted` accepts, at least `count` of them, by time.
fn frames(group: &Group, host: &Host, count: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let found = || -> Vec<Vec<u8>> {
        let frames = group.tap.frames().into_iter().filter(|frame| *frame.port == *host.name() && wanted(&frame.bytes));
        frames.map(|frame| frame.bytes).collect()
    };
    assert!(netlab::wait_until(SOON, || found().len() >= count), "only {} of {count} frames came", found().len());
    found()
}

fn is_advertisement(bytes: &[u8]) -> bool {
    frame::parse(bytes).is_ok()
}

/// A lone host that is MASTER soon.
fn start(group: &Group, program: Program, more: &[&str]) -> Node {
    let mut node = group.node(2, program);
    node.start(&[&QUICK[..], more].concat());
    node
}

#[test]
fn an_advertisement_is_right_octet_for_octet() {
    let expected = [
        &[0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x00, 0x01, 0x08, 0x00][..],
        &[0x45, 0x10, 0x00, 0x38, 0xff, 0xff, 0x40, 0x00, 0xff, 0x70, 0xff, 0xff, 10, 0, 0, 2, 224, 0, 0, 18],
        &[0x21, 1, 50, 7, 0, 0, 0xff, 0xff],
    ]
    .concat();
    for program in programs() {
        let group = Group::new();
        let node = start(&group, program, &[]);
        let sent = frames(&group, &node.host, 3, is_advertisement);
        for mut frame in sent.iter().cloned() {
            assert_eq!(frame.len(), 70);
            // Identification and checksums. That these fit was checked when the frame was parsed.
            for range in [18..20, 24..26, 40..42] {
                frame[range].fill(0xff);
            }
            assert_eq!(frame[..42], expected, "{program:?}");
        }
        let has_identification = sent.iter().any(|frame| frame[18..20] != [0, 0]);
        differs("S17", program, &has_identification, &true, &false);
        let counters: Vec<_> = sent.iter().map(|frame| &frame[42..50]).collect();
        assert!(counters.windows(2).all(|pair| pair[0][..4] != pair[1][..4]), "each is drawn anew: {counters:x?}");
    }
}

#[test]
fn a_gratuitous_arp_is_right_octet_for_octet() {
    let mac = [0x02, 0, 0, 0, 0, 0x02];
    let vip = VIP.octets();
    let header = [0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01];
    let expected = [&[0xff; 6][..], &mac, &header, &mac, &vip, &mac, &vip].concat();
    for program in programs() {
        let group = Group::new();
        let node = start(&group, program, &[]);
        let sent = frames(&group, &node.host, 2, |bytes| bytes[12..14] == [0x08, 0x06] && bytes[28..32] == vip);
        for frame in sent {
            assert_eq!(frame, expected, "{program:?}");
        }
    }
}

#[test]
fn counters_do_not_follow_those_of_others() {
    for program in programs() {
        let group = Group::new();
        let node = start(&group, program, &["-u", "", "-d", ""]);
        group.wait_for_advertisement(SOON, |_, _| true);
        let forger = Forger::new(1);
        forger.advertise(&group, 3, 0);
        let heard = node.wait_for_line("Non-preferred master advertising").at;
        let own = |at: u64, received: &frame::Received| at > heard && received.src == node.address;
        let (_, next) = group.wait_for_advertisement(SOON, own);
        let follows = (forger.counter()..forger.counter() + 10).contains(&next.advertisement.counter);
        differs("S18", program, &follows, &true, &false);
    }
}

#[test]
fn option_m_broadcasts_the_frame_and_not_the_packet() {
    for program in programs() {
        let group = Group::new();
        let _node = start(&group, program, &["-M"]);
        let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
        assert_eq!(heard.dst_mac, MacAddr::BROADCAST);
        assert_eq!(heard.dst, frame::CARP_GROUP_V4);
    }
}

#[test]
fn another_group_has_its_own_addresses_and_members() {
    let other = Ipv4Addr::new(239, 193, 0, 1);
    for program in programs() {
        let group = Group::new();
        let node = start(&group, program, &["--mcast", "239.193.0.1", "-u", "", "-d", ""]);
        let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
        assert_eq!(heard.dst, other);
        assert_eq!(heard.dst_mac, multicast_mac(other.into()));
        assert_eq!(heard.dst_mac, MacAddr([0x01, 0x00, 0x5e, 0x41, 0x00, 0x01]));
        let forger = Forger::new(1);
        forger.advertise(&group, 0, 1);
        let mut frame = forger.frame(3, 0);
        frame[30..34].copy_from_slice(&other.octets());
        frame[..6].copy_from_slice(&heard.dst_mac.0);
        correct_ip_checksum(&mut frame);
        group.lab.inject(&frame).expect("frames can be sent");
        assert!(!hears_first(node.process()), "that of the usual group is nothing to it");
    }
}

/// Whether a group is joined on `eth0` of a host, by the kernel's own list.
fn is_member(host: &Host, group: Ipv4Addr) -> bool {
    let list = host.run(|| std::fs::read_to_string("/proc/thread-self/net/igmp")).expect("a thread can be started");
    let list = list.expect("the kernel lists its groups");
    let of_interface = list.split("\teth0").nth(1).unwrap_or_default();
    let lines = of_interface.lines().skip(1).take_while(|line| line.starts_with('\t'));
    // The kernel prints the address as it lies in memory.
    let wanted = format!("{:08X}", u32::from_ne_bytes(group.octets()));
    lines.filter_map(|line| line.split_whitespace().next()).any(|joined| joined == wanted)
}

/// Whether a frame is an IGMP report of a group; version 3 names it behind its header and version 2 in it.
fn is_report(bytes: &[u8], group: Ipv4Addr) -> bool {
    let is_igmp = bytes.len() >= 34 && bytes[12..14] == [0x08, 0x00] && bytes[23] == 2;
    is_igmp && bytes[34..].windows(4).any(|window| window == group.octets())
}

#[test]
fn the_group_is_joined_and_reported_on_the_interface() {
    for program in programs() {
        for group_address in [frame::CARP_GROUP_V4, Ipv4Addr::new(239, 193, 0, 1)] {
            let group = Group::new();
            let node = start(&group, program, &["--mcast", &group_address.to_string()]);
            frames(&group, &node.host, 1, |bytes| is_report(bytes, group_address));
            assert!(is_member(&node.host, group_address), "{program:?}");
        }
    }
}

#[test]
fn the_group_is_joined_on_the_interface_even_with_the_address_of_another() {
    for program in programs() {
        let group = Group::new();
        let node = start(&group, program, &["-s", "127.0.0.1"]);
        let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
        assert_eq!(heard.src, Ipv4Addr::LOCALHOST);
        differs("S19", program, &is_member(&node.host, frame::CARP_GROUP_V4), &false, &true);
    }
}

/// What makes a right advertisement a crafted one.
type Craft = fn(&mut Vec<u8>);

/// A host with one MASTER for each crafted advertisement, all with vhids of their own.
struct Masters {
    group: Group,
    node: Node,
    processes: Vec<Process>,
}

impl Masters {
    fn new(program: Program, count: usize) -> Self {
        let group = Group::new();
        let node = group.node(2, program);
        let mut masters = Self { group, node, processes: Vec::new() };
        for vhid in 1..=count {
            let mut command = program.command();
            command.args(masters.node.arguments()).args(QUICK).args(["-k", "200", "-u", "", "-d", ""]);
            command.args(["-v", &vhid.to_string()]);
            masters.processes.push(masters.node.host.spawn(command).expect("the program can be started"));
        }
        for process in &masters.processes {
            process.wait_for_line("Switching to state: MASTER", SOON).expect("nobody else is there");
        }
        masters
    }

    /// Sends each MASTER a better advertisement, crafted its way, and then a plain worse one. Which of them heard the
    /// better one?
    fn hear(&self, crafts: &[Craft]) -> Vec<bool> {
        for (vhid, craft) in (1..).zip(crafts) {
            let forger = Forger::new(vhid);
            let mut frame = forger.frame(0, 10);
            craft(&mut frame);
            self.group.lab.inject(&frame).expect("frames can be sent");
            forger.advertise(&self.group, 3, 0);
        }
        self.processes.iter().map(hears_first).collect()
    }
}

/// Whether a MASTER heard the first, better one of two advertisements and not only the second, worse one.
fn hears_first(process: &Process) -> bool {
    let verdict = |line: &netlab::Line| {
        line.text.contains("Preferred master advertised") || line.text.contains("Non-preferred master advertising")
    };
    let line = process.wait_for(verdict, SOON);
    let line = line.unwrap_or_else(|| panic!("neither was heard:\n{}", process.output()));
    line.text.contains("Preferred master advertised")
}

fn assert_all(program: Program, cases: &[(&str, Craft)], accepted: bool) -> Masters {
    let masters = Masters::new(program, cases.len());
    let crafts: Vec<_> = cases.iter().map(|(_, craft)| *craft).collect();
    let heard = masters.hear(&crafts);
    let wrong = cases.iter().zip(heard).filter(|(_, heard)| *heard != accepted);
    let wrong: Vec<_> = wrong.map(|((name, _), _)| *name).collect();
    assert!(wrong.is_empty(), "{program:?}, expected accepted = {accepted}, wrong: {wrong:?}");
    masters
}

fn set(frame: &mut [u8], at: usize, octets: &[u8]) {
    frame[at..at + octets.len()].copy_from_slice(octets);
    correct_checksums(frame);
}

#[test]
fn odd_advertisements_that_ucarp_accepts_are_accepted() {
    let cases: [(&str, Craft); 19] = [
        ("as it should be", |_| {}),
        ("another type", |frame| set(frame, 34, &[0x2f])),
        ("another length of the authentication data", |frame| set(frame, 37, &[0])),
        ("a demotion counter", |frame| set(frame, 38, &[255])),
        ("another type of service", |frame| set(frame, 15, &[0xff])),
        ("fragmentation allowed", |frame| set(frame, 20, &[0])),
        ("an identification", |frame| set(frame, 18, &[0xab, 0xcd])),
        ("padding", |frame| frame.resize(100, 0)),
        ("octets behind the advertisement", |frame| {
            frame.extend([0xaa; 8]);
            set(frame, 16, &[0, 64]);
        }),
        ("an option in the IP header", |frame| {
            frame.splice(34..34, [1; 4]);
            frame[14] = 0x46;
            set(frame, 16, &[0, 60]);
        }),
        ("from 0.0.0.0", |frame| set(frame, 26, &[0, 0, 0, 0])),
        ("from a multicast address", |frame| set(frame, 26, &[224, 0, 0, 18])),
        ("from the virtual address", |frame| set(frame, 26, &VIP.octets())),
        ("from another network", |frame| set(frame, 26, &[192, 0, 2, 1])),
        // Before the switch learns from the next one that this address is elsewhere.
        ("to the own MAC address", |frame| set(frame, 0, &[0x02, 0, 0, 0, 0, 0x02])),
        ("from the own MAC address", |frame| set(frame, 6, &[0x02, 0, 0, 0, 0, 0x02])),
        ("from the MAC address of a kernel", |frame| set(frame, 10, &[1])),
        ("to the broadcast MAC address", |frame| set(frame, 0, &[0xff; 6])),
        ("to another multicast MAC address", |frame| set(frame, 3, &[1, 2, 3])),
    ];
    for program in programs() {
        assert_all(program, &cases, true);
    }
}

#[test]
fn what_is_for_others_or_not_whole_is_ignored_in_silence() {
    let cases: [(&str, Craft); 9] = [
        ("to the own IP address", |frame| set(frame, 30, &[10, 0, 0, 2])),
        ("to all systems", |frame| set(frame, 30, &[224, 0, 0, 1])),
        ("to the broadcast IP address", |frame| set(frame, 30, &[255; 4])),
        ("of another vhid", |frame| set(frame, 35, &[200])),
        ("cut short", |frame| frame.truncate(69)),
        ("as short as VRRP", |frame| {
            frame.truncate(54);
            frame[16..18].copy_from_slice(&[0, 40]);
            correct_ip_checksum(frame);
        }),
        ("an IP header that is too long", |frame| frame[14] = 0x4f),
        ("an IP packet that is too short for its header", |frame| set(frame, 16, &[0, 19])),
        ("a wrong IP checksum", |frame| frame[24] ^= 1),
    ];
    for program in programs() {
        let masters = assert_all(program, &cases, false);
        for ((name, _), process) in cases.iter().zip(&masters.processes) {
            assert!(!process.output().contains("Bad "), "{program:?}: {name}: {}", process.output());
        }
    }
}

#[test]
fn bad_packets_are_ignored_and_told_in_ucarps_words() {
    let cases: [(&str, Craft); 4] = [
        ("[WARNING] Bad TTL: [254]", |frame| set(frame, 22, &[254])),
        ("[WARNING] Bad version: [3]", |frame| set(frame, 34, &[0x31])),
        ("[WARNING] Bad IP checksum", |frame| {
            frame[36] ^= 1;
            correct_ip_checksum(frame);
        }),
        ("] md=[00010203...] - Check vhid, password and virtual IP address", |frame| set(frame, 50, &[0, 1, 2, 3])),
    ];
    for program in programs() {
        let masters = assert_all(program, &cases, false);
        for ((text, _), process) in cases.iter().zip(&masters.processes) {
            assert!(process.wait_for_line(text, SOON).is_some(), "{program:?}: {text}: {}", process.output());
        }
        let line = masters.processes[3].wait_for_line("[WARNING] Bad digest - md2=[", SOON).expect("it was there").text;
        let digest = &Forger::new(4).frame(0, 10)[50..54];
        let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(line.contains(&format!("md2=[{digest}...] md=[00010203...]")), "{line}");
    }
}

#[test]
fn fragments_are_not_accepted() {
    let cases: [Craft; 2] = [|frame| set(frame, 20, &[0x20, 0]), |frame| set(frame, 20, &[0, 1])];
    for program in programs() {
        let heard = Masters::new(program, cases.len()).hear(&cases);
        differs("S20", program, &heard, &vec![true, true], &vec![false, false]);
    }
}

#[test]
fn the_own_source_address_of_another_host_is_noticed() {
    for program in programs() {
        let heard = Masters::new(program, 1).hear(&[|frame| set(frame, 26, &[10, 0, 0, 2])]);
        differs("S21", program, &heard, &vec![false], &vec![true]);
    }
}

#[test]
fn a_tag_that_only_carries_a_priority_does_not_matter() {
    for program in programs() {
        let crafts: [Craft; 2] = [
            |frame| drop(frame.splice(12..12, [0x81, 0x00, 0xe0, 0x00])),
            |frame| drop(frame.splice(12..12, [0x81, 0x00, 0x00, 0x05])),
        ];
        let heard = Masters::new(program, crafts.len()).hear(&crafts);
        differs("S22", program, &heard[0], &false, &true);
        assert!(!heard[1], "that is of another VLAN");
    }
}
