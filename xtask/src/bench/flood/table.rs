//! The results as a table that reads well on a terminal and in Markdown.

use std::fmt;
use std::time::Duration;

use netlab::Forgery;

use super::Program;
use super::scene::Measured;

const HEADINGS: [&str; 9] = [
    "packets",
    "program",
    "packets/s",
    "false failovers",
    "latest advertisement",
    "lines/min",
    "master: ms/s",
    "backup: ms/s",
    "backup: wake-ups/s",
];

/// Results in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Table {
    results: Vec<(Forgery, Program, Measured)>,
}

impl Table {
    pub(super) fn add(&mut self, kind: Forgery, program: Program, measured: Measured) {
        self.results.push((kind, program, measured));
    }

    fn rows(&self) -> impl Iterator<Item = [String; HEADINGS.len()]> {
        self.results.iter().map(|(kind, program, measured)| {
            let [master, backup] = &measured.rates;
            [
                kind.to_string(),
                program.name().to_owned(),
                format!("{:.0}", measured.rate),
                measured.false_failovers.to_string(),
                format!("+{} ms", milliseconds(measured.lateness)),
                format!("{:.0}", measured.lines_per_minute),
                milliseconds(master.cpu),
                milliseconds(backup.cpu),
                format!("{:.0}", backup.wakeups_per_second),
            ]
        })
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.rows());
        // Markdown wants three dashes.
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(3);
        let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
        for (number, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let dashes = widths.iter().enumerate().map(|(column, &width)| {
                    if column < 2 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
                });
                writeln!(f, "| {} |", dashes.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::Rate;
    use super::*;

    #[test]
    fn a_row_says_what_was_measured() {
        let rate =
            |milliseconds, wakeups_per_second| Rate { cpu: Duration::from_millis(milliseconds), wakeups_per_second };
        let measured = Measured {
            rate: 69_999.6,
            false_failovers: 2,
            lateness: Duration::from_micros(12_340),
            lines_per_minute: 6.4,
            rates: [rate(3, 1.0), rate(250, 1234.5)],
        };
        let mut table = Table::default();
        table.add(Forgery::BadTtl, Program::Ucarp, measured);
        let text = table.to_string();
        let row: String = text.lines().nth(2).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(row, "| TTL 64 | ucarp | 70000 | 2 | +12.3 ms | 6 | 3.0 | 250.0 | 1234 |");
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(widths.len() == 3 && widths.iter().all(|width| *width == widths[0]), "{text}");
    }
}
