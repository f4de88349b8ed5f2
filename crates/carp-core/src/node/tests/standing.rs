//! Demotion, standing down, promotion and patience.

use super::*;
use crate::election::Bar;
use crate::host::{HoldDown, Policy};

fn preempting(last_octet: u8, advskew: u8) -> VirtualHostConfig {
    VirtualHostConfig { preempt: true, ..config(last_octet, advskew) }
}

fn with_policy(config: VirtualHostConfig, policy: Policy) -> VirtualHostConfig {
    VirtualHostConfig { policy, ..config }
}

fn demote(segment: &mut Segment, index: usize, by: u16) {
    let (node, host) = &mut segment.nodes[index];
    node.set_demotion(segment.now, *host, by);
    segment.drain(index);
}

/// The states with reasons that a node has gone through after `millis`.
fn reasons(segment: &Segment, index: usize, millis: u64) -> Vec<(State, Reason)> {
    let moves = segment.log.iter().filter_map(|(when, node, output)| match output {
        Output::Transition { to, reason, .. } if *node == index && *when >= millis => Some((*to, *reason)),
        _ => None,
    });
    moves.collect()
}

#[test]
fn a_demoted_master_says_so_at_once_and_a_better_node_takes_over() {
    let mut segment = Segment::new([preempting(2, 0), preempting(3, 100)]);
    segment.run_until(5500);
    assert_eq!(segment.masters(), [0]);
    demote(&mut segment, 0, 150);
    segment.run_until(5510);
    assert_eq!(segment.masters(), [1], "150 is worse than 100");
    let said = segment.advertisements(0).last().unwrap().advertisement;
    assert_eq!((said.advskew, said.demotion), (150, 0));
    segment.run_until(20_000);
    assert_eq!(segment.masters(), [1]);
    demote(&mut segment, 0, 0);
    segment.run_until(22_000);
    assert_eq!(segment.masters(), [0], "it is better again");
}

#[test]
fn demoted_nodes_share_an_advskew_unless_they_are_told_to_keep_their_ranks() {
    let advertised = |policy: Policy| {
        let (mut node, host) = started(with_policy(config(2, 100), policy));
        node.set_demotion(at(0), host, 1000);
        node.advertised_interval(host).advskew
    };
    assert_eq!(advertised(Policy::default()), 240);
    assert_eq!(advertised(Policy { ranked_demotion: true, ..Policy::default() }), 246);
}

#[test]
fn openbsds_counter_decides_before_the_interval_and_without_preemption() {
    let policy = Policy { demotion_byte: true, ..Policy::default() };
    let mut segment = Segment::new([with_policy(config(2, 0), policy.clone()), with_policy(config(3, 100), policy)]);
    segment.run_until(5500);
    demote(&mut segment, 0, 1);
    segment.run_until(5510);
    assert_eq!(segment.masters(), [1]);
    assert_eq!(segment.advertisements(0).last().unwrap().advertisement.demotion, 1);
    assert!(matches!(reasons(&segment, 1, 5500)[..], [(State::Master, Reason::MasterDemoted { .. })]));
    segment.run_until(15_000);
    assert_eq!(segment.masters(), [1]);
}

#[test]
fn who_stands_down_says_goodbye_when_its_address_is_gone_and_listens_until_it_may_come_back() {
    let mut segment = Segment::new([preempting(2, 0), config(3, 100)]);
    segment.run_until(5500);
    segment.command(0, Command::StandDown(Bar::Held));
    segment.run_until(5550);
    assert_eq!(segment.masters(), [1]);
    assert_eq!(segment.purposes(0).last(), Some(&(5500, Purpose::Goodbye)));
    let bar = Bar::Held;
    assert_eq!(reasons(&segment, 0, 5500), [(State::Init, Reason::StoodDown { bar })]);
    segment.run_until(60_000);
    assert_eq!(segment.masters(), [1]);
    segment.command(0, Command::StandUp);
    segment.run_until(62_000);
    assert_eq!(segment.masters(), [0], "it preempts as soon as it hears the other one");
    assert_eq!(reasons(&segment, 0, 60_000)[0], (State::Backup, Reason::LinkUp));
}

#[test]
fn who_stands_down_as_backup_does_not_take_over() {
    let mut segment = Segment::new([config(2, 0), config(3, 100)]);
    segment.run_until(5500);
    segment.command(1, Command::StandDown(Bar::CheckFailed));
    segment.cut_off = vec![0];
    segment.run_until(60_000);
    assert_eq!(segment.masters(), [0], "the other one is alone with it");
}

#[test]
fn an_order_to_stand_down_that_is_taken_back_before_the_address_is_gone_ends_in_backup() {
    let (mut node, host, _) = master_of(config(2, 0));
    node.handle_command(at(4000), host, Command::StandDown(Bar::Held));
    node.handle_command(at(4001), host, Command::StandUp);
    drained(&mut node);
    assert_eq!(node.state(host), State::Master, "it advertises while the address is here");
    node.handle_command(at(4002), host, Command::Released);
    assert_eq!(node.state(host), State::Backup);
}

