//! A group of hosts on one segment that share an address.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use carp_core::wire::frame::{self, Received};
use netlab::{Host, Lab, Process, Signal, Tap};
use tempfile::TempDir;

use super::Program;

/// The address that groups share.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

/// The password of groups.
pub(super) const PASSWORD: &str = "secret";

/// Longer than anything that a case waits for without a reason of its own.
pub const SOON: Duration = Duration::from_secs(15);

/// Makes a lone host MASTER within a second. (UCARP's faults with a base of 0 need a second host.)
pub const QUICK: [&str; 6] = ["-b", "0", "-k", "50", "-r", "1"];

/// Hosts on one switch, and everything that its ports carry.
pub struct Group {
    pub lab: Lab,
    pub tap: Tap,
    directory: TempDir,
}

/// A host that runs, or may run, one of the programs.
pub struct Node {
    pub host: Host,
    pub program: Program,
    pub address: Ipv4Addr,
    directory: PathBuf,
    process: Option<Process>,
}

impl Group {
    pub fn new() -> Self {
        let lab = Lab::new().expect("a lab can be made: this suite needs root");
        let tap = Tap::new(&lab).expect("the switch can be watched");
        Self { lab, tap, directory: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// A host with the address 10.0.0.`octet` and the MAC address 02:00:00:00:00:`octet`.
    pub fn node(&self, octet: u8, program: Program) -> Node {
        self.node_at(octet, Ipv4Addr::new(10, 0, 0, octet), 24, program)
    }

    pub fn node_at(&self, octet: u8, address: Ipv4Addr, prefix: u8, program: Program) -> Node {
        let name = format!("h{octet}");
        let host = self.lab.host(&name, octet, address, prefix).expect("a host can be added");
        host.wait_connected().expect("the host gets carrier");
        let directory = self.directory.path().join(name);
        fs::create_dir(&directory).expect("a directory can be made");
        let node = Node { host, program, address, directory, process: None };
        node.write_script("up", "ip addr add $2/32 dev ${1%:*}");
        node.write_script("down", "ip addr del $2/32 dev ${1%:*} 2>/dev/null");
        node
    }

    /// A client, without any of the programs.
    pub fn client(&self) -> Host {
        let host = self.lab.host("client", 0xcc, Ipv4Addr::new(10, 0, 0, 204), 24).expect("a host can be added");
        host.wait_connected().expect("the client gets carrier");
        host
    }

    /// All advertisements so far, with the time at which the switch saw them, in nanoseconds of `CLOCK_BOOTTIME`.
    pub fn advertisements(&self) -> Vec<(u64, Received)> {
        let frames = self.tap.frames();
        frames.iter().filter_map(|frame| Some((frame.at, frame::parse(&frame.bytes).ok()?))).collect()
    }

    /// All gratuitous ARPs for the shared address so far: time and sender's MAC address.
    pub fn announcements(&self) -> Vec<(u64, [u8; 6])> {
        let frames = self.tap.frames();
        frames.iter().filter_map(|frame| Some((frame.at, announced(&frame.bytes)?))).collect()
    }

    /// Waits for the first advertisement that `wanted` accepts and returns it with its time.
    pub fn wait_for_advertisement(&self, within: Duration, wanted: impl Fn(u64, &Received) -> bool) -> (u64, Received) {
        let found =
            |frame: &netlab::Frame| frame::parse(&frame.bytes).is_ok_and(|received| wanted(frame.at, &received));
        let frame =
            self.tap.wait_for(found, within).unwrap_or_else(|| panic!("no such advertisement within {within:?}"));
        (frame.at, frame::parse(&frame.bytes).expect("it was parsed a moment ago"))
    }
}

/// The MAC address that a gratuitous ARP for the shared address announces.
fn announced(bytes: &[u8]) -> Option<[u8; 6]> {
    let vip = VIP.octets();
    let is_arp = bytes.get(12..14)? == [0x08, 0x06];
    let is_for_vip = bytes.get(28..32)? == vip && bytes.get(38..42)? == vip;
    (is_arp && is_for_vip).then(|| bytes[22..28].try_into().expect("six bytes"))
}

impl Node {
    /// Replaces a script, `up` or `down`, by shell text. The script first writes its name, a space and its arguments into
    /// the log, and after the text its name and `end`.
    pub fn write_script(&self, name: &str, body: &str) {
        let log = self.directory.join("log");
        let log = log.display();
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>{log}\n{body}\necho {name} end >>{log}\n");
        let path = self.script(name);
        fs::write(&path, text).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script can be made executable");
    }

    pub fn script(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What the scripts wrote.
    pub fn script_log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// The arguments of the ordinary case, as in `-i eth0 -s 10.0.0.2 -v 1 -p secret -a 10.0.0.100 -u up -d down`.
    pub fn arguments(&self) -> Vec<String> {
        let (up, down) = (self.script("up"), self.script("down"));
        let (up, down) = (up.display().to_string(), down.display().to_string());
        let (source, vip) = (self.address.to_string(), VIP.to_string());
        ["-i", "eth0", "-s", &source, "-v", "1", "-p", PASSWORD, "-a", &vip, "-u", &up, "-d", &down]
            .map(str::to_owned)
            .into()
    }

    /// Starts the program with the ordinary arguments and more; of repeated options the last one counts.
    pub fn start(&mut self, more: &[&str]) {
        let mut command = self.program.command();
        command.args(self.arguments()).args(more).current_dir(&self.directory);
        self.process = Some(self.host.spawn(command).expect("the program can be started"));
        self.wait_for_line("Switching to state: BACKUP");
    }

    /// Starts a command of one's own making.
    pub fn start_command(&mut self, command: std::process::Command) {
        self.process = Some(self.host.spawn(command).expect("the program can be started"));
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    /// The ids of everything that runs on the host.
    pub fn processes(&self) -> Vec<u32> {
        self.host.processes().expect("processes can be listed")
    }

    /// Signals the daemon: what kills or stops it hits all of its processes, as what happens to a whole host does.
    pub fn signal(&self, signal: Signal) {
        let process = self.process();
        let all = [Signal::KILL, Signal::STOP, Signal::CONT].contains(&signal);
        let sent = if all { process.signal_all(signal) } else { process.signal(signal) };
        sent.expect("the process can be signalled");
    }

    /// Waits for a line, old or new, that contains `text`, and returns it.
    pub fn wait_for_line(&self, text: &str) -> netlab::Line {
        let line = self.process().wait_for_line(text, SOON);
        line.unwrap_or_else(|| panic!("{:?} never said {text:?}; it said:\n{}", self.program, self.said()))
    }

    /// Everything it said so far.
    pub fn said(&self) -> String {
        self.process().lines().into_iter().map(|line| line.text + "\n").collect()
    }

    pub fn has_said(&self, text: &str) -> bool {
        self.said().contains(text)
    }

    pub fn holds_vip(&self) -> bool {
        self.host.has_address(VIP).expect("addresses can be listed")
    }

    /// Waits until the host holds the shared address.
    pub fn wait_for_vip(&self) {
        assert!(
            netlab::wait_until(SOON, || self.holds_vip()),
            "{} never got the address:\n{}",
            self.address,
            self.said()
        );
    }

    /// Waits until the host does not hold the shared address.
    pub fn wait_without_vip(&self) {
        assert!(netlab::wait_until(SOON, || !self.holds_vip()), "{} kept the address:\n{}", self.address, self.said());
    }
}
