//! Real daemons on the hosts of a laboratory.
//!
//! `UCARP_OURS` names the daemon; without it that is the one that cargo has built beside this program.

#![allow(dead_code, reason = "the tests share this, and use different parts of it")]

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Lab, Process};
use tempfile::TempDir;

/// Longer than anything that is waited for.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The daemon. `None`: it was not built, which under CI is a failure.
pub(crate) fn daemon() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_ucarpctl")).with_file_name("ucarp");
    let path = env::var_os("UCARP_OURS").map_or(beside, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    assert!(env::var_os("CI").is_none(), "there is no daemon at {}", path.display());
    eprintln!("skipped: there is no daemon at {}; `cargo build -p ucarp` builds it", path.display());
    None
}

/// A host with a daemon.
pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) directory: PathBuf,
    pub(crate) process: Process,
}

impl Node {
    /// Starts one at 10.0.0.`octet`, with `more` in the configuration of its virtual host `web`, of vhid 1 and with the
    /// address 10.0.0.100, and behind that.
    pub(crate) fn start(lab: &Lab, directory: &Path, daemon: &Path, octet: u8, more: &str) -> Self {
        let name = format!("h{octet}");
        let host = lab.host(&name, octet, [10, 0, 0, octet], 24).expect("a host can be added");
        let directory = directory.join(name);
        fs::create_dir_all(&directory).expect("a directory can be made");
        configure(&directory, more);
        let process = run(&host, &directory, daemon);
        Self { host, directory, process }
    }

    /// Gives the daemon another configuration, which it reads when it is told to.
    pub(crate) fn configure(&self, more: &str) {
        configure(&self.directory, more);
    }

    /// Starts the daemon again.
    pub(crate) fn restart(&mut self, daemon: &Path) {
        self.process = run(&self.host, &self.directory, daemon);
    }

    /// Where the control socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }

    /// ucarpctl with these arguments, for this daemon.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ucarpctl"));
        command.arg("--socket").arg(self.socket()).args(arguments);
        command
    }

    /// Runs ucarpctl on this host: what it wrote, and its exit status.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let process = self.host.spawn(self.command(arguments)).expect("the program can be run");
        let status = process.wait(SOON).expect("it can be waited for").expect("it ends");
        assert!(process.wait_for_end_of_output(SOON));
        (process.output(), status.code())
    }

    /// Waits until `ucarpctl status` exits with this.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, expected: i32) {
        let mut last = (String::new(), None);
        let came = netlab::wait_until(SOON, || {
            last = self.ctl(&["status"]);
            last.1 == Some(expected)
        });
        assert!(came, "never {expected}: {last:?}; the daemon said:\n{}", self.process.output());
    }
}

fn configure(directory: &Path, more: &str) {
    let text = format!(
        "control = {:?}\n[defaults]\ninterface = \"eth0\"\npassword = \"secret\"\n\
         [virtual-host.web]\nvhid = 1\naddresses = [\"10.0.0.100\"]\n{more}\n",
        directory.join("control.sock")
    );
    let (new, file) = (directory.join("new"), directory.join("ucarp.toml"));
    fs::write(&new, text).expect("a file can be written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("a file can be made private");
    fs::rename(new, file).expect("a file can be renamed");
}

fn run(host: &Host, directory: &Path, daemon: &Path) -> Process {
    // With a name of its own, as hosts have.
    let mut command = Command::new("unshare");
    command.args(["--uts", "sh", "-ec", "echo \"$0\" >/proc/sys/kernel/hostname; exec \"$@\"", host.name()]);
    command.arg(daemon).arg("-c").arg(directory.join("ucarp.toml"));
    host.spawn(command).expect("the daemon can be started")
}

/// Two hosts, of which the first one is MASTER and the second one has heard it.
pub(crate) struct Group {
    pub(crate) alpha: Node,
    pub(crate) beta: Node,
    pub(crate) daemon: PathBuf,
    _lab: Lab,
    _directory: TempDir,
}

impl Group {
    /// `None`: not here.
    pub(crate) fn new() -> Option<Self> {
        Self::with(|_| String::new())
    }

    /// As [`Group::new`], with more in the configuration of the first host, whose files are in the directory that `more`
    /// is told.
    pub(crate) fn with(more: impl FnOnce(&Path) -> String) -> Option<Self> {
        let daemon = daemon()?;
        if !netlab::can_run() {
            return None;
        }
        let lab = Lab::new().expect("a lab can be made");
        let directory = tempfile::tempdir().expect("a directory can be made");
        // Checks, which have no rights, may look at what is in it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it can be opened");
        let more = format!("dead-ratio = 2\n{}", more(&directory.path().join("h2")));
        let alpha = Node::start(&lab, directory.path(), &daemon, 2, &more);
        alpha.wait_for_status(0);
        let beta = Node::start(&lab, directory.path(), &daemon, 3, "advskew = 50\ndead-ratio = 2");
        beta.wait_for_status(1);
        let group = Self { alpha, beta, daemon, _lab: lab, _directory: directory };
        let heard = || group.beta.ctl(&["peers"]).0.contains("10.0.0.2");
        assert!(netlab::wait_until(SOON, heard), "{}", group.beta.process.output());
        Some(group)
    }
}
