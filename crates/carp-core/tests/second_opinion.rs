//! What another implementation of the wire formats, etherparse, reads in the frames that we write.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement};
use etherparse::{
    ArpOperation, EtherType, Icmpv6Type, IpNumber, LinkSlice, NetSlice, SlicedPacket, TransportSlice, icmpv6,
};

const ADVERTISEMENT: advertisement::Repr =
    advertisement::Repr { vhid: 10, advbase: 1, advskew: 100, demotion: 0, counter: 0xdead_beef, digest: [0xa5; 20] };

fn advertisement_frame(src: &str, dst: &str, tos: u8) -> AdvertisementFrame {
    let dst = dst.parse().unwrap();
    AdvertisementFrame {
        src_mac: frame::ucarp_mac(10),
        dst_mac: frame::multicast_mac(dst),
        src: src.parse().unwrap(),
        dst,
        tos,
        netbsd_checksum: false,
        advertisement: ADVERTISEMENT,
    }
}

fn assert_ethernet(packet: &SlicedPacket<'_>, dst: &str, src: &str, ethertype: EtherType) {
    let Some(LinkSlice::Ethernet2(ethernet)) = &packet.link else { panic!("no Ethernet header: {packet:?}") };
    let found = (MacAddr(ethernet.destination()).to_string(), MacAddr(ethernet.source()).to_string());
    assert_eq!(found, (dst.to_owned(), src.to_owned()));
    assert_eq!(ethernet.ether_type(), ethertype);
}

#[test]
fn ipv4_advertisement() {
    let bytes = advertisement_frame("10.0.0.2", "239.192.0.1", frame::TOS_LOW_DELAY).emit().unwrap();
    assert_eq!(bytes.len(), 70);
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    assert_ethernet(&packet, "01:00:5e:40:00:01", "00:00:5e:00:00:0a", EtherType::IPV4);
    let Some(NetSlice::Ipv4(ip)) = &packet.net else { panic!("no IPv4 header: {packet:?}") };
    let header = ip.header().to_header();
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    assert_eq!((header.dscp.value() << 2 | header.ecn.value(), header.identification), (0x10, 0));
    assert!(header.dont_fragment && !header.is_fragmenting_payload());
    assert_eq!((header.time_to_live, header.protocol, header.total_len), (255, IpNumber(112), 56));
    assert_eq!((header.source, header.destination), ([10, 0, 0, 2], [239, 192, 0, 1]));
    assert!(header.options.is_empty());
    assert_eq!(ip.payload().payload, ADVERTISEMENT.emit());
}

#[test]
fn ipv6_advertisement() {
    let bytes = advertisement_frame("fe80::2", "ff02::12", 0xe0).emit().unwrap();
    assert_eq!(bytes.len(), 90);
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    assert_ethernet(&packet, "33:33:00:00:00:12", "00:00:5e:00:00:0a", EtherType::IPV6);
    let Some(NetSlice::Ipv6(ip)) = &packet.net else { panic!("no IPv6 header: {packet:?}") };
    let header = ip.header();
    assert_eq!((header.traffic_class(), header.flow_label().value()), (0xe0, 0));
    assert_eq!((header.hop_limit(), header.next_header(), header.payload_length()), (255, IpNumber(112), 36));
    assert_eq!(header.source_addr().to_string(), "fe80::2");
    assert_eq!(header.destination_addr().to_string(), "ff02::12");
    assert_eq!(ip.payload().payload, ADVERTISEMENT.emit());
}

#[test]
fn gratuitous_arp() {
    let mac = MacAddr([0x02, 0, 0, 0, 0, 0x0a]);
    let bytes = frame::gratuitous_arp(mac, "10.0.0.100".parse().unwrap());
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    assert_ethernet(&packet, "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0a", EtherType::ARP);
    let Some(NetSlice::Arp(arp)) = &packet.net else { panic!("no ARP: {packet:?}") };
    let arp = arp.to_packet().try_eth_ipv4().unwrap();
    assert_eq!(arp.operation, ArpOperation::REQUEST);
    assert_eq!((arp.sender_mac, arp.sender_ipv4), (mac.0, [10, 0, 0, 100]));
    assert_eq!((arp.target_mac, arp.target_ipv4), (mac.0, [10, 0, 0, 100]));
}

#[test]
fn unsolicited_neighbour_advertisement() {
    let address = "2001:db8::100".parse().unwrap();
    for router in [false, true] {
        let bytes = frame::unsolicited_na(frame::kernel_mac(10), address, router);
        let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
        assert_ethernet(&packet, "33:33:00:00:00:01", "00:00:5e:00:01:0a", EtherType::IPV6);
        let Some(NetSlice::Ipv6(ip)) = &packet.net else { panic!("no IPv6 header: {packet:?}") };
        let (src, dst) = (ip.header().source_addr(), ip.header().destination_addr());
        assert_eq!((src, dst.to_string(), ip.header().hop_limit()), (address, "ff02::1".to_owned(), 255));

        let Some(TransportSlice::Icmpv6(icmp)) = &packet.transport else { panic!("no ICMPv6: {packet:?}") };
        assert!(icmp.is_checksum_valid(src.octets(), dst.octets()));
        let expected = icmpv6::NeighborAdvertisementHeader { router, solicited: false, r#override: true };
        assert_eq!(icmp.icmp_type(), Icmpv6Type::NeighborAdvertisement(expected));
        let icmpv6::Icmpv6PayloadSlice::NeighborAdvertisement(message) = icmp.payload_slice().unwrap() else {
            panic!("no neighbour advertisement: {icmp:?}");
        };
        assert_eq!(message.target_address(), address);
        assert_eq!(message.options(), [2, 1, 0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a]);
    }
}
