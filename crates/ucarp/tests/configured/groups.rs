//! Virtual hosts that move together, and patience, on real interfaces.

use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{DEFAULTS, Node, SOON, Segment, ip, later, virtual_host, wait_until_time};

const INSIDE: &str = "10.0.0.100";
const OUTSIDE: &str = "10.0.2.100";

/// A router with an inside address on the segment and an outside one on another interface to it, both of one group.
fn router(segment: &Segment, octet: u8, more: &str) -> Node {
    let mut node = segment.node(octet);
    node.run("ip", &["link", "add", "link", "eth0", "name", "wan", "type", "macvlan", "mode", "bridge"]);
    node.run("ip", &["address", "add", &format!("10.0.2.{octet}/24"), "dev", "wan"]);
    node.run("ip", &["link", "set", "wan", "up"]);
    let together = format!("sync-group = \"router\"\npreempt = true\n{more}");
    let inside = virtual_host("inside", 1, &[INSIDE], &together);
    let outside = virtual_host("outside", 2, &[OUTSIDE], &format!("interface = \"wan\"\n{together}"));
    node.start(&format!("{DEFAULTS}{inside}{outside}"));
    node
}

fn holds_both(node: &Node) -> bool {
    node.holds(ip(INSIDE)) && node.holds(ip(OUTSIDE))
}

fn holds_neither(node: &Node) -> bool {
    !node.holds(ip(INSIDE)) && !node.holds(ip(OUTSIDE))
}

#[track_caller]
fn wait_until_all_at(node: &Node, other: &Node) {
    let moved = netlab::wait_until(SOON, || holds_both(node) && holds_neither(other));
    assert!(moved, "{}:\n{}\n{}:\n{}", node.host.name(), node.said(), other.host.name(), other.said());
}

#[test]
fn a_router_without_its_outside_gives_its_inside_away_and_takes_both_back() {
    let segment = Segment::new();
    let first = router(&segment, 2, "");
    assert!(netlab::wait_until(SOON, || holds_both(&first)), "{}", first.said());
    let second = router(&segment, 3, "advskew = 100");
    segment.wait_for_advertisement(&first.host, 1, now());

    let cut = now();
    first.run("ip", &["link", "set", "wan", "down"]);
    segment.wait_for_goodbye(&first.host, 1, cut);
    wait_until_all_at(&second, &first);
    first.wait_for_line("inside: Said goodbye: another virtual host of its group cannot take part", cut);

    let back = now();
    first.run("ip", &["link", "set", "wan", "up"]);
    wait_until_all_at(&first, &second);
    for name in ["inside", "outside"] {
        first.wait_for_line(&format!("{name}: Switching to state: MASTER"), back);
        second.wait_for_line(&format!("{name}: Switching to state: BACKUP"), back);
    }
    let settled = now();
    wait_until_time(later(settled, Duration::from_secs(5)));
    assert_eq!((first.lines("Switching", settled), second.lines("Switching", settled)), (0, 0), "{}", first.said());
}

#[test]
fn a_hand_over_of_a_router_moves_all_its_addresses() {
    let segment = Segment::new();
    let first = router(&segment, 2, "");
    assert!(netlab::wait_until(SOON, || holds_both(&first)), "{}", first.said());
    let second = router(&segment, 3, "");
    segment.wait_for_advertisement(&first.host, 1, now());
    first.signal(Signal::USR2);
    wait_until_all_at(&second, &first);
}

#[test]
fn a_host_that_was_stopped_is_demoted_for_a_while() {
    let segment = Segment::new();
    let first = router(&segment, 2, "penalty = \"3s\"");
    assert!(netlab::wait_until(SOON, || holds_both(&first)), "{}", first.said());
    let second = router(&segment, 3, "advskew = 100");
    segment.wait_for_advertisement(&first.host, 1, now());
    let stopped = now();
    first.process().signal_all(Signal::STOP).expect("it can be stopped");
    wait_until_all_at(&second, &first);
    first.process().signal_all(Signal::CONT).expect("it can go on");
    first.wait_for_line("inside: Demoted for 3s: this host was stopped", stopped);
    wait_until_all_at(&first, &second);
    assert!(first.lines("(a penalty is over): advskew 0 instead of 240", stopped) > 0, "{}", first.said());
}
