//! A group of two with one virtual host, and how each program is told of it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Process};

use super::error::{Error, system};
use super::workshop::{Program, Workshop};

/// How soon a silent master is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timers {
    /// An advertisement each second, and the usual dead time.
    Default,
    /// An advertisement each tenth of a second; each second with UCARP.
    Tenth,
    /// The shortest intervals at which a group is stable.
    Fastest,
}

/// One of the two hosts. Its name is that of its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) own: Ipv4Addr,
}

/// The number of the virtual host.
pub(super) const VHID: u8 = 1;
/// Of the network that both hosts and their addresses are in.
pub(super) const PREFIX: u8 = 16;
/// keepalived's, of both hosts.
const PRIORITY: u8 = 100;

/// What both hosts run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) program: Program,
    pub(super) timers: Timers,
    /// Those that are shared. UCARP and ours with scripts know the first one only.
    pub(super) addresses: &'a [Ipv4Addr],
    /// Whether a script of 5 s runs on becoming MASTER.
    pub(super) slow_script: bool,
    /// Whether the wall clock of each host can be stepped.
    pub(super) own_clock: bool,
}

impl Group<'_> {
    /// Starts the program on a host.
    pub(super) fn start(&self, host: &Host, member: Member) -> Result<Process, Error> {
        let mut command = Command::new(self.workshop.program(self.program));
        match self.program {
            Program::Ours => {
                let file = self.workshop.write(&format!("{}.toml", member.name), &self.ours(member), 0o600)?;
                command.arg("-c").arg(file).args(["-f", "none"]);
            }
            Program::Scripts | Program::Ucarp => self.classic(&mut command, member),
            Program::Keepalived => {
                let file = self.workshop.write(&format!("{}.conf", member.name), &self.keepalived(member), 0o600)?;
                self.workshop.keepalived_arguments(&mut command, &file, member.name);
            }
        }
        if self.own_clock {
            self.give_own_clock(&mut command, member)?;
        }
        Ok(host.spawn(command)?)
    }

    /// From the last advertisement to the takeover, by each program's protocol.
    pub(super) fn dead_time(&self) -> Duration {
        let (interval, ratio) = match (self.program, self.timers) {
            (Program::Ucarp | Program::Scripts, Timers::Fastest) => (Duration::from_secs(1), 2),
            (Program::Ucarp | Program::Scripts, _) | (_, Timers::Default) => (Duration::from_secs(1), 3),
            (Program::Ours, timers) => (Duration::from_secs(1) * advskew(timers) / 256, 3),
            (Program::Keepalived, Timers::Tenth) => (Duration::from_millis(100), 3),
            (Program::Keepalived, Timers::Fastest) => (Duration::from_millis(10), 3),
        };
        let skew = if self.program == Program::Keepalived { 256 - u32::from(PRIORITY) } else { 0 };
        interval * ratio + interval * skew / 256
    }

    /// Between two advertisements.
    pub(super) fn interval(&self) -> Duration {
        match (self.program, self.timers) {
            (Program::Ours, Timers::Tenth | Timers::Fastest) => Duration::from_secs(1) * advskew(self.timers) / 256,
            (Program::Keepalived, Timers::Tenth) => Duration::from_millis(100),
            (Program::Keepalived, Timers::Fastest) => Duration::from_millis(10),
            _ => Duration::from_secs(1),
        }
    }

    /// Sets the wall clock of what runs on a host back by an hour, and no other clock.
    pub(super) fn step_clock(&self, member: Member) -> Result<(), Error> {
        let new = self.workshop.write(&format!("{}.clock.new", member.name), "-3600\n", 0o600)?;
        // At once: the library must not read half a number.
        std::fs::rename(new, self.clock(member)).map_err(system("setting a clock"))
    }

    fn give_own_clock(&self, command: &mut Command, member: Member) -> Result<(), Error> {
        if matches!(self.program, Program::Ours | Program::Scripts) {
            // Confined, the half that keeps the time could not look at the file.
            command.arg("--no-split");
        }
        self.workshop.write(&format!("{}.clock", member.name), "+0\n", 0o600)?;
        command.env("LD_PRELOAD", Workshop::faketime()?).env("FAKETIME_TIMESTAMP_FILE", self.clock(member));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Ok(())
    }

    fn clock(&self, member: Member) -> PathBuf {
        self.workshop.file(&format!("{}.clock", member.name))
    }

    fn ours(&self, member: Member) -> String {
        let (password, socket) = (self.workshop.file("password"), self.workshop.file(&format!("{}.sock", member.name)));
        let timers = match self.timers {
            Timers::Default => String::new(),
            timers => format!("advbase = 0\nadvskew = {}\n", advskew(timers)),
        };
        let up = if self.slow_script { format!("up = [{:?}]\n", self.workshop.file("slow")) } else { String::new() };
        let addresses: Vec<String> = self.addresses.iter().map(|address| format!("\"{address}\"")).collect();
        format!(
            "control = {socket:?}\n\n[virtual-host.shared]\ninterface = \"eth0\"\nvhid = {VHID}\npassword-file = {password:?}\n\
             addresses = [{}]\n{timers}{up}",
            addresses.join(", ")
        )
    }

    /// The defaults, with `-z`, and without the machine's syslog.
    fn classic(&self, command: &mut Command, member: Member) {
        let up = if self.slow_script { "vip-up-slow" } else { "vip-up" };
        command.args(["-i", "eth0", "-v", &VHID.to_string(), "-z", "-f", "none", "-s", &member.own.to_string()]);
        command.args(self.addresses.first().map(|address| format!("-a{address}")));
        command.arg("-o").arg(self.workshop.file("password"));
        command.arg("-u").arg(self.workshop.file(up)).arg("-d").arg(self.workshop.file("vip-down"));
        if self.timers == Timers::Fastest {
            // With `-b 0` a UCARP takes over while the master lives.
            command.args(["-b", "1", "-r", "2"]);
        }
    }

    /// All addresses but the first are those that advertisements, which have no room for so many, do not name.
    fn keepalived(&self, member: Member) -> String {
        let (version, interval) = match self.timers {
            Timers::Default => (2, "1"),
            Timers::Tenth => (3, "0.1"),
            Timers::Fastest => (3, "0.01"),
        };
        let mut text = format!(
            "global_defs {{\n  router_id {}\n  vrrp_version {version}\n  script_user root\n}}\nvrrp_instance shared {{\n  \
             state BACKUP\n  nopreempt\n  interface eth0\n  virtual_router_id {VHID}\n  priority {PRIORITY}\n  advert_int \
             {interval}\n",
            member.name
        );
        if self.slow_script {
            writeln!(text, "  notify_master {:?}", self.workshop.file("slow")).expect("a string takes any text");
        }
        for (number, address) in self.addresses.iter().enumerate() {
            match number {
                0 => text.push_str("  virtual_ipaddress {\n"),
                1 => text.push_str("  }\n  virtual_ipaddress_excluded {\n"),
                _ => {}
            }
            writeln!(text, "    {address}/32 dev eth0").expect("a string takes any text");
        }
        text.push_str("  }\n}\n");
        text
    }
}

