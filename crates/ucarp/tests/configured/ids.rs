//! Virtual host ids that others use: VRRP, and other groups.

use std::time::Duration;

use carp_core::timing::Interval;
use carp_core::wire::{advertisement, ethernet, frame, ipv4};
use netlab::{now, wait_until};

use crate::harness::{Forger, SOON, Segment, figure_of, later, wait_until_time, web};

const V4: &str = "10.0.0.100";

/// An advertisement of VRRP version 3 with one address, from 10.0.0.9.
fn vrrp(vhid: u8) -> Vec<u8> {
    let payload = [0x31, vhid, 100, 1, 0, 100, 0, 0, 10, 0, 0, 200];
    let ip = ipv4::Repr {
        tos: 0xc0,
        identification: 7,
        dont_fragment: false,
        ttl: 255,
        protocol: advertisement::PROTOCOL,
        src: [10, 0, 0, 9].into(),
        dst: frame::CARP_GROUP_V4,
        payload_len: u16::try_from(payload.len()).expect("it is short"),
    };
    let (dst, src) = (frame::multicast_mac(frame::CARP_GROUP_V4.into()), frame::kernel_mac(vhid));
    let ethernet = ethernet::Repr { dst, src, ethertype: ethernet::EtherType::Ipv4 };
    [&ethernet.emit()[..], &ip.emit(), &payload].concat()
}

#[test]
fn a_vrrp_router_with_the_same_id_is_named_with_an_id_that_is_free() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let other = Forger::new(2, "other", &["10.0.0.101"], "10.0.0.8");
    node.start(&web(&[V4], ""));
    let text = "Virtual host id used by VRRP: VRRP version 3 of 10.0.0.9 (00:00:5e:00:01:01) has 1 too";
    let told = wait_until(SOON, || {
        // Others use 2 and 3.
        other.advertise(&segment, Interval { advbase: 1, advskew: 0 }, 0);
        [3, 1].into_iter().for_each(|vhid| segment.lab.inject(&vrrp(vhid)).expect("frames can be sent"));
        node.lines(text, 0) > 0
    });
    assert!(told, "{}", node.said());
    node.wait_for_line("give this group another one, such as 4, which nobody was heard with", 0);
    assert_eq!(node.lines("Virtual host id used by VRRP: VRRP", 0), 1, "{}", node.said());
}

#[test]
fn another_group_with_the_same_id_is_told_with_an_id_that_is_free() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let other = Forger::new(1, "nobody knows", &["10.0.0.77"], "10.0.0.8");
    node.start(&web(&[V4], ""));
    other.advertise(&segment, Interval { advbase: 1, advskew: 0 }, 0);
    node.wait_for_line("if that is another group, vhid 2 is free as far as was heard", 0);
}

#[test]
fn a_flood_of_vrrp_costs_hardly_anything() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4], ""));
    // The first moment of listening is over.
    let master = node.wait_for_line("Switching to state: MASTER", 0);
    wait_until_time(later(master, Duration::from_secs(2)));
    let engine = node.process().children()[0];
    let (before, since, mut sent) = (figure_of(engine), now(), 0_u32);
    wait_until(Duration::from_secs(4), || {
        for _ in 0..500 {
            segment.lab.inject(&vrrp(1)).expect("frames can be sent");
        }
        sent += 500;
        false
    });
    let used = figure_of(engine) - before;
    // Ticks of 10 ms: an engine that read the frames would use some hundred of them.
    assert!(sent > 10_000, "{sent} frames");
    assert!(used <= 5, "{used} ticks for {sent} frames in {:?}", Duration::from_nanos(now() - since));
}
