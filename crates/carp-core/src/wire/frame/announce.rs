//! Gratuitous ARP and unsolicited neighbour advertisements: how clients and switches learn that an address is here. And the
//! question who has an address, which says nothing about one's own.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Frame;
use crate::wire::{MacAddr, arp, ethernet, ipv6, ndp};

/// Where unsolicited neighbour advertisements go: all nodes on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Tells the link that `address` is at `mac`: a broadcast request in UCARP 1.5.2's form, which puts the own hardware
/// address into the target field too, where the BSD kernels leave zeros. Not padded: drivers pad to 60 bytes.
#[must_use]
pub fn gratuitous_arp(mac: MacAddr, address: Ipv4Addr) -> Frame {
    let ethernet = ethernet::Repr { dst: MacAddr::BROADCAST, src: mac, ethertype: ethernet::EtherType::Arp };
    let arp = arp::Repr {
        operation: arp::Operation::Request,
        sender_mac: mac,
        sender_ip: address,
        target_mac: mac,
        target_ip: address,
    };
    Frame::of(&[&ethernet.emit(), &arp.emit()])
}

/// Tells the link that `address` is at `mac` (RFC 4861 7.2.6), from the address itself to all nodes, 86 bytes. Set
/// `router` when this host forwards IPv6, or hosts that use `address` as their router drop it (RFC 4861 7.2.5).
#[must_use]
pub fn unsolicited_na(mac: MacAddr, address: Ipv6Addr, router: bool) -> Frame {
    let advertisement =
        ndp::Repr { router, solicited: false, override_cached: true, target: address, link_layer: Some(mac) }
            .emit(address, ALL_NODES);
    let ip = ipv6::Repr {
        traffic_class: 0,
        next_header: ndp::PROTOCOL,
        hop_limit: ndp::HOP_LIMIT,
        src: address,
        dst: ALL_NODES,
        payload_len: u16::try_from(advertisement.len()).expect("the message has 32 bytes"),
    };
    let ethernet =
        ethernet::Repr { dst: super::multicast_mac(ALL_NODES.into()), src: mac, ethertype: ethernet::EtherType::Ipv6 };
    Frame::of(&[&ethernet.emit(), &ip.emit(), &advertisement])
}

/// Asks who has `address` without saying that anybody else does (RFC 5227 2.1.1): the sender's own address is left out.
#[must_use]
pub fn arp_probe(mac: MacAddr, address: Ipv4Addr) -> Frame {
    let ethernet = ethernet::Repr { dst: MacAddr::BROADCAST, src: mac, ethertype: ethernet::EtherType::Arp };
    let arp = arp::Repr {
        operation: arp::Operation::Request,
        sender_mac: mac,
        sender_ip: Ipv4Addr::UNSPECIFIED,
        target_mac: MacAddr([0; 6]),
        target_ip: address,
    };
    Frame::of(&[&ethernet.emit(), &arp.emit()])
}

/// Asks who has `address` as duplicate address detection does (RFC 4862 5.4.2), from no address of its own, so that the
/// answer goes to all nodes.
#[must_use]
pub fn neighbour_probe(mac: MacAddr, address: Ipv6Addr) -> Frame {
    let group = ndp::solicited_node(address);
    let question = ndp::solicitation(address, Ipv6Addr::UNSPECIFIED, group);
    let ip = ipv6::Repr {
        traffic_class: 0,
        next_header: ndp::PROTOCOL,
        hop_limit: ndp::HOP_LIMIT,
        src: Ipv6Addr::UNSPECIFIED,
        dst: group,
        payload_len: u16::try_from(question.len()).expect("the message has 24 bytes"),
    };
    let dst = super::multicast_mac(group.into());
    let ethernet = ethernet::Repr { dst, src: mac, ethertype: ethernet::EtherType::Ipv6 };
    Frame::of(&[&ethernet.emit(), &ip.emit(), &question])
}
