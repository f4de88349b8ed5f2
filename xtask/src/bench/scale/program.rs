//! The programs that are measured, and how each is told of its virtual hosts.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Process, Signal};

use super::network::{Network, Side, interface};
use super::wire::{Id, own_address};
use super::{Error, Load, system};
use crate::cargo;
use crate::debian;

const PASSWORD: &str = "password";
const UP_SCRIPT: &str = "vip-up";
const DOWN_SCRIPT: &str = "vip-down";

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    /// One process, a configuration file, addresses held by the daemon.
    Ours,
    /// One process for each virtual host, scripts that run `ip`.
    Ucarp,
    /// Two processes, a configuration file, addresses held by the daemon.
    Keepalived,
}

/// The programs and what they need, in one directory.
pub(super) struct Files {
    directory: PathBuf,
    versions: String,
}

/// How ranks are told: the better one first. The second host must not take over while the kernel, which here is one for
/// both, is busy with the addresses of the first that time out.
const ADVSKEW: [u8; 2] = [0, 200];
/// UCARP rounds its dead time up to whole intervals, which an advskew makes longer.
const UCARP_ADVSKEW: [u8; 2] = [0, 1];
/// The opposite of an advskew.
const PRIORITY: [u8; 2] = [200, 100];

impl Program {
    pub(super) const ALL: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];

    pub(super) fn name(self) -> &'static str {
        match self {
            Program::Ours => "ours",
            Program::Ucarp => "ucarp",
            Program::Keepalived => "keepalived",
        }
    }

    /// How long after the last advertisement this side takes over, by the protocol.
    pub(super) fn dead_time(self, side: Side) -> Duration {
        let skew = match self {
            Program::Ours => u32::from(ADVSKEW[side as usize]),
            Program::Ucarp => u32::from(UCARP_ADVSKEW[side as usize]),
            Program::Keepalived => 256 - u32::from(PRIORITY[side as usize]),
        };
        Duration::from_secs(3) + Duration::from_secs(1) * skew / 256
    }

    /// Starts it on a host, for all virtual hosts of `load`.
    pub(super) fn start(self, files: &Files, network: &Network, side: Side, load: Load) -> Result<Process, Error> {
        let program = files.program(self, side);
        let mut command = Command::new(&program);
        match self {
            Program::Ours => {
                files.configure_ours(side, load, false)?;
                command.arg("-c").arg(files.configuration(self, side)).args(["-f", "none"]);
            }
            Program::Ucarp => {
                command = Command::new("/bin/sh");
                command.arg("-c").arg(files.start_all(&program, side, load));
            }
            Program::Keepalived => {
                let path = files.configuration(self, side);
                write(&path, &keepalived(side, load))?;
                command.args(["--dont-fork", "--vrrp", "--log-console", "--no-syslog"]);
                command.arg("--use-file").arg(&path);
                for (option, name) in [("--pid", "keepalived.pid"), ("--vrrp_pid", "keepalived-vrrp.pid")] {
                    // One that was killed has left its own, and another process may have its number by now.
                    let file = files.of(side, name);
                    let _ = fs::remove_file(&file);
                    command.arg(option).arg(file);
                }
            }
        }
        Ok(network.host(side).spawn(command)?)
    }

    /// Tells it to end as an administrator does.
    pub(super) fn end(self, network: &Network, side: Side, process: &Process) -> Result<(), Error> {
        match self {
            Program::Ours | Program::Keepalived => Ok(process.signal(Signal::TERM)?),
            Program::Ucarp => network.signal_all(side, Signal::TERM),
        }
    }
}

impl Files {
    /// Puts copies of the programs, for each host its own, and the scripts into a directory. Processes of two hosts must
    /// not share the memory of their program.
    pub(super) fn make(programs: &[Program]) -> Result<Files, Error> {
        let target = cargo::target().map_err(system("finding the target directory"))?;
        let files = Files { directory: target.join("bench-scale"), versions: versions(&target.join("release/ucarp")) };
        for side in Side::BOTH {
            let directory = files.directory.join(side.name());
            fs::create_dir_all(&directory).map_err(system("making a directory"))?;
            for program in programs {
                let original = match program {
                    Program::Ours => target.join("release/ucarp"),
                    _ => debian::find(program.name()).ok_or(Error::Missing(program.name()))?,
                };
                let copy = files.program(*program, side);
                // Not over one that still runs.
                let _ = fs::remove_file(&copy);
                fs::copy(original, copy).map_err(system("copying a program"))?;
            }
        }
        write(&files.directory.join(PASSWORD), "benchmark\n")?;
        for (name, verb) in [(UP_SCRIPT, "add"), (DOWN_SCRIPT, "del")] {
            let path = files.directory.join(name);
            write(&path, &format!("#!/bin/sh\nexec ip addr {verb} \"$2/32\" dev \"$1\"\n"))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(system("making a script"))?;
        }
        Ok(files)
    }

    /// What is measured.
    pub(super) fn versions(&self) -> &str {
        &self.versions
    }

    /// Writes the configuration of ours, with one address more if wanted.
    pub(super) fn configure_ours(&self, side: Side, load: Load, with_added: bool) -> Result<(), Error> {
        write(&self.configuration(Program::Ours, side), &ours(side, load, &self.directory, with_added))
    }

