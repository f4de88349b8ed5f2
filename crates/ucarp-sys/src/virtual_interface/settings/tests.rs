use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::*;
use crate::address::{self, Assignment, Lease};
use crate::filter::nothing;
use crate::link;
use crate::netlink::Connection;
use crate::packet::PacketSocket;
use crate::packet::tests::{cable, in_new_network, ip, until};
use crate::tap::TapSocket;
use crate::testing::{Pair, frames, host_and_client};
use crate::virtual_interface::tests::{VIRTUAL_MAC, carp};
use crate::virtual_interface::{create, set_up};

const PARENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x0a];
const VIRTUAL: [u8; 4] = [10, 0, 0, 100];
const OWN_ADDRESS: [u8; 4] = [10, 0, 0, 2];
const VIRTUAL_V6: &str = "2001:db8::100";

/// A host with a virtual interface that holds its virtual addresses, and a client that knows nothing yet.
fn pair(rp_filter: &str, settings: impl FnOnce() + Send) -> Option<Pair> {
    let pair = host_and_client()?;
    let at_host = || {
        for interface in ["all", "left"] {
            for (key, value) in [("rp_filter", rp_filter), ("arp_ignore", "0"), ("arp_announce", "0")] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/{key}"), value).unwrap();
            }
        }
        std::fs::write("/proc/sys/net/ipv4/conf/default/rp_filter", rp_filter).unwrap();
        ip("addr add 10.0.0.2/24 dev left");
        ip("addr add 2001:db8::2/64 dev left nodad");
        // The one that the kernel makes is not usable while it is checked for duplicates, and without any the host does
        // not ask for the client's MAC.
        ip("addr add fe80::2/64 dev left nodad");
        let mut connection = Connection::open().unwrap();
        let left = link::by_name("left").unwrap().unwrap().index;
        let index = create(&mut connection, &[carp(left)]).pop().unwrap().unwrap();
        settings();
        set_up(&mut connection, &[index], true).pop().unwrap().unwrap();
        let addresses = [IpAddr::from(VIRTUAL), VIRTUAL_V6.parse().unwrap()];
        let leases = addresses.map(|address| {
            let prefix_len = if address.is_ipv4() { 32 } else { 128 };
            Lease::new(Assignment { index, address, prefix_len }, None).prepare()
        });
        assert!(address::put(&mut connection, &leases.each_ref()).is_empty());
    };
    pair.host.run(at_host).unwrap();
    let at_client = || {
        ip("addr add 10.0.0.9/24 dev right");
        ip("addr add 2001:db8::9/64 dev right nodad");
        ip("addr add fe80::9/64 dev right nodad");
    };
    pair.client.run(at_client).unwrap();
    Some(pair)
}

/// What must arrive has this much time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a datagram to this address of the host arrives there and the answer comes back.
fn answers(pair: &Pair, address: IpAddr, patience: Duration) -> bool {
    let server = pair.host.run(|| UdpSocket::bind((address, 5_000)).unwrap()).unwrap();
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client = pair.client.run(|| UdpSocket::bind(any).unwrap()).unwrap();
    server.set_read_timeout(Some(patience)).unwrap();
    client.set_read_timeout(Some(patience)).unwrap();
    client.send_to(b"?", (address, 5_000)).unwrap();
    let Ok((_, from)) = server.recv_from(&mut [0; 8]) else { return false };
    server.send_to(b"!", from).unwrap();
    client.recv_from(&mut [0; 8]).is_ok_and(|(_, from)| from == SocketAddr::new(address, 5_000))
}

/// The MAC addresses that ARP replies among these frames give for an address.
fn arp_replies(frames: &[Vec<u8>], address: [u8; 4]) -> Vec<[u8; 6]> {
    let replies = frames.iter().filter(|frame| frame[12..14] == [8, 6] && frame[20..22] == [0, 2]);
    replies.filter(|frame| frame[28..32] == address).map(|frame| frame[22..28].try_into().unwrap()).collect()
}

