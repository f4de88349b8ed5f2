//! What an earlier run, or somebody else, has left on the host.

use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{EAGER, Segment, ip, later, wait_until_time, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// Waits ten seconds before it takes over: long enough to see what happens at the start.
const PATIENT: &str = "lease = \"none\"\ndead-ratio = 10";

/// What must not happen at the start is watched for this long.
const WATCH: Duration = Duration::from_secs(3);

#[test]
fn what_a_killed_daemon_without_lease_has_left_is_removed_at_start() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4, V6], "dead-ratio = 1\nlease = \"none\""));
    for address in [V4, V6] {
        node.wait_for(ip(address));
        assert_eq!(node.find(ip(address)).expect("it is there").valid, None);
    }
    node.signal(Signal::KILL);
    let killed = now();
    node.wait_for_exit();
    wait_until_time(later(killed, WATCH));
    assert!(node.holds(ip(V4)) && node.holds(ip(V6)), "without a lease nobody removes them");
    node.start(&web(&[V4, V6], PATIENT));
    node.wait_for_line(&format!("web: Removing {V4}/32, which an earlier run left behind"), 0);
    node.wait_for_line(&format!("web: Removing {V6}/128, which an earlier run left behind"), 0);
    node.wait_without(ip(V4));
    node.wait_without(ip(V6));
}

#[test]
fn an_address_that_somebody_else_added_is_warned_of_and_stays() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.host.add_address(ip(V4), 24).expect("an address can be added");
    node.host.add_address(ip(V6), 64).expect("an address can be added");
    node.start(&web(&[V4, V6], PATIENT));
    let start = now();
    node.wait_for_line(&format!("[WARNING] web: {V4}/24 is on this host already, and ucarp did not add it"), 0);
    node.wait_for_line(&format!("[WARNING] web: {V6}/64 is on this host already, and ucarp did not add it"), 0);
    wait_until_time(later(start, WATCH));
    assert!(node.holds(ip(V4)) && node.holds(ip(V6)), "{}", node.said());
    assert_eq!(node.lines("Removing", 0), 0, "{}", node.said());
}

#[test]
fn the_interface_of_a_killed_daemon_with_virtual_mac_is_removed_at_start_and_a_foreign_one_is_not() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4], &format!("{EAGER}\nmac = \"virtual\"")));
    node.wait_for(ip(V4));
    node.signal(Signal::KILL);
    node.wait_for_exit();
    assert!(node.link("carp1").is_some(), "interfaces have no lease");
    node.wait_without(ip(V4));
    node.start(&web(&[V4], "dead-ratio = 10\nmac = \"virtual\""));
    node.wait_for_line("web: Removing the interface carp1, which an earlier run left behind", 0);
    assert!(netlab::wait_until(WATCH, || node.link("carp1").is_none()), "{}", node.said());
    node.end();

    node.run("ip", &["link", "add", "carp1", "type", "veth", "peer", "name", "other"]);
    node.start(&web(&[V4], &format!("{EAGER}\nmac = \"virtual\"")));
    node.wait_for_line("Unable to hold the addresses: leaving them to another host", 0);
    assert!(node.link("carp1").is_some(), "it is not ours");
}
