//! What befalls the hosts, as the command line says it: `kill:alpha@10s+5s`.

use std::str::FromStr;
use std::time::Duration;

use carp_sim::stage::{Incident, Trouble};

/// The longest time that can be written.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A fault as it was written; its host is known by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What was written.
    pub(super) text: String,
    kind: Kind,
    /// The host, or the percentage.
    object: String,
    at: Duration,
    lasts: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Stop,
    Hang,
    Cable,
    Cut,
    Deaf,
    Mute,
    HandOver,
    Loss,
}

const KINDS: &[(&str, Kind)] = &[
    ("kill", Kind::Kill),
    ("stop", Kind::Stop),
    ("hang", Kind::Hang),
    ("cable", Kind::Cable),
    ("cut", Kind::Cut),
    ("deaf", Kind::Deaf),
    ("mute", Kind::Mute),
    ("hand-over", Kind::HandOver),
    ("loss", Kind::Loss),
];

/// The syntax, for the help.
pub(super) const SYNTAX: &str = "\
Faults: WHAT:HOST@TIME or WHAT:HOST@TIME+LENGTH, with times such as 500ms, 10s and 2m. Hosts are called as their files,
without .toml. Without a length it lasts to the end.
  kill:a@10s        the host dies, without a goodbye; with a length it starts again
  stop:a@10s        the daemon is stopped in order, with a goodbye
  hang:a@10s+5s     the host stands still, as a paused virtual machine does
  cable:a@10s+5s    its cable is pulled, and it notices
  cut:a@10s+5s      the network loses all its frames in both directions, and it does not notice
  deaf:a@10s+5s     it hears nothing, and is heard
  mute:a@10s+5s     it is not heard, and hears
  hand-over:a@10s   it is told to hand over
  loss:20%@10s+60s  so many of all frames are lost; loss:20% all the time";

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').ok_or("write it as kill:HOST@10s")?;
        let known = || KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = KINDS.iter().find(|(name, _)| *name == word);
        let (_, kind) = *found.ok_or_else(|| format!("{word} is no fault: use one of {}", known()))?;
        let (object, time) = match rest.rsplit_once('@') {
            Some((object, time)) => (object, Some(time)),
            None if kind == Kind::Loss => (rest, None),
            None => return Err(format!("say when, as in {word}:{rest}@10s")),
        };
        if object.is_empty() {
            return Err(format!("say whom it befalls, as in {word}:HOST@10s"));
        }
        let (at, lasts) =
            match time.map(|time| time.split_once('+').map_or((time, None), |(at, length)| (at, Some(length)))) {
                Some((at, length)) => (duration(at)?, length.map(duration).transpose()?),
                None => (Duration::ZERO, None),
            };
        if lasts == Some(Duration::ZERO) {
            return Err("it must last longer than no time".into());
        }
        if kind == Kind::HandOver && lasts.is_some() {
            return Err("handing over has no length: leave +... out".into());
        }
        if kind == Kind::Loss {
            percentage(object)?;
        }
        Ok(Self { text: text.to_owned(), kind, object: object.to_owned(), at, lasts })
    }
}

impl Fault {
    /// The incident that it is for hosts of these names.
    pub(super) fn incident(&self, names: &[String]) -> Result<Incident, String> {
        let who = || {
            let place = names.iter().position(|name| *name == self.object);
            place.ok_or_else(|| {
                format!("{}: there is no host {}: use one of {}", self.text, self.object, names.join(", "))
            })
        };
        let trouble = match self.kind {
            Kind::Kill => Trouble::Kill(who()?),
            Kind::Stop => Trouble::Stop(who()?),
            Kind::Hang => Trouble::Hang(who()?),
            Kind::Cable => Trouble::Cable(who()?),
            Kind::Cut => Trouble::Cut(who()?),
            Kind::Deaf => Trouble::Deaf(who()?),
            Kind::Mute => Trouble::Mute(who()?),
            Kind::HandOver => Trouble::HandOver(who()?),
            Kind::Loss => Trouble::Loss(percentage(&self.object)? * 10_000),
        };
        Ok(Incident { at: self.at, lasts: self.lasts, trouble })
    }

    /// When nothing more comes of it by itself.
    pub(super) fn end(&self) -> Duration {
        self.at + self.lasts.unwrap_or_default()
    }
}

fn percentage(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
    number.filter(|number| *number <= 100).ok_or_else(|| format!("{text} is no percentage: write it as 20%"))
}

/// A time such as `500ms`, `10s`, `2m` or `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time from 0s to 24h: write it as 500ms, 10s or 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let length = number.checked_mul(unit).map(Duration::from_millis);
    length.filter(|length| *length <= LONGEST).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(text: &str) -> Result<Incident, String> {
        text.parse::<Fault>()?.incident(&["a".to_owned(), "b@c".to_owned()])
    }

    #[test]
    fn faults_are_read() {
        let five = Some(Duration::from_secs(5));
        for (text, at, lasts, trouble) in [
            ("kill:a@10s", 10_000, None, Trouble::Kill(0)),
            ("stop:b@c@2m", 120_000, None, Trouble::Stop(1)),
            ("hang:a@500ms+5s", 500, five, Trouble::Hang(0)),
            ("cable:a@0s+5s", 0, five, Trouble::Cable(0)),
            ("cut:a@1s+5s", 1000, five, Trouble::Cut(0)),
            ("deaf:a@1s+5s", 1000, five, Trouble::Deaf(0)),
            ("mute:a@1s+5s", 1000, five, Trouble::Mute(0)),
            ("hand-over:a@1h", 3_600_000, None, Trouble::HandOver(0)),
            ("loss:20%", 0, None, Trouble::Loss(200_000)),
            ("loss:100%@1s+5s", 1000, five, Trouble::Loss(1_000_000)),
        ] {
            assert_eq!(incident(text), Ok(Incident { at: Duration::from_millis(at), lasts, trouble }), "{text}");
        }
    }

    #[test]
    fn wrong_ones_are_told_what_is_right() {
        for (text, wanted) in [
            ("kill", "write it as kill:HOST@10s"),
            ("burn:a@1s", "burn is no fault: use one of kill, stop, hang"),
            ("kill:a", "say when, as in kill:a@10s"),
            ("kill:@1s", "say whom it befalls"),
            ("kill:a@1", "\"1\" is no time from 0s to 24h"),
            ("kill:a@-1s", "\"-1s\" is no time"),
            ("kill:a@25h", "\"25h\" is no time"),
            ("kill:a@99999999999999999999s", "is no time"),
            ("kill:a@1s+0s", "longer than no time"),
            ("hand-over:a@1s+1s", "leave +... out"),
            ("loss:x@1s", "x is no percentage: write it as 20%"),
            ("loss:101%", "101% is no percentage"),
            ("kill:z@1s", "there is no host z: use one of a, b@c"),
        ] {
            let error = incident(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_kind() {
        for (name, _) in KINDS {
            assert!(SYNTAX.contains(&format!("  {name}:")), "{name}");
        }
    }
}
