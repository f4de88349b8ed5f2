//! The results as a table that reads well on a terminal and in Markdown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use netlab::Prober;

use super::scene::{Event, Measured};

const HEADINGS: [&str; 11] =
    ["event", "n", "ours: median", "min", "max", "both held", "ucarp: median", "min", "max", "both held", "ratio"];

/// Results by event, for both daemons.
#[derive(Debug, Default)]
pub(super) struct Table {
    results: BTreeMap<Event, [Vec<Measured>; 2]>,
}

/// Outages of one daemon at one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summary {
    median: Duration,
    least: Duration,
    most: Duration,
    /// The longest time for which both hosts held the address.
    both: Option<Duration>,
}

impl Table {
    /// Adds the result of the daemon in `column` 0 or 1.
    pub(super) fn add(&mut self, event: Event, column: usize, measured: Measured) {
        self.results.entry(event).or_default()[column].push(measured);
    }

    fn rows(&self) -> Vec<[String; HEADINGS.len()]> {
        let rows = self.results.iter().filter_map(|(event, [ours, original])| {
            let n = ours.len().min(original.len()).to_string();
            let (ours, original) = (summarize(ours)?, summarize(original)?);
            let [a, b, c, d] = ours.cells();
            let [e, f, g, h] = original.cells();
            Some([event.to_string(), n, a, b, c, d, e, f, g, h, ratio(ours.median, original.median)])
        });
        rows.collect()
    }
}

impl Summary {
    fn cells(&self) -> [String; 4] {
        let both = self.both.map_or_else(|| "-".to_owned(), seconds);
        [seconds(self.median), seconds(self.least), seconds(self.most), both]
    }
}

fn summarize(results: &[Measured]) -> Option<Summary> {
    let mut outages: Vec<_> = results.iter().map(|measured| measured.outage).collect();
    outages.sort_unstable();
    let (least, most) = (*outages.first()?, *outages.last()?);
    let middle = outages.len() / 2;
    let median = if outages.len() % 2 == 0 { (outages[middle - 1] + outages[middle]) / 2 } else { outages[middle] };
    Some(Summary { median, least, most, both: results.iter().filter_map(|measured| measured.both).max() })
}

/// How many times longer the original's outage is. One below the probes' interval cannot be told from none.
fn ratio(ours: Duration, original: Duration) -> String {
    let resolved = ours.max(Prober::INTERVAL);
    let sign = if ours < Prober::INTERVAL && original > ours { "> " } else { "" };
    format!("{sign}{:.1}", original.as_secs_f64() / resolved.as_secs_f64())
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(outage: u64, both: Option<u64>) -> Measured {
        Measured { outage: Duration::from_millis(outage), both: both.map(Duration::from_millis) }
    }

    #[test]
    fn medians_ratios_and_gaps_are_as_a_reader_expects() {
        let mut table = Table::default();
        for (ours, original) in [(3000, 3600), (2800, 3200), (3200, 4000)] {
            table.add(Event::Crash, 0, measured(ours, None));
            table.add(Event::Crash, 1, measured(original, None));
        }
        for (ours, original) in [(4, 3000), (0, 4000)] {
            table.add(Event::PlannedStop, 0, measured(ours, Some(0)));
            table.add(Event::PlannedStop, 1, measured(original, Some(12)));
        }
        let rows: Vec<String> = table.to_string().lines().map(|line| line.replace(' ', "")).collect();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[2], "|hostcrashed|3|3.000s|2.800s|3.200s|-|3.600s|3.200s|4.000s|-|1.2|");
        let stop = "|plannedstop(TERM,-z)|2|0.002s|0.000s|0.004s|0.000s|3.500s|3.000s|4.000s|0.012s|1750.0|";
        assert_eq!(rows[3], stop);
        let widths: Vec<usize> = table.to_string().lines().map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "all lines are equally long: {widths:?}");
    }

    #[test]
    fn an_outage_too_short_to_be_seen_gives_a_bound() {
        assert_eq!(ratio(Duration::ZERO, Duration::from_secs(3)), "> 1500.0");
        assert_eq!(ratio(Duration::ZERO, Duration::ZERO), "0.0");
        assert_eq!(ratio(Duration::from_secs(2), Duration::from_secs(3)), "1.5");
    }
}
