//! The system calls that work in the sandbox (seccomp); all others fail with `EPERM`.
//!
//! They fail, and do not kill the process, although that would be stricter: which system calls a C library makes is not
//! ours to say, and changes with its versions. One that nobody thought of must be an error that the caller handles as on
//! any locked-down system, not the sudden death of a MASTER. An attacker gains nothing by it but more attempts. Only
//! calls in the manner of another architecture (32-bit calls on x86_64) kill.

use std::collections::BTreeMap;
use std::io;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::{Report, SandboxError, refused};

/// What an argument of a system call must be. All that are looked at are 32 bits wide for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    /// This number.
    Is(libc::c_int),
    /// A number without any of these bits.
    Lacks(libc::c_int),
    /// The process that enters the sandbox.
    IsSelf,
}

use Test::{Is, IsSelf, Lacks};

/// Tests of arguments, numbered from 0, that must all be passed.
type Rule = &'static [(u8, Test)];

/// Whatever the arguments are.
const ANY: &[Rule] = &[];

/// `FIONBIO` of asm-generic/ioctls.h, on all architectures that are supported here.
const FIONBIO: libc::c_int = 0x5421;
/// `PACKET_STATISTICS` of linux/if_packet.h.
const PACKET_STATISTICS: libc::c_int = 6;
/// `NETLINK_ADD_MEMBERSHIP` of linux/netlink.h.
const NETLINK_ADD_MEMBERSHIP: libc::c_int = 1;

/// The system calls that work, each if the arguments pass at least one of its rules. Nothing here makes a new socket,
/// file, process or thread; descriptors come from `accept4`, from copies, and over a channel.
const CALLS: &[(libc::c_long, &[Rule])] = &[
    // What is open: log lines, counters, control connections, and the pipe behind signals.
    (libc::SYS_read, ANY),
    (libc::SYS_write, ANY),
    (libc::SYS_writev, ANY),
    (libc::SYS_close, ANY),
    // Frames, many with one call.
    (libc::SYS_sendmmsg, ANY),
    (libc::SYS_recvmmsg, ANY),
    // Frames and packets, netlink messages, log lines to syslog.
    (libc::SYS_sendto, ANY),
    (libc::SYS_recvfrom, ANY),
    // Messages of a channel.
    (libc::SYS_sendmsg, ANY),
    (libc::SYS_recvmsg, ANY),
    // Control connections.
    (libc::SYS_accept4, ANY),
    (libc::SYS_ioctl, &[&[(1, Is(FIONBIO))]]),
    // Flags and copies. No owner of a descriptor: its signals would go wherever that is.
    (
        libc::SYS_fcntl,
        &[
            &[(1, Is(libc::F_GETFD))],
            &[(1, Is(libc::F_SETFD))],
            &[(1, Is(libc::F_GETFL))],
            &[(1, Is(libc::F_SETFL))],
            &[(1, Is(libc::F_DUPFD_CLOEXEC))],
        ],
    ),
    // Who is connected; lost frames.
    (libc::SYS_getsockopt, &[&[(1, Is(libc::SOL_SOCKET))], &[(1, Is(libc::SOL_PACKET)), (2, Is(PACKET_STATISTICS))]]),
    // Another filter after a reload; news of addresses when the guardian has died. No option of packet sockets: their rings
    // have a history of holes.
    (
        libc::SYS_setsockopt,
        &[
            &[(1, Is(libc::SOL_SOCKET)), (2, Is(libc::SO_ATTACH_FILTER))],
            &[(1, Is(libc::SOL_NETLINK)), (2, Is(NETLINK_ADD_MEMBERSHIP))],
        ],
    ),
    // Waiting, and its end by a signal.
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, ANY),
    (libc::SYS_ppoll, ANY),
    (libc::SYS_nanosleep, ANY),
    (libc::SYS_clock_nanosleep, ANY),
    (libc::SYS_restart_syscall, ANY),
    // Clocks that cannot be read without the kernel.
    (libc::SYS_clock_gettime, ANY),
    // Memory, never to be executed.
    (libc::SYS_brk, ANY),
    (libc::SYS_mmap, &[&[(2, Lacks(libc::PROT_EXEC))]]),
    (libc::SYS_mprotect, &[&[(2, Lacks(libc::PROT_EXEC))]]),
    (libc::SYS_munmap, ANY),
    (libc::SYS_mremap, ANY),
    (libc::SYS_madvise, ANY),
    // Locks.
    (libc::SYS_futex, ANY),
    // Seeds of hash tables.
    (libc::SYS_getrandom, ANY),
    // Signals that arrive.
    (libc::SYS_rt_sigaction, ANY),
    (libc::SYS_rt_sigprocmask, ANY),
    (libc::SYS_rt_sigreturn, ANY),
    (libc::SYS_sigaltstack, ANY),
    // Log lines have the pid in them, and abort needs two of these. Nobody expects any of them to fail.
    (libc::SYS_getpid, ANY),
    (libc::SYS_gettid, ANY),
    (libc::SYS_getppid, ANY),
    (libc::SYS_getuid, ANY),
    (libc::SYS_geteuid, ANY),
    (libc::SYS_getgid, ANY),
    (libc::SYS_getegid, ANY),
    // The end: abort, and nobody else's.
    (libc::SYS_tgkill, &[&[(0, IsSelf), (2, Is(libc::SIGABRT))]]),
    (libc::SYS_exit, ANY),
    (libc::SYS_exit_group, ANY),
];

