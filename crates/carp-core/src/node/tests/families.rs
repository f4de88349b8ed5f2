//! Both families, IPv6 alone, Ethernet addresses, and the forms that other implementations send.

use std::string::ToString as _;

use super::*;
use crate::auth::Authenticator;
use crate::wire::{arp, ipv6, ndp};

/// Ethernet source and the address, of gratuitous ARP and of neighbour advertisements with their router flag.
fn announced(frame: &[u8]) -> (MacAddr, IpAddr, Option<bool>) {
    let ethernet = ethernet::Frame::new_checked(frame).unwrap();
    if ethernet.ethertype() == ethernet::EtherType::Arp {
        let packet = arp::Packet::new_checked(ethernet.payload()).unwrap();
        let repr = arp::Repr::parse(&packet).unwrap();
        assert_eq!((repr.sender_mac, repr.sender_ip), (ethernet.src(), repr.target_ip));
        return (ethernet.src(), repr.sender_ip.into(), None);
    }
    let packet = ipv6::Packet::new_checked(ethernet.payload()).unwrap();
    let message = ndp::Packet::new_checked(packet.payload()).unwrap();
    let repr = ndp::Repr::parse(&message, packet.src(), packet.dst()).unwrap();
    assert_eq!((repr.link_layer, packet.src()), (Some(ethernet.src()), repr.target));
    (ethernet.src(), repr.target.into(), Some(repr.router))
}

#[test]
fn an_advertisement_goes_out_once_in_each_family_with_one_counter_ipv4_first() {
    let (mut node, host, mut outputs) = master_of(dual(2, 7));
    let lists = dual(2, 7).credentials;
    let signed = Authenticator::new(&lists.key, 1, &lists.addresses.without_link_local());
    let mut counters = BTreeSet::new();
    for round in 0..5 {
        let sent = frames(&outputs, Purpose::Advertisement);
        assert_eq!(sent.len(), 2, "round {round}");
        let [v4, v6] = [sent[0], sent[1]].map(|frame| frame::parse(frame).unwrap());
        assert_eq!((v4.src, v4.dst), ("10.0.0.2".parse().unwrap(), frame::CARP_GROUP_V4.into()));
        assert_eq!((v6.src, v6.dst), (link_local(2).into(), frame::CARP_GROUP_V6.into()));
        assert_eq!((v4.dst_mac, v6.dst_mac), (MacAddr([1, 0, 0x5e, 0, 0, 0x12]), MacAddr([0x33, 0x33, 0, 0, 0, 0x12])));
        assert_eq!((v4.src_mac, v6.src_mac), (frame::ucarp_mac(1), frame::ucarp_mac(1)));
        assert_eq!(v4.advertisement, v6.advertisement, "counter, interval and digest");
        assert!(signed.verify(v4.advertisement.counter, &v4.advertisement.digest));
        assert!(counters.insert(v4.advertisement.counter));
        let now = at(3028) + Duration::from_millis(1000 + 28) * (round + 1);
        node.handle_timeout(now);
        outputs = drained(&mut node);
    }
    assert_eq!(node.state(host), State::Master);
}

