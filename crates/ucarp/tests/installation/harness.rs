//! A host with Debian on it.

use std::env;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Lab, Process, Stream, wait_until};
use tempfile::TempDir;

/// Longer than anything that a case waits for.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// How long a command may take: dpkg is slow on a busy machine.
const COMMAND: Duration = Duration::from_secs(120);

/// The shared address of all groups.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

/// What only the clean Debian has, so that no command runs anywhere else.
const MARK: &str = ".ucarp-test-root";

/// Mounts a system that keeps nothing and starts it: `$1` is an empty directory, `$2` the clean Debian.
const BOOT: &str = r#"
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
mkdir -p "$1/root/run/network" "$1/root/run/lock"
"#;

/// Without a service manager: the first process collects orphans, and syslog is all there is.
const INIT: &str = r#"exec chroot "$1/root" tini -s -- busybox syslogd -n -O /var/log/syslog"#;

/// With systemd, which finds the settings of the kernel read-only and may not set its clock or load its modules: it is the
/// machine's own.
const SYSTEMD: &str = r#"
mount -t sysfs -o ro sysfs "$1/root/sys"
mount -t cgroup2 cgroup2 "$1/root/sys/fs/cgroup"
mount --bind "$1/root/proc/sys" "$1/root/proc/sys"
mount -o remount,bind,ro "$1/root/proc/sys"
mount --bind "$1/root/proc/sys/net" "$1/root/proc/sys/net"
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog,-mknod chroot "$1/root" /lib/systemd/systemd
"#;

