//! Running one script.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr::{null, null_mut};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process_group, waitid, waitpid,
};

#[cfg(test)]
mod tests;

/// A script that was started, in a process group of its own.
///
/// The owner asks [`Script::try_wait`] when `SIGCHLD` came. A script that is dropped before it was waited for runs on
/// and leaves a zombie until this process ends.
#[derive(Debug)]
pub struct Script {
    pid: Pid,
    stopping: bool,
    exit: Option<Exit>,
}

impl Script {
    /// Starts `path` with these arguments, as UCARP 1.5.2 does: no shell, no search in `PATH` (a bare name is a file in
    /// the current directory), environment and descriptors 0 to 2 inherited. Unlike with UCARP no other descriptor
    /// leaks in, as all of this project's are closed by exec, and no signal is blocked or ignored in the script
    /// whatever this process inherited.
    ///
    /// # Errors
    ///
    /// When it cannot be executed, such as `ENOENT`, `EACCES`, or `ENOEXEC` for a text without a `#!` line, which is
    /// not handed to a shell; `EAGAIN` or `ENOMEM` when there can be no new process; [`io::ErrorKind::InvalidInput`]
    /// for a NUL in the path or an argument.
    pub fn spawn(path: &OsStr, args: &[OsString]) -> io::Result<Script> {
        let path = CString::new(path.as_bytes())?;
        let args = args.iter().map(|arg| CString::new(arg.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        let environment = environment();
        let argv = pointers(std::iter::once(&path).chain(&args));
        let envp = pointers(&environment);
        let attributes = Attributes::new()?;
        let mut pid = 0;
        // std's Command is no help: it hands signals on as they are, or, if told to run code before exec, lets a shell
        // run a text without a #! line.
        // SAFETY: the path and all strings in the two arrays are NUL-terminated and live through the call, as do the
        // arrays, which end with a null pointer; the attributes are initialised; null stands for no file actions.
        let errno = unsafe {
            libc::posix_spawn(&raw mut pid, path.as_ptr(), null(), attributes.as_ptr(), argv.as_ptr(), envp.as_ptr())
        };
        success(errno)?;
        let pid = Pid::from_raw(pid).expect("a new process has a pid");
        Ok(Script { pid, stopping: false, exit: None })
    }

    /// The process id, which is also that of the process group.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// How the script ended, or `None` while it runs. Jobs that it left in the background do not count, as with UCARP;
    /// but if it had been told to stop they are killed, so that nothing of it acts later.
    ///
    /// # Errors
    ///
    /// `ECHILD` if this process ignores `SIGCHLD`: then nobody learns how its children end.
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_some() {
            return Ok(self.exit);
        }
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if retry_on_intr(|| waitid(WaitId::Pid(self.pid), look))?.is_none() {
            return Ok(None);
        }
        if self.stopping {
            // Before it is waited for, while its number cannot belong to another process group.
            self.signal_group(Signal::KILL)?;
        }
        let ended = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::NOHANG))?;
        self.exit = ended.map(|(_, status)| Exit::of(status));
        Ok(self.exit)
    }

    /// Asks the script and all it started in its process group to stop (`SIGTERM`). Does nothing once the script has
    /// been waited for.
    ///
    /// # Errors
    ///
    /// `EPERM` if everything in the group has taken another user's identity.
    pub fn terminate_group(&mut self) -> io::Result<()> {
        self.stopping = true;
        self.signal_group(Signal::TERM)
    }

    /// Kills the script and all it started in its process group (`SIGKILL`). Does nothing once the script has been
    /// waited for.
    ///
    /// # Errors
    ///
    /// As [`Script::terminate_group`].
    pub fn kill_group(&mut self) -> io::Result<()> {
        self.stopping = true;
        self.signal_group(Signal::KILL)
    }

    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        if self.exit.is_some() {
            return Ok(());
        }
        match kill_process_group(self.pid, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// How a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit status, 0 to 255.
    Code(i32),
    /// Killed by the signal with this number.
    Signal(i32),
}

impl Exit {
    fn of(status: WaitStatus) -> Exit {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.expect("what did not exit and is not only stopped was killed")),
        }
    }
}

/// "exit status 3", "signal 9 (SIGKILL)".
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(number) => {
                write!(f, "signal {number}")?;
                let name = SIGNAL_NAMES.iter().find(|(known, _)| known == number);
                name.map_or(Ok(()), |(_, name)| write!(f, " ({name})"))
            }
        }
    }
}

/// The signals that end a process, on every system.
const SIGNAL_NAMES: [(i32, &str); 20] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGSYS, "SIGSYS"),
];

/// The environment of this process as `NAME=value` strings.
fn environment() -> Vec<CString> {
    let entry = |(name, value): (OsString, OsString)| {
        let bytes = [name.into_vec(), b"=".to_vec(), value.into_vec()].concat();
        CString::new(bytes).expect("an environment variable ends at its first NUL")
    };
    std::env::vars_os().map(entry).collect()
}

/// Pointers to these strings and a null pointer, as exec wants them. They are valid as long as the strings.
fn pointers<'s>(strings: impl IntoIterator<Item = &'s CString>) -> Vec<*mut libc::c_char> {
    let pointers = strings.into_iter().map(|string| string.as_ptr().cast_mut());
    pointers.chain([null_mut()]).collect()
}

/// What a new process starts with: its own process group, no signal blocked, all signals at their default action.
struct Attributes(MaybeUninit<libc::posix_spawnattr_t>);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let flags = libc::c_short::try_from(flags).expect("the flags are made for a short");
        let (none, all) = signal_sets();
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: init makes a valid object of the memory it is given.
        success(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        let mut this = Attributes(attributes);
        let attributes = this.0.as_mut_ptr();
        // SAFETY: `attributes` points to an initialised object, which is valid wherever it was moved (it is plain data
        // or one pointer on all systems); the sets are initialised and copied. Group 0 stands for a new one.
        unsafe {
            success(libc::posix_spawnattr_setflags(attributes, flags))?;
            success(libc::posix_spawnattr_setpgroup(attributes, 0))?;
            success(libc::posix_spawnattr_setsigmask(attributes, &raw const none))?;
            success(libc::posix_spawnattr_setsigdefault(attributes, &raw const all))?;
        }
        Ok(this)
    }

    fn as_ptr(&self) -> *const libc::posix_spawnattr_t {
        self.0.as_ptr()
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the object was initialised by `new` and is not used again. It fails only for one that was not.
        unsafe { libc::posix_spawnattr_destroy(self.0.as_mut_ptr()) };
    }
}

/// Signals whose action cannot be set: a C library may take it for an error to try.
#[cfg(target_os = "linux")]
const FIXED: &[libc::c_int] = &[libc::SIGKILL, libc::SIGSTOP];
/// As elsewhere, and `SIGTHR` and `SIGLIBRT`, which belong to the C library.
#[cfg(target_os = "freebsd")]
const FIXED: &[libc::c_int] = &[libc::SIGKILL, libc::SIGSTOP, 32, 33];

/// The set of no signal and the set of all whose action can be set.
fn signal_sets() -> (libc::sigset_t, libc::sigset_t) {
    let mut none = MaybeUninit::uninit();
    let mut all = MaybeUninit::uninit();
    // SAFETY: the two functions initialise the memory they are given and fail only for a bad pointer.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigfillset(all.as_mut_ptr());
        for signal in FIXED {
            libc::sigdelset(all.as_mut_ptr(), *signal);
        }
        (none.assume_init(), all.assume_init())
    }
}

/// The error for what the `posix_spawn` functions return.
fn success(errno: libc::c_int) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}
