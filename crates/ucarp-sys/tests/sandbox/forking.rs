//! Children, and what they share with their parent.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::thread;

use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use ucarp_sys::channel::{Channel, Received};
use ucarp_sys::process::{Exit, Signal, Tally, fork_child};

use crate::cases;
use crate::children::{end_of, in_child, outcome, start, wait_for};

cases![
    a_child_exits_with_its_status,
    a_child_that_panics_exits_with_101,
    a_child_can_be_stopped_and_killed,
    a_child_outlives_its_parent,
    a_process_with_threads_does_not_fork,
    a_child_that_cannot_be_watched_is_not_left_behind,
    messages_and_descriptors_go_between_processes,
    a_tally_counts_across_processes,
];

fn a_child_exits_with_its_status() {
    let mut child = fork_child(|| 7).unwrap();
    wait_for(&child);
    for _ in 0..2 {
        assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(7)));
    }
    child.kill(Signal::KILL).unwrap();
}

fn a_child_that_panics_exits_with_101() {
    // Unwinding does not reach what is on this stack.
    let (one, other) = Channel::pair().unwrap();
    struct Witness<'c>(&'c Channel);
    impl Drop for Witness<'_> {
        fn drop(&mut self) {
            self.0.send(&std::process::id().to_ne_bytes(), &[]).unwrap();
        }
    }
    let witness = Witness(&one);
    let exit = outcome(|| std::panic::resume_unwind(Box::new("on purpose")));
    assert_eq!(exit, Exit::Code(101));
    drop(witness);
    let mut buffer = [0; 4];
    assert!(matches!(other.recv(&mut buffer).unwrap(), Received::Message { .. }));
    assert_eq!(u32::from_ne_bytes(buffer), std::process::id());
    assert!(matches!(other.recv(&mut buffer).unwrap(), Received::Nothing));
}

fn a_child_can_be_stopped_and_killed() {
    let (parent_s, child_s) = Channel::pair().unwrap();
    let mut child = start(|| {
        child_s.send(&std::process::id().to_ne_bytes(), &[]).unwrap();
        loop {
            thread::park();
        }
    });
    wait_for(&parent_s);
    let mut pid = [0; 4];
    parent_s.recv(&mut pid).unwrap();
    assert_eq!(u32::from_ne_bytes(pid), child.pid());
    child.kill(Signal::STOP).unwrap();
    assert_eq!(child.try_wait().unwrap(), None, "it is stopped at most");
    child.kill(Signal::KILL).unwrap();
    assert_eq!(end_of(&mut child), Exit::Signal(libc::SIGKILL));
}

fn a_child_outlives_its_parent() {
    let (here, there) = Channel::pair().unwrap();
    let (gate, opener) = Channel::pair().unwrap();
    in_child(|| {
        let _grandchild = start(|| {
            wait_for(&gate);
            there.send(b"alive", &[]).unwrap();
        });
    });
    opener.send(b"your parent is dead", &[]).unwrap();
    wait_for(&here);
    assert!(matches!(here.recv(&mut [0; 8]).unwrap(), Received::Message { length: 5, .. }));
}

fn a_process_with_threads_does_not_fork() {
    in_child(|| {
        let other = thread::spawn(thread::park);
        let error = fork_child(|| 0).unwrap_err().to_string();
        assert_eq!(error, "cannot fork a child with 2 threads: do so before starting them");
        other.thread().unpark();
    });
}

fn a_child_that_cannot_be_watched_is_not_left_behind() {
    in_child(|| {
        // All that fails is the call that opens a descriptor for the child.
        let rules = [(libc::SYS_pidfd_open, Vec::new())].into_iter().collect();
        let full = SeccompAction::Errno(libc::EMFILE.cast_unsigned());
        let architecture = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, full, architecture).unwrap();
        seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        let error = fork_child(|| {
            loop {
                thread::park();
            }
        })
        .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(wait(WaitOptions::empty()).unwrap_err(), Errno::CHILD, "there is no child");
    });
}

fn messages_and_descriptors_go_between_processes() {
    let (guardian, engine) = Channel::pair().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut guardian = Some(guardian);
    let mut child = start(|| {
        guardian.take();
        wait_for(&engine);
        let Received::Message { fds, .. } = engine.recv(&mut [0; 10]).unwrap() else { panic!("no message") };
        File::from(fds.into_iter().next().unwrap()).write_all(b"by the child").unwrap();
        engine.send(b"last", &[]).unwrap();
    });
    drop(engine);
    let guardian = guardian.unwrap();
    guardian.send(b"take this", &[writer.as_fd()]).unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "by the child");
    assert_eq!(end_of(&mut child), Exit::Code(0));
    // The child is dead; what it said is not.
    assert!(matches!(guardian.recv_bytes(&mut [0; 10]).unwrap(), Received::Message { length: 4, .. }));
    assert!(matches!(guardian.recv_bytes(&mut [0; 10]).unwrap(), Received::Closed));
}

fn a_tally_counts_across_processes() {
    let tally = Tally::new().unwrap();
    in_child(|| (0..5).for_each(|_| tally.raise()));
    assert_eq!(tally.take(), 5);
    in_child(|| assert_eq!(tally.take(), 0));
}
