use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ucarp_sys::clock;

use super::*;

fn now() -> Instant {
    Instant::from_nanos(clock::boottime())
}

/// A runner whose scripts append to `log` what they were called with; `up` and `down` are shell text run before that.
fn runner(directory: &Path, up: &str, down: &str, limit: Duration) -> Runner {
    let script = |name: &str, body: &str| {
        let path = directory.join(name);
        let log = directory.join("log");
        fs::write(&path, format!("#!/bin/sh\n{body}\necho {name} \"$#\" \"$1\" \"$2\" \"$3\" >>{}\n", log.display()))
            .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["eth0", "10.0.0.100", "a b"].map(OsString::from).to_vec();
        Some(settings::Script { path: path.into_os_string(), arguments })
    };
    Runner::new(Scripts { up: script("up", up), down: script("down", down), neutral: false, time_limit: limit })
}

fn log(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_default()
}

/// Polls until the runner reports an outcome.
fn outcome(runner: &mut Runner) -> Action {
    let started = now();
    loop {
        if let Some(action) = runner.poll(now()) {
            return action;
        }
        assert!(now() - started < Duration::from_secs(30), "the script never ended");
        std::thread::yield_now();
    }
}

#[test]
fn a_script_gets_interface_address_and_the_parameter_as_one_argument() {
    let directory = tempfile::tempdir().unwrap();
    let mut runner = runner(directory.path(), "", "", Duration::from_secs(60));
    assert_eq!(runner.request(now(), Action::Up), None);
    assert_eq!(outcome(&mut runner), Action::Up);
    assert!(runner.is_idle());
    assert_eq!(log(directory.path()), "up 3 eth0 10.0.0.100 a b\n");
}

#[test]
fn the_next_script_waits_for_the_running_one() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", gate.display());
    let mut runner = runner(directory.path(), &wait, "", Duration::from_secs(60));
    runner.request(now(), Action::Up);
    assert_eq!(runner.request(now(), Action::Down), None);
    assert_eq!(runner.poll(now()), None);
    assert_eq!(log(directory.path()), "");
    fs::write(gate, "").unwrap();
    assert_eq!(outcome(&mut runner), Action::Down, "only the last wish is reported");
    assert_eq!(log(directory.path()), "up 3 eth0 10.0.0.100 a b\ndown 3 eth0 10.0.0.100 a b\n");
}

#[test]
fn an_outdated_script_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", gate.display());
    let mut runner = runner(directory.path(), &wait, "", Duration::from_secs(60));
    runner.request(now(), Action::Up);
    runner.request(now(), Action::Down);
    runner.request(now(), Action::Up);
    fs::write(gate, "").unwrap();
    assert_eq!(outcome(&mut runner), Action::Up);
    assert_eq!(log(directory.path()), "up 3 eth0 10.0.0.100 a b\n", "neither down nor a second up ran");
}

#[test]
fn a_stuck_script_is_terminated_with_its_children_at_the_time_limit() {
    let directory = tempfile::tempdir().unwrap();
    let child = directory.path().join("child");
    let stuck = format!("sleep 1000 & echo $! >{}; wait", child.display());
    let mut runner = runner(directory.path(), &stuck, "", Duration::from_millis(300));
    let started = now();
    runner.request(started, Action::Up);
    assert_eq!(outcome(&mut runner), Action::Up);
    assert!(now() - started >= Duration::from_millis(300));
    let child = fs::read_to_string(child).unwrap();
    let deadline = now() + Duration::from_secs(10);
    let state = format!("/proc/{}/stat", child.trim());
    while fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(now() < deadline, "the script's child {child} survived");
        std::thread::yield_now();
    }
    assert_eq!(log(directory.path()), "");
}

#[test]
fn a_script_that_ignores_the_termination_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let stubborn = format!("trap '' TERM; : >{}; while :; do sleep 0.05; done", ready.display());
    let mut runner = runner(directory.path(), &stubborn, "", Duration::from_secs(60));
    let started = now();
    runner.request(started, Action::Up);
    while !ready.exists() {
        assert!(now() - started < Duration::from_secs(30), "the script did not start");
        std::thread::yield_now();
    }
    let limit = started + Duration::from_secs(60);
    assert_eq!(runner.poll(limit), None, "terminated, in vain");
    assert_eq!(runner.poll(limit), None);
    assert_eq!(runner.poll(limit + GRACE), None, "killed");
    assert_eq!(outcome(&mut runner), Action::Up);
}

#[test]
fn a_script_that_cannot_be_executed_changes_nothing_and_is_over_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut runner = runner(directory.path(), "", "", Duration::from_secs(60));
    runner.scripts.up =
        Some(settings::Script { path: directory.path().join("missing").into_os_string(), arguments: vec![] });
    assert_eq!(runner.request(now(), Action::Up), Some(Action::Up));
    runner.scripts.up = None;
    assert_eq!(runner.request(now(), Action::Up), Some(Action::Up), "no script at all");
    assert!(runner.is_idle());
}

#[test]
fn error_texts_are_those_of_the_system() {
    assert_eq!(explain(&io::Error::from_raw_os_error(2)), "No such file or directory");
    assert_eq!(explain(&io::Error::from_raw_os_error(8)), "Exec format error");
}
