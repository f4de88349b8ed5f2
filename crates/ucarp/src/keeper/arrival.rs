//! What is found when an interface appears, at start or later.

use std::collections::BTreeMap;

use log::{error, info, warn};
use ucarp_sys::address::{self, Assignment, PROTOCOL};
use ucarp_sys::link::Link;

use super::{HostNumber, Keeper, connection, place, virtual_ones};

impl Keeper {
    /// The interface of these virtual hosts is this one, or there is none of its name.
    pub fn interface_is(&mut self, hosts: &[HostNumber], link: Option<&Link>) {
        let moved: Vec<_> = hosts
            .iter()
            .copied()
            .filter(|host| self.holdings.get(*host).is_some_and(|holding| holding.place.would_move_to(link)))
            .collect();
        if moved.is_empty() {
            return;
        }
        // What was held is gone with the interface, unless that has only another name now.
        let mut held = Vec::new();
        for host in &moved {
            held.extend(self.holdings.get_mut(*host).into_iter().flat_map(|holding| holding.held.drain(..)));
        }
        self.remove_now(&held);
        if let Some(connection) = connection(&mut self.connection) {
            place::lower(connection, virtual_ones(&mut self.holdings.of(&moved)));
        }
        for host in &moved {
            if let Some(holding) = self.holdings.get_mut(*host) {
                holding.place.follow(link);
                holding.complete = false;
            }
        }
        if let Some(link) = link {
            if virtual_ones(&mut self.holdings.of(&moved)).next().is_some() {
                self.parents.prepare(&link.name);
            }
            self.clean(&moved);
            self.warn_of_traps(&moved, &link.name);
        }
    }

    /// Removes what an earlier run of the daemon left of these virtual hosts' addresses, and warns about addresses that
    /// somebody else has added.
    fn clean(&mut self, hosts: &[HostNumber]) {
        let found = match self.addresses() {
            Ok(found) => found,
            Err(failure) => return error!("Unable to look for what an earlier run left behind: {failure}"),
        };
        let wanted: BTreeMap<_, _> = hosts
            .iter()
            .filter_map(|host| self.holdings.get(*host))
            .filter(|holding| holding.held.is_empty())
            .flat_map(|holding| {
                let index = holding.place.index();
                holding.addresses.iter().filter_map(move |address| Some(((index?, address.ip), &holding.who)))
            })
            .collect();
        let mut leftovers = Vec::new();
        for found in found {
            let Some(who) = wanted.get(&(found.at.index, found.at.address)) else { continue };
            let Assignment { address, prefix_len, .. } = found.at;
            if found.protocol == Some(PROTOCOL) {
                info!("{who}Removing {address}/{prefix_len}, which an earlier run left behind");
                leftovers.push(found.at);
            } else {
                warn!(
                    "{who}{address}/{prefix_len} is on this host already, and ucarp did not add it: take it out of the \
                     system's own network configuration, or two hosts will have it"
                );
            }
        }
        self.remove_now(&leftovers);
        if let Some(connection) = connection(&mut self.connection) {
            let mut holdings = self.holdings.of(hosts);
            place::sweep(connection, virtual_ones(&mut holdings).map(|(who, place)| (who, &*place)));
        }
    }

    /// Warns about addresses whose end would take the host's own ones along.
    fn warn_of_traps(&mut self, hosts: &[HostNumber], interface: &str) {
        let Some(connection) = connection(&mut self.connection) else { return };
        for holding in hosts.iter().filter_map(|host| self.holdings.get(*host)) {
            let (Some(index), who) = (holding.place.index(), &holding.who) else { continue };
            for virtual_one in holding.addresses.iter().filter(|address| address.prefix_len < 32) {
                let at = Assignment { index, address: virtual_one.ip, prefix_len: virtual_one.prefix_len };
                if address::primary_trap(connection, interface, at).unwrap_or(false) {
                    warn!(
                        "{who}{}/{} would be the first address of its network on {interface}, and promote_secondaries is \
                         0: when it goes, the kernel removes all later ones of that network. Give it as /32, or set \
                         net.ipv4.conf.{interface}.promote_secondaries to 1",
                        at.address, at.prefix_len
                    );
                }
            }
        }
    }
}
