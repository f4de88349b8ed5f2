//! `docs/benchmarks.md`: its prose is written by hand, and what is between `<!-- begin NAME -->` and `<!-- end NAME -->` is
//! made from the records, as are the plots.

mod tables;

use std::fs;
use std::path::Path;

use super::error::{Error, system};
use super::record::Record;
use super::{PARTS, plot, targets};

/// The document, and where the records and plots are beside it.
pub(super) const FILE: &str = "benchmarks.md";
pub(super) const DIRECTORY: &str = "benchmarks";

/// What is between two markers.
type Block = (&'static str, fn(&Records) -> String);

const BLOCKS: [Block; 9] = [
    ("machine", tables::machine),
    ("targets", targets::write),
    ("outage", tables::outage),
    ("outage-fastest", tables::outage_fastest),
    ("takeover", tables::takeover),
    ("scale", tables::scale),
    ("growth", tables::growth),
    ("flood", tables::flood),
    ("core", tables::core),
];

/// The figures of all parts.
#[derive(Debug)]
pub(super) struct Records {
    records: Vec<Record>,
    /// For what was not measured.
    empty: Record,
}

impl Records {
    pub(super) fn of(records: Vec<Record>) -> Records {
        Records { records, empty: Record::unkept("") }
    }

    fn load(directory: &Path) -> Result<Records, Error> {
        let records: Result<Vec<_>, Error> = PARTS.iter().map(|(part, _)| Record::load(directory, part)).collect();
        Ok(Records::of(records?.into_iter().flatten().collect()))
    }

    /// The figures of a part; none if it was not measured.
    pub(super) fn get(&self, part: &str) -> &Record {
        self.records.iter().find(|record| record.part == part).unwrap_or(&self.empty)
    }

    /// All parts that were measured.
    fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }
}

/// Brings the document and the plots in a directory up to date with its records.
pub(super) fn write(directory: &Path) -> Result<(), Error> {
    for (path, text) in render(directory)? {
        fs::write(&path, text).map_err(system(format!("writing {}", path.display())))?;
    }
    Ok(())
}

/// The document and the plots as they are to be.
fn render(directory: &Path) -> Result<Vec<(std::path::PathBuf, String)>, Error> {
    let (path, files) = (directory.join(FILE), directory.join(DIRECTORY));
    let records = Records::load(&files)?;
    let mut text = fs::read_to_string(&path).map_err(system(format!("reading {}", path.display())))?;
    for (name, write) in BLOCKS {
        text = replace(&text, name, &write(&records))
            .ok_or_else(|| Error::Marker { path: path.clone(), name: name.to_owned() })?;
    }
    let plots = plot::ALL.into_iter().map(|(name, draw)| (files.join(name), draw(&records)));
    Ok(std::iter::once((path, text)).chain(plots).collect())
}

/// The text with something else between the markers of `name`; `None` if they are not there.
fn replace(text: &str, name: &str, block: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", block.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    #[test]
    fn only_what_is_between_markers_is_replaced() {
        let text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = replace(text, "x", "| new |\n").unwrap();
        assert_eq!(new, "a\n<!-- begin x -->\n\n| new |\n\n<!-- end x -->\nb\n");
        assert_eq!(replace(&new, "x", "| new |\n").unwrap(), new);
        assert_eq!(replace(text, "y", ""), None);
        assert_eq!(replace("<!-- begin x -->\n", "x", ""), None);
    }

    #[test]
    fn the_document_and_the_plots_are_those_of_the_records() {
        for (path, text) in render(&cargo::workspace().join("docs")).unwrap() {
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is out of date: run `cargo xtask bench document`", path.display());
        }
    }
}
