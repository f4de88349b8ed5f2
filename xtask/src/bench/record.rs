//! Figures as they were taken, one file of JSON for each part. Documents and plots are made from these files alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{Error, system};

/// What was measured: under which setting, what happened or how much there was, and with which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) setting: &'a str,
    pub(super) case: &'a str,
    pub(super) program: &'a str,
}

/// One figure of all runs of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) setting: String,
    pub(super) case: String,
    pub(super) program: String,
    /// Its name, with its unit.
    pub(super) figure: String,
    pub(super) values: Vec<f64>,
}

/// All figures of one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) part: String,
    /// Programs with their versions, and the machine.
    pub(super) of: String,
    pub(super) series: Vec<Series>,
    /// Where its file is.
    #[serde(skip)]
    directory: PathBuf,
}

impl Series {
    fn is(&self, key: Key<'_>, figure: &str) -> bool {
        self.setting == key.setting && self.case == key.case && self.program == key.program && self.figure == figure
    }
}

impl Record {
    /// One without figures, to be kept in a directory.
    pub(super) fn new(directory: &Path, part: &str, of: &str) -> Record {
        Record { part: part.to_owned(), of: of.to_owned(), series: Vec::new(), directory: directory.to_owned() }
    }

    /// One that is kept nowhere.
    pub(super) fn unkept(part: &str) -> Record {
        Record::new(Path::new(""), part, "")
    }

    /// Adds the figure of one more run. What is below a thousandth is left out.
    pub(super) fn add(&mut self, key: Key<'_>, figure: &str, value: f64) {
        let value = (value * 1000.0).round() / 1000.0;
        match self.series.iter_mut().find(|series| series.is(key, figure)) {
            Some(series) => series.values.push(value),
            None => self.series.push(Series {
                setting: key.setting.to_owned(),
                case: key.case.to_owned(),
                program: key.program.to_owned(),
                figure: figure.to_owned(),
                values: vec![value],
            }),
        }
    }

    /// The figures of all runs; none if it was not measured.
    pub(super) fn values(&self, key: Key<'_>, figure: &str) -> &[f64] {
        self.series.iter().find(|series| series.is(key, figure)).map_or(&[], |series| &series.values)
    }

    /// Reads what was taken of a part; `None` if nothing was.
    pub(super) fn load(directory: &Path, part: &str) -> Result<Option<Record>, Error> {
        let path = directory.join(format!("{part}.json"));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(system(format!("reading {}", path.display())))?,
        };
        let read = serde_json::from_str::<Record>(&text).map_err(|source| Error::Record { path, source })?;
        Ok(Some(Record { directory: directory.to_owned(), ..read }))
    }

    /// Writes it, one line for each series: after every run, for all of them take long, and can be interrupted.
    pub(super) fn save(&self) -> Result<(), Error> {
        let path = self.directory.join(format!("{}.json", self.part));
        let write = || {
            fs::create_dir_all(&self.directory)?;
            fs::write(&path, self.to_text()?)
        };
        write().map_err(system(format!("writing {}", path.display())))
    }

    fn to_text(&self) -> serde_json::Result<String> {
        let lines: Result<Vec<String>, _> = self.series.iter().map(serde_json::to_string).collect();
        let (part, of) = (serde_json::to_string(&self.part)?, serde_json::to_string(&self.of)?);
        Ok(format!("{{\"part\":{part},\n\"of\":{of},\n\"series\":[\n{}\n]}}\n", lines?.join(",\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'_> = Key { setting: "1 s timers", case: "host crash", program: "ours" };

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(directory.path(), "outage").unwrap(), None);
        let mut record = Record::new(directory.path(), "outage", "ours \"1\"");
        for value in [2525.12345, 2500.0] {
            record.add(KEY, "outage, ms", value);
        }
        record.add(Key { program: "ucarp", ..KEY }, "outage, ms", 3076.5);
        record.save().unwrap();
        let read = Record::load(directory.path(), "outage").unwrap().unwrap();
        assert_eq!(read, record);
        assert_eq!(read.values(KEY, "outage, ms"), [2525.123, 2500.0]);
        assert_eq!(read.values(KEY, "both held, ms"), [0.0; 0]);
        let text = fs::read_to_string(directory.path().join("outage.json")).unwrap();
        assert_eq!(text.lines().count(), 3 + 2 + 1, "a line for each series: {text}");
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("scale.json"), "{\"part\":1}").unwrap();
        let error = Record::load(directory.path(), "scale").unwrap_err().to_string();
        assert!(error.contains("scale.json is no record of figures") && error.contains("line 1"), "{error}");
    }
}
