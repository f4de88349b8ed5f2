use std::net::Ipv4Addr;

use carp_core::auth::{AddressList, Key};
use carp_core::election::TieRule;
use carp_core::host::{Authentication, Credentials, Local, MacMode, Policy, Transport};
use carp_core::timing::Interval;

use super::*;

fn actor(last: u8, advskew: u8) -> Actor {
    let key = Key::from_password(b"secret").unwrap();
    let addresses = AddressList::new([IpAddr::from([10, 0, 0, 100])]);
    let config = VirtualHostConfig {
        link: LINK,
        vhid: 1,
        credentials: Credentials::new(key, addresses),
        local: Local::v4(Ipv4Addr::new(10, 0, 0, last)),
        transport: Transport::default(),
        mac: MacMode::Interface,
        interval: Interval { advbase: 1, advskew },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::UcarpLittleEndian,
        pseudo_header_checksum: false,
        authentication: Authentication::Observe,
        policy: Policy::default(),
    };
    Actor { config, ignores_carrier: false }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn incident(at: u64, lasts: Option<u64>, trouble: Trouble) -> Incident {
    Incident { at: secs(at), lasts: lasts.map(secs), trouble }
}

/// Who was MASTER or not from when on: `(actor, to)` with the time in tenths of a second.
fn moves(play: &Play) -> Vec<(u128, usize, Standing)> {
    play.moves.iter().map(|step| (step.at.as_millis() / 100, step.actor, step.to)).collect()
}

fn two(incidents: &[Incident]) -> Play {
    play(7, &[actor(1, 0), actor(2, 100)], incidents, secs(40))
}

use Standing::{Backup, Init, Master, Off};

const START: [(u128, usize, Standing); 3] = [(0, 0, Backup), (0, 1, Backup), (30, 0, Master)];

#[test]
fn the_better_one_is_master_and_a_killed_one_is_replaced_after_the_dead_time() {
    let play = two(&[incident(10, Some(10), Trouble::Kill(0))]);
    let seen = moves(&play);
    assert_eq!(seen[..4], [START.as_slice(), &[(100, 0, Off)]].concat());
    // Silent since 9.0 s or 10.0 s; 3 s and 100/256 s later.
    assert!(matches!(seen[4], (123..=134, 1, Master)), "{seen:?}");
    assert_eq!(seen[5..], [(200, 0, Init), (200, 0, Backup)], "without preemption it stays so");
    assert!(matches!(play.moves[4].cause, Cause::Decided(Reason::MasterTimedOut { .. })));
}

#[test]
fn a_stop_and_a_hand_over_say_goodbye() {
    for trouble in [Trouble::Stop(0), Trouble::HandOver(0)] {
        let seen = moves(&two(&[incident(10, None, trouble)]));
        assert!(seen.contains(&(100, 1, Master)), "{trouble:?}: {seen:?}");
    }
}

#[test]
fn a_host_that_stood_still_hears_first_what_happened() {
    let seen = moves(&two(&[incident(10, Some(8), Trouble::Hang(0))]));
    assert_eq!(seen[3], (100, 0, Off));
    assert_eq!(seen[5..], [(180, 0, Backup)], "{seen:?}");
}

#[test]
fn a_cable_is_noticed_and_a_cut_is_not() {
    let seen = moves(&two(&[incident(10, Some(10), Trouble::Cable(0))]));
    assert_eq!(seen[3], (100, 0, Init));
    assert_eq!(seen.last(), Some(&(200, 0, Backup)));
    let cut = two(&[incident(10, Some(10), Trouble::Cut(0))]);
    let seen = moves(&cut);
    assert!(seen[3..].iter().all(|(at, ..)| *at > 120), "{seen:?}");
    let last = seen.iter().rfind(|(_, actor, _)| *actor == 1).unwrap();
    assert_eq!(last.2, Backup, "the better one stays when the two hear each other again: {seen:?}");
    let mut bold = [actor(1, 0), actor(2, 100)];
    bold[0].ignores_carrier = true;
    let seen = moves(&play(7, &bold, &[incident(10, Some(10), Trouble::Cable(0))], secs(40)));
    assert!(!seen.contains(&(100, 0, Init)), "{seen:?}");
}

#[test]
fn who_is_deaf_or_not_heard_is_a_second_master() {
    for (trouble, second) in [(Trouble::Deaf(1), 1), (Trouble::Mute(0), 1)] {
        let seen = moves(&two(&[incident(10, Some(20), trouble)]));
        assert!(
            seen.iter().any(|(at, actor, to)| (120..140).contains(at) && (*actor, *to) == (second, Master)),
            "{seen:?}"
        );
    }
}

#[test]
fn other_passwords_and_lost_frames_leave_two_masters() {
    let mut strangers = [actor(1, 0), actor(2, 100)];
    strangers[1].config.credentials.key = Key::from_password(b"other").unwrap();
    for (actors, incidents) in
        [(strangers, vec![]), ([actor(1, 0), actor(2, 100)], vec![incident(0, None, Trouble::Loss(1_000_000))])]
    {
        let seen = moves(&play(7, &actors, &incidents, secs(20)));
        assert_eq!(seen.iter().filter(|(.., to)| *to == Master).count(), 2, "{seen:?}");
    }
}

#[test]
fn unicast_reaches_the_peer_alone() {
    let mut actors = [actor(1, 0), actor(2, 100), actor(3, 200)];
    for (who, others) in [(0, [2, 3]), (1, [1, 3]), (2, [1, 2])] {
        let peers = others.map(|last| IpAddr::from([10, 0, 0, last])).to_vec();
        actors[who].config.transport = Transport::Unicast { peers, any_ttl: false };
    }
    let seen = moves(&play(7, &actors, &[], secs(20)));
    assert_eq!(seen, [(0, 0, Backup), (0, 1, Backup), (0, 2, Backup), (30, 0, Master)]);
    actors[0].config.transport = Transport::Unicast { peers: vec![[10, 0, 0, 2].into()], any_ttl: false };
    let seen = moves(&play(7, &actors, &[], secs(20)));
    assert!(seen.iter().any(|(_, actor, to)| (*actor, *to) == (2, Master)), "the third is not told: {seen:?}");
}

#[test]
fn the_same_seed_gives_the_same_play() {
    let lossy = [incident(5, None, Trouble::Loss(400_000))];
    let [one, again] = [two(&lossy), two(&lossy)];
    assert_eq!((one.moves.len(), one.frames), (again.moves.len(), again.frames));
    assert_eq!(one.moves, again.moves);
    assert!(one.frames > 30);
}
