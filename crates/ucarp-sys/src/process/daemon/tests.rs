use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::process::tests::{content, in_child, own_session, rerun};

/// Set to what the daemon shall do, and to a directory for its report.
const ACTION: &str = "UCARP_SYS_TEST_ACTION";
const DIRECTORY: &str = "UCARP_SYS_TEST_DIRECTORY";

/// Becomes a daemon and does what the environment says. The test framework has threads, but a fork of it has one.
#[test]
#[ignore = "a child process of the other tests here"]
fn daemon_child() {
    if !in_child() {
        return;
    }
    assert!(daemonize().unwrap_err().to_string().contains("threads"), "the framework's own threads are in the way");
    let Ok(Side::Child) = fork() else {
        let status = rustix::process::wait(rustix::process::WaitOptions::empty()).unwrap().unwrap().1;
        exit(u8::try_from(status.exit_status().unwrap_or(99)).unwrap());
    };
    let outcome = std::panic::catch_unwind(act);
    exit(if outcome.is_ok() { 0 } else { 98 });
}

fn act() {
    let directory = std::path::PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let readiness = daemonize().unwrap();
    eprintln!("setting up");
    match std::env::var(ACTION).unwrap().as_str() {
        "ready" => readiness.ready().unwrap(),
        "fail" => readiness.failed(7).unwrap(),
        "die" => exit(0),
        "drop" => drop(readiness),
        // The first process waits until it is told; the test ends it before.
        "late" => {
            std::fs::write(directory.join("waiting"), "\n").unwrap();
            until_removed(&directory.join("waiting"));
            readiness.ready().unwrap();
        }
        other => panic!("{other}"),
    }
    eprintln!("this goes nowhere");
    let link = |name: &str| std::fs::read_link(format!("/proc/self/{name}")).unwrap().display().to_string();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ids: Vec<_> = stat.rsplit(')').next().unwrap().split(' ').skip(3).take(2).collect();
    let umask = rustix::process::umask(rustix::fs::Mode::empty()).bits();
    let report = format!(
        "{} group {} session {} cwd {} umask {umask:o} fds {} {} {}\n",
        std::process::id(),
        ids[0],
        ids[1],
        link("cwd"),
        link("fd/0"),
        link("fd/1"),
        link("fd/2")
    );
    std::fs::write(directory.join("report"), report).unwrap();
    until_removed(&directory.join("report"));
}

fn until_removed(path: &std::path::Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while path.exists() && Instant::now() < deadline {
        std::thread::yield_now();
    }
}

/// Starts a daemon that takes this action. The shell is there for the umask.
fn start(action: &str, directory: &std::path::Path) -> Child {
    let child = rerun("process::daemon::tests::daemon_child");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 027; exec \"$@\"", "sh"]).arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env(ACTION, action).env(DIRECTORY, directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_first_process_exits_with_0_when_the_daemon_is_ready() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = start("ready", directory.path());
    let mut messages = String::new();
    // The daemon lives on and has let go of the descriptor, else this would not end.
    first.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert!(messages.ends_with("setting up\n"), "{messages}");
    assert_eq!(first.wait().unwrap().code(), Some(0));

    let report = content(&directory.path().join("report"));
    let words: Vec<_> = report.split_whitespace().collect();
    let (pid, group, session) = (words[0], words[2], words[4]);
    assert!(pid != group && pid != session && group == session, "{report}");
    let own = own_session().to_string();
    assert_ne!(session, own, "{report}");
    assert_eq!(words[5..], ["cwd", "/", "umask", "27", "fds", "/dev/null", "/dev/null", "/dev/null"]);
    std::fs::remove_file(directory.path().join("report")).unwrap();
}

#[test]
fn the_first_process_exits_with_the_daemon_s_failure() {
    for (action, code) in [("fail", 7), ("die", 2), ("drop", 2)] {
        let directory = tempfile::tempdir().unwrap();
        let mut first = start(action, directory.path());
        let mut line = String::new();
        let mut messages = BufReader::new(first.stderr.take().unwrap());
        while !line.ends_with("setting up\n") {
            assert!(messages.read_line(&mut line).unwrap() > 0, "{line}");
        }
        assert_eq!(first.wait().unwrap().code(), Some(code), "{action}");
    }
}

#[test]
fn the_daemon_lives_on_if_nobody_waits_for_its_word() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start("late", directory.path());
    content(&directory.path().join("waiting"));
    assert!(child.try_wait().unwrap().is_none(), "it waits for the daemon");
    // The process that called daemonize is the child of the one started here.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let children: String =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap()).collect();
    let waiting = rustix::process::Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(waiting, rustix::process::Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(99));
    std::fs::remove_file(directory.path().join("waiting")).unwrap();
    content(&directory.path().join("report"));
    std::fs::remove_file(directory.path().join("report")).unwrap();
}
