//! FreeBSD: an unprivileged user, and capability mode (`capsicum(4)`).

use std::io;

use rustix::io::Errno;
use rustix::process::geteuid;

use super::identity::require_unprivileged;
use super::{Report, Sandbox, SandboxError, User, refused};

/// Descriptors above this one are not looked for; a process that forks has far fewer.
const MOST_DESCRIPTORS: i32 = 1 << 16;

/// Becomes the user, for good.
pub(super) fn give_up(user: Option<&User>, report: &mut Report) -> Result<(), SandboxError> {
    let own = geteuid().as_raw();
    let Some(user) = user else {
        report.lacks(format!("another user (stays uid {own})"));
        return Ok(());
    };
    require_unprivileged(user)?;
    if own != 0 {
        if own == user.uid {
            report.holds(format!("user {user}"));
        } else {
            report.lacks(format!("user {user} (stays uid {own}: no privilege to change it)"));
        }
        return Ok(());
    }
    // The groups first: there is no privilege to change them afterwards.
    // SAFETY: one group is read from live memory.
    checked(unsafe { libc::setgroups(1, &raw const user.gid) }, "drop the supplementary groups")?;
    // SAFETY: plain numbers.
    checked(unsafe { libc::setresgid(user.gid, user.gid, user.gid) }, "change the group")?;
    // SAFETY: plain numbers.
    checked(unsafe { libc::setresuid(user.uid, user.uid, user.uid) }, "change the user")?;
    report.holds(format!("user {user}"));
    Ok(())
}

/// Gives the rights up and nothing else.
pub(super) fn renounce(user: Option<&User>, report: &mut Report) -> Result<(), SandboxError> {
    give_up(user, report)?;
    rule_out_more(report)
}

/// Rules out new rights, and looks at its memory: not even a process of the same user can do so, and there is no core dump.
fn rule_out_more(report: &mut Report) -> Result<(), SandboxError> {
    match control(libc::PROC_NO_NEW_PRIVS_CTL, libc::PROC_NO_NEW_PRIVS_ENABLE) {
        Ok(()) => report.holds("no new privileges"),
        Err(error) => report.lacks(format!("no new privileges ({error})")),
    }
    control(libc::PROC_TRACE_CTL, libc::PROC_TRACE_CTL_DISABLE).map_err(refused("hide the memory"))
}

/// What is left after the user was changed.
pub(super) fn confine(sandbox: &Sandbox, report: &mut Report) -> Result<(), SandboxError> {
    rule_out_more(report)?;
    if sandbox.names_destinations {
        report.lacks("capability mode (it cannot send to unicast peers there)");
        return Ok(());
    }
    // SAFETY: cap_enter has no conditions.
    if unsafe { libc::cap_enter() } == 0 {
        report.holds("capability mode");
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOSYS) => report.lacks("capability mode (the kernel has none)"),
        error => return Err(refused("enter capability mode")(error)),
    }
    Ok(())
}

fn control(command: libc::c_int, mut value: libc::c_int) -> io::Result<()> {
    // SAFETY: both commands take a number, which is live; process 0 stands for this one.
    if unsafe { libc::procctl(libc::P_PID, 0, command, (&raw mut value).cast()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn checked(result: libc::c_int, step: &'static str) -> Result<(), SandboxError> {
    if result == 0 { Ok(()) } else { Err(refused(step)(io::Error::last_os_error())) }
}

/// The highest descriptor that is open.
pub(super) fn highest_descriptor() -> Result<u64, Errno> {
    // SAFETY: getdtablesize has no conditions.
    let size = unsafe { libc::getdtablesize() }.clamp(3, MOST_DESCRIPTORS);
    // SAFETY: to ask for the flags of a descriptor changes nothing, and one that is not open is an error.
    let is_open = |fd: &i32| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0;
    let highest = (0..size).rev().find(is_open).unwrap_or(2);
    Ok(u64::from(highest.cast_unsigned()))
}
