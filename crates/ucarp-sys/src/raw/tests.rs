use std::time::Duration;

use super::*;
use crate::link;
use crate::packet::tests::{cable, in_new_network, ip, until};
use crate::tap::TapSocket;
use crate::testing::{frames, host_and_client};

/// An IPv4 packet of CARP's protocol number with TTL 255, identification 0x1234 and "do not fragment".
fn ipv4(to: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0x10, 0, 28, 0x12, 0x34, 0x40, 0, 255, 112, 0, 0, 10, 0, 0, 2];
    packet.extend(to);
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    packet[10..12].copy_from_slice(&(!u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()).to_be_bytes());
    packet.extend(*b"contents");
    packet
}

fn ipv6(from: &str, to: &str) -> Vec<u8> {
    let mut packet = vec![0x6e, 0, 0, 0, 0, 8, 112, 255];
    packet.extend(from.parse::<Ipv6Addr>().unwrap().octets());
    packet.extend(to.parse::<Ipv6Addr>().unwrap().octets());
    packet.extend(*b"contents");
    packet
}

fn index(name: &str) -> u32 {
    link::by_name(name).unwrap().unwrap().index
}

#[test]
fn a_packet_arrives_as_it_was_sent() {
    let Some(pair) = host_and_client() else { return };
    let at_client = || {
        ip("addr add 10.0.0.9/24 dev right");
        ip("addr add 2001:db8::9/64 dev right nodad");
        ip("addr add fe80::9/64 dev right nodad");
        TapSocket::open().unwrap()
    };
    let tap = pair.client.run(at_client).unwrap();
    let at_host = || {
        ip("addr add 10.0.0.2/24 dev left");
        ip("addr add 2001:db8::2/64 dev left nodad");
        ip("addr add fe80::2/64 dev left nodad");
        (RawSocket::open_v4(index("left")).unwrap(), RawSocket::open_v6(index("left")).unwrap())
    };
    let (v4, v6) = pair.host.run(at_host).unwrap();
    let packets = [
        (&v4, ipv4([10, 0, 0, 9]), [8, 0]),
        (&v6, ipv6("2001:db8::2", "2001:db8::9"), [0x86, 0xdd]),
        (&v6, ipv6("fe80::2", "fe80::9"), [0x86, 0xdd]),
    ];
    for (socket, packet, ethertype) in packets {
        let is_it = |frame: &Vec<u8>| frame[12..14] == ethertype && frame.ends_with(b"contents");
        let arrived = until("packet", || {
            // The first waits for the MAC address.
            socket.send(&packet).unwrap();
            frames(&tap, Duration::from_millis(300), |seen| seen.iter().any(is_it)).into_iter().find(is_it)
        });
        assert_eq!(arrived[..12], [2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a]);
        assert_eq!(arrived[14..], packet);
        while !frames(&tap, Duration::from_millis(20), |seen| !seen.is_empty()).is_empty() {}
    }
}

/// Not the packets of the protocol number 255 either, which the kernel would hand to an unfiltered socket of this kind.
#[test]
fn nothing_is_received() {
    let Some(pair) = host_and_client() else { return };
    let at_host = || {
        ip("addr add 10.0.0.2/24 dev left");
        let plain = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::RAW)).unwrap();
        rustix::io::ioctl_fionbio(&plain, true).unwrap();
        (RawSocket::open_v4(index("left")).unwrap(), plain)
    };
    let (socket, plain) = pair.host.run(at_host).unwrap();
    let at_client = || {
        ip("addr add 10.0.0.9/24 dev right");
        RawSocket::open_v4(index("right")).unwrap()
    };
    let sender = pair.client.run(at_client).unwrap();
    let mut packet = ipv4([10, 0, 0, 2]);
    packet[9] = 255;
    packet[15] = 9;
    let received = |fd: &OwnedFd| rustix::net::recv(fd, &mut [0; 64], rustix::net::RecvFlags::empty()).is_ok();
    until("packet at the plain socket", || {
        sender.send(&packet).unwrap();
        std::thread::yield_now();
        received(&plain).then_some(())
    });
    // The kernel hands each packet to one socket after the other: what the plain one had, this one had, or a moment later.
    sender.send(&packet).unwrap();
    until("another packet at the plain socket", || received(&plain).then_some(()));
    assert!(!received(&socket.fd));
}

#[test]
fn errors_name_their_cause() {
    in_new_network(|| {
        let (left, _) = cable();
        for ifindex in [0, 4_000, u32::MAX] {
            assert_eq!(RawSocket::open_v4(ifindex).err().unwrap().raw_os_error(), Some(libc::ENODEV), "{ifindex}");
            assert_eq!(RawSocket::open_v6(ifindex).err().unwrap().raw_os_error(), Some(libc::ENODEV), "{ifindex}");
        }
        ip("addr add 10.0.0.2/24 dev left");
        let (v4, v6) = (RawSocket::open_v4(left).unwrap(), RawSocket::open_v6(left).unwrap());
        let (packet, packet_v6) = (ipv4([10, 0, 0, 9]), ipv6("2001:db8::2", "2001:db8::9"));
        for (socket, packet) in
            [(&v4, &packet_v6[..]), (&v6, &packet), (&v4, &packet[..19]), (&v6, &packet_v6[..39]), (&v4, &[])]
        {
            assert_eq!(socket.send(packet).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{packet:?}");
        }
        let errno = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        let mut long = packet.clone();
        long.resize(1_600, 0);
        assert_eq!(errno(v4.send(&long)), Some(libc::EMSGSIZE));
        assert_eq!(errno(v4.send(&ipv4([10, 0, 0, 255]))), Some(libc::EACCES));
        assert!(matches!(errno(v6.send(&packet_v6)), Some(libc::ENETUNREACH | libc::EADDRNOTAVAIL)));
        ip("link set left down");
        assert!(matches!(errno(v4.send(&packet)), Some(libc::ENETUNREACH | libc::ENETDOWN)));
        ip("link del left");
        assert!(v4.send(&packet).is_err());
    });
}
