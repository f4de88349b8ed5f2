//! The code that ships: a `carp-core` node with one virtual host, and what a planted fault does to it.

use std::net::IpAddr;

use carp_core::host::{
    self as core_host, Authentication, Counters, Local, MacMode, Policy, Transport, VirtualHostConfig,
};
use carp_core::node::{HostId, LinkId, Node, Output};
use carp_core::time::Instant;
use carp_core::wire::{MacAddr, ethernet};

use crate::machine::{Act, Birth, Input, Reload, Why};
use crate::sabotage::{Sabotage, Saboteur};
use crate::spec::{Credentials, Families, Spec, VHID};

/// The only link.
const LINK: LinkId = LinkId(0);

/// A node of ours.
pub(crate) struct Ours {
    node: Node,
    host: HostId,
    transport: Transport,
    authentication: Authentication,
    saboteur: Option<Saboteur>,
    demotion: i32,
}

impl Ours {
    pub(crate) fn new(birth: &Birth<'_>) -> Self {
        let Birth { spec, credentials, peers, seed, sabotage, authentication, now, wall } = *birth;
        let saboteur = sabotage.map(|sabotage| Saboteur::new(sabotage, birth));
        let transport = if peers.is_empty() {
            Transport::default()
        } else {
            Transport::Unicast { peers: peers.to_vec(), any_ttl: false }
        };
        let spec = saboteur.as_ref().map_or(*spec, Saboteur::spec);
        let authentication = sabotage.and_then(Sabotage::authentication).unwrap_or(authentication);
        let mut node = Node::new(seed);
        node.set_clock(now, wall);
        let host = node.add(config(&spec, credentials, transport.clone(), authentication));
        Self { node, host, transport, authentication, saboteur, demotion: 0 }
    }

    /// How many advertisements it has doubted.
    pub(crate) fn doubts(&self) -> u64 {
        let Counters { replayed, stale, tampered, unstamped, reflected, misplaced } = self.node.counters(self.host);
        if self.saboteur.as_ref().is_some_and(Saboteur::counts_nothing) {
            return 0;
        }
        replayed + stale + tampered + unstamped + reflected + misplaced
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = self.node.next_deadline();
        match &self.saboteur {
            None => deadline,
            Some(saboteur) => saboteur.deadline(self.node.state(self.host), deadline),
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>, acts: &mut Vec<Act>) {
        let Some(mut saboteur) = self.saboteur.take() else {
            self.hand_in(now, input);
            return self.drain(acts);
        };
        let (state, wanted, mut genuine) = (self.node.state(self.host), self.node.next_deadline(), Vec::new());
        let now = saboteur.time(now, state, wanted);
        if let Some(frame) = saboteur.frame(now, state, input) {
            self.hand_in(now, Input::Frame(&frame));
        } else if let Some(inputs) = saboteur.reload(now, state, input) {
            inputs.into_iter().for_each(|input| self.hand_in(now, input));
        } else if saboteur.lets_in(state, input) {
            self.hand_in(now, input);
        }
        self.drain(&mut genuine);
        if let Some(command) = saboteur.acts(now, genuine, acts) {
            self.hand_in(now, Input::Command(command));
            self.drain(acts);
        }
        self.saboteur = Some(saboteur);
    }

    fn hand_in(&mut self, now: Instant, input: Input<'_>) {
        let (node, host) = (&mut self.node, self.host);
        match input {
            Input::Frame(frame) => node.handle_frame(now, LINK, frame),
            Input::Link(state) => node.handle_link(now, LINK, state),
            Input::Command(command) => node.handle_command(now, host, command),
            Input::Reload(Reload { spec, credentials, grace }) => {
                let config = config(&spec, credentials, self.transport.clone(), self.authentication);
                node.reconfigure(now, host, config, grace);
            }
            Input::Demote(by) => {
                self.demotion += by;
                node.set_demotion(now, host, u16::try_from(self.demotion).unwrap_or_default());
            }
            Input::Timeout => node.handle_timeout(now),
        }
    }

    fn drain(&mut self, acts: &mut Vec<Act>) {
        while let Some(output) = self.node.poll_output() {
            acts.push(match output {
                Output::Transmit { purpose, frame, .. } => Act::Send { purpose, to: None, frame: frame.to_vec() },
                Output::TransmitPacket { purpose, destination, packet, .. } => {
                    Act::Send { purpose, to: Some(destination), frame: behind_ethernet(destination, &packet) }
                }
                Output::Claim { .. } => Act::Claim,
                Output::Release { .. } => Act::Release,
                Output::Leaving { reason, .. } => Act::Leaving(reason),
                Output::Transition { from, to, reason, .. } => Act::Moved { from, to, why: Why::Ours(reason) },
                Output::Notice { notice, .. } => Act::Notice(notice),
            });
        }
    }
}

/// What the operator wrote down, as the core wants it.
fn config(
    spec: &Spec,
    credentials: Credentials,
    transport: Transport,
    authentication: Authentication,
) -> VirtualHostConfig {
    let families = spec.families;
    let v6 = (families != Families::V4).then_some(spec.source_v6);
    VirtualHostConfig {
        link: LINK,
        vhid: VHID,
        credentials: core_host::Credentials {
            link_local_in_digest: spec.whole_digest,
            ..core_host::Credentials::new(credentials.key(), credentials.addresses(families))
        },
        local: Local { v6, ..Local::v4(spec.source) },
        transport,
        mac: MacMode::Interface,
        interval: spec.interval,
        dead_ratio: spec.dead_ratio,
        preempt: spec.preempt,
        tie: spec.tie,
        pseudo_header_checksum: false,
        authentication,
        policy: Policy::default(),
    }
}

/// The packet as it comes from the link: routing and neighbour discovery have found the peer.
fn behind_ethernet(destination: IpAddr, packet: &[u8]) -> Vec<u8> {
    let ethertype = if destination.is_ipv4() { ethernet::EtherType::Ipv4 } else { ethernet::EtherType::Ipv6 };
    let header = ethernet::Repr { dst: MacAddr([2, 0, 0, 0, 1, 0]), src: MacAddr([2, 0, 0, 0, 2, 0]), ethertype };
    [&header.emit()[..], packet].concat()
}
