//! One virtual host from start to end, in company and against forgeries.

use super::*;

#[test]
fn a_lone_node_becomes_master_after_the_dead_time_and_announces_the_address() {
    let mut segment = Segment::new([config(2, 0)]);
    segment.run_until(2999);
    assert!(segment.masters().is_empty());
    segment.run_until(6500);
    use Purpose::{Advertisement, Announcement};
    assert_eq!(
        segment.purposes(0),
        [
            (3000, Advertisement),
            (3000, Announcement),
            (4000, Advertisement),
            (4000, Announcement),
            (5000, Advertisement),
            (5000, Announcement),
            (6000, Advertisement),
        ]
    );
}

#[test]
fn advertisements_look_like_those_of_ucarp_and_counters_never_repeat() {
    let mut segment = Segment::new([config(2, 7)]);
    segment.run_until(20_000);
    let sent = segment.advertisements(0);
    assert!(sent.len() > 10);
    for received in &sent {
        assert_eq!(received.src_mac, MacAddr([0, 0, 0x5e, 0, 0, 1]));
        assert_eq!(received.dst_mac, MacAddr([1, 0, 0x5e, 0, 0, 0x12]));
        assert_eq!((received.src, received.dst), ("10.0.0.2".parse().unwrap(), "224.0.0.18".parse().unwrap()));
        assert_eq!((received.advertisement.advbase, received.advertisement.advskew), (1, 7));
    }
    let mut counters: Vec<_> = sent.iter().map(|received| received.advertisement.counter).collect();
    counters.sort_unstable();
    counters.dedup();
    assert_eq!(counters.len(), sent.len());
}

#[test]
fn of_three_equal_nodes_exactly_one_is_master_whatever_the_delay() {
    for delay in [0, 1, 100, 400] {
        let mut segment = Segment::new([config(2, 0), config(3, 0), config(4, 0)]);
        segment.delay = Duration::from_millis(delay);
        segment.run_until(8000);
        assert_eq!(segment.masters(), [0], "delay {delay} ms");
    }
}

#[test]
fn the_next_node_takes_over_when_the_master_falls_silent() {
    let mut segment = Segment::new([config(2, 0), config(3, 50), config(4, 100)]);
    segment.run_until(10_100);
    assert_eq!(segment.masters(), [0]);
    segment.cut_off.push(0);
    segment.run_until(13_100);
    assert_eq!(segment.masters(), [0], "the last advertisement was at 10000");
    segment.run_until(13_500);
    assert_eq!(segment.masters(), [0, 1], "the one that is cut off cannot know");
    segment.cut_off.clear();
    segment.run_until(15_000);
    assert_eq!(segment.masters(), [0]);
}

#[test]
fn a_planned_stop_hands_over_within_milliseconds_and_the_goodbye_is_the_last_word() {
    let mut segment = Segment::new([config(2, 0), config(3, 50), config(4, 100)]);
    segment.run_until(5500);
    segment.command(0, Command::ShutDown);
    assert!(segment.masters().is_empty());
    segment.run_until(5510);
    assert_eq!(segment.masters(), [1]);
    segment.run_until(9000);
    assert_eq!(segment.purposes(0).last(), Some(&(5500, Purpose::Goodbye)));
    assert_eq!(segment.masters(), [1]);
}

#[test]
fn a_role_swap_is_not_undone() {
    let mut segment = Segment::new([config(2, 0), config(3, 0)]);
    segment.run_until(5500);
    segment.command(0, Command::HandOver);
    segment.run_until(60_000);
    assert_eq!(segment.masters(), [1]);
}

#[test]
fn a_node_whose_link_goes_stays_silent_and_comes_back_as_backup() {
    let mut segment = Segment::new([config(2, 0), config(3, 50)]);
    segment.run_until(5500);
    segment.nodes[0].0.handle_link(at(5500), LINK, LinkState::NoCarrier);
    segment.drain(0);
    let words = segment.purposes(0).len();
    segment.run_until(10_000);
    assert_eq!(segment.masters(), [1]);
    assert_eq!(segment.purposes(0).len(), words);
    segment.nodes[0].0.handle_link(at(10_000), LINK, LinkState::Up(mac(9)));
    segment.drain(0);
    segment.run_until(60_000);
    assert_eq!(segment.masters(), [1]);
}

