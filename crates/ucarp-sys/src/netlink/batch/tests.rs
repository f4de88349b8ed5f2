use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};

use super::*;
use crate::netns;

fn add(number: u32, index: u32) -> RouteNetlinkMessage {
    let address = IpAddr::V4(Ipv4Addr::from(0x0a09_0000 + number));
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    RouteNetlinkMessage::NewAddress(message)
}

#[test]
fn each_outcome_is_at_the_place_of_its_request() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            assert!(connection.request_all(Vec::new(), 0).is_empty());
            // Every third has no interface; there are several datagrams, and both the last of one and the last of all
            // are refused.
            let count = u32::try_from(3 * MOST_AT_ONCE).unwrap();
            let requests = (1..=count).map(|number| add(number, if number % 3 == 0 { 4_000 } else { 1 })).collect();
            let outcomes = connection.request_all(requests, NLM_F_CREATE | NLM_F_EXCL);
            assert_eq!(outcomes.len(), 3 * MOST_AT_ONCE);
            for (number, outcome) in (1..).zip(&outcomes) {
                let errno = outcome.as_ref().err().and_then(NetlinkError::errno);
                assert_eq!(errno, (number % 3 == 0).then_some(libc::ENODEV), "{number}");
            }
            let there = link::list_addresses(&mut connection).unwrap();
            assert_eq!(there.iter().filter(|(_, address)| address.is_ipv4()).count(), 2 * MOST_AT_ONCE + 1);
            // Again: now the others are refused, too, and each says why.
            let requests = (1..=count).map(|number| add(number, 1)).collect();
            let outcomes = connection.request_all(requests, NLM_F_CREATE | NLM_F_EXCL);
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), MOST_AT_ONCE);
            let error = outcomes[0].as_ref().unwrap_err();
            assert!(error.to_string().starts_with("RTM_NEWADDR refused: File exists"), "{error}");
        })
        .unwrap();
}

/// All answers of a datagram wait in the socket before the first is read.
#[test]
fn answers_are_not_lost_when_everything_is_refused() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let requests = (1..=4_080).map(|number| add(number, 4_000)).collect();
            let outcomes = connection.request_all(requests, NLM_F_CREATE | NLM_F_EXCL);
            assert_eq!(outcomes.len(), 4_080);
            for outcome in outcomes {
                assert_eq!(outcome.unwrap_err().errno(), Some(libc::ENODEV));
            }
            // Nothing of it is left for the next.
            connection.request(add(1, 1), NLM_F_CREATE | NLM_F_EXCL).unwrap();
        })
        .unwrap();
}

#[test]
fn a_broken_conversation_is_the_outcome_of_all_that_were_not_refused() {
    let refused = |request| NetlinkError::Malformed { request, reason: "test".into() };
    let mut batch = Batch { count: 4, errors: vec![(0, refused("first")), (2, refused("third"))], ..Batch::default() };
    batch.give_up(Errno::NOBUFS);
    let outcomes: Vec<_> = batch.errors.iter().map(|(number, error)| (*number, error.errno())).collect();
    let broken = Some(libc::ENOBUFS);
    assert_eq!(outcomes, [(0, None), (1, broken), (2, None), (3, broken)]);
}

#[test]
fn interfaces_are_named_in_errors() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            assert_eq!(connection.interface_name(1), "lo");
            assert_eq!(connection.interface_name(4_000), "interface 4000");
        })
        .unwrap();
}
