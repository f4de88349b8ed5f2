use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::poll::Poller;

/// Signals are for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Sends a signal to this thread: it has been handled when this returns.
fn send(signal: Signal) {
    signal_hook::low_level::raise(signal.number()).unwrap();
}

/// Waits and drains until all of `wanted` have come; other kinds than these are a failure.
fn expect(signals: &mut Signals, wanted: &[Signal]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut missing = wanted.to_vec();
    let mut poller = Poller::new();
    while !missing.is_empty() {
        let left = deadline.checked_duration_since(Instant::now()).expect("the signals come within ten seconds");
        poller.wait([signals.as_fd()], Some(left)).unwrap();
        for signal in signals.drain() {
            assert!(wanted.contains(&signal), "{signal:?}");
            missing.retain(|wanted| *wanted != signal);
        }
    }
}

#[test]
fn every_kind_is_caught_and_told_apart() {
    let _alone = ALONE.lock();
    // SIGCHLD comes from other tests' children, too.
    let kinds = [Signal::Usr1, Signal::Usr2, Signal::Hup, Signal::Int, Signal::Quit, Signal::Term];
    let mut signals = Signals::catch(&kinds).unwrap();
    assert_eq!(signals.drain(), []);
    for kind in kinds {
        send(kind);
        expect(&mut signals, &[kind]);
        assert_eq!(signals.drain(), []);
    }
    kinds.into_iter().for_each(send);
    expect(&mut signals, &kinds);
}

#[test]
fn the_end_of_a_child_is_a_signal() {
    let _alone = ALONE.lock();
    let mut signals = Signals::catch(&[Signal::Child]).unwrap();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    expect(&mut signals, &[Signal::Child]);
    child.wait().unwrap();
}

#[test]
fn a_storm_is_one_signal_and_no_signal_is_lost() {
    let _alone = ALONE.lock();
    let mut signals = Signals::catch(&[Signal::Usr1, Signal::Usr2]).unwrap();
    let storm = thread::spawn(|| (0..10_000).for_each(|_| send(Signal::Usr1)));
    let mut drained = 0;
    while !storm.is_finished() {
        let got = signals.drain();
        assert!(got.is_empty() || got == [Signal::Usr1], "{got:?}");
        drained += got.len();
    }
    storm.join().unwrap();
    assert!(drained <= 10_000);

    // Nobody drains: the pipe fills up and the rest is forgotten, but not that there was something.
    for _ in 0..70_000 {
        send(Signal::Usr1);
    }
    send(Signal::Usr2);
    expect(&mut signals, &[Signal::Usr1, Signal::Usr2]);
    // Spurious wake-ups end.
    let deadline = Instant::now() + Duration::from_secs(10);
    while Poller::new().wait([signals.as_fd()], Some(Duration::ZERO)).unwrap() > 0 {
        signals.drain();
        assert!(Instant::now() < deadline);
    }
    assert_eq!(signals.drain(), []);
    send(Signal::Usr2);
    expect(&mut signals, &[Signal::Usr2]);
}

#[test]
fn dropping_it_closes_its_descriptors() {
    let _alone = ALONE.lock();
    let pipes = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.ok()?.path().read_link().ok());
        links.filter(|target| target.to_string_lossy().starts_with("pipe:")).collect::<Vec<_>>()
    };
    let signals = Signals::catch(&[Signal::Usr1, Signal::Term]).unwrap();
    let flags = rustix::io::fcntl_getfd(&signals).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let own =
        std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&signals.as_fd()))).unwrap();
    assert_eq!(pipes().iter().filter(|target| **target == own).count(), 3);
    drop(signals);
    assert!(!pipes().into_iter().collect::<HashSet<_>>().contains(&own));
    send(Signal::Usr1);
}
