use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use super::*;

mod limits;
mod reconfiguration;
mod ties;

const OWN: Interval = Interval { advbase: 1, advskew: 100 };
const OWN_ADDRESS: [u8; 4] = [10, 0, 0, 5];

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn peer_at(address: [u8; 4], advbase: u8, advskew: u8) -> Peer {
    let mac = crate::wire::MacAddr([0, 0, 0x5e, 0, 0, 1]);
    Peer { source: IpAddr::V4(Ipv4Addr::from(address)), mac, interval: Interval { advbase, advskew }, demotion: 0 }
}

fn peer(advbase: u8, advskew: u8) -> Peer {
    peer_at([10, 0, 0, 9], advbase, advskew)
}

fn config(preempt: bool) -> Config {
    let source = IpAddr::V4(Ipv4Addr::from(OWN_ADDRESS));
    Config {
        interval: OWN,
        dead_ratio: 3,
        preempt,
        source,
        source_v6: None,
        tie: TieRule::UcarpLittleEndian,
        demotion: None,
    }
}

/// An election that records what it wants.
struct Subject {
    election: Election,
    effects: Vec<Effect>,
}

impl Subject {
    fn new(config: Config) -> Self {
        Self { election: Election::new(config, 1), effects: Vec::new() }
    }

    fn backup(preempt: bool) -> Self {
        let mut subject = Self::new(config(preempt));
        subject.act(|election, effects| election.link_up(at(0), effects));
        subject
    }

    /// MASTER since 3390 ms, when its dead time ended; its effects so far are forgotten.
    fn master() -> Self {
        let mut subject = Self::backup(false);
        subject.act(|election, effects| election.timeout(at(3391), effects));
        assert_eq!(subject.election.state(), State::Master);
        subject.effects.clear();
        subject
    }

    fn leaving(shutdown: bool) -> Self {
        let mut subject = Self::master();
        subject
            .act(|election, effects| if shutdown { election.shut_down(effects) } else { election.hand_over(effects) });
        subject.effects.clear();
        subject
    }

    fn act(&mut self, act: impl FnOnce(&mut Election, &mut Vec<Effect>)) {
        act(&mut self.election, &mut self.effects);
    }

    fn hear(&mut self, millis: u64, peer: Peer) -> State {
        self.act(|election, effects| election.heard(at(millis), peer, effects));
        self.election.state()
    }

    fn time_out(&mut self, millis: u64) -> State {
        self.act(|election, effects| election.timeout(at(millis), effects));
        self.election.state()
    }

    fn deadline_millis(&self) -> u64 {
        self.election.next_deadline().unwrap().as_nanos().div_ceil(1_000_000)
    }

    fn has(&self, effect: &Effect) -> bool {
        self.effects.contains(effect)
    }

    fn count(&self, effect: &Effect) -> usize {
        self.effects.iter().filter(|known| *known == effect).count()
    }

    fn is_silent(&self) -> bool {
        !self.has(&Effect::Advertise) && !self.has(&Effect::BowOut)
    }

    fn last_reason(&self) -> Reason {
        let last = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Transition { reason, .. } => Some(*reason),
            _ => None,
        });
        last.expect("there was a transition")
    }
}

#[derive(Clone, Copy, Debug)]
enum Input {
    LinkUp,
    LinkLost,
    DeadlineReached,
    Better,
    EqualWinner,
    EqualLoser,
    Worse,
    BowOut,
    HandOver,
    ShutDown,
    Released,
}

const INPUTS: [Input; 11] = [
    Input::LinkUp,
    Input::LinkLost,
    Input::DeadlineReached,
    Input::Better,
    Input::EqualWinner,
    Input::EqualLoser,
    Input::Worse,
    Input::BowOut,
    Input::HandOver,
    Input::ShutDown,
    Input::Released,
];

