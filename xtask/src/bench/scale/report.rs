//! The results as tables that read well on a terminal and in Markdown: one for each number of virtual hosts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Load;
use super::cycle::Measured;
use super::program::Program;

/// All results.
#[derive(Debug, Default)]
pub(super) struct Report {
    results: BTreeMap<Load, BTreeMap<Program, Vec<Measured>>>,
}

/// A line of a table: its name, the figure of a run, how it is written.
struct Line {
    name: &'static str,
    figure: fn(&Measured) -> Option<f64>,
    write: fn(f64) -> String,
}

const fn line(name: &'static str, figure: fn(&Measured) -> Option<f64>, write: fn(f64) -> String) -> Line {
    Line { name, figure, write }
}

const LINES: [Line; 14] = [
    line("PSS of the master, MiB", |run| Some(mebibytes(run.master_memory)), |value| format!("{value:.1}")),
    line("PSS of the backup, MiB", |run| Some(mebibytes(run.backup_memory)), |value| format!("{value:.1}")),
    line("CPU of the master, ms a minute", |run| Some(millis(run.master.cpu_per_minute)), whole),
    line("CPU of the backup, ms a minute", |run| Some(millis(run.backup.cpu_per_minute)), whole),
    line("wake-ups of the master, 1/s", |run| Some(run.master.wakeups_per_second), |value| format!("{value:.1}")),
    line("wake-ups of the backup, 1/s", |run| Some(run.backup.wakeups_per_second), |value| format!("{value:.1}")),
    line("start to last announcement, s", |run| Some(run.start.as_secs_f64()), |value| format!("{value:.3}")),
    line("crash: deadline to announcement, least, ms", |run| Some(run.crash.first * 1000.0), tenth),
    line("crash: deadline to announcement, most, ms", |run| Some(run.crash.last * 1000.0), tenth),
    line("crash: first to last announcement, ms", |run| Some(millis(run.crash.spread)), tenth),
    line("crash: addresses left after 3.5 s", |run| Some(count(run.crash.left)), whole),
    line("TERM to last announcement, ms", |run| Some(millis(run.handover)), tenth),
    line("reload: HUP to new address, ms", |run| Some(millis(run.reload?.took)), tenth),
    line("reload: advertisements missed", |run| Some(count(run.reload?.missed)), whole),
];

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn tenth(value: f64) -> String {
    format!("{value:.1}")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Far below 2^53.
#[expect(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

impl Report {
    pub(super) fn add(&mut self, load: Load, program: Program, measured: Measured) {
        self.results.entry(load).or_default().entry(program).or_default().push(measured);
    }
}

/// The median, and in brackets the least and the most if they are written differently.
fn cell(line: &Line, runs: &[Measured]) -> String {
    let mut figures: Vec<f64> = runs.iter().filter_map(line.figure).collect();
    figures.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else { return "-".to_owned() };
    let middle = figures.len() / 2;
    let median = if figures.len().is_multiple_of(2) {
        f64::midpoint(figures[middle - 1], figures[middle])
    } else {
        figures[middle]
    };
    let [median, least, most] = [median, *least, *most].map(line.write);
    if least == most { median } else { format!("{median} ({least} to {most})") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (load, programs)) in self.results.iter().enumerate() {
            let runs = programs.values().map(Vec::len).min().unwrap_or(0);
            let heading = [format!("{load}, n = {runs}")]
                .into_iter()
                .chain(programs.keys().map(|program| program.name().to_owned()));
            let mut rows: Vec<Vec<String>> = vec![heading.collect()];
            rows.extend(LINES.iter().map(|line| {
                let name = [line.name.to_owned()].into_iter();
                name.chain(programs.values().map(|runs| cell(line, runs))).collect()
            }));
            if number > 0 {
                writeln!(f)?;
            }
            write_table(f, &rows)?;
        }
        Ok(())
    }
}

/// The first column to the left, the others to the right.
fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    // Markdown wants three dashes.
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(3)).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
        if number == 0 {
            let dashes = widths.iter().enumerate().map(|(column, &width)| {
                if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
            });
            writeln!(f, "| {} |", dashes.collect::<Vec<_>>().join(" | "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scale::cost::Rate;
    use crate::bench::scale::cycle::{Crash, Reload};

    fn measured(factor: u32) -> Measured {
        let rate = Rate { cpu_per_minute: Duration::from_millis(100) * factor, wakeups_per_second: f64::from(factor) };
        Measured {
            master_memory: 3 << 20,
            backup_memory: u64::from(factor) << 20,
            master: rate,
            backup: rate,
            start: Duration::from_secs(3),
            reload: (factor < 3).then_some(Reload {
                took: Duration::from_millis(4),
                longest_gap: Duration::from_secs(1),
                missed: 0,
            }),
            handover: Duration::from_millis(7),
            crash: Crash { first: -0.001, last: 0.002 * f64::from(factor), spread: Duration::from_millis(9), left: 0 },
        }
    }

    #[test]
    fn a_cell_is_a_median_with_its_range() {
        let cpu = &LINES[2];
        assert_eq!(cell(cpu, &[measured(1), measured(5), measured(2)]), "200 (100 to 500)");
        assert_eq!(cell(cpu, &[measured(1), measured(2)]), "150 (100 to 200)");
        assert_eq!(cell(cpu, &[measured(1), measured(1)]), "100");
        assert_eq!(cell(cpu, &[]), "-");
    }

    #[test]
    fn there_is_a_table_for_each_number() {
        let mut report = Report::default();
        let (one, many) = (Load::new(1).unwrap(), Load::new(4080).unwrap());
        report.add(many, Program::Ours, measured(2));
        report.add(one, Program::Ours, measured(1));
        report.add(one, Program::Ucarp, measured(3));
        let text = report.to_string();
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines.len(), 2 * (LINES.len() + 2) + 1);
        assert_eq!(lines[0], "| 1 virtual host, n = 1 | ours | ucarp |");
        assert_eq!(lines[2], "| PSS of the master, MiB | 3.0 | 3.0 |");
        assert_eq!(lines[10], "| crash: deadline to announcement, most, ms | 2.0 | 6.0 |");
        assert_eq!(lines[15], "| reload: advertisements missed | 0 | - |");
        assert_eq!(lines[17], "| 4080 virtual hosts on 16 interfaces, n = 1 | ours |");
    }
}
