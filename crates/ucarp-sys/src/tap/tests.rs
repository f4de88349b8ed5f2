use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use crate::netns;

fn wait_for_frame(tap: &TapSocket, buffer: &mut [u8]) -> Seen {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(seen) = tap.recv(buffer).unwrap() {
            return seen;
        }
        assert!(Instant::now() < deadline, "no frame");
        poll(&mut [PollFd::new(tap, PollFlags::IN)], Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
    }
}

#[test]
fn a_frame_is_seen_once_with_its_time_and_interface() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let tap = TapSocket::open().unwrap();
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let before = crate::clock::boottime();
            socket.send_to(b"to ourselves", socket.local_addr().unwrap()).unwrap();
            let after = crate::clock::boottime();
            let mut buffer = [0; 2048];
            let seen = wait_for_frame(&tap, &mut buffer);
            assert_eq!(seen.ifindex, 1);
            assert_eq!(&buffer[seen.length - 12..seen.length], b"to ourselves");
            assert_eq!(seen.length, 14 + 20 + 8 + 12);
            // The conversion between clocks reads two of them, some nanoseconds apart.
            let slack = 1_000_000;
            assert!(seen.at + slack > before && seen.at < after + slack, "{before} {} {after}", seen.at);
            assert_eq!(tap.recv(&mut buffer).unwrap(), None);
            assert_eq!(tap.dropped().unwrap(), 0);
        })
        .unwrap();
}

#[test]
fn lost_frames_are_counted() {
    let Some(namespace) = netns::for_test() else { return };
    namespace
        .run(|| {
            let tap = TapSocket::open().unwrap();
            // The smallest buffer the kernel allows.
            set_number(tap.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1).unwrap();
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            for _ in 0..100 {
                socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
            }
            let mut seen = 0;
            while tap.recv(&mut [0; 2048]).unwrap().is_some() {
                seen += 1;
            }
            assert!(seen > 0 && seen < 100, "{seen}");
            assert_eq!(tap.dropped().unwrap(), 100 - seen);
        })
        .unwrap();
}

#[test]
fn a_vlan_tag_goes_behind_the_addresses() {
    let mut buffer = [0; 24];
    for (value, byte) in (1..=16).zip(&mut buffer) {
        *byte = value;
    }
    assert_eq!(put_back(&mut buffer, 16, [0x81, 0, 0, 5]), 20);
    assert_eq!(buffer[..20], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0, 0, 5, 13, 14, 15, 16]);
    // No room for all of it, none for the tag, and no addresses to put it behind.
    assert_eq!(put_back(&mut buffer[..18], 16, [0x81, 0, 0, 5]), 18);
    assert_eq!(put_back(&mut buffer[..14], 14, [0x81, 0, 0, 5]), 14);
    assert_eq!(put_back(&mut buffer, 5, [0x81, 0, 0, 5]), 5);
}

#[test]
fn a_stamp_from_before_the_clock_was_set_is_not_used() {
    let before = crate::clock::boottime();
    for stamp in [libc::timespec { tv_sec: 0, tv_nsec: 0 }, libc::timespec { tv_sec: i64::from(u32::MAX), tv_nsec: 0 }]
    {
        let at = boottime_of(Some(stamp));
        assert!(at >= before && at <= crate::clock::boottime());
    }
    assert!(boottime_of(None) >= before);
}
