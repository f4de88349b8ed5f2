//! SIGUSR1, SIGUSR2, and more of them than any operator sends.

use std::process::Command;
use std::thread;
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{Group, Node, Program, SOON, between, later, pairs, programs, wait_until_time};

/// Signals of a storm.
const STORM: usize = 10_000;

/// Advertisements that must fall into a storm, which is repeated for as long.
const TIMES: usize = 10;

/// Ten advertisements a second.
const FREQUENT: [&str; 4] = ["-b", "0", "-k", "26"];
const INTERVAL: Duration = Duration::from_nanos(26_000_000_000 / 256);

/// Ten times what an advertisement may be late for a storm of signals: the machine is busy with other cases.
const LATE: Duration = Duration::from_millis(100);

#[test]
fn sigusr1_tells_the_state() {
    for programs in pairs() {
        let group = Group::new();
        let (mut master, mut backup) = (group.node(2, programs.0), group.node(3, programs.1));
        master.start(&["-r", "1"]);
        master.signal(Signal::USR1);
        master.wait_for_line("[INFO] BACKUP on eth0 id 1");
        master.wait_for_mastery(&group, 0);
        backup.start(&[]);
        group.wait_for_advertisement_of(&master, now());
        for (node, expected) in [(&master, "[INFO] MASTER on eth0 id 1"), (&backup, "[INFO] BACKUP on eth0 id 1")] {
            let since = now();
            node.signal(Signal::USR1);
            let at = node.wait_for_new_line(expected, since);
            assert!(between(since, at) < Duration::from_millis(500), "it is served at once");
        }
    }
}

#[test]
fn sigusr2_makes_a_lone_master_leave_for_three_seconds_and_the_dead_time() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-r", "1"]);
        node.wait_for_mastery(&group, 0);
        let told = now();
        node.signal(Signal::USR2);
        node.wait_without_vip();
        let again = node.wait_for_new_line("Switching to state: MASTER", told);
        let away = between(told, again);
        assert!((3800..6500).contains(&away.as_millis()), "{away:?}:\n{}", node.said());
        let changes: Vec<bool> = node.changes(told).into_iter().map(|(_, master)| master).collect();
        assert_eq!(changes, [false, true]);
        node.wait_for_vip();
        assert_eq!(node.script_log().matches("down eth0").count(), 2, "at start and now:\n{}", node.script_log());
    }
}

#[test]
fn sigusr2_means_nothing_to_a_backup() {
    for programs in pairs() {
        let group = Group::new();
        let (mut master, mut backup) = (group.node(2, programs.0), group.node(3, programs.1));
        master.start(&["-r", "1"]);
        master.wait_for_mastery(&group, 0);
        backup.start(&[]);
        group.wait_for_advertisement_of(&master, now());
        let since = now();
        backup.signal(Signal::USR2);
        backup.signal(Signal::USR1);
        backup.wait_for_new_line("BACKUP on eth0", since);
        wait_until_time(later(since, Duration::from_secs(2)));
        assert!(backup.changes(since).is_empty() && master.changes(since).is_empty(), "{}", backup.said());
        assert_eq!(backup.script_log().matches("down eth0").count(), 1, "only at start");
    }
}

/// A lone MASTER of ours that advertises often.
fn busy_master(group: &Group) -> Option<Node> {
    let program = programs().into_iter().find(|program| *program == Program::Ours)?;
    let mut node = group.node(2, program);
    node.start(&FREQUENT);
    node.wait_for_mastery(group, 0);
    Some(node)
}

/// Sends the storm, as fast as it goes.
fn storm(node: &Node) {
    for _ in 0..STORM {
        node.signal(Signal::USR1);
    }
}

/// By how much the latest of all advertisements since then was late.
fn worst_delay(group: &Group, node: &Node, since: u64) -> Duration {
    let moments = group.advertisements_of(node, since);
    assert!(moments.len() > 3, "it advertises:\n{}", node.said());
    let gaps = moments.windows(2).map(|pair| between(pair[0], pair[1]));
    gaps.max().expect("there are some").saturating_sub(INTERVAL)
}

#[test]
fn a_storm_of_signals_kills_nothing_and_delays_no_advertisement() {
    let group = Group::new();
    let Some(node) = busy_master(&group) else { return };
    let since = now();
    let mut sent = 0;
    while group.advertisements_of(&node, since).len() < TIMES && between(since, now()) < SOON {
        storm(&node);
        sent += STORM;
    }
    let asked = now();
    node.signal(Signal::USR1);
    let answered = node.wait_for_new_line("MASTER on eth0 id 1", asked);
    let (delay, answers) = (worst_delay(&group, &node, since), node.said().matches("MASTER on eth0").count());
    println!("{sent} signals in {:?}: worst delay {delay:?}, {answers} answers", between(since, asked));
    assert!(delay < LATE, "an advertisement was {delay:?} late");
    assert!(between(asked, answered) < Duration::from_secs(1), "no backlog of signals is left");
    assert!(answers < sent / 2, "signals that come together are answered together");
    assert!(node.changes(since).is_empty() && node.holds_vip(), "{}", node.said());
}

#[test]
fn a_debugger_that_attaches_in_a_storm_of_signals_kills_nothing() {
    let group = Group::new();
    let Some(node) = busy_master(&group) else { return };
    let since = now();
    let attach = || {
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch", "--readnever", "-iex", "set auto-solib-add off"]);
        gdb.args(["-ex", "detach", "-p", &node.process().pid().to_string()]);
        gdb.output().expect("gdb is installed")
    };
    let output = thread::scope(|scope| {
        let debugger = scope.spawn(attach);
        while !debugger.is_finished() {
            storm(&node);
        }
        debugger.join().expect("it does not panic")
    });
    let detached = now();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("detached"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for _ in 0..5 {
        group.wait_for_advertisement_of(&node, now());
    }
    println!("the debugger held it for at most {:?}", worst_delay(&group, &node, since));
    let delay = worst_delay(&group, &node, detached);
    assert!(delay < LATE, "an advertisement was {delay:?} late after the debugger had left");
    let asked = now();
    node.signal(Signal::USR1);
    node.wait_for_new_line("MASTER on eth0 id 1", asked);
    node.wait_for_vip();
}
