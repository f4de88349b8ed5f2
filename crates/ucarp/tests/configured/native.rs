//! Addresses that the daemon holds itself: how they come, how they look, and how they go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use netlab::{Signal, now};
use ucarp_control::calls::Demote;
use ucarp_sys::address::PROTOCOL;

use crate::harness::{EAGER, Node, SOON, Segment, ip, later, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// Longer than the lease, which is 3 s.
const WATCH: Duration = Duration::from_secs(5);

/// So many addresses that adding or removing all of them takes much longer than looking whether they are there.
fn many() -> Vec<IpAddr> {
    let v4 = (0..150).map(|number| IpAddr::V4(Ipv4Addr::new(10, 0, 1, number)));
    let v6 = (0..150).map(|number| IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number)));
    v4.chain(v6).collect()
}

fn eager_master(segment: &Segment, addresses: &[&str], more: &str) -> Node {
    let mut node = segment.node(2);
    node.start(&web(addresses, &format!("{EAGER}\n{more}")));
    for address in addresses {
        node.wait_for(ip(address.split('/').next().expect("there is a first part")));
    }
    node
}

#[test]
fn addresses_have_a_lease_that_is_renewed_and_the_mark_of_the_daemon() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4, V6], ""));
    node.wait_for(ip(V4));
    node.wait_for(ip(V6));
    let start = now();
    let mut looks = 0;
    netlab::wait_until(WATCH, || {
        for (address, prefix_len) in [(V4, 32), (V6, 128)] {
            let found = node.find(ip(address)).unwrap_or_else(|| panic!("{address} is gone:\n{}", node.said()));
            assert_eq!(found.at.prefix_len, prefix_len, "{found:?}");
            assert!(found.valid.is_some_and(|valid| valid <= Duration::from_secs(3)), "{found:?}");
            assert!(found.protocol == Some(PROTOCOL) && !found.tentative, "{found:?}");
        }
        looks += 1;
        now() >= later(start, WATCH)
    });
    assert!(looks > 20, "it was looked at {looks} times");
    let listed = node.run("ip", &["addr", "show", "dev", "eth0"]);
    let line = listed.lines().find(|line| line.contains("10.0.0.100/32")).expect("ip shows it");
    assert!(line.contains("dynamic") && line.contains("noprefixroute"), "{listed}");
}

#[test]
fn a_demoted_master_renews_its_leases_more_often_than_it_advertises() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    // An advertisement every 1.94 s, and a lease of 2 s, which is right for the one second that is configured.
    node.start(&web(&[V4, V6], "dead-ratio = 1\nlease = \"2s\""));
    node.wait_for(ip(V4));
    let demote = Demote { virtual_host: Some("web".into()), name: Some("test".into()), by: 240 };
    node.client().call(&demote).expect("it can be demoted");
    node.wait_for_line("advskew 240 instead of 0", 0);
    let since = node.moment();
    let (mut looks, mut old) = (0_u32, 0_u32);
    netlab::wait_until(Duration::from_secs(8), || {
        for address in [V4, V6] {
            let found = node.find(ip(address)).unwrap_or_else(|| panic!("{address} is gone:\n{}", node.said()));
            looks += 1;
            old += u32::from(found.valid.expect("it is leased") < Duration::from_secs(2));
        }
        false
    });
    let advertised = segment.advertisements(&node.host, 1, since);
    // In each of both families.
    assert!(advertised.len() <= 2 * 5, "{} advertisements in 8 s", advertised.len());
    // The kernel tells whole seconds. Renewed by advertisements alone, leases are more than a second old half of the time.
    assert!(looks > 100 && old < looks / 5, "{old} of {looks} times more than a second old");
    assert_eq!(node.lines("removed by somebody else", 0), 0, "{}", node.said());
}

#[test]
fn prefix_label_scope_and_route_are_as_configured() {
    let segment = Segment::new();
    let more = "label = \"eth0:vip\"\nscope = \"link\"\nprefix-route = false";
    let node = eager_master(&segment, &["10.9.0.100/24", "fd09::100/64"], more);
    let v4 = node.find(ip("10.9.0.100")).expect("it is there");
    assert_eq!((v4.at.prefix_len, v4.label.as_deref()), (24, Some("eth0:vip")));
    assert_eq!(node.find(ip("fd09::100")).expect("it is there").at.prefix_len, 64);
    let listed = node.run("ip", &["addr", "show", "to", "10.9.0.100"]);
    assert!(listed.contains("scope link"), "{listed}");
    let routes = || node.run("ip", &["route"]) + &node.run("ip", &["-6", "route"]);
    assert!(!routes().contains("10.9.0.0/24") && !routes().contains("fd09::/64"), "{}", routes());
    // What decides how an address is added cannot be changed: it is added again.
    node.reload(&web(&["10.9.0.100/24", "fd09::100/64"], EAGER));
    let routed = netlab::wait_until(SOON, || routes().contains("10.9.0.0/24") && routes().contains("fd09::/64"));
    assert!(routed, "{}{}", routes(), node.said());
    let v4 = node.find(ip("10.9.0.100")).expect("it is there");
    assert_eq!(v4.label.as_deref(), Some("eth0"));
}

