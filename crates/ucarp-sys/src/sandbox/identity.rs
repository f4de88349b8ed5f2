//! Who a process is, and what that allows: user, groups and capabilities.

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::{Report, SandboxError, refused};

/// Users that are tried when none is named: the daemon's own, and the one that every system has.
///
/// The daemon's own is better: what runs as "nobody" can be killed by whatever else runs as "nobody".
const DEFAULT_USERS: [&str; 2] = ["ucarp", "nobody"];

/// No entry of a user database is longer.
const LONGEST_ENTRY: usize = 1024 * 1024;

/// `(uid_t) -1`, which stands for "no change" in system calls.
const NO_CHANGE: u32 = u32::MAX;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, for messages.
    pub name: String,
    /// The user's id.
    pub uid: u32,
    /// The user's primary group.
    pub gid: u32,
}

/// "nobody:65534".
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.uid)
    }
}

/// The user to become when none is named: "ucarp", else "nobody"; `None` if there is neither.
///
/// # Errors
///
/// As [`lookup_user`].
pub fn unprivileged_user() -> io::Result<Option<User>> {
    // Users of the system are in the file. To ask whatever else the system is set up to ask costs 0.3 MiB and more.
    let file = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if let Some(user) = DEFAULT_USERS.into_iter().find_map(|name| entry_of(&file, name)) {
        return Ok(Some(user));
    }
    for name in DEFAULT_USERS {
        if let Some(user) = lookup_user(name)? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// A user's entry in the text of `passwd(5)`.
fn entry_of(file: &str, name: &str) -> Option<User> {
    let mut fields = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    let mut number = || fields.next()?.parse().ok();
    Some(User { name: name.to_owned(), uid: number()?, gid: number()? })
}

/// Looks a user up; `None` if there is none of this name.
///
/// It asks whatever the system is set up to ask, which may take a while; so do it once, at the start, before there is a
/// sandbox.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] for a NUL in the name; else what the C library says when it cannot ask.
pub fn lookup_user(name: &str) -> io::Result<Option<User>> {
    let wanted = CString::new(name)?;
    let mut strings = vec![0; 1024];
    loop {
        match lookup(&wanted, &mut strings) {
            Ok(ids) => return Ok(ids.map(|(uid, gid)| User { name: name.to_owned(), uid, gid })),
            Err(libc::EINTR) => {}
            Err(libc::ERANGE) if strings.len() < LONGEST_ENTRY => strings.resize(strings.len() * 2, 0),
            // Some sources of users say so of one that they do not know.
            Err(libc::ENOENT | libc::ESRCH) => return Ok(None),
            Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// One question to the C library. The error is its number.
fn lookup(name: &CStr, strings: &mut [libc::c_char]) -> Result<Option<(u32, u32)>, libc::c_int> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = null_mut();
    // SAFETY: the name ends with a NUL; the entry, the strings with their length and the result are live and writable,
    // and nothing keeps them.
    let errno = unsafe {
        libc::getpwnam_r(name.as_ptr(), entry.as_mut_ptr(), strings.as_mut_ptr(), strings.len(), &raw mut found)
    };
    match errno {
        0 if found.is_null() => Ok(None),
        0 => {
            // SAFETY: the function has succeeded and found something, so it has filled the entry. Only numbers are read.
            let entry = unsafe { entry.assume_init_ref() };
            Ok(Some((entry.pw_uid, entry.pw_gid)))
        }
        errno => Err(errno),
    }
}

/// Becomes the user, and is left without any capability.
pub(super) fn give_up(user: Option<&User>, report: &mut Report) -> Result<(), SandboxError> {
    // While there still is the capability that this needs.
    empty_bounding_set(report)?;
    match user {
        Some(user) => become_user(user, report)?,
        None => report.lacks(format!("another user (stays uid {})", geteuid().as_raw())),
    }
    // Refused by kernels before Linux 4.3, which have no such set.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(refused("drop all capabilities"))?;
    report.holds("no capabilities");
    Ok(())
}

/// Sees to it that no program that is executed can bring capabilities back. Without the privilege it stays; there is
/// `no_new_privs` for that, too.
fn empty_bounding_set(report: &mut Report) -> Result<(), SandboxError> {
    for capability in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << capability)) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                report.lacks("an empty capability bounding set (no privilege to change it)");
                break;
            }
            // The kernel has no capability of this number, nor of a higher one.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(refused("empty the capability bounding set")(error)),
        }
    }
    Ok(())
}

fn become_user(user: &User, report: &mut Report) -> Result<(), SandboxError> {
    if user.uid == 0 || [user.uid, user.gid].contains(&NO_CHANGE) {
        return Err(SandboxError::Privileged { user: user.clone() });
    }
    let own = capabilities(None).map_err(refused("read its capabilities"))?.effective;
    if !own.contains(CapabilitySet::SETUID | CapabilitySet::SETGID) {
        match geteuid().as_raw() {
            uid if uid == user.uid => report.holds(format!("user {user}")),
            uid => report.lacks(format!("user {user} (stays uid {uid}: no privilege to change it)")),
        }
        return Ok(());
    }
    // The groups first: there is no privilege to change them afterwards.
    match set_thread_groups(&[]) {
        Ok(()) => {}
        Err(Errno::PERM) => report.lacks("empty supplementary groups (the user namespace forbids a change)"),
        Err(error) => return Err(refused("drop the supplementary groups")(error)),
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    match set_thread_res_gid(gid, gid, gid) {
        Ok(()) => {}
        Err(Errno::INVAL) => report.lacks(format!("group {} (not in this user namespace)", user.gid)),
        Err(error) => return Err(refused("change the group")(error)),
    }
    match set_thread_res_uid(uid, uid, uid) {
        Ok(()) => report.holds(format!("user {user}")),
        Err(Errno::INVAL) => report.lacks(format!("user {user} (not in this user namespace)")),
        Err(error) => return Err(refused("change the user")(error)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_file_are_found_by_their_whole_name() {
        let file = "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/nonexistent:/usr/sbin/nologin\nbad:x\n";
        let nobody = User { name: "nobody".to_owned(), uid: 65534, gid: 65533 };
        assert_eq!(entry_of(file, "nobody"), Some(nobody));
        assert_eq!(entry_of(file, "ucarp"), None);
        assert_eq!(entry_of(file, "bad"), None);
    }
}
