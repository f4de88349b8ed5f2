use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::link;

const VICTIM: &str = "UCARP_SYS_TEST_VICTIM";

fn inode(namespace: &NetNs) -> u64 {
    rustix::fs::fstat(namespace).unwrap().st_ino
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A process in `namespace` that left its parent behind, as a daemon does, and its direct parent's handle.
fn daemon_in(namespace: &NetNs) -> (Child, u32) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "setsid sleep 1000 & echo $!; exit 0"]).stdout(Stdio::piped());
    namespace.command(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let daemon = line.trim().parse().unwrap();
    wait_until("the daemon is on its own", || {
        std::fs::read_to_string(format!("/proc/{daemon}/comm")).is_ok_and(|name| name.trim() == "sleep")
    });
    (child, daemon)
}

#[test]
fn a_new_namespace_has_only_a_loopback_that_works() {
    let Some(namespace) = for_test() else { return };
    let links = namespace.run(|| link::all().unwrap()).unwrap();
    assert_eq!(links.len(), 1);
    assert!(links[0].loopback && links[0].up);
    assert_ne!(inode(&namespace), inode(&NetNs::current().unwrap()), "the caller has not moved");
    namespace
        .run(|| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        })
        .unwrap();
}

#[test]
fn a_panic_inside_goes_on_outside() {
    let Some(namespace) = for_test() else { return };
    let panic = std::panic::catch_unwind(|| namespace.run(|| panic!("inside"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"inside"));
}

#[test]
fn commands_run_inside() {
    let Some(namespace) = for_test() else { return };
    let mut command = Command::new("readlink");
    command.arg("/proc/self/ns/net");
    namespace.command(&mut command).unwrap();
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(output.trim(), format!("net:[{}]", inode(&namespace)));
}

#[test]
fn the_undertaker_takes_daemons_and_nobody_else() {
    let (Some(one), Some(other)) = (for_test(), for_test()) else { return };
    let (mut parent, daemon) = daemon_in(&one);
    let (mut other_parent, survivor) = daemon_in(&other);
    assert_eq!(one.processes().unwrap(), [daemon]);
    let undertaker = one.undertaker().unwrap();
    assert!(is_alive(daemon), "as long as the guard is held nothing happens");
    drop(undertaker);
    wait_until("the daemon is dead", || !is_alive(daemon));
    assert_eq!(one.processes().unwrap(), []);
    assert!(is_alive(survivor));
    drop(other.undertaker().unwrap());
    wait_until("the other is dead", || !is_alive(survivor));
    parent.wait().unwrap();
    other_parent.wait().unwrap();
}

/// Not a test: what `nothing_survives_a_killed_owner` starts and kills.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let namespace = NetNs::new().unwrap();
    let _undertaker = namespace.undertaker().unwrap();
    let (_parent, daemon) = daemon_in(&namespace);
    println!("daemon {daemon}");
    thread::sleep(Duration::from_secs(1000));
}

#[test]
fn nothing_survives_a_killed_owner() {
    if for_test().is_none() {
        return;
    }
    let mut victim = Command::new("/proc/self/exe");
    victim.args(["--exact", "netns::tests::victim", "--nocapture"]).env(VICTIM, "1").stdout(Stdio::piped());
    let mut victim = victim.spawn().unwrap();
    let mut output = BufReader::new(victim.stdout.take().unwrap());
    let mut line = String::new();
    let daemon = loop {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the victim ended before it had a daemon");
        // The harness may have put the test's name in front.
        if let Some((_, pid)) = line.split_once("daemon ") {
            break pid.trim().parse().unwrap();
        }
    };
    assert!(is_alive(daemon));
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("the daemon is dead", || !is_alive(daemon));
    // The undertaker itself keeps nothing open: the pipe of the victim comes to its end.
    output.read_to_string(&mut line).unwrap();
}

#[test]
fn a_process_with_threads_cannot_become_root() {
    // The test harness has at least two threads.
    let error = become_root_in_user_namespace().unwrap_err();
    assert!(error.to_string().contains("one thread"), "{error}");
}

#[test]
fn without_privileges_it_says_what_to_do() {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "netns::tests::commands_run_inside", "--nocapture"]).env_remove("CI");
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("skipped: cannot make a network namespace: be root, or call"), "{text}");
}
