//! Which Ethernet addresses are this host's: one of its interfaces may answer for a virtual address of another one.

use std::collections::BTreeMap;

use carp_core::wire::MacAddr;
use log::debug;
use ucarp_sys::link::{self, Link};
use ucarp_sys::monitor::Event;

use super::Guardian;
use crate::protocol::Order;

/// Interfaces whose addresses are known, by their indices. A host with more of them has them for its guests.
const MOST: usize = 256;

/// The addresses by the indices of their interfaces.
#[derive(Default)]
pub(super) struct Own(BTreeMap<u32, MacAddr>);

impl Own {
    /// Whether that changed anything.
    fn saw(&mut self, link: &Link) -> bool {
        let Some(mac) = link.mac.map(MacAddr).filter(|_| self.0.len() < MOST || self.0.contains_key(&link.index))
        else {
            return false;
        };
        self.0.insert(link.index, mac) != Some(mac)
    }
}

impl Guardian {
    /// Looks at all interfaces, and tells the engine.
    pub(super) fn find_own(&mut self) {
        match link::all() {
            Ok(links) => {
                self.own.0.clear();
                links.iter().for_each(|link| _ = self.own.saw(link));
                self.tell_own();
            }
            Err(error) => debug!("Unable to list interfaces: {error}"),
        }
    }

    /// Learns from what has changed.
    pub(super) fn follow_own(&mut self, events: &[Event]) {
        if events.contains(&Event::Overrun) {
            return self.find_own();
        }
        let mut is_changed = false;
        for event in events {
            is_changed |= match event {
                Event::LinkChanged(link) => self.own.saw(link),
                Event::LinkGone { index, .. } => self.own.0.remove(index).is_some(),
                Event::AddressAdded { .. } | Event::AddressRemoved { .. } | Event::Overrun => false,
            };
        }
        if is_changed {
            self.tell_own();
        }
    }

    pub(super) fn tell_own(&mut self) {
        self.child.order(&Order::Own { macs: self.own.0.values().copied().collect() });
    }
}
