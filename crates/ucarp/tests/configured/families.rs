//! Virtual hosts of both families, of IPv6 alone, and with link-local addresses.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::timing::Interval;
use netlab::now;

use crate::harness::{
    EAGER, Forger, Node, PASSWORD, SOON, Segment, between, in_parallel, ip, later, wait_until_time, web,
};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";
const LINK_LOCAL: &str = "fe80::100";

/// A BACKUP takes over this soon after a goodbye.
const AT_ONCE: Duration = Duration::from_millis(500);

/// How long a group that must stay as it is, is watched.
const WATCH: Duration = Duration::from_secs(5);

/// The sources of a host's advertisements.
fn sources(segment: &Segment, node: &Node, since: u64) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let heard = segment.heard(&node.host, 1, since).into_iter();
    heard.map(|(_, received, _)| received.src).partition(IpAddr::is_ipv4)
}

#[test]
fn a_goodbye_lets_the_other_host_take_over_at_once_in_every_family() {
    let lists: [&[&str]; 4] = [&[V4], &[V6], &[V4, V6], &[V4, V6, LINK_LOCAL]];
    in_parallel(lists, |addresses| {
        let segment = Segment::new();
        let (mut master, mut peer) = segment.pair();
        master.start(&web(addresses, EAGER));
        for address in addresses {
            master.wait_for(ip(address));
        }
        let since = now();
        peer.start(&web(addresses, "advskew = 50"));
        peer.wait_for_line("web: Listening as BACKUP", 0);
        segment.wait_for_advertisement(&master.host, 1, now());
        wait_until_time(later(since, WATCH));
        assert_eq!(peer.changes("web", since).iter().filter(|(_, master)| *master).count(), 0, "{}", peer.said());
        let (v4, v6) = sources(&segment, &master, since);
        let has = |v4: bool| addresses.iter().any(|address| ip(address).is_ipv4() == v4);
        assert_eq!((!v4.is_empty(), !v6.is_empty()), (has(true), has(false)), "{addresses:?}");
        assert!(v4.iter().all(|source| *source == ip("10.0.0.2")), "{v4:?}");
        assert!(v6.iter().all(|source| *source == ip("fe80::ff:fe00:2")), "{v6:?}");

        master.end();
        let goodbye = segment.goodbyes(&master.host, 1, since);
        assert_eq!(goodbye.len(), usize::from(has(true)) + usize::from(has(false)), "one in each family");
        for address in addresses {
            let announced = segment.wait_for_announcement(&peer.host, ip(address), goodbye[0]);
            let after = between(goodbye[0], announced);
            println!("{address} of {addresses:?} was taken over {after:?} after the goodbye");
            assert!(after <= AT_ONCE, "{after:?}\n{}", peer.said());
            peer.wait_for(ip(address));
        }
    });
}

#[test]
fn either_family_alone_keeps_a_backup_quiet() {
    in_parallel(["10.0.0.9", "fe80::9"], |source| {
        let segment = Segment::new();
        let mut node = segment.node(2);
        node.start(&web(&[V4, V6], "dead-ratio = 2\nadvskew = 50"));
        // Another host of both families whose advertisements of one are all lost.
        let forger = Forger::new(1, PASSWORD, &[V4, V6], source);
        let start = now();
        for second in 0..=WATCH.as_secs() {
            wait_until_time(later(start, Duration::from_secs(second)));
            forger.advertise(&segment, Interval { advbase: 1, advskew: 0 }, 0);
        }
        let silent = now();
        assert!(node.changes("web", 0).iter().all(|(_, master)| !master), "{}", node.said());
        assert!(segment.wait_for_advertisement(&node.host, 1, start) > silent);
        node.wait_for_line(&format!("{source} (advbase 1 advskew 0) was silent for"), silent);
    });
}

#[test]
fn a_host_of_ipv6_alone_waits_for_its_link_local_address() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    // Duplicates are looked for by so many questions, a second apart.
    node.host.set_sysctl("ipv6/conf/default/dad_transmits", "4").expect("it can be set");
    node.host.delete_interface().expect("it can be deleted");
    node.start(&web(&[V6], EAGER));
    let made = now();
    node.host.recreate_interface().expect("it can be made");
    let own = ip("fe80::ff:fe00:2");
    let tentative = || node.find(own).is_some_and(|found| found.tentative);
    assert!(netlab::wait_until(SOON, tentative), "{}", node.said());
    let listening = node.wait_for_line("web: Listening as BACKUP", made);
    assert!(!tentative(), "{}", node.said());
    println!("it listened {:?} after the interface was made", between(made, listening));
    let first = segment.wait_for_advertisement(&node.host, 1, made);
    assert!(first >= listening);
    let (v4, v6) = sources(&segment, &node, made);
    assert!(v4.is_empty() && v6.iter().all(|source| *source == own), "{v4:?} {v6:?}");
    assert_eq!(segment.advertisements(&node.host, 1, 0).iter().filter(|at| **at < listening).count(), 0);
    node.wait_for(ip(V6));
}

#[test]
fn either_form_of_the_digest_of_a_link_local_address_is_understood() {
    in_parallel([("include", "omit"), ("omit", "include")], |(first, second)| {
        let segment = Segment::new();
        let (mut master, mut peer) = segment.pair();
        let form = |form: &str| format!("link-local-digest = \"{form}\"");
        master.start(&web(&[V4, LINK_LOCAL], &format!("{EAGER}\n{}", form(first))));
        master.wait_for(ip(LINK_LOCAL));
        let since = now();
        peer.start(&web(&[V4, LINK_LOCAL], &format!("advskew = 50\n{}", form(second))));
        wait_until_time(later(since, WATCH));
        assert!(!peer.holds(ip(LINK_LOCAL)) && peer.lines("Bad digest", 0) == 0, "{}", peer.said());
        // The shared address is never the one to advertise from.
        let (_, v6) = sources(&segment, &master, since);
        assert!(!v6.is_empty() && v6.iter().all(|source| *source == ip("fe80::ff:fe00:2")), "{v6:?}");
        master.end();
        peer.wait_for(ip(LINK_LOCAL));
    });
}
