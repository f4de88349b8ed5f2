//! Repeated warnings, kept few: one line for each kind and sender, then a count at most every ten seconds.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::node::HostId;
use carp_core::time::Instant;

/// The least time between two lines about the same thing.
const QUIET: Duration = Duration::from_secs(10);

/// Something that was not complained about for so long is news again.
const FORGET: Duration = Duration::from_secs(600);

/// Kinds and senders that are told apart at the same time. An attacker can invent senders without end: what exceeds this
/// number is counted as one.
const MOST: usize = 64;

/// What is complained about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which virtual host it concerns, where there are several.
    pub host: Option<HostId>,
    /// A name for the kind, which the count's line repeats.
    pub kind: &'static str,
    /// Who is to blame, as far as that can be known; `None` is this host.
    pub sender: Option<IpAddr>,
}

/// A line that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it is about; `None` for everything beyond the table's size.
    pub subject: Option<Subject>,
    /// How often it happened without a line.
    pub count: u64,
}

#[derive(Debug)]
struct Entry {
    subject: Option<Subject>,
    told_at: Instant,
    untold: u64,
}

/// The table of complaints.
#[derive(Debug, Default)]
pub struct Complaints {
    entries: Vec<Entry>,
}

impl Complaints {
    /// Whether `subject` deserves a line of its own now; otherwise it is counted.
    pub fn is_news(&mut self, now: Instant, subject: Subject) -> bool {
        self.entries.retain(|entry| entry.untold > 0 || now - entry.told_at < FORGET);
        let known = self.entries.iter().position(|entry| entry.subject == Some(subject));
        if known.is_none() && self.entries.len() < MOST {
            self.entries.push(Entry { subject: Some(subject), told_at: now, untold: 0 });
            return true;
        }
        let entry = match known.or_else(|| self.entries.iter().position(|entry| entry.subject.is_none())) {
            Some(index) => &mut self.entries[index],
            // The table is full: its last place becomes the one for all others.
            None => self.entries.last_mut().expect("a full table has a last entry"),
        };
        if known.is_none() {
            entry.subject = None;
        }
        entry.untold += 1;
        false
    }

    /// When [`Complaints::due`] has something to tell; `None` while nothing is untold.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.entries.iter().filter(|entry| entry.untold > 0).map(|entry| entry.told_at + QUIET).min()
    }

    /// The counts that may be told now. Call it until it returns `None`.
    pub fn due(&mut self, now: Instant) -> Option<Summary> {
        let entry = self.entries.iter_mut().find(|entry| entry.untold > 0 && now - entry.told_at >= QUIET)?;
        entry.told_at = now;
        Some(Summary { subject: entry.subject, count: std::mem::take(&mut entry.untold) })
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
        assert_eq!(complaints.next_deadline(), Some(at(20)));
    }

    #[test]
    fn invented_senders_fill_neither_the_memory_nor_the_log() {
        let mut complaints = Complaints::default();
        let lines = (0..10_000).filter(|host| complaints.is_news(at(0), subject("digest", *host))).count();
        assert_eq!(lines, MOST);
        assert_eq!(complaints.entries.len(), MOST);
        let summary = complaints.due(at(10)).unwrap();
        assert_eq!(summary.subject, None);
        assert_eq!(summary.count, 10_000 - lines as u64);
        assert_eq!(complaints.due(at(10)), None);
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
