//! Network namespaces by descriptor: no names, no mounts, nothing left behind. For tests, benches and the demo.
//!
//! A namespace lives as long as a descriptor, a socket or a process in it, and the kernel removes it with the last one.
//! Processes are the one thing that could be left: see [`Undertaker`].

mod undertaker;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

pub use undertaker::Undertaker;

use crate::netlink::Connection;

/// The first interface of every namespace.
const LOOPBACK_INDEX: u32 = 1;

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

impl NetNs {
    /// Makes a fresh namespace with nothing but a loopback interface, which is up. The caller stays where it is.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_SYS_ADMIN` (the message says what to do); no memory, descriptors or threads.
    pub fn new() -> io::Result<NetNs> {
        in_thread(|| {
            unshare(UnshareFlags::NEWNET).map_err(|error| {
                explain(&error, "cannot make a network namespace: be root, or call become_root_in_user_namespace first")
            })?;
            loopback_up()?;
            NetNs::current()
        })?
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// `/proc` is not there, or no descriptors are left.
    pub fn current() -> io::Result<NetNs> {
        Ok(NetNs { fd: File::open("/proc/thread-self/ns/net")?.into() })
    }

    /// Moves the calling thread into this namespace.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_SYS_ADMIN`.
    pub fn enter(&self) -> io::Result<()> {
        Ok(rustix::thread::move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    /// Runs `work` in this namespace, in a thread of its own, and waits for it. A panic in `work` goes on in the caller.
    ///
    /// # Errors
    /// The thread cannot be started or may not enter the namespace.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        in_thread(|| self.enter().map(|()| work()))?
    }

    /// Makes `command` run in this namespace.
    ///
    /// # Errors
    /// No descriptors left. A failure to enter the namespace is reported by `spawn`.
    pub fn command(&self, command: &mut Command) -> io::Result<()> {
        let fd = self.fd.try_clone()?;
        let enter = move || {
            rustix::thread::move_into_link_name_space(fd.as_fd(), Some(LinkNameSpaceType::Network)).map_err(Into::into)
        };
        // SAFETY: between fork and exec the closure makes one system call on a descriptor that it owns; it does not
        // allocate, lock or panic.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// The processes whose main thread is in this namespace, as ids in the caller's `/proc`. Processes that end meanwhile,
    /// or may not be looked at, are left out.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let wanted = rustix::fs::fstat(&self.fd)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(namespace) = std::fs::metadata(format!("/proc/{pid}/ns/net")) else { continue };
            if (namespace.dev(), namespace.ino()) == (wanted.st_dev, wanted.st_ino) {
                found.push(pid);
            }
        }
        Ok(found)
    }

    /// Sees to it that no process in this namespace outlives the caller's process: see [`Undertaker`].
    ///
    /// # Errors
    /// No process can be forked, or no descriptors are left.
    pub fn undertaker(&self) -> io::Result<Undertaker> {
        Undertaker::start(self.fd.as_fd())
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes an unprivileged process root of a user namespace of its own (with a network namespace), where it can make all
/// the network namespaces it wants. Outside of it, it can do no more than before. For root there is no need of this.
///
/// Call it first thing in `main`: the kernel allows it only to a process with one thread.
///
/// # Errors
/// Each says what is missing: more than one thread, user namespaces switched off, too many of them, or forbidden by
/// AppArmor (Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`).
pub fn become_root_in_user_namespace() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        let text = format!("a user namespace needs a process with one thread, this one has {threads}: call it earlier");
        return Err(io::Error::other(text));
    }
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let refused = |error: io::Error| explain(&error, &format!("cannot make a user namespace: {}", what_forbids_it()));
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET).map_err(refused)?;
    // The kernel wants setgroups(2) given up before an unprivileged process may map its group.
    std::fs::write("/proc/self/setgroups", "deny").map_err(refused)?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).map_err(refused)?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).map_err(refused)?;
    loopback_up().map_err(refused)
}

/// The switches that are known to forbid user namespaces, and which of them do here.
fn what_forbids_it() -> String {
    let switches = [
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ("/proc/sys/user/max_user_namespaces", "0"),
    ];
    let found: Vec<String> = switches
        .iter()
        .filter(|(path, bad)| std::fs::read_to_string(path).is_ok_and(|value| value.trim() == *bad))
        .map(|(path, bad)| format!("{path} is {bad}"))
        .collect();
    if found.is_empty() { "the kernel or a container's rules forbid it".to_owned() } else { found.join(", ") }
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: CLONE_FILES is never among the flags of this file, so no other thread loses sight of a descriptor.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

fn loopback_up() -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = LOOPBACK_INDEX;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    Connection::open()?.request(RouteNetlinkMessage::SetLink(message), 0).map_err(io::Error::other)
}

/// Runs `work` in a thread of its own: a thread that has changed its namespace must not be used for anything else.
fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work)?;
        thread.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}

fn explain(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// For tests: a fresh namespace. `None`, with a note, where this process may not make one; under CI that is a failure.
#[cfg(test)]
pub(crate) fn for_test() -> Option<NetNs> {
    match NetNs::new() {
        Ok(namespace) => Some(namespace),
        Err(error) if std::env::var_os("CI").is_some() => panic!("this test cannot run: {error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests;
