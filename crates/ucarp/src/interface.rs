//! An interface that virtual hosts advertise on: found by its name, wherever that name goes.

mod port;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use carp_core::node::LinkState;
use carp_core::time::Instant;
use carp_core::wire::MacAddr;
use log::error;
use ucarp_sys::address::Found;
use ucarp_sys::link::{HARDWARE_ETHERNET, Link};

pub use port::Port;

use crate::settings::{HostSettings, Transport};

/// The name of the interface that the label `eth0:1` belongs to. Labels of addresses name their interface before the
/// colon, and users of ifconfig give them where an interface is asked for.
#[must_use]
pub fn without_label(name: &str) -> &str {
    name.split_once(':').map_or(name, |(interface, _)| interface)
}

/// What the virtual hosts of an interface need of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Virtual host ids that listen to IPv4.
    pub v4: BTreeSet<u8>,
    /// Virtual host ids that listen to IPv6.
    pub v6: BTreeSet<u8>,
    /// Multicast groups.
    pub groups: BTreeSet<IpAddr>,
    /// Virtual addresses that nobody else should have.
    pub owned_v4: BTreeSet<Ipv4Addr>,
    /// Those of IPv6.
    pub owned_v6: BTreeSet<Ipv6Addr>,
    /// Whether there are unicast peers of IPv4, and of IPv6.
    pub unicast: (bool, bool),
    /// Whether a missing carrier does not matter: if one virtual host says so.
    pub ignore_carrier: bool,
    /// Whether this will never change, so that the kernel's filter can be locked.
    pub fixed: bool,
}

impl Needs {
    /// Adds what a virtual host needs.
    pub fn add(&mut self, host: &HostSettings) {
        self.ignore_carrier |= host.ignore_carrier;
        if host.policy.conflict.is_some() {
            for address in &host.addresses {
                match address.ip {
                    IpAddr::V4(address) => _ = self.owned_v4.insert(address),
                    IpAddr::V6(address) => _ = self.owned_v6.insert(address),
                }
            }
        }
        let (v4, v6);
        match &host.transport {
            Transport::Multicast { v4: group_v4, v6: group_v6 }
            | Transport::Broadcast { v4: group_v4, v6: group_v6 } => {
                v4 = host.addresses.iter().any(|address| address.ip.is_ipv4());
                v6 = host.addresses.iter().any(|address| address.ip.is_ipv6());
                self.groups.extend(v4.then_some(IpAddr::V4(*group_v4)));
                self.groups.extend(v6.then_some(IpAddr::V6(*group_v6)));
            }
            Transport::Unicast { peers, .. } => {
                v4 = peers.iter().any(IpAddr::is_ipv4);
                v6 = peers.iter().any(IpAddr::is_ipv6);
                self.unicast.0 |= v4;
                self.unicast.1 |= v6;
            }
        }
        self.v4.extend(v4.then_some(host.vhid));
        self.v6.extend(v6.then_some(host.vhid));
    }
}

/// Follows one interface by name.
pub struct Interface {
    name: String,
    needs: Needs,
    link: Option<Link>,
    port: Option<Port>,
    /// When a port that could not be opened is tried again.
    pub retry: Option<Instant>,
    /// When the port was last opened anew after an error.
    pub reopened: Option<Instant>,
    /// Which sockets the engine has.
    pub told: Option<u64>,
}

