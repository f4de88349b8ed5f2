use super::*;
use crate::wire::ndp;
use std::string::ToString;
use std::vec::Vec;

/// V25 of the vectors with identification 0: UCARP, vhid 1, 192.168.77.1, counter 0123456789abcdef.
const V4: [u8; LEN_V4] = [
    0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x00, 0x01, 0x08, 0x00, 0x45, 0x10, 0x00, 0x38, 0x00,
    0x00, 0x40, 0x00, 0xff, 0x70, 0x8d, 0x89, 0xc0, 0xa8, 0x4d, 0x01, 0xe0, 0x00, 0x00, 0x12, 0x21, 0x01, 0x00, 0x07,
    0x00, 0x01, 0xfc, 0x19, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xc7, 0x5a, 0xb0, 0x0e, 0xd4, 0xdc, 0x16,
    0x37, 0x00, 0x9b, 0xbe, 0x2d, 0xf6, 0x69, 0xfa, 0xd0, 0x87, 0xc0, 0xaa, 0x75,
];
/// Where the CARP header of [`V4`] starts.
const CARP: usize = 34;

fn v4() -> AdvertisementFrame {
    AdvertisementFrame {
        src_mac: ucarp_mac(1),
        dst_mac: multicast_mac(CARP_GROUP_V4.into()),
        src: Ipv4Addr::new(192, 168, 77, 1).into(),
        dst: CARP_GROUP_V4.into(),
        tos: TOS_LOW_DELAY,
        netbsd_checksum: false,
        advertisement: advertisement::Repr {
            vhid: 1,
            advbase: 1,
            advskew: 0,
            demotion: 0,
            counter: 0x0123_4567_89ab_cdef,
            digest: V4[CARP + 16..].try_into().unwrap(),
        },
    }
}

fn v6() -> AdvertisementFrame {
    AdvertisementFrame {
        src_mac: kernel_mac(1),
        dst_mac: multicast_mac(CARP_GROUP_V6.into()),
        src: "fe80::1".parse().unwrap(),
        dst: CARP_GROUP_V6.into(),
        tos: 0,
        ..v4()
    }
}

/// What `parse` must give for a frame that we have emitted.
fn received(sent: &AdvertisementFrame) -> Received {
    Received {
        src_mac: sent.src_mac,
        dst_mac: sent.dst_mac,
        src: sent.src,
        dst: sent.dst,
        ttl: 255,
        ip_id: sent.src.is_ipv4().then_some(0),
        advertisement: sent.advertisement,
    }
}

/// [`V4`] with `edit` applied and both checksums made right again.
fn edited(edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = V4.to_vec();
    edit(&mut frame);
    let carp = 14 + usize::from(frame[14] & 0x0f) * 4;
    for (range, at) in [(14..carp, 24), (carp..frame.len().min(carp + 36), carp + 6)] {
        if at + 2 <= range.end {
            frame[at..at + 2].fill(0);
            let checksum = crate::wire::checksum::of(&[&frame[range]]);
            frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        }
    }
    frame
}

fn rejected(reason: Reason, vhid: Option<u8>) -> Result<Received, Rejected> {
    let sender = Sender { mac: v4().src_mac, ip: v4().src, vhid };
    Err(Rejected { reason, sender: Some(sender) })
}

fn nameless(reason: Reason) -> Result<Received, Rejected> {
    Err(Rejected { reason, sender: None })
}

#[test]
fn parses_and_emits_literal_bytes() {
    assert_eq!(v4().emit().unwrap()[..], V4);
    assert_eq!(parse(&V4), Ok(received(&v4())));
    assert_eq!(edited(|_| ()), V4);
}

#[test]
fn ipv6_is_parsed_with_either_checksum() {
    let plain = v6().emit().unwrap();
    assert_eq!(plain.len(), LEN_V6);
    assert_eq!(plain[60..62], V4[CARP + 6..CARP + 8]);
    assert_eq!(parse(&plain), Ok(received(&v6())));
    let netbsd = AdvertisementFrame { netbsd_checksum: true, ..v6() }.emit().unwrap();
    assert_ne!(netbsd[60..62], plain[60..62]);
    assert_eq!(parse(&netbsd), Ok(received(&v6())));
    let mut wrong = plain.to_vec();
    wrong[60] ^= 1;
    let sender = Sender { mac: v6().src_mac, ip: v6().src, vhid: Some(1) };
    assert_eq!(parse(&wrong), Err(Rejected { reason: Reason::BadChecksum, sender: Some(sender) }));
}

#[test]
fn netbsd_checksum_changes_nothing_over_ipv4() {
    assert_eq!(AdvertisementFrame { netbsd_checksum: true, ..v4() }.emit().unwrap()[..], V4);
}

#[test]
fn families_cannot_be_mixed() {
    let mixed = AdvertisementFrame { dst: CARP_GROUP_V6.into(), ..v4() };
    assert_eq!(mixed.emit(), Err(WireError::MixedFamilies { src: mixed.src, dst: mixed.dst }));
}

