//! The tables of the document.

use super::super::group::Timers;
use super::super::markdown::{figure, table};
use super::super::outage::{self, BOTH, LEFT, MOVED, OUTAGE};
use super::super::record::{Key, Record};
use super::super::statistics::{least, median, most, percentile};
use super::super::takeover::{self, DEADLINE_FIRST, DEADLINE_LAST, GOODBYE_FIRST, GOODBYE_LAST, START_UP};
use super::super::workshop::Program;
use super::super::{core as instructions, flood as floods, scale as loads};
use super::Records;

/// What was measured, and where.
pub(super) fn machine(all: &Records) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for record in all.iter() {
        match kinds.iter_mut().find(|(of, _)| *of == record.of) {
            Some((_, parts)) => parts.push(&record.part),
            None => kinds.push((&record.of, vec![&record.part])),
        }
    }
    match kinds.as_slice() {
        [(of, _)] => (*of).to_owned(),
        kinds => {
            let lines: Vec<String> = kinds.iter().map(|(of, parts)| format!("* {}: {of}", parts.join(", "))).collect();
            lines.join("\n")
        }
    }
}

/// Outages with the usual timers.
pub(super) fn outage(all: &Records) -> String {
    outages(all, Timers::Default)
}

/// Outages with the fastest timers.
pub(super) fn outage_fastest(all: &Records) -> String {
    outages(all, Timers::Fastest)
}

fn outages(all: &Records, timers: Timers) -> String {
    let record = all.get("outage");
    let heading =
        ["event", "program", "n", "median, ms", "p99, ms", "both hold it: most, ms", "left behind", "moved before"];
    let mut rows = vec![strings(&heading)];
    for event in outage::events() {
        let mut name = event;
        for program in outage::PROGRAMS.map(Program::name) {
            let key = Key { setting: outage::name(timers), case: event, program };
            let values = record.values(key, OUTAGE);
            if values.is_empty() {
                continue;
            }
            let (left, moved) = (record.values(key, LEFT), record.values(key, MOVED));
            let left_behind = (!left.is_empty()).then(|| format!("{} of {}", left.iter().sum::<f64>(), left.len()));
            rows.push(vec![
                std::mem::take(&mut name).to_owned(),
                program.to_owned(),
                values.len().to_string(),
                cell(median(values)),
                cell(percentile(values, 99)),
                cell(most(record.values(key, BOTH))),
                left_behind.unwrap_or_else(|| "-".to_owned()),
                cell((!moved.is_empty()).then(|| moved.iter().sum())),
            ]);
        }
    }
    table(&rows, 2)
}

/// What takeovers take beyond the protocol.
pub(super) fn takeover(all: &Records) -> String {
    let record = all.get("takeover");
    let figures = [DEADLINE_FIRST, DEADLINE_LAST, GOODBYE_FIRST, GOODBYE_LAST];
    let mut rows = vec![[strings(&["addresses", "program", "n"]), strings(&figures)].concat()];
    for case in takeover::names() {
        for program in programs() {
            let key = Key { setting: "", case: &case, program };
            let n = record.values(key, DEADLINE_FIRST).len();
            if n > 0 {
                let cells = figures.map(|name| {
                    let values = record.values(key, name);
                    median(values).map_or("-".to_owned(), |middle| {
                        format!("{} ({})", figure(middle), cell(percentile(values, 99)))
                    })
                });
                rows.push([strings(&[&case, program, &n.to_string()]), cells.to_vec()].concat());
            }
        }
    }
    table(&rows, 2)
}

