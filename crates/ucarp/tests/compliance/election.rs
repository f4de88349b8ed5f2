//! Two hosts decide who is MASTER: both programs decide alike, also about each other.

use std::net::Ipv4Addr;
use std::time::Duration;

use carp_core::wire::MacAddr;
use netlab::Direction;

use crate::harness::{Group, Node, Program, between, differs, in_parallel, later, pairs, wait_until_time};

/// With a dead ratio of 2 a host with `-b 1` is MASTER 2 s after its start.
const SHORT: [&str; 2] = ["-r", "2"];

/// Longer than the dead time of a host with [`SHORT`] options, with all of UCARP's roundings.
const LONG: Duration = Duration::from_millis(4500);

/// 10.0.0.2 and 10.0.0.3 on one segment.
fn two_hosts((first, second): (Program, Program)) -> (Group, Node, Node) {
    let group = Group::new();
    let (first, second) = (group.node(2, first), group.node(3, second));
    (group, first, second)
}

fn start(node: &mut Node, more: &[&str]) {
    node.start(&[&SHORT, more].concat());
}

/// Starts a host and waits until it is MASTER. Returns when it first advertised.
fn start_master(group: &Group, node: &mut Node, more: &[&str]) -> u64 {
    let since = netlab::now();
    start(node, more);
    node.wait_for_mastery(group, since)
}

/// Watches for a while that the one host stays MASTER and the other BACKUP.
fn assert_nothing_changes(group: &Group, master: &Node, backup: &Node, duration: Duration) {
    let since = netlab::now();
    wait_until_time(later(since, duration));
    assert_eq!(group.advertisements_of(backup, since), [] as [u64; 0], "the BACKUP advertised:\n{}", backup.said());
    assert!(!group.advertisements_of(master, since).is_empty(), "the MASTER is silent:\n{}", master.said());
    assert_eq!((master.changes(since), backup.changes(since)), (vec![], vec![]));
    assert!(master.holds_vip() && !backup.holds_vip());
}

#[test]
fn a_backup_accepts_an_equal_master_and_stays_backup() {
    in_parallel(pairs(), |pair| {
        let (group, mut backup, mut master) = two_hosts(pair);
        start_master(&group, &mut master, &[]);
        // Preemption displaces slower masters only.
        start(&mut backup, &["-P"]);
        assert_nothing_changes(&group, &master, &backup, LONG);
        assert!(!backup.has_said("Bad digest") && !master.has_said("Bad digest"));
    });
}

#[test]
fn without_preemption_a_slower_master_stays() {
    in_parallel(pairs(), |pair| {
        let (group, mut better, mut worse) = two_hosts(pair);
        start_master(&group, &mut worse, &["-k", "100"]);
        start(&mut better, &[]);
        assert_nothing_changes(&group, &worse, &better, LONG);
    });
}

#[test]
fn with_preemption_a_slower_master_is_displaced() {
    in_parallel(pairs(), |pair| {
        let (group, mut better, mut worse) = two_hosts(pair);
        start_master(&group, &mut worse, &["-k", "100"]);
        let since = netlab::now();
        start(&mut better, &["-P"]);
        better.wait_for_mastery(&group, since);
        worse.wait_without_vip();
        better.wait_for_line("Putting MASTER down - preemption");
        worse.wait_for_line("Preferred master advertised: going back to BACKUP state");
        assert_nothing_changes(&group, &better, &worse, Duration::from_secs(3));
    });
}

/// What an operator measured: a host with `-b 1` comes back and finds a MASTER with a longer interval.
fn host_with_base_1_returns(pair: (Program, Program), interval: &[&str], more: &[&str]) -> (Group, Node, Node, u64) {
    let (group, mut returning, mut master) = two_hosts(pair);
    // A dead ratio of 1 makes this lone host MASTER early and says nothing about the other one.
    let first = start_master(&group, &mut master, &[interval, &["-r", "1"]].concat());
    // A later advertisement than this one is heard long before the dead time is over.
    wait_until_time(later(first, Duration::from_secs(1)));
    let since = netlab::now();
    returning.start(&[&["-b", "1"], more].concat());
    (group, returning, master, since)
}