fn feed(subject: &mut Subject, input: Input) -> State {
    let now = at(4000);
    subject.act(|election, effects| match input {
        Input::LinkUp => election.link_up(now, effects),
        Input::LinkLost => election.link_lost(Reason::CarrierLost, effects),
        Input::DeadlineReached => {
            let due = election.next_deadline();
            election.timeout(due.unwrap_or(now), effects);
        }
        Input::Better => election.heard(now, peer(1, 0), effects),
        Input::EqualWinner => election.heard(now, peer_at([10, 0, 0, 1], 1, 100), effects),
        Input::EqualLoser => election.heard(now, peer_at([10, 0, 0, 9], 1, 100), effects),
        Input::Worse => election.heard(now, peer(1, 200), effects),
        Input::BowOut => election.heard(now, peer(255, 255), effects),
        Input::HandOver => election.hand_over(effects),
        Input::ShutDown => election.shut_down(effects),
        Input::Released => election.released(now, effects),
    });
    subject.election.state()
}

/// The state after each input, in each state: columns are INIT, BACKUP, BACKUP with preempt, MASTER, MASTER that hands
/// over, MASTER that shuts down.
#[test]
fn the_transition_table_is_complete() {
    use State::{Backup, Init, Master};
    let table = [
        (Input::LinkUp, [Backup, Backup, Backup, Master, Master, Master]),
        (Input::LinkLost, [Init; 6]),
        (Input::DeadlineReached, [Init, Master, Master, Master, Master, Master]),
        (Input::Better, [Init, Backup, Backup, Backup, Backup, Init]),
        (Input::EqualWinner, [Init, Backup, Backup, Master, Master, Master]),
        (Input::EqualLoser, [Init, Backup, Backup, Master, Master, Master]),
        (Input::Worse, [Init, Backup, Master, Master, Master, Master]),
        (Input::BowOut, [Init, Backup, Backup, Master, Master, Master]),
        (Input::HandOver, [Init, Backup, Backup, Master, Master, Master]),
        (Input::ShutDown, [Init, Init, Init, Master, Master, Master]),
        (Input::Released, [Init, Backup, Backup, Master, Backup, Init]),
    ];
    assert_eq!(table.len(), INPUTS.len());
    for (input, expected) in table {
        let mut subjects = [
            Subject::new(config(false)),
            Subject::backup(false),
            Subject::backup(true),
            Subject::master(),
            Subject::leaving(false),
            Subject::leaving(true),
        ];
        for (column, (subject, expected)) in subjects.iter_mut().zip(expected).enumerate() {
            assert_eq!(feed(subject, input), expected, "{input:?} in column {column}");
        }
    }
}

#[test]
fn whoever_leaves_master_releases_the_address_exactly_once() {
    for input in INPUTS {
        for mut subject in [Subject::master(), Subject::leaving(false), Subject::leaving(true)] {
            let released_before = subject.election.is_leaving();
            let state = feed(&mut subject, input);
            let left = state != State::Master || subject.election.is_leaving();
            let releases = subject.count(&Effect::Release);
            assert_eq!(releases, usize::from(left && !released_before), "{input:?}");
            assert!(!subject.has(&Effect::Claim), "{input:?}");
        }
    }
}

#[test]
fn only_a_node_that_leaves_by_command_says_a_word_and_it_is_the_last_one() {
    for input in INPUTS {
        for mut subject in [Subject::master(), Subject::leaving(false), Subject::leaving(true)] {
            if feed(&mut subject, input) == State::Master {
                continue;
            }
            assert!(!subject.has(&Effect::Advertise), "{input:?}: an advertisement while leaving");
            let goodbye = matches!(input, Input::Released);
            assert_eq!(subject.count(&Effect::BowOut), usize::from(goodbye), "{input:?}");
        }
    }
}

#[test]
fn a_backup_takes_over_when_its_dead_time_ends_and_not_before() {
    let mut subject = Subject::backup(false);
    assert_eq!(subject.time_out(3390), State::Backup);
    assert_eq!(subject.time_out(3391), State::Master);
    assert_eq!(
        subject.effects[1..],
        [
            Effect::Transition {
                from: State::Backup,
                to: State::Master,
                reason: Reason::NoMasterHeard { waited: OWN.master_down(3) }
            },
            Effect::Advertise,
            Effect::Claim
        ]
    );
    assert_eq!(subject.deadline_millis(), 3391 + 1391);
}

