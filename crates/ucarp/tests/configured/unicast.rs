//! Peers that are told one by one.

use std::net::IpAddr;
use std::time::Duration;

use netlab::{Host, Signal, now};

use crate::harness::{Node, Segment, in_parallel, ip, later, node, parsed, wait_until_time, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

const WATCH: Duration = Duration::from_secs(5);

fn config(peers: &[&str], more: &str) -> String {
    web(&[V4, V6], &format!("transport = \"unicast\"\npeers = {peers:?}\ndead-ratio = 2\n{more}"))
}

/// Where the advertisements of a host went to from `since` on.
fn destinations(segment: &Segment, host: &Host, since: u64) -> Vec<IpAddr> {
    let mut all: Vec<_> = segment.heard(host, 1, since).into_iter().map(|(_, received, _)| received.dst).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Asserts that no advertisement went to a group, of IP or of Ethernet.
fn assert_no_multicast(segment: &Segment) {
    segment.catch_up();
    for frame in segment.tap.frames() {
        if let Some((received, _)) = parsed(&frame.bytes) {
            assert!(!received.dst.is_multicast() && received.dst_mac.0[0] & 1 == 0, "{received:?} from {}", frame.port);
        }
    }
}

/// The first host dies and the second takes over; the first returns and gets it all back by its preference.
fn fail_over_and_back(segment: &Segment, nodes: &mut [Node; 2], configs: &[String; 2]) {
    let [first, second] = nodes;
    let killed = now();
    first.signal(Signal::KILL);
    for address in [V4, V6] {
        segment.wait_for_announcement(&second.host, ip(address), killed);
        second.wait_for(ip(address));
        first.wait_without(ip(address));
    }
    let back = now();
    first.start(&configs[0]);
    for address in [V4, V6] {
        segment.wait_for_announcement(&first.host, ip(address), back);
        first.wait_for(ip(address));
        second.wait_without(ip(address));
    }
    let left = now();
    first.end();
    let goodbye = segment.wait_for_goodbye(&first.host, 1, left);
    let taken = segment.wait_for_announcement(&second.host, ip(V4), left);
    assert!(crate::harness::between(goodbye, taken) < Duration::from_secs(1), "{}", second.said());
}

#[test]
fn peers_of_one_family_or_both_elect_one_master_without_multicast() {
    // What the first host calls the second, and the other way round.
    let peers: [[&[&str]; 2]; 4] = [
        [&["10.0.0.3"], &["10.0.0.2"]],
        [&["fe80::ff:fe00:3"], &["fe80::ff:fe00:2"]],
        [&["10.0.0.3", "fe80::ff:fe00:3"], &["10.0.0.2", "fe80::ff:fe00:2"]],
        [&["10.0.0.3", "10.0.0.77"], &["10.0.0.77", "10.0.0.2"]],
    ];
    in_parallel(peers, |peers| {
        let segment = Segment::new();
        let mut nodes = [segment.node(2), segment.node(3)];
        let configs = [config(peers[0], "preempt = true"), config(peers[1], "advskew = 50")];
        nodes[0].start(&configs[0]);
        nodes[0].wait_for(ip(V4));
        nodes[1].start(&configs[1]);
        nodes[1].wait_for_line("web: Listening as BACKUP", 0);
        segment.wait_for_advertisement(&nodes[0].host, 1, now());
        let since = nodes[1].moment();
        wait_until_time(later(since, WATCH));
        assert_eq!(nodes[1].changes("web", since), [], "{}", nodes[1].said());
        assert!(nodes[0].holds(ip(V4)) && !nodes[1].holds(ip(V4)));
        let reachable: Vec<IpAddr> =
            peers[0].iter().map(|peer| ip(peer)).filter(|peer| *peer != ip("10.0.0.77")).collect();
        assert_eq!(destinations(&segment, &nodes[0].host, since), reachable);
        fail_over_and_back(&segment, &mut nodes, &configs);
        assert_no_multicast(&segment);
    });
}

/// Two hosts in networks of their own, and a router between them, all on one switch.
fn routed(more: &str) -> (Segment, [Node; 2], [String; 2]) {
    let segment = Segment::new();
    let router = segment.host_at(9, ip("10.0.1.9"), 24);
    router.add_address(ip("10.0.2.9"), 24).expect("an address can be added");
    for (setting, value) in [("ip_forward", "1"), ("conf/all/send_redirects", "0"), ("conf/eth0/send_redirects", "0")] {
        router.set_sysctl(&format!("ipv4/{setting}"), value).expect("it can be set");
    }
    let nodes = [(2, "10.0.1.2", "10.0.1.9"), (3, "10.0.2.3", "10.0.2.9")].map(|(octet, own, gateway)| {
        let host = segment.host_at(octet, ip(own), 24);
        node::run_on(&host, "ip", &["route", "add", "default", "via", gateway]);
        segment.daemon(&host, "daemon")
    });
    let configs = [
        config(&["10.0.2.3"], &format!("preempt = true\n{more}")),
        config(&["10.0.1.2"], &format!("advskew = 50\n{more}")),
    ];
    (segment, nodes, configs)
}

#[test]
fn peers_behind_a_router_elect_one_master_if_that_is_allowed() {
    let (segment, mut nodes, configs) = routed("routed = true");
    nodes[0].start(&configs[0]);
    nodes[0].wait_for(ip(V4));
    nodes[1].start(&configs[1]);
    nodes[1].wait_for_line("web: Listening as BACKUP", 0);
    segment.wait_for_advertisement(&nodes[0].host, 1, now());
    let since = nodes[1].moment();
    wait_until_time(later(since, WATCH));
    assert_eq!(nodes[1].changes("web", since), [], "{}", nodes[1].said());
    fail_over_and_back(&segment, &mut nodes, &configs);
    assert_no_multicast(&segment);
}

#[test]
fn peers_behind_a_router_are_refused_otherwise() {
    let (_segment, [mut first, mut second], configs) = routed("");
    first.start(&configs[0]);
    first.wait_for(ip(V4));
    second.start(&configs[1]);
    second.wait_for_line("web: Bad TTL: [254] (from 10.0.1.2", 0);
    second.wait_for(ip(V4));
}

#[test]
fn who_is_no_peer_is_not_heard() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&config(&["10.0.0.3"], ""));
    node.wait_for(ip(V4));
    let mut stranger = segment.node(4);
    stranger.start(&config(&["10.0.0.2"], "preempt = true"));
    let since = node.moment();
    segment.wait_for_advertisement(&stranger.host, 1, since);
    wait_until_time(later(now(), WATCH));
    assert_eq!(node.changes("web", since), [], "{}", node.said());
}

