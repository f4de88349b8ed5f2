//! A lab without privileges, and what is left of it when its process is killed.
//!
//! This program starts itself again as a user who may do nothing, makes that a root of a user namespace, builds a lab there
//! and is killed with `SIGKILL` in the middle of it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use netlab::{Direction, Lab, Prober, Tap, wait_until};

const INSIDE: &str = "--inside";
const SOON: Duration = Duration::from_secs(10);
const NOBODY: u32 = 65534;
const NAME: &str = "an_unprivileged_lab_works_and_nothing_survives_its_killed_owner";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == INSIDE) {
        inside();
    } else if arguments.iter().any(|argument| argument == "--list") {
        // What test runners ask.
        println!("{NAME}: test");
    } else if arguments.iter().all(|argument| argument.starts_with('-') || NAME.contains(argument.as_str())) {
        outside();
        println!("test {NAME} ... ok");
    }
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

/// Builds a lab in which everything is used once, says which processes are in it, and waits to be killed.
fn inside() {
    if let Err(error) = netlab::become_root_in_user_namespace() {
        println!("cannot run: {error}");
        return;
    }
    let lab = Lab::new().expect("it works without privileges");
    let alpha = lab.host("alpha", 1, [10, 0, 0, 1], 24).expect("it works without privileges");
    let client = lab.host("client", 9, [10, 0, 0, 9], 24).expect("it works without privileges");
    let tap = Tap::new(&lab).expect("it works without privileges");
    let prober = Prober::start(&client, [10, 0, 0, 1], Prober::INTERVAL).expect("it works without privileges");
    prober.wait_for_answer(0, SOON).expect("it works without privileges");
    tap.wait_for(|frame| &*frame.port == "alpha", SOON).expect("it works without privileges");
    alpha.silence(Direction::Both).expect("it works without privileges");
    alpha.unsilence().expect("it works without privileges");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "setsid sleep 1000 & echo daemon $!; exec sleep 1000"]);
    let process = alpha.spawn(command).expect("it works without privileges");
    let daemon = process.wait_for_line("daemon ", SOON).expect("it works without privileges").text;
    println!("{daemon} {}", process.pid());
    std::thread::sleep(Duration::from_secs(1000));
}

fn outside() {
    let mut command = Command::new("/proc/self/exe");
    command.arg(INSIDE).stdout(Stdio::piped());
    if std::fs::metadata("/proc/self").is_ok_and(|owner| std::os::unix::fs::MetadataExt::uid(&owner) == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().expect("this program can be started again");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a pipe can be read");
    if line.starts_with("cannot run") {
        assert!(std::env::var_os("CI").is_none(), "this test {line}");
        eprintln!("skipped: {line}");
        child.wait().expect("it ends");
        return;
    }
    let pids: Vec<u32> = line.split_whitespace().skip(1).map(|pid| pid.parse().expect("a number")).collect();
    assert_eq!(pids.len(), 2, "it failed: {line}");
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    assert!(wait_until(SOON, || !pids.iter().any(|pid| is_alive(*pid))), "of {pids:?} something is still there");
    // Nobody holds the pipe any more, not even the undertakers.
    output.read_to_string(&mut line).expect("it comes to its end");
}
