//! Floods of forged packets: what they do to a group of two. The programs take turns with each kind of packet.

mod scene;

use std::time::Duration;

use netlab::Forgery;

use super::error::Error;
use super::options::Options;
use super::progress::Progress;
use super::record::{Key, Record};
use super::time::milliseconds;
use super::workshop::{Program, Workshop};
use scene::Measured;

const RUNS: usize = 1;
const RATE: u32 = 70_000;
const LENGTH: Duration = Duration::from_secs(8);
/// Ours is first: its advertisement is what all others are flooded with forgeries of. It has UCARP's command line here.
const PROGRAMS: [(Program, &str); 3] =
    [(Program::Ours, "ours"), (Program::Ucarp, "ucarp"), (Program::Keepalived, "keepalived")];

/// Figures, as they are called in records and tables, in the order of the table.
pub(super) const FIGURES: [&str; 7] = [
    "packets/s",
    FAILOVERS,
    "latest advertisement, +ms",
    "lines/min",
    "master: ms/s",
    "backup: ms/s",
    "backup: wake-ups/s",
];
pub(super) const FAILOVERS: &str = "false failovers";

/// How strong a flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Strength {
    /// Packets a second.
    rate: u32,
    length: Duration,
}

/// What a flood of a kind of packets is called in records, with the number of packets a second.
pub(super) fn settings() -> Vec<String> {
    vec![format!("{RATE}/s")]
}

/// What kinds of packets are called in records and tables.
pub(super) fn kinds() -> Vec<String> {
    Forgery::ALL.iter().map(Forgery::to_string).collect()
}

/// Floods every program with every kind of packet in turn.
pub(super) fn measure(workshop: &Workshop, options: &Options, record: &mut Record) -> Result<(), Error> {
    let strength = Strength { rate: options.rate.unwrap_or(RATE), length: options.length_or(LENGTH) };
    let kinds: Vec<Forgery> = Forgery::ALL.into_iter().filter(|kind| options.wants(&kind.to_string())).collect();
    let runs = options.runs_or(RUNS);
    let mut progress = Progress::new(runs * kinds.len() * PROGRAMS.len());
    let mut real = None;
    for _ in 0..runs {
        for kind in &kinds {
            for (program, name) in PROGRAMS {
                let label = format!("{kind}, {name}");
                progress.begin(&label);
                let measured = scene::measure(workshop, program, *kind, strength, &mut real)?;
                progress.end(&label, &measured.to_string());
                let setting = format!("{}/s", strength.rate);
                add(record, Key { setting: &setting, case: &kind.to_string(), program: name }, &measured);
                record.save()?;
            }
        }
    }
    Ok(())
}

fn add(record: &mut Record, key: Key<'_>, measured: &Measured) {
    let [master, backup] = &measured.rates;
    let figures: [f64; FIGURES.len()] = [
        measured.rate,
        u32::try_from(measured.false_failovers).map_or(f64::INFINITY, f64::from),
        milliseconds(measured.lateness),
        measured.lines_per_minute,
        milliseconds(master.cpu),
        milliseconds(backup.cpu),
        backup.wakeups,
    ];
    FIGURES.into_iter().zip(figures).for_each(|(figure, value)| record.add(key, figure, value));
}

#[cfg(test)]
mod tests {
    use super::super::usage::Rate;
    use super::*;

    #[test]
    fn every_figure_has_its_own_name() {
        let rate = |cpu, wakeups| Rate { cpu: Duration::from_millis(cpu), wakeups, switches: 0.0 };
        let measured = Measured {
            rate: 69_999.6,
            false_failovers: 2,
            lateness: Duration::from_micros(12_340),
            lines_per_minute: 6.4,
            rates: [rate(3, 1.0), rate(250, 1234.5)],
        };
        let key = Key { setting: "70000/s", case: "TTL 64", program: "ucarp" };
        let mut record = Record::unkept("flood");
        add(&mut record, key, &measured);
        let values: Vec<f64> = FIGURES.iter().map(|figure| record.values(key, figure)[0]).collect();
        assert_eq!(values, [69_999.6, 2.0, 12.34, 6.4, 3.0, 250.0, 1234.5]);
    }
}