fn assert_takes_over((group, returning, master, since): &(Group, Node, Node, u64)) {
    returning.wait_for_mastery(group, *since);
    assert_eq!(group.wait_for_one_master(&[returning, master]).address, returning.address);
}

#[test]
fn base_1_does_not_take_over_from_base_2_since_it_hears_it() {
    in_parallel(pairs(), |pair| {
        let (group, returning, master, _) = host_with_base_1_returns(pair, &["-b", "2"], &[]);
        assert_nothing_changes(&group, &master, &returning, Duration::from_secs(7));
    });
}

#[test]
fn base_1_takes_over_from_a_master_that_is_rarer_than_its_dead_time() {
    in_parallel(pairs(), |pair| {
        let hosts = host_with_base_1_returns(pair, &["-b", "3", "-k", "1"], &[]);
        assert_takes_over(&hosts);
        hosts.1.wait_for_line("Putting MASTER DOWN (going to time out)");
    });
}

#[test]
fn base_1_against_base_3_is_a_race_for_ucarp_and_decided_by_ours() {
    in_parallel(pairs(), |pair| {
        let hosts = host_with_base_1_returns(pair, &["-b", "3"], &[]);
        // Two advertisements of the MASTER.
        let decided = netlab::wait_until(Duration::from_secs(7), || hosts.1.has_said("going to time out"));
        differs("T01", hosts.1.program, &decided, &false, &true);
        if decided {
            assert_takes_over(&hosts);
        }
    });
}

#[test]
fn base_1_with_preemption_takes_over_in_either_case() {
    let cases = pairs().into_iter().flat_map(|pair| ["2", "3"].map(|base| (pair, base)));
    in_parallel(cases, |(pair, base)| {
        assert_takes_over(&host_with_base_1_returns(pair, &["-b", base], &["-P"]));
    });
}

/// Two equal hosts become MASTER apart from each other and are then joined: the first one stays, and there is always one.
fn heal(group: &Group, mut winner: Node, mut loser: Node) {
    loser.host.silence(Direction::Both).expect("a host can be silenced");
    let start = netlab::now();
    winner.start(&SHORT);
    loser.start(&SHORT);
    winner.wait_for_mastery(group, start);
    loser.wait_for_mastery(group, start);
    let healed = netlab::now();
    loser.host.unsilence().expect("a host can be heard again");
    loser.wait_without_vip();
    assert_eq!(group.wait_for_one_master(&[&winner, &loser]).address, winner.address);
    assert_eq!(winner.changes(healed), [], "the winner of the tie never leaves, so that there is always a MASTER");
    let changes = loser.changes(healed);
    assert!(matches!(changes[..], [(_, false)]), "the loser leaves once and for all: {changes:?}\n{}", loser.said());
    // UCARP reads within a second; ours answers a first advertisement and leaves at the second.
    assert!(between(healed, changes[0].0) < Duration::from_secs(3), "two masters for long after {healed}: {changes:?}");
}

#[test]
fn equal_masters_that_are_joined_become_one_the_lower_address() {
    in_parallel(pairs(), |pair| {
        let (group, winner, loser) = two_hosts(pair);
        heal(&group, winner, loser);
    });
}

#[test]
fn of_10_0_0_2_and_10_0_1_1_the_latter_stays() {
    in_parallel(pairs(), |(winner, loser)| {
        let group = Group::new();
        let winner = group.node_at(11, Ipv4Addr::new(10, 0, 1, 1), 16, winner);
        let loser = group.node_at(2, Ipv4Addr::new(10, 0, 0, 2), 16, loser);
        heal(&group, winner, loser);
    });
}