#[test]
fn what_others_send_differently_is_accepted() {
    let frame = edited(|f| {
        f[15] = 0xe0; // FreeBSD 13 and later
        f[18..20].copy_from_slice(&[0xbe, 0xef]); // identification
        f[20] = 0; // fragmentation allowed
        f[CARP] = 0x25; // type 5
        f[CARP + 3] = 0; // authlen
        f[CARP + 4] = 77; // demotion
    });
    let mut expected = Received { ip_id: Some(0xbeef), ..received(&v4()) };
    expected.advertisement.demotion = 77;
    assert_eq!(parse(&frame), Ok(expected));
}

#[test]
fn options_padding_and_trailing_bytes_are_skipped() {
    let options = edited(|f| {
        (f[14], f[17]) = (0x46, 60);
        f.splice(34..34, [0x94, 0x04, 0x00, 0x00]);
    });
    assert_eq!(parse(&options), Ok(received(&v4())));
    let trailing = edited(|f| {
        f[17] = 60;
        f.extend([0xee; 4]);
    });
    assert_eq!(parse(&trailing), Ok(received(&v4())));
    let padding = edited(|f| f.extend([0xee; 9]));
    assert_eq!(parse(&padding), Ok(received(&v4())));
}

#[test]
fn a_packet_is_the_frame_without_its_ethernet_header() {
    for sent in [v4(), v6(), AdvertisementFrame { netbsd_checksum: true, ..v6() }] {
        assert_eq!(sent.emit_packet().unwrap()[..], sent.emit().unwrap()[14..]);
    }
    let mixed = AdvertisementFrame { dst: CARP_GROUP_V6.into(), ..v4() };
    assert_eq!(mixed.emit_packet(), Err(WireError::MixedFamilies { src: mixed.src, dst: mixed.dst }));
}

#[test]
fn a_routed_frame_may_have_any_ttl_and_is_checked_like_others_otherwise() {
    for ttl in [0, 1, 254, 255] {
        let frame = edited(|f| f[22] = ttl);
        assert_eq!(parse_routed(&frame), Ok(Received { ttl, ..received(&v4()) }));
        let mut over_v6 = v6().emit().unwrap().to_vec();
        over_v6[21] = ttl;
        assert_eq!(parse_routed(&over_v6), Ok(Received { ttl, ..received(&v6()) }));
        assert_eq!(parse(&frame).is_ok() && parse(&over_v6).is_ok(), ttl == 255);
    }
    assert_eq!(parse_routed(&edited(|f| (f[22], f[CARP]) = (64, 0x31))), rejected(Reason::BadVersion(3), Some(1)));
    let mut checksum = edited(|f| f[22] = 64);
    checksum[CARP + 20] ^= 1;
    assert_eq!(parse_routed(&checksum), rejected(Reason::BadChecksum, Some(1)));
}

#[test]
fn other_traffic_is_not_carp() {
    assert_eq!(parse(&edited(|f| f[23] = 17)), nameless(Reason::NotCarp));
    assert_eq!(parse(&edited(|f| f[12..14].copy_from_slice(&[0x81, 0x00]))), nameless(Reason::NotCarp));
    let arp = gratuitous_arp(ucarp_mac(1), Ipv4Addr::new(10, 0, 0, 100));
    assert_eq!(parse(&arp), nameless(Reason::NotCarp));
    assert_eq!(parse(&unsolicited_na(ucarp_mac(1), CARP_GROUP_V6, false)), nameless(Reason::NotCarp));
}

#[test]
fn frames_cut_anywhere_are_truncated() {
    for frame in [v4(), v6()].map(|frame| frame.emit().unwrap().to_vec()) {
        for len in 0..frame.len() {
            assert_eq!(parse(&frame[..len]), nameless(Reason::Truncated), "{len} of {} bytes", frame.len());
        }
    }
    assert_eq!(parse(&edited(|f| f[14] = 0x44)), nameless(Reason::Truncated));
    assert_eq!(parse(&edited(|f| f[17] = 19)), nameless(Reason::Truncated));
}

#[test]
fn defects_are_told_apart_and_name_the_sender() {
    let mut ip_checksum = V4;
    ip_checksum[25] ^= 1;
    assert_eq!(parse(&ip_checksum), rejected(Reason::BadIpChecksum, None));
    assert_eq!(parse(&edited(|f| f[20] = 0x20)), rejected(Reason::Fragment, None));
    assert_eq!(parse(&edited(|f| f[21] = 0x01)), rejected(Reason::Fragment, None));
    assert_eq!(parse(&edited(|f| f[17] = 55)), rejected(Reason::BadLength(35), None));
    assert_eq!(parse(&edited(|f| f[22] = 254)), rejected(Reason::BadTtl(254), Some(1)));
    assert_eq!(parse(&edited(|f| f[CARP] = 0x11)), rejected(Reason::BadVersion(1), Some(1)));
    let mut checksum = V4;
    checksum[CARP + 20] ^= 1;
    assert_eq!(parse(&checksum), rejected(Reason::BadChecksum, Some(1)));
}

