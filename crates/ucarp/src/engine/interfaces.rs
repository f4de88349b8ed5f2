//! Following interfaces and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use carp_core::host::Local;
use carp_core::node::{HostId, LinkState};
use carp_core::time::Instant;
use log::warn;
use ucarp_sys::address::Found;
use ucarp_sys::link;
use ucarp_sys::monitor::{Event, Monitor};
use ucarp_sys::sysctl;

use super::hosts::Hosted;
use super::{Engine, RETRY, link_id, now};
use crate::interface::Needs;
use crate::scripts::Action;

/// Addresses that were removed, each with the process that asked for it; 0 is the kernel itself.
pub(super) type Removals = BTreeMap<IpAddr, u32>;

impl Engine {
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
            self.find_sources(now());
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
            self.node.handle_link(now, link_id(index), LinkState::Gone);
            self.carry_out(now);
        }
        if before != after {
            self.keeper.interface_is(&concerned, self.interfaces[index].link());
            self.find_sources(now);
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
        self.node.handle_link(now, link_id(index), state);
        self.carry_out(now);
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
            self.node.handle_link(now, link_id(index), LinkState::Down);
            self.carry_out(now);
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

    pub(super) fn hosts_on(&self, index: usize) -> Vec<HostId> {
        self.hosts.iter().filter(|(_, hosted)| hosted.interface == index).map(|(host, _)| *host).collect()
    }

    /// Looks for the addresses that advertisements come from, where nobody has named them.
    pub(super) fn find_sources(&mut self, now: Instant) {
        if self.hosts.values().all(Hosted::knows_its_sources) {
            return;
        }
        let candidates = self.candidates();
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            let local = self.local(&self.hosts[&host], &candidates);
            self.node.set_local(now, host, local);
        }
        self.carry_out(now);
    }

    /// The addresses of this host that are not shared with others.
    pub(super) fn candidates(&mut self) -> Vec<Found> {
        let mut found = self.keeper.addresses();
        let shared: BTreeSet<IpAddr> =
            self.hosts.values().flat_map(|hosted| hosted.settings.addresses.iter().map(|address| address.ip)).collect();
        found.retain(|found| !shared.contains(&found.at.address));
        found
    }

    /// The addresses that a virtual host's advertisements come from, out of those of [`Engine::candidates`].
    pub(super) fn local(&self, hosted: &Hosted, candidates: &[Found]) -> Local {
        let interface = &self.interfaces[hosted.interface];
        let (v4, v6) = interface.sources(candidates);
        let forwarding = sysctl::read(sysctl::Family::Ipv6, interface.name(), "forwarding");
        Local {
            v4: hosted.settings.source_v4.or(v4).unwrap_or(Ipv4Addr::UNSPECIFIED),
            v6: hosted.settings.source_v6.or(v6),
            router: forwarding.is_ok_and(|value| value.trim() == "1"),
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
                    hosted.who
                );
            } else if self.scripts_hold(*host) && settings.addresses.iter().any(|shared| shared.ip == address) {
                warn!(
                    "{}The virtual address {address} was removed from the interface, and not by a script of this MASTER",
                    hosted.who
                );
            }
        }
    }

    /// Whether this host is MASTER by its scripts, and none is under way that may move the address.
    fn scripts_hold(&self, host: HostId) -> bool {
        !self.keeper.keeps(host)
            && self.node.state(host) == carp_core::election::State::Master
            && !self.busy.contains(&host)
    }
}
