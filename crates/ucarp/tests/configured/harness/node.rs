//! One daemon on a host.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use netlab::{Host, Process, Signal, now};
use ucarp_control::Client;
use ucarp_sys::address::{self, Found};
use ucarp_sys::link::{self, Link};
use ucarp_sys::netlink::Connection;

use super::{SOON, program};

/// A host with a daemon that runs, or may run. There can be several on one host.
pub struct Node {
    pub host: Host,
    directory: PathBuf,
    process: Option<Process>,
}

impl Node {
    pub(super) fn new(host: Host, directory: PathBuf) -> Self {
        Self { host, directory, process: None }
    }

    /// A file in the directory of this daemon.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where the control socket is.
    pub fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    /// A connection to the control socket.
    #[track_caller]
    pub fn client(&self) -> Client<UnixStream> {
        Client::connect(self.socket(), SOON).unwrap_or_else(|error| panic!("{error}; it said:\n{}", self.said()))
    }

    fn file(&self) -> PathBuf {
        self.path("ucarp.toml")
    }

    /// Writes the configuration that the daemon is, or will be, told to read.
    pub fn configure(&self, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).expect("a file can be written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("a file can be made private");
        fs::rename(new, self.file()).expect("a file can be renamed");
    }

    /// Writes a script that adds a line with its name and arguments to the log, and then does what `body` says. Returns
    /// its path.
    pub fn write_script(&self, name: &str, body: &str) -> String {
        let (path, log) = (self.path(name), self.path("log"));
        let text = format!("#!/bin/sh\nexec >>{} 2>&1\necho {name} \"$@\"\n{body}\n", log.display());
        fs::write(&path, text).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script can be made executable");
        path.display().to_string()
    }

    /// What the scripts wrote.
    pub fn script_log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The command that becomes the daemon. All that it says goes the same way and keeps its order.
    pub fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(program()).arg("-c").arg(self.file());
        command.arg("--control").arg(self.socket());
        command
    }

    /// Starts the daemon with this configuration.
    pub fn start(&mut self, config: &str) {
        self.configure(config);
        self.spawn(self.command());
        self.wait_for_line("Switching to state: BACKUP", 0);
    }

    /// Starts a command that becomes the daemon.
    pub fn spawn(&mut self, command: Command) {
        self.process = Some(self.host.spawn(command).expect("the program can be started"));
    }

    /// Gives the running daemon another configuration; returns when it was told.
    pub fn reload(&self, config: &str) -> u64 {
        self.configure(config);
        let told = now();
        self.signal(Signal::HUP);
        self.wait_for_line("Reload: ", told);
        told
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    /// Signals the daemon: what kills or stops it hits all of its processes, as what happens to a whole host does.
    pub fn signal(&self, signal: Signal) {
        let process = self.process();
        let all = [Signal::KILL, Signal::STOP, Signal::CONT].contains(&signal);
        let sent = if all { process.signal_all(signal) } else { process.signal(signal) };
        sent.expect("the process can be signalled");
    }

    /// How it ends; it has to end soon.
    pub fn wait_for_exit(&self) -> ExitStatus {
        let status = self.process().wait(SOON).expect("it can be waited for");
        status.unwrap_or_else(|| panic!("it did not end; it said:\n{}", self.said()))
    }

    /// Ends it with SIGTERM.
    pub fn end(&self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait_for_exit().code(), Some(0), "{}", self.said());
    }

    /// Waits for a line of `since` or later that contains `text`, and returns when it came.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str, since: u64) -> u64 {
        match self.process().wait_for(|line| line.at >= since && line.text.contains(text), SOON) {
            Some(line) => line.at,
            None => panic!("{} did not say {text:?}; it said:\n{}", self.host.name(), self.said()),
        }
    }

    /// The present moment. What the daemon said before has been recorded with earlier times.
    pub fn moment(&self) -> u64 {
        let asked = now();
        self.signal(Signal::USR1);
        self.wait_for_line(" on eth0 id ", asked);
        now()
    }

    /// Everything that it said so far.
    pub fn said(&self) -> String {
        self.process().output()
    }

    /// How many lines from `since` on contain `text`.
    pub fn lines(&self, text: &str, since: u64) -> usize {
        self.process().lines().iter().filter(|line| line.at >= since && line.text.contains(text)).count()
    }

    /// The changes of state of the virtual host `name` from `since` on: when, and whether it became MASTER.
    pub fn changes(&self, name: &str, since: u64) -> Vec<(u64, bool)> {
        let words = format!("] {name}: Switching to state: ");
        let lines = self.process().lines().into_iter().filter(|line| line.at >= since);
        lines.filter_map(|line| Some((line.at, line.text.split_once(&words)?.1 == "MASTER"))).collect()
    }

    /// Whether its host has an address.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.host.has_address(address).expect("addresses can be listed")
    }

    /// Waits until its host has the address; returns when that was seen.
    #[track_caller]
    pub fn wait_for(&self, address: IpAddr) -> u64 {
        let came = netlab::wait_until(SOON, || self.holds(address));
        assert!(came, "{} never got {address}:\n{}", self.host.name(), self.said());
        now()
    }

    /// Waits until its host does not have the address; returns when that was seen.
    #[track_caller]
    pub fn wait_without(&self, address: IpAddr) -> u64 {
        let went = netlab::wait_until(SOON, || !self.holds(address));
        assert!(went, "{} kept {address}:\n{}", self.host.name(), self.said());
        now()
    }

    /// What the kernel knows about each address of its host.
    pub fn found(&self) -> Vec<Found> {
        self.ask(|connection| address::list(connection).expect("addresses can be listed"))
    }

    /// What the kernel knows about one address.
    pub fn find(&self, address: IpAddr) -> Option<Found> {
        self.found().into_iter().find(|found| found.at.address == address)
    }

    /// The interface of this name on its host.
    pub fn link(&self, name: &str) -> Option<Link> {
        self.ask(|connection| link::find(connection, name).expect("links can be listed"))
    }

    fn ask<T: Send>(&self, question: impl FnOnce(&mut Connection) -> T + Send) -> T {
        let answer = self.host.run(|| question(&mut Connection::open().expect("the kernel can be reached")));
        answer.expect("something can run on the host")
    }

    /// Runs a command on its host, which has to succeed, and returns what it wrote.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        run_on(&self.host, program, arguments)
    }
}

/// Runs a command on a host; it has to succeed.
pub fn run_on(host: &Host, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    let process = host.spawn(command).expect("the command can be started");
    let status = process.wait(SOON).expect("it can be waited for");
    process.wait_for_end_of_output(Duration::from_secs(1));
    assert!(status.is_some_and(|status| status.success()), "{program} {arguments:?}: {}", process.output());
    process.output()
}

/// The number after `name:` in a file of /proc/PID of a daemon.
pub fn figure(node: &Node, file: &str, name: &str) -> u64 {
    let path = Path::new("/proc").join(node.process().pid().to_string()).join(file);
    let text = fs::read_to_string(path).expect("the program runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in:\n{text}"))
}

/// The processor time that a process has used so far, in ticks of 10 ms.
pub fn figure_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // Behind the name in parentheses: the state is the first, the times are the twelfth and thirteenth.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("there is a name").1.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}