impl Interface {
    /// An interface that has not been looked at yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (link, port, retry, reopened, told) = (None, None, None, None, None);
        Self { name: name.to_owned(), needs: Needs::default(), link, port, retry, reopened, told }
    }

    /// The interface's name, without a label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface as it was last seen, if it exists.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Its index, if it exists.
    #[must_use]
    pub fn index(&self) -> Option<u32> {
        self.link.as_ref().map(|link| link.index)
    }

    /// The way to the segment while the link can carry frames.
    #[must_use]
    pub fn port(&self) -> Option<&Port> {
        self.port.as_ref()
    }

    /// Whether an event about the interface `index`, called `name`, may concern this one: it or a namesake changed.
    #[must_use]
    pub fn is_concerned(&self, index: u32, name: &str) -> bool {
        name == self.name || self.index() == Some(index)
    }

    /// The interface was looked at: it is this one, or there is none of its name.
    pub fn saw(&mut self, link: Option<Link>) {
        self.link = link;
    }

    /// What the virtual hosts need from now on; [`Interface::open_or_close`] makes the port so.
    pub fn need(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// The state of the link as it was last seen.
    #[must_use]
    pub fn state(&self) -> LinkState {
        match &self.link {
            None => LinkState::Gone,
            Some(link) if !link.up => LinkState::Down,
            Some(link) if !link.running && !self.needs.ignore_carrier => LinkState::NoCarrier,
            Some(link) => LinkState::Up(MacAddr(link.mac.unwrap_or_default())),
        }
    }

    /// Opens the port when the link can carry frames, and closes it when it cannot, so that nothing stale is read when
    /// it returns. A port that is open is made what is needed now. A link that is not Ethernet is complained about when
    /// its port is opened.
    ///
    /// # Errors
    ///
    /// A socket or a multicast membership was refused.
    pub fn open_or_close(&mut self) -> io::Result<()> {
        let Some(link) = self.link.as_ref().filter(|_| matches!(self.state(), LinkState::Up(_))) else {
            self.port = None;
            return Ok(());
        };
        if let Some(port) = self.port.as_mut().filter(|port| port.index() == link.index) {
            return port.adapt(&self.needs);
        }
        if link.hardware_type != HARDWARE_ETHERNET {
            error!("Unknown hardware type [{}]", link.hardware_type);
        }
        self.port = None;
        self.port = Some(Port::open(link.index, &self.needs)?);
        Ok(())
    }

    /// Closes the port after an error, so that it is opened anew.
    pub fn close(&mut self) {
        self.port = None;
    }

    /// The addresses that advertisements can come from: the first one of IPv4, and a link-local one of IPv6 that is
    /// ready.
    #[must_use]
    pub fn sources(&self, candidates: &[Found]) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let own = |found: &&Found| Some(found.at.index) == self.index();
        let mut sources = (None, None);
        for found in candidates.iter().filter(own) {
            match found.at.address {
                IpAddr::V4(address) => sources.0 = sources.0.or(Some(address)),
                IpAddr::V6(address) if address.is_unicast_link_local() && !found.tentative => {
                    sources.1 = sources.1.or(Some(address));
                }
                IpAddr::V6(_) => {}
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_its_interface() {
        assert_eq!(without_label("eth0:carp0"), "eth0");
        assert_eq!(without_label("eth0"), "eth0");
        assert_eq!(without_label("eth0:1:2"), "eth0");
    }

    fn link(up: bool, running: bool) -> Link {
        let mac = Some([2, 0, 0, 0, 0, 1]);
        Link { index: 2, name: "eth0".into(), up, running, mac, hardware_type: HARDWARE_ETHERNET, loopback: false }
    }

    #[test]
    fn the_carrier_counts_unless_it_is_ignored() {
        let state = |link, ignore_carrier| {
            let mut interface = Interface::new("eth0");
            interface.need(Needs { ignore_carrier, ..Needs::default() });
            interface.saw(link);
            interface.state()
        };
        let up = LinkState::Up(MacAddr([2, 0, 0, 0, 0, 1]));
        assert_eq!(state(None, true), LinkState::Gone);
        assert_eq!(state(Some(link(false, false)), true), LinkState::Down);
        assert_eq!(state(Some(link(true, false)), false), LinkState::NoCarrier);
        assert_eq!(state(Some(link(true, false)), true), up);
        assert_eq!(state(Some(link(true, true)), false), up);
    }
}
