//! What the guardian orders.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, UNIX_EPOCH};

use carp_core::election::State;
use carp_core::host::VirtualHostConfig;
use carp_core::node::{Command, LinkId, LinkState};
use log::{error, info};

use super::control::Record;
use super::guardian::Received;
use super::{Engine, Hosted, Link, Port, Ration, Standing, Voice, now};
use crate::protocol::{self, HostNumber, Order, Profile, Sockets};

/// Datagrams that are read in one turn; what is behind them waits for the next.
const MOST_DATAGRAMS: usize = 64;

impl Engine {
    pub(super) fn read_orders(&mut self) {
        for _ in 0..MOST_DATAGRAMS {
            match self.guardian.receive() {
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => {
                    self.guardian.is_lost();
                    return;
                }
                Ok(Received::Datagram(datagram, descriptors)) => self.read(&datagram, descriptors),
                Err(error) => {
                    self.complain("Unable to hear the guardian", "", &error);
                    return;
                }
            }
        }
    }

    fn read(&mut self, datagram: &[u8], mut descriptors: Vec<OwnedFd>) {
        match protocol::read_orders(datagram) {
            Ok(orders) => orders.into_iter().for_each(|order| self.follow(order, std::mem::take(&mut descriptors))),
            // Both are of one build, and the guardian reads nothing from outside.
            Err(error) => error!("The guardian sent {error}"),
        }
    }

    fn follow(&mut self, order: Order, descriptors: Vec<OwnedFd>) {
        self.doubt_calendar();
        match order {
            Order::Add { host, profile, config } => self.add(host, profile, *config),
            Order::Change { host, profile, config, grace } => self.change(host, profile, *config, grace),
            Order::Remove { host } => {
                self.remove(host);
                self.control.forget(host);
            }
            Order::Local { host, local } => {
                if let Some(hosted) = self.hosts.get_mut(&host) {
                    hosted.voice.has_will = false;
                    self.node.set_local(now(), hosted.id, local);
                }
            }
            Order::Own { macs } => self.node.set_own(macs),
            Order::Link { link, name, state } => self.link_is(link, name, state),
            Order::Port { link, sockets } => self.port_is(link, sockets, descriptors),
            Order::Hear { link, index, ear } => {
                let link = self.links.entry(link).or_insert_with(|| Link::new(LinkState::Gone));
                link.ears.open(now(), ear, index, descriptors);
            }
            Order::Keep { link } => {
                if let Some(port) = self.links.get_mut(&link).and_then(|link| link.port.as_mut()) {
                    port.keep(descriptors);
                }
            }
            Order::Command { host, command } => {
                self.command(host, command);
                self.carry_out(now());
                self.guardian.has_followed(host);
            }
            Order::Missing { host } => self.want_back(host),
            Order::Demote { host, name, by } => {
                self.is_remembered(host, &name, Some(by), None);
                self.demote(now(), host, &name, by);
            }
            Order::Bar { host, name, bar } => {
                self.is_remembered(host, &name, None, Some(bar.is_some()));
                self.bar(now(), host, &name, bar);
            }
            Order::Control(told) => self.is_told(told, descriptors),
            Order::Check(status) => self.check_is(status),
            Order::ForgetCheck { name } => self.forget_check(&name),
            Order::TellStates => self.tell_states(),
            Order::Beat { interval } => self.guardian.beat = interval,
        }
        self.carry_out(now());
    }

    fn add(&mut self, host: HostNumber, profile: Profile, config: VirtualHostConfig) {
        self.remove(host);
        let link = config.link;
        self.node.set_clock(now(), UNIX_EPOCH.elapsed().unwrap_or_default());
        let id = self.node.add(config);
        let hosted = Hosted {
            id,
            profile,
            complete: false,
            voice: Voice { renewed: now(), ..Voice::default() },
            standing: Standing::default(),
            link_lines: Ration::default(),
            record: Record::default(),
            gone: BTreeSet::new(),
            told_alone: false,
            lapsed: false,
        };
        self.hosts.insert(host, Box::new(hosted));
        self.numbers.resize(self.numbers.len().max(id.index() + 1), host);
        self.numbers[id.index()] = host;
        // The link may have been there before it.
        if let Some(state) = self.links.get(&link).map(|link| link.state) {
            self.node.handle_link(now(), link, state);
        }
    }

    fn change(&mut self, host: HostNumber, profile: Profile, config: VirtualHostConfig, grace: Duration) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let id = hosted.id;
        let former = self.node.config(id);
        if (former.link, former.vhid) != (config.link, config.vhid) {
            error!("{}The guardian wants another virtual host in this one's place", hosted.profile.who);
            return;
        }
        hosted.profile = profile;
        hosted.voice.has_will = false;
        let now = now();
        if grace.is_zero() && self.node.is_changing_credentials(now, id) {
            info!("{}What other hosts knew before is not sent any more", self.who(host));
        }
        self.node.reconfigure(now, id, config, grace);
    }

    fn remove(&mut self, host: HostNumber) {
        if let Some(hosted) = self.hosts.remove(&host) {
            self.node.remove(now(), hosted.id);
        }
    }

    /// Starts a virtual host that had lapsed afresh.
    pub(super) fn renew(&mut self, host: HostNumber) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let (standing, record) = (std::mem::take(&mut hosted.standing), std::mem::take(&mut hosted.record));
        let (profile, config) = (hosted.profile.clone(), self.node.config(hosted.id).clone());
        self.add(host, profile, config);
        self.hosts.get_mut(&host).expect("it was added just now").record = record;
        self.restore_standing(now(), host, standing);
        self.doubt_calendar();
        self.carry_out(now());
    }

    fn link_is(&mut self, link: LinkId, name: String, state: LinkState) {
        let known = self.links.entry(link).or_insert_with(|| Link::new(state));
        known.name = name;
        known.state = state;
        self.node.handle_link(now(), link, state);
    }

    fn port_is(&mut self, link: LinkId, sockets: Sockets, descriptors: Vec<OwnedFd>) {
        let known = self.links.entry(link).or_insert_with(|| Link::new(LinkState::Gone));
        known.port = Port::new(sockets, descriptors);
    }

    fn command(&mut self, host: HostNumber, command: Command) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        if command == Command::Claimed {
            hosted.complete = true;
        }
        self.node.handle_command(now(), hosted.id, command);
    }

    /// A MASTER that has lost addresses wants them back, once it has heard what happened meanwhile and is MASTER still.
    fn want_back(&mut self, host: HostNumber) {
        if let Some(hosted) = self.hosts.get_mut(&host) {
            hosted.complete = false;
            self.guardian.missing(host);
        }
    }

    fn tell_states(&self) {
        for hosted in self.hosts.values() {
            let master = self.node.state(hosted.id) == State::Master;
            info!("{} on {}", if master { "MASTER" } else { "BACKUP" }, hosted.profile.title);
        }
    }
}
