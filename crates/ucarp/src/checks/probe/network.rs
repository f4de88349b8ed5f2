//! Questions to hosts and to the routing table.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Instant;

use carp_core::wire::arp::{self, Operation};
use carp_core::wire::{MacAddr, ndp};
use ucarp_sys::kernel::Connection;
use ucarp_sys::link::{self, Link};
use ucarp_sys::probe::{ArpSocket, Echo, NeighbourSocket};
use ucarp_sys::route;

use super::{Answer, no};

/// A host that is to be pinged.
pub(super) struct Ask {
    /// What the host is to the check, or nothing.
    role: &'static str,
    address: IpAddr,
    echo: Echo,
    began: Instant,
}

impl Ask {
    /// Opens a socket, with the rights that this may need.
    pub(super) fn open(role: &'static str, address: IpAddr, interface: Option<&str>) -> Result<Self, Answer> {
        match Echo::open(address, interface) {
            Ok(echo) => Ok(Self { role, address, echo, began: Instant::now() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no("cannot be asked", &error)),
            Err(error) => Err(Answer::Nothing(format!("{address} cannot be asked: {error}"))),
        }
    }

    /// Asks and waits.
    pub(super) fn answer(&self, deadline: Instant) -> Answer {
        let words = |end: &str| {
            if self.role.is_empty() {
                format!("{} {end}", self.address)
            } else {
                format!("{} {} {end}", self.role, self.address)
            }
        };
        match self.echo.send().and_then(|()| self.echo.is_answered(deadline)) {
            Ok(true) => Answer::Yes(words(&format!("answers after {:.1?}", self.began.elapsed()))),
            Ok(false) => Answer::No(words("does not answer")),
            Err(error) => no(words("cannot be reached"), &error),
        }
    }

    fn send(&self) {
        // Who cannot be reached does not answer.
        let _ = self.echo.send();
    }

    fn is_answered(&self, deadline: Instant) -> bool {
        self.echo.is_answered(deadline).unwrap_or(false)
    }
}

/// Whether this host alone is cut off: the peer and a third host of the network are silent while the peer answers by
/// another way. If nobody answers at all, nothing can be said.
pub(super) fn isolation(external: &Ask, internal: &Ask, third: &Ask, deadline: Instant) -> Answer {
    for ask in [external, internal, third] {
        ask.send();
    }
    // The first wait lasts until the deadline if need be. What has arrived at the others meanwhile is there.
    if external.is_answered(deadline) {
        return Answer::Yes(format!("the peer {} answers", external.address));
    }
    if third.is_answered(deadline) {
        return Answer::Yes(format!("the peer {} is silent, and {} answers", external.address, third.address));
    }
    if internal.is_answered(deadline) {
        return Answer::No(format!(
            "isolated: {} and {} are silent, and the peer answers by {}",
            external.address, third.address, internal.address
        ));
    }
    let all = [external, internal, third].map(|ask| ask.address.to_string()).join(", ");
    Answer::Nothing(format!("nobody answers: {all}"))
}

/// A host on the same link that is to be asked by its address there.
pub(super) struct Neighbour {
    link: Link,
    way: Way,
}

enum Way {
    Arp(Ipv4Addr, ArpSocket),
    Solicitation(std::net::Ipv6Addr, NeighbourSocket),
}

impl Neighbour {
    /// Opens a socket, which needs rights.
    pub(super) fn open(address: IpAddr, interface: &str) -> Result<Self, Answer> {
        let cannot = |error: &dyn std::fmt::Display| Answer::Nothing(format!("{address} cannot be asked: {error}"));
        let link = match link::by_name(interface) {
            Ok(Some(link)) => link,
            Ok(None) => return Err(Answer::No(format!("there is no interface {interface}"))),
            Err(error) => return Err(cannot(&error)),
        };
        let way = match address {
            IpAddr::V4(v4) => ArpSocket::open(&link).map(|socket| Way::Arp(v4, socket)),
            IpAddr::V6(v6) => NeighbourSocket::open(&link).map(|socket| Way::Solicitation(v6, socket)),
        };
        way.map(|way| Self { link, way }).map_err(|error| cannot(&error))
    }

    /// Asks and waits.
    pub(super) fn answer(&self, deadline: Instant) -> Answer {
        let own = self.link.mac.unwrap_or_default();
        let (address, found) = match &self.way {
            Way::Arp(target, socket) => (IpAddr::V4(*target), ask_by_arp(socket, *target, own, deadline)),
            Way::Solicitation(target, socket) => {
                let about_it = |message: &[u8]| {
                    let message = ndp::Packet::new_checked(message).ok()?;
                    (message.target() == *target).then(|| message.link_layer())
                };
                let found = socket.solicit(*target, own).and_then(|()| socket.wait(deadline, about_it));
                (IpAddr::V6(*target), found.map(|found| found.map(Option::unwrap_or_default)))
            }
        };
        match found {
            Ok(Some(mac)) => Answer::Yes(format!("{address} is at {mac} on {}", self.link.name)),
            Ok(None) => Answer::No(format!("{address} does not answer on {}", self.link.name)),
            Err(error) => no(format!("{address} cannot be asked on {}", self.link.name), &error),
        }
    }
}

fn ask_by_arp(socket: &ArpSocket, target: Ipv4Addr, own: [u8; 6], deadline: Instant) -> io::Result<Option<MacAddr>> {
    let request = arp::Repr {
        operation: Operation::Request,
        sender_mac: MacAddr(own),
        // Without one it is the probe of a host that has no address yet, which is answered, too (RFC 5227 2.1.1).
        sender_ip: own_address(target).unwrap_or(Ipv4Addr::UNSPECIFIED),
        target_mac: MacAddr([0; 6]),
        target_ip: target,
    };
    socket.broadcast(&request.emit())?;
    socket.wait(deadline, |packet| {
        let reply = arp::Repr::parse(&arp::Packet::new_checked(packet).ok()?).ok()?;
        (reply.operation == Operation::Reply && reply.sender_ip == target).then_some(reply.sender_mac)
    })
}

/// The own address that packets to `target` come from. Nothing is sent.
fn own_address(target: Ipv4Addr) -> Option<Ipv4Addr> {
    const DISCARD: u16 = 9;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((target, DISCARD)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(own) if !own.is_loopback() => Some(own),
        _ => None,
    }
}

/// Whether packets to `address` have a way, and that one.
pub(super) fn route(address: IpAddr, via: Option<IpAddr>, interface: Option<&str>) -> Answer {
    let looked = Connection::open().map_err(|error| error.to_string()).and_then(|mut connection| {
        let route = route::lookup(&mut connection, address).map_err(|error| error.to_string())?;
        let link = interface.map(|name| link::find(&mut connection, name)).transpose();
        Ok((route, link.map_err(|error| error.to_string())?.flatten()))
    });
    let (route, link) = match looked {
        Ok((Some(route), link)) => (route, link),
        Ok((None, _)) => return Answer::No(format!("no route to {address}")),
        Err(error) => return Answer::Nothing(format!("the route to {address} cannot be looked up: {error}")),
    };
    let way = route.gateway.map_or_else(|| "directly".into(), |gateway| format!("through {gateway}"));
    match (via, interface) {
        (Some(via), _) if route.gateway != Some(via) => {
            Answer::No(format!("the route to {address} goes {way}, not through {via}"))
        }
        (_, Some(name)) if link.is_none_or(|link| link.index != route.interface) => {
            Answer::No(format!("the route to {address} does not leave by {name}"))
        }
        _ => Answer::Yes(format!("packets to {address} go {way}")),
    }
}
