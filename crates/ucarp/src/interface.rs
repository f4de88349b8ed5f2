//! The interface that a virtual host advertises on: found by its name, wherever that name goes.

use std::io;
use std::net::Ipv4Addr;

use carp_core::node::LinkState;
use carp_core::wire::MacAddr;
use log::error;
use ucarp_sys::filter;
use ucarp_sys::link::{self, Link};
use ucarp_sys::membership::Membership;
use ucarp_sys::netlink::NetlinkError;
use ucarp_sys::packet::PacketSocket;

/// ARPHRD_ETHER: the only kind of interface whose addresses CARP frames can carry.
const ETHERNET: u16 = 1;

/// The name of the interface that the label `eth0:1` belongs to. Labels of addresses name their interface before the
/// colon, and users of ifconfig give them where an interface is asked for.
#[must_use]
pub fn without_label(name: &str) -> &str {
    name.split_once(':').map_or(name, |(interface, _)| interface)
}

/// An open way to the segment: advertisements of one vhid come in, anything goes out.
pub struct Port {
    socket: PacketSocket,
    _membership: Membership,
    index: u32,
}

impl Port {
    fn open(index: u32, vhid: u8, group: Ipv4Addr) -> io::Result<Self> {
        let socket = PacketSocket::open(index, &filter::advertisements(vhid))?;
        Ok(Self { socket, _membership: Membership::join(index, group)?, index })
    }

    /// The packet socket.
    #[must_use]
    pub fn socket(&self) -> &PacketSocket {
        &self.socket
    }
}

/// Follows one interface by name.
pub struct Interface {
    name: String,
    vhid: u8,
    group: Ipv4Addr,
    /// Whether a missing carrier does not matter (`-S`).
    ignore_carrier: bool,
    link: Option<Link>,
    port: Option<Port>,
}

impl Interface {
    /// An interface that has not been looked at yet.
    #[must_use]
    pub fn new(name: &str, vhid: u8, group: Ipv4Addr, ignore_carrier: bool) -> Self {
        let name = without_label(name).to_owned();
        Self { name, vhid, group, ignore_carrier, link: None, port: None }
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

    /// The way to the segment while the link can carry frames.
    #[must_use]
    pub fn port(&self) -> Option<&Port> {
        self.port.as_ref()
    }

    /// Whether an event about the interface `index`, called `name`, may concern this one: it or a namesake changed.
    #[must_use]
    pub fn is_concerned(&self, index: u32, name: &str) -> bool {
        name == self.name || self.link.as_ref().is_some_and(|link| link.index == index)
    }

    /// Asks the kernel for the interface's state.
    ///
    /// # Errors
    ///
    /// The kernel did not answer; the interface stands as it was last seen.
    pub fn look(&mut self) -> Result<(), NetlinkError> {
        self.link = link::by_name(&self.name)?;
        Ok(())
    }

    /// The state of the link as it was last seen.
    #[must_use]
    pub fn state(&self) -> LinkState {
        match &self.link {
            None => LinkState::Gone,
            Some(link) if !link.up => LinkState::Down,
            Some(link) if !link.running && !self.ignore_carrier => LinkState::NoCarrier,
            Some(link) => LinkState::Up(MacAddr(link.mac.unwrap_or_default())),
        }
    }

    /// Opens the port when the link can carry frames, and closes it when it cannot, so that nothing stale is read when
    /// it returns. A link that is not Ethernet is complained about when its port is opened.
    ///
    /// # Errors
    ///
    /// The packet socket or the multicast membership was refused.
    pub fn open_or_close(&mut self) -> io::Result<()> {
        let Some(link) = self.link.as_ref().filter(|_| matches!(self.state(), LinkState::Up(_))) else {
            self.port = None;
            return Ok(());
        };
        if self.port.as_ref().is_some_and(|port| port.index == link.index) {
            return Ok(());
        }
        if link.hardware_type != ETHERNET {
            error!("Unknown hardware type [{}]", link.hardware_type);
        }
        self.port = None;
        self.port = Some(Port::open(link.index, self.vhid, self.group)?);
        Ok(())
    }

    /// Closes the port after an error, so that it is opened anew.
    pub fn close(&mut self) {
        self.port = None;
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

    #[test]
    fn the_carrier_counts_unless_it_is_ignored() {
        let link = |up, running| Link {
            index: 2,
            name: "eth0".into(),
            up,
            running,
            mac: Some([2, 0, 0, 0, 0, 1]),
            hardware_type: ETHERNET,
            loopback: false,
        };
        let state = |link, ignore| {
            let mut interface = Interface::new("eth0:1", 1, Ipv4Addr::new(224, 0, 0, 18), ignore);
            interface.link = link;
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
