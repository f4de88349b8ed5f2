//! What the tests of [`Node`] share: nodes on a simulated segment, and inputs by hand.

mod authentication;
mod families;
mod grace;
mod group;
mod life;
mod many;
mod reconfiguration;
mod standing;
mod unicast;

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::vec;

use super::*;
use crate::auth::{AddressList, Key};
use crate::election::TieRule;
use crate::host::{Authentication, Credentials, MacMode, Policy, Transport};
use crate::timing::Interval;
use crate::wire::frame::{self, Received};
use crate::wire::{checksum, ethernet};

const LINK: LinkId = LinkId(0);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn config(last_octet: u8, advskew: u8) -> VirtualHostConfig {
    VirtualHostConfig {
        link: LINK,
        vhid: 1,
        credentials: credentials("secret", [IpAddr::V4(VIP)]),
        local: Local::v4(Ipv4Addr::new(10, 0, 0, last_octet)),
        transport: Transport::default(),
        mac: MacMode::Interface,
        interval: Interval { advbase: 1, advskew },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::default(),
        pseudo_header_checksum: false,
        authentication: Authentication::Classic,
        policy: Policy::default(),
    }
}

fn credentials(password: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Credentials {
    Credentials::new(Key::from_password(password.as_bytes()).unwrap(), AddressList::new(addresses))
}

/// Addresses of either family.
fn list(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn link_local(last: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into())
}

/// As [`config`], for two addresses of each family, one of them link-local.
fn dual(last: u8, advskew: u8) -> VirtualHostConfig {
    VirtualHostConfig {
        credentials: credentials("secret", list(&["10.0.0.100", "10.0.0.101", "2001:db8::100", "fe80::100"])),
        local: Local { v6: Some(link_local(last)), ..config(last, 0).local },
        ..config(last, advskew)
    }
}

fn mac(last_octet: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last_octet])
}

/// A node with one virtual host whose link has been up since 0 ms.
fn started(config: VirtualHostConfig) -> (Node, HostId) {
    let mut node = Node::new(config.local.v4.octets()[3].into());
    let host = node.add(config);
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    drained(&mut node);
    (node, host)
}

/// A node that has been MASTER since its dead time ended, with what it did then; its address is there.
fn master_of(config: VirtualHostConfig) -> (Node, HostId, Vec<Output>) {
    let (mut node, host) = started(config);
    let now = node.next_deadline().unwrap();
    node.handle_timeout(now);
    node.handle_command(now, host, Command::Claimed);
    let outputs = drained(&mut node);
    assert_eq!(node.state(host), State::Master);
    (node, host, outputs)
}

fn drained(node: &mut Node) -> Vec<Output> {
    core::iter::from_fn(|| node.poll_output()).collect()
}

