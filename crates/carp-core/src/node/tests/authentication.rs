//! Repeated, changed and reflected advertisements, in every kind of authentication.

use super::*;
use crate::auth::stamp::Tick;
use crate::host::{Authentication, Counters, Doubt};
use crate::wire::frame::AdvertisementFrame;

use Authentication::{Classic, Observe, Strict};

const TODAY: Duration = Duration::from_secs(1_790_000_000);

fn asking(authentication: Authentication, config: VirtualHostConfig) -> VirtualHostConfig {
    VirtualHostConfig { authentication, ..config }
}

/// A node at 0 ms, when its wall clock is right, with one virtual host whose link is up.
fn node(config: VirtualHostConfig) -> (Node, HostId) {
    let mut node = Node::new(config.local.v4.octets()[3].into());
    node.set_clock(at(0), TODAY);
    let host = node.add(config);
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    drained(&mut node);
    (node, host)
}

/// The advertisements of a MASTER, from its first one on: when, and a frame for each family.
fn advertisements(config: VirtualHostConfig, count: usize) -> Vec<(Instant, Vec<Vec<u8>>)> {
    let (mut node, _) = node(config);
    let mut all = Vec::new();
    while all.len() < count {
        let now = node.next_deadline().unwrap();
        node.handle_timeout(now);
        let outputs = drained(&mut node);
        let sent: Vec<_> = frames(&outputs, Purpose::Advertisement).iter().map(|frame| frame.to_vec()).collect();
        if !sent.is_empty() {
            all.push((now, sent));
        }
    }
    all
}

/// The frame with something changed, and the checksums to match.
fn changed(frame: &[u8], change: impl FnOnce(&mut AdvertisementFrame)) -> Vec<u8> {
    let Received { src_mac, dst_mac, src, dst, advertisement, .. } = frame::parse(frame).unwrap();
    let mut frame = AdvertisementFrame { src_mac, dst_mac, src, dst, tos: 0, netbsd_checksum: false, advertisement };
    change(&mut frame);
    frame.emit().unwrap().to_vec()
}

/// What a node makes of a frame: whether its plans changed, and what it noticed.
fn told(node: &mut Node, now: Instant, frame: &[u8]) -> (bool, Vec<Notice>) {
    let before = node.next_deadline();
    node.handle_frame(now, LINK, frame);
    let outputs = drained(node).into_iter();
    let notices = outputs.filter_map(|output| match output {
        Output::Notice { notice, .. } => Some(notice),
        _ => None,
    });
    let notices = notices.collect();
    (node.next_deadline() != before, notices)
}

