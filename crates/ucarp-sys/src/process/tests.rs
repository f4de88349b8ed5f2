//! Tests that need a process of their own: the test program runs itself again with a single test, which is ignored
//! otherwise.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "UCARP_SYS_TEST_CHILD";

/// A command that runs the ignored test `name` in a new process. A failure is told on stderr.
pub(crate) fn rerun(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--quiet"]).env(MARK, "1").stdout(Stdio::null());
    command
}

/// Whether this process was started by [`rerun`]. Somebody may run the ignored tests on their own.
pub(crate) fn in_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The content of a file as soon as it ends with a line break, within ten seconds.
pub(crate) fn content(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            other => assert!(Instant::now() < deadline, "{}: {other:?}", path.display()),
        }
        std::thread::yield_now();
    }
}

/// The session of this process; 0 if its leader is in an outer PID namespace, as in a container that was started with
/// one. (The wrapper of rustix takes that 0 for impossible.)
pub(crate) fn own_session() -> libc::pid_t {
    // SAFETY: getsid has no conditions.
    unsafe { libc::getsid(0) }
}
