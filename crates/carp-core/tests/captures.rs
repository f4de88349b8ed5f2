//! Every frame of recorded traffic between real UCARP processes and BSD kernels: what is one of ours to read is read,
//! its digest verifies, and writing it again gives the same bytes.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::wire::frame::{self, Reason, Received};
use carp_core::wire::{arp, ethernet, ipv4, ipv6};

mod support;

/// A virtual host in one configuration, and how many of a capture's advertisements were signed with it.
struct Group {
    vhid: u8,
    password: &'static str,
    addresses: &'static str,
    advertisements: usize,
}

/// What a file holds.
struct Capture {
    file: &'static str,
    groups: Vec<Group>,
    arp: usize,
    /// IGMP, and neighbour solicitations.
    other: usize,
}

fn group(vhid: u8, password: &'static str, addresses: &'static str, advertisements: usize) -> Group {
    Group { vhid, password, addresses, advertisements }
}

/// A capture of UCARP as most are: vhid 1, password `secret`, virtual address 10.0.0.100.
fn ucarp(file: &'static str, advertisements: usize, arp: usize, other: usize) -> Capture {
    Capture { file, groups: vec![group(1, "secret", "10.0.0.100", advertisements)], arp, other }
}

fn ucarp_captures() -> Vec<Capture> {
    vec![
        ucarp("base0-skew50", 55, 32, 6),
        ucarp("broadcast-M", 8, 4, 0),
        ucarp("carrier-lost-on-master", 17, 4, 4),
        ucarp("demote-sigusr2", 12, 4, 4),
        ucarp("failover-sigkill", 9, 4, 6),
        ucarp("failover-sigterm-z", 9, 4, 6),
        ucarp("join-better-base-preempt", 11, 5, 4),
        ucarp("join-better-no-preempt", 9, 2, 4),
        ucarp("join-better-preempt", 12, 5, 4),
        ucarp("mcast-239-192-0-1", 8, 4, 6),
        Capture {
            file: "password-mismatch",
            groups: vec![group(1, "one", "10.0.0.100", 7), group(1, "two", "10.0.0.100", 6)],
            arp: 4,
            other: 4,
        },
        ucarp("replay-demotes-master", 15, 5, 4),
        ucarp("sigstop-master-10s", 21, 14, 4),
        ucarp("slow-up-script-5s", 14, 10, 4),
        ucarp("split-heal-equal", 19, 5, 4),
        ucarp("split-heal-skew", 20, 5, 4),
        ucarp("start-one", 6, 2, 3),
        ucarp("start-two-staggered", 7, 2, 4),
        ucarp("start-two-together", 10, 5, 4),
        ucarp("tie-10-0-1-1-first-vs-10-0-0-2", 19, 4, 4),
    ]
}

fn bsd(file: &'static str, groups: Vec<Group>, arp: usize, other: usize) -> Capture {
    Capture { file, groups, arp, other }
}

fn bsd_captures() -> Vec<Capture> {
    const PASSWORD: &str = "testpass321";
    const V254: &str = "192.168.77.254";
    const PAIR: &str = "192.168.77.253,192.168.77.252";
    let kernel = |vhid, addresses, advertisements| group(vhid, PASSWORD, addresses, advertisements);
    let wrong = |advertisements| group(1, "wrongpass", V254, advertisements);
    vec![
        bsd("freebsd-1-v4single", vec![kernel(1, V254, 21)], 2, 1),
        bsd("freebsd-2-v4two", vec![kernel(1, V254, 21), kernel(2, PAIR, 21)], 4, 1),
        bsd("freebsd-3-mixed", vec![kernel(3, "192.168.77.251,fd77::251,fd77::250", 46)], 2, 4),
        bsd("freebsd-4-v6only", vec![kernel(4, "fd77::249", 23)], 1, 3),
        bsd("freebsd-5-b3s100", vec![kernel(5, "192.168.77.248", 7)], 2, 1),
        bsd("freebsd-A-ucarp-joins", vec![kernel(1, V254, 35)], 6, 0),
        bsd("freebsd-C-ucarp-preempts", vec![kernel(1, V254, 13)], 6, 0),
        bsd("freebsd-D-bsd-preempts", vec![kernel(1, V254, 18)], 4, 0),
        bsd("freebsd-E-wrong-pass", vec![kernel(1, V254, 10), wrong(5)], 6, 0),
        // 192.168.77.253 is deleted on the way; the first frame is a leftover of vhid 1.
        bsd("freebsd-H-delete", vec![kernel(1, V254, 1), kernel(2, PAIR, 5), kernel(2, "192.168.77.252", 2)], 3, 0),
        // The IPv6 address is added, then the IPv4 address deleted.
        bsd(
            "freebsd15-carp",
            vec![kernel(1, V254, 4), kernel(1, "192.168.77.254,fd77::254", 8), kernel(1, "fd77::254", 30)],
            3,
            2,
        ),
        bsd("netbsd-1-v4single", vec![kernel(1, V254, 23)], 2, 1),
        bsd("netbsd-2-v4two", vec![kernel(1, V254, 24), kernel(2, PAIR, 23)], 4, 1),
        bsd("netbsd-5-b3s100", vec![kernel(5, "192.168.77.248", 8)], 2, 1),
        bsd("netbsd-A-ucarp-joins", vec![kernel(1, V254, 40)], 5, 0),
        bsd("netbsd-C-ucarp-preempts", vec![kernel(1, V254, 13)], 5, 0),
        bsd("netbsd-D-bsd-preempts", vec![kernel(1, V254, 15)], 4, 0),
        bsd("netbsd-E-wrong-pass", vec![kernel(1, V254, 11), wrong(5)], 6, 0),
    ]
}

