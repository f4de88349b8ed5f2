//! What `-B` makes of a process, what the process list shows, and what scripts inherit.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Group, Node, Program, QUICK, SOON, VIP, differs, programs};

/// A command that runs the program without anything around it, in the ordinary case.
fn plain(node: &Node) -> Command {
    let mut command = Command::new(node.program.path());
    command.args(node.arguments()).args(QUICK);
    command
}

/// The exit status of the process that was started.
fn status(node: &Node) -> Option<i32> {
    let ended = node.process().wait(SOON).expect("it can be waited for");
    ended.unwrap_or_else(|| panic!("it runs on:\n{}", node.said())).code()
}

/// The process that is left when the first one has ended and the address is there; of several, the parent of the others.
fn daemon(node: &Node) -> u32 {
    assert_eq!(status(node), Some(0), "{}", node.said());
    node.wait_for_vip();
    let wanted = if node.program == Program::Ours { 2 } else { 1 };
    let script_has_ended = || node.script_log().contains("up end") && node.processes().len() == wanted;
    assert!(netlab::wait_until(SOON, script_has_ended), "{:?}", node.processes());
    let processes = node.processes();
    differs("S23", node.program, &processes.len(), &1, &2);
    let leader = processes.iter().find(|pid| !processes.contains(&stat(**pid, 4)));
    *leader.expect("one of them is not the child of another")
}

fn link(pid: u32, name: &str) -> String {
    let path = format!("/proc/{pid}/{name}");
    fs::read_link(&path).unwrap_or_else(|error| panic!("{path}: {error}")).display().to_string()
}

/// A field of `/proc/PID/stat` as proc(5) counts them, from 3 on.
fn stat(pid: u32, field: usize) -> u32 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let (_, fields) = text.rsplit_once(") ").expect("the name is in parentheses");
    let value: i64 = fields.split(' ').nth(field - 3).expect("there are some 50").parse().expect("it is a number");
    u32::try_from(value).unwrap_or(0)
}

/// Who takes in the children of dead parents here.
fn foster_parent() -> u32 {
    let child = Command::new("sh").args(["-c", "sleep 2 >/dev/null & echo $!"]).output().expect("a shell can be run");
    let orphan: u32 = String::from_utf8_lossy(&child.stdout).trim().parse().expect("it is a number");
    stat(orphan, 4)
}

#[test]
fn a_daemon_stands_alone() {
    let foster_parent = foster_parent();
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let mut command = plain(&node);
        command.arg("-B");
        node.start_command(command);
        let pid = daemon(&node);
        let (parent, process_group, session, terminal) = (stat(pid, 4), stat(pid, 5), stat(pid, 6), stat(pid, 7));
        assert_eq!(parent, foster_parent);
        assert_ne!(pid, process_group, "it leads a process group");
        assert_ne!(pid, session, "it leads a session");
        assert_ne!(stat(std::process::id(), 6), session, "it is in the session of whoever started it");
        assert_eq!(terminal, 0);
        assert_eq!(link(pid, "cwd"), "/");
        for descriptor in ["fd/0", "fd/1", "fd/2"] {
            assert_eq!(link(pid, descriptor), "/dev/null");
        }
        assert_eq!(node.said(), "");
    }
}