#[test]
fn every_advertisement_that_is_no_reason_to_take_over_restarts_the_wait() {
    let mut subject = Subject::backup(false);
    for heard in [1000, 2500, 5000] {
        assert_eq!(subject.hear(heard, peer(1, 200)), State::Backup, "slower, but we do not preempt");
        assert_eq!(subject.deadline_millis(), heard + 3391);
    }
    subject.time_out(8391);
    let Reason::MasterTimedOut { master, .. } = subject.last_reason() else { panic!("{:?}", subject.last_reason()) };
    assert_eq!(master, peer(1, 200));
}

#[test]
fn a_slow_master_is_displaced_without_preempt_only_if_our_dead_time_would_end_anyway() {
    let mut subject = Subject::backup(false);
    assert_eq!(subject.hear(100, peer(3, 99)), State::Backup, "3 s + 99/256 is shorter than our 3 s + 100/256");
    assert_eq!(subject.hear(200, peer(3, 100)), State::Master);
    assert_eq!(subject.last_reason(), Reason::MasterBoundToTimeOut { master: peer(3, 100) });
}

#[test]
fn preemption_displaces_a_slower_master_but_never_an_equal_one() {
    let mut subject = Subject::backup(true);
    assert_eq!(subject.hear(100, peer(1, 100)), State::Backup);
    assert_eq!(subject.hear(200, peer(1, 99)), State::Backup);
    assert_eq!(subject.hear(300, peer(1, 101)), State::Master);
    assert_eq!(subject.last_reason(), Reason::Preempted { master: peer(1, 101) });
}

#[test]
fn a_goodbye_lets_a_backup_take_over_within_milliseconds_unless_another_was_faster() {
    let mut subject = Subject::backup(false);
    subject.hear(1000, peer(1, 0));
    assert_eq!(subject.hear(1500, peer(255, 255)), State::Backup);
    let takeover = subject.deadline_millis();
    assert!((1500..=1508).contains(&takeover), "{takeover}");
    let mut cancelled = Subject { election: subject.election.clone(), effects: Vec::new() };
    assert_eq!(subject.time_out(takeover), State::Master);
    assert_eq!(subject.last_reason(), Reason::MasterSaidGoodbye { master: peer(255, 255) });
    cancelled.hear(1501, peer(1, 0));
    assert_eq!(cancelled.deadline_millis(), 1501 + 3391);
}

#[test]
fn a_master_answers_a_slower_one_but_not_more_often_than_every_300_ms() {
    let mut subject = Subject::master();
    for heard in [3400, 3500, 3600] {
        subject.hear(heard, peer(1, 200));
    }
    assert_eq!(subject.count(&Effect::Advertise), 0, "the takeover's advertisement is not 300 ms old");
    assert_eq!(subject.count(&Effect::Reassert(peer(1, 200))), 3);
    assert_eq!(subject.deadline_millis(), 3691);
    subject.time_out(3691);
    subject.hear(3995, peer(1, 200));
    assert_eq!(subject.count(&Effect::Advertise), 2);
    assert_eq!(subject.deadline_millis(), 3995 + 1391);
}

#[test]
fn the_lower_last_octet_wins_a_tie() {
    let rule = TieRule::UcarpLittleEndian;
    let address = |octets: [u8; 4]| IpAddr::V4(Ipv4Addr::from(octets));
    assert!(rule.compare(address([10, 0, 1, 1]), address([10, 0, 0, 2])).is_lt());
    assert!(TieRule::Numeric.compare(address([10, 0, 1, 1]), address([10, 0, 0, 2])).is_gt());
}