/// What is needed from the environment, which `cargo xtask test` sets.
fn given(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask install-test`")).into()
}

/// The package.
pub(crate) fn package() -> PathBuf {
    given("UCARP_PACKAGE")
}

/// A command's end.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: i32,
    /// Both streams, by line.
    pub(crate) text: String,
    /// Standard output alone.
    pub(crate) output: String,
}

/// A host with a system of its own.
pub(crate) struct System {
    host: Host,
    /// Holds mounts and processes.
    boot: Process,
    /// The first process of the system, as seen from outside.
    init: u32,
    _directory: TempDir,
}

impl System {
    /// Starts a host 10.0.0.NUMBER with Debian's `ucarp`.
    pub(crate) fn boot(lab: &Lab, name: &str, number: u8) -> Self {
        Self::boot_with(lab, name, number, INIT, "tini")
    }

    /// As [`System::boot`], with systemd as its first process.
    pub(crate) fn boot_systemd(lab: &Lab, name: &str, number: u8) -> Self {
        let system = Self::boot_with(lab, name, number, SYSTEMD, "systemd");
        let state = || system.try_run("systemctl is-system-running").output;
        let up = wait_until(SOON, || ["running\n", "degraded\n"].contains(&state().as_str()));
        assert!(up, "{}: {:?}", state(), system.boot.lines());
        system
    }

    fn boot_with(lab: &Lab, name: &str, number: u8, init: &str, comm: &str) -> Self {
        let host = lab.host(name, number, [10, 0, 0, number], 24).expect("a host");
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--", "sh", "-ec"]);
        command.arg(format!("{BOOT}{init}")).arg("boot").arg(directory.path()).arg(given("UCARP_ROOT"));
        let boot = host.spawn(command).expect("unshare is there");
        let first_child = || {
            let children = format!("/proc/{0}/task/{0}/children", boot.pid());
            fs::read_to_string(children).unwrap_or_default().trim().parse::<u32>().ok()
        };
        let booted = |init: u32| {
            let name = fs::read_to_string(format!("/proc/{init}/comm")).unwrap_or_default();
            name.trim_end() == comm && Path::new(&format!("/proc/{init}/root/{MARK}")).exists()
        };
        assert!(wait_until(SOON, || first_child().is_some_and(booted)), "{name} does not start: {:?}", boot.lines());
        let init = first_child().expect("it was there just now");
        Self { host, boot, init, _directory: directory }
    }

    /// As [`System::boot`], and then the package in place of Debian's `ucarp`.
    pub(crate) fn boot_ours(lab: &Lab, name: &str, number: u8) -> Self {
        let system = Self::boot(lab, name, number);
        system.install();
        system
    }

    /// Installs the package as an administrator does who has the file.
    pub(crate) fn install(&self) {
        fs::copy(package(), self.path("/root/ucarp.deb")).expect("the package is there");
        self.run("DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install /root/ucarp.deb </dev/null");
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Its first process.
    pub(crate) fn init(&self) -> u32 {
        self.init
    }

    /// A file of it, as seen from outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.init).into()
    }

    pub(crate) fn write(&self, path: &str, text: &str, mode: u32) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a full path")).expect("a directory");
        fs::write(&file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("it is ours");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// Runs a line of shell and waits for its end.
    pub(crate) fn try_run(&self, line: &str) -> Ending {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--root", "--wd"])
            .arg(format!("--target={}", self.init));
        let guarded = format!("test -e /{MARK} || exit 99\n{line}");
        command.args(["--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", &guarded]);
        let process = self.host.spawn(command).expect("nsenter is there");
        let status = process.wait(COMMAND).expect("it can be waited for");
        let status = status.unwrap_or_else(|| panic!("{line}: it does not end: {:?}", process.lines()));
        // What it left in the background may keep its output open.
        process.wait_for_end_of_output(Duration::from_secs(2));
        let lines = process.lines();
        let of = |wanted: Option<Stream>| {
            let chosen = lines.iter().filter(|line| wanted.is_none_or(|stream| stream == line.stream));
            chosen.map(|line| format!("{}\n", line.text)).collect::<String>()
        };
        Ending { status: status.code().unwrap_or(-1), text: of(None), output: of(Some(Stream::Output)) }
    }

    /// Runs a line of shell that has to succeed. Returns what it printed on standard output.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        let ending = self.try_run(line);
        assert_eq!(ending.status, 0, "{line}\n{}\n{}", ending.text, self.log());
        ending.output
    }

    /// What went to syslog.
    pub(crate) fn log(&self) -> String {
        self.read("/var/log/syslog")
    }

    /// Whether it has the shared address, by what the operator looks at.
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        self.host.has_address(address).expect("addresses can be listed")
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, address: Ipv4Addr) {
        let name = self.host.name();
        assert!(wait_until(SOON, || self.has(address)), "{name} does not get {address}\n{}", self.log());
    }

    #[track_caller]
    pub(crate) fn wait_without(&self, address: Ipv4Addr) {
        let name = self.host.name();
        assert!(wait_until(SOON, || !self.has(address)), "{name} keeps {address}\n{}", self.log());
    }

    /// Waits until the log has a line with this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        assert!(wait_until(SOON, || self.log().contains(text)), "{text}\n{}", self.log());
    }

    /// Waits until the log has a line with this text so many times.
    #[track_caller]
    pub(crate) fn wait_for_log_times(&self, text: &str, times: usize) {
        let enough = || self.log().matches(text).count() >= times;
        assert!(wait_until(SOON, enough), "{text}, {times} times\n{}", self.log());
    }

    /// Everything that other users of the host can see of running programs.
    pub(crate) fn process_list(&self) -> String {
        self.run("ps -ewwo args")
    }
}

/// Two scripts in `/etc`, as the manual of every system has them.
pub(crate) fn write_scripts(system: &System) {
    for (name, verb) in [("up", "add"), ("down", "del")] {
        let text = format!("#!/bin/sh\nexec ip addr {verb} \"$2/32\" dev \"$1\"\n");
        system.write(&format!("/etc/vip-{name}.sh"), &text, 0o755);
    }
}

/// A cable between two hosts beside the switch, which they know as `hb0`.
pub(crate) fn connect(one: &System, other: &System) {
    let mut command = Command::new("ip");
    command.args(["link", "add", "hb0", "type", "veth", "peer", "name", "hb0", "netns"]).arg(other.init().to_string());
    let cable = one.host().spawn(command).expect("ip is there");
    let connected = cable.wait(SOON).expect("a child").is_some_and(|status| status.success());
    assert!(connected, "{:?}", cable.lines());
    for (system, number) in [(one, 1), (other, 2)] {
        system.run(&format!("ip addr add 10.9.0.{number}/24 dev hb0 && ip link set hb0 up"));
    }
}
