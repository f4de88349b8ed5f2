//! What goes over the wires in a failover, moment by moment, for a picture.

use std::ops::RangeInclusive;

use netlab::Prober;

use super::super::error::Error;
use super::super::group::Timers;
use super::super::options::Options;
use super::super::progress::Progress;
use super::super::record::{Key, Record};
use super::super::time::{milliseconds_between, nanos};
use super::super::wire::{self, Kind};
use super::super::workshop::{Program, Workshop};
use super::event::Event;
use super::scene::Scene;

/// The events that are drawn.
pub(in crate::bench) const SHOWN: [Event; 2] = [Event::PlannedStop, Event::HostCrash];
/// What is drawn: from so long before the event to so long after it, in milliseconds.
pub(in crate::bench) const SPAN: RangeInclusive<f64> = -1200.0..=4200.0;
/// Who is drawn.
pub(in crate::bench) const PROGRAMS: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];

/// Figures: moments in milliseconds, counted from the event.
pub(in crate::bench) const ADVERTISEMENT: &str = "advertisement";
pub(in crate::bench) const GOODBYE: &str = "goodbye";
pub(in crate::bench) const ANNOUNCEMENT: &str = "gratuitous ARP";
/// Beginning and end of the time without an answer.
pub(in crate::bench) const SILENCE: &str = "no answer";

/// Lets each event happen once to each program, and records what was on the wires then.
pub(in crate::bench) fn measure(workshop: &Workshop, options: &Options, record: &mut Record) -> Result<(), Error> {
    // Moments of two runs would not make one picture.
    record.series.clear();
    let mut progress = Progress::new(SHOWN.len() * PROGRAMS.len());
    for event in SHOWN {
        for program in PROGRAMS.into_iter().filter(|program| options.wants(program.name())) {
            let label = format!("{}, {}", event.name(), program.name());
            progress.begin(&label);
            let mut scene = Scene::open(workshop, program, Timers::Default, event, 0.3)?;
            scene.approach(0.6);
            let begin = netlab::now();
            let measured = scene.run()?;
            progress.end(&label, &format!("{:.1} ms", measured.outage));
            add(record, event, program, begin, &scene);
            record.save()?;
        }
    }
    Ok(())
}

fn add(record: &mut Record, event: Event, program: Program, begin: u64, scene: &Scene<'_>) {
    for frame in scene.frames() {
        let at = milliseconds_between(begin, frame.at);
        let figure = match wire::read(&frame.bytes) {
            Some(Kind::Advertisement(_)) => ADVERTISEMENT,
            Some(Kind::Goodbye(_)) => GOODBYE,
            Some(Kind::Announcement(_)) => ANNOUNCEMENT,
            _ => continue,
        };
        if SPAN.contains(&at) {
            let case = format!("{}: {}", event.name(), frame.port);
            record.add(Key { setting: "", case: &case, program: program.name() }, figure, at);
        }
    }
    let key = Key { setting: "", case: event.name(), program: program.name() };
    if let Some((from, to)) = silence(scene.prober(), begin) {
        record.add(key, SILENCE, milliseconds_between(begin, from));
        record.add(key, SILENCE, milliseconds_between(begin, to));
    }
}

/// From the last probe that was answered before the first one after a moment that was not, to the next one that was.
fn silence(prober: &Prober, begin: u64) -> Option<(u64, u64)> {
    let probes = prober.probes();
    let probes = &probes[probes.partition_point(|probe| probe.sent + nanos(Prober::INTERVAL) < begin)..];
    let first = probes.iter().position(|probe| probe.answered.is_none())?;
    let next = probes[first..].iter().find(|probe| probe.answered.is_some())?;
    Some((probes[first.saturating_sub(1)].sent, next.sent))
}
