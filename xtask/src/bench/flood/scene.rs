//! One measurement: a master, a backup and a flooder, one kind of packet.

use std::fmt;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use netlab::{Ear, Flood, Forgery, Host, Lab, Process, now};

use super::super::error::Error;
use super::super::group::{PREFIX, VHID};
use super::super::time::{milliseconds, nanos};
use super::super::usage::{self, Rate, precise};
use super::super::wire::Id;
use super::super::workshop::{Program, Workshop};
use super::Strength;

const SHARED: Ipv4Addr = Id { segment: 0, vhid: VHID }.address();
/// The master comes first.
const OWN: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const FLOODER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);
const NAMES: [&str; 2] = ["master", "backup"];
/// How ranks are told: an advskew, or a priority.
const ADVSKEW: [&str; 2] = ["0", "20"];
const PRIORITY: [u8; 2] = [200, 100];

/// For the first advertisement, and the next one.
const LIMIT: Duration = Duration::from_secs(20);
/// From the start of the backup to the flood: announcements and the search for an address that is in use are over.
const LEAD: Duration = Duration::from_secs(4);
/// Between two advertisements.
const INTERVAL: Duration = Duration::from_secs(1);
/// A host that was silent for longer and advertises has become MASTER.
const SILENCE: Duration = Duration::from_millis(2500);

/// What a flood did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// Packets a second that the kernel took from the flooder.
    pub(super) rate: f64,
    /// How often the master fell silent and the backup began to advertise.
    pub(super) false_failovers: usize,
    /// By how much the latest advertisement of the master was late.
    pub(super) lateness: Duration,
    /// Lines that both wrote in a minute.
    pub(super) lines_per_minute: f64,
    /// Master, then backup.
    pub(super) rates: [Rate; 2],
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [master, backup] = self.rates.map(|rate| milliseconds(rate.cpu));
        write!(
            f,
            "{:.0}/s, {} false failovers, late by {:?}, {:.0} lines/min, {master:.1} and {backup:.1} ms/s",
            self.rate, self.false_failovers, self.lateness, self.lines_per_minute
        )
    }
}

/// A group of two that has settled.
struct Scene {
    flooder: Host,
    hosts: [Host; 2],
    processes: [Process; 2],
    ears: [Ear; 2],
    /// Last, so that processes are ended by their own guards first.
    _lab: Lab,
}

/// Floods a group with forgeries of its own advertisement. That of keepalived is none of CARP: it gets forgeries of the
/// first one that was heard of another program, which `real` keeps.
pub(super) fn measure(
    workshop: &Workshop,
    program: Program,
    kind: Forgery,
    strength: Strength,
    real: &mut Option<Vec<u8>>,
) -> Result<Measured, Error> {
    let scene = Scene::open(workshop, program)?;
    let heard = scene.advertisement(program, now().saturating_sub(nanos(LEAD)))?;
    let own = if program == Program::Keepalived { real.get_or_insert(heard).clone() } else { heard };
    let frames = kind.frames(&own);
    real.get_or_insert(own);
    scene.endure(frames, strength)
}

impl Scene {
    fn open(workshop: &Workshop, program: Program) -> Result<Scene, Error> {
        let lab = Lab::new()?;
        let host = |index: usize, octet| lab.host(NAMES[index], octet, OWN[index], PREFIX);
        let hosts = [host(0, 1)?, host(1, 2)?];
        let flooder = lab.host("flooder", 0x66, FLOODER, PREFIX)?;
        for host in hosts.iter().chain([&flooder]) {
            host.wait_connected()?;
        }
        let ears = [Ear::new(&lab, &hosts[0], VHID)?, Ear::new(&lab, &hosts[1], VHID)?];
        let master = start(workshop, program, &hosts[0], 0)?;
        if ears[0].wait_for_one(0, LIMIT).is_none() {
            return Err(late(program, "an advertisement of the master", &master));
        }
        let backup = start(workshop, program, &hosts[1], 1)?;
        thread::sleep(LEAD);
        Ok(Scene { flooder, hosts, processes: [master, backup], ears, _lab: lab })
    }

    fn advertisement(&self, program: Program, since: u64) -> Result<Vec<u8>, Error> {
        let frame = self.ears[0].wait_for_one(since, LIMIT);
        Ok(frame.ok_or_else(|| late(program, "an advertisement of the master", &self.processes[0]))?.bytes)
    }

