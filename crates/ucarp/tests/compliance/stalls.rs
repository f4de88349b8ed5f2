//! A process that does not run for a while, and a wall clock that jumps.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use netlab::{Process, Signal, now};

use crate::harness::{Group, Node, Program, between, differs, later, pairs, programs, wait_until_time};

/// Longer than the dead time of the peers and what the original adds to it.
const STALL: Duration = Duration::from_secs(6);

/// What must not happen is watched for this long.
const WATCH: Duration = Duration::from_secs(4);

/// More than an interval of adverts that come every second, whatever a busy machine adds.
const GAP: Duration = Duration::from_millis(2500);

#[test]
fn a_master_that_was_stopped_gives_the_address_up_before_it_says_a_word() {
    for (first, second) in pairs() {
        let group = Group::new();
        let (mut node, mut peer) = (group.node(2, first), group.node(3, second));
        node.start(&[]);
        node.wait_for_mastery(&group, 0);
        peer.start(&[]);
        group.wait_for_advertisement_of(&node, now());
        let stopped = now();
        node.signal(Signal::STOP);
        peer.wait_for_mastery(&group, stopped);
        wait_until_time(later(stopped, STALL));
        let woken = now();
        node.signal(Signal::CONT);
        let gone = netlab::wait_until(WATCH, || !node.holds_vip());
        let gone_after = between(woken, now());
        wait_until_time(later(woken, WATCH));
        let spoke =
            !group.advertisements_of(&node, woken).is_empty() || !group.announcements_of(&node, woken).is_empty();
        differs("L08", node.program, &(gone, spoke), &(false, true), &(true, false));
        if gone {
            println!("{:?} gave the address up {gone_after:?} after it was woken", node.program);
            assert!(gone_after < Duration::from_secs(1), "{gone_after:?}");
            assert!(node.has_said("this host was silent for"), "{}", node.said());
            assert!(peer.holds_vip() && peer.changes(woken).is_empty(), "{}", peer.said());
        }
    }
}

#[test]
fn a_backup_that_was_stopped_reads_what_it_missed_before_it_decides() {
    for (first, second) in pairs() {
        let group = Group::new();
        let (mut node, mut peer) = (group.node(2, first), group.node(3, second));
        node.start(&[]);
        node.wait_for_mastery(&group, 0);
        peer.start(&[]);
        group.wait_for_advertisement_of(&node, now());
        let stopped = now();
        peer.signal(Signal::STOP);
        wait_until_time(later(stopped, STALL));
        peer.signal(Signal::CONT);
        let became_master = peer.process().wait_for(|line| line.at > stopped && line.text.contains("MASTER"), WATCH);
        assert_eq!(became_master, None, "{}", peer.said());
        assert!(node.holds_vip() && !peer.holds_vip());
    }
}

/// Starts a node whose wall clock, and no other clock, follows what is written with [`set_clock`].
fn start_with_own_clock(node: &mut Node, more: &[&str]) {
    set_clock(node, "+0");
    let mut command = node.program.command();
    command.args(node.arguments()).args(more);
    if node.program == Program::Ours {
        // Confined, the half that keeps the time could not look at the file.
        command.arg("--no-split");
    }
    command.env("LD_PRELOAD", faketime()).env("FAKETIME_TIMESTAMP_FILE", clock(node));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    node.start_command(command);
    node.wait_for_line("Switching to state: BACKUP");
}

fn clock(node: &Node) -> PathBuf {
    node.script("clock")
}

/// Steps the node's wall clock by an offset in seconds from the real one, and waits until the node has seen the step.
fn step(node: &Node, offset: &str) {
    let before = hour_and_minute(node.process());
    set_clock(node, offset);
    assert_ne!(hour_and_minute(node.process()), before, "{:?} does not follow its own clock", node.program);
}

fn set_clock(node: &Node, offset: &str) {
    let new = node.script("clock.new");
    fs::write(&new, format!("{offset}\n")).expect("a file can be written");
    // At once: the library must not read half a number.
    fs::rename(new, clock(node)).expect("a file can be renamed");
}

fn faketime() -> PathBuf {
    let directories = fs::read_dir("/usr/lib").expect("there are libraries").flatten();
    let mut libraries = directories.map(|directory| directory.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists()).expect("libfaketime is installed")
}

/// What the wall clock of a program shows: the time stamp of its next line.
fn hour_and_minute(process: &Process) -> String {
    let since = now();
    // Again and again: the original can overlook a signal that comes just before it waits, for as long as it waits.
    for _ in 0..100 {
        process.signal(Signal::USR1).expect("it runs");
        if let Some(line) = process.wait_for(|line| line.at >= since, Duration::from_millis(100)) {
            return line.text.get(11..16).expect("lines begin with the time").to_owned();
        }
    }
    panic!("it does not answer SIGUSR1:\n{}", process.output());
}

/// The longest silence of a node from `since` until now.
fn longest_silence(group: &Group, node: &Node, since: u64) -> Duration {
    let mut moments = group.advertisements_of(node, since);
    moments.push(now());
    let earlier = std::iter::once(since).chain(moments.iter().copied());
    earlier.zip(&moments).map(|(earlier, later)| between(earlier, *later)).max().expect("there is one moment at least")
}

#[test]
fn a_step_of_the_wall_clock_back_does_not_silence_a_master() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        start_with_own_clock(&mut node, &["-r", "1"]);
        node.wait_for_mastery(&group, 0);
        let stepped = group.wait_for_advertisement_of(&node, now());
        step(&node, "-7200");
        wait_until_time(later(stepped, WATCH));
        let silenced = longest_silence(&group, &node, stepped) > GAP;
        differs("L09", program, &silenced, &true, &false);
    }
}

#[test]
fn a_step_of_the_wall_clock_back_does_not_keep_a_backup_from_taking_over() {
    for (first, second) in pairs() {
        let group = Group::new();
        let (mut node, mut peer) = (group.node(2, first), group.node(3, second));
        node.start(&["-r", "1"]);
        node.wait_for_mastery(&group, 0);
        start_with_own_clock(&mut peer, &[]);
        let killed = group.wait_for_advertisement_of(&node, now());
        node.signal(Signal::KILL);
        // The original reads an advertisement up to a second late, and one that is read after the step heals it.
        wait_until_time(later(killed, Duration::from_millis(1300)));
        step(&peer, "-7200");
        let master = |line: &netlab::Line| line.at >= killed && line.text.contains("Switching to state: MASTER");
        let took_over = peer.process().wait_for(master, 2 * WATCH).is_some();
        differs("L10", peer.program, &took_over, &false, &true);
    }
}

#[test]
fn a_step_of_the_wall_clock_forward_changes_nothing() {
    for (first, second) in pairs() {
        let group = Group::new();
        let (mut node, mut peer) = (group.node(2, first), group.node(3, second));
        start_with_own_clock(&mut node, &["-r", "1"]);
        node.wait_for_mastery(&group, 0);
        start_with_own_clock(&mut peer, &[]);
        group.wait_for_advertisement_of(&node, now());
        let stepped = group.wait_for_advertisement_of(&node, now());
        step(&node, "+7200");
        step(&peer, "+7200");
        wait_until_time(later(stepped, WATCH));
        assert!(longest_silence(&group, &node, stepped) < GAP);
        assert!(node.changes(stepped).is_empty(), "{}", node.said());
        if peer.program == Program::Ours {
            assert!(peer.changes(stepped).is_empty(), "{}", peer.said());
        }
        println!("{:?}: changes of a BACKUP stepped forward: {:?}", peer.program, peer.changes(stepped));
    }
}
