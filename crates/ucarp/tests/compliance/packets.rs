//! Packets that are not what they should be: forged, broken, repeated, sent back or of another protocol.

use std::net::Ipv4Addr;
use std::time::Duration;

use carp_core::wire::{MacAddr, checksum, frame};
use netlab::{Line, Signal, now};

use crate::harness::{
    Forger, Group, Node, Program, SOON, VIP, between, correct_checksums, correct_ip_checksum, differs, later, pairs,
    programs, wait_until_time,
};

/// Bad packets of each kind from each sender.
const EACH: usize = 50;

/// Who sends them.
const SENDERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 50), Ipv4Addr::new(10, 0, 0, 51)];
const LAST_SENDER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 52);

// Where fields are in the frame of an advertisement.
const IP_HEADER: std::ops::Range<usize> = 14..34;
const TTL: usize = 22;
const SOURCE: std::ops::Range<usize> = 26..30;
const VERSION: usize = 34;
const CARP_CHECKSUM: usize = 40;
const DIGEST: std::ops::Range<usize> = 50..70;

/// A kind of bad packet: how the line about one begins, and what makes a good one bad.
type Kind = (&'static str, fn(&mut [u8]));

const KINDS: [Kind; 4] = [
    ("Bad digest - ", spoil_digest),
    ("Bad TTL: [254]", spoil_ttl),
    ("Bad version: [3]", spoil_version),
    ("Bad IP checksum", spoil_checksum),
];

fn spoil_digest(frame: &mut [u8]) {
    frame[DIGEST].reverse();
    correct_checksums(frame);
}

fn spoil_ttl(frame: &mut [u8]) {
    frame[TTL] = 254;
    correct_ip_checksum(frame);
}

fn spoil_version(frame: &mut [u8]) {
    frame[VERSION] = 0x31;
    correct_checksums(frame);
}

fn spoil_checksum(frame: &mut [u8]) {
    frame[CARP_CHECKSUM] ^= 0x55;
}

/// An advertisement that is worse than those of the node under test, so that believing it changes nothing.
fn worse(sender: Ipv4Addr) -> Vec<u8> {
    let mut frame = Forger::new(1).frame(1, 200);
    frame[SOURCE].copy_from_slice(&sender.octets());
    correct_ip_checksum(&mut frame);
    frame
}

/// The same, with a digest that another password would give.
pub(crate) fn with_bad_digest(sender: Ipv4Addr) -> Vec<u8> {
    let mut frame = worse(sender);
    spoil_digest(&mut frame);
    frame
}

/// Lines of a node whose text begins so.
fn complaints(node: &Node, beginning: &str) -> Vec<Line> {
    let beginning = format!("[WARNING] {beginning}");
    node.process().lines().into_iter().filter(|line| line.text.contains(&beginning)).collect()
}

/// A node that stays BACKUP for as long as a case about packets takes.
fn patient(group: &Group, program: Program) -> Node {
    let mut node = group.node(2, program);
    node.start(&["-b", "5"]);
    node
}

#[test]
fn a_bad_packet_is_complained_about_in_the_words_of_the_original() {
    for program in programs() {
        let group = Group::new();
        let node = patient(&group, program);
        for (beginning, spoil) in KINDS {
            let mut frame = worse(SENDERS[0]);
            spoil(&mut frame);
            group.lab.inject(&frame).unwrap();
            let line = node.wait_for_line(beginning);
            assert!(line.text.contains(&format!("[WARNING] {beginning}")), "{}", line.text);
        }
        let hex = |digest: &[u8]| digest[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        node.wait_for_line(&format!(
            "[WARNING] Bad digest - md2=[{}...] md=[{}...] - Check vhid, password and virtual IP address",
            hex(&worse(SENDERS[0])[DIGEST]),
            hex(&with_bad_digest(SENDERS[0])[DIGEST])
        ));
    }
}

#[test]
fn bad_packets_are_complained_about_once_for_each_kind_and_sender_and_then_counted() {
    for program in programs() {
        let group = Group::new();
        let node = patient(&group, program);
        for _ in 0..EACH {
            for (sender, (_, spoil)) in SENDERS.iter().flat_map(|sender| KINDS.map(|kind| (*sender, kind))) {
                let mut frame = worse(sender);
                spoil(&mut frame);
                group.lab.inject(&frame).unwrap();
            }
            // Slowly enough that no socket overflows on a busy machine.
            wait_until_time(later(now(), Duration::from_millis(20)));
        }
        // The last packet is from a sender of its own: all before it were read.
        group.lab.inject(&with_bad_digest(LAST_SENDER)).unwrap();
        let [all, each] = [EACH, 1].map(|lines| lines * SENDERS.len());
        let told_of = |sender: &str| complaints(&node, "Bad digest - ").iter().any(|line| line.text.contains(sender));
        let all_read = || complaints(&node, "Bad digest - ").len() > all || told_of("(from 10.0.0.52, ");
        assert!(netlab::wait_until(SOON, all_read), "{}", node.said());
        let lines = KINDS.map(|(beginning, _)| complaints(&node, beginning).len());
        differs("L11", program, &lines, &[all + 1, all, all, all], &[each + 1, each, each, each]);
        if program == Program::Ours {
            counts_follow(&node);
        }
    }
}

/// Asserts that what was not told is counted, ten seconds after the line that told it.
fn counts_follow(node: &Node) {
    for sender in SENDERS {
        for (beginning, _) in KINDS {
            let kind = beginning.split([':', '-']).next().unwrap_or_default().trim();
            let count = node.wait_for_line(&format!("{kind}: {} more from {sender}", EACH - 1));
            let first = complaints(node, beginning);
            let first = first.iter().find(|line| line.text.contains(&sender.to_string())).expect("there is one");
            let after = between(first.at, count.at);
            assert!(after > Duration::from_millis(9500), "{after:?} after {}", first.text);
        }
    }
}

/// Calls `send` five times a second for two seconds, and asserts that the node, a settled MASTER, goes on as if nothing had
/// happened. Returns the lines that it wrote meanwhile.
fn stays_calm(group: &Group, node: &Node, send: impl Fn()) -> Vec<String> {
    let since = group.wait_for_advertisement_of(node, now());
    for _ in 0..10 {
        send();
        wait_until_time(later(now(), Duration::from_millis(200)));
    }
    let until = group.wait_for_advertisement_of(node, now());
    let seen = group.tap.frames().into_iter().filter(|frame| *frame.port == *node.host.name());
    let own = seen.filter(|frame| (since..=until).contains(&frame.at) && frame::parse(&frame.bytes).is_ok());
    let moments: Vec<u64> = own.map(|frame| frame.at).collect();
    let regular = |pair: &[u64]| (700..1500).contains(&between(pair[0], pair[1]).as_millis());
    assert!(moments.len() >= 3 && moments.windows(2).all(regular), "one advertisement a second: {moments:?}");
    assert_eq!(group.announcements_of(node, since), [] as [u64; 0]);
    assert!(node.holds_vip());
    node.process().lines().into_iter().filter(|line| line.at >= since).map(|line| line.text).collect()
}

/// A node that is MASTER and has announced itself for the last time.
fn settled_master(group: &Group, program: Program) -> Node {
    let mut node = group.node(2, program);
    node.start(&["-r", "1"]);
    let since = node.wait_for_mastery(group, 0);
    wait_until_time(later(since, Duration::from_millis(5500)));
    node
}

#[test]
fn packets_of_other_groups_and_protocols_change_nothing_and_are_not_mentioned() {
    for program in programs() {
        let group = Group::new();
        let node = settled_master(&group, program);
        let other_group = Forger::new(2).frame(0, 1);
        let said = stays_calm(&group, &node, || {
            group.lab.inject(&other_group).unwrap();
            group.lab.inject(&vrrp()).unwrap();
        });
        assert!(said.is_empty(), "{said:?}");
    }
}

/// An advertisement of VRRP version 2 (RFC 3768 5.1): virtual router 1, priority 100, one address.
fn vrrp() -> Vec<u8> {
    let mut vrrp = vec![0x21, 1, 100, 1, 0, 1, 0, 0, 10, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0];
    let sum = checksum::of(&[&vrrp]);
    vrrp[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut frame = worse(SENDERS[0]);
    frame.truncate(IP_HEADER.end);
    frame[IP_HEADER.start + 3] = 40;
    correct_ip_checksum(&mut frame);
    frame.extend(vrrp);
    frame
}

#[test]
fn an_own_advertisement_that_comes_back_changes_nothing() {
    for program in programs() {
        let group = Group::new();
        let node = settled_master(&group, program);
        let own = || group.tap.frames().into_iter().rfind(|frame| frame::parse(&frame.bytes).is_ok()).unwrap();
        let said = stays_calm(&group, &node, || group.lab.inject(&own().bytes).unwrap());
        let told = said.iter().any(|line| line.contains("An advertisement of our own came back"));
        differs("L12", program, &told, &false, &true);
        assert!(said.len() <= 1, "{said:?}");
    }
}

#[test]
fn another_machine_with_the_address_changes_nothing() {
    for program in programs() {
        let group = Group::new();
        let node = settled_master(&group, program);
        let claim = frame::gratuitous_arp(MacAddr([2, 0, 0, 0, 0, 9]), VIP);
        let since = now();
        stays_calm(&group, &node, || group.lab.inject(&claim).unwrap());
        // UCARP had two seconds.
        let limit = if program == Program::Ours { SOON } else { Duration::ZERO };
        let told = netlab::wait_until(limit, || node.has_said("Address conflict: "));
        differs("L13", program, &told, &false, &true);
        let arp = |frame: &netlab::Frame| frame.at >= since && frame.bytes[12..14] == [0x08, 0x06];
        let from_node = |frame: &netlab::Frame| &*frame.port == node.host.name() && frame.bytes[28..32] == [0; 4];
        let asked = group.tap.frames().iter().filter(|frame| arp(frame) && from_node(frame)).count();
        assert_eq!(asked, 0, "it asks nobody");
    }
}

#[test]
fn vrrp_with_the_same_id_is_named_at_the_start() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-r", "1"]);
        // Each tenth of a second until it is told of; UCARP has two seconds.
        let limit = if program == Program::Ours { SOON } else { Duration::from_secs(2) };
        let told = netlab::wait_until(limit, || {
            group.lab.inject(&vrrp()).unwrap();
            wait_until_time(later(now(), Duration::from_millis(100)));
            node.has_said("Virtual host id used by VRRP: VRRP version 2 of 10.0.0.50")
        });
        differs("L14", program, &told, &false, &true);
        node.wait_for_mastery(&group, 0);
    }
}

#[test]
fn a_replayed_advertisement_keeps_a_backup_down() {
    for (master, backup) in pairs() {
        let group = Group::new();
        let (mut master, mut backup) = (group.node(2, master), group.node(3, backup));
        master.start(&["-r", "1"]);
        master.wait_for_mastery(&group, 0);
        backup.start(&["-r", "2"]);
        let recorded = group.wait_for_advertisement_of(&master, now());
        master.signal(Signal::KILL);
        let recorded = group.tap.frames().into_iter().find(|frame| frame.at == recorded).unwrap();
        for _ in 0..12 {
            group.lab.inject(&recorded.bytes).unwrap();
            wait_until_time(later(now(), Duration::from_millis(500)));
        }
        assert!(!backup.has_said("MASTER"), "CARP has no protection against replay:\n{}", backup.said());
        backup.wait_for_mastery(&group, 0);
    }
}
