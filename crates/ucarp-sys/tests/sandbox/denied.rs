//! What cannot be done in the sandbox. Everything is tried outside first, where it is not forbidden.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{null, null_mut};
use std::thread;

use ucarp_sys::process::Exit;

use crate::cases;
use crate::children::{enter_sandbox, in_child, is_root, outcome};

cases![what_is_forbidden_works_outside, what_is_forbidden_does_not_work_inside, no_socket_of_any_family_can_be_made];

/// An attempt and its name. It says whether the kernel lets it through, or complains only about the arguments.
type Attempt = (&'static str, fn(BorrowedFd<'_>) -> io::Result<()>);

/// Attempts at what a process that was taken over would like to do.
const ATTEMPTS: &[Attempt] = &[
    ("open a file", |_| File::open("/etc/passwd").map(drop)),
    ("open a file in the old way", |_| open_the_old_way()),
    ("look at the own memory", |_| File::open("/proc/self/mem").map(drop)),
    ("list a directory", |_| std::fs::read_dir("/").map(drop)),
    ("make a file", |_| File::create("/dev/null").map(drop)),
    ("make a file in memory", |_| call(libc::SYS_memfd_create, [c"x".as_ptr() as usize, 0, 0])),
    ("change the directory", |_| std::env::set_current_dir("/")),
    ("make a pipe", |_| io::pipe().map(drop)),
    ("bind", |fd| call(libc::SYS_bind, [raw(fd), 0, 0])),
    ("connect", |fd| call(libc::SYS_connect, [raw(fd), 0, 0])),
    ("listen", |fd| call(libc::SYS_listen, [raw(fd), 0, 0])),
    ("give signals of a descriptor to a process", |fd| fcntl(fd, libc::F_SETOWN)),
    ("make a ring of a socket", |fd| call(libc::SYS_setsockopt, [raw(fd), 263, 5])),
    ("change another socket option", |fd| call(libc::SYS_setsockopt, [raw(fd), 1, 13])),
    ("leave a group of netlink", |fd| call(libc::SYS_setsockopt, [raw(fd), 270, 2])),
    ("type into a terminal", |fd| call(libc::SYS_ioctl, [raw(fd), 0x5412, 0])),
    ("execute a program", |_| execute()),
    ("fork", |_| fork()),
    ("start a thread", |_| thread::Builder::new().spawn(|| ()).map(drop)),
    ("trace a process", |_| call(libc::SYS_ptrace, [usize::MAX, 0, 0])),
    ("read another process", |_| call(libc::SYS_process_vm_readv, [pid(rustix::process::getppid()), 0, 0])),
    ("signal another process", |_| call(libc::SYS_kill, [pid(rustix::process::getppid()), 0, 0])),
    ("signal itself", |_| call(libc::SYS_kill, [pid(Some(rustix::process::getpid())), 0, 0])),
    ("signal a thread of another process", |_| abort_of(rustix::process::getppid())),
    ("open a process", |_| call(libc::SYS_pidfd_open, [pid(rustix::process::getppid()), 0, 0])),
    ("map memory to be executed", |_| map(libc::PROT_READ | libc::PROT_EXEC)),
    ("map memory to be written and executed", |_| map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)),
    ("make memory executable", |_| make_executable()),
    ("make memory executable with a key", |_| call(libc::SYS_pkey_mprotect, [0, 0, 0])),
    ("become root again", |_| call(libc::SYS_setresuid, [0, 0, 0])),
    ("be in another namespace", |_| call(libc::SYS_unshare, [0, 0, 0])),
    ("change the personality", |_| call(libc::SYS_personality, [0xffff_ffff, 0, 0])),
    ("change what the process is", |_| call(libc::SYS_prctl, [3, 0, 0])),
    ("change another filter", |_| call(libc::SYS_seccomp, [9, 0, 0])),
    ("raise a limit", |_| call(libc::SYS_prlimit64, [0, 7, 0])),
    ("use a ring of system calls", |_| call(libc::SYS_io_uring_setup, [1, 0, 0])),
];

