//! What a run gave, as figures.

use super::super::record::{Key, Record};
use super::super::time::milliseconds;
use super::super::usage::precise;
use super::cycle::Measured;

/// Figures, as they are called in records and tables, in the order of the table.
pub(in crate::bench) const FIGURES: [&str; 18] = [
    MASTER_MEMORY,
    BACKUP_MEMORY,
    MASTER_CPU,
    BACKUP_CPU,
    "wake-ups of the master, 1/s",
    "wake-ups of the backup, 1/s",
    "context switches of the master, 1/s",
    "context switches of the backup, 1/s",
    "system calls of the master for an advertisement",
    "system calls of the backup for an advertisement",
    "start to last announcement, ms",
    "crash: deadline to announcement, least, ms",
    "crash: deadline to announcement, most, ms",
    "crash: first to last announcement, ms",
    "crash: addresses left after 3.5 s",
    "TERM to last announcement, ms",
    "reload: HUP to new address, ms",
    "reload: advertisements missed",
];
pub(in crate::bench) const MASTER_MEMORY: &str = "PSS of the master, MiB";
pub(in crate::bench) const BACKUP_MEMORY: &str = "PSS of the backup, MiB";
pub(in crate::bench) const MASTER_CPU: &str = "CPU of the master, ms a minute";
pub(in crate::bench) const BACKUP_CPU: &str = "CPU of the backup, ms a minute";

/// Adds all figures of a run.
pub(super) fn add(record: &mut Record, key: Key<'_>, run: &Measured) {
    let reload = run.reload;
    let figures: [Option<f64>; FIGURES.len()] = [
        Some(mebibytes(run.master_memory)),
        Some(mebibytes(run.backup_memory)),
        Some(milliseconds(run.master.cpu) * 60.0),
        Some(milliseconds(run.backup.cpu) * 60.0),
        Some(run.master.wakeups),
        Some(run.backup.wakeups),
        Some(run.master.switches),
        Some(run.backup.switches),
        Some(run.calls[0]),
        Some(run.calls[1]),
        Some(milliseconds(run.start)),
        Some(run.crash.first),
        Some(run.crash.last),
        Some(milliseconds(run.crash.spread)),
        Some(count(run.crash.left)),
        Some(milliseconds(run.handover)),
        reload.map(|reload| milliseconds(reload.took)),
        reload.map(|reload| count(reload.missed)),
    ];
    for (figure, value) in FIGURES.into_iter().zip(figures) {
        if let Some(value) = value {
            record.add(key, figure, value);
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    precise(bytes) / 1024.0 / 1024.0
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::usage::Rate;
    use super::super::cycle::{Crash, Reload};
    use super::*;

    #[test]
    fn every_figure_has_its_own_name() {
        let rate = |cpu, wakeups, switches| Rate { cpu: Duration::from_millis(cpu), wakeups, switches };
        let run = Measured {
            master_memory: 3 << 20,
            backup_memory: 2 << 20,
            master: rate(4, 1.0, 1.5),
            backup: rate(5, 2.0, 2.5),
            calls: [6.5, 7.5],
            start: Duration::from_secs(3),
            reload: Some(Reload { took: Duration::from_millis(4), longest_gap: Duration::from_secs(1), missed: 0 }),
            handover: Duration::from_millis(7),
            crash: Crash { first: -1.0, last: 2.0, spread: Duration::from_millis(9), left: 8 },
        };
        let key = Key { setting: "", case: "255 virtual hosts", program: "ours" };
        let mut record = Record::unkept("scale");
        add(&mut record, key, &run);
        let values: Vec<f64> = FIGURES.iter().map(|figure| record.values(key, figure)[0]).collect();
        let expected =
            [3.0, 2.0, 240.0, 300.0, 1.0, 2.0, 1.5, 2.5, 6.5, 7.5, 3000.0, -1.0, 2.0, 9.0, 8.0, 7.0, 4.0, 0.0];
        assert_eq!(values, expected);
        add(&mut record, key, &Measured { reload: None, ..run });
        assert_eq!(record.values(key, FIGURES[17]).len(), 1);
    }
}
