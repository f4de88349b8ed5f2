//! Another machine has a virtual address: who it is, and what is done about it.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::wire::{MacAddr, frame};
use netlab::{Host, Signal, now};
use ucarp_control::calls::{Explain, GetEvents, GetVirtualHosts};
use ucarp_control::types::VirtualHost;

use crate::harness::node::run_on;
use crate::harness::{EAGER, Node, SOON, Segment, between, ip, later, wait_until_time, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// Twice the time in which the group is asked whether a claim is one of its own.
const QUITE_SURE: Duration = Duration::from_secs(1);

/// A host that is not of the group takes the address, and says nothing of it.
fn take(host: &Host, address: &str) {
    let (prefix, more): (&str, &[&str]) = if ip(address).is_ipv4() { ("32", &[]) } else { ("128", &["nodad"]) };
    let address = format!("{address}/{prefix}");
    run_on(host, "ip", &[&["addr", "add", &address, "dev", "eth0"], more].concat());
}

/// The host says that the address is its own, with ARP.
fn claim(segment: &Segment, octet: u8, address: IpAddr) {
    let mac = MacAddr([0x02, 0, 0, 0, 0, octet]);
    let frame = match address {
        IpAddr::V4(address) => frame::gratuitous_arp(mac, address),
        IpAddr::V6(address) => frame::unsolicited_na(mac, address, false),
    };
    segment.lab.inject(&frame).expect("frames can be sent");
}

/// What is known of the virtual host.
#[track_caller]
fn status(node: &Node) -> VirtualHost {
    let call = GetVirtualHosts { virtual_host: Some("web".into()) };
    let reply = node.client().call(&call).unwrap_or_else(|error| panic!("{error}; it said:\n{}", node.said()));
    reply.virtual_host.expect("there is one")
}

/// Waits until a claim of a stranger counts: the first seconds after a takeover are those of the former master.
fn settle(node: &Node) {
    let master = node.wait_for_line("Switching to state: MASTER", 0);
    wait_until_time(later(master, Duration::from_secs(4)));
}

#[test]
fn who_answers_before_the_first_takeover_is_named_and_the_address_is_defended() {
    let segment = Segment::new();
    let (stranger, mut node) = (segment.host(9), segment.node(2));
    take(&stranger, V4);
    node.start(&web(&[V4], ""));
    let text =
        format!("Address conflict: {V4} is also at 02:00:00:00:00:09, no known host of this group: announcing it");
    let told = node.wait_for_line(&text, 0);
    let master = node.wait_for_line("Switching to state: MASTER", 0);
    // Both lines belong to one moment.
    assert!(between(told, master) < QUITE_SURE, "{}", node.said());
    node.wait_for(ip(V4));
    segment.wait_for_announcement(&node.host, ip(V4), told);
    let host = status(&node);
    let conflict = host.conflict.expect("there is one");
    assert_eq!((conflict.address.as_str(), conflict.mac.as_str(), conflict.peer), (V4, "02:00:00:00:00:09", None));
    assert_eq!(conflict.answer, "defend");
    assert!(host.counters["conflicts"] >= 1 && host.counters["probes"] >= 2, "{:?}", host.counters);
}

#[test]
fn who_yields_does_not_take_an_address_that_somebody_else_has_and_takes_it_when_it_is_free() {
    let segment = Segment::new();
    let (stranger, mut node) = (segment.host(9), segment.node(2));
    for address in [V4, V6] {
        take(&stranger, address);
    }
    node.start(&web(&[V4, V6], &format!("{EAGER}\nconflict = \"yield\"\nhold-down = \"2s\"")));
    node.wait_for_line("Address conflict: ", 0);
    node.wait_for_line("Not listening: another machine has the address", 0);
    // It tries again after the hold-down, and again.
    let again = node.wait_for_line("Listening as BACKUP", now());
    node.wait_for_line("Not listening: another machine has the address", again);
    assert_eq!(node.lines("Switching to state: MASTER", 0), 0, "{}", node.said());
    assert!(!node.holds(ip(V4)) && !node.holds(ip(V6)));
    run_on(&stranger, "ip", &["addr", "flush", "dev", "eth0"]);
    node.wait_for(ip(V4));
    node.wait_for(ip(V6));
}

#[test]
fn a_stranger_that_turns_up_while_master_is_answered_told_once_and_counted() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4, V6], EAGER));
    settle(&node);
    let since = now();
    for address in [V4, V6] {
        claim(&segment, 9, ip(address));
        node.wait_for_line(&format!("Address conflict: {address} is also at 02:00:00:00:00:09, no known host"), since);
        if address == V4 {
            segment.wait_for_announcement(&node.host, ip(V4), since);
            // Nobody new is suspected for a while.
            (0..20).for_each(|_| claim(&segment, 9, ip(V4)));
            let known = || status(&node).conflict.map_or(0, |it| it.claims);
            assert!(netlab::wait_until(SOON, || known() == 21), "{} claims", known());
            assert_eq!(node.lines("Address conflict", since), 1, "{}", node.said());
            wait_until_time(later(since, Duration::from_secs(11)));
        }
    }
    let mut client = node.client();
    let replies = client.call_more(&GetEvents::default()).expect("it can be asked");
    let events: Vec<_> = replies.filter_map(|reply| reply.expect("it answers").event).collect();
    assert!(events.iter().any(|event| event.cause == "address-conflict"), "{events:?}");
    let explained = node.client().call(&Explain { virtual_host: "web".into() }).expect("it answers").explanation;
    assert!(explained.warnings.iter().any(|line| line.contains("was also at 02:00:00:00:00:09")), "{explained:?}");
    assert_eq!(node.lines("Switching to state: BACKUP", since), 0);
}

