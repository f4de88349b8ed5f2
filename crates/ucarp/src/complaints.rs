//! Repeated warnings, kept few: one line for each kind and sender, then counts, each after a longer time than the one
//! before. A flood with the names of many senders is one thing, and has one count.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::time::Instant;

use crate::protocol::HostNumber;

/// The least time between the line about something and its first count.
const QUIET: Duration = Duration::from_secs(10);

/// Every count waits so many times longer than the one before, up to [`FORGET`].
const GROWTH: u32 = 6;

/// Something that was not complained about for so long is news again.
const FORGET: Duration = Duration::from_secs(600);

/// Kinds and senders that are told apart at the same time.
const MOST: usize = 64;

/// Kinds and senders that are news within [`WINDOW`]. An attacker can invent senders without end: what exceeds this number
/// is counted as one.
const MOST_NEWS: usize = 9;

/// See [`MOST_NEWS`].
const WINDOW: Duration = Duration::from_secs(60);

/// What is complained about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which virtual host it concerns, where there are several.
    pub host: Option<HostNumber>,
    /// A name for the kind, which the count's line repeats.
    pub kind: &'static str,
    /// Who is to blame, as far as that can be known; `None` is this host.
    pub sender: Option<IpAddr>,
}

/// A line that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it is about; `None` for everything from more senders than are told apart.
    pub subject: Option<Subject>,
    /// How often it happened without a line.
    pub count: u64,
}

#[derive(Debug)]
struct Entry {
    subject: Subject,
    told_at: Instant,
    tally: Tally,
}

/// What happened without a line.
#[derive(Debug)]
struct Tally {
    untold: u64,
    due: Instant,
    quiet: Duration,
}

/// The table of complaints.
#[derive(Debug, Default)]
pub struct Complaints {
    entries: Vec<Entry>,
    /// Everything from more senders than are told apart, while there is such a thing.
    others: Option<Tally>,
}

impl Tally {
    fn new(now: Instant) -> Self {
        Self { untold: 0, due: now + QUIET, quiet: QUIET }
    }

    /// The count, if it may be told now.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.untold == 0 || now < self.due {
            return None;
        }
        self.quiet = FORGET.min(self.quiet * GROWTH);
        self.due = now + self.quiet;
        Some(std::mem::take(&mut self.untold))
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.untold == 0 && self.due + FORGET <= now + self.quiet
    }
}

impl Complaints {
    /// Whether `subject` deserves a line of its own now; otherwise it is counted.
    pub fn is_news(&mut self, now: Instant, subject: Subject) -> bool {
        self.entries.retain(|entry| !entry.tally.is_forgotten(now));
        self.others.take_if(|others| others.is_forgotten(now));
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.subject == subject) {
            entry.tally.untold += 1;
            return false;
        }
        let news = self.entries.iter().filter(|entry| now - entry.told_at < WINDOW).count();
        let is_crowd = self.others.is_some() || news >= MOST_NEWS || self.entries.len() >= MOST;
        // What goes wrong on this host nobody can invent, and there are few kinds of it.
        if is_crowd && subject.sender.is_some() {
            self.others.get_or_insert_with(|| Tally::new(now)).untold += 1;
            return false;
        }
        self.entries.push(Entry { subject, told_at: now, tally: Tally::new(now) });
        true
    }

    /// When [`Complaints::due`] has something to tell; `None` while nothing is untold.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let tallies = self.entries.iter().map(|entry| &entry.tally).chain(&self.others);
        tallies.filter(|tally| tally.untold > 0).map(|tally| tally.due).min()
    }

    /// The counts that may be told now. Call it until it returns `None`.
    pub fn due(&mut self, now: Instant) -> Option<Summary> {
        for Entry { subject, tally, .. } in &mut self.entries {
            let Some(count) = tally.take(now) else { continue };
            match &mut self.others {
                // A crowd is not counted one by one.
                Some(others) if subject.sender.is_some() => others.untold += count,
                _ => return Some(Summary { subject: Some(*subject), count }),
            }
        }
        let count = self.others.as_mut()?.take(now)?;
        Some(Summary { subject: None, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn subject(kind: &'static str, host: u16) -> Subject {
        let [high, low] = host.to_be_bytes();
        Subject { host: None, kind, sender: Some(IpAddr::from([10, 0, high, low])) }
    }

    #[test]
    fn one_line_then_a_count_every_ten_seconds() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_news(at(0), subject("digest", 1)));
        assert_eq!(complaints.next_deadline(), None);
        for _ in 0..500 {
            assert!(!complaints.is_news(at(1), subject("digest", 1)));
        }
        assert!(complaints.is_news(at(1), subject("ttl", 1)), "another kind");
        assert!(complaints.is_news(at(1), subject("digest", 2)), "another sender");
        assert_eq!(complaints.next_deadline(), Some(at(10)));
        assert_eq!(complaints.due(at(9)), None);
        assert_eq!(complaints.due(at(10)), Some(Summary { subject: Some(subject("digest", 1)), count: 500 }));
        assert_eq!(complaints.due(at(10)), None);
        assert!(!complaints.is_news(at(11), subject("digest", 1)));
        assert_eq!(complaints.next_deadline(), Some(at(70)), "the next count waits longer");
    }

    #[test]
    fn invented_senders_fill_neither_the_memory_nor_the_log() {
        let mut complaints = Complaints::default();
        let (mut lines, mut counted) = (Vec::new(), 0);
        for second in 0..3600 {
            for host in 0..100 {
                if complaints.is_news(at(second), subject("digest", host)) {
                    lines.push(second);
                }
            }
            while let Some(summary) = complaints.due(at(second)) {
                assert_eq!(summary.subject, None, "a crowd is counted together");
                counted += summary.count;
                lines.push(second);
            }
        }
        let mut minutes = lines.chunk_by(|one, next| one / 60 == next / 60).map(<[u64]>::len);
        assert_eq!(minutes.next(), Some(MOST_NEWS + 1));
        assert!(minutes.all(|lines| lines == 1), "{lines:?}");
        assert!(complaints.entries.len() <= MOST);
        let rest: u64 = complaints
            .entries
            .iter()
            .map(|entry| &entry.tally)
            .chain(&complaints.others)
            .map(|tally| tally.untold)
            .sum();
        assert_eq!(counted + rest + MOST_NEWS as u64, 360_000, "nothing is forgotten");
    }

    #[test]
    fn what_goes_wrong_here_is_told_in_a_crowd_too() {
        let mut complaints = Complaints::default();
        (0..100).for_each(|host| _ = complaints.is_news(at(0), subject("digest", host)));
        let own = Subject { host: None, kind: "Unable to send", sender: None };
        assert!(complaints.is_news(at(1), own));
        assert!(!complaints.is_news(at(2), own));
        let summaries: Vec<_> = std::iter::from_fn(|| complaints.due(at(20))).collect();
        assert_eq!(summaries, [Summary { subject: Some(own), count: 1 }, Summary { subject: None, count: 91 }]);
        // When the crowd has gone, a sender is told by name again.
        assert!(complaints.is_news(at(20 + 600), subject("digest", 200)));
    }

    #[test]
    fn what_was_quiet_for_long_is_news_again() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_news(at(0), subject("digest", 1)));
        assert!(!complaints.is_news(at(599), subject("digest", 1)));
        complaints.due(at(609)).unwrap();
        assert!(complaints.is_news(at(609 + 600), subject("digest", 1)));
    }
}
