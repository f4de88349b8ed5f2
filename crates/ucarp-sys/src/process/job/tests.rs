use std::time::{Duration, Instant};

use super::*;
use crate::poll::Poller;
use crate::process::tests::forked;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

fn outcome(job: &mut Job) -> (Exit, String) {
    let mut text = Vec::new();
    let deadline = Instant::now() + SOON;
    loop {
        job.read(&mut text, 4096);
        if let Some(exit) = job.try_wait().unwrap() {
            job.read(&mut text, 4096);
            return (exit, String::from_utf8(text).unwrap());
        }
        assert!(Instant::now() < deadline, "it does not end");
        Poller::new().wait([job.end(), job.output()], Some(Duration::from_millis(100))).unwrap();
    }
}

fn shell(script: &str) -> impl FnOnce() -> u8 {
    let arguments = ["-c", script].map(OsString::from);
    move || {
        println!("{}", become_program("/bin/sh".as_ref(), &arguments));
        NOT_BEGUN
    }
}

#[test]
fn a_job_has_its_output_and_its_exit_status() {
    forked(|| {
        let mut job = Job::start(|| {
            println!("done");
            7
        })
        .unwrap();
        assert_eq!(outcome(&mut job), (Exit::Code(7), "done\n".into()));
        let mut job = Job::start(shell("echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!(outcome(&mut job), (Exit::Code(3), "out\nerr\n".into()));
        let mut job = Job::start(|| {
            println!("{}", become_program("/nonexistent/x".as_ref(), &[]));
            4
        })
        .unwrap();
        let (exit, text) = outcome(&mut job);
        assert!(exit == Exit::Code(4) && text.starts_with("No such file"), "{exit} {text}");
    });
}

#[test]
fn a_job_that_is_killed_leaves_nothing_of_its_group() {
    forked(|| {
        let mut job = Job::start(shell("sleep 1000 & echo $!; wait")).unwrap();
        let mut text = Vec::new();
        let deadline = Instant::now() + SOON;
        while !text.ends_with(b"\n") {
            assert!(Instant::now() < deadline);
            Poller::new().wait([job.output()], Some(Duration::from_millis(100))).unwrap();
            job.read(&mut text, 100);
        }
        let sleeper = String::from_utf8(text).unwrap().trim().to_owned();
        job.kill();
        assert_eq!(outcome(&mut job).0, Exit::Signal(libc::SIGKILL));
        assert_gone(&sleeper);
        // One that ends by itself leaves nothing either.
        let mut job = Job::start(shell("sleep 1000 & echo $!")).unwrap();
        let (exit, text) = outcome(&mut job);
        assert_eq!(exit, Exit::Code(0));
        assert_gone(text.trim());
    });
}

/// It is no process any more, or one that only waits for being waited for.
fn assert_gone(pid: &str) {
    let deadline = Instant::now() + SOON;
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        std::thread::yield_now();
    }
}

#[test]
fn the_programs_of_a_job_have_their_signals_and_nothing_open() {
    forked(|| {
        let mut job = Job::start(shell("ls /proc/self/fd; grep SigIgn /proc/self/status")).unwrap();
        let (exit, text) = outcome(&mut job);
        assert_eq!(exit, Exit::Code(0), "{text}");
        // 3 is the directory itself.
        assert!(text.starts_with("0\n1\n2\n3\nSigIgn:\t0000000000000000"), "{text}");
    });
}

#[test]
fn a_job_dies_with_the_process_that_started_it() {
    forked(|| {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut child = fork_child(|| {
            let mut job = Job::start(shell("echo $$; sleep 1000")).unwrap();
            let mut text = Vec::new();
            while !text.ends_with(b"\n") {
                Poller::new().wait([job.output()], None).unwrap();
                job.read(&mut text, 100);
            }
            assert!(job.try_wait().unwrap().is_none());
            rustix::io::write(&writer, &text).unwrap();
            rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
            0
        })
        .unwrap();
        let mut pid = [0; 32];
        let length = rustix::io::read(&reader, &mut pid).unwrap();
        Poller::new().wait([child.as_fd()], Some(SOON)).unwrap();
        assert_eq!(child.try_wait().unwrap(), Some(Exit::Signal(libc::SIGKILL)));
        assert_gone(std::str::from_utf8(&pid[..length]).unwrap().trim());
    });
}

#[test]
fn output_beyond_the_bound_is_lost_and_does_not_block_the_job() {
    forked(|| {
        let mut job = Job::start(shell("head -c 300000 /dev/zero; exit 5")).unwrap();
        let mut text = Vec::new();
        let deadline = Instant::now() + SOON;
        let exit = loop {
            job.read(&mut text, 10);
            if let Some(exit) = job.try_wait().unwrap() {
                break exit;
            }
            assert!(Instant::now() < deadline);
        };
        assert_eq!((exit, text.len()), (Exit::Code(5), 10));
    });
}
