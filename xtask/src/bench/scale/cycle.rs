//! One measurement: start, steady state, reload, handover, crash.

use std::fmt;
use std::thread;
use std::time::Duration;

use netlab::{Process, Signal, now};

use super::super::error::Error;
use super::super::time::{milliseconds, milliseconds_between, nanos, since};
use super::super::usage::{self, Rate, precise};
use super::super::wire::Kind;
use super::super::workshop::Program;
use super::Load;
use super::network::{Network, Side, Times};
use super::program::{self, CHANGED, Files};

/// How long any step may take.
const LIMIT: Duration = Duration::from_secs(120);
/// From the last election to the next step: repeated announcements are over, and a backup has heard every master.
const CALM: Duration = Duration::from_secs(7);
/// Before and after a reload, for the gaps between advertisements.
const MARGIN: Duration = Duration::from_secs(3);
/// For how long system calls are counted.
const TRACED: Duration = Duration::from_secs(5);
/// A crash happens this long after an advertisement, far from any other of the same burst.
const PHASE: Duration = Duration::from_millis(500);
/// When addresses of a crashed host are counted.
const LEFT_AFTER: Duration = Duration::from_millis(3500);
/// An advertisement was missed if this much passed without one, at intervals of a second.
const MISSED: Duration = Duration::from_millis(1500);

/// What one program costs and how it behaved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// Before the peer was started.
    pub(super) master_memory: u64,
    pub(super) backup_memory: u64,
    pub(super) master: Rate,
    pub(super) backup: Rate,
    /// System calls for each advertisement that is sent, of the master, and of the backup that hears it.
    pub(super) calls: [f64; 2],
    /// From the start of the first host to the last announcement.
    pub(super) start: Duration,
    pub(super) reload: Option<Reload>,
    /// From the signal that ends the master to the last announcement by its peer.
    pub(super) handover: Duration,
    pub(super) crash: Crash,
}

/// How a reload that adds one address went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reload {
    /// From the signal to the announcement of the new address.
    pub(super) took: Duration,
    /// The longest time without an advertisement of any one virtual host.
    pub(super) longest_gap: Duration,
    /// Virtual hosts that missed one.
    pub(super) missed: usize,
}

/// How the survivor of a crash took over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crash {
    /// The least time from a virtual host's deadline, its last advertisement and the dead time, to its announcement;
    /// milliseconds, negative if it came early.
    pub(super) first: f64,
    /// The most.
    pub(super) last: f64,
    /// From the first announcement to the last.
    pub(super) spread: Duration,
    /// Virtual addresses that the crashed host still had after 3.5 s.
    pub(super) left: usize,
}

/// Measures all of it, in two networks: a host that has crashed may keep addresses.
pub(super) fn measure(files: &Files<'_>, program: Program, load: Load, steady: Duration) -> Result<Measured, Error> {
    let cycle = Cycle { files, program, load, network: Network::new(load)? };
    let (first, start) = cycle.start_first()?;
    thread::sleep(CALM);
    let master_memory = usage::memory(cycle.network.host(Side::First))?;
    let second = cycle.start(Side::Second)?;
    thread::sleep(CALM);
    let [master, backup] = cycle.steady(steady)?;
    let backup_memory = usage::memory(cycle.network.host(Side::Second))?;
    let calls = [cycle.calls(Side::First)?, cycle.calls(Side::Second)?];
    let reload = (program == Program::Ours).then(|| cycle.reload(&first)).transpose()?;
    let handover = cycle.hand_over(&first, &second)?;
    cycle.nothing_lost()?;
    drop(cycle);

    let cycle = Cycle { files, program, load, network: Network::new(load)? };
    let (_first, _) = cycle.start_first()?;
    let second = cycle.start(Side::Second)?;
    thread::sleep(CALM);
    let crash = cycle.crash(&second)?;
    cycle.nothing_lost()?;
    Ok(Measured { master_memory, backup_memory, master, backup, calls, start, reload, handover, crash })
}

/// Both hosts and what runs on them.
struct Cycle<'a> {
    files: &'a Files<'a>,
    program: Program,
    load: Load,
    network: Network,
}

