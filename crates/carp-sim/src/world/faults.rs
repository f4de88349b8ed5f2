//! Faults as they begin and end.

use carp_core::node::Command;

use super::host::{Missed, Stall};
use super::{What, World, say};
use crate::fault::{Fault, Nodes, Planned};
use crate::ledger::Fact;
use crate::machine::{Input, Machine};
use crate::scripts::Scripts;
use crate::spec::Credentials;

impl World {
    pub(super) fn fault_begins(&mut self, index: usize) {
        let Planned { end, fault, .. } = self.scenario.faults[index];
        say!(self, None, "{fault}");
        self.active[index] = true;
        self.plan(end, What::FaultEnds(index));
        match fault {
            Fault::Crash { node } => self.die(node),
            Fault::Stall { node, queue } => {
                self.hosts[node].stall = Some(Stall { room: queue, missed: Vec::new() });
                self.conditions_changed();
            }
            Fault::Carrier { node } => self.set_carrier(node, false),
            Fault::Reload { node, .. } => self.tell(node, Command::ShutDown),
            Fault::Credentials { node, credentials } => self.restart(node, credentials),
            Fault::HandOver { node } => {
                if let Some(stall) = &mut self.hosts[node].stall {
                    stall.missed.push(Missed::Command(Command::HandOver));
                } else if self.hosts[node].machine.is_some() {
                    self.tell(node, Command::HandOver);
                }
            }
            Fault::Chatter { node } if self.hosts[node].stall.is_none() => self.link(node),
            Fault::Chatter { .. } => {}
            Fault::Demotion { node, by } => self.demote(node, by),
            _ => self.network_changed(),
        }
    }

    pub(super) fn fault_ends(&mut self, index: usize) {
        let fault = self.scenario.faults[index].fault;
        self.active[index] = false;
        if !fault.is_momentary() {
            say!(self, None, "no more: {fault}");
        }
        match fault {
            Fault::Crash { node } => self.start(node),
            Fault::Stall { node, .. } => self.resume(node),
            Fault::Carrier { node } => self.set_carrier(node, true),
            Fault::Reload { node, spec } => {
                self.hosts[node].spec = spec;
                self.ledger.nodes[node].spec = spec;
                self.die(node);
                self.start(node);
            }
            Fault::Credentials { node, .. } => self.restart(node, Credentials::default()),
            Fault::HandOver { .. } | Fault::Chatter { .. } => {}
            Fault::Demotion { node, by } => self.demote(node, -by),
            _ => self.network_changed(),
        }
    }

    /// Begins a life of the node, if it is not alive: a host that crashed before its start is started by its end.
    pub(super) fn start(&mut self, node: usize) {
        let crashed =
            self.active.iter().zip(&self.scenario.faults).any(|(active, planned)| {
                *active && matches!(planned.fault, Fault::Crash { node: other } if other == node)
            });
        let host = &mut self.hosts[node];
        if host.machine.is_some() || crashed {
            return;
        }
        say!(self, Some(node), "starts");
        let sabotage = self.scenario.sabotage.filter(|_| node == 0);
        host.life += 1;
        host.scripts = Scripts::default();
        host.machine = Some(Machine::new(&host.spec, host.credentials, self.dice.bits(), sabotage));
        self.note(&Fact::Started { node });
        self.conditions_changed();
        self.link(node);
    }

    /// Ends a life at once; a host that dies loses its addresses.
    fn die(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.machine = None;
        host.stall = None;
        host.life += 1;
        host.timer = None;
        self.note(&Fact::Started { node });
        self.conditions_changed();
    }

    fn restart(&mut self, node: usize, credentials: Credentials) {
        self.die(node);
        self.hosts[node].credentials = credentials;
        self.ledger.nodes[node].credentials = credentials;
        self.start(node);
    }

    fn set_carrier(&mut self, node: usize, carrier: bool) {
        self.hosts[node].carrier = carrier;
        self.conditions_changed();
        if self.hosts[node].stall.is_none() {
            self.link(node);
        }
    }

    fn demote(&mut self, node: usize, by: i32) {
        self.feed(node, Input::Demote(by));
    }

    /// The process goes on. It reads everything that waits before it decides what is due.
    fn resume(&mut self, node: usize) {
        let Some(stall) = self.hosts[node].stall.take() else { return };
        self.conditions_changed();
        self.link(node);
        let (commands, missed): (Vec<_>, Vec<_>) =
            stall.missed.into_iter().partition(|missed| matches!(missed, Missed::Command(_)));
        let (frames, scripts): (Vec<_>, Vec<_>) =
            missed.into_iter().partition(|missed| matches!(missed, Missed::Frame(_)));
        for missed in commands.into_iter().chain(frames).chain(scripts) {
            match missed {
                Missed::Frame(packet) => self.hear(node, &packet),
                Missed::Command(command) => self.tell(node, command),
                Missed::ScriptEnd => self.script_ended(node),
            }
        }
        self.feed(node, Input::Timeout);
    }

    /// Sets every link to what the faults of this moment make of it.
    fn network_changed(&mut self) {
        let size = self.hosts.len();
        self.network.links_mut().for_each(|link| *link = self.scenario.quality);
        self.network.echo = false;
        let active = self.active.iter().zip(&self.scenario.faults).filter(|(active, _)| **active);
        for (_, planned) in active {
            match planned.fault {
                Fault::Echo => self.network.echo = true,
                fault => {
                    for (from, to) in (0..size).flat_map(|from| (0..size).map(move |to| (from, to))) {
                        afflict(self.network.link_mut(from, to), fault, 1 << from, 1 << to);
                    }
                }
            }
        }
        self.conditions_changed();
    }

    /// Tells the record which nodes are well and which directions are clear.
    fn conditions_changed(&mut self) {
        for node in 0..self.hosts.len() {
            self.ledger.set_well(node, self.hosts[node].is_well());
            for to in 0..self.hosts.len() {
                self.ledger.set_clear(node, to, self.network.link(node, to).is_clear());
            }
        }
        self.note(&Fact::Conditions);
    }
}

/// What one fault does to one direction.
fn afflict(link: &mut crate::network::Quality, fault: Fault, from: Nodes, to: Nodes) {
    let concerns = |senders: Nodes, receivers: Nodes| senders & from != 0 && receivers & to != 0;
    match fault {
        Fault::Loss { from: senders, to: receivers, rate } if concerns(senders, receivers) => link.loss = rate,
        Fault::Delay { min, mean } => (link.delay_min, link.delay_mean) = (min, mean),
        Fault::Stragglers { rate, by } => (link.straggling, link.straggle_by) = (rate, by),
        Fault::Duplication { rate } => link.duplication = rate,
        Fault::Corruption { rate } => link.corruption = rate,
        Fault::OneWay { from: senders, to: receivers } if concerns(senders, receivers) => link.cut = true,
        Fault::Partition { side } if (side & from == 0) != (side & to == 0) => link.cut = true,
        _ => {}
    }
}
