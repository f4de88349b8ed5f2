use core::net::Ipv4Addr;

use super::*;

const TODAY: i64 = 1_790_000_000 * 256;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

/// A node that began at 0 s, when its wall clock was off by so many seconds.
fn node(seconds_off: i64) -> Freshness {
    Freshness::new(TODAY + seconds_off * 256)
}

fn today(seconds: i64) -> Tick {
    Tick::nearest(TODAY + seconds * 256)
}

fn from(last_octet: u8, tick: Option<Tick>) -> Claim {
    let counter = tick.map_or(77, |tick| u64::try_from(tick.since_1970()).unwrap() << 24);
    let source = Ipv4Addr::new(10, 0, 0, last_octet).into();
    Claim { source, is_own: false, counter, tick }
}

/// What the node says of an advertisement of `sender`, sent in that second of today.
fn judge(node: &mut Freshness, now: u64, sender: u8, sent: i64) -> Option<Doubt> {
    node.judge(at(now), &from(sender, Some(today(sent))))
}

#[test]
fn each_sender_has_to_be_later_than_before() {
    let mut node = node(0);
    assert_eq!(judge(&mut node, 100, 1, 100), None);
    assert_eq!(judge(&mut node, 100, 1, 100), Some(Doubt::Replayed));
    assert_eq!(judge(&mut node, 101, 1, 99), Some(Doubt::Replayed));
    assert_eq!(judge(&mut node, 101, 2, 99), None, "another sender may be a little behind");
    assert_eq!(judge(&mut node, 101, 1, 101), None);
}

#[test]
fn what_is_too_old_is_doubted_even_of_unknown_senders() {
    let mut node = node(0);
    assert_eq!(judge(&mut node, 100, 1, 90), None, "exactly the window");
    let behind = Duration::from_secs(11);
    assert_eq!(judge(&mut node, 101, 2, 90), Some(Doubt::Stale { behind }));
    assert_eq!(judge(&mut node, 101, 2, 90), Some(Doubt::Replayed), "that much is known of it now");
}

#[test]
fn group_time_goes_forward_to_what_is_believed_and_never_back() {
    let mut node = node(0);
    assert_eq!(judge(&mut node, 10, 1, 500), None);
    assert_eq!(node.group_time(at(10)), today(500));
    assert_eq!(node.group_time(at(20)), today(510), "and runs on");
    assert_eq!(judge(&mut node, 20, 2, 505), None);
    assert_eq!(node.group_time(at(20)), today(510));
    assert!(matches!(judge(&mut node, 21, 3, 21), Some(Doubt::Stale { .. })), "its own clock counts no more");
    assert!(node.next(at(21), &mut Random::new(1)) >= today(511), "nor for what it sends");
}

#[test]
fn of_two_nodes_one_at_least_believes_the_other_whatever_their_clocks_and_then_both_do() {
    let clocks = [-1_700_000_000, -40_000, -11, -10, -1, 0, 1, 10, 11, 40_000, 100_000_000];
    for (one, other) in clocks.iter().flat_map(|one| clocks.iter().map(move |other| (*one, *other))) {
        let (mut random, mut nodes) = (Random::new(1), [node(one), node(other)]);
        let mut believed = [0; 2];
        for second in 1..=3 {
            for sender in [0, 1] {
                let tick = nodes[sender].next(at(second), &mut random);
                let claim = from(u8::try_from(sender).unwrap(), Some(tick));
                believed[1 - sender] += u32::from(nodes[1 - sender].judge(at(second), &claim).is_none());
            }
        }
        assert!(believed.iter().all(|count| *count >= 2), "{one} {other}: {believed:?} of 3");
    }
}

#[test]
fn a_new_life_with_a_clock_behind_is_believed_once_it_has_heard_somebody() {
    let (mut peer, mut random) = (node(0), Random::new(1));
    assert_eq!(judge(&mut peer, 100, 1, 150), None, "it was ahead before");
    let mut reborn = node(-1_700_000_000);
    let tick = reborn.next(at(103), &mut random);
    assert!(peer.judge(at(103), &from(1, Some(tick))).is_some());
    let tick = peer.next(at(104), &mut random);
    assert_eq!(reborn.judge(at(104), &from(2, Some(tick))), None);
    let tick = reborn.next(at(104), &mut random);
    assert_eq!(peer.judge(at(104), &from(1, Some(tick))), None);
}