fn doubt(notices: &[Notice]) -> Option<(Doubt, bool)> {
    match notices {
        [Notice::Doubtful { doubt, refused, .. }] => Some((*doubt, *refused)),
        [] => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_of_any_two_kinds_hears_each_other_unless_one_is_strict_and_the_other_classic() {
    for (ours, theirs) in
        [Classic, Observe, Strict].into_iter().flat_map(|a| [Classic, Observe, Strict].map(|b| (a, b)))
    {
        let (when, sent) = advertisements(asking(theirs, dual(3, 0)), 1).remove(0);
        let (mut node, host) = node(asking(ours, dual(2, 100)));
        for frame in &sent {
            let (acted, notices) = told(&mut node, when + Duration::from_millis(1), frame);
            assert_eq!(acted, (ours, theirs) != (Strict, Classic) && frame == &sent[0], "{ours:?} {theirs:?}");
            let expected = (theirs == Classic && ours != Classic).then_some((Doubt::Unstamped, ours == Strict));
            assert_eq!(doubt(&notices), expected, "{ours:?} {theirs:?}");
        }
        let unstamped = if theirs == Classic { 2 } else { 0 };
        assert_eq!(node.counters(host), Counters { unstamped, ..Counters::default() }, "{ours:?} {theirs:?}");
    }
}

#[test]
fn a_peer_that_does_not_stamp_is_told_of_once_unless_it_is_refused() {
    let sent = advertisements(asking(Classic, config(3, 0)), 5);
    for (authentication, times) in [(Classic, 0), (Observe, 1), (Strict, 5)] {
        let (mut node, host) = node(asking(authentication, config(2, 100)));
        let mut hear = |(when, frames): &(Instant, Vec<Vec<u8>>)| told(&mut node, *when, &frames[0]).1.len();
        assert_eq!(sent.iter().map(&mut hear).sum::<usize>(), times, "{authentication:?}");
        assert_eq!(node.counters(host).unstamped, 5);
    }
}

#[test]
fn what_is_sent_again_is_counted_always_told_unless_classic_and_believed_unless_strict() {
    let sent = advertisements(asking(Observe, config(3, 0)), 2);
    let [(first, first_frames), (second, second_frames)] = &sent[..] else { panic!() };
    for authentication in [Classic, Observe, Strict] {
        let (mut node, host) = node(asking(authentication, config(2, 100)));
        assert_eq!(told(&mut node, *first, &first_frames[0]), (true, vec![]));
        assert_eq!(told(&mut node, *second, &second_frames[0]), (true, vec![]));
        let refused = authentication == Strict;
        for (again, millis) in [(&second_frames[0], 10), (&first_frames[0], 20)] {
            let (acted, notices) = told(&mut node, *second + Duration::from_millis(millis), again);
            assert_eq!(acted, !refused, "{authentication:?}");
            let expected = (authentication != Classic).then_some((Doubt::Replayed, refused));
            assert_eq!(doubt(&notices), expected, "{authentication:?}");
        }
        assert_eq!(node.counters(host), Counters { replayed: 2, ..Counters::default() }, "{authentication:?}");
    }
}

#[test]
fn changed_priority_demotion_and_source_are_counted_always_and_believed_unless_strict() {
    let (when, sent) = advertisements(asking(Strict, config(3, 50)), 1).remove(0);
    let changes: [fn(&mut AdvertisementFrame); 5] = [
        |frame| frame.advertisement.advbase = 0,
        |frame| frame.advertisement.advskew = 0,
        |frame| (frame.advertisement.advbase, frame.advertisement.advskew) = (255, 255),
        |frame| frame.advertisement.demotion = 1,
        |frame| frame.src = [10, 0, 0, 1].into(),
    ];
    for (authentication, change) in [Classic, Observe, Strict].into_iter().flat_map(|a| changes.map(|c| (a, c))) {
        let (mut node, host) = node(asking(authentication, config(2, 100)));
        told(&mut node, when, &sent[0]);
        let (acted, notices) = told(&mut node, when + Duration::from_millis(5), &changed(&sent[0], change));
        assert_eq!(acted, authentication != Strict);
        let expected = (authentication != Classic).then_some((Doubt::Tampered, authentication == Strict));
        assert_eq!(doubt(&notices), expected);
        assert_eq!(node.counters(host).tampered, 1);
    }
}

#[test]
fn a_master_is_not_displaced_by_a_recording_of_a_better_one_in_strict_groups() {
    let better = advertisements(asking(Strict, config(3, 0)), 1).remove(0).1.remove(0);
    for (authentication, state) in [(Observe, State::Backup), (Strict, State::Master)] {
        let (mut node, host) = node(asking(authentication, config(2, 100)));
        for millis in [3400, 4800, 6200, 7600, 9000, 10_400, 11_800, 13_200, 14_600] {
            node.handle_timeout(at(millis));
            drained(&mut node);
        }
        assert_eq!(node.state(host), State::Master);
        told(&mut node, at(14_700), &better);
        assert_eq!(node.state(host), state, "{authentication:?}: sent 11 s before");
    }
}

#[test]
fn own_advertisements_have_no_effect_even_in_the_next_life() {
    let (when, sent) = advertisements(asking(Strict, dual(2, 50)), 1).remove(0);
    for reborn_at in [when + Duration::from_millis(1), when + Duration::from_secs(5)] {
        let mut node = Node::new(7);
        node.set_clock(reborn_at, TODAY + when.since(at(0)) + (reborn_at - when));
        let host = node.add(asking(Strict, dual(2, 50)));
        node.handle_link(reborn_at, LINK, LinkState::Up(mac(2)));
        drained(&mut node);
        for frame in &sent {
            let (acted, notices) = told(&mut node, reborn_at + Duration::from_millis(1), frame);
            assert!(!acted);
            assert_eq!(doubt(&notices), Some((Doubt::Reflected, true)));
        }
        assert_eq!(node.counters(host).reflected, 2);
    }
}

#[test]
fn an_echo_is_counted_in_every_kind() {
    for authentication in [Classic, Observe, Strict] {
        let (mut node, host, outputs) = master_of(asking(authentication, dual(2, 0)));
        for frame in frames(&outputs, Purpose::Advertisement) {
            let (acted, notices) = told(&mut node, at(3100), frame);
            assert!(!acted && matches!(notices[..], [Notice::OwnEcho { .. }]), "{authentication:?}");
        }
        assert_eq!(node.counters(host), Counters { reflected: 2, ..Counters::default() });
    }
}

#[test]
fn the_wrong_link_is_counted_and_never_believed() {
    let (when, sent) = advertisements(asking(Strict, config(3, 0)), 1).remove(0);
    let stranger = VirtualHostConfig { credentials: credentials("other", list(&["10.0.0.100"])), ..config(3, 0) };
    for authentication in [Classic, Observe, Strict] {
        let (mut node, host) = node(asking(authentication, config(2, 100)));
        let before = node.next_deadline();
        node.handle_frame(when, LinkId(9), &sent[0]);
        let outputs = drained(&mut node);
        let told =
            outputs.iter().any(|output| matches!(output, Output::Notice { notice: Notice::WrongLink { .. }, .. }));
        assert_eq!((told, outputs.len()), (authentication != Classic, usize::from(told)), "{authentication:?}");
        node.handle_frame(when, LinkId(9), &advertisement_of(stranger.clone())[0]);
        assert_eq!(drained(&mut node), vec![], "another group's is nobody's business");
        assert_eq!(node.counters(host), Counters { misplaced: 1, ..Counters::default() });
        assert_eq!(node.next_deadline(), before);
    }
}

#[test]
fn copies_of_an_advertisement_have_one_time_and_their_own_seals_and_classic_ones_one_counter() {
    for authentication in [Classic, Observe, Strict] {
        for (_, copies) in advertisements(asking(authentication, dual(2, 0)), 3) {
            let [v4, v6] = [0, 1].map(|copy| frame::parse(&copies[copy]).unwrap().advertisement.counter);
            assert_eq!(Tick::of_counter(v4), Tick::of_counter(v6));
            assert_eq!(v4 == v6, authentication == Classic);
        }
    }
}

/// The counters of before there were stamps: the generator's next bits, whatever the clock.
#[test]
fn classic_counters_are_random_as_ever() {
    let sent = advertisements(asking(Classic, config(2, 0)), 3);
    let mut random = Random::new(Random::new(2).bits());
    random.bits();
    for (_, copies) in sent {
        assert_eq!(frame::parse(&copies[0]).unwrap().advertisement.counter, random.bits());
    }
}

#[test]
fn a_clock_beyond_the_century_is_not_believed() {
    let first_tick = |seconds| {
        let mut node = Node::new(1);
        node.set_clock(at(0), Duration::from_secs(seconds));
        node.add(asking(Observe, config(2, 0)));
        node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
        let now = node.next_deadline().unwrap();
        node.handle_timeout(now);
        let outputs = drained(&mut node);
        let frame = frames(&outputs, Purpose::Advertisement)[0].to_vec();
        Tick::of_counter(frame::parse(&frame).unwrap().advertisement.counter).since(Tick::FIRST).as_secs()
    };
    assert_eq!(first_tick(1_790_000_000), 1_790_000_003);
    assert!(first_tick(u64::MAX) <= 3, "1970 and the dead time");
}

#[test]
fn a_last_will_is_believed_whenever_it_is_sent_and_what_the_next_life_says_is_too() {
    let ours = asking(Strict, dual(2, 0));
    let (mut master, host) = node(ours.clone());
    let (mut peer, peer_host) = node(asking(Strict, dual(3, 100)));
    let mut will = Vec::new();
    for millis in [3000, 4000, 5000] {
        master.handle_timeout(at(millis));
        let outputs = drained(&mut master);
        if millis == 3000 {
            will = master.last_will(at(millis), host);
            assert_eq!(drained(&mut master), vec![], "nothing is sent by making one");
        }
        for frame in frames(&outputs, Purpose::Advertisement) {
            told(&mut peer, at(millis + 1), frame);
        }
    }
    let said = frames(&will, Purpose::Goodbye);
    assert_eq!(said.len(), 2, "over both families");
    let (acted, notices) = told(&mut peer, at(5900), said[0]);
    assert!(acted && notices.is_empty(), "{notices:?}");
    peer.handle_timeout(at(5920));
    assert_eq!(peer.state(peer_host), State::Master, "a goodbye is followed at once");
    let (acted, notices) = told(&mut peer, at(5930), said[0]);
    assert_eq!((acted, doubt(&notices)), (false, Some((Doubt::Replayed, true))));
    drained(&mut peer);

    let mut reborn = Node::new(9);
    reborn.set_clock(at(6000), TODAY + Duration::from_secs(6));
    reborn.add(ours);
    reborn.handle_link(at(6000), LINK, LinkState::Up(mac(2)));
    reborn.handle_timeout(at(9000));
    let outputs = drained(&mut reborn);
    let first = frames(&outputs, Purpose::Advertisement)[0];
    told(&mut peer, at(9001), first);
    assert_eq!(peer.state(peer_host), State::Backup, "what the next life says comes after the will");
}

#[test]
fn unicast_wills_go_to_every_peer_and_classic_ones_are_as_other_advertisements() {
    let peers = Transport::Unicast { peers: list(&["10.0.0.3", "10.0.0.4", "fe80::3"]), any_ttl: false };
    let (mut node, host) = node(VirtualHostConfig { transport: peers, ..asking(Classic, dual(2, 0)) });
    let will = node.last_will(at(0), host);
    let to: Vec<_> = will
        .iter()
        .filter_map(|output| match output {
            Output::TransmitPacket { destination, purpose: Purpose::Goodbye, .. } => Some(*destination),
            _ => None,
        })
        .collect();
    assert_eq!(to, list(&["10.0.0.3", "10.0.0.4", "fe80::3"]));
}

#[test]
fn the_kind_can_be_changed_while_the_node_runs_and_what_it_knows_stays_known() {
    let sent = advertisements(asking(Observe, config(3, 0)), 2);
    let (mut node, host) = node(asking(Classic, config(2, 100)));
    sent.iter().for_each(|(when, frames)| _ = told(&mut node, *when, &frames[0]));
    let now = sent[1].0 + Duration::from_millis(10);
    node.reconfigure(now, host, asking(Strict, config(2, 100)), Duration::from_secs(60));
    drained(&mut node);
    let (acted, notices) = told(&mut node, now, &sent[0].1[0]);
    assert_eq!((acted, doubt(&notices)), (false, Some((Doubt::Replayed, true))));
}

/// Hosts that are given another password one by one go on stamping so that the others can check it.
#[test]
fn stamps_follow_the_credentials_while_they_change() {
    let grace = Duration::from_secs(60);
    let new =
        VirtualHostConfig { credentials: credentials("terces", list(&["10.0.0.100"])), ..asking(Strict, config(3, 0)) };
    let (mut master, host) = node(asking(Strict, config(3, 0)));
    let (mut peer, peer_host) = node(asking(Strict, config(2, 100)));
    let hear = |millis: u64, master: &mut Node, peer: &mut Node| {
        master.handle_timeout(at(millis));
        let outputs = drained(master);
        let frames = frames(&outputs, Purpose::Advertisement);
        assert!(!frames.is_empty());
        assert_eq!(told(peer, at(millis), frames[0]), (true, vec![]), "{millis}");
    };
    hear(3000, &mut master, &mut peer);
    master.reconfigure(at(3100), host, new.clone(), grace);
    hear(4000, &mut master, &mut peer);
    let local = config(2, 0).local;
    peer.reconfigure(at(4100), peer_host, VirtualHostConfig { local, interval: config(2, 100).interval, ..new }, grace);
    hear(5000, &mut master, &mut peer);
    for second in 6..70 {
        hear(second * 1000, &mut master, &mut peer);
    }
    assert!(!master.is_changing_credentials(at(69_000), host));
    assert_eq!(State::Backup, peer.state(peer_host));
}