#[test]
fn a_daemon_keeps_umask_descriptors_and_environment() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", "echo $FOR_SCRIPTS $(umask) >>${0%/*}/seen; ip addr add $2/32 dev $1");
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0137; exec 9</dev/zero; exec \"$@\" -B", "sh"]).arg(program.path());
        command.args(node.arguments()).args(QUICK).env("FOR_SCRIPTS", "text");
        node.start_command(command);
        let pid = daemon(&node);
        assert_eq!(link(pid, "fd/9"), "/dev/zero");
        let seen = fs::read_to_string(node.script("seen")).expect("the script wrote it");
        assert_eq!(seen, "text 0137\n");
    }
}

#[test]
fn the_first_process_tells_whether_the_start_succeeded() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let mut command = plain(&node);
        command.args(["-B", "-i", "nope0"]);
        node.start_command(command);
        let status = status(&node);
        assert!(node.process().wait_for_end_of_output(SOON));
        let told = node.said().contains("Unable to find MAC address of [nope0]");
        differs("S14", program, &(status, told), &(Some(0), false), &(Some(2), true));
    }
}

#[test]
fn wrong_values_are_told_on_the_terminal_wherever_b_stands() {
    for program in programs() {
        let told = |arguments: &[&str]| {
            let ending = program.ending_with(arguments);
            assert_eq!(ending.status, Some(1), "{ending:?}");
            ending.last_error().starts_with("vhid must be between 1 and 255.")
        };
        assert!(told(&["-v", "0", "-B"]));
        differs("S14", program, &told(&["-B", "-v", "0"]), &false, &true);
    }
}

#[test]
fn relative_paths_of_scripts_are_relative_to_the_root_of_a_daemon() {
    for program in programs() {
        for (more, runs) in [(&[][..], true), (&["-B"], false)] {
            let group = Group::new();
            let mut node = group.node(2, program);
            let mut command = plain(&node);
            let directory = node.script("up").parent().map(Path::to_owned).expect("it is in a directory");
            command.args(["-u", "./up", "-d", ""]).args(more).current_dir(directory);
            node.start_command(command);
            let announced = || !group.announcements().is_empty();
            assert!(netlab::wait_until(SOON, announced), "it is MASTER and has tried to run its script");
            if runs {
                node.wait_for_vip();
            } else {
                assert_eq!(node.script_log(), "");
                assert!(!node.holds_vip());
            }
        }
    }
}

/// Whether a running process shows `text` among its arguments.
fn shows(pid: u32, text: &str) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).expect("the process is there");
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    assert!(arguments.contains(&VIP.to_string()), "these are not its arguments: {arguments:?}");
    arguments.contains(text)
}

#[test]
fn a_password_is_gone_from_the_process_list() {
    let ways = [&["-p", "pa55w0rd"][..], &["-ppa55w0rd"], &["--pass=pa55w0rd"], &["-Pnzp", "pa55w0rd"]];
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        for way in ways {
            // The group's password first, then the one that counts.
            let mut command = plain(&node);
            command.args(way);
            node.start_command(command);
            let told = |line: &netlab::Line| line.text.contains("Switching to state: BACKUP");
            assert!(node.process().wait_for(told, SOON).is_some());
            let pid = node.process().pid();
            let observed = (shows(pid, "pa55w0rd"), shows(pid, "secret"));
            differs("S15", program, &observed, &(true, true), &(false, false));
        }
    }
}

#[test]
fn a_password_is_gone_from_the_process_list_of_a_daemon() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let mut command = plain(&node);
        command.arg("-B");
        node.start_command(command);
        let pid = daemon(&node);
        differs("S15", program, &shows(pid, "secret"), &true, &false);
    }
}

#[test]
fn scripts_inherit_standard_streams_and_no_other_descriptors() {
    for program in programs() {
        for more in [&[][..], &["-B"]] {
            let group = Group::new();
            let mut node = group.node(2, program);
            node.write_script("up", "ls -l /proc/self/fd >${0%/*}/descriptors; ip addr add $2/32 dev $1");
            let mut command = plain(&node);
            command.args(more);
            node.start_command(command);
            node.wait_for_vip();
            let listing = fs::read_to_string(node.script("descriptors")).expect("the script wrote it");
            let leaked = listing.contains("anon_inode:") || listing.contains("socket:");
            differs("S16", program, &leaked, &true, &false);
            let input = listing.lines().find(|line| line.contains(" 0 -> ")).expect("it has a standard input");
            assert!(input.ends_with("/dev/null"), "{listing}");
        }
    }
}

#[test]
fn the_environment_of_scripts_is_that_of_the_daemon_and_nothing_more() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.write_script("up", "tr '\\0' '\\n' </proc/$$/environ >${0%/*}/environment; ip addr add $2/32 dev $1");
        let mut command = Command::new("env");
        command.args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "FIRST=1", "SECOND=two words"]).arg(program.path());
        command.args(node.arguments()).args(QUICK);
        node.start_command(command);
        node.wait_for_vip();
        let environment = fs::read_to_string(node.script("environment")).expect("the script wrote it");
        assert_eq!(environment, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nFIRST=1\nSECOND=two words\n");
        assert_eq!(node.process().wait(Duration::ZERO).expect("it can be asked"), None);
    }
}
