//! How output looks: colours and width where a person reads it on a terminal, neither where a program does.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::termios;
use ucarp_control::types::State;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a colour means. No meaning is in a colour alone: the word that is coloured says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be: serving.
    Good,
    /// As it should be: standing by.
    Calm,
    /// Worth a look.
    Careful,
    /// Wrong.
    Bad,
    /// A heading.
    Strong,
    /// Of less interest.
    Faint,
}

impl Tone {
    /// Of a state.
    pub(crate) fn of(state: State) -> Self {
        match state {
            State::Master => Tone::Good,
            State::Backup => Tone::Calm,
            State::Init => Tone::Careful,
            State::Fault => Tone::Bad,
        }
    }

    /// The parameters of SGR (ECMA-48): the sixteen colours that every terminal has, as its user has chosen them.
    fn sgr(self) -> &'static str {
        match self {
            Tone::Good => "32",
            Tone::Calm => "36",
            Tone::Careful => "33",
            Tone::Bad => "1;31",
            Tone::Strong => "1",
            Tone::Faint => "2",
        }
    }
}

/// How to write for whoever reads.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Whether there are colours.
    pub(crate) colour: bool,
    /// The columns of the terminal; `None`: lines may be as long as they are.
    pub(crate) width: Option<usize>,
    /// For times of day.
    pub(crate) zone: TimeZone,
}

impl Look {
    /// For standard output.
    pub(crate) fn of_stdout(colour: Colour) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match colour {
            // https://no-color.org
            Colour::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb,
            Colour::Always => true,
            Colour::Never => false,
        };
        let size = if is_terminal { termios::tcgetwinsize(&stdout).ok() } else { None };
        let width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Look { colour, width, zone: TimeZone::system() }
    }

    /// A text in the colour of its meaning. The text is [`clean`] already.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{}m{text}\x1b[0m", tone.sgr()) } else { text.to_owned() }
    }

    /// A time of the wall clock, in milliseconds since 1970, as the clock on the wall showed it.
    pub(crate) fn time(&self, at: u64) -> String {
        let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX);
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }
}

/// A text without control characters: what comes from other hosts must not steer the terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.replace(char::is_control, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// How long something lasts, in milliseconds, in two units at most: "250ms", "12s", "3m 05s", "4h 12m", "2d 07h".
pub(crate) fn lasting(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// Milliseconds as seconds with three decimals: what is compared is written alike.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}s", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let texts = [0, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000, 400 * 86_400_000];
        let texts = texts.map(lasting);
        assert_eq!(
            texts,
            ["0ms", "999ms", "1s", "59s", "1m 00s", "59m 59s", "1h 00m", "23h 59m", "1d 00h", "400d 00h"]
        );
        assert_eq!(seconds(3391), "3.391s");
    }

    #[test]
    fn a_time_of_day_is_that_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let look = Look { colour: false, width: None, zone };
        assert_eq!(look.time(0), "1970-01-01 01:00:00.000");
        assert_eq!(look.time(u64::MAX).get(..4), Some("9999"));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("eth0\x1b[2J\u{9b}1m"), "eth0\u{fffd}[2J\u{fffd}1m");
        assert_eq!(clean("schön"), "schön");
    }
}