impl Cycle<'_> {
    fn start(&self, side: Side) -> Result<Process, Error> {
        self.files.start(self.program, &self.network, side, self.load)
    }

    /// Starts the first host and waits until it holds everything. How long that took.
    fn start_first(&self) -> Result<(Process, Duration), Error> {
        let started = now();
        let first = self.start(Side::First)?;
        let times = self.wait_for_all(Side::First, &first, started, Kind::Announcement)?;
        Ok((first, since(started, last(&times))))
    }

    fn nothing_lost(&self) -> Result<(), Error> {
        match self.network.lost() {
            0 => Ok(()),
            lost => Err(Error::Lost(lost)),
        }
    }

    /// Waits until all virtual hosts have shown `kind` since a moment.
    fn wait_for_all(&self, side: Side, by: &Process, since: u64, kind: fn(u8) -> Kind) -> Result<Times, Error> {
        let times = self.network.wait_for_all(side, self.load, since, LIMIT, kind);
        if times.len() == self.load.hosts() {
            return Ok(times);
        }
        Err(self.late("an announcement", times.len(), by))
    }

    fn late(&self, what: &'static str, seen: usize, by: &Process) -> Error {
        let lines = by.lines();
        let output: Vec<_> = lines.iter().rev().take(20).rev().map(|line| line.text.as_str()).collect();
        let (who, output) = (format!("{} with {}", self.program.name(), self.load), output.join("\n"));
        Error::Late { who, what: format!("{what} of all, not {seen},"), within: LIMIT, output }
    }

    fn steady(&self, span: Duration) -> Result<[Rate; 2], Error> {
        let usage = |side| usage::usage(self.network.host(side));
        let before = [usage(Side::First)?, usage(Side::Second)?];
        thread::sleep(span);
        Ok([usage(Side::First)?.since(&before[0]), usage(Side::Second)?.since(&before[1])])
    }

    /// System calls of this side for each advertisement on the network.
    fn calls(&self, side: Side) -> Result<f64, Error> {
        let begin = now();
        let calls = usage::system_calls(self.network.host(side), TRACED)?;
        let sent = self.network.advertisements(Side::First, begin..begin + nanos(TRACED));
        let sent: usize = sent.values().map(Vec::len).sum();
        Ok(precise(calls) / precise(u64::try_from(sent).unwrap_or(u64::MAX)).max(1.0))
    }

    /// One virtual host gets another address; all others must not notice.
    fn reload(&self, process: &Process) -> Result<Reload, Error> {
        let begin = now();
        thread::sleep(MARGIN);
        self.files.configure_ours(Side::First, self.load, true)?;
        let signalled = now();
        process.signal(Signal::HUP)?;
        let added = self.network.wait_for(Side::First, CHANGED, signalled, LIMIT, Kind::Added(CHANGED.vhid));
        let added = added.ok_or_else(|| self.late("the announcement of the new address", 0, process))?;
        thread::sleep(MARGIN);
        let advertisements = self.network.advertisements(Side::First, begin..now());
        let gaps: Vec<u64> = advertisements.values().map(|times| longest_gap(times)).collect();
        let (silent, most) = (self.load.hosts() - gaps.len(), nanos(MISSED));
        Ok(Reload {
            took: since(signalled, added),
            longest_gap: Duration::from_nanos(gaps.iter().copied().max().unwrap_or(0)),
            missed: silent + gaps.iter().filter(|gap| **gap > most).count(),
        })
    }

    fn hand_over(&self, master: &Process, peer: &Process) -> Result<Duration, Error> {
        let asked = now();
        program::end(self.program, &self.network, Side::First, master)?;
        let times = self.wait_for_all(Side::Second, peer, asked, Kind::Announcement)?;
        Ok(since(asked, last(&times)))
    }

    /// The first host dies, and the second takes over.
    fn crash(&self, survivor: &Process) -> Result<Crash, Error> {
        let beat = self.network.wait_for(Side::First, CHANGED, now(), LIMIT, Kind::Advertisement(CHANGED.vhid));
        let beat = beat.ok_or_else(|| self.late("an advertisement", 0, survivor))?;
        thread::sleep(Duration::from_nanos((beat + nanos(PHASE)).saturating_sub(now())));
        let cut = now();
        let dead = self.network.crash(Side::First)?;
        thread::sleep(Duration::from_nanos((dead + nanos(LEFT_AFTER)).saturating_sub(now())));
        let left = self.network.addresses_held(Side::First)?;
        let announced = self.wait_for_all(Side::Second, survivor, cut, Kind::Announcement)?;
        let dead_time = nanos(program::dead_time(self.program, Side::Second));
        let heard = self.network.advertisements(Side::First, cut.saturating_sub(2 * nanos(MISSED))..cut);
        let delays: Vec<f64> = announced
            .iter()
            .filter_map(|(id, at)| Some(milliseconds_between(heard.get(id)?.last()? + dead_time, *at)))
            .collect();
        let first_announcement = announced.values().copied().min().unwrap_or(0);
        Ok(Crash {
            first: delays.iter().copied().fold(f64::INFINITY, f64::min),
            last: delays.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            spread: since(first_announcement, last(&announced)),
            left,
        })
    }
}

fn last(times: &Times) -> u64 {
    times.values().copied().max().unwrap_or(0)
}

/// The longest time between two neighbours.
fn longest_gap(times: &[u64]) -> u64 {
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} and {:.0} ms of CPU a minute, all moved {:.1} ms after the deadline, {} addresses left",
            milliseconds(self.master.cpu) * 60.0,
            milliseconds(self.backup.cpu) * 60.0,
            self.crash.last,
            self.crash.left
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_those_of_neighbours() {
        assert_eq!(longest_gap(&[]), 0);
        assert_eq!(longest_gap(&[5]), 0);
        assert_eq!(longest_gap(&[1, 4, 5, 12]), 7);
    }
}
