//! Figures, taken in a laboratory of network namespaces, beside Debian's `ucarp` and `keepalived`. `cargo xtask bench` takes
//! all of them and writes `docs/benchmarks.md` with its plots. [`PARTS`] has what can be measured alone; each part keeps its
//! figures in a file, and the document is made from these files.

pub(crate) mod core;
mod document;
mod error;
mod flood;
mod group;
mod markdown;
mod options;
mod outage;
mod plot;
mod progress;
mod record;
mod scale;
mod statistics;
mod takeover;
mod targets;
mod time;
mod usage;
mod wire;
mod workshop;

use std::io;
use std::path::{Path, PathBuf};

use rustix::thread::CapabilitySet;

use crate::cargo;
pub(crate) use error::Error;
use error::system;
use options::{Options, USAGE};
use record::Record;
use workshop::Workshop;

/// Takes the figures of a part.
type Measure = fn(&Workshop, &Options, &mut Record) -> Result<(), Error>;

/// What can be measured, in the order in which it is, the shortest first.
const PARTS: [(&str, Measure); 6] = [
    ("core", core::take),
    ("timeline", outage::timeline::measure),
    ("takeover", takeover::measure),
    ("flood", flood::measure),
    ("scale", scale::measure),
    ("outage", outage::measure),
];
/// Not a part: the document is written after every part, and this is for writing it alone.
const DOCUMENT: &str = "document";

/// Measures the parts that are named, or all, and writes the document. Whether all could be measured; figures of a part that
/// failed on its way are kept.
pub(crate) fn run(words: &[&str]) -> Result<bool, Error> {
    let (names, options) = Options::parse(words)?;
    let parts = choose(&names)?;
    let directory = if options.quick { quick_directory()? } else { cargo::workspace().join("docs") };
    let mut is_good = true;
    if !parts.is_empty() {
        let workshop = Workshop::open()?;
        get_rights().map_err(system("becoming root in a namespace"))?;
        for (name, measure) in parts {
            eprintln!("== {name}");
            if let Err(error) = measure_part(&workshop, &options, &directory, name, measure) {
                eprintln!("\nerror: {name}: {error}");
                is_good = false;
            }
        }
    }
    document::write(&directory)?;
    println!("{}", directory.join(document::FILE).display());
    Ok(is_good)
}

fn choose(names: &[&str]) -> Result<Vec<(&'static str, Measure)>, Error> {
    if names.is_empty() {
        return Ok(PARTS.to_vec());
    }
    let parts = names.iter().filter(|name| **name != DOCUMENT).map(|name| {
        let part = PARTS.into_iter().find(|(part, _)| part == name);
        part.ok_or_else(|| Error::Usage { word: (*name).to_owned(), remedy: USAGE })
    });
    parts.collect()
}

fn measure_part(
    workshop: &Workshop,
    options: &Options,
    directory: &Path,
    name: &str,
    measure: Measure,
) -> Result<(), Error> {
    let (files, of) = (directory.join(document::DIRECTORY), workshop.versions());
    let mut record = match Record::load(&files, name)? {
        Some(old) if options.add && old.of != of => {
            let path = files.join(format!("{name}.json"));
            return Err(Error::OtherRecord { path, theirs: old.of, ours: of });
        }
        Some(old) if options.add => old,
        _ => Record::new(&files, name, &of),
    };
    measure(workshop, options, &mut record)?;
    record.save()
}

/// Where figures go that are not for the document: a copy of it that shows what it would be.
fn quick_directory() -> Result<PathBuf, Error> {
    let target = cargo::target().map_err(system("finding the target directory"))?;
    let directory = target.join("bench-quick");
    let (from, to) = (cargo::workspace().join("docs").join(document::FILE), directory.join(document::FILE));
    let copy = || std::fs::create_dir_all(&directory).and_then(|()| std::fs::copy(from, to));
    copy().map_err(system("copying the document"))?;
    Ok(directory)
}

/// A user other than root makes the laboratory in a user namespace. It must be done before any thread is started.
fn get_rights() -> io::Result<()> {
    if rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN)) {
        return Ok(());
    }
    netlab::become_root_in_user_namespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_name() {
        let names = |words: &[&str]| -> Vec<&str> { choose(words).unwrap().iter().map(|part| part.0).collect() };
        assert_eq!(names(&[]).len(), PARTS.len());
        assert_eq!(names(&["scale", "outage"]), ["scale", "outage"]);
        assert!(names(&["document"]).is_empty());
        assert!(matches!(choose(&["outages"]), Err(Error::Usage { word, .. }) if word == "outages"));
    }
}
