//! Programs on hosts: what they say, how they end, and that they end.

use std::process::Command;
use std::time::Duration;

use netlab::{Error, Lab, Signal, Stream, now, wait_until};

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

#[test]
fn output_is_recorded_with_times_and_streams() {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let before = now();
    let process = host.spawn(shell("echo one; echo two >&2; printf three; exit 7")).unwrap();
    let two = process.wait_for_line("two", SOON).unwrap();
    assert_eq!(two.stream, Stream::Error);
    assert!(two.at > before && two.at < now());
    assert_eq!(process.wait(SOON).unwrap().unwrap().code(), Some(7));
    assert!(process.wait_for_end_of_output(SOON));
    let lines = process.lines();
    let output: Vec<&str> =
        lines.iter().filter(|line| line.stream == Stream::Output).map(|line| line.text.as_str()).collect();
    assert_eq!(output, ["one", "three"]);
    // Nobody can write it any more, so there is no need to wait for it.
    let asked = std::time::Instant::now();
    assert_eq!(process.wait_for_line("four", Duration::from_secs(60)), None);
    assert!(asked.elapsed() < SOON);
    assert!(process.signal(Signal::TERM).is_err(), "it has ended");
}

#[test]
fn a_process_runs_on_its_host_and_takes_signals() {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let script = "trap 'echo caught; exit 3' USR1; readlink /proc/self/ns/net; while :; do sleep 0.01; done";
    let process = host.spawn(shell(script)).unwrap();
    let name = host.run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    assert!(process.wait_for_line(name.to_str().unwrap(), SOON).is_some());
    assert!(host.processes().unwrap().contains(&process.pid()));
    assert_eq!(process.wait(Duration::from_millis(1)).unwrap(), None);
    process.signal(Signal::USR1).unwrap();
    assert!(process.wait_for_line("caught", SOON).is_some());
    assert_eq!(process.wait(SOON).unwrap().unwrap().code(), Some(3));
    let missing = host.spawn(Command::new("/no/such/program")).unwrap_err();
    assert!(missing.to_string().contains("starting /no/such/program"), "{missing}");
}

#[test]
fn endless_output_without_lines_does_not_stop_the_program() {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let process = host.spawn(shell("head -c 1000000 /dev/zero")).unwrap();
    assert_eq!(process.wait(SOON).unwrap().unwrap().code(), Some(0));
    assert!(process.wait_for_end_of_output(SOON));
    assert_eq!(process.lines().iter().map(|line| line.text.len()).sum::<usize>(), 1_000_000);
    assert!(process.lines().len() > 10, "in pieces");
}

#[test]
fn a_dropped_process_is_dead() {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let process = host.spawn(shell("exec sleep 1000")).unwrap();
    let pid = process.pid();
    assert!(is_alive(pid));
    drop(process);
    assert!(!is_alive(pid));
}

#[test]
fn daemons_die_with_the_lab() {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let other_lab = Lab::new().unwrap();
    let other = other_lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
    let survivor = other.spawn(shell("exec sleep 1000")).unwrap();
    let foreground = host.spawn(shell("exec sleep 1000")).unwrap();
    let process = host.spawn(shell("setsid sh -c 'sleep 1000 & echo daemon $!; exec sleep 1000' & exit 0")).unwrap();
    let daemon: u32 = process.wait_for_line("daemon ", SOON).unwrap().text[7..].parse().unwrap();
    assert_eq!(process.wait(SOON).unwrap().unwrap().code(), Some(0));
    assert!(is_alive(daemon) && host.processes().unwrap().len() >= 3);
    drop(lab);
    assert!(!is_alive(daemon), "the lab waits for the end of what it kills");
    assert!(wait_until(SOON, || !is_alive(foreground.pid())));
    assert_eq!(host.processes().unwrap(), []);
    assert!(is_alive(survivor.pid()), "of another lab");
    assert!(matches!(host.spawn(shell("exit 0")), Err(Error::Gone { .. })));
}

#[test]
fn a_panic_cleans_up() {
    if !netlab::can_run() {
        return;
    }
    let (send, receive) = std::sync::mpsc::channel();
    let panic = std::thread::spawn(move || {
        let lab = Lab::new().unwrap();
        let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
        let process = host.spawn(shell("setsid sleep 1000 & echo daemon $!; exit 0")).unwrap();
        send.send(process.wait_for_line("daemon ", SOON).unwrap().text[7..].parse().unwrap()).unwrap();
        panic!("on purpose");
    });
    assert!(panic.join().is_err());
    assert!(!is_alive(receive.recv().unwrap()));
}
