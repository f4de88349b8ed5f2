//! The daemon of a configuration file in a group with Debian's `ucarp`.

use std::process::Command;
use std::time::Duration;

use netlab::{Host, Process, Signal, now};

use crate::harness::{Node, PASSWORD, SOON, Segment, ip, later, wait_until_time, web};

const VIP: &str = "10.0.0.100";

/// As Debian installs it.
const ORIGINAL: &str = "/usr/sbin/ucarp";

/// A host that runs `ucarp` for one virtual host.
struct Original {
    node: Node,
    process: Process,
}

impl Original {
    fn start(segment: &Segment, host: &Host, more: &[&str]) -> Self {
        let node = segment.daemon(host, "original");
        let up = node.write_script("up", "ip addr add $2/32 dev $1");
        let down = node.write_script("down", "ip addr del $2/32 dev $1 2>/dev/null");
        let mut command = Command::new("stdbuf");
        command.args(["-o0", ORIGINAL, "-i", "eth0", "-s", "10.0.0.3", "-v", "1", "-p", PASSWORD, "-a", VIP, "-u"]);
        command.args([&up, "-d", &down]).args(more);
        let process = host.spawn(command).expect("Debian's ucarp is installed: this suite needs it");
        let started = process.wait_for_line("Switching to state: BACKUP", SOON);
        assert!(started.is_some(), "{}", process.output());
        Self { node, process }
    }

    fn signal(&self, signal: Signal) {
        self.process.signal(signal).expect("it can be signalled");
    }

    /// When it became MASTER, `since` or later.
    fn wait_for_mastery(&self, since: u64) {
        let is_it = |line: &netlab::Line| line.at >= since && line.text.contains("Switching to state: MASTER");
        assert!(self.process.wait_for(is_it, SOON).is_some(), "{}", self.process.output());
        self.node.wait_for(ip(VIP));
    }
}

fn ours(segment: &Segment, more: &str) -> Node {
    let mut node = segment.node(2);
    node.start(&web(&[VIP], more));
    node
}

#[test]
fn an_address_goes_from_ours_to_ucarp_and_back_by_every_way_there_is() {
    let segment = Segment::new();
    let node = ours(&segment, "preempt = true");
    node.wait_for(ip(VIP));
    let host = segment.host(3);
    let original = Original::start(&segment, &host, &["-k", "50", "-z"]);
    segment.wait_for_advertisement(&node.host, 1, now());

    // Told to hand over, and to take back what it prefers to have: it preempts when it hears the slower one.
    let told = now();
    node.signal(Signal::USR2);
    original.wait_for_mastery(told);
    segment.wait_for_announcement(&node.host, ip(VIP), told);
    original.node.wait_without(ip(VIP));
    node.wait_for(ip(VIP));

    // Killed: the lease ends and ucarp takes over.
    let killed = now();
    node.signal(Signal::KILL);
    original.wait_for_mastery(killed);
    node.wait_without(ip(VIP));

    // Started again it preempts, and ucarp gives way.
    let mut node = node;
    let back = now();
    node.start(&web(&[VIP], "preempt = true"));
    segment.wait_for_announcement(&node.host, ip(VIP), back);
    original.node.wait_without(ip(VIP));

    // Told to end it says goodbye.
    let told = now();
    node.end();
    original.wait_for_mastery(told);
    node.start(&web(&[VIP], "advskew = 100"));
    let since = node.moment();
    wait_until_time(later(since, Duration::from_secs(5)));
    assert_eq!(node.changes("web", since), [], "{}", node.said());
    let ended = now();
    original.signal(Signal::TERM);
    segment.wait_for_announcement(&node.host, ip(VIP), ended);
    node.wait_for(ip(VIP));
    assert_eq!(node.lines("Bad digest", 0), 0);
}

#[test]
fn a_better_ucarp_that_preempts_gets_the_address_from_ours() {
    let segment = Segment::new();
    let node = ours(&segment, "advskew = 100");
    node.wait_for(ip(VIP));
    let host = segment.host(3);
    let since = now();
    let original = Original::start(&segment, &host, &["-P", "-z"]);
    original.wait_for_mastery(since);
    node.wait_without(ip(VIP));
    let killed = now();
    original.signal(Signal::KILL);
    segment.wait_for_announcement(&node.host, ip(VIP), killed);
    node.wait_for(ip(VIP));
}

#[test]
fn several_addresses_and_ucarp_do_not_go_together_and_the_log_says_why() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP, "10.0.0.101"], ""));
    let host = segment.host(3);
    let original = Original::start(&segment, &host, &["-k", "50"]);
    original.wait_for_mastery(0);
    let line = node.process().wait_for_line("web: Bad digest", SOON).expect("it complains");
    assert!(line.text.ends_with(": UCARP knows exactly one IPv4 address for each vhid"), "{}", line.text);
}
