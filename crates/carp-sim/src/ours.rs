//! The code that ships: a `carp-core` node with one virtual host, and what a planted fault does to it.

use carp_core::host::{self as core_host, Local, MacMode, Transport, VirtualHostConfig};
use carp_core::node::{HostId, LinkId, Node, Output};
use carp_core::time::Instant;

use crate::machine::{Act, Input, Why};
use crate::sabotage::{Sabotage, Saboteur};
use crate::spec::{Credentials, Spec, VHID};

/// The only link.
const LINK: LinkId = LinkId(0);

/// A node of ours.
pub(crate) struct Ours {
    node: Node,
    host: HostId,
    saboteur: Option<Saboteur>,
}

impl Ours {
    pub(crate) fn new(spec: &Spec, credentials: Credentials, seed: u64, sabotage: Option<Sabotage>) -> Self {
        let saboteur = sabotage.map(|sabotage| Saboteur::new(sabotage, spec, credentials));
        let mut config = VirtualHostConfig {
            link: LINK,
            vhid: VHID,
            credentials: core_host::Credentials::new(credentials.key(), credentials.addresses()),
            local: Local::v4(spec.source),
            transport: Transport::default(),
            mac: MacMode::Interface,
            interval: spec.interval,
            dead_ratio: spec.dead_ratio,
            preempt: spec.preempt,
            tie: spec.tie,
            pseudo_header_checksum: false,
        };
        if let Some(saboteur) = &saboteur {
            saboteur.configure(&mut config);
        }
        let mut node = Node::new(seed);
        let host = node.add(config);
        Self { node, host, saboteur }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = self.node.next_deadline();
        match &self.saboteur {
            None => deadline,
            Some(saboteur) => saboteur.deadline(self.node.state(self.host), deadline),
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>, acts: &mut Vec<Act>) {
        let Some(saboteur) = &mut self.saboteur else {
            Self::hand_in(&mut self.node, self.host, now, input);
            return Self::drain(&mut self.node, acts);
        };
        let (state, mut genuine) = (self.node.state(self.host), Vec::new());
        let now = saboteur.time(now, state, self.node.next_deadline());
        if let Some(frame) = saboteur.frame(state, input) {
            Self::hand_in(&mut self.node, self.host, now, Input::Frame(&frame));
        } else if saboteur.lets_in(state, input) {
            Self::hand_in(&mut self.node, self.host, now, input);
        }
        Self::drain(&mut self.node, &mut genuine);
        if let Some(command) = saboteur.acts(genuine, acts) {
            Self::hand_in(&mut self.node, self.host, now, Input::Command(command));
            Self::drain(&mut self.node, acts);
        }
    }

    fn hand_in(node: &mut Node, host: HostId, now: Instant, input: Input<'_>) {
        match input {
            Input::Frame(frame) => node.handle_frame(now, LINK, frame),
            Input::Link(state) => node.handle_link(now, LINK, state),
            Input::Command(command) => node.handle_command(now, host, command),
            Input::Demote(_) => {}
            Input::Timeout => node.handle_timeout(now),
        }
    }

    fn drain(node: &mut Node, acts: &mut Vec<Act>) {
        while let Some(output) = node.poll_output() {
            acts.push(match output {
                Output::Transmit { purpose, frame, .. } => Act::Send { purpose, frame },
                Output::TransmitPacket { .. } => unreachable!("simulated groups use multicast"),
                Output::Claim { .. } => Act::Claim,
                Output::Release { .. } => Act::Release,
                Output::Leaving { reason, .. } => Act::Leaving(reason),
                Output::Transition { from, to, reason, .. } => Act::Moved { from, to, why: Why::Ours(reason) },
                Output::Notice { notice, .. } => Act::Notice(notice),
            });
        }
    }
}
