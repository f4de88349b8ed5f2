//! Two hosts with one or more interfaces, each at a switch of its own, and what goes over the wires.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{self, Command};
use std::time::Duration;

use netlab::{Direction, Frame, Host, Lab, Signal, Tap, now};
use rustix::process::{Pid, kill_process};
use ucarp_sys::link;

use super::super::error::Error;
use super::super::group::PREFIX;
use super::super::time::nanos;
use super::super::wire::{self, Id, Kind};
use super::Load;

const WITHIN: Duration = Duration::from_secs(10);

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one of the better rank, which is started first.
    First,
    /// Its peer.
    Second,
}

impl Side {
    pub(super) const BOTH: [Side; 2] = [Side::First, Side::Second];

    pub(super) fn name(self) -> &'static str {
        match self {
            Side::First => "first",
            Side::Second => "second",
        }
    }

    /// The last octet of its addresses.
    pub(super) fn number(self) -> u8 {
        match self {
            Side::First => 1,
            Side::Second => 2,
        }
    }
}

/// Both hosts and their switches.
pub(super) struct Network {
    segments: Vec<Segment>,
}

/// A switch and both hosts' cables to it. The first segment's hosts are the hosts; those of the others have given their
/// interface away to them and are empty.
struct Segment {
    ends: [Host; 2],
    tap: Tap,
    /// Last: what runs in it ends with it.
    _lab: Lab,
}

/// What was seen of each virtual host, and when.
pub(super) type Times = BTreeMap<Id, u64>;

/// The own address of a host on a segment.
pub(super) fn own_address(segment: u8, side: Side) -> Ipv4Addr {
    Ipv4Addr::new(10, segment, 0, side.number())
}

/// The name of an interface by the number of its segment.
pub(super) fn interface(segment: u8) -> String {
    format!("eth{segment}")
}

impl Network {
    pub(super) fn new(load: Load) -> Result<Network, Error> {
        let mut network = Network { segments: Vec::new() };
        for number in 0..load.interfaces {
            let lab = Lab::new()?;
            let tap = Tap::new(&lab)?;
            let [first, second] =
                Side::BOTH.map(|side| lab.host(side.name(), side.number(), own_address(number, side), PREFIX));
            network.segments.push(Segment { ends: [first?, second?], tap, _lab: lab });
            if number > 0 {
                for side in Side::BOTH {
                    network.move_interface(number, side)?;
                }
            }
        }
        Ok(network)
    }

    /// A host has one interface, so a second one comes from a host at another switch.
    fn move_interface(&self, number: u8, side: Side) -> Result<(), Error> {
        let from = &self.segments[usize::from(number)].ends[side as usize];
        let to = self.host(side);
        let namespace = format!("/proc/{}/fd/{}", process::id(), to.namespace().as_fd().as_raw_fd());
        let (name, address) = (interface(number), format!("{}/{PREFIX}", own_address(number, side)));
        ip(from, &["link", "set", netlab::INTERFACE, "netns", &namespace, "name", &name])?;
        ip(to, &["address", "add", &address, "dev", &name])?;
        ip(to, &["link", "set", &name, "up"])?;
        let running = || {
            to.run(|| link::by_name(&name))
                .is_ok_and(|found| found.is_ok_and(|link| link.is_some_and(|link| link.running)))
        };
        let up = netlab::wait_until(WITHIN, running);
        up.then_some(()).ok_or_else(|| Error::Carrier { interface: name.clone(), host: side.name() })
    }

    pub(super) fn host(&self, side: Side) -> &Host {
        &self.segments[0].ends[side as usize]
    }

    /// Cuts a host off without a trace and kills all that runs on it.
    pub(super) fn crash(&self, side: Side) -> Result<u64, Error> {
        for segment in &self.segments {
            segment.ends[side as usize].silence(Direction::Both)?;
        }
        self.signal_all(side, Signal::KILL)?;
        Ok(now())
    }