#[test]
fn times_of_own_advertisements_always_increase() {
    let (mut node, mut random) = (node(0), Random::new(3));
    let mut last = Tick::default();
    for step in 0..1000 {
        // At most a few times an instant, sometimes with the clock standing still.
        let tick = node.next(at(step / 7), &mut random);
        assert!(tick > last);
        last = tick;
    }
    assert!(last.since(today(142)) < Duration::from_millis(60), "they keep to the clock");
}

#[test]
fn changed_fields_are_told_from_senders_that_do_not_stamp() {
    let mut node = node(0);
    assert_eq!(node.judge(at(1), &from(9, None)), Some(Doubt::Unstamped));
    assert_eq!(judge(&mut node, 1, 1, 1), None);
    assert_eq!(node.judge(at(2), &from(1, None)), Some(Doubt::Tampered), "this sender stamps");
    let counter = from(1, Some(today(1))).counter;
    assert_eq!(node.judge(at(2), &Claim { counter, ..from(9, None) }), Some(Doubt::Tampered), "somebody else's stamp");
    // As UCARP and the kernels do it.
    let adopted = Claim { counter: counter + 1, ..from(9, None) };
    assert_eq!(node.judge(at(2), &adopted), Some(Doubt::Unstamped));
    assert_eq!(node.judge(at(61), &from(1, None)), Some(Doubt::Unstamped), "the host was given another implementation");
    assert_eq!(node.judge(at(61), &Claim { is_own: true, ..from(3, None) }), Some(Doubt::Tampered));
}

#[test]
fn what_comes_from_the_own_address_is_never_another_nodes() {
    let mut node = node(0);
    for sent in [-1000, 0, 100, 1_000_000] {
        let claim = Claim { is_own: true, ..from(1, Some(today(sent))) };
        assert_eq!(node.judge(at(100), &claim), Some(Doubt::Reflected), "{sent}");
    }
    assert_eq!(node.group_time(at(100)), today(100), "nor does it move group time");
}

#[test]
fn the_last_own_advertisements_are_recognised() {
    let mut node = node(0);
    assert!(!node.is_echo(0, None), "nothing was sent");
    for second in 0..u64::try_from(REMEMBERED).unwrap() {
        node.sent([second + 1, second + 1001]);
    }
    let is_echo = |node: &Freshness, counter| node.is_echo(counter, None);
    assert!(is_echo(&node, 4) && is_echo(&node, 1004) && !is_echo(&node, 2004));
    node.sent([7777; 2]);
    assert!(!is_echo(&node, 1) && is_echo(&node, 2) && is_echo(&node, 7777));
    assert!(node.is_echo(2, Some(today(500))), "this node stamps nothing");
    let last = node.next(at(100), &mut Random::new(1));
    node.sent([8888; 2]);
    assert!(node.is_echo(8888, Some(last)) && !node.is_echo(8888, Some(last.later(1))));
}

#[test]
fn strangers_are_told_of_once_and_not_without_end() {
    let mut node = node(0);
    let mut told = |sender: u8| node.is_new_stranger(from(sender, None).source);
    assert!(told(1) && told(2) && !told(1) && !told(2));
    assert_eq!((0..=255).filter(|sender| told(*sender)).count(), MOST_STRANGERS - 2);
}

#[test]
fn forgotten_senders_cannot_be_replayed() {
    let mut node = node(0);
    for sender in 0..100 {
        assert_eq!(judge(&mut node, 100, sender, i64::from(sender)), judge_by_age(i64::from(sender)));
    }
    assert_eq!(node.senders.len(), MOST_SENDERS);
    for sender in 0..100 {
        assert_eq!(judge(&mut node, 100, sender, i64::from(sender)), Some(Doubt::Replayed), "{sender}");
    }
    assert_eq!(judge(&mut node, 101, 0, 101), None);
}

fn judge_by_age(sent: i64) -> Option<Doubt> {
    let behind = Duration::from_secs(u64::try_from(100 - sent).unwrap());
    (behind > WINDOW).then_some(Doubt::Stale { behind })
}

#[test]
fn a_last_will_is_later_than_what_follows_for_its_reach_and_earlier_than_the_next_life() {
    let (mut node, mut random, reach) = (node(0), Random::new(1), Duration::from_secs(3));
    node.next(at(9), &mut random);
    let will = node.ahead(at(9), reach);
    assert!((10..=11).all(|second| node.next(at(second), &mut random) < will));
    let mut reborn = Freshness::new(TODAY);
    assert!(reborn.next(at(13), &mut random) > will, "it listens for more than its reach first");
    let mut busy = Freshness::new(TODAY);
    (0..2000).for_each(|_| _ = busy.next(at(9), &mut random));
    assert!(busy.ahead(at(9), reach) > busy.last_sent);
}
