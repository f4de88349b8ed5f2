//! Who a process can be.

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use super::SandboxError;

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

/// Whether a user is one that protects.
pub(super) fn require_unprivileged(user: &User) -> Result<(), SandboxError> {
    if user.uid == 0 || [user.uid, user.gid].contains(&NO_CHANGE) {
        return Err(SandboxError::Privileged { user: user.clone() });
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
