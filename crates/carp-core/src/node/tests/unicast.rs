//! Advertisements to each peer instead of a group.

use super::*;

fn unicast(last: u8, advskew: u8, peers: &[&str], any_ttl: bool) -> VirtualHostConfig {
    VirtualHostConfig { transport: Transport::Unicast { peers: list(peers), any_ttl }, ..dual(last, advskew) }
}

/// What is sent to each peer.
fn packets(outputs: &[Output]) -> Vec<(Purpose, IpAddr, &[u8])> {
    let packet = |output| match output {
        &Output::TransmitPacket { purpose, destination, ref packet, link, .. } => {
            assert_eq!(link, LINK);
            Some((purpose, destination, &packet[..]))
        }
        _ => None,
    };
    outputs.iter().filter_map(packet).collect()
}

/// The advertisement of `from` to its only peer, as it comes from the link.
fn advertisement(from: &VirtualHostConfig) -> Vec<u8> {
    let (_, _, outputs) = master_of(from.clone());
    behind_ethernet(packets(&outputs)[0].2)
}

#[test]
fn each_peer_gets_the_advertisement_and_the_goodbye_in_its_family() {
    let peers = ["10.0.0.3", "fe80::3", "10.9.0.4", "2001:db8::5"];
    let (mut node, host, mut outputs) = master_of(unicast(2, 0, &peers, false));
    node.handle_command(at(3500), host, Command::ShutDown);
    node.handle_command(at(3510), host, Command::Released);
    outputs.extend(drained(&mut node));
    let sent = packets(&outputs);
    let expected = |purpose| list(&peers).into_iter().map(move |peer| (purpose, peer));
    let wanted: Vec<_> = expected(Purpose::Advertisement).chain(expected(Purpose::Goodbye)).collect();
    assert_eq!(sent.iter().map(|(purpose, to, _)| (*purpose, *to)).collect::<Vec<_>>(), wanted);
    for (_, destination, packet) in &sent {
        let received = frame::parse(&behind_ethernet(packet)).unwrap();
        let source: IpAddr =
            if destination.is_ipv4() { Ipv4Addr::new(10, 0, 0, 2).into() } else { link_local(2).into() };
        assert_eq!((received.src, received.dst, received.ttl), (source, *destination, 255));
    }
    let counters: BTreeSet<_> = sent
        .iter()
        .map(|(purpose, _, packet)| {
            let received = frame::parse(&behind_ethernet(packet)).unwrap();
            (*purpose == Purpose::Goodbye, received.advertisement.counter)
        })
        .collect();
    assert_eq!(counters.len(), 2, "one advertisement and one goodbye, whatever the number of peers");
    assert!(frames(&outputs, Purpose::Advertisement).is_empty() && frames(&outputs, Purpose::Goodbye).is_empty());
    assert_eq!(frames(&outputs, Purpose::Announcement).len(), 4, "clients are on the link, not among the peers");
}

#[test]
fn accepted_only_from_a_peer_and_for_the_own_address() {
    let own = unicast(3, 100, &["10.0.0.2", "fe80::2"], false);
    for destination in ["10.0.0.3", "fe80::3"] {
        assert_eq!(reaction(own.clone(), &advertisement(&unicast(2, 0, &[destination], false))), (true, vec![]));
        let stranger = advertisement(&unicast(4, 0, &[destination], false));
        assert_eq!(reaction(own.clone(), &stranger), (false, vec![]), "no peer");
    }
    for destination in ["10.0.0.9", "fe80::9", "10.0.0.100"] {
        let astray = advertisement(&unicast(2, 0, &[destination], false));
        assert_eq!(reaction(own.clone(), &astray), (false, vec![]), "not for us: {destination}");
    }
    for multicast in advertisement_of(dual(2, 0)) {
        assert_eq!(reaction(own.clone(), &multicast), (false, vec![]), "not for us");
    }
    let to_us = advertisement(&unicast(2, 0, &["10.0.0.3"], false));
    assert_eq!(reaction(dual(3, 100), &to_us), (false, vec![]), "a member of the group takes nothing else");
}

