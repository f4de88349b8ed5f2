use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::address::{self, Assignment, Lease};
use crate::netlink::Connection;
use crate::netns;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 8, 7);

fn address() -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = 1;
    message.attributes = vec![AddressAttribute::Local(ADDRESS.into()), AddressAttribute::Address(ADDRESS.into())];
    message
}

fn add_address(connection: &mut Connection) {
    connection.request(RouteNetlinkMessage::NewAddress(address()), NLM_F_CREATE | NLM_F_EXCL).unwrap();
}

fn remove_address(connection: &mut Connection) {
    connection.request(RouteNetlinkMessage::DelAddress(address()), 0).unwrap();
}

fn set(index: u32, change: impl FnOnce(&mut LinkMessage), connection: &mut Connection) {
    let mut message = LinkMessage::default();
    message.header.index = index;
    change(&mut message);
    connection.request(RouteNetlinkMessage::SetLink(message), 0).unwrap();
}

fn add(index: u32, name: &str, info: Vec<LinkInfo>, connection: &mut Connection) {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![LinkAttribute::IfName(name.into()), LinkAttribute::LinkInfo(info)];
    connection.request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL).unwrap();
}

/// Reads until an event satisfies `wanted`, and returns all up to it.
fn until(monitor: &mut Monitor, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut seen = Vec::new();
    loop {
        seen.extend(monitor.read().unwrap());
        if seen.iter().any(&wanted) {
            return seen;
        }
        assert!(Instant::now() < deadline, "not among {seen:?}");
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        poll(&mut [PollFd::new(monitor, PollFlags::IN)], Some(&second)).unwrap();
    }
}

fn veth() -> Vec<LinkInfo> {
    let mut peer = LinkMessage::default();
    peer.header.index = 11;
    peer.attributes.push(LinkAttribute::IfName("right".into()));
    vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))]
}

#[test]
fn addresses_come_and_go() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let mut monitor = Monitor::open().unwrap();
            assert_eq!(monitor.read().unwrap(), [], "nothing has changed yet");
            add_address(&mut connection);
            remove_address(&mut connection);
            let events = until(&mut monitor, |event| matches!(event, Event::AddressRemoved { .. }));
            let address = ADDRESS.into();
            let port = connection.port();
            assert_ne!(port, 0, "the kernel's own");
            let by = Some(Requester(port));
            assert_eq!(
                events,
                [Event::AddressAdded { index: 1, address }, Event::AddressRemoved { index: 1, address, by }]
            );
        })
        .unwrap();
}

#[test]
fn one_that_was_prepared_hears_nothing_before_it_is_told_to_and_then_of_addresses_alone() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let mut monitor = Monitor::prepare().unwrap();
            add_address(&mut connection);
            remove_address(&mut connection);
            assert_eq!(monitor.read().unwrap(), []);
            monitor.hear_addresses().unwrap();
            add(20, "v0", veth(), &mut connection);
            add_address(&mut connection);
            let events = until(&mut monitor, |event| matches!(event, Event::AddressAdded { .. }));
            assert_eq!(events, [Event::AddressAdded { index: 1, address: ADDRESS.into() }]);
        })
        .unwrap();
}

/// A renewal of an address with our mark is not told of, and neither is its first time; that it went is. Whoever adds or
/// changes another address is heard.
#[test]
fn renewals_do_not_wake_the_reader() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let place = |address: IpAddr| Assignment {
                index: 1,
                address,
                prefix_len: if address.is_ipv4() { 32 } else { 128 },
            };
            let ours = [place(ADDRESS.into()), place("2001:db8::1".parse().unwrap())];
            let leases = ours.map(|at| Lease::new(at, Some(Duration::from_secs(60))).prepare());
            let marked = {
                assert!(address::put(&mut connection, &leases.each_ref()).is_empty());
                address::list(&mut connection).unwrap().iter().any(|found| found.protocol == Some(address::PROTOCOL))
            };
            let mut monitor = Monitor::open().unwrap();
            for _ in 0..100 {
                assert!(address::put(&mut connection, &leases.each_ref()).is_empty());
            }
            add(10, "left", veth(), &mut connection);
            let another = Ipv4Addr::new(10, 9, 8, 8).into();
            let mut message = address();
            message.attributes = vec![AddressAttribute::Local(another), AddressAttribute::Address(another)];
            connection.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL).unwrap();
            assert!(address::remove(&mut connection, &ours).is_empty());
            let mut events = until(
                &mut monitor,
                |event| matches!(event, Event::AddressRemoved { address, .. } if *address == ours[1].address),
            );
            events.retain(|event| !matches!(event, Event::LinkChanged(_)));
            let expected = [
                Event::AddressAdded { index: 1, address: another },
                Event::AddressRemoved { index: 1, address: ours[0].address, by: Some(Requester(connection.port())) },
                Event::AddressRemoved { index: 1, address: ours[1].address, by: None },
            ];
            if marked {
                assert_eq!(events, expected);
            } else {
                // A kernel before 5.18 keeps no marks and tells everything.
                assert!(events.ends_with(&expected), "{events:?}");
            }
        })
        .unwrap();
}