/// Drops what the host sends, or receives, of protocol 112 in this chain.
fn drop_carp(node: &Node, chain: &str) {
    let rules = format!(
        "table inet filter {{ chain {chain} {{ type filter hook {chain} priority 0; meta l4proto 112 counter drop; }}; }}"
    );
    node.run("nft", &[&rules]);
}

#[test]
fn a_firewall_that_drops_what_goes_to_peers_is_named_with_what_mends_it() {
    let segment = Segment::new();
    // The peer has no daemon, but it is there.
    let (mut node, _peer) = (segment.node(2), segment.host(3));
    drop_carp(&node, "output");
    node.start(&config(&["10.0.0.3"], ""));
    node.wait_for_line(
        "Unable to send [eth0]: Operation not permitted (os error 1): the firewall of this host drops",
        0,
    );
    node.run("nft", &["insert", "rule", "inet", "filter", "output", "meta", "l4proto", "112", "accept"]);
    segment.wait_for_advertisement(&node.host, 1, now());
}

#[test]
fn rules_for_what_comes_in_and_for_multicast_that_goes_out_do_not_matter() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    for node in [&node, &peer] {
        drop_carp(node, "input");
    }
    node.start(&config(&["10.0.0.3"], ""));
    node.wait_for(ip(V4));
    peer.start(&config(&["10.0.0.2"], "advskew = 100"));
    let told = peer.moment();
    // It hears the MASTER for longer than its dead time.
    wait_until_time(later(told, WATCH));
    assert_eq!(peer.lines("Switching to state: MASTER", 0), 0, "{}", peer.said());
    node.end();
    peer.wait_for(ip(V4));
    peer.end();
    // Frames for a group do not pass the tables of IP on their way out either.
    drop_carp(&node, "output");
    node.start(&web(&[V4], ""));
    segment.wait_for_advertisement(&node.host, 1, now());
    assert_eq!(node.lines("Unable to send", 0), 0, "{}", node.said());
}