#[test]
fn announcements_follow_the_addresses_and_goodbyes_their_removal() {
    let segment = Segment::new();
    let addresses = many();
    let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut node = segment.node(2);
    node.start(&web(&texts, EAGER));
    let mut present = Vec::new();
    let held = |node: &Node| {
        let present = node.host.addresses().expect("addresses can be listed");
        addresses.iter().filter(|address| present.contains(address)).count()
    };
    let is_announcement = |bytes: &[u8]| bytes[12..14] == [0x08, 0x06] && bytes[28..31] == [10, 0, 1];
    segment.wait_for_frame(&node.host, 0, |bytes| {
        if is_announcement(bytes) {
            present.push(held(&node));
        }
        is_announcement(bytes)
    });
    assert_eq!(present, [addresses.len()], "at the first announcement all addresses are there");
    let announced = netlab::wait_until(SOON, || {
        let all = segment.all_announcements(&node.host, 0);
        addresses.iter().all(|address| all.iter().any(|(_, announced)| announced == address))
    });
    assert!(announced, "each address is announced, in its family's way");

    let told = now();
    node.signal(Signal::TERM);
    let mut present = Vec::new();
    segment.wait_for_frame(&node.host, told, |bytes| {
        let goodbye = crate::harness::parsed(bytes).is_some_and(|(_, goodbye)| goodbye);
        if goodbye {
            present.push(held(&node));
        }
        goodbye
    });
    assert_eq!(present, [0], "at the goodbye no address is there");
    assert_eq!(node.wait_for_exit().code(), Some(0));
}

#[test]
fn the_up_script_runs_after_the_announcements_and_the_down_script_when_the_addresses_are_gone() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let look = format!("ip -o addr show to {V4}\nip -o addr show to {V6}");
    let (up, down) = (node.write_script("up", &look), node.write_script("down", &look));
    node.start(&web(&[V4, V6], &format!("{EAGER}\nup = \"{up}\"\ndown = [\"{down}\", \"first\", \"second\"]")));
    let at_start = "down first second\n";
    assert!(netlab::wait_until(SOON, || node.script_log().contains(at_start)), "{}", node.said());
    let spawned = node.wait_for_line(&format!("Spawning [{up} eth0 {V4}]"), 0);
    for address in [V4, V6] {
        let announced = segment.wait_for_announcement(&node.host, ip(address), 0);
        assert!(announced <= spawned, "{address} was announced before the script ran:\n{}", node.said());
    }
    node.wait_for_line(&format!("[{up} eth0 {V4}] ended"), 0);
    node.end();
    let log = node.script_log();
    let (before, after) = log.split_once(&format!("up eth0 {V4}\n")).expect("the up script ran once");
    assert_eq!(before, at_start, "nothing was there at the start");
    let (up_saw, down_saw) = after.split_once(at_start).expect("the down script ran last");
    assert!(up_saw.contains(V4) && up_saw.contains(V6) && down_saw.is_empty(), "{log}");
}

#[test]
fn who_cannot_hold_all_addresses_announces_none_and_leaves_them_to_another_host() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    node.host.set_sysctl("ipv6/conf/eth0/disable_ipv6", "1").expect("it can be set");
    node.start(&web(&[V4, V6], "dead-ratio = 1\npreempt = true"));
    node.wait_for_line("Switching to state: MASTER", 0);
    peer.start(&web(&[V4, V6], "advskew = 100"));
    node.wait_for_line("Unable to hold the addresses: leaving them to another host", 0);
    peer.wait_for(ip(V6));
    peer.wait_for(ip(V4));
    segment.catch_up();
    let handed = segment.wait_for_announcement(&peer.host, ip(V4), 0);
    let announced = segment.all_announcements(&node.host, 0);
    let too_early: Vec<_> = announced.iter().filter(|(at, _)| *at < handed).collect();
    assert!(too_early.is_empty(), "{too_early:?}\n{}", node.said());
}
