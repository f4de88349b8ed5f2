use std::time::Duration;

use super::*;
use crate::filter::Program;
use crate::packet::tests::{accept_all, cable, in_new_network, ip, next_frame, until};
use crate::packet::{Family, Options, PacketSocket};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// How many sockets of this namespace are in the group on link `left`, as the kernel lists it.
fn members() -> u32 {
    let list = std::fs::read_to_string("/proc/thread-self/net/igmp").unwrap();
    let of_left = list.lines().skip_while(|line| !line.contains("\tleft ")).skip(1);
    let line = of_left.take_while(|line| line.starts_with('\t')).find(|line| line.contains("120000E0"));
    line.map_or(0, |line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// Waits for this number of members. A child that another test forks has a copy of the socket until it executes
/// something.
fn left_are(number: u32) {
    until("leave", || (members() == number).then_some(()));
}

fn members_v6() -> bool {
    let list = std::fs::read_to_string("/proc/thread-self/net/igmp6").unwrap();
    list.lines().any(|line| line.contains(" left ") && line.contains("ff020000000000000000000000000012"))
}

#[test]
fn joins_and_leaves_on_the_link_it_was_told() {
    in_new_network(|| {
        let (left, right) = cable();
        assert_eq!(members(), 0);
        let on_right = Membership::join(right, GROUP).unwrap();
        assert_eq!(members(), 0);
        let first = Membership::join(left, GROUP).unwrap();
        let second = Membership::join(left, GROUP).unwrap();
        assert_eq!(members(), 2);
        drop((on_right, first));
        left_are(1);
        drop(second);
        left_are(0);
    });
}

#[test]
fn joins_and_leaves_an_ipv6_group() {
    in_new_network(|| {
        let (left, _) = cable();
        assert!(!members_v6());
        let membership = Membership::join_v6(left, GROUP_V6).unwrap();
        assert!(members_v6());
        drop(membership);
        until("leave", || (!members_v6()).then_some(()));
    });
}

/// What a snooping switch waits for: an IGMP version 3 report that names the group, after joining and after the link
/// was down.
#[test]
fn the_kernel_reports_the_group_on_the_wire() {
    in_new_network(|| {
        let (left, right) = cable();
        let switch = PacketSocket::open(right, &Program(vec![accept_all()])).unwrap();
        let report = || {
            until("IGMP report", || {
                let frame = next_frame(&switch, Duration::from_millis(50))?;
                (frame.get(23) == Some(&2) && frame.windows(4).any(|octets| octets == GROUP.octets())).then_some(())
            });
        };
        let _membership = Membership::join(left, GROUP).unwrap();
        report();
        ip("link set left down");
        while next_frame(&switch, Duration::ZERO).is_some() {}
        ip("link set left up");
        report();
    });
}

/// The same for IPv6: a report of MLD version 2, behind the router alert option.
#[test]
fn the_kernel_reports_the_ipv6_group_on_the_wire() {
    in_new_network(|| {
        let (left, right) = cable();
        let options = Options { family: Family::Ipv6, lock_filter: true, receive_buffer_bytes: None };
        let switch = PacketSocket::open_with(right, &Program(vec![accept_all()]), &options).unwrap();
        let report = || {
            until("MLD report", || {
                let frame = next_frame(&switch, Duration::from_millis(50))?;
                let names_it = frame.windows(16).any(|octets| octets == GROUP_V6.octets());
                (frame.get(62) == Some(&143) && names_it).then_some(())
            });
        };
        let _membership = Membership::join_v6(left, GROUP_V6).unwrap();
        report();
        ip("link set left down");
        while next_frame(&switch, Duration::ZERO).is_some() {}
        ip("link set left up");
        report();
        assert!(members_v6());
    });
}

#[test]
fn errors_name_their_cause() {
    in_new_network(|| {
        let (left, _) = cable();
        let errno = |result: io::Result<Membership>| result.err().and_then(|error| error.raw_os_error());
        assert_eq!(errno(Membership::join(left, Ipv4Addr::new(10, 0, 0, 1))), Some(libc::EINVAL));
        assert_eq!(errno(Membership::join_v6(left, Ipv6Addr::LOCALHOST)), Some(libc::EINVAL));
        for ifindex in [0, 4_000, u32::MAX] {
            assert_eq!(errno(Membership::join(ifindex, GROUP)), Some(libc::ENODEV), "{ifindex}");
            assert_eq!(errno(Membership::join_v6(ifindex, GROUP_V6)), Some(libc::ENODEV), "{ifindex}");
        }
    });
}
