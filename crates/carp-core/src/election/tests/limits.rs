//! Where a rule begins and ends, to the nanosecond.

use super::*;

const NANOSECOND: Duration = Duration::from_nanos(1);

impl Subject {
    fn deadline(&self) -> Instant {
        self.election.next_deadline().expect("something is due")
    }

    fn time_out_at(&mut self, now: Instant) -> State {
        self.act(|election, effects| election.timeout(now, effects));
        self.election.state()
    }

    fn hear_at(&mut self, now: Instant, peer: Peer) -> State {
        self.act(|election, effects| election.heard(now, peer, effects));
        self.election.state()
    }

    /// As it stands, without its effects so far.
    fn fork(&self) -> Self {
        Self { election: self.election.clone(), effects: Vec::new() }
    }
}

#[test]
fn a_backup_was_stalled_when_it_wakes_more_than_an_interval_late() {
    let mut late = Subject::backup(false);
    let mut too_late = late.fork();
    let latest = late.deadline() + OWN.duration();
    assert_eq!(late.time_out_at(latest), State::Master);
    assert_eq!(too_late.time_out_at(latest + NANOSECOND), State::Backup);
}

#[test]
fn a_backup_of_short_intervals_is_given_100_ms_before_it_counts_as_stalled() {
    let interval = Interval { advbase: 0, advskew: 2 };
    let mut late = Subject::new(Config { interval, ..config(false) });
    late.act(|election, effects| election.link_up(at(0), effects));
    let mut too_late = late.fork();
    let latest = late.deadline() + Duration::from_millis(100);
    assert_eq!(late.time_out_at(latest), State::Master);
    assert_eq!(too_late.time_out_at(latest + NANOSECOND), State::Backup);
}

#[test]
fn a_master_was_stalled_when_it_was_silent_for_longer_than_the_peers_dead_time() {
    let mut silent = Subject::master();
    let mut too_silent = silent.fork();
    let longest = at(3391) + OWN.peers_dead_time(3);
    assert_eq!(silent.hear_at(longest, peer(1, 200)), State::Master);
    assert_eq!(too_silent.hear_at(longest + NANOSECOND, peer(1, 200)), State::Backup);
}

#[test]
fn lateness_of_less_than_half_an_interval_does_not_add_up() {
    let mut subject = Subject::master();
    let (first, every) = (subject.deadline(), OWN.duration());
    for round in 0..20 {
        let due = first + every * round;
        assert_eq!(subject.deadline(), due);
        subject.time_out_at(due + Duration::from_millis(10));
    }
    let due = subject.deadline();
    let mut later = subject.fork();
    subject.time_out_at(due + (every / 2 - NANOSECOND));
    assert_eq!(subject.deadline(), due + every, "still in step");
    later.time_out_at(due + every / 2);
    assert_eq!(later.deadline(), due + every / 2 + every, "two advertisements would follow each other too closely");
}

#[test]
fn preemption_acts_from_the_very_end_of_the_hold() {
    let mut subject = Subject::backup(true);
    subject.time_out(3391);
    subject.act(|election, effects| {
        election.hand_over(effects);
        election.released(at(4000), effects);
    });
    let end = at(4000) + HANDOVER_HOLD;
    let mut early = subject.fork();
    assert_eq!(early.hear_at(Instant::from_nanos(end.as_nanos() - 1), peer(1, 200)), State::Backup);
    assert_eq!(early.deadline(), end, "it remembers what to do when the hold ends");
    assert_eq!(subject.hear_at(end, peer(1, 200)), State::Master);
}

#[test]
fn a_node_that_has_the_interval_of_a_goodbye_takes_one_for_an_equal_advertisement() {
    let mut subject = Subject::new(Config { interval: Interval::BOW_OUT, ..config(true) });
    subject.act(|election, effects| election.link_up(at(0), effects));
    subject.hear(1000, peer(255, 255));
    assert_eq!(subject.deadline(), at(1000) + Interval::BOW_OUT.master_down(3));
}