#[test]
fn links_come_change_are_renamed_and_go() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let mut monitor = Monitor::open().unwrap();
            add(10, "left", veth(), &mut connection);
            until(
                &mut monitor,
                |event| matches!(event, Event::LinkChanged(link) if link.index == 10 && link.name == "left"),
            );

            set(10, |m| m.attributes.push(LinkAttribute::IfName("other".into())), &mut connection);
            until(
                &mut monitor,
                |event| matches!(event, Event::LinkChanged(link) if link.index == 10 && link.name == "other"),
            );

            for index in [10, 11] {
                set(
                    index,
                    |m| {
                        m.header.flags = LinkFlags::Up;
                        m.header.change_mask = LinkFlags::Up;
                    },
                    &mut connection,
                );
            }
            until(&mut monitor, |event| matches!(event, Event::LinkChanged(link) if link.index == 10 && link.running));
            set(11, |m| m.header.change_mask = LinkFlags::Up, &mut connection);
            until(
                &mut monitor,
                |event| matches!(event, Event::LinkChanged(link) if link.index == 10 && link.up && !link.running),
            );

            let mut message = LinkMessage::default();
            message.header.index = 10;
            connection.request(RouteNetlinkMessage::DelLink(message), 0).unwrap();
            let gone = Event::LinkGone { index: 10, name: "other".into() };
            until(&mut monitor, |event| *event == gone);
        })
        .unwrap();
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            add(10, "left", veth(), &mut connection);
            add(20, "bridge", vec![LinkInfo::Kind(InfoKind::Bridge)], &mut connection);
            let mut monitor = Monitor::open().unwrap();
            set(10, |m| m.attributes.push(LinkAttribute::Controller(20)), &mut connection);
            // A change of the port alone, which is told in the bridge family.
            let port = InfoPortData::BridgePort(vec![InfoBridgePort::Isolated(true)]);
            let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(port)];
            let mut change = LinkMessage::default();
            change.header.index = 10;
            change.attributes.push(LinkAttribute::LinkInfo(info));
            connection.request(RouteNetlinkMessage::NewLink(change), 0).unwrap();
            set(10, |m| m.attributes.push(LinkAttribute::Controller(0)), &mut connection);
            add_address(&mut connection);
            let events = until(&mut monitor, |event| matches!(event, Event::AddressAdded { .. }));
            assert!(
                events.iter().any(|event| matches!(event, Event::LinkChanged(link) if link.index == 10)),
                "{events:?}"
            );
            assert!(!events.iter().any(|event| matches!(event, Event::LinkGone { .. })), "{events:?}");
        })
        .unwrap();
}

#[test]
fn lost_changes_are_told_once_the_reader_comes() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let mut monitor = Monitor::open().unwrap();
            for _ in 0..3000 {
                add_address(&mut connection);
                remove_address(&mut connection);
            }
            let events = monitor.read().unwrap();
            assert!(events.contains(&Event::Overrun), "{} events", events.len());
            assert!(events.len() <= MAX_DATAGRAMS, "one call is bounded, this one has {}", events.len());
            // It works on afterwards.
            while !monitor.read().unwrap().is_empty() {}
            add_address(&mut connection);
            let events = until(&mut monitor, |event| matches!(event, Event::AddressAdded { .. }));
            assert_eq!(events.len(), 1);
        })
        .unwrap();
}

#[test]
fn what_cannot_be_decoded_counts_as_lost() {
    let mut bytes = [0_u8; 40];
    bytes[0] = 40; // length
    bytes[4] = 16; // RTM_NEWLINK
    bytes[32] = 200; // an attribute longer than the message
    assert_eq!(event(&bytes), Some(Event::Overrun));
}
