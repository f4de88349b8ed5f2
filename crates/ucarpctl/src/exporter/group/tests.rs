use ucarp_control::types::{Address, Peer, Timers};

use super::*;
use crate::exporter::testing::{host, virtual_host};

fn master_since(since: u64) -> VirtualHost {
    VirtualHost { since, ..virtual_host(State::Master) }
}

/// The masters of the only group, and the severities of all alarms.
fn judged(hosts: &[Host], now: Instant) -> (Vec<String>, Vec<Severity>) {
    let groups = groups(hosts);
    let [group] = groups.as_slice() else { panic!("{groups:?}") };
    let masters = group.masters(now).iter().map(|member| member.host.name.clone()).collect();
    (masters, alarms(hosts, &groups, now).iter().map(|alarm| alarm.severity).collect())
}

#[test]
fn two_masters_at_once_are_a_split() {
    let now = Instant::now();
    let hosts =
        [host("alpha", vec![master_since(600_000)], 100, now), host("beta", vec![master_since(5_000)], 300, now)];
    assert_eq!(judged(&hosts, now), (vec!["alpha".into(), "beta".into()], vec![Severity::Split]));
}

#[test]
fn one_master_after_the_other_is_none() {
    let now = Instant::now();
    // alpha was asked before beta took over: nobody knows what it has been since.
    let hosts = [host("alpha", vec![master_since(600_000)], 900, now), host("beta", vec![master_since(500)], 0, now)];
    assert_eq!(judged(&hosts, now), (vec![], vec![]));
    // They overlap, but not for longer than it takes to settle it.
    let hosts = [host("alpha", vec![master_since(600_000)], 100, now), host("beta", vec![master_since(800)], 100, now)];
    assert_eq!(judged(&hosts, now), (vec![], vec![]));
}

#[test]
fn an_old_answer_says_nothing_about_now() {
    let now = Instant::now();
    let old = host("alpha", vec![master_since(600_000)], STALE, now);
    assert_eq!(groups(std::slice::from_ref(&old))[0].members[0].state(now), None);
    let failed = Host { problem: Some("no answer".into()), ..host("beta", vec![master_since(600_000)], 100, now) };
    assert_eq!(groups(std::slice::from_ref(&failed))[0].members[0].state(now), None);
    assert_eq!(judged(&[old, failed], now), (vec![], vec![Severity::Notice]));
}

#[test]
fn a_master_that_hears_another_one_is_a_split_without_a_second_page() {
    let now = Instant::now();
    let rival = Peer {
        address: "10.0.0.2".into(),
        mac: None,
        advbase: 1,
        advskew: 0,
        demotion: 0,
        heard_ago: 200,
        advertisements: 9,
        is_master: true,
        stamped: false,
    };
    let with = |since, peer: &Peer| VirtualHost { peers: vec![peer.clone()], ..master_since(since) };
    let split = [host("alpha", vec![with(60_000, &rival)], 0, now)];
    assert_eq!(judged(&split, now).1, [Severity::Split]);
    let settling = [host("alpha", vec![with(1_000, &rival)], 0, now)];
    assert_eq!(judged(&settling, now).1, [], "it has just taken over");
    let gone = Peer { is_master: false, ..rival };
    assert_eq!(judged(&[host("alpha", vec![with(60_000, &gone)], 0, now)], now).1, []);
}

#[test]
fn a_group_without_a_master_and_hosts_in_fault_are_told() {
    let now = Instant::now();
    let fault = VirtualHost { held: false, ..virtual_host(State::Fault) };
    assert_eq!(judged(&[host("alpha", vec![fault.clone()], 0, now)], now).1, [Severity::Bad, Severity::Bad]);
    let served = VirtualHost { master: Some("10.0.0.2".into()), held: true, ..fault };
    assert_eq!(judged(&[host("alpha", vec![served], 0, now)], now).1, [Severity::Notice], "an operator wants it so");
    let waiting = VirtualHost { master: None, since: 3_000, ..virtual_host(State::Backup) };
    assert_eq!(judged(&[host("alpha", vec![waiting.clone()], 0, now)], now).1, [], "it is about to take over");
    let stuck = VirtualHost { since: 60_000, ..waiting };
    assert_eq!(judged(&[host("alpha", vec![stuck], 0, now)], now).1, [Severity::Bad]);
}

#[test]
fn a_group_is_a_vhid_with_its_addresses() {
    let now = Instant::now();
    let address = |address: &str| Address { address: address.into(), held: None, removed_by_others: 0 };
    let with = |addresses: &[&str]| VirtualHost {
        addresses: addresses.iter().map(|text| address(text)).collect(),
        ..virtual_host(State::Backup)
    };
    let hosts = [
        host(
            "alpha",
            vec![with(&["10.0.0.1/24", "10.0.0.2/24"]), VirtualHost { vhid: 2, ..with(&["10.0.0.1"]) }],
            0,
            now,
        ),
        host("beta", vec![with(&["10.0.0.2/32", "10.0.0.1"]), with(&["10.9.9.9"]), with(&[])], 0, now),
        host("gamma", vec![with(&[])], 0, now),
    ];
    let groups = groups(&hosts);
    let sizes: Vec<_> = groups.iter().map(|group| (group.vhid, group.members.len(), group.addresses.len())).collect();
    assert_eq!(sizes, [(1, 1, 0), (1, 1, 0), (1, 2, 2), (1, 1, 1), (2, 1, 1)]);
}

#[test]
fn numbers_of_a_hostile_peer_do_no_harm() {
    let now = Instant::now();
    const LARGEST: u64 = 1 << 62;
    let timers =
        Timers { next_advertisement: None, takeover: None, dead_time: LARGEST, advertisement_interval: LARGEST };
    let hostile = |state| VirtualHost { since: LARGEST, timers, master: None, ..virtual_host(state) };
    let hosts =
        [host("alpha", vec![hostile(State::Backup)], 9_000, now), host("beta", vec![hostile(State::Master)], 0, now)];
    judged(&hosts, now);
}