/// A MASTER that has just sent its first advertisement, and that advertisement.
fn master() -> (Node, HostId, Vec<u8>) {
    let mut node = Node::new(1);
    let host = node.add(config(2, 0));
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    node.handle_timeout(at(3000));
    let outputs: Vec<_> = core::iter::from_fn(|| node.poll_output()).collect();
    let sent = outputs.into_iter().find_map(|output| match output {
        Output::Transmit { frame, .. } => Some(frame.to_vec()),
        _ => None,
    });
    (node, host, sent.expect("a new MASTER advertises"))
}

fn notices(node: &mut Node) -> Vec<Notice> {
    let outputs = core::iter::from_fn(|| node.poll_output());
    outputs
        .map(|output| match output {
            Output::Notice { notice, .. } => notice,
            other => panic!("only notices were expected: {other:?}"),
        })
        .collect()
}

#[test]
fn an_own_advertisement_that_comes_back_changes_nothing() {
    let (mut node, host, own) = master();
    node.handle_frame(at(3001), LINK, &own);
    assert!(matches!(notices(&mut node)[..], [Notice::OwnEcho { .. }]));
    assert_eq!(node.state(host), State::Master);
}

#[test]
fn what_is_not_authentic_or_not_for_this_group_changes_nothing() {
    let (mut node, host, mut frame) = master();
    let digest = frame.len() - 1;
    frame[digest] ^= 1;
    // The checksum follows the change, so that only the digest is wrong.
    let sum = 14 + 20 + 6;
    let checksum = u16::from_be_bytes([frame[sum], frame[sum + 1]]);
    let repaired = if frame[digest] & 1 == 1 { checksum.wrapping_sub(1) } else { checksum.wrapping_add(1) };
    frame[sum..sum + 2].copy_from_slice(&repaired.to_be_bytes());
    node.handle_frame(at(3001), LINK, &frame);
    assert!(matches!(notices(&mut node)[..], [Notice::BadDigest { .. }]));

    let (mut other_group, _, mut frame) = master();
    frame[14 + 19] = 19; // 224.0.0.19
    let header = 14 + 11; // the low byte of the header checksum
    frame[header] = frame[header].wrapping_sub(1);
    other_group.handle_frame(at(3001), LINK, &frame);
    assert_eq!(notices(&mut other_group), []);
    assert_eq!(node.state(host), State::Master);
}

#[test]
fn other_virtual_hosts_and_other_links_are_not_ours() {
    let (mut node, _, own) = master();
    node.handle_frame(at(3001), LinkId(1), &own);
    let mut stranger = Segment::new([VirtualHostConfig { vhid: 2, ..config(9, 0) }]);
    stranger.run_until(3001);
    let Some((_, _, Output::Transmit { frame, .. })) =
        stranger.log.iter().find(|(_, _, output)| matches!(output, Output::Transmit { .. }))
    else {
        panic!("the stranger advertises")
    };
    node.handle_frame(at(3001), LINK, frame);
    assert_eq!(notices(&mut node), []);
}

#[test]
fn a_ucarp_peer_is_warned_about_when_advbase_is_0() {
    let fast =
        |last_octet| VirtualHostConfig { interval: Interval { advbase: 0, advskew: 100 }, ..config(last_octet, 0) };
    let mut node = Node::new(5);
    node.add(fast(2));
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    let mut peer = Segment::new([fast(3)]);
    peer.run_until(3000);
    let mut frame = peer.log.iter().find_map(|(_, _, output)| match output {
        Output::Transmit { purpose: Purpose::Advertisement, frame, .. } => Some(frame.to_vec()),
        _ => None,
    });
    let frame = frame.as_mut().unwrap();
    let notice_count = |node: &mut Node| {
        core::iter::from_fn(|| node.poll_output()).filter(|output| matches!(output, Output::Notice { .. })).count()
    };
    node.handle_frame(at(1), LINK, frame);
    assert_eq!(notice_count(&mut node), 0, "one of ours sends 0 as identification");
    frame[14 + 5] = 1;
    frame[14 + 11] = frame[14 + 11].wrapping_sub(1);
    node.handle_frame(at(2), LINK, frame);
    assert_eq!(notice_count(&mut node), 1);
}
