use std::time::Duration;

use super::*;
use crate::link;
use crate::packet::tests::ip;
use crate::testing::{Pair, host_and_client};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(10);

/// Long enough for an answer that is not to come.
const MOMENT: Duration = Duration::from_millis(300);

/// Both have addresses; the host may use sockets without privilege if `pings`.
fn pair(pings: bool) -> Option<Pair> {
    let pair = host_and_client()?;
    pair.host
        .run(|| {
            ip("address add 192.0.2.1/24 dev left");
            ip("address add 2001:db8::1/64 dev left nodad");
            let range = if pings { "0 2147483647" } else { "1 0" };
            std::fs::write("/proc/sys/net/ipv4/ping_group_range", range).unwrap();
        })
        .unwrap();
    pair.client
        .run(|| {
            ip("address add 192.0.2.2/24 dev right");
            ip("address add 2001:db8::2/64 dev right nodad");
            ip("address add fe80::2/64 dev right nodad");
        })
        .unwrap();
    Some(pair)
}

fn answers(target: &str, interface: Option<&str>, within: Duration) -> bool {
    let echo = Echo::open(target.parse().unwrap(), interface).unwrap();
    let deadline = Instant::now() + within;
    // The interface's own address may still be checked for duplicates.
    while let Err(error) = echo.send() {
        assert!(Instant::now() < deadline, "{target}: {error}");
    }
    echo.is_answered(deadline).unwrap()
}

#[test]
fn hosts_that_are_there_answer_and_others_do_not() {
    for pings in [true, false] {
        let Some(pair) = pair(pings) else { return };
        let ask = || {
            assert!(answers("192.0.2.2", None, SOON));
            assert!(answers("192.0.2.2", Some("left"), SOON));
            assert!(answers("2001:db8::2", None, SOON));
            assert!(answers("fe80::2", Some("left"), SOON));
            assert!(!answers("192.0.2.3", None, MOMENT));
            assert!(!answers("2001:db8::3", None, MOMENT));
            let missing = Echo::open("192.0.2.2".parse().unwrap(), Some("nothing")).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
            let unreachable = Echo::open("203.0.113.1".parse().unwrap(), None).unwrap().send().unwrap_err();
            assert_eq!(unreachable.raw_os_error(), Some(libc::ENETUNREACH));
        };
        pair.host.run(ask).unwrap();
    }
}

/// A request for 192.0.2.2 from 192.0.2.1.
const REQUEST: [u8; 28] = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x0a, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2];

#[test]
fn neighbours_answer_arp() {
    let Some(pair) = pair(false) else { return };
    let ask = || {
        let left = link::by_name("left").unwrap().unwrap();
        let socket = ArpSocket::open(&left).unwrap();
        socket.broadcast(&REQUEST).unwrap();
        let reply = |packet: &[u8]| (packet.get(7) == Some(&2)).then(|| packet[8..18].to_vec());
        let found = socket.wait(Instant::now() + SOON, reply).unwrap().expect("it answers");
        assert_eq!(found, [2, 0, 0, 0, 0, 0x0b, 192, 0, 2, 2]);
        assert_eq!(socket.wait(Instant::now() + MOMENT, reply).unwrap(), None);
    };
    pair.host.run(ask).unwrap();
}

#[test]
fn neighbours_answer_solicitations() {
    let Some(pair) = pair(false) else { return };
    let ask = || {
        let left = link::by_name("left").unwrap().unwrap();
        let socket = NeighbourSocket::open(&left).unwrap();
        let target: Ipv6Addr = "2001:db8::2".parse().unwrap();
        socket.solicit(target, left.mac.unwrap()).unwrap();
        let about_it = |message: &[u8]| (message.get(8..24) == Some(&target.octets())).then(|| message[0]);
        assert_eq!(socket.wait(Instant::now() + SOON, about_it).unwrap(), Some(136));
    };
    pair.host.run(ask).unwrap();
}
