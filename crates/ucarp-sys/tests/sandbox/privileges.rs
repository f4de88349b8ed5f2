//! What a process that has entered the sandbox still is.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe};
use ucarp_sys::channel::{Channel, Received};
use ucarp_sys::process::{Child, Signal};
use ucarp_sys::sandbox::{SPARE_DESCRIPTORS, Sandbox, SandboxError, User, enter};

use crate::cases;
use crate::children::{in_child, is_root, sandbox, start, wait_for};

cases![
    every_privilege_is_gone,
    the_report_is_one_line_that_says_what_holds,
    who_is_not_root_gets_the_rest,
    a_user_namespace_without_the_user_gets_the_rest,
    root_is_no_user_to_become,
    descriptors_are_limited,
    entering_costs_little_memory,
];

/// What `/proc/PID/status` says of a process, by the name of the line.
fn status(pid: u32, line: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {line} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A child that waits to be killed, which dropping this does.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.kill(Signal::KILL).unwrap();
    }
}

/// A child that does this and enters the sandbox, and the report of that.
fn sandboxed(sandbox: &Sandbox, before: impl FnOnce()) -> (Waiting, String) {
    let (here, there) = Channel::pair().unwrap();
    let child = start(|| {
        before();
        there.send(enter(sandbox).unwrap().to_string().as_bytes(), &[]).unwrap();
        loop {
            wait_for(&there);
        }
    });
    let child = Waiting(child);
    wait_for(&here);
    let mut buffer = [0; 4096];
    let Received::Message { length, .. } = here.recv(&mut buffer).unwrap() else { panic!("no report") };
    (child, String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn every_privilege_is_gone() {
    if !is_root() {
        return;
    }
    let sandbox = sandbox();
    let user = sandbox.user.as_ref().unwrap();
    let (Waiting(child), report) =
        &sandboxed(&sandbox, || set_thread_groups(&[Gid::from_raw(4), Gid::from_raw(27)]).unwrap());
    let of = |line| status(child.pid(), line);
    let four = |id: u32| [id; 4].map(|id| id.to_string()).join(" ");
    assert_eq!((of("Uid"), of("Gid"), of("Groups")), (four(user.uid), four(user.gid), String::new()));
    no_capability_is_left_in(child);
    assert_eq!(of("CapBnd"), "0000000000000000", "{report}");
    // What cannot be dumped belongs to root, and nobody else can look inside.
    let memory = fs::metadata(format!("/proc/{}/mem", child.pid())).unwrap();
    assert_eq!((memory.uid(), memory.mode() & 0o777), (0, 0o600));
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.pid())).unwrap();
    let limit =
        |name| limits.lines().find_map(|line: &str| Some(line.strip_prefix(name)?.split_whitespace().collect()));
    for name in ["Max core file size", "Max processes"] {
        let limit: Vec<&str> = limit(name).unwrap();
        assert_eq!(limit[..2], ["0", "0"], "{name}");
    }
}

fn the_report_is_one_line_that_says_what_holds() {
    if !is_root() {
        return;
    }
    let (_child, report) = sandboxed(&sandbox(), || ());
    println!("{report}");
    for part in ["user ", "no capabilities", "no new privileges", " descriptors", "system calls"] {
        assert!(report.split("; missing").next().unwrap().contains(part), "no {part:?} in {report}");
    }
    assert!(!report.contains('\n'), "{report}");
}

fn no_capability_is_left_in(child: &Child) {
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(child.pid(), set), "0000000000000000", "{set}");
    }
    assert_eq!((&*status(child.pid(), "NoNewPrivs"), &*status(child.pid(), "Seccomp")), ("1", "2"));
}

fn who_is_not_root_gets_the_rest() {
    // Not a user that may run this already.
    let user = Some(User { name: "somebody".to_owned(), uid: 4321, gid: 4321 });
    let sandbox = Sandbox { user, ..sandbox() };
    let (Waiting(child), report) = &sandboxed(&sandbox, || {
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(1234), Gid::from_raw(1234));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            // As a program that was started by this user.
            set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        }
    });
    let missing = report.split_once("; missing: ").expect("something is missing").1;
    assert!(
        missing.contains(": no privilege to change it)") && missing.contains("user somebody:4321 (stays uid "),
        "{report}"
    );
    no_capability_is_left_in(child);
    assert_eq!(fs::metadata(format!("/proc/{}/mem", child.pid())).unwrap().uid(), 0, "it can be looked into");
}

