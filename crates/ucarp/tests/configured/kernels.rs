//! The daemon beside BSD kernels, whose recorded advertisements are played at their own pace.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use carp_core::timing::Interval;
use netlab::now;

use crate::harness::{Forger, Node, Segment, between, ip, later, parsed, virtual_host, wait_until_time};

/// The password of the recorded groups.
const PASSWORD: &str = "testpass321";

/// What the recorded group of both families shares.
const MIXED: [&str; 3] = ["192.168.77.251", "fd77::251", "fd77::250"];

/// What a busy machine may add to a takeover.
const LATE: Duration = Duration::from_millis(700);

/// The frames of a capture with the time since the first one: a classic little-endian pcap file.
fn capture(name: &str) -> Vec<(Duration, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../carp-core/tests/data/captures/bsd");
    let path = directory.join(name).with_extension("pcap");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(word(0), 0xa1b2_c3d4, "{name} is of another kind");
    let (mut frames, mut at) = (Vec::new(), 24);
    while at < bytes.len() {
        let stamp = Duration::from_secs(word(at).into()) + Duration::from_micros(word(at + 4).into());
        let end = at + 16 + usize::try_from(word(at + 8)).expect("it fits");
        frames.push((stamp, bytes[at + 16..end].to_vec()));
        at = end;
    }
    let first = frames[0].0;
    frames.into_iter().map(|(stamp, bytes)| (stamp - first, bytes)).collect()
}

/// Plays the advertisements of a capture that are later than `from`. Returns when each was sent and what it was.
fn play(segment: &Segment, name: &str, from: Duration) -> Vec<(u64, Duration, bool)> {
    let start = now();
    let mut played = Vec::new();
    for (at, bytes) in capture(name).into_iter().filter(|(at, _)| *at >= from) {
        let Some((_, goodbye)) = parsed(&bytes) else { continue };
        wait_until_time(later(start, at - from));
        played.push((now(), at, goodbye));
        segment.lab.inject(&bytes).expect("frames can be sent");
    }
    played
}

/// A host of the recorded network with these virtual hosts.
fn member(segment: &Segment, hosts: &str) -> Node {
    let host = segment.host_at(30, ip("192.168.77.30"), 24);
    let mut node = segment.daemon(&host, "daemon");
    node.start(&format!("[defaults]\ninterface = \"eth0\"\npassword = \"{PASSWORD}\"\n{hosts}"));
    node
}

fn mixed(more: &str) -> String {
    virtual_host("kernel", 3, &MIXED, more)
}

fn assert_understood(node: &Node) {
    for complaint in ["Bad digest", "Bad packet", "Bad IP checksum", "Bad TTL", "Bad version"] {
        assert_eq!(node.lines(complaint, 0), 0, "{}", node.said());
    }
}

#[test]
fn a_recorded_kernel_of_both_families_is_the_master_until_it_is_silent() {
    let segment = Segment::new();
    let node = member(&segment, &mixed("advskew = 200\nmac = \"virtual\""));
    let played = play(&segment, "freebsd-3-mixed", Duration::from_secs(18));
    let (last, ..) = *played.last().expect("there are some");
    let taken = segment.wait_for_announcement(&node.host, ip(MIXED[1]), last);
    // Three seconds and 200/256 of one.
    let after = between(last, taken);
    assert!(after >= Duration::from_millis(3780) && after <= Duration::from_millis(3782) + LATE, "{after:?}");
    node.moment();
    assert_eq!(node.changes("kernel", 0).iter().filter(|(_, master)| *master).count(), 1, "{}", node.said());
    for address in MIXED {
        node.wait_for(ip(address));
    }
    assert_understood(&node);
}

