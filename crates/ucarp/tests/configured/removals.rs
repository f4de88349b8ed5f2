//! Addresses that somebody else removes from a MASTER.

use std::time::Duration;

use netlab::now;

use crate::harness::{EAGER, Node, SOON, Segment, between, ip, later, wait_until_time, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// What the lines about it say.
const LINE: &str = "[WARNING] web: Virtual address removed by somebody else";

/// An address has to be back after this; the aim is 100 ms, and the rest is for a busy machine.
const PROMPT: Duration = Duration::from_secs(1);

/// More removals than this within a minute are a fight; those that follow each other within half a second count as one.
const MOST: usize = 5;

fn master(segment: &Segment, more: &str) -> Node {
    let mut node = segment.node(2);
    node.start(&web(&[V4, V6], more));
    node.wait_for(ip(V4));
    node.wait_for(ip(V6));
    node
}

/// Whether both addresses are back, after how long.
fn back(node: &Node, removed: u64) -> Duration {
    let came = netlab::wait_until(SOON, || node.holds(ip(V4)) && node.holds(ip(V6)));
    assert!(came, "{}", node.said());
    let after = between(removed, now());
    assert!(after <= PROMPT, "{after:?}");
    after
}

#[test]
fn a_removed_address_is_back_at_once_and_logged_once() {
    let segment = Segment::new();
    let node = master(&segment, EAGER);
    let mastery = node.moment();
    for address in [V4, V4, V6, V6] {
        let prefix = if ip(address).is_ipv4() { 32 } else { 128 };
        let removed = now();
        node.host.remove_address(ip(address), prefix).expect("it can be removed");
        println!("{address} was back after {:?}", back(&node, removed));
        segment.wait_for_announcement(&node.host, ip(address), removed);
    }
    for address in [V4, V6] {
        assert_eq!(node.lines(&format!("putting {address} back"), 0), 1, "{}", node.said());
        node.wait_for_line(&format!("{LINE}: 1 more from {address}"), mastery);
    }
    assert_eq!(node.lines(LINE, 0), 4, "a line and a count for each address:\n{}", node.said());
    assert_eq!(node.changes("web", mastery), [], "{}", node.said());
}

#[test]
fn all_addresses_that_are_flushed_at_once_are_back_at_once() {
    let segment = Segment::new();
    let node = master(&segment, &format!("{EAGER}\nsource = \"10.0.0.2\""));
    let mastery = node.moment();
    // The host's own address is not ours to put back: the daemon says so and goes on.
    // It fails if each of its ten rounds finds addresses that are back.
    node.run("sh", &["-c", "ip addr flush dev eth0 scope global || true"]);
    println!("both were back after {:?}", back(&node, mastery));
    node.wait_for_line("The own address 10.0.0.2 was removed from the interface", mastery);
    assert!(!node.holds(ip("10.0.0.2")));
    segment.wait_for_advertisement(&node.host, 1, now());
    assert_eq!(node.changes("web", mastery), [], "{}", node.said());
}

#[test]
fn after_a_fight_the_address_is_left_to_another_host() {
    let segment = Segment::new();
    let node = master(&segment, "dead-ratio = 2");
    let mut peer = segment.node(3);
    peer.start(&web(&[V4, V6], "advskew = 50"));
    let since = node.moment();
    // Between advertisements: renewing its lease would bring the address back before anybody counts.
    let wait_for_a_pause = || {
        let heard = segment.wait_for_advertisement(&node.host, 1, now());
        wait_until_time(later(heard, Duration::from_millis(300)));
    };
    for removal in 1..=MOST {
        wait_for_a_pause();
        let removed = now();
        node.host.remove_address(ip(V4), 32).expect("it can be removed");
        back(&node, removed);
        assert_eq!(node.changes("web", since), [], "removal {removal}:\n{}", node.said());
    }
    wait_for_a_pause();
    let last = now();
    node.host.remove_address(ip(V4), 32).expect("it can be removed");
    node.wait_for_line("web: Addresses were removed 6 times in 60 s", last);
    node.wait_for_line("web: Unable to hold the addresses: leaving them to another host", last);
    segment.wait_for_goodbye(&node.host, 1, last);
    let taken = peer.wait_for(ip(V4));
    println!("the other host had the address {:?} after the last removal", between(last, taken));
    peer.wait_for(ip(V6));
    node.wait_without(ip(V4));
    node.wait_without(ip(V6));
    wait_until_time(later(taken, Duration::from_secs(3)));
    assert!(peer.holds(ip(V4)) && !node.holds(ip(V4)), "it stays there");
}
