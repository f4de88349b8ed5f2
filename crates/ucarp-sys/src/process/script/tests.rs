use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::process::tests::{content, in_child, own_session, rerun};
use crate::signals::Signals;

/// An executable file in `directory`. Another process writes it: if this one had it open for writing while another test
/// forks, it could not be executed at first (`ETXTBSY`).
fn script(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("script");
    let mut writer = Command::new("sh");
    writer.args(["-c", "rm -f \"$1\"; printf %s \"$2\" >\"$1\"; chmod 755 \"$1\"", "sh"]).arg(&path).arg(text);
    assert!(writer.status().unwrap().success());
    path
}

/// Starts a shell command whose `$1` is `report`.
fn shell(command: &str, report: &Path) -> Script {
    let args = ["-c", command, "sh"].map(OsString::from);
    Script::spawn("/bin/sh".as_ref(), &[&args[..], &[report.into()]].concat()).unwrap()
}

fn wait(script: &mut Script) -> Exit {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(exit) = script.try_wait().unwrap() {
            return exit;
        }
        assert!(Instant::now() < deadline, "{script:?} did not end");
        std::thread::yield_now();
    }
}

/// Whether a process exists and is no zombie.
fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[test]
fn arguments_arrive_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let text =
        "#!/bin/sh\nreport=$1; shift\nfor arg; do printf '<%s>' \"$arg\"; done >\"$report\"; echo >>\"$report\"\n";
    let path = script(directory.path(), text);
    let args = ["eth0", "10.0.0.100", "two words", "", "$HOME *", "\u{e9}"].map(OsString::from);
    let mut args = args.to_vec();
    args.insert(0, report.clone().into());
    args.push(OsString::from_vec(vec![0xff, 0x01]));
    let mut script = Script::spawn(path.as_os_str(), &args).unwrap();
    assert_eq!(wait(&mut script), Exit::Code(0));
    let wanted = ["<eth0><10.0.0.100><two words><><$HOME *><\u{e9}><".as_bytes(), b"\xff\x01>\n"].concat();
    assert_eq!(fs::read(&report).unwrap(), wanted);
}

#[test]
fn the_way_it_ended_is_told_and_remembered() {
    let nowhere = Path::new("/dev/null");
    let mut script = shell("exit 3", nowhere);
    assert_eq!(wait(&mut script), Exit::Code(3));
    assert_eq!(script.try_wait().unwrap(), Some(Exit::Code(3)), "also when asked again");
    assert_eq!(wait(&mut shell("exit 255", nowhere)), Exit::Code(255));
    assert_eq!(wait(&mut shell("kill -KILL $$", nowhere)), Exit::Signal(9));
    assert_eq!(Exit::Code(3).to_string(), "exit status 3");
    assert_eq!(Exit::Signal(9).to_string(), "signal 9 (SIGKILL)");
    assert_eq!(Exit::Signal(34).to_string(), "signal 34");
}

#[test]
fn what_cannot_be_executed_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let errno = |path: &Path| Script::spawn(path.as_os_str(), &[]).unwrap_err().raw_os_error();
    assert_eq!(errno(&directory.path().join("missing")), Some(libc::ENOENT));
    assert_eq!(errno(directory.path()), Some(libc::EACCES));
    assert_eq!(errno(Path::new("")), Some(libc::ENOENT));

    let marker = directory.path().join("ran");
    let path = script(directory.path(), &format!("touch {}\n", marker.display()));
    assert_eq!(errno(&path), Some(libc::ENOEXEC), "no #! line");
    assert!(!marker.exists(), "a shell ran it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(errno(&path), Some(libc::EACCES));
    let path = script(directory.path(), "#!/nonexistent/interpreter\n");
    assert_eq!(errno(&path), Some(libc::ENOENT));

    let with_nul = Script::spawn("/bin/sh".as_ref(), &["a\0b".into()]).unwrap_err();
    assert_eq!(with_nul.kind(), io::ErrorKind::InvalidInput);
}