    fn of(&self, side: Side, name: &str) -> PathBuf {
        self.directory.join(side.name()).join(name)
    }

    fn program(&self, program: Program, side: Side) -> PathBuf {
        let name = if program == Program::Ours { "ours" } else { program.name() };
        self.of(side, name)
    }

    fn configuration(&self, program: Program, side: Side) -> PathBuf {
        self.of(side, &format!("{}.conf", program.name()))
    }

    /// What a shell has to do to start one process for each virtual host.
    fn start_all(&self, program: &Path, side: Side, load: Load) -> String {
        let mut text = String::new();
        for id in ids(load) {
            let directory = self.directory.display();
            writeln!(
                text,
                "{} -i {} -s {} -v {} -a {} -k {} -z -f none -o {directory}/{PASSWORD} -u {directory}/{UP_SCRIPT} -d \
                 {directory}/{DOWN_SCRIPT} &",
                program.display(),
                interface(id.segment),
                own_address(id.segment, side),
                id.vhid,
                id.address(),
                UCARP_ADVSKEW[side as usize],
            )
            .expect("a string takes any text");
        }
        text
    }
}

/// All virtual hosts of a load.
fn ids(load: Load) -> impl Iterator<Item = Id> {
    (0..load.interfaces).flat_map(move |segment| (1..=load.vhids).map(move |vhid| Id { segment, vhid }))
}

/// The first virtual host of a load, which a reload changes.
pub(super) const CHANGED: Id = Id { segment: 0, vhid: 1 };

fn ours(side: Side, load: Load, directory: &Path, with_added: bool) -> String {
    let (password, advskew) = (directory.join(PASSWORD), ADVSKEW[side as usize]);
    let mut text = format!("[defaults]\npassword-file = \"{}\"\nadvskew = {advskew}\n", password.display());
    for id in ids(load) {
        let Id { segment, vhid } = id;
        let mut addresses = format!("\"{}\"", id.address());
        if with_added && id == CHANGED {
            write!(addresses, ", \"{}\"", id.added_address()).expect("a string takes any text");
        }
        write!(
            text,
            "\n[virtual-host.s{segment}v{vhid}]\ninterface = \"{}\"\nvhid = {vhid}\naddresses = [{addresses}]\n",
            interface(segment)
        )
        .expect("a string takes any text");
    }
    text
}

fn keepalived(side: Side, load: Load) -> String {
    let mut text = format!("global_defs {{\n  router_id {}\n}}\n", side.name());
    for id in ids(load) {
        let (interface, address) = (interface(id.segment), id.address());
        write!(
            text,
            "vrrp_instance s{}v{} {{\n  state BACKUP\n  nopreempt\n  interface {interface}\n  virtual_router_id {}\n  \
             priority {}\n  advert_int 1\n  virtual_ipaddress {{\n    {address}/32 dev {interface}\n  }}\n}}\n",
            id.segment, id.vhid, id.vhid, PRIORITY[side as usize],
        )
        .expect("a string takes any text");
    }
    text
}

fn versions(ours: &Path) -> String {
    let output = Command::new(ours).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let ours = String::from_utf8_lossy(&output).lines().next().unwrap_or("ucarp of unknown version").to_owned();
    let of = |package| debian::version(package).unwrap_or_else(|| "of unknown version".to_owned());
    format!("Ours is {ours}; the others are Debian's ucarp {} and keepalived {}.", of("ucarp"), of("keepalived"))
}

/// Writes a file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        fs::write(path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    };
    write().map_err(system("writing a file for a program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { interfaces: 2, vhids: 255 };

    #[test]
    fn every_virtual_host_is_configured_once() {
        let directory = Path::new("/tmp");
        let text = ours(Side::Second, LOAD, directory, false);
        assert_eq!(text.matches("\n[virtual-host.").count(), 510);
        assert!(
            text.contains("[virtual-host.s1v255]\ninterface = \"eth1\"\nvhid = 255\naddresses = [\"10.1.1.255\"]\n")
        );
        assert!(text.contains("advskew = 200"));
        let changed = ours(Side::Second, LOAD, directory, true);
        assert_eq!(changed.replace(", \"10.0.2.1\"", ""), text);
        let text = keepalived(Side::First, LOAD);
        assert_eq!(text.matches("vrrp_instance").count(), 510);
        assert!(text.contains("10.1.1.255/32 dev eth1") && text.contains("priority 200"));
    }

    #[test]
    fn dead_times_follow_each_protocol() {
        assert_eq!(Program::Ours.dead_time(Side::First), Duration::from_secs(3));
        assert_eq!(Program::Ours.dead_time(Side::Second), Duration::from_micros(3_781_250));
        assert_eq!(Program::Ucarp.dead_time(Side::Second), Duration::from_nanos(3_003_906_250));
        assert_eq!(Program::Keepalived.dead_time(Side::Second), Duration::from_micros(3_609_375));
        assert_eq!(Program::Keepalived.dead_time(Side::First), Duration::from_micros(3_218_750));
    }
}
