//! The daemon gets nothing more from the system: no descriptors, no processes.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use netlab::{Signal, now};

use super::{Couple, V4, behind, first, limit, limit_each, vip};
use crate::harness::{EAGER, Node, SOON, Segment, web};

/// Lets a daemon keep the descriptors that it has, and get no more.
fn deny_descriptors(node: &Node) {
    limit(node, |pid| {
        let directory = fs::read_dir(format!("/proc/{pid}/fd")).expect("the program runs");
        let open: BTreeSet<u32> =
            directory.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        let unused = (0..).find(|number| !open.contains(number)).expect("few are open");
        format!("--nofile={unused}:")
    });
}

fn allow_descriptors(node: &Node) {
    limit(node, |_| "--nofile=1024:".to_owned());
}

/// The engine may not have any in any case, and nobody may change that.
fn deny_processes(node: &Node) {
    limit_each(&[node.process().pid()], |_| "--nproc=0:".to_owned());
}

fn allow_processes(node: &Node) {
    limit_each(&[node.process().pid()], |_| "--nproc=1000:".to_owned());
}

/// A script for both changes, as keys of a configuration.
fn scripts(node: &Node) -> String {
    format!("up = {:?}\ndown = {:?}", node.write_script("up", ""), node.write_script("down", ""))
}

#[test]
fn without_descriptors_a_reload_changes_nothing_and_the_address_moves_as_ever() {
    let couple = Couple::with(|node| (scripts(node), node.command()));
    let victim = &couple.victim;
    deny_descriptors(victim);
    let told = now();
    victim.configure(&first("advskew = 50"));
    victim.signal(Signal::HUP);
    victim.wait_for_line("Reload: the configuration has errors, so nothing has changed", told);
    assert_eq!(victim.lines("Too many open files", told), 1, "{}", victim.said());
    let ran = victim.script_log().lines().count();
    couple.go_and_return();
    let did = || victim.script_log().lines().count() == ran + 2;
    assert!(netlab::wait_until(SOON, did), "{}\n{}", victim.script_log(), victim.said());

    allow_descriptors(victim);
    let told = victim.reload(&first("advskew = 50"));
    victim.wait_for_line("Reload: 0 virtual hosts added, 1 changed, 0 removed, 0 as before", told);
    couple.assert_master(victim);
}

#[test]
fn without_descriptors_an_interface_that_returns_is_used_later() {
    let couple = Couple::new();
    let victim = &couple.victim;
    victim.host.delete_interface().expect("it can be deleted");
    couple.assert_master(&couple.peer);
    deny_descriptors(victim);
    let back = now();
    victim.host.recreate_interface().expect("it can be made");
    victim.wait_for_line("Unable to look at the interface [eth0]", back);
    // It is tried each second, and told once.
    couple.assert_master(&couple.peer);
    assert_eq!(victim.lines("Unable to look at the interface [eth0]", back), 1, "{}", victim.said());
    assert_eq!(victim.lines("Too many open files", back), 1, "{}", victim.said());

    allow_descriptors(victim);
    couple.assert_master(victim);
}

/// Without descriptors a MASTER cannot ask for the state of its interface; the kernel has told it already.
#[test]
fn without_descriptors_a_master_whose_interface_goes_down_gives_up() {
    let couple = Couple::new();
    deny_descriptors(&couple.victim);
    let down = now();
    couple.victim.host.link_down().expect("it can be set down");
    couple.victim.wait_for_line("web: Switching to state: BACKUP", down);
    couple.assert_master(&couple.peer);
    couple.victim.host.link_up().expect("it can be set up");
    allow_descriptors(&couple.victim);
    couple.assert_master(&couple.victim);
}

/// A daemon that runs as a user whose number of processes can be limited, with the capabilities that it needs.
fn unprivileged(node: &Node) -> Command {
    const CAPABILITIES: &str = "+net_admin,+net_raw,+dac_override";
    const NOBODY: &str = "65534";
    let user = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let capabilities = ["--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES];
    behind(node, "setpriv", &[&user[..], &capabilities].concat())
}

#[test]
fn without_processes_scripts_are_told_of_and_the_address_moves_as_ever() {
    let couple = Couple::with(|node| (scripts(node), unprivileged(node)));
    let victim = &couple.victim;
    assert!(
        netlab::wait_until(SOON, || victim.script_log().ends_with(&format!("up eth0 {V4}\n"))),
        "{}",
        victim.said()
    );
    deny_processes(victim);
    let since = couple.go_and_return();
    for name in ["down", "up"] {
        let complaint =
            format!("Unable to exec {} eth0 {V4}: Resource temporarily unavailable", victim.path(name).display());
        assert_eq!(victim.lines(&complaint, since), 1, "{}", victim.said());
    }

    allow_processes(victim);
    couple.go_and_return();
    let did = || victim.script_log().ends_with(&format!("down eth0 {V4}\nup eth0 {V4}\n"));
    assert!(netlab::wait_until(SOON, did), "{}\n{}", victim.script_log(), victim.said());
}

/// A host whose address is a matter of scripts.
fn holding_by_scripts(segment: &Segment) -> Node {
    let mut node = segment.node(2);
    let script = |name, verb| node.write_script(name, &format!("exec ip addr {verb} {V4}/32 dev eth0"));
    let (up, down) = (script("up", "add"), script("down", "del"));
    let more = format!("hold = \"scripts\"\nneutral = true\nup = {up:?}\ndown = {down:?}");
    node.configure(&web(&[V4], &format!("{EAGER}\n{more}").replace("lease = \"5s\"\n", "")));
    node.spawn(unprivileged(&node));
    node
}

#[test]
fn an_up_script_that_could_not_be_started_is_started_when_there_is_room() {
    let segment = Segment::new();
    let node = holding_by_scripts(&segment);
    node.wait_for_line("Switching to state: BACKUP", 0);
    deny_processes(&node);
    node.wait_for_line("Unable to exec", 0);
    allow_processes(&node);
    node.wait_for(vip());
}

#[test]
fn a_down_script_that_could_not_be_started_is_started_when_there_is_room() {
    const WATCH: Duration = Duration::from_millis(1500);
    let segment = Segment::new();
    let node = holding_by_scripts(&segment);
    node.wait_for(vip());
    deny_processes(&node);
    let told = now();
    node.signal(Signal::USR2);
    node.wait_for_line("Unable to exec", told);
    // No goodbye while the address is here.
    let spoke = netlab::wait_until(WATCH, || !segment.goodbyes(&node.host, 1, told).is_empty());
    assert!(!spoke && node.holds(vip()), "{}", node.said());
    allow_processes(&node);
    node.wait_without(vip());
    segment.wait_for_goodbye(&node.host, 1, told);
}