/// The current directory belongs to the whole process, so this is a process of its own.
#[test]
#[ignore = "a child process of a_bare_name_is_a_file_in_the_current_directory"]
fn bare_name_child() {
    if !in_child() {
        return;
    }
    assert_eq!(Script::spawn("true".as_ref(), &[]).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    assert_eq!(wait(&mut Script::spawn("script".as_ref(), &[]).unwrap()), Exit::Code(7));
}

#[test]
fn a_bare_name_is_a_file_in_the_current_directory() {
    let directory = tempfile::tempdir().unwrap();
    script(directory.path(), "#!/bin/sh\nexit 7\n");
    let mut child = rerun("process::script::tests::bare_name_child");
    assert!(child.current_dir(directory.path()).status().unwrap().success());
}

#[test]
fn no_descriptor_of_ours_leaks_in() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let _signals = Signals::catch(&[]).unwrap();
    let _file = fs::File::open("/dev/zero").unwrap();
    let mut script = shell("ls -l /proc/self/fd >\"$1\"", &report);
    assert_eq!(wait(&mut script), Exit::Code(0));
    let listing = fs::read_to_string(&report).unwrap();
    let mut seen: Vec<i32> = listing
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        // The directory that ls itself reads.
        .filter(|(_, target)| !target.starts_with("/proc/"))
        .map(|(entry, _)| entry.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    seen.sort_unstable();
    assert!(seen.starts_with(&[0, 1, 2]), "{listing}");
    for fd in &seen[3..] {
        // What whoever runs the tests hands down to everybody is not ours.
        // SAFETY: F_GETFD takes no pointer; a number that is not open is an error.
        let flags = unsafe { libc::fcntl(*fd, libc::F_GETFD) };
        assert!(flags >= 0 && flags & libc::FD_CLOEXEC == 0, "{fd}: {listing}");
    }
    assert!(!listing.contains("/dev/zero"));
}

#[test]
fn the_script_starts_with_default_signals_in_its_own_group() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let _caught = Signals::catch(&[crate::signals::Signal::Child]).unwrap();
    let (none, all) = signal_sets();
    let mut script = {
        // SAFETY: SIGTTIN ignored changes nothing for a process without a terminal; the mask is that of this thread.
        unsafe {
            libc::signal(libc::SIGTTIN, libc::SIG_IGN);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, null_mut());
        }
        // Not through a shell, which clears the mask.
        let args = ["/proc/self/status".into(), report.clone().into()];
        let script = Script::spawn("/bin/cp".as_ref(), &args).unwrap();
        // SAFETY: as above.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, null_mut());
            libc::signal(libc::SIGTTIN, libc::SIG_DFL);
        }
        script
    };
    assert_eq!(wait(&mut script), Exit::Code(0));
    let report = fs::read_to_string(&report).unwrap();
    for name in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        let set = report.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        // The C library keeps signals 32 to 34 for itself.
        let set = u64::from_str_radix(set, 16).unwrap() & !(0b111 << 31);
        assert_eq!(set, 0, "{report}");
    }
    let session = own_session();
    for (name, id) in [("Pid", script.pid()), ("NSpgid", script.pid()), ("PPid", std::process::id())] {
        assert!(report.contains(&format!("\n{name}:\t{id}\n")), "{name} {id}: {report}");
    }
    assert!(report.contains(&format!("\nNSsid:\t{session}\n")), "{report}");
}

#[test]
fn the_environment_is_inherited() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut script = shell("cat /proc/$$/environ >\"$1\"", &report);
    assert_eq!(wait(&mut script), Exit::Code(0));
    let seen = fs::read(&report).unwrap();
    let mut wanted = Vec::new();
    for (name, value) in std::env::vars_os() {
        wanted.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    assert_eq!(seen, wanted);
}

#[test]
fn stopping_reaches_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut script = shell("sleep 60 & echo $! >\"$1\"; wait", &report);
    let sleeper = content(&report).trim().to_owned();
    assert_eq!(script.try_wait().unwrap(), None);
    assert!(alive(&sleeper));
    script.terminate_group().unwrap();
    assert_eq!(wait(&mut script), Exit::Signal(libc::SIGTERM));
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive(&sleeper) {
        assert!(Instant::now() < deadline);
    }
    // It is gone: nothing is signalled, and nothing is wrong.
    script.terminate_group().unwrap();
    script.kill_group().unwrap();
    assert_eq!(script.try_wait().unwrap(), Some(Exit::Signal(libc::SIGTERM)));
}

#[test]
fn a_script_that_ignores_sigterm_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut script = shell("trap '' TERM; echo ready >\"$1\"; sleep 60", &report);
    content(&report);
    script.terminate_group().unwrap();
    assert_eq!(script.try_wait().unwrap(), None);
    script.kill_group().unwrap();
    assert_eq!(wait(&mut script), Exit::Signal(libc::SIGKILL));
}

#[test]
fn nothing_of_a_stopped_script_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut script = shell("trap 'exit 5' TERM; (trap '' TERM; echo ready >\"$1\"; exec sleep 60) & wait", &report);
    content(&report);
    script.terminate_group().unwrap();
    assert_eq!(wait(&mut script), Exit::Code(5));
    let deadline = Instant::now() + Duration::from_secs(10);
    while rustix::process::test_kill_process_group(script.pid).is_ok() {
        assert!(Instant::now() < deadline, "the background job that ignores SIGTERM is still there");
    }
}

/// UCARP does not wait for them, and neither does this.
#[test]
fn a_background_job_of_a_script_that_ends_by_itself_lives_on() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut script = shell("sleep 60 & echo $! >\"$1\"", &report);
    assert_eq!(wait(&mut script), Exit::Code(0));
    let job = content(&report).trim().to_owned();
    assert!(alive(&job));
    kill_process_group(script.pid, Signal::KILL).unwrap();
}

#[test]
fn a_storm_of_signals_disturbs_nothing() {
    let _caught = Signals::catch(&[crate::signals::Signal::Child]).unwrap();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let storm = std::thread::spawn({
        let done = std::sync::Arc::clone(&done);
        move || {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                rustix::process::kill_process(rustix::process::getpid(), Signal::CHILD).unwrap();
            }
        }
    });
    for _ in 0..50 {
        assert_eq!(wait(&mut shell("exit 4", Path::new("/dev/null"))), Exit::Code(4));
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    storm.join().unwrap();
}