#[test]
fn checks_come_in_the_order_of_ucarp() {
    let mut frame = edited(|f| (f[22], f[CARP]) = (64, 0x31));
    frame[CARP + 7] ^= 1;
    assert_eq!(parse(&frame), rejected(Reason::BadTtl(64), Some(1)));
    let mut frame = edited(|f| f[CARP] = 0x31);
    frame[CARP + 7] ^= 1;
    assert_eq!(parse(&frame), rejected(Reason::BadVersion(3), Some(1)));
    let frame = edited(|f| (f[17], f[22], f[CARP]) = (55, 64, 0x31));
    assert_eq!(parse(&frame), rejected(Reason::BadLength(35), None));
    let mut frame = edited(|f| f[20] = 0x20);
    frame[24] ^= 1;
    assert_eq!(parse(&frame), rejected(Reason::BadIpChecksum, None));
}

#[test]
fn vrrp_is_told_from_carp() {
    // Version 2, router 1, priority 100, one address, no authentication: 20 bytes of VRRP, then padding.
    let vrrp2 = edited(|f| {
        f.truncate(CARP);
        f[17] = 40;
        f.extend([0x21, 1, 100, 1, 0, 1, 0, 0, 192, 168, 77, 254, 0, 0, 0, 0, 0, 0, 0, 0]);
        f.extend([0; 6]);
    });
    assert_eq!(parse(&vrrp2), rejected(Reason::BadLength(20), None));
    // Version 3 with seven addresses.
    let vrrp3 = edited(|f| f[CARP..CARP + 8].copy_from_slice(&[0x31, 7, 100, 7, 0, 100, 0, 0]));
    assert_eq!(parse(&vrrp3), rejected(Reason::BadVersion(3), Some(7)));
}

#[test]
fn reasons_read_well() {
    assert_eq!(parse(&edited(|f| f[22] = 254)).unwrap_err().to_string(), "ttl 254 instead of 255");
    let length = Reason::BadLength(20).to_string();
    assert_eq!(length, "payload of 20 bytes, shorter than the 36 of carp");
}

#[test]
fn gratuitous_arp_is_that_of_ucarp() {
    // Captured from UCARP 1.5.2: 10.99.0.254 at 6a:90:6f:4e:99:ef.
    let captured = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x6a, 0x90, 0x6f, 0x4e, 0x99, 0xef, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00,
        0x06, 0x04, 0x00, 0x01, 0x6a, 0x90, 0x6f, 0x4e, 0x99, 0xef, 0x0a, 0x63, 0x00, 0xfe, 0x6a, 0x90, 0x6f, 0x4e,
        0x99, 0xef, 0x0a, 0x63, 0x00, 0xfe,
    ];
    let mac = MacAddr([0x6a, 0x90, 0x6f, 0x4e, 0x99, 0xef]);
    assert_eq!(gratuitous_arp(mac, Ipv4Addr::new(10, 99, 0, 254))[..], captured);
}

#[test]
fn unsolicited_na_goes_from_the_address_to_all_nodes() {
    let address: Ipv6Addr = "fd77::251".parse().unwrap();
    for router in [false, true] {
        let bytes = unsolicited_na(kernel_mac(3), address, router);
        assert_eq!(bytes.len(), 86);
        let frame = ethernet::Frame::new_checked(&bytes).unwrap();
        assert_eq!((frame.src(), frame.dst()), (kernel_mac(3), MacAddr([0x33, 0x33, 0, 0, 0, 1])));
        let packet = ipv6::Packet::new_checked(frame.payload()).unwrap();
        let header = (packet.src(), packet.dst().to_string(), packet.hop_limit(), packet.next_header());
        assert_eq!(header, (address, "ff02::1".to_string(), 255, 58));
        let message = ndp::Packet::new_checked(packet.payload()).unwrap();
        let expected = ndp::Repr {
            router,
            solicited: false,
            override_cached: true,
            target: address,
            link_layer: Some(kernel_mac(3)),
        };
        assert_eq!(ndp::Repr::parse(&message, packet.src(), packet.dst()), Ok(expected));
    }
}

#[test]
fn addresses_of_groups_and_virtual_hosts() {
    let mac = |group: &str| multicast_mac(group.parse().unwrap()).to_string();
    assert_eq!(mac("224.0.0.18"), "01:00:5e:00:00:12");
    assert_eq!(mac("239.192.0.1"), "01:00:5e:40:00:01");
    assert_eq!(mac("239.255.1.2"), "01:00:5e:7f:01:02");
    assert_eq!(mac("ff02::12"), "33:33:00:00:00:12");
    assert_eq!(mac("ff02::1:ff00:102"), "33:33:ff:00:01:02");
    assert_eq!(ucarp_mac(255).to_string(), "00:00:5e:00:00:ff");
    assert_eq!(kernel_mac(10).to_string(), "00:00:5e:00:01:0a");
}
