use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkInfo};

use super::*;
use crate::netns;

/// A cable from `name` (index 10) to `peer` (index 11), both down.
fn cable(connection: &mut Connection, name: &str, peer: &str) {
    let end = |name: &str, index| {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::IfName(name.into()));
        message.attributes.push(LinkAttribute::Address(vec![2, 0, 0, 0, 0, index.try_into().unwrap()]));
        message
    };
    let mut message = end(name, 10);
    let peer = InfoData::Veth(InfoVeth::Peer(end(peer, 11)));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(peer)]));
    connection.request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL).unwrap();
}

fn up(connection: &mut Connection, index: u32) {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    connection.request(RouteNetlinkMessage::SetLink(message), 0).unwrap();
}

#[test]
fn links_are_what_the_kernel_has() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            cable(&mut connection, "left", "right");
            let lo = by_name("lo").unwrap().unwrap();
            assert!(lo.loopback && lo.up && lo.running && lo.index == 1 && lo.hardware_type == libc::ARPHRD_LOOPBACK);
            let left = Link {
                index: 10,
                name: "left".into(),
                up: false,
                running: false,
                mac: Some([2, 0, 0, 0, 0, 10]),
                hardware_type: HARDWARE_ETHERNET,
                loopback: false,
            };
            assert_eq!(by_name("left").unwrap(), Some(left.clone()));
            assert_eq!(first_usable().unwrap(), None);

            // Up without a partner: wanted, but no carrier.
            up(&mut connection, 10);
            assert_eq!(by_name("left").unwrap(), Some(Link { up: true, ..left.clone() }));
            assert_eq!(first_usable().unwrap(), None);

            up(&mut connection, 11);
            let usable = Link { up: true, running: true, ..left };
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
            while by_name("left").unwrap().as_ref() != Some(&usable) {
                assert!(std::time::Instant::now() < deadline, "no carrier");
                std::thread::yield_now();
            }
            // The other end gets its carrier a moment before or after: the first in order counts.
            assert_eq!(first_usable().unwrap(), Some(usable));
            let names: Vec<String> = all().unwrap().into_iter().map(|link| link.name).collect();
            assert_eq!(names, ["lo", "left", "right"]);
        })
        .unwrap();
}

#[test]
fn a_name_that_no_interface_can_have_is_not_found() {
    for name in ["", "sixteen-letters!", "nul\0inside", "no-such-link"] {
        assert_eq!(by_name(name).unwrap(), None, "{name:?}");
    }
}

#[test]
fn addresses_are_local_ends() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let mut connection = Connection::open().unwrap();
            let mut message = AddressMessage::default();
            message.header.family = AddressFamily::Inet;
            message.header.prefix_len = 32;
            message.header.index = 1;
            message.attributes = vec![
                AddressAttribute::Address(Ipv4Addr::new(10, 0, 0, 2).into()),
                AddressAttribute::Local(Ipv4Addr::new(10, 0, 0, 1).into()),
            ];
            connection.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL).unwrap();
            let mut found = addresses().unwrap();
            found.sort();
            let expected: [IpAddr; 3] =
                [Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            assert_eq!(found, expected.map(|address| (1, address)));
        })
        .unwrap();
}
