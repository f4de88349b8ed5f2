use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_MULTIPART};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use super::*;
use crate::netns;

fn loopback_address(last: u8) -> RouteNetlinkMessage {
    let address = IpAddr::V4(Ipv4Addr::new(10, 9, 8, last));
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = 1;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    RouteNetlinkMessage::NewAddress(message)
}

fn serialize(payload: NetlinkPayload<RouteNetlinkMessage>, sequence: u32, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.sequence_number = sequence;
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[test]
fn a_refusal_names_the_request_and_keeps_the_errno() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let flags = NLM_F_CREATE | NLM_F_EXCL;
            connection.request(loopback_address(1), flags).unwrap();
            let error = connection.request(loopback_address(1), flags).unwrap_err();
            assert_eq!(error.errno(), Some(libc::EEXIST));
            assert!(error.to_string().starts_with("RTM_NEWADDR refused: File exists"), "{error}");
            // The connection is still good.
            connection.request(loopback_address(2), flags).unwrap();
        })
        .unwrap();
}

#[test]
fn the_kernels_own_words_are_in_the_error() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::IfName("x".into()));
            message.attributes.push(LinkAttribute::Mtu(u32::MAX));
            message.header.index = 1;
            let error = Connection::open().unwrap().request(RouteNetlinkMessage::SetLink(message), 0).unwrap_err();
            assert!(error.to_string().contains('('), "{error}");
        })
        .unwrap();
}

#[test]
fn a_dump_has_everything() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            // Several datagrams: about 80 bytes for each address.
            for last in 1..=250 {
                connection.request(loopback_address(last), NLM_F_CREATE | NLM_F_EXCL).unwrap();
            }
            let mut question = AddressMessage::default();
            question.header.family = AddressFamily::Inet;
            let dump = connection.dump(&RouteNetlinkMessage::GetAddress(question)).unwrap();
            // With 127.0.0.1, which the kernel adds when the loopback comes up.
            assert_eq!(dump.len(), 251);
        })
        .unwrap();
}

#[test]
fn split_walks_padded_messages_and_stops_at_a_cut_one() {
    let first = serialize(NetlinkPayload::Overrun(vec![7; 3]), 1, 0);
    let second = serialize(NetlinkPayload::Noop, 2, 0);
    let mut datagram = first.clone();
    datagram.resize(first.len().next_multiple_of(4), 0);
    datagram.extend_from_slice(&second);
    let lengths: Vec<usize> = split(&datagram).map(<[u8]>::len).collect();
    assert_eq!(lengths, [first.len(), second.len()]);
    assert_eq!(split(&datagram[..datagram.len() - 1]).count(), 1);
    assert_eq!(split(&[]).count(), 0);
    // A length of zero must not loop for ever.
    assert_eq!(split(&[0; 64]).count(), 0);
}

#[test]
fn an_answer_ignores_the_rest_of_an_older_one_and_notices_interruption() {
    let mut answer = Answer::default();
    let entry = || NetlinkPayload::InnerMessage(loopback_address(1));
    answer.take(&serialize(entry(), 6, NLM_F_MULTIPART), 7, "test").unwrap();
    assert!(answer.messages.is_empty());
    answer.take(&serialize(entry(), 7, NLM_F_MULTIPART), 7, "test").unwrap();
    assert!(!answer.interrupted && !answer.finished);
    answer.take(&serialize(entry(), 7, NLM_F_MULTIPART | NLM_F_DUMP_INTR), 7, "test").unwrap();
    assert!(answer.interrupted);
    assert_eq!(answer.messages.len(), 2);
    let mut done = serialize(NetlinkPayload::Noop, 7, NLM_F_MULTIPART);
    done[4] = 3; // NLMSG_DONE
    answer.take(&done, 7, "test").unwrap();
    assert!(answer.finished);
}

#[test]
fn an_entry_that_cannot_be_decoded_does_not_hide_the_others() {
    let mut answer = Answer::default();
    let mut bad = serialize(NetlinkPayload::InnerMessage(loopback_address(1)), 7, 0);
    bad[24] = 200; // the first attribute's length, beyond the end
    answer.take(&bad, 7, "test").unwrap();
    answer.take(&serialize(NetlinkPayload::InnerMessage(loopback_address(2)), 7, 0), 7, "test").unwrap();
    assert_eq!(answer.messages, [loopback_address(2)]);
}
