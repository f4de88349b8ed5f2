//! Faults as they begin and end.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::Bar;
use carp_core::node::Command;

use super::book::Book;
use super::host::{Missed, Stall};
use super::{What, World, say};
use crate::fault::{Fault, Nodes, Planned};
use crate::ledger::Fact;
use crate::machine::{Birth, Input, Machine, Reload};
use crate::scripts::Scripts;
use crate::spec::{Credentials, Family, Spec};

/// What a reload is told that changes no credentials.
const USUAL_GRACE: Duration = Duration::from_secs(60);

/// What keeps a node out.
const HOLD: Command = Command::StandDown(Bar::Held);

/// How much earlier the grace time ends for the checkers, and how much later a late node is understood: more than clocks
/// drift from each other meanwhile.
const LEEWAY: Duration = Duration::from_millis(100);

impl World {
    pub(super) fn fault_begins(&mut self, index: usize) {
        let Planned { end, fault, .. } = self.scenario.faults[index];
        say!(self, None, "{fault}");
        self.active[index] = true;
        self.plan(end, What::FaultEnds(index));
        match fault {
            Fault::Crash { node } => self.die(node),
            Fault::Reclock { node, wall } => {
                self.hosts[node].wall = wall;
                self.die(node);
            }
            Fault::Attack { .. } => self.attack(index),
            Fault::Stall { node, queue } => {
                self.hosts[node].stall = Some(Stall { room: queue, missed: Vec::new() });
                self.conditions_changed();
            }
            Fault::Carrier { node } => self.set_carrier(node, false),
            Fault::Restart { node, .. } => self.tell(node, Command::ShutDown),
            Fault::Credentials { node, credentials } => {
                let edition = self.hosts[node].credentials.edition;
                self.restart(node, Credentials { edition, ..credentials });
            }
            Fault::Reload { node, .. } | Fault::Rekey { node, .. } => self.reload(node, fault),
            Fault::HandOver { node } => self.command(node, Command::HandOver),
            Fault::Hold { node } => self.keep_out(node, true),
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
            Fault::Crash { node } | Fault::Reclock { node, .. } => self.start(node),
            Fault::Stall { node, .. } => self.resume(node),
            Fault::Carrier { node } => self.set_carrier(node, true),
            Fault::Restart { node, spec } => {
                self.hosts[node].spec = spec;
                self.ledger.nodes[node].spec = self.hosts[node].effective();
                self.die(node);
                self.start(node);
            }
            Fault::Credentials { node, .. } => {
                let edition = self.hosts[node].credentials.edition;
                self.restart(node, Credentials::right(edition));
            }
            Fault::HandOver { .. }
            | Fault::Chatter { .. }
            | Fault::Reload { .. }
            | Fault::Rekey { .. }
            | Fault::Attack { .. } => {}
            Fault::Hold { node } => self.keep_out(node, false),
            Fault::Demotion { node, by } => self.demote(node, -by),
            _ => self.network_changed(),
        }
    }

    /// Begins a life of the node, if it is not alive: a host that crashed before its start is started by its end.
    pub(super) fn start(&mut self, node: usize) {
        let downs = |fault: Fault| match fault {
            Fault::Crash { node } | Fault::Reclock { node, .. } => Some(node),
            _ => None,
        };
        let mut active = self.active.iter().zip(&self.scenario.faults).filter(|(active, _)| **active);
        if self.hosts[node].machine.is_some() || active.any(|(_, planned)| downs(planned.fault) == Some(node)) {
            return;
        }
        say!(self, Some(node), "starts, its wall clock is {}", self.hosts[node].wall);
        let peers = if self.scenario.unicast { self.peers(node) } else { Vec::new() };
        let sabotage = self.scenario.sabotage.filter(|_| node == 0);
        let authentication = self.scenario.authentication;
        let (seed, host) = (self.dice.bits(), &mut self.hosts[node]);
        host.life += 1;
        host.scripts = Scripts::default();
        host.former = None;
        let (now, wall) = (host.clock.at(self.ledger.now), host.wall.at(self.ledger.now));
        host.book = Book::new(now, wall);
        let (spec, credentials) = (host.spec, host.credentials);
        let birth = Birth { spec: &spec, credentials, peers: &peers, seed, sabotage, authentication, now, wall };
        self.hosts[node].machine = Some(Machine::new(&birth));
        self.note(&Fact::Started { node });
        self.conditions_changed();
        if self.hosts[node].held {
            self.tell(node, HOLD);
        }
        if self.hosts[node].demotion != 0 {
            self.feed(node, Input::Demote(self.hosts[node].demotion));
        }
        self.link(node);
    }

    /// The addresses of all others.
    fn peers(&self, node: usize) -> Vec<IpAddr> {
        let others = self.scenario.specs.iter().enumerate().filter(|(other, _)| *other != node);
        let addresses = |spec: &Spec| {
            let spoken = Family::BOTH.into_iter().filter(|family| spec.families.has(*family));
            spoken.map(|family| spec.address(family)).collect::<Vec<_>>()
        };
        others.flat_map(|(_, spec)| addresses(spec)).collect()
    }

