//! Following interfaces and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use carp_core::election::State;
use carp_core::host::Local;
use carp_core::node::LinkState;
use carp_core::time::Instant;
use log::{debug, warn};
use ucarp_sys::address::Found;
use ucarp_sys::channel::MOST_FDS;
use ucarp_sys::link;
use ucarp_sys::monitor::{Event, Monitor, Requester};

use super::hosts::Hosted;
use super::{Guardian, RETRY, link_id, now};
use crate::interface::{Needs, Port};
use crate::protocol::{Ear, HostNumber, Order, Sockets};
use crate::scripts::Action;

/// The least time between two looks at all addresses.
const SOURCES: Duration = Duration::from_millis(100);

/// How often the engine listens to which virtual host ids are in use.
const IDS: Duration = Duration::from_secs(60);

/// Addresses that were removed, each with who asked for it where that is known.
pub(super) type Removals = BTreeMap<IpAddr, Option<Requester>>;

impl Guardian {
    /// Reads what has changed about links and addresses. Returns which addresses that are held may be gone, with the
    /// process that removed each; `None` if there is no such thing.
    pub(super) fn read_monitor(&mut self) -> Option<Removals> {
        let events = self.parts.monitor.read().unwrap_or_else(|error| {
            self.complain("Unable to watch links", "", &error);
            if let Ok(monitor) = Monitor::open() {
                self.parts.monitor = monitor;
            }
            vec![Event::Overrun]
        });
        self.follow_own(&events);
        for index in 0..self.interfaces.len() {
            let interface = &self.interfaces[index];
            let is_concerned = events.iter().any(|event| match event {
                Event::LinkChanged(link) => interface.is_concerned(link.index, &link.name),
                Event::LinkGone { index, name } => interface.is_concerned(*index, name),
                Event::AddressAdded { .. } | Event::AddressRemoved { .. } => false,
                Event::Overrun => true,
            });
            if is_concerned {
                self.link_changed(now(), index);
            }
        }
        for event in &events {
            match event {
                Event::LinkChanged(link) => self.checks.link_changed(now(), Some(&link.name)),
                Event::LinkGone { name, .. } => self.checks.link_changed(now(), Some(name)),
                Event::Overrun => self.checks.link_changed(now(), None),
                Event::AddressAdded { .. } | Event::AddressRemoved { .. } => {}
            }
        }
        // Only now, as the addresses of a link that is gone need no words of their own.
        let (mut removals, mut sources) = (None, false);
        for event in &events {
            match event {
                Event::Overrun => {
                    sources = true;
                    removals.get_or_insert_with(Removals::new);
                }
                Event::AddressAdded { index, address } => sources |= !self.keeper.holds(*index, *address),
                Event::AddressRemoved { index, address, by } if self.keeper.holds(*index, *address) => {
                    removals.get_or_insert_with(Removals::new).insert(*address, *by);
                }
                Event::AddressRemoved { index, address, .. } => {
                    sources = true;
                    self.address_removed(*index, *address);
                }
                Event::LinkChanged(_) | Event::LinkGone { .. } => {}
            }
        }
        if sources {
            self.look_for_sources(now());
        }
        removals
    }

    /// Looks at an interface anew and tells everybody whom it concerns.
    pub(super) fn link_changed(&mut self, now: Instant, index: usize) {
        let before = self.interfaces[index].index();
        match link::by_name(self.interfaces[index].name()) {
            Ok(link) => self.interfaces[index].saw(link),
            Err(error) => {
                let name = self.interfaces[index].name().to_owned();
                self.complain("Unable to look at the interface", &name, &error);
                self.interfaces[index].retry = Some(now + RETRY);
                return;
            }
        }
        let after = self.interfaces[index].index();
        let concerned = self.hosts_on(index);
        if before.is_some() && before != after {
            // Another interface of the same name: what was known of the old one is void.
            self.tell_state(index, LinkState::Gone);
        }
        if before != after {
            self.keeper.interface_is(&concerned, self.interfaces[index].link());
            self.find_sources();
        }
        if before.is_none() && after.is_some() {
            // A script that ran while the interface was away had nothing to act on.
            for host in concerned {
                if !self.keeper.keeps(host) {
                    self.request(now, host, Action::Down);
                }
            }
        }
        self.use_interface(now, index);
    }