#[test]
fn the_winner_of_a_tie_stays_and_answers_at_once() {
    let mut subject = Subject::master();
    assert_eq!(subject.hear(4000, peer(1, 100)), State::Master);
    assert_eq!(subject.effects, [Effect::EqualPeer(peer(1, 100)), Effect::Reassert(peer(1, 100)), Effect::Advertise]);
}

#[test]
fn the_loser_of_a_tie_answers_once_and_leaves_silently_at_the_second_advertisement() {
    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut subject = Subject::master();
    assert_eq!(subject.hear(4000, winner), State::Master);
    assert!(subject.has(&Effect::Advertise));
    subject.effects.clear();
    assert_eq!(subject.hear(5000, winner), State::Backup);
    assert!(subject.is_silent());
    assert_eq!(subject.last_reason(), Reason::TieLost { master: winner });
    assert_eq!(subject.deadline_millis(), 5000 + 2086 + 50, "one and a half intervals, for the winner only");
    subject.hear(6000, winner);
    assert_eq!(subject.deadline_millis(), 6000 + 3391, "then the normal wait");
}

#[test]
fn a_rival_that_was_not_heard_again_in_time_is_a_new_one() {
    let winner = peer_at([10, 0, 0, 1], 1, 100);
    let mut subject = Subject::master();
    subject.hear(4000, winner);
    for due in [5391, 6782] {
        subject.time_out(due);
    }
    assert_eq!(subject.hear(7600, winner), State::Master, "2.5 intervals and 100 ms have passed");
    assert_eq!(subject.hear(8000, winner), State::Backup);
}

#[test]
fn a_rival_that_may_only_be_parting_does_not_make_us_leave() {
    // UCARP at .4 loses to a kernel at .1, and sends one more advertisement while it leaves.
    let (parting, better) = (peer_at([10, 0, 0, 4], 1, 100), peer_at([10, 0, 0, 1], 1, 100));
    let mut subject = Subject::master();
    subject.hear(3500, parting);
    subject.hear(3900, better);
    assert_eq!(subject.hear(4500, parting), State::Master);
}

#[test]
fn the_kernels_rule_yields_to_any_equal_master() {
    let mut subject = Subject::new(Config { tie: TieRule::Kernel, ..config(false) });
    subject.act(|election, effects| election.link_up(at(0), effects));
    subject.time_out(3391);
    subject.effects.clear();
    assert_eq!(subject.hear(4000, peer(1, 100)), State::Backup);
    assert!(subject.is_silent());
    assert_eq!(subject.deadline_millis(), 4000 + 3391);
}

#[test]
fn ipv4_decides_a_tie_of_both_families() {
    let v6 = Peer { source: "fe80::1".parse().unwrap(), ..peer(1, 100) };
    let mut subject = Subject::master();
    subject.hear(4000, peer(1, 100));
    subject.effects.clear();
    assert_eq!(subject.hear(4001, v6), State::Master);
    assert_eq!(subject.effects, [Effect::EqualPeer(v6)], "already judged by IPv4");
}

#[test]
fn a_stalled_master_that_hears_another_gives_up_without_a_word() {
    let mut subject = Subject::master();
    assert_eq!(subject.hear(13_391, peer(1, 200)), State::Backup, "even a slower one is MASTER now");
    assert!(subject.is_silent());
    let Reason::Stalled { silent, master } = subject.last_reason() else { panic!("{:?}", subject.last_reason()) };
    assert_eq!((silent, master), (Duration::from_secs(10), Some(peer(1, 200))));
}

#[test]
fn a_stalled_master_that_hears_nobody_listens_before_it_claims_again() {
    let mut subject = Subject::master();
    assert_eq!(subject.time_out(13_391), State::Backup);
    assert!(subject.is_silent());
    assert_eq!(subject.time_out(13_391 + 3391), State::Master);
}

#[test]
fn a_stall_shorter_than_the_peers_dead_time_is_forgiven() {
    let mut subject = Subject::master();
    assert_eq!(subject.time_out(3391 + 2900), State::Master);
    assert_eq!(subject.count(&Effect::Advertise), 1, "nothing is caught up");
    assert_eq!(subject.deadline_millis(), 3391 + 2900 + 1391);
}

