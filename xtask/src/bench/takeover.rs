//! What a program adds to the time that its protocol wants: to a takeover by a dead time that is over, and by a goodbye.
//!
//! One run has three starts, a goodbye and a crash: the first master is told to end, its peer takes over by the goodbye; the
//! first one is started again, its peer dies, and it takes over at the end of the dead time.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use netlab::{Direction, Frame, Host, Lab, Process, Signal, Tap, now};

use super::error::Error;
use super::group::{Group, Member, PREFIX, Timers, VHID};
use super::options::Options;
use super::progress::Progress;
use super::record::{Key, Record};
use super::time::{milliseconds_between, nanos, sleep_until};
use super::wire::{self, Kind};
use super::workshop::{Program, Workshop};

const RUNS: usize = 10;
/// How many addresses one virtual host has.
const COUNTS: [u16; 4] = [1, 16, 255, 1000];
const PROGRAMS: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];

const FIRST: Member = Member { name: "first", own: Ipv4Addr::new(10, 0, 0, 1) };
const SECOND: Member = Member { name: "second", own: Ipv4Addr::new(10, 0, 0, 2) };
/// How long any step may take.
const LIMIT: Duration = Duration::from_secs(20);
/// For a program to begin to listen.
const START: Duration = Duration::from_millis(400);

/// Figures, as they are called in records and tables.
pub(super) const DEADLINE_FIRST: &str = "deadline to first gratuitous ARP, ms";
pub(super) const DEADLINE_LAST: &str = "deadline to last address, ms";
pub(super) const GOODBYE_FIRST: &str = "goodbye to first gratuitous ARP, ms";
pub(super) const GOODBYE_LAST: &str = "goodbye to last address, ms";
pub(super) const START_UP: &str = "start to first advertisement, less the dead time, ms";

/// What so many addresses are called in records and tables.
pub(super) fn name(count: u16) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

/// All names.
pub(super) fn names() -> [String; COUNTS.len()] {
    COUNTS.map(name)
}

/// Measures each number of addresses with each program in turn.
pub(super) fn measure(workshop: &Workshop, options: &Options, record: &mut Record) -> Result<(), Error> {
    let wanted = |count: &u16, program: &Program| {
        (*program != Program::Ucarp || *count == 1) && options.wants(&format!("{}, {}", name(*count), program.name()))
    };
    let plan: Vec<(u16, Program)> = COUNTS
        .into_iter()
        .flat_map(|count| PROGRAMS.into_iter().map(move |program| (count, program)))
        .filter(|(count, program)| wanted(count, program))
        .collect();
    let runs = options.runs_or(RUNS);
    let mut progress = Progress::new(runs * plan.len());
    for _ in 0..runs {
        for (count, program) in &plan {
            let case = name(*count);
            let label = format!("{case}, {}", program.name());
            progress.begin(&label);
            let addresses = addresses(*count);
            let (program, timers) = (*program, Timers::Tenth);
            let group =
                Group { workshop, program, timers, addresses: &addresses, slow_script: false, own_clock: false };
            let measured = Run::open(group)?.run()?;
            let told: Vec<String> = measured.iter().map(|(_, value)| format!("{value:.2}")).collect();
            progress.end(&label, &format!("{} ms", told.join(", ")));
            let key = Key { setting: "", case: &case, program: program.name() };
            measured.into_iter().for_each(|(figure, value)| record.add(key, figure, value));
            record.save()?;
        }
    }
    Ok(())
}

/// `10.0.16.1` and so on, 250 in each third octet.
fn addresses(count: u16) -> Vec<Ipv4Addr> {
    let octet = |number: u16| u8::try_from(number).expect("at most 250, and four times 250 addresses");
    (0..count).map(|number| Ipv4Addr::new(10, 0, 16 + octet(number / 250), octet(number % 250) + 1)).collect()
}

/// A laboratory in which the group is.
struct Run<'a> {
    group: Group<'a>,
    hosts: [Host; 2],
    tap: Tap,
    _lab: Lab,
}