/// The MAC addresses that neighbour advertisements among these frames give for the virtual address.
fn advertised(frames: &[Vec<u8>]) -> Vec<[u8; 6]> {
    let IpAddr::V6(address) = VIRTUAL_V6.parse().unwrap() else { unreachable!() };
    let is_one = |frame: &&Vec<u8>| frame.get(54) == Some(&136) && frame.get(62..78) == Some(&address.octets()[..]);
    frames.iter().filter(is_one).map(|frame| frame[80..86].try_into().unwrap()).collect()
}

/// What comes within the time in which a second answer would come.
fn everything(tap: &TapSocket) -> Vec<Vec<u8>> {
    frames(tap, Duration::from_millis(200), |_| false)
}

#[test]
fn clients_learn_the_virtual_mac_under_each_reverse_path_rule() {
    for rp_filter in ["0", "1", "2"] {
        let settings = || {
            apply("carp7", "left").unwrap();
            let changed = apply_to_parent("left").unwrap();
            assert_eq!(changed, PARENT.map(|setting| (setting, "0".to_owned())));
            for (interface, settings) in [("left", &PARENT[..]), ("carp7", &OWN)] {
                assert_eq!(unmet(interface, settings).unwrap(), []);
            }
        };
        let Some(pair) = pair(rp_filter, settings) else { return };
        let tap = pair.client.run(|| TapSocket::open().unwrap()).unwrap();
        for address in [VIRTUAL.into(), OWN_ADDRESS.into(), VIRTUAL_V6.parse().unwrap()] {
            assert!(answers(&pair, address, PATIENCE), "{address} with rp_filter {rp_filter}");
        }
        let seen = everything(&tap);
        assert_eq!(arp_replies(&seen, VIRTUAL), [VIRTUAL_MAC], "rp_filter {rp_filter}");
        assert_eq!(advertised(&seen), [VIRTUAL_MAC], "rp_filter {rp_filter}");
        assert!(!arp_replies(&seen, OWN_ADDRESS).contains(&VIRTUAL_MAC), "rp_filter {rp_filter}");
        // This host speaks from the virtual address to somebody it does not know yet.
        let speaker = pair.host.run(|| UdpSocket::bind((IpAddr::from(VIRTUAL), 0)).unwrap()).unwrap();
        speaker.send_to(b"!", "10.0.0.77:9").unwrap();
        let asks = |frame: &Vec<u8>| frame[12..14] == [8, 6] && frame[38..42] == [10, 0, 0, 77];
        let seen = frames(&tap, Duration::from_secs(5), |seen| seen.iter().any(asks));
        let request = seen.iter().find(|frame| asks(frame)).expect("an arp request");
        assert_eq!((&request[22..28], &request[28..32]), (&PARENT_MAC[..], &OWN_ADDRESS[..]));
    }
}

/// The evidence for what the documentation of this module says, and for each half of the settings.
#[test]
fn without_the_settings_the_macs_are_mixed_up() {
    let Some(nothing_set) = pair("0", || {}) else { return };
    let tap = nothing_set.client.run(|| TapSocket::open().unwrap()).unwrap();
    assert!(answers(&nothing_set, VIRTUAL.into(), PATIENCE));
    let replies = arp_replies(&everything(&tap), VIRTUAL);
    assert!(replies.contains(&PARENT_MAC) && replies.contains(&VIRTUAL_MAC), "{replies:x?}");

    let Some(own_only) = pair("0", || apply("carp7", "left").unwrap()) else { return };
    let tap = own_only.client.run(|| TapSocket::open().unwrap()).unwrap();
    assert!(answers(&own_only, VIRTUAL.into(), PATIENCE));
    let replies = arp_replies(&everything(&tap), VIRTUAL);
    assert!(replies.contains(&PARENT_MAC), "the parent answers whatever its macvlan is set to: {replies:x?}");

    let parent_only = || {
        apply_to_parent("left").unwrap();
    };
    let Some(strict) = pair("1", parent_only) else { return };
    assert!(
        !answers(&strict, VIRTUAL.into(), Duration::from_secs(1)),
        "a strict reverse-path filter drops what comes in"
    );
}

