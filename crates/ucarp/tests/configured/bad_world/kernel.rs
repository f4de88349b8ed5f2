//! The kernel takes nothing, tells too much, or has a lot to do: full queues, lost news, large tables, restless links.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Signal, now};

use super::{Couple, FIRST, PROMPT, V4, daemons, vip};
use crate::harness::{Node, Segment, between, in_parallel, ip, largest_gap, later, wait_until_time, web};

/// The dead time of the other host: 2 s and 100/256 s.
const DEAD: Duration = Duration::from_millis(2391);

/// An interval of the first host, with what a busy machine may add.
const GAP: Duration = Duration::from_millis(1900);

/// The kernel refuses every frame with ENOBUFS.
fn refuse_frames(node: &Node) {
    node.run("tc", &["qdisc", "add", "dev", "eth0", "root", "pfifo", "limit", "0"]);
}

fn accept_frames(node: &Node) {
    node.run("tc", &["qdisc", "del", "dev", "eth0", "root"]);
}

const NO_ROOM: &str = "Unable to send [eth0]: No buffer space available";

#[test]
fn a_master_whose_frames_are_refused_says_so_once_and_is_heard_again_later() {
    let couple = Couple::with(|node| ("penalty = \"2s\"".into(), node.command()));
    let since = now();
    refuse_frames(&couple.victim);
    couple.victim.wait_for_line(NO_ROOM, since);
    couple.peer.wait_for(vip());
    couple.victim.wait_for_line("web: Demoted for 2s: advertisements could not be sent", since);
    assert_eq!(couple.victim.lines(NO_ROOM, since), 1, "{}", couple.victim.said());
    accept_frames(&couple.victim);
    couple.assert_master(&couple.victim);
}

#[test]
fn a_master_whose_frames_are_refused_leaves_the_address_to_another_host() {
    let couple = Couple::new();
    refuse_frames(&couple.victim);
    let taken = couple.peer.wait_for(vip());
    let gone = netlab::wait_until(PROMPT, || !couple.victim.holds(vip()));
    assert!(gone, "both have it {:?} after the other host took it:\n{}", between(taken, now()), couple.victim.said());
}

#[test]
fn an_interface_without_room_for_a_multicast_group_is_tried_again() {
    const LIMIT: &str = "ipv4/igmp_max_memberships";
    const COMPLAINT: &str = "Unable to open the interface [eth0]: No buffer space available";
    let couple = Couple::new();
    let victim = &couple.victim;
    victim.host.set_sysctl(LIMIT, "0").expect("it can be set");
    let since = now();
    victim.host.link_down().expect("it can be set down");
    couple.peer.wait_for(vip());
    victim.host.link_up().expect("it can be set up");
    victim.wait_for_line(COMPLAINT, since);
    couple.assert_master(&couple.peer);
    assert_eq!(victim.lines(COMPLAINT, since), 1, "{}", victim.said());
    victim.host.set_sysctl(LIMIT, "20").expect("it can be set");
    couple.assert_master(victim);
}

/// The lines of a batch for `ip`, in a file of the node.
fn batch(node: &Node, name: &str, lines: impl IntoIterator<Item = String>) -> PathBuf {
    let file = node.path(name);
    fs::write(&file, lines.into_iter().collect::<String>()).expect("a file can be written");
    file
}

fn run_batch(node: &Node, file: &Path) {
    node.run("ip", &["-batch", file.to_str().expect("the path is text")]);
}

/// Addresses of the loopback, to be added or deleted.
fn loopback(node: &Node, verb: &str, count: u32) -> PathBuf {
    let line = |number: u32| format!("addr {verb} 127.{}.{}.1/32 dev lo\n", 1 + number / 250, number % 250);
    batch(node, verb, (0..count).map(line))
}

