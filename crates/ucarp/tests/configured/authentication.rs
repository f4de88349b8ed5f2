//! What somebody can do who records advertisements and sends them again, as they are or changed.

use std::time::Duration;

use carp_core::timing::Interval;
use carp_core::wire::frame::AdvertisementFrame;
use netlab::{Signal, now};

use crate::harness::{Node, Segment, ip, later, parsed, wait_until_time, web};

const VIP: &str = "10.0.0.100";

/// The best that anybody can claim.
const BEST: Interval = Interval { advbase: 1, advskew: 0 };

/// What must not happen is watched for this long: longer than a dead time.
const WATCH: Duration = Duration::from_secs(5);

/// The line of a takeover.
const MASTER: &str = "web: Switching to state: MASTER";

/// A MASTER and a BACKUP that has heard it.
fn group(segment: &Segment, authentication: &str) -> (Node, Node) {
    let (mut master, mut backup) = segment.pair();
    let with = |advskew: u8| web(&[VIP], &format!("advskew = {advskew}\nauthentication = \"{authentication}\""));
    master.start(&with(50));
    master.wait_for(ip(VIP));
    backup.start(&with(100));
    segment.wait_for_advertisement(&master.host, 1, now());
    (master, backup)
}

/// The last advertisement of a host, or goodbye.
fn recorded(segment: &Segment, host: &netlab::Host, goodbye: bool) -> Vec<u8> {
    segment.catch_up();
    let frames = segment.frames_of(host, 0).into_iter().rev();
    let mut wanted = frames.filter(|frame| parsed(&frame.bytes).is_some_and(|(_, is_goodbye)| is_goodbye == goodbye));
    wanted.next().expect("it has been heard").bytes.to_vec()
}

/// The same advertisement with another interval, and a checksum that is right.
fn changed(recorded: &[u8], interval: Interval) -> Vec<u8> {
    let (received, _) = parsed(recorded).expect("it is an advertisement");
    let mut advertisement = received.advertisement;
    (advertisement.advbase, advertisement.advskew) = (interval.advbase, interval.advskew);
    let (src_mac, dst_mac, src, dst) = (received.src_mac, received.dst_mac, received.src, received.dst);
    let frame = AdvertisementFrame { src_mac, dst_mac, src, dst, tos: 0x10, netbsd_checksum: false, advertisement };
    frame.emit().expect("source and group are both of one family").to_vec()
}

/// Sends frames several times, and asserts that nobody's role changes for longer than a dead time.
fn assert_without_effect(segment: &Segment, master: &Node, backup: &Node, frames: &[Vec<u8>]) {
    let since = now();
    for round in 0..10 {
        wait_until_time(later(since, Duration::from_millis(300) * round));
        frames.iter().for_each(|frame| segment.lab.inject(frame).expect("frames can be sent"));
    }
    wait_until_time(later(since, WATCH));
    assert_eq!((master.changes("web", since), backup.changes("web", since)), (vec![], vec![]), "{}", backup.said());
    assert!(master.holds(ip(VIP)) && !backup.holds(ip(VIP)));
}

#[test]
fn recorded_and_changed_advertisements_do_nothing_to_a_strict_group() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, "strict");
    let advertisement = recorded(&segment, &master.host, false);
    let attack = [
        advertisement.clone(),
        changed(&advertisement, BEST),
        changed(&advertisement, Interval::BOW_OUT),
        changed(&advertisement, Interval { advbase: 0, advskew: 1 }),
    ];
    assert_without_effect(&segment, &master, &backup, &attack);
    for kind in ["Repeated advertisement ignored", "Changed advertisement ignored"] {
        backup.wait_for_line(kind, 0);
    }

    // The goodbye of the one, sent again while the other is MASTER and when it is MASTER again.
    let told = now();
    master.signal(Signal::USR2);
    segment.wait_for_goodbye(&master.host, 1, told);
    backup.wait_for(ip(VIP));
    backup.wait_for_line(MASTER, told);
    let goodbye = recorded(&segment, &master.host, true);
    assert_without_effect(&segment, &backup, &master, &[goodbye.clone(), advertisement]);
    let told = now();
    backup.signal(Signal::USR2);
    segment.wait_for_goodbye(&backup.host, 1, told);
    master.wait_for(ip(VIP));
    master.wait_for_line(MASTER, told);
    assert_without_effect(&segment, &master, &backup, &[goodbye]);
}

#[test]
fn a_group_that_only_observes_tells_of_a_changed_advertisement_and_believes_it() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, "observe");
    let attack = changed(&recorded(&segment, &master.host, false), Interval::BOW_OUT);
    let since = now();
    segment.lab.inject(&attack).expect("frames can be sent");
    backup.wait_for_line("Changed advertisement believed", since);
    backup.wait_for_line(MASTER, since);
}

#[test]
fn a_strict_group_takes_over_at_once_from_an_engine_that_was_killed() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, "strict");
    wait_until_time(later(now(), Duration::from_secs(3)));
    let killed = now();
    master.process().signal_children(Signal::KILL);
    let goodbye = segment.wait_for_goodbye(&master.host, 1, killed);
    let taken = segment.wait_for_announcement(&backup.host, ip(VIP), killed);
    // A goodbye that was not believed would cost the dead time.
    assert!(taken < later(goodbye, Duration::from_millis(1500)), "{}", backup.said());
}

#[test]
fn a_group_becomes_strict_host_by_host_without_a_failover() {
    let segment = Segment::new();
    let (master, backup) = group(&segment, "observe");
    let since = now();
    for (node, advskew) in [(&backup, 100), (&master, 50)] {
        node.reload(&web(&[VIP], &format!("advskew = {advskew}\nauthentication = \"strict\"")));
        wait_until_time(later(now(), WATCH));
    }
    assert_eq!((master.changes("web", since), backup.changes("web", since)), (vec![], vec![]), "{}", backup.said());
    assert_eq!(backup.lines("ignored", since) + master.lines("ignored", since), 0, "{}", backup.said());
}
