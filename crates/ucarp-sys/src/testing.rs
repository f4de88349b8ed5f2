//! For tests: a host and a client on one cable, each in a network namespace of its own.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use crate::link;
use crate::netlink::Connection;
use crate::netns::{self, NetNs};
use crate::packet::tests::{cable, ip, until};
use crate::poll::Poller;
use crate::tap::TapSocket;

/// The host has the end `left` (02:00:00:00:00:0a), the client `right` (02:00:00:00:00:0b).
pub(crate) struct Pair {
    pub(crate) host: NetNs,
    pub(crate) client: NetNs,
}

/// Both ends of the cable are up and can carry frames. `None` where this process may not make namespaces.
pub(crate) fn host_and_client() -> Option<Pair> {
    let pair = Pair { host: netns::for_test()?, client: netns::for_test()? };
    let client = pair.client.as_fd().as_raw_fd();
    let at_host = || {
        let (_, right) = cable();
        let mut message = LinkMessage::default();
        message.header.index = right;
        message.attributes.push(LinkAttribute::NetNsFd(client));
        Connection::open().unwrap().request(RouteNetlinkMessage::SetLink(message), 0).unwrap();
    };
    pair.host.run(at_host).unwrap();
    pair.client.run(|| ip("link set right up")).unwrap();
    until("carrier", || pair.host.run(|| link::by_name("left").unwrap().unwrap().running.then_some(())).unwrap());
    Some(pair)
}

/// Every frame that comes in until `patience` is over or `wanted` has enough of them.
pub(crate) fn frames(tap: &TapSocket, patience: Duration, wanted: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let mut seen = Vec::new();
    let mut buffer = [0; 2048];
    while !wanted(&seen) {
        if let Some(frame) = tap.recv(&mut buffer).unwrap() {
            seen.push(buffer[..frame.length].to_vec());
            continue;
        }
        let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
        Poller::new().wait([tap.as_fd()], Some(left)).unwrap();
    }
    seen
}
