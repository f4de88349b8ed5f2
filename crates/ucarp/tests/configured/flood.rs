//! Floods of forged packets. How much of them a machine bears is a matter of `cargo xtask bench flood`; here is what must
//! hold on any machine.

use std::time::Duration;

use netlab::{Ear, Flood, Forgery, Host, now};

use crate::harness::{EAGER, Node, SOON, Segment, between, ip, largest_gap, later, wait_until_time, web};

const VIP: &str = "10.0.0.100";

/// Forged packets a second: far more than any group sends, and little enough to leave the other cases some time.
const RATE: u32 = 10_000;

/// How long each flood is.
const LENGTH: Duration = Duration::from_secs(2);

/// The interval, and what a busy machine may add to it.
const LATEST: Duration = Duration::from_millis(1700);

/// Lines that a host may write in a flood of one kind: a few senders are told apart, and the crowd is counted.
const MOST_LINES: usize = 12;

/// A MASTER that is settled, and what its host and the other one advertise.
struct Group {
    master: Node,
    backup: Node,
    flooder: Host,
    ears: [Ear; 2],
    /// An advertisement of the MASTER.
    real: Vec<u8>,
    _segment: Segment,
}

impl Group {
    fn new() -> Self {
        let segment = Segment::new();
        let (mut master, backup) = segment.pair();
        let flooder = segment.host(66);
        let ears =
            [&master, &backup].map(|node| Ear::new(&segment.lab, &node.host, 1).expect("the switch can be heard"));
        master.start(&web(&[VIP], EAGER));
        master.wait_for(ip(VIP));
        let real = ears[0].wait_for_one(0, SOON).expect("a MASTER advertises").bytes;
        Self { master, backup, flooder, ears, real, _segment: segment }
    }

    fn start_backup(&mut self) {
        self.backup.start(&web(&[VIP], "advskew = 20"));
        self.backup.wait_for_line("web: Listening as BACKUP", 0);
    }

    fn flood(&self, frames: Vec<Vec<u8>>, at_most: Duration) -> Flood {
        Flood::start(&self.flooder, frames, RATE, at_most).expect("a flood can be sent")
    }

    /// Asserts that the MASTER advertised in time from `since` until now, that the BACKUP did not, and that the address
    /// stayed where it was.
    #[track_caller]
    fn assert_calm(&self, since: u64, what: &str) {
        let [master, backup] = [&self.ears[0], &self.ears[1]].map(Ear::moments);
        let said = format!("{what}:\n{}\n{}", self.master.said(), self.backup.said());
        let gap = largest_gap(&master, since, now());
        assert!(gap <= LATEST, "no advertisement for {gap:?}, {said}");
        assert!(backup.iter().all(|at| *at < since), "the BACKUP advertises, {said}");
        assert_eq!(self.master.changes("web", since), [], "{said}");
        assert_eq!(self.backup.changes("web", since), [], "{said}");
        assert!(self.master.holds(ip(VIP)) && !self.backup.holds(ip(VIP)), "{said}");
    }
}

/// How many lines a host wrote from `since` on.
fn lines(node: &Node, since: u64) -> usize {
    node.lines("", since)
}

#[test]
fn a_flood_of_any_kind_changes_nothing_and_is_hardly_mentioned() {
    let mut group = Group::new();
    group.start_backup();
    for kind in Forgery::ALL {
        let since = now();
        let flood = group.flood(kind.frames(&group.real), LENGTH);
        wait_until_time(later(since, LENGTH));
        let sent = flood.sent();
        drop(flood);
        let lines = [&group.master, &group.backup].map(|node| lines(node, since));
        println!("{kind}: {sent} packets, {lines:?} lines");
        assert!(sent > 0);
        assert!(lines.iter().all(|lines| *lines <= MOST_LINES), "{kind}: {lines:?}\n{}", group.backup.said());
        group.assert_calm(since, &kind.to_string());
    }
}

#[test]
fn a_backup_that_starts_amid_a_flood_hears_the_master_and_its_goodbye() {
    let mut group = Group::new();
    // Not the replayed one: who sends it is as good as a MASTER.
    let kinds = Forgery::ALL.into_iter().filter(|kind| *kind != Forgery::Replayed);
    let mut frames: Vec<_> = kinds.flat_map(|kind| kind.frames(&group.real)).collect();
    // In turn: strides of a prime number that does not divide how many there are.
    let count = frames.len();
    frames = (0..count).map(|number| std::mem::take(&mut frames[number * 4099 % count])).collect();
    let flood = group.flood(frames, SOON * 3);
    group.start_backup();
    let since = group.backup.wait_for_line("web: Listening as BACKUP", 0);
    wait_until_time(later(since, Duration::from_secs(5)));
    group.assert_calm(since, "after the start of the BACKUP");

    let told = now();
    group.master.end();
    let taken = group.ears[1].wait_for_one(told, SOON).expect("the BACKUP takes over");
    let after = between(told, taken.at);
    println!("{} packets were sent; the BACKUP advertised {after:?} after the MASTER was told to end", flood.sent());
    assert!(after <= Duration::from_secs(1), "{after:?}\n{}", group.backup.said());
    group.backup.wait_for(ip(VIP));
}