/// A system call with three arguments.
fn call(number: libc::c_long, [a, b, c]: [usize; 3]) -> io::Result<()> {
    // SAFETY: the numbers of the calls above are such that the kernel reads at most memory that is there, and changes
    // none of this process; where a pointer is wanted and none is given, it is null.
    match unsafe { libc::syscall(number, a, b, c, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn raw(fd: BorrowedFd<'_>) -> usize {
    usize::try_from(fd.as_raw_fd()).unwrap()
}

fn pid(pid: Option<rustix::process::Pid>) -> usize {
    usize::try_from(pid.unwrap().as_raw_pid()).unwrap()
}

/// The old call where there is one.
fn open_the_old_way() -> io::Result<()> {
    #[cfg(target_arch = "x86_64")]
    return call(libc::SYS_open, [c"/etc/passwd".as_ptr() as usize, 0, 0]);
    #[cfg(not(target_arch = "x86_64"))]
    File::open("/etc/passwd").map(drop)
}

fn fcntl(fd: BorrowedFd<'_>, command: libc::c_int) -> io::Result<()> {
    call(libc::SYS_fcntl, [raw(fd), usize::try_from(command).unwrap(), 0])
}

/// No such file, so that this process goes on where the call itself is allowed.
fn execute() -> io::Result<()> {
    // SAFETY: the path ends with a NUL; null stands for no arguments and no environment.
    unsafe { libc::execve(c"/no/such/file".as_ptr(), null(), null()) };
    Err(io::Error::last_os_error())
}

fn fork() -> io::Result<()> {
    // SAFETY: the child does nothing but end.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: _exit has no conditions.
        0 => unsafe { libc::_exit(0) },
        _ => rustix::process::wait(rustix::process::WaitOptions::empty()).map(|_| ()).map_err(io::Error::from),
    }
}

/// The one signal that is allowed, to the one process that is not.
fn abort_of(other: Option<rustix::process::Pid>) -> io::Result<()> {
    // This thread is not one of that process.
    let thread = pid(Some(rustix::thread::gettid()));
    let wrong = call(libc::SYS_tgkill, [pid(other), thread, usize::try_from(libc::SIGABRT).unwrap()]);
    if wrong.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH)) { Ok(()) } else { wrong }
}

fn map(protection: libc::c_int) -> io::Result<()> {
    // SAFETY: the kernel chooses a place where nothing is.
    match unsafe { libc::mmap(null_mut(), 4096, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn make_executable() -> io::Result<()> {
    // SAFETY: the kernel chooses a place where nothing is; it is ours, and nobody else knows of it.
    let done = unsafe {
        let page = libc::mmap(null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether each attempt was forbidden, by name. A new child each, as some change the process.
fn try_all(enter: bool) -> Vec<(&'static str, bool)> {
    let one = |(name, attempt): &Attempt| {
        let exit = outcome(|| {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            if enter {
                enter_sandbox();
            }
            let forbidden = attempt(socket.as_fd()).err().and_then(|error| error.raw_os_error()) == Some(libc::EPERM);
            // SAFETY: _exit has no conditions.
            unsafe { libc::_exit(if forbidden { 1 } else { 0 }) }
        });
        assert!(matches!(exit, Exit::Code(0 | 1)), "{name}: {exit}");
        (*name, exit == Exit::Code(1))
    };
    ATTEMPTS.iter().map(one).collect()
}

fn what_is_forbidden_works_outside() {
    if !is_root() {
        return;
    }
    let forbidden: Vec<_> = try_all(false).into_iter().filter(|(_, forbidden)| *forbidden).collect();
    assert!(forbidden.is_empty(), "inside, these would show nothing: {forbidden:?}");
}

fn what_is_forbidden_does_not_work_inside() {
    let allowed: Vec<_> = try_all(true).into_iter().filter(|(_, forbidden)| !forbidden).collect();
    assert!(allowed.is_empty(), "{allowed:?}");
}

fn no_socket_of_any_family_can_be_made() {
    let make = |family: usize, kind: libc::c_int| {
        let made = call(libc::SYS_socket, [family, usize::try_from(kind).unwrap(), 0]);
        made.map_err(|error| error.raw_os_error().unwrap())
    };
    in_child(|| {
        for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_NETLINK] {
            make(usize::try_from(family).unwrap(), libc::SOCK_DGRAM).unwrap();
        }
        enter_sandbox();
        for family in 0..64 {
            for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET] {
                assert_eq!(make(family, kind), Err(libc::EPERM), "family {family}, kind {kind}");
            }
        }
        assert_eq!(call(libc::SYS_socketpair, [1, 1, 0]).unwrap_err().raw_os_error(), Some(libc::EPERM));
    });
}
