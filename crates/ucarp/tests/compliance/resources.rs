//! What one idle instance costs: memory, wake-ups and descriptors. Of the original the figures are printed only.

use std::fs;
use std::process::Command;
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{Forger, Group, Node, Program, SOON, later, programs, wait_until_time};

/// Proportional set size, in KiB, that one instance may have, all of its processes together.
const MOST_MEMORY: u64 = 4096;

/// How long wake-ups are counted for.
const WINDOW: Duration = Duration::from_secs(10);

/// Wake-ups beyond one for each advertisement.
const SLACK: usize = 2;

/// Changes of role after which nothing may be left open.
const ROLE_CHANGES: usize = 10;

/// The processes that an instance consists of.
fn processes(node: &Node) -> Vec<u32> {
    let mut all = node.process().children();
    all.push(node.process().pid());
    all
}

/// The number after `name:` in a file of /proc/PID.
fn figure(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("the program runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in:\n{text}"))
}

/// How often each process of an instance has gone to sleep.
fn wake_ups(node: &Node) -> Vec<u64> {
    processes(node).into_iter().map(|pid| figure(pid, "status", "voluntary_ctxt_switches")).collect()
}

fn descriptors(node: &Node) -> usize {
    fs::read_dir(format!("/proc/{}/fd", node.process().pid())).expect("the program runs").count()
}

/// Starts a copy of the program, which shares no memory with other instances: the figures are those of a single one.
fn start_alone(node: &mut Node, more: &[&str]) {
    let copy = node.script("copy");
    fs::copy(node.program.path(), &copy).expect("the program can be copied");
    let mut command = Command::new(copy);
    command.args(node.arguments()).args(more);
    node.start_command(command);
    node.wait_for_line("Switching to state: BACKUP");
}

/// A MASTER whose last announcement is over, and a BACKUP that hears it.
fn idle_pair(group: &Group, program: Program) -> [Node; 2] {
    let (mut master, mut backup) = (group.node(2, program), group.node(3, program));
    start_alone(&mut master, &["-r", "1"]);
    let since = master.wait_for_mastery(group, 0);
    start_alone(&mut backup, &["-k", "50"]);
    wait_until_time(later(since, Duration::from_millis(5500)));
    [master, backup]
}

#[test]
fn an_idle_instance_is_small_and_wakes_up_once_for_each_advertisement() {
    for program in programs() {
        let group = Group::new();
        let nodes = idle_pair(&group, program);
        let since = group.wait_for_advertisement_of(&nodes[0], now());
        let before = nodes.each_ref().map(wake_ups);
        wait_until_time(later(since, WINDOW + Duration::from_millis(500)));
        let after = nodes.each_ref().map(wake_ups);
        // One more than counted: the first may have been noted before it woke the nodes.
        let advertisements = group.advertisements_of(&nodes[0], since).len();
        for (index, name) in ["MASTER", "BACKUP"].into_iter().enumerate() {
            let woke: Vec<u64> =
                after[index].iter().zip(&before[index]).map(|(after, before)| after - before).collect();
            let memory: u64 = processes(&nodes[index]).into_iter().map(|pid| figure(pid, "smaps_rollup", "Pss")).sum();
            println!("{program:?} as {name}: {memory} KiB, {woke:?} wake-ups for {advertisements} advertisements");
            if program == Program::Ours {
                let most = u64::try_from(advertisements + SLACK).expect("there are few");
                assert!(woke.iter().all(|woke| *woke <= most), "{woke:?} wake-ups, {advertisements} advertisements");
                assert!(memory <= MOST_MEMORY, "{memory} KiB");
            }
        }
    }
}

#[test]
fn changes_of_role_leave_no_descriptor_open() {
    for program in programs().into_iter().filter(|program| *program == Program::Ours) {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-b", "0", "-k", "50", "-r", "2"]);
        settle(&node, 1);
        let (as_master, forger) = (descriptors(&node), Forger::new(1));
        for round in 1..=ROLE_CHANGES {
            let lost = now();
            if round % 2 == 0 {
                node.host.unplug().unwrap();
                node.wait_for_new_line("Switching to state: BACKUP", lost);
                node.host.plug().unwrap();
            } else {
                forger.advertise(&group, 0, 1);
            }
            settle(&node, round + 1);
        }
        assert_eq!(node.changes(0).len(), 2 + 2 * ROLE_CHANGES, "{}", node.said());
        assert_eq!(descriptors(&node), as_master);
    }
}

/// Waits until the up script has ended for the time number `count` and the node is done with it.
fn settle(node: &Node, count: usize) {
    let line = format!("{} eth0 10.0.0.100] ended", node.script("up").display());
    let ended = netlab::wait_until(SOON, || node.said().matches(&line).count() == count);
    assert!(ended, "up script number {count}:\n{}", node.said());
    // It answers in a later turn of its loop than the one that logged the end.
    let asked = now();
    node.signal(Signal::USR1);
    node.wait_for_new_line("MASTER on eth0 id 1", asked);
}
