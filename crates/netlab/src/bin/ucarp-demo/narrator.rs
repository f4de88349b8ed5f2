//! What the audience reads: lines with the seconds since the start, those of the daemons marked with their host.

use std::env;
use std::io::{self, IsTerminal, Write};

use netlab::now;

use crate::Error;

const BOLD: &str = "1";
const DIM: &str = "2";

/// The colour of a host, as a terminal wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) &'static str);

/// Tells the story on standard output.
#[derive(Debug)]
pub(crate) struct Narrator {
    /// In nanoseconds of [`now`].
    started: u64,
    colours: bool,
}

impl Narrator {
    /// Starts the clock. Colours are for terminals, and for users who have not set `NO_COLOR`.
    pub(crate) fn new() -> Narrator {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Narrator { started: now(), colours: io::stdout().is_terminal() && !unwanted && !dumb }
    }

    /// A line of the story.
    pub(crate) fn say(&self, text: &str) -> Result<(), Error> {
        self.print(now(), &self.paint(BOLD, text))
    }

    /// A line of a daemon's log.
    pub(crate) fn quote(&self, at: u64, host: &str, colour: Colour, line: &str) -> Result<(), Error> {
        let host = self.paint(colour.0, &format!("{host:>8} |"));
        self.print(at, &format!("{host} {}", without_stamp(line)))
    }

    fn print(&self, at: u64, text: &str) -> Result<(), Error> {
        let seconds = at.saturating_sub(self.started) / 1_000_000;
        let stamp = self.paint(DIM, &format!("{:3}.{:03}", seconds / 1000, seconds % 1000));
        let mut output = io::stdout().lock();
        writeln!(output, "{stamp}  {text}").and_then(|()| output.flush()).map_err(Error::Output)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The time at the beginning of a daemon's log line, in a form that sorts.
pub(crate) fn stamp(line: &str) -> Option<&str> {
    let (stamp, text) = line.split_once(": ")?;
    (text.starts_with('[') && stamp.len() == "2026-11-21T22:20:04.000123".len()).then_some(stamp)
}

/// A daemon's log line without its time: the narrator has its own.
fn without_stamp(line: &str) -> &str {
    stamp(line).map_or(line, |stamp| &line[stamp.len() + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_log_line_is_left_out_and_nothing_else_is() {
        assert_eq!(without_stamp("2026-11-21T22:20:04.000123: [INFO] a: [b]"), "[INFO] a: [b]");
        assert_eq!(without_stamp("vip-up: no such interface: [eth0]"), "vip-up: no such interface: [eth0]");
        assert_eq!(without_stamp(""), "");
    }

    #[test]
    fn without_colours_text_is_plain() {
        let plain = Narrator { started: 0, colours: false };
        assert_eq!(plain.paint(BOLD, "text"), "text");
        let colourful = Narrator { started: 0, colours: true };
        assert_eq!(colourful.paint(BOLD, "text"), "\u{1b}[1mtext\u{1b}[0m");
    }
}