/// Which of the groups has signed this.
fn signer(groups: &[Group], received: &Received) -> Option<usize> {
    let advertisement = &received.advertisement;
    let signed_by = |group: &Group| {
        let key = Key::from_password(group.password.as_bytes()).unwrap();
        let list = AddressList::new(support::addresses(group.addresses));
        Authenticator::new(&key, group.vhid, &list).verify(advertisement.counter, &advertisement.digest)
    };
    let found: Vec<usize> = (0..groups.len()).filter(|at| signed_by(&groups[*at])).collect();
    assert!(found.len() <= 1, "{received:?} was signed by more than one group");
    found.first().copied()
}

/// Parses all layers of an advertisement frame and writes them again.
fn rewritten(frame: &[u8], received: &Received) -> Vec<u8> {
    let ethernet = ethernet::Frame::new_checked(frame).unwrap();
    let ip = match ethernet.ethertype() {
        ethernet::EtherType::Ipv4 => {
            let packet = ipv4::Packet::new_checked(ethernet.payload()).unwrap();
            ipv4::Repr::parse(&packet).unwrap().emit().to_vec()
        }
        ethernet::EtherType::Ipv6 => {
            let packet = ipv6::Packet::new_checked(ethernet.payload()).unwrap();
            ipv6::Repr::parse(&packet).emit().to_vec()
        }
        other => panic!("an advertisement in {other:?}"),
    };
    [&ethernet::Repr::parse(&ethernet).emit()[..], &ip, &received.advertisement.emit()].concat()
}

/// Is there a well-formed ARP packet in this frame?
fn is_arp(bytes: &[u8]) -> bool {
    let frame = ethernet::Frame::new_checked(bytes).unwrap();
    if frame.ethertype() != ethernet::EtherType::Arp {
        return false;
    }
    let repr = arp::Repr::parse(&arp::Packet::new_checked(frame.payload()).unwrap()).unwrap();
    assert_eq!(repr.emit(), frame.payload());
    true
}

/// Reads a capture, compares it with what it is known to hold and returns its ARP frames.
fn check(folder: &str, capture: &Capture) -> Vec<Vec<u8>> {
    let Capture { file, groups, .. } = capture;
    let mut advertisements = vec![0; groups.len()];
    let (mut arp, mut other) = (Vec::new(), 0);
    for (number, frame) in (1..).zip(support::pcap(&format!("captures/{folder}/{file}.pcap"))) {
        match frame::parse(&frame) {
            Ok(received) => {
                let signer = signer(groups, &received).unwrap_or_else(|| panic!("{file} frame {number}: bad digest"));
                assert_eq!(received.advertisement.vhid, groups[signer].vhid, "{file} frame {number}");
                assert_eq!(rewritten(&frame, &received), frame, "{file} frame {number}");
                advertisements[signer] += 1;
            }
            Err(rejected) => {
                assert_eq!(rejected.reason, Reason::NotCarp, "{file} frame {number}");
                if is_arp(&frame) { arp.push(frame) } else { other += 1 }
            }
        }
    }
    let expected: Vec<usize> = groups.iter().map(|group| group.advertisements).collect();
    assert_eq!((advertisements, arp.len(), other), (expected, capture.arp, capture.other), "{file}");
    arp
}

/// The tables above name every file of a folder.
fn assert_complete(folder: &str, captures: &[Capture]) {
    let files = std::fs::read_dir(support::data(&format!("captures/{folder}"))).unwrap();
    let found: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let named: BTreeSet<String> = captures.iter().map(|capture| format!("{}.pcap", capture.file)).collect();
    assert_eq!(found, named);
}

#[test]
fn ucarp_among_themselves() {
    let captures = ucarp_captures();
    assert_complete("ucarp", &captures);
    for capture in &captures {
        for frame in check("ucarp", capture) {
            // All ARP in these is gratuitous, and ours is the same to the byte.
            let src = ethernet::Frame::new_checked(&frame).unwrap().src();
            assert_eq!(frame::gratuitous_arp(src, Ipv4Addr::new(10, 0, 0, 100))[..], frame, "{}", capture.file);
        }
    }
}

#[test]
fn bsd_kernels_alone_and_with_ucarp() {
    let captures = bsd_captures();
    assert_complete("bsd", &captures);
    for capture in &captures {
        check("bsd", capture);
    }
}

#[test]
fn senders_use_the_addresses_that_we_say_they_use() {
    let [ucarp, kernel, broadcast] = ["ucarp/start-one", "bsd/freebsd-3-mixed", "ucarp/broadcast-M"].map(|name| {
        let frames = support::pcap(&format!("captures/{name}.pcap"));
        frames.iter().filter_map(|frame| frame::parse(frame).ok()).collect::<Vec<_>>()
    });
    for received in ucarp.iter().chain(&kernel) {
        assert_eq!(received.dst_mac, frame::multicast_mac(received.dst));
    }
    assert!(ucarp.iter().chain(&broadcast).all(|received| received.src_mac == frame::ucarp_mac(1)));
    assert!(kernel.iter().all(|received| received.src_mac == frame::kernel_mac(3)));
    assert!(broadcast.iter().all(|received| received.dst_mac == carp_core::wire::MacAddr::BROADCAST));
    assert!(broadcast.iter().all(|received| received.dst == frame::CARP_GROUP_V4));
    assert_eq!(kernel.iter().filter(|received| received.dst == frame::CARP_GROUP_V6).count(), 23);
}