    /// Gives a node another configuration. One that is stopped learns of it when it goes on, and one that is down when it
    /// starts.
    fn reload(&mut self, node: usize, fault: Fault) {
        let host = &mut self.hosts[node];
        if let Some(stall) = &mut host.stall {
            return stall.missed.push(Missed::Reload(fault));
        }
        let mut reload = Reload { spec: host.spec, credentials: host.credentials, grace: USUAL_GRACE };
        match fault {
            Fault::Rekey { edition, grace, .. } => {
                (reload.credentials, reload.grace) = (Credentials::right(edition), grace);
            }
            Fault::Reload { spec, .. } => reload.spec = spec,
            other => unreachable!("{other} is no reload"),
        }
        let Reload { spec, credentials, grace } = reload;
        let former = host.effective();
        host.spec = spec;
        let present = host.effective();
        self.ledger.nodes[node].spec = present;
        if credentials != host.credentials {
            let until = host.clock.at(self.ledger.now) + grace * 2;
            host.former = Some((std::mem::replace(&mut host.credentials, credentials), until));
            self.ledger.nodes[node].credentials = credentials;
            self.edition = Some(credentials.edition);
            self.follow(node, grace);
        }
        if self.hosts[node].machine.is_some() {
            if former != present {
                self.note(&Fact::Reconfigured { node, former });
            }
            self.feed(node, Input::Reload(reload));
        }
    }

    /// A node has been given the credentials that the group is to have. The first one starts the grace time; one that comes
    /// when it is over may not be understood until it sends the new form.
    fn follow(&mut self, node: usize, grace: Duration) {
        let now = self.ledger.now;
        match self.grace_ends {
            None => {
                let ends = now + grace.saturating_sub(LEEWAY);
                self.grace_ends = Some(ends);
                (0..self.hosts.len()).for_each(|node| self.plan(ends, What::Apart { node, apart: true }));
            }
            Some(ends) if now >= ends => self.plan(now + grace + LEEWAY, What::Apart { node, apart: false }),
            Some(_) => {}
        }
    }

    /// Those who were reloaded in time are never apart.
    pub(super) fn set_apart(&mut self, node: usize, apart: bool) {
        let late = self.hosts[node].former.is_none();
        if !apart || late {
            self.ledger.nodes[node].apart = apart;
            self.conditions_changed();
        }
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

    /// Keeps a node out, or lets it in again.
    fn keep_out(&mut self, node: usize, held: bool) {
        self.hosts[node].held = held;
        self.command(node, if held { HOLD } else { Command::StandUp });
        self.conditions_changed();
    }

    /// Tells a node something, if it runs: at once, or when it goes on.
    fn command(&mut self, node: usize, command: Command) {
        if let Some(stall) = &mut self.hosts[node].stall {
            stall.missed.push(Missed::Command(command));
        } else if self.hosts[node].machine.is_some() {
            self.tell(node, command);
        }
    }

    fn demote(&mut self, node: usize, by: i32) {
        let host = &mut self.hosts[node];
        let former = host.effective();
        host.demotion += by;
        let present = host.effective();
        self.ledger.nodes[node].spec = present;
        if former != present && host.machine.is_some() {
            self.note(&Fact::Reconfigured { node, former });
        }
        self.feed(node, Input::Demote(by));
    }

    /// The process goes on. It reads everything that waits before it decides what is due.
    fn resume(&mut self, node: usize) {
        let Some(stall) = self.hosts[node].stall.take() else { return };
        self.conditions_changed();
        self.link(node);
        let (commands, missed): (Vec<_>, Vec<_>) =
            stall.missed.into_iter().partition(|missed| matches!(missed, Missed::Command(_) | Missed::Reload(_)));
        let (frames, scripts): (Vec<_>, Vec<_>) =
            missed.into_iter().partition(|missed| matches!(missed, Missed::Frame(_)));
        for missed in commands.into_iter().chain(frames).chain(scripts) {
            match missed {
                Missed::Frame(packet) => self.hear(node, &packet),
                Missed::Command(command) => self.tell(node, command),
                Missed::Reload(fault) => self.reload(node, fault),
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
    pub(super) fn conditions_changed(&mut self) {
        for node in 0..self.hosts.len() {
            // A MASTER serves until its address is gone.
            let takes_part = !self.hosts[node].held || self.ledger.nodes[node].leaving;
            self.ledger.set_well(node, self.hosts[node].is_well() && takes_part);
            for to in 0..self.hosts.len() {
                self.ledger.set_link(node, to, self.network.link(node, to));
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
        Fault::Family { family, from: senders, to: receivers } if concerns(senders, receivers) => {
            link.cut |= link.filtered.is_some_and(|other| other != family);
            link.filtered = Some(family);
        }
        Fault::Partition { side } if (side & from == 0) != (side & to == 0) => link.cut = true,
        _ => {}
    }
}