    /// Opens or closes the port of an interface as its state and its virtual hosts want it, and tells the core.
    pub(super) fn use_interface(&mut self, now: Instant, index: usize) {
        let interface = &mut self.interfaces[index];
        interface.retry = None;
        let mut state = interface.state();
        if let Err(error) = interface.open_or_close() {
            interface.retry = Some(now + RETRY);
            state = LinkState::Down;
            let name = interface.name().to_owned();
            self.complain("Unable to open the interface", &name, &error);
        }
        self.tell_state(index, state);
    }

    /// Tells the engine of a link and its sockets.
    pub(super) fn tell_link(&mut self, index: usize) {
        let interface = &self.interfaces[index];
        let state = if interface.retry.is_some() { LinkState::Down } else { interface.state() };
        self.tell_state(index, state);
    }

    /// Sockets come before the state that lets them be used, and go after the one that does not.
    fn tell_state(&mut self, index: usize, state: LinkState) {
        let is_up = matches!(state, LinkState::Up(_));
        if is_up {
            self.tell_port(index);
        }
        let (link, name) = (link_id(index), self.interfaces[index].name().to_owned());
        self.child.order(&Order::Link { link, name, state });
        if !is_up {
            self.tell_port(index);
        }
    }

    /// Hands the sockets of an interface to the engine, unless it has them.
    fn tell_port(&mut self, index: usize) {
        let interface = &mut self.interfaces[index];
        let link = link_id(index);
        let revision = interface.port().map_or(0, Port::revision);
        if interface.told.replace(revision) == Some(revision) {
            return;
        }
        let Some(port) = interface.port() else {
            self.child.order(&Order::Port { link, sockets: Sockets::default() });
            self.child.order(&Order::Hear { link, index: 0, ear: Ear::Owners });
            return;
        };
        let copied = port
            .sockets_to_share()
            .and_then(|sockets| Ok((sockets, port.owners_to_share()?, port.memberships_to_share()?)));
        match copied {
            Ok(((sockets, descriptors), owners, memberships)) => {
                let index = sockets.index;
                self.child.order_with(&Order::Port { link, sockets }, descriptors);
                self.child.order_with(&Order::Hear { link, index, ear: Ear::Owners }, owners);
                self.ids_due = Some(now());
                let mut memberships = memberships.into_iter().peekable();
                while memberships.peek().is_some() {
                    self.child.order_with(&Order::Keep { link }, memberships.by_ref().take(MOST_FDS).collect());
                }
            }
            Err(error) => {
                interface.told = None;
                interface.retry = Some(now() + RETRY);
                let name = interface.name().to_owned();
                self.complain("Unable to share the sockets of the interface", &name, &error);
            }
        }
    }

    /// Lets the engine listen for a moment to all virtual host ids, also those of VRRP, with sockets that only it has. One that
    /// listened all the time would be woken by other groups, and by whoever floods.
    pub(super) fn listen_for_ids(&mut self, now: Instant) {
        if self.ids_due.is_none_or(|due| due > now) {
            return;
        }
        self.ids_due = Some(now + IDS);
        for index in 0..self.interfaces.len() {
            let Some(port) = self.interfaces[index].port() else { continue };
            match port.listen_for_ids() {
                Ok(sockets) => {
                    let order = Order::Hear { link: link_id(index), index: port.index(), ear: Ear::Ids };
                    self.child.order_with(&order, sockets);
                }
                Err(error) => debug!("Unable to listen for virtual host ids: {error}"),
            }
        }
    }

    /// Opens the port anew after an error; one that does so again and again is given a rest in between.
    pub(super) fn reopen(&mut self, now: Instant, index: usize) {
        let interface = &mut self.interfaces[index];
        interface.close();
        if interface.reopened.is_none_or(|last| now - last >= RETRY) {
            interface.reopened = Some(now);
            self.link_changed(now, index);
        } else {
            interface.retry = Some(now + RETRY);
            self.tell_state(index, LinkState::Down);
        }
    }

