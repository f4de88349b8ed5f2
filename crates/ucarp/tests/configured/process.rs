//! How the kernel treats the daemon, if the configuration asks for it.

use std::fs;

use crate::harness::{EAGER, SOON, Segment, ip, web};

const VIP: &str = "10.0.0.100";

/// The real-time priority and the scheduling policy of a process: fields 40 and 41 of `proc_pid_stat(5)`.
fn scheduling(pid: u32) -> (u32, u32) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("the name is in brackets").1.split(' ').collect();
    // The field after the name is the third.
    let number = |field: usize| fields[field - 3].parse().expect("it is a number");
    (number(40), number(41))
}

fn locked_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("it has memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("it is a number")
}

/// Whether this process, and so the daemon, may lift the limit of locked memory.
fn may_lift_the_limit() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    let limits = fs::read_to_string("/proc/self/limits").expect("it is there");
    let line = limits.lines().find(|line| line.starts_with("Max locked memory")).expect("it is limited or not");
    let status = fs::read_to_string("/proc/self/status").expect("it is there");
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("it has rights or not");
    let rights = u64::from_str_radix(rights.trim(), 16).expect("it is a number");
    line.matches("unlimited").count() == 2 || rights >> CAP_SYS_RESOURCE & 1 == 1
}

fn timer_slack_nanos(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/timerslack_ns")).expect("the process runs");
    text.trim().parse().expect("it is a number")
}

/// Both processes are treated as the configuration says, and what they start is not.
#[test]
fn priority_and_locked_memory_are_what_was_asked_for() {
    const FIFO: u32 = 1;
    let segment = Segment::new();
    let mut node = segment.node(2);
    let script = node.path("up.sh");
    let report = node.path("report");
    fs::write(
        &script,
        format!("#!/bin/sh\nread line </proc/$$/stat\necho \"$line\" >{}.new\nmv {0}.new {0}\n", report.display()),
    )
    .expect("it can be written");
    crate::harness::node::run_on(&node.host, "chmod", &["755", script.to_str().expect("the path is UTF-8")]);
    let keys = "realtime-priority = 7\nlock-memory = true\n";
    node.start(&format!(
        "{keys}{}",
        web(&[VIP], &format!("{EAGER}\nneutral = true\nup = {script:?}\ndown = \"/bin/true\""))
    ));
    node.wait_for(ip(VIP));
    let (guardian, engine) = (node.process().pid(), node.process().children()[0]);
    for pid in [guardian, engine] {
        assert_eq!(scheduling(pid), (7, FIFO), "{}", node.said());
        assert_eq!(locked_kib(pid) > 0, may_lift_the_limit(), "{}", node.said());
    }
    assert!(netlab::wait_until(SOON, || report.exists()), "{}", node.said());
    let stat = fs::read_to_string(report).expect("it was written");
    let policy = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(38));
    assert_eq!(policy, Some("0"), "a script runs as everything does: {stat}");
    let refused = if may_lift_the_limit() { 0 } else { 2 };
    assert_eq!(node.lines("runs without locked memory: ", 0), refused, "{}", node.said());
    assert_eq!(node.lines("runs without", 0), refused, "{}", node.said());
    node.end();
}

/// By itself: with a real-time priority there is none in newer kernels.
#[test]
fn the_timer_slack_is_what_was_asked_for() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&format!("timer-slack = \"3us\"\n{}", web(&[VIP], EAGER)));
    node.wait_for(ip(VIP));
    for pid in [node.process().pid(), node.process().children()[0]] {
        assert_eq!(timer_slack_nanos(pid), 3000, "{}", node.said());
    }
    node.end();
}
