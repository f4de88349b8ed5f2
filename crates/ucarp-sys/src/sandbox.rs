//! Giving up everything that a process which reads the network does not need.
//!
//! A process enters the sandbox once and for good, after it has opened what it works with. What it can do then: read,
//! write, send and receive on what is open, be handed further descriptors over a [`crate::channel::Channel`], accept
//! connections, wait, read clocks, take memory, and end. What it cannot: open a file or a socket, run a program, start a
//! process or thread, signal or look at another process, make code out of data. Even a log socket cannot be opened anew,
//! and `/proc` cannot be read.
//!
//! Each layer holds without the others: on Linux an unprivileged user without capabilities, Landlock, and a list of the
//! system calls that work; on FreeBSD an unprivileged user, and capability mode. A kernel or container that lacks one of
//! them gets the rest, and the [`Report`] says so.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod calls;
mod identity;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg_attr(target_os = "freebsd", path = "sandbox/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "sandbox/linux.rs")]
mod system;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::fmt;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::process::require_one_thread;
pub use identity::{User, lookup_user, unprivileged_user};

/// How many descriptors may be added to those that are open, unless somebody knows better: 64 for connections and the
/// like, and what 16 messages of a channel can bring.
pub const SPARE_DESCRIPTORS: u32 = 64 + 16 * 4;

/// What to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The user to become. `None` stays who it is, without its capabilities.
    pub user: Option<User>,
    /// How many descriptors may be open beyond the highest one that is open now.
    pub spare_descriptors: u32,
    /// Whether it has to send to addresses that it names itself, as to unicast peers. FreeBSD has no capability mode for
    /// such a process; Linux makes no difference.
    pub names_destinations: bool,
}

/// What came of it, for one line of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    held: Vec<String>,
    missing: Vec<String>,
}

impl Report {
    /// What holds, such as "no capabilities".
    pub fn held(&self) -> &[String] {
        &self.held
    }

    /// What could not be had, with the reason.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    fn holds(&mut self, what: impl Into<String>) {
        self.held.push(what.into());
    }

    fn lacks(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }
}

/// "user nobody:65534, no capabilities, ...; missing: seccomp (the kernel has none)".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.held.join(", "))?;
        if self.missing.is_empty() { Ok(()) } else { write!(f, "; missing: {}", self.missing.join(", ")) }
    }
}

/// Why the sandbox could not be entered. The process may have given up some of its privileges, and must not go on.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There are other threads, or they cannot be counted.
    #[error("{0}")]
    Threads(#[source] io::Error),
    /// The user that was named is no protection.
    #[error("user {user} in group {} is not unprivileged: name another user", user.gid)]
    Privileged {
        /// The user.
        user: User,
    },
    /// The kernel refused what it refuses nobody.
    #[error("cannot {step}: {source}")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Makes a [`SandboxError`] of what the kernel says.
fn refused<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |source| SandboxError::Refused { step, source: source.into() }
}

/// Enters the sandbox. There is no way back.
///
/// # Errors
///
/// If there is more than one thread, as the others would stay outside; if the user is root; if the kernel refuses what
/// it refuses nobody; if `/proc` is not mounted. What a kernel does not have, or a container or a missing privilege does not allow, is no error but
/// [`Report::missing`].
pub fn enter(sandbox: &Sandbox) -> Result<Report, SandboxError> {
    require_one_thread("enter the sandbox").map_err(SandboxError::Threads)?;
    let mut report = Report::default();
    limit_resources(sandbox.spare_descriptors, &mut report)?;
    system::give_up(sandbox.user.as_ref(), &mut report)?;
    system::confine(sandbox, &mut report)?;
    Ok(report)
}

/// Gives up the rights of this process and of all that it runs, for good: the user, all capabilities, and whatever an
/// executed program would bring. Files, sockets and programs of that user work as before; for what is to be sandboxed
/// there is [`enter`]. What is open stays open. A signal that comes when the parent dies still comes.
///
/// # Errors
///
/// As [`enter`].
pub fn renounce(user: Option<&User>) -> Result<Report, SandboxError> {
    require_one_thread("give up its rights").map_err(SandboxError::Threads)?;
    let mut report = Report::default();
    lower(Resource::Core, 0)?;
    system::renounce(user, &mut report)?;
    Ok(report)
}

/// No core dump, as there are keys in it; no new process or thread; a bounded number of descriptors.
fn limit_resources(spare_descriptors: u32, report: &mut Report) -> Result<(), SandboxError> {
    let descriptors =
        system::highest_descriptor().map_err(refused("list its descriptors"))? + 1 + u64::from(spare_descriptors);
    lower(Resource::Core, 0)?;
    lower(Resource::Nproc, 0)?;
    report.holds(format!("at most {} descriptors", lower(Resource::Nofile, descriptors)?));
    Ok(())
}

/// Makes a limit this one, for good, unless it is lower already. Returns what it is.
fn lower(resource: Resource, limit: u64) -> Result<u64, SandboxError> {
    let limit = getrlimit(resource).current.map_or(limit, |current| limit.min(current));
    let both = Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(resource, both).map_err(refused("lower a resource limit"))?;
    Ok(limit)
}
