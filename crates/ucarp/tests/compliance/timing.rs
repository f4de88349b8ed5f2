//! Reactions, intervals and dead times.

use std::time::Duration;

use crate::harness::{Group, Node, Program, between, differs, in_parallel, later, pairs, programs, wait_until_time};

/// What tells a time that is kept from one that is not, whatever the machine is busy with.
const EXACT: Duration = Duration::from_millis(200);

/// Log lines are stamped with the wall clock, which may be slewed meanwhile.
const SLEW: Duration = Duration::from_millis(5);

/// The time from a better master's advertisement to the line that says that a MASTER has left.
fn reactions(program: Program, count: usize) -> Vec<Duration> {
    let group = Group::new();
    let mut node = group.node(2, program);
    let mut since = netlab::now();
    node.start(&["-r", "1"]);
    let react = |_| {
        node.wait_for_mastery(&group, since);
        let injected = group.inject(0, 128);
        since = node.wait_for_new_line("Switching to state: BACKUP", injected);
        between(injected, since)
    };
    (0..count).map(react).collect()
}

#[test]
fn a_better_master_is_heard_at_once() {
    in_parallel(programs(), |program| {
        let reactions = reactions(program, 5);
        assert!(reactions.iter().all(|reaction| *reaction < Duration::from_millis(1500)), "{reactions:?}");
        // One of them may have met a busy moment of the machine, or of UCARP's the end of its buffer's time.
        let prompt = reactions.iter().filter(|reaction| **reaction < EXACT).count() >= 4;
        differs("T02", program, &prompt, &false, &true);
    });
}

/// The wall-clock time of a line, `2025-01-31T12:00:00.123456: [WARNING] ...`, within its day.
fn stamp(node: &Node, text: &str) -> Duration {
    let line = node.wait_for_line(text).text;
    let parse = || {
        let (_, time) = line.split_once('T')?;
        let mut parts = time.split([':', '.']).map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        let (hours, minutes, seconds, micros) = (next()?, next()?, next()?, next()?);
        Some(Duration::from_secs((hours * 60 + minutes) * 60 + seconds) + Duration::from_micros(micros))
    };
    parse().unwrap_or_else(|| panic!("no stamp: {line}"))
}

/// How long a host that hears nobody waits before it becomes MASTER, by its own stamps.
fn lone_wait(program: Program, base: u8, skew: u8, ratio: u8) -> Duration {
    const DAY: Duration = Duration::from_secs(86400);
    let group = Group::new();
    let mut node = group.node(2, program);
    let [base, skew, ratio] = [base, skew, ratio].map(|number| number.to_string());
    node.start(&["-b", &base, "-k", &skew, "-r", &ratio]);
    let end = stamp(&node, "Switching to state: MASTER");
    let start = stamp(&node, "Switching to state: BACKUP");
    if end < start { end + DAY - start } else { end - start }
}

/// ratio * advbase + advskew / 256.
fn dead_time(base: u8, skew: u8, ratio: u8) -> Duration {
    Duration::from_secs(u64::from(base) * u64::from(ratio)) + Duration::from_secs(skew.into()) / 256
}

fn assert_not_early(program: Program, waited: Duration, due: Duration) {
    assert!(waited + SLEW >= due, "{program:?} was MASTER after {waited:?}, due after {due:?}");
}

#[test]
fn the_master_down_time_is_kept() {
    let cases = programs().into_iter().flat_map(|program| [(1, 200, 3), (1, 128, 5)].map(|case| (program, case)));
    in_parallel(cases, |(program, (base, skew, ratio))| {
        let (waited, due) = (lone_wait(program, base, skew, ratio), dead_time(base, skew, ratio));
        assert_not_early(program, waited, due);
        differs("T03", program, &(waited < due + EXACT), &false, &true);
    });
}

#[test]
fn the_master_down_time_is_never_cut_short() {
    in_parallel(programs(), |program| {
        // UCARP's third wait begins 8 ms before this time is over, so that it is met or missed by chance.
        let (waited, due) = (lone_wait(program, 1, 254, 3), dead_time(1, 254, 3));
        assert_not_early(program, waited, due);
        assert!(waited < Duration::from_millis(6300), "{waited:?}");
        assert!(program == Program::Ucarp || waited < due + EXACT, "{waited:?}");
    });
}

#[test]
fn without_skew_both_wait_for_the_same_time() {
    in_parallel(programs(), |program| {
        let (waited, due) = (lone_wait(program, 1, 0, 3), dead_time(1, 0, 3));
        assert_not_early(program, waited, due);
        assert!(waited < due + EXACT, "{waited:?}");
    });
}

#[test]
fn with_advbase_0_the_dead_time_is_a_multiple_of_the_interval() {
    in_parallel(programs(), |program| {
        let (waited, due) = (lone_wait(program, 0, 128, 3), Duration::from_millis(1500));
        differs("T04", program, &(waited + SLEW >= due && waited < due + EXACT), &false, &true);
    });
}

#[test]
fn with_advbase_0_a_backup_leaves_a_living_master_alone() {
    in_parallel(pairs(), |(master, backup)| {
        let group = Group::new();
        let (mut master, mut backup) = (group.node(2, master), group.node(3, backup));
        let since = netlab::now();
        master.start(&["-b", "0", "-k", "128"]);
        master.wait_for_mastery(&group, since);
        let since = netlab::now();
        backup.start(&["-b", "0", "-k", "128"]);
        wait_until_time(later(since, Duration::from_secs(6)));
        let flaps = !group.advertisements_of(&backup, since).is_empty();
        differs("T04", backup.program, &flaps, &true, &false);
    });
}

#[test]
fn with_advbase_0_a_peer_that_is_ucarp_is_warned_of() {
    in_parallel(pairs(), |(program, peer)| {
        let group = Group::new();
        let (mut node, mut peer) = (group.node(2, program), group.node(3, peer));
        let since = netlab::now();
        peer.start(&["-b", "0", "-k", "128"]);
        peer.wait_for_mastery(&group, since);
        node.start(&["-b", "0", "-k", "128"]);
        let warned = netlab::wait_until(Duration::from_secs(4), || node.has_said("UCARP with advbase 0"));
        if peer.program == Program::Ucarp {
            differs("T05", program, &warned, &false, &true);
        } else {
            assert!(!warned, "{}", node.said());
        }
    });
}

#[test]
fn advertisements_come_at_their_interval() {
    let cases = programs().into_iter().flat_map(|program| [("0", 1000.0), ("50", 1195.3)].map(|case| (program, case)));
    in_parallel(cases, |(program, (skew, expected))| {
        const INTERVALS: u32 = 10;
        let group = Group::new();
        let mut node = group.node(2, program);
        let since = netlab::now();
        node.start(&["-r", "1", "-k", skew]);
        let seen = || group.advertisements_of(&node, since);
        let enough = || seen().len() > INTERVALS.try_into().unwrap();
        assert!(netlab::wait_until(Duration::from_secs(20), enough), "it falls silent:\n{}", node.said());
        let seen = seen();
        let mean = between(seen[0], seen[10]).as_secs_f64() * 1000.0 / f64::from(INTERVALS);
        assert!((mean / expected - 1.0).abs() < 0.01, "{program:?} with -k {skew}: {mean} ms instead of {expected} ms");
    });
}