    /// Sends a signal to all that runs on a host.
    pub(super) fn signal_all(&self, side: Side, signal: Signal) -> Result<(), Error> {
        for pid in self.host(side).processes()? {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // One that has ended meanwhile needs no signal.
            let _ = pid.map(|pid| kill_process(pid, signal));
        }
        Ok(())
    }

    /// How many virtual addresses are on a host.
    pub(super) fn addresses_held(&self, side: Side) -> Result<usize, Error> {
        let held = self.host(side).addresses()?;
        Ok(held.iter().filter(|address| matches!(address, IpAddr::V4(address) if Id::of(*address).is_some())).count())
    }

    /// Waits until all virtual hosts of `load` have shown `kind` on this side since a moment, each for the first time.
    /// What has been seen until the time is over.
    pub(super) fn wait_for_all(
        &self,
        side: Side,
        load: Load,
        since: u64,
        within: Duration,
        kind: fn(u8) -> Kind,
    ) -> Times {
        let deadline = now() + nanos(within);
        let mut times = Times::new();
        for (number, segment) in (0_u8..).zip(&self.segments) {
            let (mut seen, wanted) = (0, usize::from(load.vhids));
            let left = Duration::from_nanos(deadline.saturating_sub(now()));
            segment.tap.wait_for(
                |frame| {
                    if frame.at >= since
                        && &*frame.port == side.name()
                        && let Some(vhid) = number_of(frame, kind)
                    {
                        times.entry(Id { segment: number, vhid }).or_insert_with(|| {
                            seen += 1;
                            frame.at
                        });
                    }
                    seen == wanted
                },
                left,
            );
        }
        times
    }

    /// Waits until a virtual host shows `kind` on this side after a moment. When, or `None` when the time is over.
    pub(super) fn wait_for(&self, side: Side, id: Id, since: u64, within: Duration, kind: Kind) -> Option<u64> {
        let wanted =
            |frame: &Frame| frame.at >= since && &*frame.port == side.name() && wire::read(&frame.bytes) == Some(kind);
        self.segments[usize::from(id.segment)].tap.wait_for(wanted, within).map(|frame| frame.at)
    }

    /// The times of all advertisements of each virtual host on this side in a span.
    pub(super) fn advertisements(&self, side: Side, span: std::ops::Range<u64>) -> BTreeMap<Id, Vec<u64>> {
        let mut all: BTreeMap<Id, Vec<u64>> = BTreeMap::new();
        for (number, segment) in (0_u8..).zip(&self.segments) {
            for frame in segment.tap.frames() {
                if span.contains(&frame.at)
                    && &*frame.port == side.name()
                    && let Some(Kind::Advertisement(vhid)) = wire::read(&frame.bytes)
                {
                    all.entry(Id { segment: number, vhid }).or_default().push(frame.at);
                }
            }
        }
        all
    }

    /// How many frames are missing in the records.
    pub(super) fn lost(&self) -> u64 {
        self.segments.iter().map(|segment| segment.tap.lost()).sum()
    }
}

/// The number in a frame of this kind.
fn number_of(frame: &Frame, kind: fn(u8) -> Kind) -> Option<u8> {
    let read = wire::read(&frame.bytes)?;
    let (Kind::Advertisement(vhid) | Kind::Goodbye(vhid) | Kind::Announcement(vhid) | Kind::Added(vhid)) = read;
    (read == kind(vhid)).then_some(vhid)
}

/// Runs the `ip` program on a host.
fn ip(host: &Host, arguments: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command.args(arguments);
    let running = host.spawn(command)?;
    match running.wait(WITHIN)? {
        Some(status) if status.success() => Ok(()),
        _ => {
            running.wait_for_end_of_output(WITHIN);
            let command = format!("ip {} on {}", arguments.join(" "), host.name());
            Err(Error::Command { command, output: running.output() })
        }
    }
}
