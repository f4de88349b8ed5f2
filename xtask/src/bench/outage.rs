//! What a client sees of an event, and who holds the address meanwhile. The programs take turns at each event.

mod event;
mod scene;
pub(super) mod timeline;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::Error;
use super::group::Timers;
use super::options::Options;
use super::progress::Progress;
use super::record::{Key, Record};
use super::workshop::{Program, Workshop};
use event::Event;
use scene::{Measured, Phases};

const RUNS: usize = 5;
/// Between the first runs of measurements beside each other, so that their events are not at the same moment.
const STAGGER: Duration = Duration::from_millis(270);

/// Figures, as they are called in records and tables.
pub(super) const OUTAGE: &str = "outage, ms";
pub(super) const BOTH: &str = "both hold it, ms";
pub(super) const LEFT: &str = "addresses left";
pub(super) const MOVED: &str = "takeovers before the event";
pub(super) const SILENCE: &str = "last advertisement to gratuitous ARP, ms";

const SETTINGS: [Timers; 2] = [Timers::Default, Timers::Fastest];

/// What timers are called in records and tables.
pub(super) fn name(timers: Timers) -> &'static str {
    match timers {
        Timers::Default => "1 s timers",
        Timers::Tenth => "0.1 s timers",
        Timers::Fastest => "fastest stable timers",
    }
}

/// What events are called in records and tables.
pub(super) fn events() -> [&'static str; Event::ALL.len()] {
    Event::ALL.map(Event::name)
}

/// Who takes part.
pub(super) const PROGRAMS: [Program; 4] = [Program::Ours, Program::Scripts, Program::Ucarp, Program::Keepalived];

/// One run of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    timers: Timers,
    event: Event,
    program: Program,
    phases: Phases,
}

/// What the threads that measure have in common.
struct Work<'a> {
    left: VecDeque<Run>,
    progress: Progress,
    record: &'a mut Record,
    failed: Option<Error>,
}

/// Measures every event with every program. With slow timers the programs have it beside each other, each in a laboratory
/// of its own: all of them do nothing nearly all the time.
pub(super) fn measure(workshop: &Workshop, options: &Options, record: &mut Record) -> Result<(), Error> {
    for timers in SETTINGS {
        let plan = plan(options, timers, record);
        let work = Mutex::new(Work { progress: Progress::new(plan.len()), left: plan, record, failed: None });
        let at_once = if timers == Timers::Fastest { 1 } else { PROGRAMS.len() };
        let desks: Result<Vec<Workshop>, Error> = (0..at_once).map(|number| workshop.desk(number)).collect();
        let desks = desks?;
        thread::scope(|scope| {
            for (number, desk) in (0..).zip(&desks) {
                let work = &work;
                scope.spawn(move || {
                    thread::sleep(STAGGER * number);
                    while take(desk, work) {}
                });
            }
        });
        let work = work.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = work.failed {
            return Err(error);
        }
    }
    Ok(())
}

/// Measures the next run. Whether there may be another one.
fn take(desk: &Workshop, work: &Mutex<Work<'_>>) -> bool {
    // What is locked is whole after every step.
    let lock = || work.lock().unwrap_or_else(PoisonError::into_inner);
    let next = {
        let mut work = lock();
        if work.failed.is_some() { None } else { work.left.pop_front() }
    };
    let Some(run) = next else { return false };
    let key = Key { setting: name(run.timers), case: run.event.name(), program: run.program.name() };
    let label = format!("{}, {}, {}", key.setting, key.case, key.program);
    lock().progress.begin(&label);
    let measured = scene::measure(desk, run.program, run.timers, run.event, run.phases);
    let mut work = lock();
    match measured {
        Ok(measured) => {
            work.progress.end(&label, &describe(&measured));
            add(work.record, key, &measured);
            work.failed = work.record.save().err();
        }
        Err(error) => work.failed = Some(error),
    }
    true
}

