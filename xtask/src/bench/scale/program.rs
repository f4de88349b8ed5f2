//! The programs that are measured, and how each is told of its virtual hosts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Process, Signal};

use super::super::error::{Error, system};
use super::super::wire::Id;
use super::super::workshop::{Program, Workshop};
use super::Load;
use super::network::{Network, Side, interface, own_address};

/// The programs and what they need: for each host its own copies.
pub(super) struct Files<'a> {
    workshop: &'a Workshop,
}

/// How ranks are told: the better one first. The second host must not take over while the kernel, which here is one for
/// both, is busy with the addresses of the first that time out.
const ADVSKEW: [u8; 2] = [0, 200];
/// UCARP rounds its dead time up to whole intervals, which an advskew makes longer.
const UCARP_ADVSKEW: [u8; 2] = [0, 1];
/// The opposite of an advskew.
const PRIORITY: [u8; 2] = [200, 100];

/// How long after the last advertisement this side takes over, by the protocol.
pub(super) fn dead_time(program: Program, side: Side) -> Duration {
    let skew = match program {
        Program::Ours => u32::from(ADVSKEW[side as usize]),
        Program::Scripts | Program::Ucarp => u32::from(UCARP_ADVSKEW[side as usize]),
        Program::Keepalived => 256 - u32::from(PRIORITY[side as usize]),
    };
    Duration::from_secs(3) + Duration::from_secs(1) * skew / 256
}

/// Tells a program to end as an administrator does.
pub(super) fn end(program: Program, network: &Network, side: Side, process: &Process) -> Result<(), Error> {
    match program {
        Program::Ours | Program::Keepalived => Ok(process.signal(Signal::TERM)?),
        Program::Scripts | Program::Ucarp => network.signal_all(side, Signal::TERM),
    }
}

impl<'a> Files<'a> {
    /// Puts copies of the programs, for each host its own, into directories. Processes of two hosts must not share the
    /// memory of their program.
    pub(super) fn make(workshop: &'a Workshop, programs: &[Program]) -> Result<Files<'a>, Error> {
        for side in Side::BOTH {
            let directory = workshop.file(side.name());
            fs::create_dir_all(&directory).map_err(system("making a directory"))?;
            for program in programs {
                let copy = directory.join(program.name());
                // Not over one that still runs.
                let _ = fs::remove_file(&copy);
                fs::copy(workshop.program(*program), copy).map_err(system("copying a program"))?;
            }
        }
        Ok(Files { workshop })
    }

    /// Starts a program on a host, for all virtual hosts of `load`.
    pub(super) fn start(&self, program: Program, network: &Network, side: Side, load: Load) -> Result<Process, Error> {
        let copy = self.workshop.file(side.name()).join(program.name());
        let mut command = Command::new(&copy);
        match program {
            Program::Ours => {
                command.arg("-c").arg(self.configure_ours(side, load, false)?).args(["-f", "none"]);
            }
            Program::Scripts | Program::Ucarp => {
                command = Command::new("/bin/sh");
                command.arg("-c").arg(self.start_all(&copy, side, load));
            }
            Program::Keepalived => {
                let file =
                    self.workshop.write(&format!("{}/keepalived.conf", side.name()), &keepalived(side, load), 0o600)?;
                self.workshop.keepalived_arguments(&mut command, &file, side.name());
            }
        }
        Ok(network.host(side).spawn(command)?)
    }

    /// Writes the configuration of ours, with one address more if wanted.
    pub(super) fn configure_ours(&self, side: Side, load: Load, with_added: bool) -> Result<PathBuf, Error> {
        let directory = self.workshop.file("");
        let text = ours(side, load, &directory, with_added);
        self.workshop.write(&format!("{}/ours.toml", side.name()), &text, 0o600)
    }

    /// What a shell has to do to start one process for each virtual host.
    fn start_all(&self, program: &Path, side: Side, load: Load) -> String {
        let (mut text, directory) = (String::new(), self.workshop.file(""));
        let directory = directory.display();
        for id in ids(load) {
            writeln!(
                text,
                "{} -i {} -s {} -v {} -a {} -k {} -z -f none -o {directory}/password -u {directory}/vip-up -d \
                 {directory}/vip-down &",
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
    let (password, advskew) = (directory.join("password"), ADVSKEW[side as usize]);
    let socket = directory.join(side.name()).join("control.sock");
    let mut text = format!("control = {socket:?}\n\n[defaults]\npassword-file = {password:?}\nadvskew = {advskew}\n");
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
        assert_eq!(dead_time(Program::Ours, Side::First), Duration::from_secs(3));
        assert_eq!(dead_time(Program::Ours, Side::Second), Duration::from_micros(3_781_250));
        assert_eq!(dead_time(Program::Ucarp, Side::Second), Duration::from_nanos(3_003_906_250));
        assert_eq!(dead_time(Program::Keepalived, Side::Second), Duration::from_micros(3_609_375));
        assert_eq!(dead_time(Program::Keepalived, Side::First), Duration::from_micros(3_218_750));
    }
}
