//! The up and down scripts: how they are called, when, and what happens meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::harness::{
    Group, Node, Program, VIP, between, differs, in_parallel, later, pairs, programs, wait_until_time,
};

/// The address that down scripts remove when the node leaves, and up scripts add.
const ADD: &str = "ip addr add $2/32 dev $1";

/// What the scripts write when a node starts and becomes MASTER.
const STARTED: &str = "down eth0 10.0.0.100\ndown end\n";
const UP: &str = "up eth0 10.0.0.100\nup end\n";

fn wait_for_script_log(node: &Node, wanted: impl Fn(&str) -> bool) -> String {
    let found = netlab::wait_until(Duration::from_secs(15), || wanted(&node.script_log()));
    assert!(found, "the scripts did not do it:\n{}\n{}", node.script_log(), node.said());
    node.script_log()
}

/// What the down script at the start finds as its arguments, each in angle brackets.
fn arguments_with(program: Program, more: &[&str]) -> (Node, String, Group) {
    let group = Group::new();
    let mut node = group.node(2, program);
    node.write_script("down", "printf '<%s>' \"$0\" \"$@\" >words");
    node.start(more);
    wait_for_script_log(&node, |log| log.ends_with("down end\n"));
    let words = fs::read_to_string(node.script("words")).expect("the script wrote it");
    (node, words, group)
}

#[test]
fn scripts_get_interface_address_and_the_extra_parameter_as_one_argument() {
    in_parallel(programs(), |program| {
        for (more, wanted) in [(&[][..], ""), (&["-x", "two  words *"], "<two  words *>"), (&["-x", ""], "<>")] {
            let (node, words, _group) = arguments_with(program, more);
            let path = node.script("down").display().to_string();
            assert_eq!(words, format!("<{path}><eth0><{VIP}>{wanted}"));
            let extra = more.get(1).map(|extra| format!(" {extra}")).unwrap_or_default();
            node.wait_for_line(&format!("Spawning [{path} eth0 {VIP}{extra}]"));
        }
    });
}

#[test]
fn a_relative_path_is_one_from_the_working_directory() {
    in_parallel(programs(), |program| {
        for path in ["./down", "down"] {
            let (_node, words, _group) = arguments_with(program, &["-d", path]);
            assert!(words.contains("<eth0><10.0.0.100>"), "{words}");
        }
    });
}

#[test]
fn scripts_inherit_the_environment_and_nothing_is_added() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        let copy = node.script("environ");
        node.write_script("down", &format!("cat /proc/$$/environ >{}", copy.display()));
        let mut command = program.command();
        command.args(node.arguments()).env("MARK", "a b");
        node.start_command(command);
        wait_for_script_log(&node, |log| log == STARTED);
        let own = fs::read_to_string(format!("/proc/{}/environ", node.process().pid())).unwrap();
        assert!(own.contains("MARK=a b\0"));
        assert_eq!(fs::read_to_string(copy).unwrap(), own);
    });
}

#[test]
fn the_down_script_runs_at_the_start_and_the_up_script_on_becoming_master() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-r", "1"]);
        let log = wait_for_script_log(&node, |log| log.ends_with("up end\n"));
        assert_eq!(log, format!("{STARTED}{UP}"));
        assert!(node.holds_vip());
    });
}

#[test]
fn neutral_leaves_out_the_down_script_at_the_start_only() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-n", "-r", "1"]);
        assert_eq!(wait_for_script_log(&node, |log| log.ends_with("up end\n")), UP);
        group.inject(0, 128);
        wait_for_script_log(&node, |log| log.starts_with(&format!("{UP}{STARTED}")));
    });
}

#[test]
fn a_script_that_cannot_be_executed_is_an_error_in_the_log() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        let plain = node.script("plain");
        fs::write(&plain, "no interpreter named\n").unwrap();
        for (mode, path, reason) in [
            (0o644, node.script("missing"), "No such file or directory"),
            (0o644, plain.clone(), "Permission denied"),
            (0o755, plain.clone(), "Exec format error"),
        ] {
            fs::set_permissions(&plain, fs::Permissions::from_mode(mode)).unwrap();
            let path = path.display().to_string();
            node.start(&["-d", &path]);
            let line = node.wait_for_line("Unable to exec");
            let text = format!("[ERROR] Unable to exec {path} eth0 {VIP}: {reason}");
            assert!(line.text.ends_with(&text), "{:?} instead of {text:?}", line.text);
        }
    });
}

