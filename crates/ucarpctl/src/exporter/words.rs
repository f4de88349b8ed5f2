//! Durations, times and names in words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A length of time for people: `41 s`, `3 min 07 s`, `5 h 02 min`, `12 d 4 h`. The script of the page does the same.
pub(super) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => format!("{minutes} min {:02} s", seconds % 60),
        () if hours < 48 => format!("{hours} h {:02} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// Tenths of seconds, for timers that run down and times since somebody was heard.
pub(super) fn tenths(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

/// How long ago something was that happens every few seconds, or should.
pub(super) fn ago(milliseconds: u64) -> String {
    let length = if milliseconds < 60_000 { tenths(milliseconds) } else { duration(milliseconds) };
    format!("{length} ago")
}

/// An interval as CARP counts it.
pub(super) fn rank(advbase: u8, advskew: u8) -> String {
    format!("advbase {advbase}, advskew {advskew}")
}

/// A number with its thousands apart.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time of the wall clock in UTC.
pub(super) struct Utc(Zoned);

impl Utc {
    /// Of milliseconds since 1970. What is later than the last time of jiff, in 9999, is shown as that.
    pub(super) fn new(milliseconds: u64) -> Self {
        let time = i64::try_from(milliseconds).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
        Utc(time.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC))
    }

    /// For machines.
    pub(super) fn iso(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// For people whose browser does not show their own time.
    pub(super) fn text(&self) -> String {
        self.0.strftime("%m-%d %H:%M:%S UTC").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_they_matter() {
        let cases = [
            (0, "0 s"),
            (59_999, "59 s"),
            (187_000, "3 min 07 s"),
            (3_600_000, "1 h 00 min"),
            (172_799_000, "47 h 59 min"),
            (1_051_200_000, "12 d 4 h"),
        ];
        for (milliseconds, words) in cases {
            assert_eq!(duration(milliseconds), words);
        }
        assert_eq!(tenths(3_391), "3.3 s");
        assert_eq!((ago(59_990), ago(60_000)), ("59.9 s ago".into(), "1 min 00 s ago".into()));
    }

    #[test]
    fn times_are_what_calendars_say() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_000, "2000-02-28T23:59:59Z"),
            (951_825_600_000, "2000-02-29T12:00:00Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-30T22:00:00Z"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(Utc::new(milliseconds).iso(), text);
        }
        assert_eq!(Utc::new(951_825_600_000).text(), "02-29 12:00:00 UTC");
    }

    #[test]
    fn large_numbers_are_readable() {
        let cases = [(0, "0"), (999, "999"), (1000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