#[test]
fn a_preempting_node_that_was_stalled_does_not_snatch_the_address_back_at_once() {
    let mut subject = Subject::backup(true);
    subject.time_out(3391);
    subject.hear(13_391, peer(1, 200));
    assert_eq!(subject.hear(13_392, peer(1, 200)), State::Backup, "another frame of the same queue");
    assert_eq!(subject.hear(13_391 + 1400, peer(1, 200)), State::Master);
}

#[test]
fn a_backup_that_woke_up_late_listens_once_more() {
    let mut subject = Subject::backup(false);
    assert_eq!(subject.time_out(60_000), State::Backup);
    assert_eq!(subject.deadline_millis(), 60_000 + 2086 + 50);
    assert_eq!(subject.time_out(62_137), State::Master);
}

#[test]
fn a_handover_advertises_until_the_address_is_gone_and_then_keeps_out_of_the_way() {
    let mut subject = Subject::master();
    subject.act(Election::hand_over);
    assert_eq!(subject.effects, [Effect::Leaving(Reason::HandedOver), Effect::Release]);
    subject.effects.clear();
    assert_eq!(subject.time_out(4782), State::Master);
    assert_eq!(subject.hear(4900, peer(1, 200)), State::Master);
    assert_eq!(subject.effects, [Effect::Advertise], "no answer and no announcement while leaving");
    subject.effects.clear();
    subject.act(|election, effects| election.released(at(5000), effects));
    assert_eq!(subject.effects[0], Effect::BowOut);
    assert_eq!(subject.deadline_millis(), 5000 + 3000 + 3391);
    assert_eq!(subject.hear(5100, peer(255, 255)), State::Backup, "not even at another's goodbye");
    assert_eq!(subject.deadline_millis(), 8000);
    subject.hear(6000, peer(1, 0));
    assert_eq!(subject.deadline_millis(), 6000 + 3391);
}

#[test]
fn a_preferred_node_waits_out_its_handover_before_it_preempts() {
    let mut subject = Subject::backup(true);
    subject.time_out(3391);
    subject.act(|election, effects| {
        election.hand_over(effects);
        election.released(at(4000), effects);
    });
    assert_eq!(subject.hear(6999, peer(1, 200)), State::Backup);
    assert_eq!(subject.hear(7001, peer(1, 200)), State::Master);
}

#[test]
fn a_handover_that_turns_into_a_shutdown_ends_in_init() {
    let mut subject = Subject::leaving(false);
    subject.act(Election::shut_down);
    assert_eq!(subject.count(&Effect::Release), 0, "asked for already");
    subject.act(|election, effects| election.released(at(5000), effects));
    assert_eq!(subject.election.state(), State::Init);
    assert_eq!(subject.election.next_deadline(), None);
}

#[test]
fn a_node_that_was_told_to_end_does_not_come_back_when_its_link_does() {
    for mut subject in [Subject::backup(false), Subject::leaving(true), Subject::new(config(false))] {
        subject.act(Election::shut_down);
        subject.act(|election, effects| election.released(at(5000), effects));
        subject.act(|election, effects| election.link_up(at(6000), effects));
        assert_eq!(subject.election.state(), State::Init);
        assert_eq!(subject.election.next_deadline(), None);
    }
}

#[test]
fn a_node_that_was_shutting_down_and_heard_a_better_master_has_nothing_to_wait_for() {
    for stalled in [false, true] {
        let mut subject = Subject::leaving(true);
        subject.hear(if stalled { 60_000 } else { 4000 }, peer(1, 0));
        assert_eq!(subject.election.state(), State::Init);
        assert_eq!(subject.election.next_deadline(), None);
    }
}

#[test]
fn a_late_answer_about_the_address_is_ignored_when_nobody_waits_for_it() {
    let mut subject = Subject::master();
    subject.act(|election, effects| election.released(at(4000), effects));
    assert_eq!(subject.effects, []);
}
