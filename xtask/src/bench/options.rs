//! What can be asked for.

use std::time::Duration;

use super::error::Error;

/// What can be given to `cargo xtask bench`.
pub(super) const USAGE: &str = "cargo xtask bench [PART...] [--quick] [--runs N] [--only TEXT] [--seconds N] [--rate N] \
                                [--add], with parts of outage, timeline, takeover, scale, flood, core, document; 1 to 1000 \
                                runs, 2 to 3600 seconds and 1 to 1,000,000 packets a second";

/// Options of all parts. Each has a use for some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Short, to see that it works, and not into the documents.
    pub(super) quick: bool,
    /// How often each case is measured, if not as often as the part thinks right.
    pub(super) runs: Option<usize>,
    /// Only cases with this in their name.
    pub(super) only: Option<String>,
    /// How long a steady state or a flood is measured.
    pub(super) length: Option<Duration>,
    /// Packets a second of a flood.
    pub(super) rate: Option<u32>,
    /// Adds to the figures that are there.
    pub(super) add: bool,
}

impl Options {
    /// Parts, in the order in which they were given, and the options.
    pub(super) fn parse<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, Options), Error> {
        let mut options = Options { quick: false, runs: None, only: None, length: None, rate: None, add: false };
        let mut parts = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let wrong = || Error::Usage { word: (*word).to_owned(), remedy: USAGE };
            match *word {
                "--quick" => options.quick = true,
                "--add" => options.add = true,
                option if option.starts_with("--") => {
                    let (name, value) = match option.split_once('=') {
                        Some(both) => both,
                        None => (option, *rest.next().ok_or_else(wrong)?),
                    };
                    options.set(name, value).ok_or_else(wrong)?;
                }
                part => parts.push(part),
            }
        }
        Ok((parts, options))
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "--runs" => self.runs = Some(value.parse().ok().filter(|runs| (1..=1000).contains(runs))?),
            "--only" => self.only = Some(value.to_owned()),
            "--seconds" => {
                let seconds = value.parse().ok().filter(|seconds| (2..=3600).contains(seconds))?;
                self.length = Some(Duration::from_secs(seconds));
            }
            "--rate" => self.rate = Some(value.parse().ok().filter(|rate| (1..=1_000_000).contains(rate))?),
            _ => return None,
        }
        Some(())
    }

    /// How often each case is measured.
    pub(super) fn runs_or(&self, usual: usize) -> usize {
        self.runs.unwrap_or(if self.quick { 1 } else { usual })
    }

    /// How long a steady state is measured.
    pub(super) fn length_or(&self, usual: Duration) -> Duration {
        self.length.unwrap_or(if self.quick { usual / 5 } else { usual })
    }

    /// Whether a case with this name is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_options_can_be_mixed() {
        let (parts, options) =
            Options::parse(&["outage", "--runs", "7", "scale", "--only=255", "--add", "--rate=10"]).unwrap();
        assert_eq!(parts, ["outage", "scale"]);
        assert_eq!((options.runs, options.rate, options.add, options.quick), (Some(7), Some(10), true, false));
        assert!(options.wants("255 virtual hosts") && !options.wants("50 virtual hosts"));
        let (parts, options) = Options::parse(&[]).unwrap();
        assert!(parts.is_empty() && options.wants("anything"));
        assert_eq!((options.runs_or(5), options.length_or(Duration::from_secs(30))), (5, Duration::from_secs(30)));
        let (_, quick) = Options::parse(&["--quick", "--seconds", "3"]).unwrap();
        assert_eq!((quick.runs_or(5), quick.length_or(Duration::from_secs(30))), (1, Duration::from_secs(3)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for wrong in
            [&["--runs"][..], &["--runs", "0"], &["--runs=1001"], &["--seconds", "1"], &["--rate=x"], &["--fast"]]
        {
            let error = Options::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong[0]) && error.contains("cargo xtask bench"), "{error}");
        }
    }
}