fn a_user_namespace_without_the_user_gets_the_rest() {
    if !is_root() {
        return;
    }
    let (Waiting(child), report) = &sandboxed(&sandbox(), || {
        // SAFETY: this process has one thread, and no memory or descriptor table is unshared.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.unwrap();
        fs::write("/proc/self/setgroups", "deny").unwrap();
        fs::write("/proc/self/uid_map", "0 0 1").unwrap();
        fs::write("/proc/self/gid_map", "0 0 1").unwrap();
    });
    let missing = report.split_once("; missing: ").expect("something is missing").1;
    for part in
        ["groups (the user namespace forbids a change)", "group 65534 (not in", ":65534 (not in this user namespace)"]
    {
        assert!(missing.contains(part), "no {part:?} in {report}");
    }
    no_capability_is_left_in(child);
}

fn root_is_no_user_to_become() {
    in_child(|| {
        for uid in [0, u32::MAX] {
            let user = Some(User { name: "somebody".to_owned(), uid, gid: 65534 });
            let error =
                enter(&Sandbox { user, spare_descriptors: SPARE_DESCRIPTORS, names_destinations: false }).unwrap_err();
            assert!(matches!(error, SandboxError::Privileged { .. }), "{error}");
            let text = format!("user somebody:{uid} in group 65534 is not unprivileged: name another user");
            assert_eq!(error.to_string(), text);
        }
    });
}

fn descriptors_are_limited() {
    in_child(|| {
        let (here, there) = Channel::pair().unwrap();
        enter(&Sandbox { user: None, spare_descriptors: 10, names_destinations: false }).unwrap();
        // Those that are open need not be the lowest numbers; the harness may have been given others.
        let mut copies = Vec::new();
        while let Ok(copy) = rustix::io::fcntl_dupfd_cloexec(&here, 0) {
            copies.push(copy);
            assert!(copies.len() < 1000, "there is a limit");
        }
        assert!(copies.len() >= 10, "{} copies", copies.len());
        // A descriptor that cannot be taken is an error, not a surprise.
        there.send(b"x", &[std::os::fd::AsFd::as_fd(&there)]).unwrap();
        assert_eq!(here.recv(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        drop(copies);
        there.send(b"x", &[std::os::fd::AsFd::as_fd(&there)]).unwrap();
        assert!(matches!(here.recv(&mut [0; 1]).unwrap(), Received::Message { fds, .. } if fds.len() == 1));
    });
}

/// How much memory a process has, in KiB: all of it, and what is not part of a file. Pages are divided among all
/// processes that share them.
fn memory(pid: u32) -> [u64; 2] {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    ["Pss:", "Pss_Anon:"].map(|name| {
        let size = rollup.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        size.unwrap_or_else(|| panic!("no {name} in {rollup}"))
    })
}

fn entering_costs_little_memory() {
    if !is_root() {
        return;
    }
    let (here, there) = Channel::pair().unwrap();
    let sandbox = sandbox();
    let child = Waiting(start(|| {
        there.send(b"before", &[]).unwrap();
        wait_for(&there);
        there.recv(&mut [0; 10]).unwrap();
        enter(&sandbox).unwrap();
        there.send(b"after", &[]).unwrap();
        loop {
            wait_for(&there);
        }
    }));
    let [before, after] = [(); 2].map(|()| {
        wait_for(&here);
        here.recv(&mut [0; 10]).unwrap();
        let sizes = memory(child.0.pid());
        here.send(b"go on", &[]).unwrap();
        sizes
    });
    println!("memory in KiB, all and anonymous: {before:?} before entering the sandbox, {after:?} in it");
    // The rest is code of this program that was read for the first time.
    assert!(after[1] < before[1] + 256);
}