#[test]
fn what_is_unmet_counts_what_all_says() {
    in_new_network(|| {
        cable();
        let set = |interface: &str, key: &str, value: &str| {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/{key}"), value).unwrap();
        };
        for (all, own, expected) in [
            ("0", "0", false),
            ("1", "0", true),
            ("0", "1", true),
            ("2", "0", true),
            ("3", "1", false),
            ("0", "8", false),
        ] {
            set("all", "arp_ignore", all);
            set("left", "arp_ignore", own);
            assert_eq!(unmet("left", &[ARP_IGNORE]).unwrap().is_empty(), expected, "all {all}, left {own}");
        }
        let missing = unmet("gone", &PARENT).unwrap_err();
        assert!(missing.to_string().contains("ipv4/conf/gone/arp_ignore"), "{missing}");
    });
}

#[test]
fn it_forwards_if_its_parent_does() {
    for (v4, v6) in [("0", "1"), ("1", "0")] {
        let settings = move || {
            sysctl::write(Family::Ipv4, "left", "forwarding", v4).unwrap();
            sysctl::write(Family::Ipv6, "left", "forwarding", v6).unwrap();
            apply("carp7", "left").unwrap();
        };
        let Some(pair) = pair("0", settings) else { return };
        let read = |family| sysctl::read(family, "carp7", "forwarding").unwrap();
        assert_eq!(pair.host.run(|| (read(Family::Ipv4), read(Family::Ipv6))).unwrap(), (v4.into(), v6.into()));
    }
}

/// A router advertisement of 2001:db8:1::/64, from fe80::b, with a lifetime as default router.
fn router_advertisement() -> Vec<u8> {
    let source = "fe80::b".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let all_nodes = "ff02::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0]);
    message.extend("2001:db8:1::".parse::<std::net::Ipv6Addr>().unwrap().octets());
    let length = u8::try_from(message.len()).unwrap();
    let words = [&source[..], &all_nodes, &[0, 0, 0, length, 0, 0, 0, 58], &message].concat();
    let sum: u32 = words.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    message[2..4].copy_from_slice(&(!u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()).to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x0b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255];
    frame.extend([&source[..], &all_nodes, &message].concat());
    frame
}

#[test]
fn it_makes_no_addresses_of_router_advertisements() {
    let settings = || {
        sysctl::write(Family::Ipv6, "left", "forwarding", "0").unwrap();
        sysctl::write(Family::Ipv6, "left", "accept_ra", "1").unwrap();
        apply("carp7", "left").unwrap();
    };
    let Some(pair) = pair("0", settings) else { return };
    let router = || {
        let right = link::by_name("right").unwrap().unwrap().index;
        PacketSocket::open(right, &nothing()).unwrap()
    };
    let router = pair.client.run(router).unwrap();
    let of_prefix = |name: &str| {
        let index = link::by_name(name).unwrap().unwrap().index;
        let all = link::addresses().unwrap();
        all.iter().any(|(of, address)| *of == index && address.to_string().starts_with("2001:db8:1:"))
    };
    until("address on the parent", || {
        router.send(&router_advertisement()).unwrap();
        let deadline = Instant::now() + Duration::from_millis(50);
        while Instant::now() < deadline {
            if pair.host.run(|| of_prefix("left")).unwrap() {
                return Some(());
            }
        }
        None
    });
    // The macvlan's copy is handed over a little later than the parent's.
    let deadline = Instant::now() + Duration::from_millis(200);
    while Instant::now() < deadline {
        assert!(!pair.host.run(|| of_prefix("carp7")).unwrap());
    }
}