/// From now on only [`CALLS`] work.
pub(super) fn restrict(report: &mut Report) -> Result<(), SandboxError> {
    match program().and_then(|program| seccompiler::apply_filter(&program)) {
        Ok(()) => report.holds(format!("{} system calls", CALLS.len())),
        Err(Error::Backend(BackendError::InvalidTargetArch(name))) => {
            report.lacks(format!("seccomp (not known for {name})"));
        }
        Err(Error::Seccomp(error)) if [Some(libc::EINVAL), Some(libc::ENOSYS)].contains(&error.raw_os_error()) => {
            report.lacks("seccomp (the kernel has no filters)");
        }
        Err(error) => return Err(refused("filter system calls")(io::Error::other(error))),
    }
    Ok(())
}

/// The filter for this process.
fn program() -> Result<BpfProgram, Error> {
    let mut rules = BTreeMap::new();
    for (number, alternatives) in CALLS {
        let alternatives = alternatives.iter().map(|rule| compile(rule)).collect::<Result<Vec<_>, _>>()?;
        rules.insert(*number, alternatives);
    }
    let otherwise = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let architecture = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, otherwise, SeccompAction::Allow, architecture)?.try_into()?)
}

fn compile(rule: Rule) -> Result<SeccompRule, BackendError> {
    let condition = |(argument, test): &(u8, Test)| {
        let number = |value: libc::c_int| u64::from(value.cast_unsigned());
        let (operator, value) = match *test {
            Is(value) => (SeccompCmpOp::Eq, number(value)),
            Lacks(bits) => (SeccompCmpOp::MaskedEq(number(bits)), 0),
            IsSelf => (SeccompCmpOp::Eq, number(getpid().as_raw_pid())),
        };
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator, value)
    };
    SeccompRule::new(rule.iter().map(condition).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_is_listed_once() {
        // A second entry would replace the rules of the first.
        let numbers: BTreeSet<_> = CALLS.iter().map(|(number, _)| number).collect();
        assert_eq!(numbers.len(), CALLS.len());
    }

    #[test]
    fn the_filter_can_be_made_and_is_far_from_the_kernel_s_limit() {
        let length = program().unwrap().len();
        assert!((CALLS.len()..1000).contains(&length), "{length} instructions");
    }
}
