use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::*;
use crate::packet::tests::until;

const LONG: Option<Duration> = Some(Duration::from_secs(20));

#[test]
fn tells_which_descriptor_is_readable() {
    let (mut first, _first_end) = pipe().unwrap();
    let (second, mut second_end) = pipe().unwrap();
    let mut poller = Poller::new();
    assert_eq!(poller.wait([first.as_fd(), second.as_fd()], Some(Duration::ZERO)).unwrap(), 0);
    assert!(!poller.ready(0) && !poller.ready(1));

    second_end.write_all(b"x").unwrap();
    assert_eq!(poller.wait([first.as_fd(), second.as_fd()], LONG).unwrap(), 1);
    assert!(!poller.ready(0) && poller.ready(1) && !poller.ready(2));

    // The memory of the last wait is used again, its answers are not.
    let memory = poller.entries.as_ptr();
    assert_eq!(poller.wait([first.as_fd()], Some(Duration::ZERO)).unwrap(), 0);
    assert!(!poller.ready(0) && !poller.ready(1));
    assert_eq!(poller.entries.as_ptr(), memory);

    drop(_first_end);
    assert_eq!(poller.wait([first.as_fd()], LONG).unwrap(), 1, "a closed end is an answer");
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_error_on_the_descriptor_counts_as_ready() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut poller = Poller::new();
    assert_eq!(poller.wait([writer.as_fd()], LONG).unwrap(), 1);
    assert!(poller.ready(0));
}

#[test]
fn waits_for_less_than_a_millisecond_and_never_too_short() {
    let mut poller = Poller::new();
    let timeout = Duration::from_micros(300);
    let shortest = (0..50)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(poller.wait([], Some(timeout)).unwrap(), 0);
            start.elapsed()
        })
        .min()
        .unwrap();
    assert!(shortest >= timeout, "{shortest:?}");
    assert!(shortest < Duration::from_millis(1), "poll(2) would have made it a millisecond: {shortest:?}");
}

#[test]
fn the_longest_timeout_is_no_error() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"x").unwrap();
    assert_eq!(Poller::new().wait([reader.as_fd()], Some(Duration::MAX)).unwrap(), 1);
}

/// Calls `wait` under a storm of signals until it says 0; with restarts inside it would last for the whole timeout.
#[test]
fn a_signal_ends_the_wait_with_nothing_ready() {
    let seen = Arc::new(AtomicBool::new(false));
    let id = signal_hook::flag::register(libc::SIGWINCH, Arc::clone(&seen)).unwrap();
    let (reader, _writer) = pipe().unwrap();
    let sleeper = thread::spawn(move || {
        let start = Instant::now();
        let mut poller = Poller::new();
        let ready = poller.wait([reader.as_fd()], LONG).unwrap();
        (ready, poller.ready(0), start.elapsed())
    });
    while !sleeper.is_finished() {
        // SAFETY: the thread has not been joined, so its handle is valid.
        unsafe { libc::pthread_kill(sleeper.as_pthread_t(), libc::SIGWINCH) };
        thread::yield_now();
    }
    let (ready, first, elapsed) = sleeper.join().unwrap();
    signal_hook::low_level::unregister(id);
    assert!(seen.load(Ordering::SeqCst));
    assert!((ready, first) == (0, false) && elapsed < Duration::from_secs(20), "{ready} {first} {elapsed:?}");
}

#[test]
fn writable_now_knows_a_full_pipe() {
    let (mut reader, mut writer) = pipe().unwrap();
    let mut fill = || {
        let mut written = 0;
        while writable_now(writer.as_fd()) {
            writer.write_all(&[0; 4096]).unwrap();
            written += 1;
            assert!(written < 10_000, "a pipe without end");
        }
        written
    };
    let written = fill();
    assert!(written > 0);
    reader.read_exact(&mut [0; 4096]).unwrap();
    assert_eq!(fill(), 1);

    // A child that another test forks has a copy of the reader until it executes something.
    drop(reader);
    until("error", || writable_now(writer.as_fd()).then_some(()));
    let error = writer.write(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "it fails at once instead of blocking");
}