#[test]
fn another_interface_of_this_host_is_no_stranger_as_long_as_it_is_there() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.run("ip", &["link", "add", "other", "address", "02:00:00:00:00:21", "type", "bridge"]);
    node.start(&web(&[V4], EAGER));
    settle(&node);
    let claims = || {
        claim(&segment, 0x21, ip(V4));
        node.lines("Address conflict", 0) > 0
    };
    assert!(!netlab::wait_until(QUITE_SURE, claims), "{}", node.said());
    node.run("ip", &["link", "delete", "other"]);
    assert!(netlab::wait_until(SOON, claims), "{}", node.said());
}

#[test]
fn a_master_that_yields_leaves_the_address_with_a_goodbye() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    node.start(&web(&[V4], &format!("{EAGER}\nconflict = \"yield\"")));
    settle(&node);
    peer.start(&web(&[V4], "advskew = 100"));
    let since = node.moment();
    claim(&segment, 9, ip(V4));
    node.wait_for_line("Leaving, and advertising until the address is gone: another machine has the address", since);
    segment.wait_for_goodbye(&node.host, 1, since);
    peer.wait_for(ip(V4));
    assert!(!node.holds(ip(V4)));
}

#[test]
fn a_host_of_the_group_that_kept_the_address_is_named_as_such() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    node.start(&web(&[V4], "advskew = 100"));
    // It holds the address for ever, and is killed with it.
    peer.start(&web(&[V4], "preempt = true\nlease = \"none\""));
    peer.wait_for(ip(V4));
    node.wait_for_line("Listening as BACKUP", 0);
    segment.wait_for_advertisement(&peer.host, 1, node.moment());
    peer.signal(Signal::KILL);
    let told =
        node.wait_for_line(&format!("Address conflict: {V4} is also at 02:00:00:00:00:03, 10.0.0.3 of this group"), 0);
    assert!(told > node.wait_for_line("Switching to state: MASTER", 0));
}

#[test]
fn takeovers_handovers_and_returns_are_no_conflicts() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    node.start(&web(&[V4, V6], "preempt = true\nconflict = \"yield\""));
    peer.start(&web(&[V4, V6], "advskew = 100\nconflict = \"yield\""));
    node.wait_for(ip(V4));
    let told = peer.moment();
    node.signal(Signal::USR2);
    peer.wait_for_line("Switching to state: MASTER", told);
    // It takes the address back.
    let back = node.wait_for_line("Switching to state: MASTER", told);
    peer.wait_without(ip(V4));
    node.signal(Signal::KILL);
    peer.wait_for_line("Switching to state: MASTER", back);
    let killed = now();
    // Until a dead master's address would have been asked for.
    wait_until_time(later(killed, Duration::from_secs(5)));
    for host in [&node, &peer] {
        assert_eq!(host.lines("Address conflict", 0), 0, "{}", host.said());
    }
    assert!(peer.holds(ip(V4)), "{}", peer.said());
}

#[test]
fn a_flood_of_claims_costs_a_bounded_time_and_no_advertisement() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4], EAGER));
    settle(&node);
    let since = now();
    // Some thousands, each with another Ethernet address.
    netlab::wait_until(Duration::from_secs(3), || {
        for number in 0..=255 {
            let mac = MacAddr([0x02, 0, 0, 0, 1, number]);
            let frame = frame::gratuitous_arp(mac, [10, 0, 0, 100].into());
            segment.lab.inject(&frame).expect("frames can be sent");
        }
        false
    });
    let advertised = segment.advertisements(&node.host, 1, since).len();
    assert!(advertised >= 2, "{advertised} advertisements in 3 s");
    let host = status(&node);
    // Of 512 frames in a second only those of one stranger in ten seconds are counted.
    assert!(host.counters["conflicts"] <= 20, "{:?}", host.counters);
    assert!(node.lines("Address conflict", since) <= 2, "{}", node.said());
}
