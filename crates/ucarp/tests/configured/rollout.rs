//! Address lists and passwords that are changed on one host after the other, without two masters.

use std::time::Duration;

use netlab::now;

use crate::harness::{DEFAULTS, Forger, Node, SOON, Segment, in_parallel, ip, later, virtual_host, wait_until_time};

const FIRST: &str = "10.0.0.100";
const SECOND: &str = "10.0.0.101";
const V6: &str = "fd00::100";

/// How long both ways are understood in these cases.
const GRACE: Duration = Duration::from_secs(8);

/// Between the reload of one host and that of the other: more than a dead time.
const APART: Duration = Duration::from_secs(5);

/// What the group shares.
#[derive(Clone, Copy)]
struct Shared {
    password: &'static str,
    addresses: &'static [&'static str],
}

impl Shared {
    fn config(self, grace: &str, more: &str) -> String {
        let host = virtual_host("web", 1, self.addresses, more);
        format!("grace = \"{grace}\"\n{}{host}", DEFAULTS.replace("secret", self.password))
    }

    fn forger(self) -> Forger {
        Forger::new(1, self.password, self.addresses, "10.0.0.9")
    }
}

const OLD: Shared = Shared { password: "secret", addresses: &[FIRST] };
const CHANGES: [Shared; 5] = [
    Shared { password: "other", ..OLD },
    Shared { addresses: &[FIRST, SECOND], ..OLD },
    Shared { addresses: &[SECOND], ..OLD },
    Shared { addresses: &[FIRST, V6], ..OLD },
    Shared { password: "other", addresses: &[SECOND, V6] },
];

/// A MASTER and a BACKUP that has heard it.
fn group(segment: &Segment, shared: Shared) -> (Node, Node) {
    let (mut master, mut backup) = segment.pair();
    master.start(&shared.config("8s", ""));
    segment.wait_for_announcement(&master.host, ip(shared.addresses[0]), 0);
    backup.start(&shared.config("8s", "advskew = 20"));
    backup.wait_for_line("web: Listening as BACKUP", 0);
    segment.wait_for_advertisement(&master.host, 1, now());
    (master, backup)
}

/// How many of the advertisements of a node from `since` on are signed with what these hosts share.
fn signed(segment: &Segment, node: &Node, shared: Shared, since: u64) -> (usize, usize) {
    segment.catch_up();
    let heard = segment.heard(&node.host, 1, since);
    let forger = shared.forger();
    (heard.iter().filter(|(_, received, _)| forger.recognises(received)).count(), heard.len())
}

fn assert_has_exactly(node: &Node, shared: Shared) {
    let right =
        || [FIRST, SECOND, V6].iter().all(|address| node.holds(ip(address)) == shared.addresses.contains(address));
    assert!(netlab::wait_until(SOON, right), "{:?}\n{}", node.found(), node.said());
}

#[test]
fn hosts_that_are_changed_one_after_the_other_never_both_are_master() {
    let cases = CHANGES.iter().flat_map(|new| [(*new, true), (*new, false)]);
    in_parallel(cases, |(new, backup_first)| {
        let segment = Segment::new();
        let (master, backup) = group(&segment, OLD);
        let start = master.moment().min(backup.moment());
        let reload_master = || master.reload(&new.config("8s", ""));
        let reload_backup = || backup.reload(&new.config("8s", "advskew = 20"));
        let one = if backup_first { reload_backup() } else { reload_master() };
        wait_until_time(later(one, APART));
        let (old, all) = signed(&segment, &master, OLD, one + 1);
        assert_eq!(old, all, "until the other host knows the new way, all that is said is of the old one");
        let two = if backup_first { reload_master() } else { reload_backup() };
        // Twice the grace time after the last change no old form is accepted any more, and none is sent after the first.
        wait_until_time(later(two, GRACE * 2 + Duration::from_secs(4)));
        let (fresh, all) = signed(&segment, &master, new, later(two, GRACE + Duration::from_secs(1)));
        assert!(fresh == all && all > 5, "{fresh} of {all} advertisements are signed in the new way");
        assert_eq!((master.changes("web", start), backup.changes("web", start)), (vec![], vec![]), "{}", backup.said());
        assert!(segment.heard(&backup.host, 1, start).is_empty(), "{}", backup.said());
        assert_eq!(backup.lines("Bad digest", start) + master.lines("Bad digest", start), 0, "{}", backup.said());
        assert_has_exactly(&master, new);
        // The group works on: the other host takes the new addresses.
        master.end();
        assert_has_exactly(&backup, new);
    });
}

#[test]
fn a_group_moves_from_one_family_to_the_other_by_way_of_both() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, OLD);
    let start = master.moment().min(backup.moment());
    for addresses in [&[FIRST, V6][..], &[V6]] {
        let new = Shared { addresses, ..OLD };
        for (node, more) in [(&master, ""), (&backup, "advskew = 20")] {
            let told = node.reload(&new.config("8s", more));
            wait_until_time(later(told, APART));
        }
        assert_has_exactly(&master, new);
    }
    assert_eq!((master.changes("web", start), backup.changes("web", start)), (vec![], vec![]), "{}", backup.said());
    assert!(segment.heard(&backup.host, 1, start).is_empty(), "{}", backup.said());
}

#[test]
fn new_addresses_of_a_master_are_announced_and_removed_ones_go_at_once() {
    let segment = Segment::new();
    let (master, _backup) = group(&segment, OLD);
    let told = master.reload(&Shared { addresses: &[SECOND, V6], ..OLD }.config("8s", ""));
    for address in [SECOND, V6] {
        segment.wait_for_announcement(&master.host, ip(address), told);
        master.wait_for(ip(address));
    }
    let gone = master.wait_without(ip(FIRST));
    assert!(crate::harness::between(told, gone) < Duration::from_secs(1), "{}", master.said());
}

#[test]
fn without_a_grace_time_the_new_way_holds_at_once() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, OLD);
    let new = Shared { password: "other", ..OLD };
    let told = master.reload(&new.config("0s", ""));
    let first = segment.wait_for_advertisement(&master.host, 1, later(told, Duration::from_millis(200)));
    let (fresh, all) = signed(&segment, &master, new, first);
    assert!(fresh == all && all > 0);
    // The other host cannot know that, and says so.
    backup.wait_for_line("web: Bad digest", told);
    backup.wait_for(ip(FIRST));
    master.wait_for_line("web: Bad digest", told);
    let told = backup.reload(&new.config("0s", "advskew = 20"));
    backup.wait_without(ip(FIRST));
    assert!(master.holds(ip(FIRST)), "{}", master.said());
    assert_eq!(master.changes("web", told), []);
}

#[test]
fn a_grace_time_ends_when_the_file_says_zero() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, OLD);
    let new = Shared { password: "other", ..OLD };
    let told = master.reload(&new.config("1h", ""));
    let told = backup.reload(&new.config("1h", "advskew = 20")).max(told);
    wait_until_time(later(told, Duration::from_secs(3)));
    let (old, all) = signed(&segment, &master, OLD, told);
    assert!(old == all && all > 0, "within the hour the old form is sent");
    let start = master.moment().min(backup.moment());
    master.reload(&new.config("0s", ""));
    let first = segment.wait_for_advertisement(&master.host, 1, later(start, Duration::from_millis(200)));
    let (fresh, all) = signed(&segment, &master, new, first);
    assert!(fresh == all && all > 0, "{fresh} of {all}");
    wait_until_time(later(start, Duration::from_secs(4)));
    assert_eq!((master.changes("web", start), backup.changes("web", start)), (vec![], vec![]), "{}", backup.said());
}