#[test]
fn a_router_on_the_way_must_be_allowed() {
    for destination in ["10.0.0.3", "fe80::3"] {
        let routed = with_ttl(&advertisement(&unicast(2, 0, &[destination], false)), 254);
        let peers = ["10.0.0.2", "fe80::2"];
        let (waits, notices) = reaction(unicast(3, 100, &peers, false), &routed);
        let bad_ttl = |notice: &Notice| match notice {
            Notice::Rejected(frame::Rejected { reason, .. }) => *reason == frame::Reason::BadTtl(254),
            _ => false,
        };
        assert!(!waits && notices.len() == 1 && bad_ttl(&notices[0]), "{notices:?}");
        assert_eq!(reaction(unicast(3, 100, &peers, true), &routed), (true, vec![]));
        let (_, damaged) = reaction(unicast(3, 100, &peers, true), &[&routed[..routed.len() - 1], &[0]].concat());
        assert_eq!(damaged.len(), 1, "everything else is checked as ever");
    }
}

#[test]
fn one_that_allows_routers_does_not_allow_them_for_its_neighbours() {
    // Two virtual hosts of one number on one link are a mistake, but not one that may open a door.
    let routed = with_ttl(&advertisement_of(dual(2, 0))[0], 254);
    let mut node = Node::new(1);
    let strict = node.add(dual(3, 100));
    node.add(unicast(3, 100, &["10.0.0.2"], true));
    node.handle_link(at(0), LINK, LinkState::Up(mac(3)));
    drained(&mut node);
    node.handle_frame(at(500), LINK, &routed);
    let refused = |output: &Output| match output {
        Output::Notice { host, notice: Notice::Rejected(rejected) } => {
            *host == strict && rejected.reason == frame::Reason::BadTtl(254)
        }
        _ => false,
    };
    let outputs = drained(&mut node);
    assert!(outputs.len() == 1 && refused(&outputs[0]), "{outputs:?}");
}

#[test]
fn without_an_own_address_nobody_could_answer() {
    let nameless = Local { v4: Ipv4Addr::UNSPECIFIED, v6: None, router: false };
    let (mut node, host) = started(VirtualHostConfig { local: nameless, ..unicast(2, 0, &["10.0.0.3"], false) });
    assert_eq!(node.state(host), State::Init);
    node.set_local(at(5000), host, dual(2, 0).local);
    assert_eq!(node.state(host), State::Backup);
    let (multicast, host) = started(VirtualHostConfig { local: nameless, ..config(2, 0) });
    assert_eq!(multicast.state(host), State::Backup, "a group hears 0.0.0.0 too, as the kernels send");
}

#[test]
fn three_hosts_elect_and_replace_a_master_by_unicast_in_either_family() {
    for v6 in [false, true] {
        let address = |last: u8| if v6 { std::format!("fe80::{last}") } else { std::format!("10.0.0.{last}") };
        let host = |own: u8| {
            let peers: Vec<_> = [2, 3, 4].into_iter().filter(|last| *last != own).map(address).collect();
            unicast(own, 0, &peers.iter().map(|peer| &peer[..]).collect::<Vec<_>>(), false)
        };
        let mut segment = Segment::new([host(3), host(2), host(4)]);
        segment.run_until(8000);
        assert_eq!(segment.masters(), [1], "the lowest address wins ties");
        segment.command(1, Command::ShutDown);
        segment.run_until(10_000);
        let [next] = segment.masters()[..] else { panic!("one of the others: {:?}", segment.masters()) };
        segment.cut_off.push(next);
        segment.run_until(15_000);
        assert_eq!(segment.masters(), [0, 2], "the one that is cut off cannot know");
    }
}