#[test]
fn a_slower_master_yields_to_a_recorded_kernel() {
    let segment = Segment::new();
    let node = member(&segment, &mixed("advskew = 50\ndead-ratio = 1\nmac = \"virtual\""));
    node.wait_for(ip(MIXED[0]));
    let played = play(&segment, "freebsd-3-mixed", Duration::from_secs(24));
    let (first, ..) = played[0];
    let yielded = node.wait_for_line("kernel: Switching to state: BACKUP", first);
    println!("it yielded {:?} after the first advertisement", between(first, yielded));
    for address in MIXED {
        assert!(between(first, node.wait_without(ip(address))) < Duration::from_secs(5));
    }
    assert_understood(&node);
}

#[test]
fn goodbyes_of_recorded_kernels_are_followed_at_once() {
    let segment = Segment::new();
    let one = virtual_host("one", 1, &["192.168.77.254"], "advskew = 200");
    let two = virtual_host("two", 2, &["192.168.77.253", "192.168.77.252"], "advskew = 100");
    let node = member(&segment, &(one + &two));
    let played = play(&segment, "netbsd-2-v4two", Duration::from_secs(20));
    let goodbyes: Vec<_> = played.iter().filter(|(_, _, goodbye)| *goodbye).map(|(at, ..)| *at).collect();
    let [first, second] = goodbyes[..] else { panic!("{played:?}") };
    for (goodbye, addresses) in [(first, &["192.168.77.254"][..]), (second, &["192.168.77.253", "192.168.77.252"])] {
        for address in addresses {
            let taken = segment.wait_for_announcement(&node.host, ip(address), goodbye);
            assert!(between(goodbye, taken) < LATE, "{:?}", between(goodbye, taken));
            node.wait_for(ip(address));
        }
    }
    node.moment();
    for name in ["one", "two"] {
        assert_eq!(node.changes(name, 0).iter().filter(|(_, master)| *master).count(), 1, "{}", node.said());
    }
    assert_understood(&node);
}

#[test]
fn a_wrong_password_in_a_recorded_group_is_named() {
    let segment = Segment::new();
    let node = member(&segment, &virtual_host("kernel", 1, &["192.168.77.254"], "advskew = 200"));
    play(&segment, "freebsd-E-wrong-pass", Duration::from_secs(2));
    node.wait_for_line("kernel: Bad digest", 0);
    node.moment();
    assert_eq!(node.lines("kernel: Bad digest - md2=", 0), 1, "once: {}", node.said());
    assert!(node.said().contains("(from 192.168.77.20, 00:00:5e:00:00:01)"), "{}", node.said());
}

#[test]
fn a_demoted_kernel_is_displaced_by_who_preempts() {
    let advertise = |segment: &Segment, source: &str, advskew, demotion| {
        let forger = Forger::new(3, PASSWORD, &MIXED, source);
        forger.advertise(segment, Interval { advbase: 1, advskew }, demotion);
    };
    // FreeBSD and NetBSD advertise 240; OpenBSD goes on with its rank and says it in a byte of its own.
    for (source, advskew, demotion, preempt, taken) in [
        ("192.168.77.11", 240, 0, true, true),
        ("fe80::11", 240, 0, true, true),
        ("fe80::11", 240, 0, false, false),
        ("192.168.77.11", 0, 240, true, false),
    ] {
        let segment = Segment::new();
        let node = member(&segment, &mixed(&format!("advskew = 100\npreempt = {preempt}")));
        let start = now();
        for second in 0..4 {
            wait_until_time(later(start, Duration::from_secs(second)));
            advertise(&segment, source, advskew, demotion);
        }
        assert_eq!(node.holds(ip(MIXED[0])), taken, "{source} {advskew} {demotion} {preempt}: {}", node.said());
        assert_understood(&node);
        if taken {
            // It recovers: its rank counts again.
            let recovered = now();
            advertise(&segment, source, 0, 0);
            node.wait_for_line("kernel: Switching to state: BACKUP", recovered);
            let gone: Vec<IpAddr> = MIXED.iter().map(|address| ip(address)).collect();
            for address in gone {
                node.wait_without(address);
            }
        }
    }
}
