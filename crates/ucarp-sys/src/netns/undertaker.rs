//! The process that buries what a namespace's owner leaves behind.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::thread::Timespec;

/// Passes over `/proc` that must find nobody. A child on its way into the namespace can be missed by one.
const EMPTY_PASSES: u32 = 2;
/// Bounds the sweep even if someone forks faster than we kill.
const MAX_PASSES: u32 = 1000;
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// A child process that waits until its parent drops this guard or dies by whatever cause, `SIGKILL` included, and then
/// kills every process that is still in the namespace, daemons and their children too.
///
/// Why not `PR_SET_PDEATHSIG`: it fires when the *thread* that forked ends, it is lost by a change of user, and it does
/// not reach grandchildren. A process that moves to another network namespace of its own escapes.
#[derive(Debug)]
pub struct Undertaker {
    /// The end of a pipe that nobody else has: the kernel closes it when we die.
    trigger: Option<OwnedFd>,
    pid: Pid,
}

impl Undertaker {
    pub(super) fn start(namespace: BorrowedFd<'_>) -> io::Result<Undertaker> {
        let (grave, trigger) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let wanted = rustix::fs::fstat(namespace)?;
        let owner = rustix::process::getpid();
        let unblocked = block_signals();
        // SAFETY: the child makes system calls only, on its own stack, and ends with _exit: nothing that another thread
        // may have left locked or half done is touched. It keeps signals blocked, so no handler runs in it.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            drop(trigger);
            wait_and_bury(grave.as_fd(), namespace, &wanted, owner);
        }
        let error = io::Error::last_os_error();
        restore_signals(&unblocked);
        let pid = Pid::from_raw(forked).filter(|_| forked > 0).ok_or(error)?;
        Ok(Undertaker { trigger: Some(trigger), pid })
    }

    /// Lets it begin without waiting for it: several can then work at the same time. Dropping waits.
    pub fn begin(&mut self) {
        self.trigger = None;
    }
}

impl Drop for Undertaker {
    /// Returns when nobody is left in the namespace.
    fn drop(&mut self) {
        self.begin();
        // It ends by itself within a bounded number of passes. An error means that it has been reaped by someone else.
        let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

/// The child's whole life.
fn wait_and_bury(grave: BorrowedFd<'_>, namespace: BorrowedFd<'_>, wanted: &Stat, owner: Pid) -> ! {
    // The descriptor of the namespace stays open to the end: as long as it is, no other namespace can get its inode.
    close_all_but(grave.as_raw_fd(), namespace.as_raw_fd());
    // Ctrl-C goes to the group of the terminal; this process has to outlive those who die of it.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"undertaker");
    // Signals are blocked, so this returns only at the end of the pipe.
    let _ = rustix::io::read(grave, &mut [0_u8; 1]);
    let mut empty = 0;
    for _ in 0..MAX_PASSES {
        empty = if bury(wanted, owner) { 0 } else { empty + 1 };
        if empty == EMPTY_PASSES {
            break;
        }
        let _ = rustix::thread::nanosleep(&PAUSE);
    }
    // SAFETY: _exit runs no destructors and no handlers, which in a forked child of a threaded process is the point.
    unsafe { libc::_exit(0) }
}

/// One pass over `/proc`. Whether anybody was found.
fn bury(wanted: &Stat, owner: Pid) -> bool {
    let Ok(proc) = rustix::fs::open(c"/proc", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) else { return false };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(&proc, &mut buffer);
    let mut found = false;
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = parse_pid(entry.file_name()) else { continue };
        if pid == owner || pid == rustix::process::getpid() {
            continue;
        }
        // The descriptor first: should the id be given to another process meanwhile, the signal still goes to this one.
        let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        if is_in(&proc, entry.file_name(), wanted) {
            found = true;
            let _ = rustix::process::pidfd_send_signal(&process, Signal::KILL);
        }
    }
    found
}

fn is_in(proc: &OwnedFd, pid: &CStr, wanted: &Stat) -> bool {
    const LINK: &[u8] = b"/ns/net\0";
    let mut path = [0_u8; 32];
    let pid = pid.to_bytes();
    let Some(target) = path.get_mut(..pid.len() + LINK.len()) else { return false };
    let (start, end) = target.split_at_mut(pid.len());
    start.copy_from_slice(pid);
    end.copy_from_slice(LINK);
    let Ok(path) = CStr::from_bytes_until_nul(&path) else { return false };
    rustix::fs::statat(proc, path, AtFlags::empty())
        .is_ok_and(|found| (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino))
}

fn parse_pid(name: &CStr) -> Option<Pid> {
    let pid = name.to_str().ok()?.parse().ok()?;
    Pid::from_raw(pid).filter(|_| pid > 0)
}

/// Keeps two descriptors and gives up all others: inherited pipes would keep whoever reads them waiting.
fn close_all_but(one: RawFd, other: RawFd) {
    let (low, high) = (one.min(other).unsigned_abs(), one.max(other).unsigned_abs());
    let ranges = [(0, low.checked_sub(1)), (low + 1, high.checked_sub(1)), (high + 1, Some(u32::MAX))];
    for (first, last) in ranges {
        let Some(last) = last.filter(|&last| first <= last) else { continue };
        // SAFETY: nothing in this process uses a descriptor in the range any more.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) };
    }
}

/// Blocks every signal in the calling thread and returns the mask from before.
fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: sigfillset fills `all`; pthread_sigmask reads it and fills `before`, which it can only fail to do for a
    // first argument that does not exist.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: `before` is a mask that pthread_sigmask has filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}