#[test]
fn a_job_that_a_script_leaves_in_the_background_is_not_waited_for() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", &format!("{ADD}; sleep 1000 &"));
        let since = netlab::now();
        node.start(&["-r", "1"]);
        let decided = node.wait_for_new_line("Switching to state: MASTER", since);
        group.wait_for_advertisement_of(&node, decided);
        wait_for_script_log(&node, |log| log.ends_with("up end\n"));
        assert!(between(decided, netlab::now()) < Duration::from_secs(3));
        assert!(netlab::wait_until(Duration::from_secs(5), || sleepers(&node) == 1), "the job goes on");
    });
}

/// How many processes of a host sleep for a thousand seconds.
fn sleepers(node: &Node) -> usize {
    let command = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    node.processes().into_iter().filter(|pid| command(*pid) == b"sleep\x001000\0").count()
}

#[test]
fn advertisements_do_not_wait_for_a_slow_up_script() {
    in_parallel(pairs(), |(first, second)| {
        let group = Group::new();
        let (mut first, mut second) = (group.node(2, first), group.node(3, second));
        first.write_script("up", &format!("{ADD}; sleep 5"));
        let since = netlab::now();
        first.start(&["-r", "1"]);
        second.start(&["-r", "2"]);
        let decided = first.wait_for_new_line("Switching to state: MASTER", since);
        let both = || first.holds_vip() && second.holds_vip();
        let two_holders = netlab::wait_until(Duration::from_millis(5500), both) && {
            wait_until_time(later(netlab::now(), Duration::from_secs(1)));
            both()
        };
        differs("T06", first.program, &two_holders, &true, &false);
        let script_ends = later(decided, Duration::from_millis(4800));
        let sent = group.advertisements_of(&first, since).iter().filter(|at| **at < script_ends).count();
        differs("T06", first.program, &(sent >= 4), &false, &true);
        differs("T06", first.program, &second.has_said("state: MASTER"), &true, &false);
        group.wait_for_one_master(&[&first, &second]);
    });
}

#[test]
fn the_down_script_waits_until_the_up_script_has_ended() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", &format!("sleep 1.5; {ADD}"));
        let since = netlab::now();
        node.start(&[]);
        node.wait_for_new_line("Switching to state: MASTER", since);
        wait_for_script_log(&node, |log| log.contains("up eth0"));
        group.inject(0, 128);
        let log = wait_for_script_log(&node, |log| log.matches("down end").count() == 2);
        assert_eq!(log, format!("{STARTED}{UP}{STARTED}"));
        assert!(!node.holds_vip());
    });
}

#[test]
fn scripts_that_were_overtaken_are_skipped() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", &format!("sleep 3; {ADD}"));
        let since = netlab::now();
        node.start(&["-r", "1"]);
        node.wait_for_new_line("Switching to state: MASTER", since);
        wait_for_script_log(&node, |log| log.contains("up eth0"));
        let displaced = group.inject(0, 128);
        node.wait_for_new_line("Switching to state: MASTER", displaced);
        let log = wait_for_script_log(&node, |log| log.ends_with("up end\n"));
        differs("T07", program, &log, &format!("{STARTED}{UP}{STARTED}{UP}"), &format!("{STARTED}{UP}"));
        node.wait_for_vip();
    });
}

#[test]
fn a_script_that_never_ends_is_ended() {
    let stuck = ["sleep 1000 & sleep 1000", "trap '' TERM; sleep 1000 & sleep 1000"];
    let cases = programs().into_iter().flat_map(|program| stuck.map(|stuck| (program, stuck)));
    in_parallel(cases, |(program, stuck)| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", stuck);
        // UCARP has no such option.
        let limit: &[&str] = if program == Program::Ours { &["--script-timeout", "1"] } else { &[] };
        node.start(&[&["-r", "1"], limit].concat());
        assert!(netlab::wait_until(Duration::from_secs(5), || sleepers(&node) == 2), "{}", node.said());
        // One second, and five between SIGTERM and SIGKILL.
        let ended = netlab::wait_until(Duration::from_secs(10), || sleepers(&node) == 0);
        differs("T08", program, &ended, &false, &true);
        differs("T08", program, &node.has_said("still runs after 1s: terminating its process group"), &false, &true);
    });
}

#[test]
fn how_a_script_failed_is_logged() {
    in_parallel(programs(), |program| {
        for failure in ["exit 3", "kill -9 $$"] {
            let group = Group::new();
            let mut node = group.node(2, program);
            node.write_script("up", &format!("{ADD}; {failure}"));
            let since = netlab::now();
            node.start(&["-r", "1"]);
            let at = node.wait_for_mastery(&group, since);
            // Both programs are MASTER all the same.
            group.wait_for_advertisement_of(&node, at + 1);
            differs("T09", program, &node.has_said("up eth0 10.0.0.100] ended with"), &false, &true);
        }
    });
}
