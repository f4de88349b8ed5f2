//! A new configuration while the election goes on.

use super::*;

impl Subject {
    /// Gives it this interval and dead ratio.
    fn reconfigure(&mut self, millis: u64, (advbase, advskew): (u8, u8), dead_ratio: u32) {
        let config = Config { interval: Interval { advbase, advskew }, dead_ratio, ..config(false) };
        self.act(|election, effects| election.reconfigure(at(millis), config, effects));
    }
}

#[test]
fn a_backup_says_how_long_it_waited_by_its_new_configuration() {
    for (rank, dead_ratio, dead_time) in [((2, 0), 3, 6), ((1, 0), 5, 5), ((1, 0), 2, 2)] {
        let mut subject = Subject::backup(false);
        subject.hear(1000, peer(1, 0));
        subject.reconfigure(1500, rank, dead_ratio);
        assert_eq!(subject.time_out(1000 + dead_time * 1000 - 1), State::Backup);
        assert_eq!(subject.time_out(1000 + dead_time * 1000), State::Master);
        let waited = Duration::from_secs(dead_time);
        assert_eq!(subject.last_reason(), Reason::MasterTimedOut { master: peer(1, 0), waited });
    }
}

#[test]
fn a_handover_keeps_its_hold() {
    let mut subject = Subject::leaving(false);
    subject.act(|election, effects| election.released(at(5000), effects));
    for (rank, dead_time) in [((2, 0), 6000), ((1, 0), 3000)] {
        subject.reconfigure(6000, rank, 3);
        assert_eq!(subject.deadline_millis(), 5000 + 3000 + dead_time);
    }
}

#[test]
fn a_hold_outlasts_a_dead_time_that_becomes_shorter() {
    let mut subject = Subject::leaving(false);
    subject.act(|election, effects| election.released(at(5000), effects));
    subject.reconfigure(5000, (2, 0), 3);
    subject.hear(5500, peer(1, 0));
    assert_eq!(subject.deadline_millis(), 5500 + 6000);
    for (rank, dead_ratio) in [((1, 0), 1), ((1, 0), 2), ((1, 0), 1)] {
        subject.reconfigure(6000, rank, dead_ratio);
        assert_eq!(subject.deadline_millis(), 5000 + 3000, "longer than the dead time, also when that grows again");
    }
}

#[test]
fn the_chance_of_a_master_after_a_stop_of_both_is_not_taken_away() {
    let mut subject = Subject::backup(false);
    subject.hear(1000, peer(1, 0));
    // Woken far too late: the master may be heard once more.
    assert_eq!(subject.time_out(60_000), State::Backup);
    let chance = subject.deadline_millis();
    assert!(chance > 60_000);
    let config = Config { preempt: true, ..config(false) };
    subject.act(|election, effects| election.reconfigure(at(60_000), config, effects));
    assert_eq!(subject.deadline_millis(), chance);
}

#[test]
fn the_short_wait_for_the_winner_of_a_tie_stays_short() {
    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut subject = Subject::master();
    subject.hear(4000, winner);
    subject.hear(5000, winner);
    for rank in [(2, 0), (1, 0)] {
        subject.reconfigure(5500, rank, 3);
        assert_eq!(subject.deadline_millis(), 5000 + 2086 + 50);
    }
}

#[test]
fn a_takeover_after_a_goodbye_is_not_put_off() {
    let mut subject = Subject::backup(false);
    subject.hear(1000, peer(255, 255));
    let takeover = subject.deadline_millis();
    subject.reconfigure(1000, (2, 0), 3);
    assert_eq!(subject.deadline_millis(), takeover);
}

#[test]
fn a_master_whose_interval_becomes_very_short_is_not_taken_for_stalled() {
    let mut subject = Subject::master();
    subject.reconfigure(3500, (0, 20), 3);
    let due = subject.deadline_millis();
    assert_eq!(subject.time_out(due), State::Master);
}

#[test]
fn a_stalled_master_is_not_helped_out_of_it_by_a_larger_dead_ratio() {
    let mut subject = Subject::master();
    subject.reconfigure(3391 + 5000, (1, 100), 10);
    assert_eq!(subject.time_out(3391 + 5000), State::Backup);
}
