use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::*;
use crate::election::TieRule;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn config() -> election::Config {
    election::Config {
        interval: Interval { advbase: 1, advskew: 100 },
        dead_ratio: 3,
        preempt: true,
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        source_v6: None,
        tie: TieRule::default(),
        demotion: None,
    }
}

#[test]
fn without_a_policy_nothing_is_restrained() {
    let (mut restraint, policy) = (Restraint::default(), Policy::default());
    assert_eq!(restraint.joined(at(0), &policy), None);
    assert!((0..1000).all(|second| !restraint.took_over(at(second), &policy)));
    assert_eq!(restraint.next_deadline(), None);
    assert_eq!(restraint.temper(config(), &policy), config());
}

#[test]
fn who_has_just_joined_preempts_when_the_delay_is_over() {
    let policy = Policy { preempt_delay: seconds(30), ..Policy::default() };
    let mut restraint = Restraint::default();
    restraint.joined(at(5), &policy);
    assert!(!restraint.temper(config(), &policy).preempt);
    assert!(!restraint.ends(at(34)));
    assert_eq!(restraint.next_deadline(), Some(at(35)));
    assert!(restraint.ends(at(35)));
    assert!(restraint.temper(config(), &policy).preempt);
    assert_eq!(restraint.next_deadline(), None);
    restraint.joined(at(100), &policy);
    assert!(!restraint.temper(config(), &policy).preempt, "its link was lost and is back");
}

#[test]
fn only_the_first_time_it_listens_for_longer() {
    let policy = Policy { start_delay: seconds(60), ..Policy::default() };
    let mut restraint = Restraint::default();
    assert_eq!(restraint.joined(at(1), &policy), Some(at(61)));
    assert_eq!(restraint.joined(at(2), &policy), None);
}

#[test]
fn too_many_takeovers_in_the_window_end_preemption_for_a_while() {
    let hold_down = HoldDown { takeovers: 3, window: seconds(60), length: seconds(300) };
    let policy = Policy { hold_down: Some(hold_down), ..Policy::default() };
    let mut restraint = Restraint::default();
    assert!(!restraint.took_over(at(0), &policy));
    assert!(!restraint.took_over(at(30), &policy));
    assert!(!restraint.took_over(at(59), &policy));
    assert!(!restraint.took_over(at(60), &policy), "the first is forgotten");
    assert!(restraint.took_over(at(61), &policy));
    assert!(!restraint.temper(config(), &policy).preempt);
    assert_eq!(restraint.next_deadline(), Some(at(361)));
    assert!(restraint.ends(at(361)) && restraint.temper(config(), &policy).preempt);
}

#[test]
fn demotion_raises_the_interval_and_openbsds_counter_only_if_it_is_wanted() {
    let mut restraint = Restraint::default();
    restraint.demote(1000);
    let demoted = restraint.temper(config(), &Policy::default());
    assert_eq!((demoted.interval.advskew, demoted.demotion), (240, None));
    let policy = Policy { demotion_byte: true, ranked_demotion: true, ..Policy::default() };
    let demoted = restraint.temper(config(), &policy);
    assert_eq!((demoted.interval.advskew, demoted.demotion), (246, Some(255)));
}