    pub(super) fn retry_interfaces(&mut self, now: Instant) {
        for index in 0..self.interfaces.len() {
            if self.interfaces[index].retry.is_some_and(|at| at <= now) {
                self.link_changed(now, index);
            }
        }
    }

    /// What the virtual hosts of an interface need of it.
    pub(super) fn needs_of(&self, index: usize) -> Needs {
        let mut needs = Needs { fixed: self.parts.reload.is_none(), ..Needs::default() };
        for hosted in self.hosts.values().filter(|hosted| hosted.interface == index) {
            needs.add(&hosted.settings);
        }
        needs
    }

    pub(super) fn hosts_on(&self, index: usize) -> Vec<HostNumber> {
        self.hosts.iter().filter(|(_, hosted)| hosted.interface == index).map(|(host, _)| *host).collect()
    }

    /// Looks for the addresses that advertisements come from, where nobody has named them.
    pub(super) fn find_sources(&mut self) {
        self.sources_due = None;
        if self.hosts.values().all(|hosted| hosted.knows_its_sources()) {
            return;
        }
        // What is known stays when the list cannot be read.
        let Some(candidates) = self.candidates() else { return };
        self.sources_found = Some(now());
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            let local = self.local(&self.hosts[&host], &candidates);
            self.locate(host, local);
        }
    }

    /// As [`Guardian::find_sources`], but not more often than is good for the rest: addresses can come and go by thousands.
    fn look_for_sources(&mut self, now: Instant) {
        match self.sources_found {
            Some(last) if now - last < SOURCES => _ = self.sources_due.get_or_insert(last + SOURCES),
            _ if self.sources_due.is_some() => {}
            _ => self.find_sources(),
        }
    }

    /// The addresses of this host that are not shared with others. `None` if they cannot be read now; they are looked for
    /// again later.
    pub(super) fn candidates(&mut self) -> Option<Vec<Found>> {
        let mut found = match self.keeper.addresses() {
            Ok(found) => found,
            Err(error) => {
                self.complain("Unable to list addresses", "", &error);
                self.sources_due = Some(now() + RETRY);
                return None;
            }
        };
        let shared: BTreeSet<IpAddr> =
            self.hosts.values().flat_map(|hosted| hosted.settings.addresses.iter().map(|address| address.ip)).collect();
        found.retain(|found| !shared.contains(&found.at.address));
        Some(found)
    }

    /// The addresses that a virtual host's advertisements come from, out of those of [`Engine::candidates`].
    pub(super) fn local(&self, hosted: &Hosted, candidates: &[Found]) -> Local {
        let interface = &self.interfaces[hosted.interface];
        let (v4, v6) = interface.sources(candidates);
        Local {
            v4: hosted.settings.source_v4.or(v4).unwrap_or(Ipv4Addr::UNSPECIFIED),
            v6: hosted.settings.source_v6.or(v6),
            router: link::forwards_ipv6(interface.name()),
        }
    }

    fn address_removed(&self, index: u32, address: IpAddr) {
        for (host, hosted) in &self.hosts {
            if self.interfaces[hosted.interface].index() != Some(index) {
                continue;
            }
            let settings = &hosted.settings;
            if settings.source_v4.is_some_and(|source| source == address)
                || settings.source_v6.is_some_and(|source| source == address)
            {
                warn!(
                    "{}The own address {address} was removed from the interface: advertisements still carry it",
                    hosted.profile.who
                );
            } else if self.scripts_hold(*host) && settings.addresses.iter().any(|shared| shared.ip == address) {
                warn!(
                    "{}The virtual address {address} was removed from the interface, and not by a script of this MASTER",
                    hosted.profile.who
                );
            }
        }
    }

    /// Whether this host is MASTER by its scripts, and none is under way that may move the address.
    fn scripts_hold(&self, host: HostNumber) -> bool {
        !self.keeper.keeps(host)
            && self.hosts.get(&host).is_some_and(|hosted| hosted.state == State::Master)
            && !self.busy.contains(&host)
    }
}