/// What many virtual hosts cost: a table for each number.
pub(super) fn scale(all: &Records) -> String {
    let record = all.get("scale");
    let tables = loads::HOSTS.into_iter().filter_map(|hosts| {
        let case = loads::name(hosts)?;
        let key = |program| Key { setting: "", case: &case, program };
        let there: Vec<&str> = programs()
            .into_iter()
            .filter(|program| !record.values(key(program), loads::MASTER_CPU).is_empty())
            .collect();
        let n = record.values(key(there.first()?), loads::MASTER_CPU).len();
        let mut rows = vec![[vec![format!("{case}, n = {n}")], strings(&there)].concat()];
        for name in loads::FIGURES {
            let cells = there.iter().map(|program| range(record.values(key(program), name)));
            rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
        }
        Some(table(&rows, 1))
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// How costs grow with the number of virtual hosts.
pub(super) fn growth(all: &Records) -> String {
    let record = all.get("scale");
    let mut rows = vec![strings(&[
        "figure",
        "program",
        "one more, 1 to 255",
        "one more, 255 to 4080",
        "exponent, 50 to 255",
        "exponent, 255 to 4080",
    ])];
    for name in [loads::MASTER_CPU, loads::BACKUP_CPU, loads::MASTER_MEMORY, loads::BACKUP_MEMORY] {
        // Kibibytes: a mebibyte is too much for one.
        let (shown, unit) = match name.strip_suffix(", MiB") {
            Some(start) => (format!("{start}, KiB"), 1024.0),
            None => (name.to_owned(), 1.0),
        };
        for program in programs() {
            let cost = |hosts| {
                let case = loads::name(hosts)?;
                Some((f64::from(hosts), median(record.values(Key { setting: "", case: &case, program }, name))? * unit))
            };
            let more = |from, to| slope(cost(from)?, cost(to)?);
            let power = |from, to| exponent(cost(from)?, cost(to)?);
            let cells = [more(1, 255), more(255, 4080), power(50, 255), power(255, 4080)];
            if cells.iter().any(Option::is_some) {
                rows.push([strings(&[&shown, program]), cells.map(cell).to_vec()].concat());
            }
        }
    }
    table(&rows, 2)
}

/// What one virtual host more costs between two numbers of them.
fn slope(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    Some((to.1 - from.1) / (to.0 - from.0))
}

/// The power of the number with which the cost grows between two numbers: 1 is in proportion.
fn exponent(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    (from.1 > 0.0 && to.1 > 0.0).then(|| (to.1 / from.1).ln() / (to.0 / from.0).ln())
}

/// Floods, by kind and program.
pub(super) fn flood(all: &Records) -> String {
    let record = all.get("flood");
    let mut rows = vec![[strings(&["packets", "program", "n"]), strings(&floods::FIGURES)].concat()];
    for setting in floods::settings() {
        for case in floods::kinds() {
            let mut name = case.clone();
            for program in programs() {
                let key = Key { setting: &setting, case: &case, program };
                let n = record.values(key, floods::FAILOVERS).len();
                if n > 0 {
                    let cells = floods::FIGURES.map(|figure| cell(median(record.values(key, figure))));
                    let first = strings(&[&std::mem::take(&mut name), program, &n.to_string()]);
                    rows.push([first, cells.to_vec()].concat());
                }
            }
        }
    }
    table(&rows, 2)
}

/// What does not depend on time, and the start.
pub(super) fn core(all: &Records) -> String {
    let mut rows = vec![[strings(&["figure"]), strings(&programs())].concat()];
    let mut row = |name: String, record: &Record, case: &str, figure: &str| {
        let cells = programs().map(|program| cell(median(record.values(Key { setting: "", case, program }, figure))));
        rows.push([vec![name], cells.to_vec()].concat());
    };
    let record = all.get("core");
    for authentication in instructions::authentications() {
        for figure in [instructions::SEND, instructions::VERIFY, instructions::ALLOCATIONS] {
            row(format!("{figure}, `{authentication}`"), record, authentication, figure);
        }
    }
    row(instructions::SIZE.to_owned(), record, instructions::PROGRAM_CASE, instructions::SIZE);
    row(START_UP.to_owned(), all.get("takeover"), &takeover::name(1), START_UP);
    table(&rows, 1)
}

/// Those that are beside each other.
fn programs() -> [&'static str; 3] {
    [Program::Ours, Program::Ucarp, Program::Keepalived].map(Program::name)
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), figure)
}

/// The median, and in brackets the least and the most if they are written differently.
fn range(values: &[f64]) -> String {
    let [middle, least, most] = [median(values), least(values), most(values)].map(cell);
    if least == most { middle } else { format!("{middle} ({least} to {most})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the blanks that align columns.
    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn outages_are_grouped_by_event() {
        let mut record = Record::unkept("outage");
        for (program, values) in [("ours", [2525.0, 2900.0]), ("ucarp", [3076.0, 3650.0])] {
            let key = Key { setting: "1 s timers", case: "planned stop", program };
            values.into_iter().for_each(|value| record.add(key, OUTAGE, value));
            record.add(key, BOTH, 0.0);
            record.add(key, LEFT, 1.0);
        }
        let text = outage(&Records::of(vec![record]));
        let lines = lines(&text);
        assert_eq!(lines[2], "| planned stop | ours | 2 | 2,712 | 2,900 | 0 | 1 of 1 | - |");
        assert_eq!(lines[3], "| | ucarp | 2 | 3,363 | 3,650 | 0 | 1 of 1 | - |");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn costs_have_a_table_for_each_number_and_a_growth() {
        let mut record = Record::unkept("scale");
        for (case, cost) in
            [("1 virtual host", 10.0), ("255 virtual hosts", 264.0), ("4080 virtual hosts on 16 interfaces", 4224.0)]
        {
            let key = Key { setting: "", case, program: "ours" };
            record.add(key, loads::MASTER_CPU, cost);
            record.add(key, loads::MASTER_CPU, cost);
        }
        let all = Records::of(vec![record]);
        let text = scale(&all);
        assert_eq!(text.matches("n = 2").count(), 3);
        assert!(lines(&text).contains(&"| CPU of the master, ms a minute | 264 |".to_owned()), "{text}");
        let growth = lines(&growth(&all));
        assert_eq!(growth[2], "| CPU of the master, ms a minute | ours | 1 | 1.04 | - | 1 |");
    }

    #[test]
    fn versions_are_told_once_if_they_are_the_same() {
        let of = |part, of| Record::new(std::path::Path::new(""), part, of);
        let same = Records::of(vec![of("core", "A."), of("scale", "A.")]);
        assert_eq!(machine(&same), "A.");
        let different = Records::of(vec![of("core", "A."), of("scale", "B.")]);
        assert_eq!(machine(&different), "* core: A.\n* scale: B.");
    }
}