/// How much of the kernel's news has been lost on a host: by the daemon, as nobody else listens there.
fn lost_news(node: &Node) -> u64 {
    let table = fs::read_to_string(format!("/proc/{}/net/netlink", node.process().pid())).expect("the program runs");
    // The columns are: socket, protocol, port, groups, Rmem, Wmem, Dump, Locks, Drops, Inode.
    let lost = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let listens = columns.get(1)? == &"0" && columns.get(3)?.contains(|digit| digit != '0');
        columns.get(8)?.parse::<u64>().ok().filter(|_| listens)
    };
    let listeners: Vec<_> = table.lines().skip(1).filter_map(lost).collect();
    assert!(!listeners.is_empty(), "{table}");
    listeners.into_iter().sum()
}

/// Stops a daemon, does something to its host after more news than the kernel keeps for it, and wakes it.
fn while_deaf(node: &Node, work: impl FnOnce()) {
    // The usual buffer holds less than 300. More would only take time, in which another host takes over.
    const NEWS: u32 = 600;
    let (add, delete) = (loopback(node, "add", NEWS), loopback(node, "del", NEWS));
    let signal = |name: &str| {
        let pids = daemons(node).iter().map(|pid| format!(" {pid}")).collect::<String>();
        let status = Command::new("sh").args(["-c", &format!("kill -{name}{pids}")]).status();
        assert!(status.expect("a shell can be run").success());
    };
    let before = lost_news(node);
    signal("STOP");
    run_batch(node, &add);
    work();
    signal("CONT");
    assert!(lost_news(node) > before, "the kernel has kept everything");
    run_batch(node, &delete);
}

#[test]
fn a_removal_among_lost_news_is_noticed() {
    // What was removed must not have ended by itself before.
    let couple = Couple::with(|node| ("lease = \"10s\"".to_owned(), node.command()));
    let since = now();
    while_deaf(&couple.victim, || couple.victim.host.remove_address(vip(), 32).expect("it can be removed"));
    let line = format!("Virtual address removed by somebody else (by whom is not known): putting {V4} back");
    couple.victim.wait_for_line(&line, since);
    couple.assert_master(&couple.victim);
    assert_eq!(couple.victim.changes("web", since), [], "{}", couple.victim.said());
}

#[test]
fn another_interface_among_lost_news_is_noticed() {
    let couple = Couple::new();
    let since = now();
    while_deaf(&couple.victim, || {
        couple.victim.host.delete_interface().expect("it can be deleted");
        couple.victim.host.recreate_interface().expect("it can be made");
    });
    couple.victim.wait_for_line("the interface is gone", since);
    couple.assert_master(&couple.victim);
    let index = couple.victim.host.index().expect("it has an interface");
    assert_eq!(couple.victim.find(vip()).expect("it is there").at.index, index);
}

/// Adds and deletes thousands of addresses, and lets the daemon settle.
fn storm(segment: &Segment, node: &Node) {
    const CHANGES: u32 = 5_000;
    const ROUNDS: u32 = 2;
    let (add, delete) = (loopback(node, "add", CHANGES), loopback(node, "del", CHANGES));
    let start = now();
    for _ in 0..ROUNDS {
        run_batch(node, &add);
        run_batch(node, &delete);
    }
    println!("{} changes in {:?}", 2 * CHANGES * ROUNDS, between(start, now()));
    segment.wait_for_advertisement(&node.host, 1, now());
}

#[test]
fn thousands_of_address_changes_do_not_keep_a_master_from_advertising() {
    let couple = Couple::new();
    let victim = &couple.victim;
    let since = couple.segment.wait_for_advertisement(&victim.host, 1, now());
    storm(&couple.segment, victim);
    let gap = largest_gap(&couple.segment.advertisements(&victim.host, 1, since), since, now());
    println!("the longest silence was {gap:?}");
    assert!(gap < GAP, "{gap:?}");
    assert_eq!(victim.changes("web", since), [], "{}", victim.said());
    couple.assert_master(victim);
}