#[test]
fn every_address_is_announced_in_its_family_with_the_router_flag_of_the_host() {
    for router in [false, true] {
        let mut config = dual(2, 0);
        config.local.router = router;
        let (_, _, outputs) = master_of(config);
        let told: Vec<_> = frames(&outputs, Purpose::Announcement).into_iter().map(announced).collect();
        let expected: Vec<_> = list(&["10.0.0.100", "10.0.0.101", "2001:db8::100", "fe80::100"])
            .into_iter()
            .map(|address| (mac(2), address, address.is_ipv6().then_some(router)))
            .collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn the_goodbye_is_said_once_in_each_family_and_nothing_follows() {
    let (mut node, host, _) = master_of(dual(2, 0));
    node.handle_command(at(3500), host, Command::ShutDown);
    node.handle_command(at(3510), host, Command::Released);
    let outputs = drained(&mut node);
    let sent = frames(&outputs, Purpose::Goodbye);
    let [v4, v6] = [sent[0], sent[1]].map(|frame| frame::parse(frame).unwrap());
    assert_eq!(sent.len(), 2);
    assert!(v4.src.is_ipv4() && v6.src.is_ipv6());
    assert_eq!(v4.advertisement, v6.advertisement);
    assert_eq!((v4.advertisement.advbase, v4.advertisement.advskew), (255, 255));
    assert_eq!(node.next_deadline(), None);
    node.handle_timeout(at(60_000));
    assert_eq!(drained(&mut node), []);
}

#[test]
fn two_dual_stack_nodes_agree_whichever_family_passes() {
    for filtered in [None, Some([0x08, 0x00]), Some([0x86, 0xdd])] {
        for [one, other] in [[dual(2, 0), dual(3, 0)], [dual(2, 0), dual(3, 50)]] {
            let mut segment = Segment::new([one, other]);
            segment.filtered = filtered;
            segment.run_until(20_000);
            assert_eq!(segment.masters(), [0], "without {filtered:x?}");
            assert_eq!(segment.moves_after(9000), [], "without {filtered:x?}");
        }
    }
}

#[test]
fn without_ipv4_on_the_wire_ties_are_decided_by_the_addresses_of_ipv6() {
    // By its IPv4 address the first would win, by its IPv6 address the second.
    let second = VirtualHostConfig { local: Local { v6: Some(link_local(1)), ..dual(3, 0).local }, ..dual(3, 0) };
    for (filtered, master) in [(None, 0), (Some([0x08, 0x00]), 1)] {
        let mut segment = Segment::new([dual(2, 0), second.clone()]);
        segment.filtered = filtered;
        segment.run_until(20_000);
        assert_eq!(segment.masters(), [master], "without {filtered:x?}");
    }
}

fn v6_only(last: u8, advskew: u8) -> VirtualHostConfig {
    VirtualHostConfig { credentials: credentials("secret", list(&["2001:db8::100"])), ..dual(last, advskew) }
}

#[test]
fn ipv6_alone_is_advertised_from_the_link_local_address() {
    let sent = advertisement_of(v6_only(2, 0));
    let [frame] = &sent[..] else { panic!("one family, one frame: {sent:?}") };
    let received = frame::parse(frame).unwrap();
    assert_eq!((received.src, received.dst), (link_local(2).into(), frame::CARP_GROUP_V6.into()));
    let mut segment = Segment::new([v6_only(3, 0), v6_only(2, 0), v6_only(4, 0)]);
    segment.run_until(20_000);
    assert_eq!(segment.masters(), [1], "the lowest address wins");
}

#[test]
fn ipv6_alone_waits_in_init_for_a_source_address() {
    let without = Local { v6: None, ..dual(2, 0).local };
    let mut node = Node::new(1);
    let host = node.add(VirtualHostConfig { local: without, ..v6_only(2, 0) });
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    assert_eq!((node.state(host), node.next_deadline()), (State::Init, None));
    node.handle_timeout(at(9000));
    assert_eq!(drained(&mut node), []);

    node.set_local(at(10_000), host, dual(2, 0).local);
    let reason = Reason::LinkUp;
    let started = Output::Transition { host, from: State::Init, to: State::Backup, reason };
    assert_eq!(drained(&mut node), [started]);
    assert_eq!(node.next_deadline(), Some(at(13_000)), "it listens for a whole dead time first");
    node.handle_timeout(at(13_000));
    assert_eq!(node.state(host), State::Master);
    drained(&mut node);

    node.set_local(at(14_000), host, without);
    let reason = Reason::NoSourceAddress;
    let lost = Output::Transition { host, from: State::Master, to: State::Init, reason };
    assert_eq!(drained(&mut node), [lost, Output::Release { host }], "silently, as when the link is lost");
}

#[test]
fn a_dual_stack_node_that_loses_its_link_local_address_goes_on_over_ipv4() {
    let (mut node, host, _) = master_of(dual(2, 0));
    node.set_local(at(3500), host, Local { v6: None, ..dual(2, 0).local });
    node.handle_timeout(at(4000));
    let outputs = drained(&mut node);
    assert_eq!(node.state(host), State::Master);
    assert_eq!(frames(&outputs, Purpose::Advertisement).len(), 1);
}

#[test]
fn a_virtual_mac_is_the_source_of_advertisements_and_what_addresses_are_announced_at() {
    let config = VirtualHostConfig { vhid: 0x2a, mac: MacMode::Virtual, ..dual(2, 0) };
    let (_, _, outputs) = master_of(config);
    let expected = MacAddr([0x00, 0x00, 0x5e, 0x00, 0x01, 0x2a]);
    for frame in frames(&outputs, Purpose::Advertisement) {
        assert_eq!(frame::parse(frame).unwrap().src_mac, expected);
    }
    let announced: Vec<_> = frames(&outputs, Purpose::Announcement).into_iter().map(announced).collect();
    assert_eq!(announced.len(), 4);
    assert!(announced.iter().all(|(mac, ..)| *mac == expected), "{announced:?}");
}

#[test]
fn broadcast_is_an_ethernet_address_and_changes_no_ip_address() {
    let transport =
        Transport::Multicast { v4: Ipv4Addr::new(239, 1, 2, 3), v6: "ff02::99".parse().unwrap(), broadcast: true };
    let sent = advertisement_of(VirtualHostConfig { transport: transport.clone(), ..dual(2, 0) });
    let received = [&sent[0], &sent[1]].map(|frame| frame::parse(frame).unwrap());
    assert_eq!(received.map(|one| one.dst_mac), [MacAddr::BROADCAST; 2]);
    assert_eq!(received.map(|one| one.dst.to_string()), ["239.1.2.3", "ff02::99"]);
    let same_group = VirtualHostConfig { transport, ..dual(3, 100) };
    assert!(sent.iter().all(|frame| reaction(same_group.clone(), frame) == (true, vec![])));
    assert!(sent.iter().all(|frame| reaction(dual(3, 100), frame) == (false, vec![])), "another group is not ours");
}

#[test]
fn each_family_alone_keeps_a_backup_waiting() {
    for frame in advertisement_of(dual(2, 0)) {
        assert_eq!(reaction(dual(3, 100), &frame), (true, vec![]));
        let mut damaged = frame.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let (waits, notices) = reaction(dual(3, 100), &damaged);
        assert!(!waits && matches!(notices[..], [Notice::Rejected(_)]), "{notices:?}");
    }
}

#[test]
fn either_checksum_over_ipv6_is_accepted_and_the_configured_one_is_sent() {
    let with_pseudo_header = VirtualHostConfig { pseudo_header_checksum: true, ..dual(2, 0) };
    for (config, pseudo) in [(dual(2, 0), false), (with_pseudo_header, true)] {
        let sent = advertisement_of(config);
        let packet = |frame: &[u8]| {
            let ethernet = ethernet::Frame::new_checked(frame).unwrap();
            ipv6::Packet::new_checked(ethernet.payload()).unwrap().payload().to_vec()
        };
        let payload = packet(&sent[1]);
        let header = checksum::pseudo_header(link_local(2), frame::CARP_GROUP_V6, 36, 112);
        assert_eq!(checksum::of(&[&header, &payload]) == 0, pseudo);
        assert_eq!(checksum::of(&[&payload]) == 0, !pseudo);
        for pseudo_header_checksum in [false, true] {
            let receiver = VirtualHostConfig { pseudo_header_checksum, ..dual(3, 100) };
            assert!(sent.iter().all(|frame| reaction(receiver.clone(), frame) == (true, vec![])));
        }
    }
}

#[test]
fn digests_with_and_without_link_local_addresses_are_both_accepted() {
    let with = |last, link_local_in_digest| {
        let config = dual(last, if last == 2 { 0 } else { 100 });
        VirtualHostConfig { credentials: Credentials { link_local_in_digest, ..config.credentials.clone() }, ..config }
    };
    let digests = [false, true].map(|whole| frame::parse(&advertisement_of(with(2, whole))[0]).unwrap().advertisement);
    assert_eq!(digests[0].counter, digests[1].counter, "the same seed");
    assert_ne!(digests[0].digest, digests[1].digest);
    for (sent, accepted) in [(false, false), (false, true), (true, false), (true, true)] {
        for frame in advertisement_of(with(2, sent)) {
            assert_eq!(reaction(with(3, accepted), &frame), (true, vec![]), "sent {sent}, own form {accepted}");
        }
    }
}