#[test]
fn the_better_of_two_backups_reacts_first_to_a_goodbye() {
    let waits = |advskew| {
        (0..100).map(move |seed| {
            let mut subject = Subject::new(Config { interval: Interval { advbase: 1, advskew }, ..config(false) });
            subject.election.random = Random::new(seed);
            subject.act(|election, effects| election.link_up(at(0), effects));
            subject.hear(1000, peer(255, 255));
            (subject.deadline() - at(1000)).as_micros()
        })
    };
    assert!(waits(0).all(|wait| wait < 4000), "at random within half of the spread");
    assert!(waits(0).min() < Some(400) && waits(0).max() > Some(3600), "and nearly all of that half is used");
    assert!(waits(128).all(|wait| (2000..6000).contains(&wait)), "the other half by advskew");
    assert!(waits(255).all(|wait| (3984..7985).contains(&wait)));
}

#[test]
fn a_rival_is_remembered_for_two_and_a_half_intervals_and_100_ms() {
    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut subject = Subject::master();
    subject.hear(4000, winner);
    for due in [5391, 6782] {
        subject.time_out(due);
    }
    let mut forgetful = subject.fork();
    let last = at(4000) + OWN.duration() * 5 / 2 + Duration::from_millis(100);
    assert_eq!(subject.hear_at(last, winner), State::Backup);
    assert_eq!(forgetful.hear_at(last + NANOSECOND, winner), State::Master);
}

#[test]
fn a_verdict_over_ipv4_covers_ipv6_for_three_intervals() {
    let v6 = Peer { source: "fe80::1".parse().unwrap(), ..peer(1, 100) };
    let mut subject = Subject::master();
    subject.hear(4000, peer(1, 100));
    for due in [5391, 6782, 8172] {
        subject.time_out(due);
    }
    let mut covered = subject.fork();
    let end = at(4000) + OWN.duration() * 3;
    covered.hear_at(Instant::from_nanos(end.as_nanos() - 1), v6);
    assert_eq!(covered.effects, [Effect::EqualPeer(v6)]);
    subject.effects.clear();
    subject.hear_at(end, v6);
    assert_eq!(subject.effects, [Effect::EqualPeer(v6), Effect::Reassert(v6)], "judged anew: an IPv4 address wins");
}

#[test]
fn twins_leave_for_different_times_between_1_2_and_3_intervals() {
    let waits = (0..100).map(|seed| {
        let twin = peer_at(OWN_ADDRESS, 1, 100);
        let mut subject = Subject::master();
        subject.election.random = Random::new(seed);
        subject.hear(4000, twin);
        assert_eq!(subject.hear(5000, twin), State::Backup);
        (subject.deadline() - at(5000)).as_micros()
    });
    let (least, most) = (waits.clone().min().unwrap(), waits.max().unwrap());
    assert!((1_668_750..1_850_000).contains(&least), "{least}");
    assert!((3_990_000..4_171_875).contains(&most), "{most}");
}

#[test]
fn a_worse_master_that_goes_on_does_not_hear_us_and_one_that_comes_again_later_does() {
    let worse = peer(1, 200);
    let told =
        |subject: &Subject| subject.effects.iter().filter(|effect| matches!(effect, Effect::DeafPeer(..))).count();
    let mut subject = Subject::master();
    let every = u64::try_from(worse.interval.duration().as_millis()).unwrap();
    for round in 1..=10 {
        subject.hear(3400 + round * every, worse);
        subject.time_out(3400 + round * every + 900);
    }
    assert_eq!(told(&subject), 5, "from the fifth advertisement of ours on");
    assert!(subject.has(&Effect::DeafPeer(worse, 9)));

    let mut subject = Subject::master();
    for round in 1..=10 {
        subject.hear(3400 + round * 3 * every, worse);
        for second in 0..5 {
            subject.time_out(3400 + round * 3 * every + second * 1000);
        }
    }
    assert_eq!(told(&subject), 0, "it leaves each time");
}