/// Ours with advbase 0 advertises each `advskew / 256` s.
fn advskew(timers: Timers) -> u32 {
    match timers {
        Timers::Default => 0,
        Timers::Tenth => 26,
        Timers::Fastest => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [Ipv4Addr; 3] =
        [Ipv4Addr::new(10, 0, 1, 1), Ipv4Addr::new(10, 0, 1, 2), Ipv4Addr::new(10, 0, 1, 3)];
    const MEMBER: Member = Member { name: "master", own: Ipv4Addr::new(10, 0, 0, 1) };

    fn group(workshop: &Workshop, program: Program, timers: Timers) -> Group<'_> {
        Group { workshop, program, timers, addresses: &ADDRESSES, slow_script: true, own_clock: false }
    }

    #[test]
    fn both_kinds_of_files_name_every_address_once() {
        let workshop = Workshop::in_directory("/tmp/bench");
        let text = group(&workshop, Program::Keepalived, Timers::Fastest).keepalived(MEMBER);
        for address in ADDRESSES {
            assert_eq!(text.matches(&format!("{address}/32")).count(), 1, "{text}");
        }
        assert!(text.contains("vrrp_version 3") && text.contains("advert_int 0.01\n"), "{text}");
        assert!(text.contains("notify_master \"/tmp/bench/slow\"\n  virtual_ipaddress {\n    10.0.1.1/32"), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
        let text = group(&workshop, Program::Ours, Timers::Tenth).ours(MEMBER);
        assert!(
            text.contains("addresses = [\"10.0.1.1\", \"10.0.1.2\", \"10.0.1.3\"]\nadvbase = 0\nadvskew = 26\nup ="),
            "{text}"
        );
    }

    #[test]
    fn dead_times_follow_each_protocol() {
        let workshop = Workshop::in_directory("/tmp/bench");
        let dead = |program, timers| group(&workshop, program, timers).dead_time();
        assert_eq!(dead(Program::Ours, Timers::Default), Duration::from_secs(3));
        assert_eq!(dead(Program::Ours, Timers::Fastest), Duration::from_nanos(23_437_500));
        assert_eq!(dead(Program::Ucarp, Timers::Fastest), Duration::from_secs(2));
        assert_eq!(dead(Program::Keepalived, Timers::Default), Duration::from_micros(3_609_375));
        assert_eq!(dead(Program::Keepalived, Timers::Fastest), Duration::from_nanos(36_093_750));
    }
}
