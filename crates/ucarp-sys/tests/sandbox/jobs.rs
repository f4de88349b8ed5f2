//! Jobs: work in processes of its own.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use ucarp_sys::poll::Poller;
use ucarp_sys::process::{Exit, Job, Signal, become_program, fork_child};

use crate::cases;
use crate::children::{PATIENCE, end_of, wait_for};

cases![
    a_job_has_its_output_and_its_exit_status,
    a_job_that_is_killed_leaves_nothing_of_its_group,
    the_programs_of_a_job_have_their_signals_and_nothing_open,
    a_job_dies_with_the_process_that_started_it,
    output_beyond_the_bound_is_lost_and_does_not_block_the_job,
];

fn outcome(job: &mut Job) -> (Exit, String) {
    let mut text = Vec::new();
    let deadline = Instant::now() + PATIENCE;
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
        126
    }
}

fn a_job_has_its_output_and_its_exit_status() {
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
}

fn a_job_that_is_killed_leaves_nothing_of_its_group() {
    let mut job = Job::start(shell("sleep 1000 & echo $!; wait")).unwrap();
    let mut text = Vec::new();
    let deadline = Instant::now() + PATIENCE;
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
}

/// It is no process any more, or one that only waits for being waited for.
fn assert_gone(pid: &str) {
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        std::thread::yield_now();
    }
}

fn the_programs_of_a_job_have_their_signals_and_nothing_open() {
    let mut job = Job::start(shell("ls /proc/self/fd; grep SigIgn /proc/self/status")).unwrap();
    let (exit, text) = outcome(&mut job);
    assert_eq!(exit, Exit::Code(0), "{text}");
    // 3 is the directory itself.
    let (descriptors, ignored) = text.split_once("SigIgn:\t").unwrap();
    assert_eq!(descriptors, "0\n1\n2\n3\n");
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    for signal in
        [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM, libc::SIGPIPE]
    {
        assert_eq!(ignored >> (signal - 1) & 1, 0, "{signal}");
    }
}

fn a_job_dies_with_the_process_that_started_it() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut child = fork_child(|| {
        let mut job = Job::start(shell("echo $$; sleep 1000")).unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\n") {
            wait_for(job.output());
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
    assert_eq!(end_of(&mut child), Exit::Signal(libc::SIGKILL));
    assert_gone(std::str::from_utf8(&pid[..length]).unwrap().trim());
}

fn output_beyond_the_bound_is_lost_and_does_not_block_the_job() {
    let mut job = Job::start(shell("head -c 300000 /dev/zero; exit 5")).unwrap();
    let mut text = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let exit = loop {
        job.read(&mut text, 10);
        if let Some(exit) = job.try_wait().unwrap() {
            break exit;
        }
        assert!(Instant::now() < deadline);
    };
    assert_eq!((exit, text.len()), (Exit::Code(5), 10));
}
