//! Linux: capabilities, `no_new_privs`, Landlock and seccomp.

use std::io;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Uid, geteuid, getppid, parent_process_death_signal, set_dumpable_behavior,
    set_parent_process_death_signal,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::identity::require_unprivileged;
use super::{Report, Sandbox, SandboxError, User, landlock, refused};

/// Gives the rights up and nothing else.
pub(super) fn renounce(user: Option<&User>, report: &mut Report) -> Result<(), SandboxError> {
    let bond = parent_process_death_signal().map_err(refused("ask what ends it"))?;
    let parent = getppid();
    give_up(user, report)?;
    set_no_new_privs(true).map_err(refused("rule out new privileges"))?;
    report.holds("no new privileges");
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("hide the memory"))?;
    if bond.is_some() {
        // The kernel forgets it with the change of the user.
        set_parent_process_death_signal(bond).map_err(refused("die with its parent"))?;
        if getppid() != parent {
            return Err(refused("die with its parent, which has died")(Errno::SRCH));
        }
    }
    Ok(())
}

/// What is left after the user was changed.
pub(super) fn confine(_: &Sandbox, report: &mut Report) -> Result<(), SandboxError> {
    set_no_new_privs(true).map_err(refused("rule out new privileges"))?;
    report.holds("no new privileges");
    // After the change of the user, which sets it, too. Not even a process of the same user can look inside now.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("hide the memory"))?;
    landlock::restrict(report);
    restrict_calls(report)
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
    require_unprivileged(user)?;
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

pub(super) fn highest_descriptor() -> io::Result<u64> {
    let mut highest = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(target_pointer_width = "64")]
use super::calls::restrict as restrict_calls;

/// Where the list of system calls was never tried.
#[cfg(not(target_pointer_width = "64"))]
fn restrict_calls(report: &mut Report) -> Result<(), SandboxError> {
    report.lacks("seccomp (not on 32 bits)");
    Ok(())
}