#[test]
fn a_rehearsed_crash_is_silent() {
    let mut segment = Segment::new([config(2, 0), config(3, 100)]);
    segment.run_until(5500);
    segment.command(0, Command::StandDown(Bar::Rehearsal));
    assert_eq!(segment.masters(), [] as [usize; 0]);
    assert!(segment.purposes(0).iter().all(|(_, purpose)| *purpose != Purpose::Goodbye));
    segment.run_until(9000);
    assert_eq!(segment.masters(), [1], "after the dead time");
    segment.command(0, Command::StandUp);
    segment.run_until(20_000);
    assert_eq!(segment.masters(), [1]);
}

#[test]
fn a_node_that_ends_while_it_stands_down_does_not_come_back() {
    let (mut node, host, _) = master_of(config(2, 0));
    node.handle_command(at(4000), host, Command::StandDown(Bar::Held));
    node.handle_command(at(4001), host, Command::ShutDown);
    node.handle_command(at(4002), host, Command::Released);
    node.handle_command(at(4003), host, Command::StandUp);
    assert_eq!(node.state(host), State::Init);
}

#[test]
fn a_better_backup_is_promoted_and_a_worse_one_is_not() {
    let mut segment = Segment::new([config(2, 100), config(3, 0), config(4, 200)]);
    segment.cut_off = vec![1];
    segment.run_until(3900);
    segment.cut_off = vec![];
    // The better one has taken over unheard meanwhile, and the other yields to it.
    segment.run_until(6000);
    assert_eq!(segment.masters(), [1]);
    segment.command(2, Command::Promote);
    segment.command(1, Command::HandOver);
    segment.run_until(6100);
    assert_eq!(segment.masters(), [0]);
    segment.run_until(12_000);
    segment.command(2, Command::Promote);
    assert_eq!(segment.masters(), [0]);
    segment.command(1, Command::Promote);
    segment.run_until(12_100);
    assert_eq!(segment.masters(), [1]);
}

#[test]
fn who_has_just_started_listens_and_preempts_later_if_it_is_told_to_be_patient() {
    let seconds = Duration::from_secs;
    let policy = Policy { start_delay: seconds(10), preempt_delay: seconds(30), ..Policy::default() };
    let mut segment = Segment::new([with_policy(preempting(2, 0), policy), config(3, 100)]);
    segment.run_until(29_000);
    assert_eq!(segment.masters(), [1]);
    segment.run_until(32_000);
    assert_eq!(segment.masters(), [0]);

    let policy = Policy { start_delay: seconds(10), ..Policy::default() };
    let mut alone = Segment::new([with_policy(config(2, 0), policy)]);
    alone.run_until(9999);
    assert_eq!(alone.masters(), [] as [usize; 0]);
    alone.run_until(10_001);
    assert_eq!(alone.masters(), [0]);
}

#[test]
fn too_many_takeovers_end_preemption_and_are_told_once() {
    let hold_down = Some(HoldDown { takeovers: 3, window: Duration::from_secs(60), length: Duration::from_secs(300) });
    let policy = Policy { hold_down, ..Policy::default() };
    let mut segment = Segment::new([with_policy(preempting(2, 0), policy), config(3, 100)]);
    for flap in 1..=5_u64 {
        segment.run_until(flap * 10_000);
        segment.command(0, Command::StandDown(Bar::CheckFailed));
        segment.run_until(flap * 10_000 + 1000);
        segment.command(0, Command::StandUp);
    }
    segment.run_until(100_000);
    assert_eq!(segment.masters(), [1], "it has had enough");
    let alarms = |output: &Output| matches!(output, Output::Notice { notice: Notice::Flapping, .. });
    assert_eq!(segment.log.iter().filter(|(_, _, output)| alarms(output)).count(), 1);
    segment.run_until(400_000);
    assert_eq!(segment.masters(), [0], "it tries again");
}

#[test]
fn addresses_are_announced_again_on_command_and_at_the_refresh() {
    let policy = Policy { refresh: Some(Duration::from_secs(60)), ..Policy::default() };
    let mut segment = Segment::new([with_policy(config(2, 0), policy)]);
    segment.run_until(20_000);
    let announced = |segment: &Segment| {
        let announcements = segment.purposes(0).into_iter().filter(|(_, purpose)| *purpose == Purpose::Announcement);
        announcements.map(|(millis, _)| millis).collect::<Vec<_>>()
    };
    assert_eq!(announced(&segment), [3000, 4000, 5000, 8000]);
    segment.command(0, Command::Announce);
    assert_eq!(announced(&segment).last(), Some(&20_000));
    segment.run_until(200_000);
    assert_eq!(announced(&segment)[4..], [20_000, 21_000, 22_000, 25_000, 85_000, 145_000]);
}