#[test]
fn when_the_masters_host_dies_the_backup_takes_over_after_the_dead_time() {
    in_parallel(pairs(), |pair| {
        let (group, mut master, mut backup) = two_hosts(pair);
        start_master(&group, &mut master, &[]);
        start(&mut backup, &[]);
        let before = netlab::now();
        group.wait_for_advertisement_of(&master, before);
        master.crash();
        let since = netlab::now();
        let takeover = backup.wait_for_mastery(&group, since);
        let last = *group.advertisements_of(&master, before).last().expect("it advertised a moment ago");
        let silence = between(last, takeover);
        let latest = Duration::from_millis(if backup.program == Program::Ours { 2200 } else { 5000 });
        let allowed = Duration::from_millis(1990)..latest;
        assert!(allowed.contains(&silence), "{:?} took over after {silence:?}", backup.program);
    });
}

#[test]
fn hosts_with_different_passwords_are_both_master_and_complain() {
    in_parallel(pairs(), |pair| {
        let (group, mut one, mut other) = two_hosts(pair);
        start(&mut one, &[]);
        start(&mut other, &["-p", "other"]);
        let since = netlab::now();
        one.wait_for_mastery(&group, since);
        other.wait_for_mastery(&group, since);
        for node in [&one, &other] {
            let line = node.wait_for_line("Bad digest - md2=[");
            assert!(line.text.contains("Check vhid, password and virtual IP address"), "{}", line.text);
        }
        wait_until_time(later(netlab::now(), Duration::from_secs(3)));
        assert!(one.holds_vip() && other.holds_vip());
        assert!(one.changes(since).len() == 1 && other.changes(since).len() == 1, "{}\n{}", one.said(), other.said());
    });
}

#[test]
fn broadcast_and_multicast_understand_each_other() {
    in_parallel(pairs(), |pair| {
        let (group, mut broadcast, mut multicast) = two_hosts(pair);
        start_master(&group, &mut broadcast, &["-M", "-k", "20"]);
        let (_, seen) = group.wait_for_advertisement(LONG, |_, _| true);
        assert_eq!(seen.dst_mac, MacAddr::BROADCAST);
        assert_eq!(seen.dst, Ipv4Addr::new(224, 0, 0, 18));
        start(&mut multicast, &[]);
        assert_nothing_changes(&group, &broadcast, &multicast, LONG);
    });
}

#[test]
fn broadcast_hears_multicast() {
    in_parallel(pairs(), |pair| {
        let (group, mut broadcast, mut multicast) = two_hosts(pair);
        start_master(&group, &mut multicast, &[]);
        start(&mut broadcast, &["-M"]);
        assert_nothing_changes(&group, &multicast, &broadcast, LONG);
    });
}

#[test]
fn another_group_works_and_does_not_hear_the_ordinary_one() {
    const OTHER: &str = "--mcast=239.192.0.1";
    in_parallel(pairs(), |pair| {
        let (group, mut master, mut backup) = two_hosts(pair);
        start_master(&group, &mut master, &[OTHER]);
        let (_, seen) = group.wait_for_advertisement(LONG, |_, _| true);
        assert_eq!((seen.dst_mac, seen.dst), (MacAddr([1, 0, 0x5e, 0x40, 0, 1]), Ipv4Addr::new(239, 192, 0, 1).into()));
        start(&mut backup, &[OTHER]);
        assert_nothing_changes(&group, &master, &backup, LONG);
        let mut stranger = group.node(4, pair.1);
        start_master(&group, &mut stranger, &[]);
        assert_nothing_changes(&group, &master, &backup, Duration::from_secs(2));
        assert!(stranger.holds_vip() && !stranger.has_said("Bad digest"));
    });
}

#[test]
fn hosts_that_start_together_settle_on_one() {
    in_parallel(pairs(), |pair| {
        let (group, mut one, mut other) = two_hosts(pair);
        one.start(&SHORT);
        other.start(&SHORT);
        group.wait_for_one_master(&[&one, &other]);
        assert!(one.changes(0).len() <= 3 && other.changes(0).len() <= 3, "{}\n{}", one.said(), other.said());
    });
}