impl<'a> Run<'a> {
    fn open(group: Group<'a>) -> Result<Run<'a>, Error> {
        let lab = Lab::new()?;
        let tap = Tap::new(&lab)?;
        let hosts = [lab.host(FIRST.name, 1, FIRST.own, PREFIX)?, lab.host(SECOND.name, 2, SECOND.own, PREFIX)?];
        Ok(Run { group, hosts, tap, _lab: lab })
    }

    fn run(&self) -> Result<Vec<(&'static str, f64)>, Error> {
        let started = now();
        let first = self.group.start(&self.hosts[0], FIRST)?;
        let announced = self.wait_for_all(FIRST, started, &first)?;
        let advertised = self.wait_for_advertisement(FIRST, started, &first)?;
        let start_up = milliseconds_between(started + nanos(self.group.dead_time()), advertised);
        let second = self.listen(1, SECOND, latest(&announced))?;

        let asked = now();
        first.signal(Signal::TERM)?;
        let announced = self.wait_for_all(SECOND, asked, &second)?;
        let goodbye = self.frame(FIRST, asked, |kind| kind == Kind::Goodbye(VHID)).map(|frame| frame.at);
        let mut figures = vec![(START_UP, start_up)];
        if let Some(goodbye) = goodbye {
            figures.push((GOODBYE_FIRST, milliseconds_between(goodbye, earliest(&announced))));
            figures.push((GOODBYE_LAST, milliseconds_between(goodbye, latest(&announced))));
        }
        first.wait(LIMIT)?;

        let first = self.listen(0, FIRST, latest(&announced))?;
        let beat = self.wait_for_advertisement(SECOND, now(), &second)?;
        sleep_until(beat + nanos(self.group.interval() / 2));
        self.hosts[1].silence(Direction::Both)?;
        second.signal_all(Signal::KILL)?;
        let cut = now();
        let announced = self.wait_for_all(FIRST, cut, &first)?;
        let advertisement = |frame: &&Frame| is(frame, SECOND, |kind| kind == Kind::Advertisement(VHID));
        let frames = self.tap.frames();
        let last =
            frames.iter().rev().filter(|frame| frame.at < cut).find(advertisement).map_or(beat, |frame| frame.at);
        let deadline = last + nanos(self.group.dead_time());
        figures.push((DEADLINE_FIRST, milliseconds_between(deadline, earliest(&announced))));
        figures.push((DEADLINE_LAST, milliseconds_between(deadline, latest(&announced))));
        match self.tap.lost() {
            0 => Ok(figures),
            lost => Err(Error::Lost(lost)),
        }
    }

    /// Starts a backup, and waits until it has heard the master and the master has announced all it has.
    fn listen(&self, host: usize, member: Member, announced: u64) -> Result<Process, Error> {
        let process = self.group.start(&self.hosts[host], member)?;
        thread::sleep(START + self.group.interval() * 2);
        sleep_until(announced + nanos(START));
        Ok(process)
    }

    /// The first announcement of each address by a host since a moment.
    fn wait_for_all(&self, member: Member, since: u64, process: &Process) -> Result<BTreeMap<Ipv4Addr, u64>, Error> {
        let mut seen = BTreeMap::new();
        let complete = self.tap.wait_for(
            |frame| {
                if frame.at >= since
                    && &*frame.port == member.name
                    && let Some(address) = wire::announcement(&frame.bytes)
                    && self.group.addresses.contains(&address)
                {
                    seen.entry(address).or_insert(frame.at);
                }
                seen.len() == self.group.addresses.len()
            },
            LIMIT,
        );
        complete.map(|_| seen).ok_or_else(|| self.late("the announcement of all addresses", process))
    }

    fn wait_for_advertisement(&self, member: Member, since: u64, process: &Process) -> Result<u64, Error> {
        let wanted = |frame: &Frame| frame.at >= since && is(frame, member, |kind| kind == Kind::Advertisement(VHID));
        let frame = self.tap.wait_for(wanted, LIMIT);
        Ok(frame.ok_or_else(|| self.late("an advertisement", process))?.at)
    }

    fn frame(&self, member: Member, since: u64, wanted: fn(Kind) -> bool) -> Option<Frame> {
        self.tap.frames().into_iter().find(|frame| frame.at >= since && is(frame, member, wanted))
    }

    fn late(&self, what: &str, process: &Process) -> Error {
        let who = format!("{} with {}", self.group.program.name(), self.group.addresses.len());
        Error::Late { who, what: what.to_owned(), within: LIMIT, output: process.output() }
    }
}

fn is(frame: &Frame, member: Member, wanted: impl Fn(Kind) -> bool) -> bool {
    &*frame.port == member.name && wire::read(&frame.bytes).is_some_and(wanted)
}

fn earliest(times: &BTreeMap<Ipv4Addr, u64>) -> u64 {
    times.values().copied().min().unwrap_or(0)
}

fn latest(times: &BTreeMap<Ipv4Addr, u64>) -> u64 {
    times.values().copied().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_addresses_are_all_different_and_in_the_network() {
        let all = addresses(1000);
        assert_eq!(
            (all[0], all[250], all[999]),
            ([10, 0, 16, 1].into(), [10, 0, 17, 1].into(), [10, 0, 19, 250].into())
        );
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), 1000);
        assert_eq!(names(), ["1 address", "16 addresses", "255 addresses", "1000 addresses"]);
    }
}
