//! As many virtual hosts as an interface can have, in one process.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{DEFAULTS, Node, SOON, Segment, between, later, parsed, virtual_host, wait_until_time};

const ALL: u8 = 255;

/// The dead time of the second host: 3 s and 100/256 s.
const DEAD: Duration = Duration::from_millis(3390);

/// The aim is 100 ms from the deadline to the last announcement; the rest is for a busy machine.
const ANNOUNCED: Duration = Duration::from_secs(2);

fn address(vhid: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, vhid).into()
}

fn config(more: &str) -> String {
    let hosts = (1..=ALL).map(|vhid| virtual_host(&format!("v{vhid}"), vhid, &[&address(vhid).to_string()], more));
    DEFAULTS.to_owned() + &hosts.collect::<String>()
}

/// How many of the virtual addresses a host has.
fn held(node: &Node) -> usize {
    let present = node.host.addresses().expect("addresses can be listed");
    (1..=ALL).filter(|vhid| present.contains(&address(*vhid))).count()
}

fn wait_until_held(node: &Node, count: usize) {
    let right = netlab::wait_until(SOON, || held(node) == count);
    assert!(right, "{} has {} addresses, not {count}", node.host.name(), held(node));
}

/// When the host announced each of the addresses for the first time, `since` or later, in the order of time.
fn announced(segment: &Segment, node: &Node, since: u64) -> Vec<u64> {
    let mut first = std::collections::BTreeMap::new();
    let all = || segment.all_announcements(&node.host, since).into_iter();
    assert!(netlab::wait_until(SOON, || {
        let known: std::collections::BTreeSet<_> = all().map(|(_, address)| address).collect();
        (1..=ALL).all(|vhid| known.contains(&address(vhid)))
    }));
    for (at, address) in all() {
        first.entry(address).or_insert(at);
    }
    let mut moments: Vec<_> = first.into_values().collect();
    moments.sort_unstable();
    moments
}

/// Both hosts run, the first one is MASTER of all and its announcements are over.
fn settled() -> (Segment, Node, Node) {
    let segment = Segment::new();
    let (mut first, mut second) = segment.pair();
    first.start(&config(""));
    wait_until_held(&first, usize::from(ALL));
    second.start(&config("advskew = 100"));
    let since = now();
    for vhid in 1..=ALL {
        segment.wait_for_advertisement(&first.host, vhid, since);
    }
    wait_until_time(later(since, Duration::from_secs(6)));
    assert_eq!(second.lines("Switching to state: MASTER", 0), 0, "{}", second.said());
    (segment, first, second)
}

#[test]
fn all_virtual_hosts_of_a_killed_process_are_taken_over_at_once() {
    let (segment, first, second) = settled();
    let killed = now();
    first.signal(Signal::KILL);
    let gone = netlab::wait_until(SOON, || held(&first) == 0);
    let gone_after = between(killed, now());
    assert!(gone && gone_after <= Duration::from_millis(3500), "{gone_after:?}, {} are left", held(&first));
    let moments = announced(&segment, &second, killed);
    let last_heard = segment.frames_of(&first.host, 0);
    let last_heard = last_heard.iter().rev().find(|frame| parsed(&frame.bytes).is_some()).expect("it advertised").at;
    // Each has its own deadline, as each advertised at its own moment: nearly the same one.
    let after = between(later(last_heard, DEAD), *moments.last().expect("there are some"));
    println!(
        "255 addresses were gone after {gone_after:?}; all were announced {after:?} after the last deadline, within {:?}",
        between(moments[0], moments[moments.len() - 1])
    );
    assert!(after <= ANNOUNCED, "{after:?}");
    wait_until_held(&second, usize::from(ALL));
}

#[test]
fn all_virtual_hosts_survive_a_reload_and_go_to_the_other_host_at_the_end() {
    let (segment, first, second) = settled();
    let told = first.reload(&config(""));
    first.wait_for_line("Reload: 0 virtual hosts added, 0 changed, 0 removed, 255 as before", told);
    let told = first.reload(&config("preempt = true"));
    first.wait_for_line("Reload: 0 virtual hosts added, 255 changed, 0 removed, 0 as before", told);
    wait_until_time(later(told, Duration::from_secs(4)));
    for node in [&first, &second] {
        let lines = node.process().lines().into_iter().filter(|line| line.at >= told).map(|line| line.text);
        let moves: Vec<_> = lines.filter(|text| text.contains("Switching") || text.contains("because")).collect();
        assert!(moves.is_empty(), "{} of {}: {:#?}", moves.len(), node.host.name(), &moves[..4]);
    }
    assert_eq!((held(&first), held(&second)), (usize::from(ALL), 0));

    let told = now();
    first.signal(Signal::TERM);
    let mut left = Vec::new();
    let goodbye = segment.wait_for_frame(&first.host, told, |bytes| {
        let goodbye = parsed(bytes).is_some_and(|(_, goodbye)| goodbye);
        if goodbye {
            left.push(held(&first));
        }
        goodbye
    });
    assert_eq!(left, [0], "no address is there when the first goodbye is said");
    assert_eq!(first.wait_for_exit().code(), Some(0));
    let moments = announced(&segment, &second, told);
    let after = between(goodbye.at, *moments.last().expect("there are some"));
    println!("255 addresses were announced {after:?} after the first goodbye");
    assert!(after <= ANNOUNCED, "{after:?}");
    let goodbyes = (1..=ALL).filter(|vhid| segment.goodbyes(&first.host, *vhid, told).len() == 1).count();
    assert_eq!(goodbyes, usize::from(ALL));
    wait_until_held(&second, usize::from(ALL));
}