    fn endure(&self, frames: Vec<Vec<u8>>, strength: Strength) -> Result<Measured, Error> {
        let usage = || -> Result<_, Error> { Ok([usage::usage(&self.hosts[0])?, usage::usage(&self.hosts[1])?]) };
        let (since, before, lines) = (now(), usage()?, self.lines());
        let flood = Flood::start(&self.flooder, frames, strength.rate, strength.length)?;
        thread::sleep(strength.length);
        let (until, after) = (now(), usage()?);
        let span = Duration::from_nanos(until - since).as_secs_f64();
        let per_second = |count: u64| precise(count) / span;
        let [master, backup] = [0, 1].map(|index| self.ears[index].moments());
        Ok(Measured {
            rate: per_second(flood.sent()),
            false_failovers: starts(&backup, since, until) + gaps(&master, since, until).filter(is_silence).count(),
            lateness: gaps(&master, since, until).max().unwrap_or_default().saturating_sub(INTERVAL),
            lines_per_minute: per_second(self.lines() - lines) * 60.0,
            rates: [after[0].since(&before[0]), after[1].since(&before[1])],
        })
    }

    /// How many lines both have written, also those that were too many to be recorded.
    fn lines(&self) -> u64 {
        let count = |process: &Process| u64::try_from(process.lines().len()).unwrap_or(u64::MAX) + process.lost_lines();
        self.processes.iter().map(count).sum()
    }
}

fn start(workshop: &Workshop, program: Program, host: &Host, index: usize) -> Result<Process, Error> {
    let mut command = Command::new(workshop.program(program));
    if program == Program::Keepalived {
        let file = workshop.write(&format!("{}.conf", NAMES[index]), &keepalived(index), 0o600)?;
        workshop.keepalived_arguments(&mut command, &file, NAMES[index]);
        return Ok(host.spawn(command)?);
    }
    command.args(["-i", "eth0", "-v", &VHID.to_string(), "-f", "none", "-k", ADVSKEW[index]]);
    command.args(["-s", &OWN[index].to_string(), "-a", &SHARED.to_string(), "-u", "/bin/true", "-d", "/bin/true"]);
    command.arg("-o").arg(workshop.file("password"));
    Ok(host.spawn(command)?)
}

fn keepalived(index: usize) -> String {
    format!(
        "global_defs {{\n  router_id {}\n}}\nvrrp_instance one {{\n  state BACKUP\n  nopreempt\n  interface eth0\n  \
         virtual_router_id {VHID}\n  priority {}\n  advert_int 1\n  virtual_ipaddress {{\n    {SHARED}/32 dev eth0\n  \
         }}\n}}\n",
        NAMES[index], PRIORITY[index],
    )
}

fn late(program: Program, what: &'static str, process: &Process) -> Error {
    Error::Late { who: program.name().to_owned(), what: what.to_owned(), within: LIMIT, output: process.output() }
}

/// How often a host began to advertise.
fn starts(moments: &[u64], since: u64, until: u64) -> usize {
    let before = moments.iter().rev().find(|at| **at < since).copied().unwrap_or(0);
    let inside = || moments.iter().copied().filter(|at| (since..=until).contains(at));
    let pauses = std::iter::once(before).chain(inside()).zip(inside());
    pauses.map(|(earlier, later)| Duration::from_nanos(later - earlier)).filter(is_silence).count()
}

/// The times between two advertisements, of which the first may be one before `since`, and between the last one and the end.
fn gaps(moments: &[u64], since: u64, until: u64) -> impl Iterator<Item = Duration> {
    let before = moments.iter().rev().find(|at| **at < since).copied().unwrap_or(since);
    let inside = moments.iter().copied().filter(move |at| (since..=until).contains(at));
    let ends = inside.clone().chain([until]);
    std::iter::once(before).chain(inside).zip(ends).map(|(earlier, later)| Duration::from_nanos(later - earlier))
}

fn is_silence(gap: &Duration) -> bool {
    *gap > SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_gap_begins_before_the_flood_and_ends_with_it() {
        let moments = [1, 2, 3, 5].map(|second| second * SECOND);
        let all = |since, until| -> Vec<u64> {
            gaps(&moments, since * SECOND + 1, until * SECOND).map(|gap| gap.as_secs()).collect()
        };
        assert_eq!(all(1, 3), [1, 1, 0]);
        assert_eq!(all(2, 5), [1, 2, 0]);
        assert_eq!(all(2, 9), [1, 2, 4]);
        assert_eq!(gaps(&[], 0, SECOND).collect::<Vec<_>>(), [INTERVAL]);
    }

    #[test]
    fn one_who_was_silent_and_advertises_has_started() {
        let moments = [1, 2, 3, 7, 8].map(|second| second * SECOND);
        assert_eq!(starts(&moments, 0, 9 * SECOND), 1, "it was not silent in the first second");
        assert_eq!(starts(&moments, 2 * SECOND, 6 * SECOND), 0);
        assert_eq!(starts(&moments, 4 * SECOND, 9 * SECOND), 1);
        assert_eq!(starts(&[9 * SECOND], 8 * SECOND, 10 * SECOND), 1, "it never advertised before");
    }
}
