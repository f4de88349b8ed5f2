use alloc::vec::Vec;
use core::net::IpAddr;

use super::super::{Config, Effect, Peer, TieRule, tie};
use super::*;
use crate::timing::Interval;
use crate::wire::MacAddr;

const ORIGIN: Instant = Instant::from_nanos(1 << 50);
const OWN: Interval = Interval { advbase: 1, advskew: 100 };
const NANOSECOND: Duration = Duration::from_nanos(1);

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn config(source: IpAddr) -> Config {
    Config {
        interval: OWN,
        dead_ratio: 3,
        preempt: true,
        source,
        source_v6: None,
        tie: TieRule::UcarpLittleEndian,
        demotion: None,
    }
}

/// BACKUP since 0, and if `master_since` is given, MASTER since then.
fn started(source: IpAddr, master_since: Option<Instant>) -> Election {
    let (mut election, mut effects) = (Election::new(config(source), 1), Vec::new());
    election.link_up(at(0), &mut effects);
    if let Some(since) = master_since {
        election.timeout(since, &mut effects);
        assert_eq!(election.state(), State::Master);
    }
    election
}

fn equal(source: IpAddr) -> Peer {
    Peer { source, mac: MacAddr([0; 6]), interval: OWN, demotion: 0 }
}

fn apply(election: &mut Election, now: Instant, what: u64, effects: &mut Vec<Effect>) {
    let peer = |last: u8, advskew: u8, source: [u8; 4]| {
        let interval = Interval { advbase: 1, advskew };
        Peer { source: source.into(), mac: MacAddr([0, 0, 0, 0, 0, last]), interval, demotion: 0 }
    };
    match what % 16 {
        0..=5 => election.timeout(now, effects),
        6 => election.heard(now, peer(1, 100, [10, 0, 0, 1]), effects),
        7 => election.heard(now, peer(2, 100, [10, 0, 0, 2]), effects),
        8 => election.heard(now, peer(9, 100, [10, 0, 0, 9]), effects),
        9 => election.heard(now, peer(9, 200, [10, 0, 0, 9]), effects),
        10 => election.heard(now, peer(1, 0, [10, 0, 0, 1]), effects),
        11 => election.link_lost(Reason::CarrierLost, effects),
        12 => election.hand_over(effects),
        13 => election.released(now, effects),
        14 if what & 0x700 == 0 => election.shut_down(effects),
        _ => election.link_up(now, effects),
    }
}

/// What an election does, without the evidence.
fn deeds(effects: &[Effect]) -> Vec<(u8, Option<(State, State)>)> {
    let deed = |effect: &Effect| match effect {
        Effect::Transition { from, to, .. } => (0, Some((*from, *to))),
        Effect::Advertise => (1, None),
        Effect::BowOut => (2, None),
        Effect::Claim => (3, None),
        Effect::Release => (4, None),
        Effect::Leaving(_) => (5, None),
        Effect::Reassert(_) => (6, None),
        Effect::EqualPeer(_) | Effect::DeafPeer(..) => (7, None),
    };
    // How long somebody has been deaf is evidence.
    effects.iter().filter(|effect| !matches!(effect, Effect::DeafPeer(..))).map(deed).collect()
}

#[test]
fn the_canonical_form_behaves_as_the_election_does() {
    let mut random = Random::new(7);
    let (mut transitions, mut steps) = (0, 0);
    for life in 0..200 {
        let config = Config { preempt: life % 2 == 0, ..config([10, 0, 0, 5].into()) };
        let mut election = Election::new(config, 1);
        let mut canonical = election.canonical(Instant::default(), ORIGIN, 1);
        let mut now = Instant::from_nanos(0);
        for _ in 0..200 {
            let (dice, pause) = (random.bits(), Duration::from_millis(random.bits() % 512).saturating_mul(2));
            let wait = election.next_deadline().filter(|due| dice % 16 < 6 && *due > now);
            let step = wait.map_or(if dice % 200 == 0 { pause * 20 } else { pause }, |due| due - now);
            now = now + step;
            let (mut done, mut also_done) = (Vec::new(), Vec::new());
            apply(&mut election, now, dice, &mut done);
            apply(&mut canonical, ORIGIN + step, dice, &mut also_done);
            assert_eq!(deeds(&done), deeds(&also_done));
            assert_eq!(election.state(), canonical.state());
            canonical = canonical.canonical(ORIGIN + step, ORIGIN, 1);
            assert_eq!(canonical, election.canonical(now, ORIGIN, 1), "the form does not depend on the way to it");
            transitions += done.iter().filter(|effect| matches!(effect, Effect::Transition { .. })).count();
            steps += 1;
        }
    }
    assert!(transitions > steps / 50, "{transitions} transitions in {steps} steps");
}

#[test]
fn the_canonical_form_of_an_overdue_election_is_as_overdue() {
    let backup = started([10, 0, 0, 5].into(), None);
    let master = started([10, 0, 0, 5].into(), Some(at(3391)));
    let takes_over_until = backup.next_deadline().unwrap() + OWN.duration();
    let stays_until = at(3391) + OWN.peers_dead_time(3);
    for (election, latest) in [(backup, takes_over_until), (master, stays_until)] {
        for (now, state) in [(latest, State::Master), (latest + NANOSECOND, State::Backup), (at(60_000), State::Backup)]
        {
            let (mut original, mut canonical) = (election.clone(), election.canonical(now, ORIGIN, 1));
            original.timeout(now, &mut Vec::new());
            canonical.timeout(ORIGIN, &mut Vec::new());
            assert_eq!((original.state(), canonical.state()), (state, state), "at {now:?}");
        }
    }
}

#[test]
fn a_hold_that_has_ended_leaves_no_trace_in_the_form() {
    let mut held = started([10, 0, 0, 5].into(), None);
    let free = held.clone();
    held.hold_until = Some(at(1000));
    assert_ne!(held.canonical(at(999), ORIGIN, 1), free.canonical(at(999), ORIGIN, 1));
    assert_eq!(held.canonical(at(1000), ORIGIN, 1), free.canonical(at(1000), ORIGIN, 1));
}

#[test]
fn a_verdict_over_ipv4_leaves_a_trace_only_as_long_as_it_covers_ipv6() {
    let heard = at(3500);
    let end = heard + OWN.duration() * 3;
    let traced = |own: IpAddr, now| {
        let mut election = started(own, Some(at(3391)));
        election.heard(heard, equal([10, 0, 0, 9].into()), &mut Vec::new());
        let unaware = Election { rivals: tie::Rivals::default(), ..election.clone() };
        election.canonical(now, ORIGIN, 1) != unaware.canonical(now, ORIGIN, 1)
    };
    let own_v4 = [10, 0, 0, 5].into();
    assert!(traced(own_v4, Instant::from_nanos(end.as_nanos() - 1)));
    assert!(!traced(own_v4, end));
    let rival_forgotten = heard + Duration::from_secs(4);
    assert!(rival_forgotten < end);
    assert!(!traced("fe80::5".parse().unwrap(), rival_forgotten), "without an IPv4 address it covers nothing");
}
