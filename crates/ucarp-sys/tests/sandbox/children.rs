//! Children to try things in.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ucarp_sys::poll::Poller;
use ucarp_sys::process::{Child, Exit, Signal, fork_child};
use ucarp_sys::sandbox::{Report, SPARE_DESCRIPTORS, Sandbox, enter, unprivileged_user};

/// Longer than anything takes here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a child ends. One that does not is killed, and fails the case.
pub(crate) fn end_of(child: &mut Child) -> Exit {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(exit) = child.try_wait().unwrap() {
            return exit;
        }
        Poller::new().wait([child.as_fd()], Some(deadline - Instant::now())).unwrap();
    }
    child.kill(Signal::KILL).unwrap();
    panic!("child {} does not end", child.pid());
}

/// Runs `work` in a child and returns how that ends: with status 0, or 101 for a panic.
pub(crate) fn outcome(work: impl FnOnce()) -> Exit {
    end_of(&mut start(work))
}

/// Starts a child that runs `work`.
pub(crate) fn start(work: impl FnOnce()) -> Child {
    let run = || {
        work();
        0
    };
    fork_child(run).unwrap()
}

/// Runs `work` in a child, where it must not panic.
pub(crate) fn in_child(work: impl FnOnce()) {
    assert_eq!(outcome(work), Exit::Code(0), "the child's message is above");
}

/// The sandbox of an unprivileged user.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox { user: unprivileged_user().unwrap(), spare_descriptors: SPARE_DESCRIPTORS, names_destinations: false }
}

/// Enters the sandbox as an unprivileged user.
pub(crate) fn enter_sandbox() -> Report {
    enter(&sandbox()).unwrap()
}

/// Whether this process is root. If not the case is skipped, which under CI is a failure.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "this case needs root");
        eprintln!("skipped: not root");
    }
    is_root
}

/// Waits until a descriptor can be read.
pub(crate) fn wait_for(fd: impl AsFd) {
    let mut poller = Poller::new();
    let deadline = Instant::now() + PATIENCE;
    while !poller.ready(0) {
        let left = deadline.checked_duration_since(Instant::now()).expect("it comes in time");
        poller.wait([fd.as_fd()], Some(left)).unwrap();
    }
}