#[test]
fn thousands_of_address_changes_do_not_take_the_sources_of_advertisements_away() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4, "fd00::100"], FIRST));
    node.wait_for(vip());
    let since = segment.wait_for_advertisement(&node.host, 1, now());
    storm(&segment, &node);
    let sources = segment.heard(&node.host, 1, since).into_iter().map(|(at, heard, _)| (at, heard.src));
    let (v4, v6): (Vec<_>, Vec<_>) = sources.partition(|(_, source)| source.is_ipv4());
    assert!(v4.iter().all(|(_, source)| *source == ip("10.0.0.2")), "{v4:?}\n{}", node.said());
    let v6: Vec<_> = v6.into_iter().map(|(at, _)| at).collect();
    let gap = largest_gap(&v6, since, now());
    assert!(gap < GAP, "nothing over IPv6 for {gap:?}\n{}", node.said());
    // A line, and a count each ten seconds.
    assert!(node.lines("Unable to list addresses", since) <= 3, "{}", node.said());
}

/// Gives a host 100,000 neighbours, half of each family.
fn crowd(node: &Node) {
    const EACH: u32 = 50_000;
    let neighbour = |number: u32| {
        let [_, high, middle, low] = number.to_be_bytes();
        let mac = format!("lladdr 06:00:00:{high:02x}:{middle:02x}:{low:02x} dev eth0 nud permanent");
        format!("neigh add 10.99.{middle}.{low} {mac}\nneigh add fd99::{middle:x}:{low:x} {mac}\n")
    };
    let file = batch(node, "neighbours", (0..EACH).map(neighbour));
    run_batch(node, &file);
    let count = node.run("sh", &["-c", "ip neigh show dev eth0 | wc -l"]);
    assert!(count.trim().parse::<u32>().is_ok_and(|count| count >= 2 * EACH), "{count}");
}

#[test]
fn a_hundred_thousand_neighbours_delay_nothing() {
    // When an interface goes, the kernel looks through all neighbours of the host for its own.
    let couple = Couple::with(|node| ("mac = \"virtual\"".to_owned(), node.command()));
    in_parallel([&couple.victim, &couple.peer], crowd);
    couple.go_and_return();
    let killed = now();
    couple.victim.signal(Signal::KILL);
    let taken = couple.segment.wait_for_announcement(&couple.peer.host, vip(), killed);
    println!("taken over {:?} after the end of the MASTER", between(killed, taken));
    assert!(between(killed, taken) < DEAD + PROMPT, "{}", couple.peer.said());
    couple.victim.wait_without(vip());
}

/// A change of the interface.
const CHANGE: Duration = Duration::from_millis(100);

/// An even number: the last one brings the interface back.
const CHANGES: u32 = 60;

/// Lines beside those that tell of a change.
const OTHER_LINES: u32 = 10;

/// Lets the interface of the victim change ten times a second. Returns how many lines that cost when all is well again.
#[track_caller]
fn flap(couple: &Couple, away: fn(&Host) -> netlab::Result<()>, back: fn(&Host) -> netlab::Result<()>) -> u32 {
    let start = now();
    for change in 0..CHANGES {
        wait_until_time(later(start, CHANGE * change));
        let step = if change % 2 == 0 { away } else { back };
        step(&couple.victim.host).expect("the host can be changed");
    }
    couple.victim.host.wait_connected().expect("the carrier returns");
    couple.assert_master(&couple.victim);
    let lines = couple.victim.lines("", start);
    println!("{CHANGES} changes, {lines} lines");
    u32::try_from(lines).expect("they are few")
}

#[test]
fn an_interface_that_flaps_leaves_one_master() {
    in_parallel(["", "mac = \"virtual\""], |more| {
        let couple = Couple::with(|node| (more.to_owned(), node.command()));
        let lines = flap(&couple, Host::link_down, Host::link_up);
        assert!(lines <= CHANGES + OTHER_LINES, "{}", couple.victim.said());
    });
}

#[test]
fn a_carrier_that_flaps_leaves_one_master() {
    let couple = Couple::new();
    let lines = flap(&couple, Host::unplug, Host::plug);
    assert!(lines <= CHANGES + OTHER_LINES, "{}", couple.victim.said());
}

#[test]
fn an_interface_that_flaps_does_not_fill_the_log() {
    let couple = Couple::new();
    let lines = flap(&couple, Host::link_down, Host::link_up);
    assert!(lines <= CHANGES / 2, "{lines} lines:\n{}", couple.victim.said());
}