/// The frames of this purpose.
fn frames(outputs: &[Output], wanted: Purpose) -> Vec<&[u8]> {
    let frame = |output| match output {
        &Output::Transmit { purpose, ref frame, .. } if purpose == wanted => Some(&frame[..]),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

/// The first advertisement of a MASTER of this configuration, a frame for each family.
fn advertisement_of(config: VirtualHostConfig) -> Vec<Vec<u8>> {
    let (_, _, outputs) = master_of(config);
    frames(&outputs, Purpose::Advertisement).iter().map(|frame| frame.to_vec()).collect()
}

/// A BACKUP of this configuration is handed the frame: whether it waits anew, and what it notices.
fn reaction(config: VirtualHostConfig, frame: &[u8]) -> (bool, Vec<Notice>) {
    let (mut node, _) = started(config);
    let before = node.next_deadline();
    node.handle_frame(at(500), LINK, frame);
    let notices = drained(&mut node).into_iter().map(|output| match output {
        Output::Notice { notice, .. } => notice,
        other => panic!("a BACKUP only notices: {other:?}"),
    });
    let notices = notices.collect();
    (node.next_deadline() != before, notices)
}

/// The frame with another TTL or hop limit, and the IPv4 checksum to match.
fn with_ttl(frame: &[u8], ttl: u8) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame[14] >> 4 == 6 {
        frame[14 + 7] = ttl;
        return frame;
    }
    frame[14 + 8] = ttl;
    frame[24..26].fill(0);
    let sum = checksum::of(&[&frame[14..34]]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// The packet as it comes from the link, behind an Ethernet header.
fn behind_ethernet(packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 { ethernet::EtherType::Ipv4 } else { ethernet::EtherType::Ipv6 };
    let header = ethernet::Repr { dst: mac(0), src: mac(99), ethertype }.emit();
    [&header[..], packet].concat()
}

/// What is under way: sender, the only receiver if there is one, frame.
type Flight = (usize, Option<IpAddr>, Vec<u8>);

/// Nodes with one virtual host each on one segment, whose drivers claim and release addresses at once.
struct Segment {
    nodes: Vec<(Node, HostId)>,
    delay: Duration,
    /// Keyed so that frames arrive in the order in which they were sent.
    in_flight: BTreeMap<(Instant, u64), Flight>,
    sent: u64,
    now: Instant,
    cut_off: Vec<usize>,
    /// Frames of this Ethernet type do not pass.
    filtered: Option<[u8; 2]>,
    log: Vec<(u64, usize, Output)>,
}

impl Segment {
    fn new(configs: impl IntoIterator<Item = VirtualHostConfig>) -> Self {
        let nodes: Vec<_> = configs
            .into_iter()
            .enumerate()
            .map(|(index, config)| {
                let mut node = Node::new(index as u64 + 1);
                let host = node.add(config);
                (node, host)
            })
            .collect();
        let mut segment = Self {
            nodes,
            delay: Duration::from_micros(100),
            in_flight: BTreeMap::new(),
            sent: 0,
            now: at(0),
            cut_off: vec![],
            filtered: None,
            log: vec![],
        };
        for index in 0..segment.nodes.len() {
            segment.nodes[index].0.handle_link(at(0), LINK, LinkState::Up(mac(u8::try_from(index).unwrap())));
            segment.drain(index);
        }
        segment
    }

    fn drain(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].0.poll_output() {
            let command = match &output {
                Output::Claim { .. } => Some(Command::Claimed),
                Output::Release { .. } => Some(Command::Released),
                Output::Transmit { frame, .. } => {
                    self.send(index, None, frame.to_vec());
                    None
                }
                Output::TransmitPacket { destination, packet, .. } => {
                    self.send(index, Some(*destination), behind_ethernet(packet));
                    None
                }
                _ => None,
            };
            self.log.push((self.now.as_nanos() / 1_000_000, index, output));
            if let Some(command) = command {
                let (node, host) = &mut self.nodes[index];
                node.handle_command(self.now, *host, command);
            }
        }
    }

    fn send(&mut self, from: usize, to: Option<IpAddr>, frame: Vec<u8>) {
        if !self.cut_off.contains(&from) && self.filtered.is_none_or(|ethertype| frame[12..14] != ethertype) {
            self.sent += 1;
            self.in_flight.insert((self.now + self.delay, self.sent), (from, to, frame));
        }
    }

    fn command(&mut self, index: usize, command: Command) {
        let (node, host) = &mut self.nodes[index];
        node.handle_command(self.now, *host, command);
        self.drain(index);
    }

    fn reconfigure(&mut self, index: usize, config: VirtualHostConfig, grace: Duration) {
        let (node, host) = &mut self.nodes[index];
        node.reconfigure(self.now, *host, config, grace);
        self.drain(index);
    }

    fn is_at(&self, index: usize, address: IpAddr) -> bool {
        let (node, host) = &self.nodes[index];
        let local = &node.config(*host).local;
        address == IpAddr::V4(local.v4) || local.v6.is_some_and(|own| address == IpAddr::V6(own))
    }

    fn run_until(&mut self, millis: u64) {
        loop {
            let arrival = self.in_flight.keys().next().map(|(instant, _)| *instant);
            let deadline = self.nodes.iter().filter_map(|(node, _)| node.next_deadline()).min();
            let Some(next) = [arrival, deadline].into_iter().flatten().min().filter(|next| *next <= at(millis)) else {
                self.now = at(millis);
                return;
            };
            self.now = next.max(self.now);
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (sender, only, frame) = entry.remove();
                for index in (0..self.nodes.len()).filter(|index| *index != sender) {
                    if !self.cut_off.contains(&index) && only.is_none_or(|only| self.is_at(index, only)) {
                        self.nodes[index].0.handle_frame(self.now, LINK, &frame);
                        self.drain(index);
                    }
                }
            }
            for index in 0..self.nodes.len() {
                self.nodes[index].0.handle_timeout(self.now);
                self.drain(index);
            }
        }
    }

    fn masters(&self) -> Vec<usize> {
        let is_master = |index: &usize| self.nodes[*index].0.state(self.nodes[*index].1) == State::Master;
        (0..self.nodes.len()).filter(is_master).collect()
    }

    fn purposes(&self, index: usize) -> Vec<(u64, Purpose)> {
        let of_node = self.log.iter().filter(|(_, node, _)| *node == index);
        of_node
            .filter_map(|(millis, _, output)| match output {
                Output::Transmit { purpose, .. } => Some((*millis, *purpose)),
                _ => None,
            })
            .collect()
    }

    fn advertisements(&self, index: usize) -> Vec<Received> {
        let frames = self.log.iter().filter_map(|(_, node, output)| match output {
            Output::Transmit { frame, .. } if *node == index => frame::parse(frame).ok(),
            _ => None,
        });
        frames.collect()
    }

    /// Changes of state after `millis`: when, who, to what.
    fn moves_after(&self, millis: u64) -> Vec<(u64, usize, State)> {
        let moves = self.log.iter().filter_map(|(when, node, output)| match output {
            Output::Transition { to, .. } if *when > millis => Some((*when, *node, *to)),
            _ => None,
        });
        moves.collect()
    }
}
