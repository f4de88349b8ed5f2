//! The daemon is two processes: either may die or hang, and no address is left behind for it.

use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{Node, SOON, Segment, between, ip, later, wait_until_time, web};

const VIP: &str = "10.0.0.100";

/// Shorter than the usual lease, so that the cases do not take long.
const LEASE: Duration = Duration::from_secs(2);

/// What a busy machine may add to something that is done at once.
const LATE: Duration = Duration::from_millis(700);

/// A MASTER and a BACKUP that has heard it.
fn group(segment: &Segment) -> (Node, Node) {
    let (mut master, mut backup) = segment.pair();
    master.start(&web(&[VIP], "lease = \"2s\""));
    master.wait_for(ip(VIP));
    backup.start(&web(&[VIP], "lease = \"2s\"\nadvskew = 100"));
    segment.wait_for_advertisement(&master.host, 1, now());
    (master, backup)
}

/// The daemon that was MASTER is BACKUP again, and hears the other one.
fn assert_recovered(segment: &Segment, was_master: &Node, is_master: &Node, since: u64) {
    was_master.wait_for_line("web: Listening as BACKUP", since);
    // Longer than a dead time.
    wait_until_time(later(now(), Duration::from_secs(4)));
    assert!(is_master.holds(ip(VIP)) && !was_master.holds(ip(VIP)), "{}", was_master.said());
    assert_eq!(
        segment.advertisements(&was_master.host, 1, later(since, SOON / 4)),
        [] as [u64; 0],
        "{}",
        was_master.said()
    );
}

#[test]
fn an_engine_that_is_killed_leaves_no_address_and_its_will_is_executed() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let killed = now();
    master.process().signal_children(Signal::KILL);
    let gone = master.wait_without(ip(VIP));
    let goodbye = segment.wait_for_goodbye(&master.host, 1, killed);
    let taken = segment.wait_for_announcement(&backup.host, ip(VIP), killed);
    println!("gone after {:?}, taken {:?} after the goodbye", between(killed, gone), between(goodbye, taken));
    assert!(between(killed, gone) < LATE && between(goodbye, taken) < LATE);
    master.wait_for_line("ended with signal 9", killed);
    assert_recovered(&segment, &master, &backup, killed);
}

#[test]
fn an_engine_that_hangs_is_replaced_and_leaves_no_address() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let stopped = now();
    master.process().signal_children(Signal::STOP);
    let gone = master.wait_without(ip(VIP));
    println!("gone after {:?}", between(stopped, gone));
    assert!(between(stopped, gone) < Duration::from_secs(3) + LATE);
    segment.wait_for_announcement(&backup.host, ip(VIP), stopped);
    assert_recovered(&segment, &master, &backup, stopped);
}

#[test]
fn an_engine_without_guardian_says_goodbye_when_the_lease_is_over_and_not_before() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let killed = now();
    let engine = master.process().children()[0];
    master.process().signal(Signal::KILL).expect("it can be killed");
    let gone = master.wait_without(ip(VIP));
    let goodbye = segment.wait_for_goodbye(&master.host, 1, killed);
    println!("gone after {:?}, goodbye after {:?}", between(killed, gone), between(killed, goodbye));
    master.wait_for_line("The guardian has died, and the addresses are gone: leaving", killed);
    assert!(goodbye + 20_000_000 >= gone, "it said goodbye {:?} before the address was gone", between(goodbye, gone));
    assert!(between(killed, goodbye) < LEASE + Duration::from_secs(3) + LATE);
    backup.wait_for(ip(VIP));
    let over = netlab::wait_until(SOON, || !master.host.processes().is_ok_and(|all| all.contains(&engine)));
    assert!(over, "the engine is still there");
}

#[test]
fn a_guardian_that_hangs_costs_a_failover_and_no_second_master() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let stopped = now();
    master.process().signal(Signal::STOP).expect("it can be stopped");
    let gone = master.wait_without(ip(VIP));
    let goodbye = segment.wait_for_goodbye(&master.host, 1, stopped);
    assert!(goodbye + 20_000_000 >= gone, "it said goodbye {:?} before the address was gone", between(goodbye, gone));
    backup.wait_for(ip(VIP));
    let woken = now();
    master.process().signal(Signal::CONT).expect("it can be woken");
    assert_recovered(&segment, &master, &backup, woken);
}

#[test]
fn an_engine_without_guardian_serves_what_scripts_hold_until_it_is_told_to_end() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let script = |name, verb| node.write_script(name, &format!("exec ip addr {verb} $2/32 dev $1"));
    let (up, down) = (script("up", "add"), script("down", "del"));
    let more = format!("hold = \"scripts\"\nneutral = true\ndead-ratio = 1\nup = {up:?}\ndown = {down:?}");
    node.start(&web(&[VIP], &more));
    node.wait_for(ip(VIP));
    let killed = now();
    let engine = node.process().children()[0];
    node.process().signal(Signal::KILL).expect("it can be killed");
    node.wait_for_line("The guardian has died, and the address is still here: staying MASTER", killed);
    // Longer than a dead time of its peers.
    wait_until_time(later(now(), Duration::from_secs(4)));
    segment.wait_for_advertisement(&node.host, 1, now());
    assert_eq!(segment.goodbyes(&node.host, 1, killed), [] as [u64; 0]);
    let pid = engine.to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().is_ok_and(|status| status.success()));
    let over = netlab::wait_until(SOON, || !node.host.processes().is_ok_and(|all| all.contains(&engine)));
    assert!(over, "it ignores SIGTERM");
    assert_eq!(segment.goodbyes(&node.host, 1, killed), [] as [u64; 0], "the address is still here");
}

#[test]
fn signals_that_reach_both_processes_count_once() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let told = now();
    // As `pkill -USR2 ucarp` does.
    master.process().signal_all(Signal::USR2).expect("it can be signalled");
    segment.wait_for_announcement(&backup.host, ip(VIP), told);
    wait_until_time(later(told, Duration::from_secs(1)));
    assert_eq!(master.changes("web", told).len(), 1, "{}", master.said());
    master.process().signal_all(Signal::TERM).expect("it can be signalled");
    assert_eq!(master.wait_for_exit().code(), Some(0));
}
