//! What libFuzzer writes while it runs, and the table that is made of it.

use std::fmt::Write;

/// What a log says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Inputs that were tried.
    pub(super) executions: Option<u64>,
    pub(super) per_second: Option<u64>,
    /// Inputs that reach something which others do not: in the corpora that were read, and at the end.
    pub(super) corpus: Option<(u64, u64)>,
    /// Where the input is that was not survived.
    pub(super) reproducer: Option<String>,
    /// What the target said about it.
    pub(super) reason: Option<String>,
}

/// Reads a log.
pub(super) fn summarise(log: &str) -> Summary {
    let number = |name: &str| log.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    let sizes = || log.lines().filter_map(|line| Some((line, corpus_size(line)?)));
    let first = sizes().find(|(line, _)| line.contains("INITED")).map(|(_, size)| size);
    let last = sizes().next_back().map(|(_, size)| size);
    Summary {
        executions: number("stat::number_of_executed_units:"),
        per_second: number("stat::average_exec_per_sec:"),
        corpus: first.zip(last),
        reproducer: log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim().to_owned())),
        reason: reason(log),
    }
}

/// The number of inputs (276) in a line such as `#843 INITED cov: 511 ft: 1511 corp: 276/15Kb exec/s: 0 rss: 50Mb`.
fn corpus_size(line: &str) -> Option<u64> {
    let (_, size) = line.strip_prefix('#')?.split_once("corp: ")?;
    size.split_once('/')?.0.parse().ok()
}

/// What a panic says in its first line, or what libFuzzer says of a hang, a leak or too much memory.
fn reason(log: &str) -> Option<String> {
    let mut lines = log.lines();
    if let Some(place) = lines.by_ref().find(|line| line.contains("panicked at ")) {
        let place = place.split_once("panicked at ").map_or(place, |(_, place)| place);
        return Some(format!("{place} {}", lines.next().unwrap_or_default()));
    }
    let told = |line: &&str| line.starts_with("SUMMARY: ") || line.starts_with("error: ");
    log.lines().find(told).map(str::to_owned)
}

/// A line for each target.
pub(super) fn table<'a>(runs: impl Iterator<Item = (&'a str, &'a Summary, bool)>) -> String {
    let show = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let mut text = format!("{:<16}{:>12}{:>9}{:>16}  result\n", "target", "executions", "exec/s", "corpus");
    for (target, summary, held) in runs {
        let corpus = summary.corpus.map_or_else(|| "?".to_owned(), |(first, last)| format!("{first} to {last}"));
        let (executions, per_second) = (show(summary.executions), show(summary.per_second));
        let result = if held { "ok" } else { "FAILED" };
        writeln!(text, "{target:<16}{executions:>12}{per_second:>9}{corpus:>16}  {result}")
            .expect("writing to a string never fails");
    }
    text
}