/// All runs that are wanted. Ours with scripts is as fast as with a file, and is left out of the second setting.
fn plan(options: &Options, timers: Timers, record: &Record) -> VecDeque<Run> {
    let mut plan = VecDeque::new();
    for number in 0..options.runs_or(RUNS) {
        for event in Event::ALL {
            for program in PROGRAMS {
                let key = Key { setting: name(timers), case: event.name(), program: program.name() };
                let wanted = options.wants(&format!("{}, {}, {}", key.setting, key.case, key.program));
                let known = event.concerns(program) && (timers, program) != (Timers::Fastest, Program::Scripts);
                if wanted && known {
                    let phases = phases(record.values(key, OUTAGE).len() + number);
                    plan.push_back(Run { timers, event, program, phases });
                }
            }
        }
    }
    plan
}

fn add(record: &mut Record, key: Key<'_>, measured: &Measured) {
    record.add(key, OUTAGE, measured.outage);
    record.add(key, MOVED, u32::try_from(measured.moved).map_or(f64::INFINITY, f64::from));
    if let Some(both) = measured.both {
        record.add(key, BOTH, both);
    }
    if let Some(left) = measured.left {
        record.add(key, LEFT, f64::from(u8::from(left)));
    }
    if let Some(silence) = measured.silence {
        record.add(key, SILENCE, silence);
    }
}

fn describe(measured: &Measured) -> String {
    let both = measured.both.map_or_else(String::new, |both| format!(", both hold it for {both:.0} ms"));
    let left = if measured.left == Some(true) { ", to the end" } else { "" };
    format!("{:.1} ms{both}{left}", measured.outage)
}

/// Both spread over a second, independently of each other, however many runs there are: multiples of the inverse of the
/// plastic number and of its square, which fill a square evenly.
fn phases(run: usize) -> Phases {
    let run = u32::try_from(run).map_or(0.0, f64::from);
    Phases { peer: (0.5 + run * 0.754_877_666).fract(), event: (0.5 + run * 0.569_840_291).fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_measured_once_and_some_can_be_chosen() {
        let (_, options) = Options::parse(&["--runs", "1"]).unwrap();
        let mut record = Record::unkept("outage");
        assert_eq!(plan(&options, Timers::Default, &record).len(), 12 + 5 + 10 + 12);
        assert_eq!(plan(&options, Timers::Fastest, &record).len(), 12 + 10 + 12);
        let (_, options) = Options::parse(&["--only", "1 s timers, host crash", "--runs=2"]).unwrap();
        let key = Key { setting: "1 s timers", case: "host crash", program: "ours" };
        record.add(key, OUTAGE, 2500.0);
        let runs = plan(&options, Timers::Default, &record);
        assert_eq!(runs.iter().map(|run| run.program).collect::<Vec<_>>(), [PROGRAMS, PROGRAMS].concat());
        assert_eq!((runs[0].phases, runs[4].phases), (phases(1), phases(2)), "runs go on where others have ended");
        assert_eq!(runs[1].phases, phases(0));
    }

    #[test]
    fn events_are_spread_over_the_second_between_advertisements() {
        for run in [4, 8, 16] {
            let mut events: Vec<f64> = (0..run).map(|run| phases(run).event).collect();
            events.sort_by(f64::total_cmp);
            let widest = events.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
            let number = u32::try_from(run).map_or(0.0, f64::from);
            assert!(widest < 2.5 / number, "{run} runs leave {widest} out");
        }
    }

    #[test]
    fn what_means_nothing_is_not_recorded() {
        let key = Key { setting: "s", case: "c", program: "p" };
        let mut record = Record::unkept("outage");
        add(&mut record, key, &Measured { outage: 2.5, both: None, left: None, moved: 0, silence: Some(3001.0) });
        add(&mut record, key, &Measured { outage: 3.5, both: Some(7.0), left: Some(true), moved: 2, silence: None });
        assert_eq!(record.values(key, OUTAGE), [2.5, 3.5]);
        assert_eq!(record.values(key, BOTH), [7.0]);
        assert_eq!(record.values(key, LEFT), [1.0]);
        assert_eq!(record.values(key, MOVED), [0.0, 2.0]);
        assert_eq!(record.values(key, SILENCE), [3001.0]);
    }
}
