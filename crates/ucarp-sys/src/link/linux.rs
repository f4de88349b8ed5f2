//! Linux: interfaces as rtnetlink describes them.

use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Link, MAX_NAME_BYTES};
use crate::netlink::{Connection, NetlinkError};
use crate::sysctl;

/// `ARPHRD_ETHER`: the [`Link::hardware_type`] of everything that speaks Ethernet.
pub const HARDWARE_ETHERNET: u16 = 1;

impl Link {
    /// From an `RTM_NEWLINK` or `RTM_DELLINK`; `None` if it has no name.
    pub(crate) fn from_message(message: &LinkMessage) -> Option<Link> {
        let flags = message.header.flags;
        let name = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
        let mac = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        });
        Some(Link {
            index: message.header.index,
            name,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Running),
            mac,
            hardware_type: message.header.link_layer_type.into(),
            loopback: flags.contains(LinkFlags::Loopback),
        })
    }
}

/// The interface called `name` in the calling thread's namespace, or `None`. Alternative names find it too.
///
/// # Errors
/// Those of [`Connection`].
pub fn by_name(name: &str) -> Result<Option<Link>, NetlinkError> {
    find(&mut connect()?, name)
}

/// [`by_name`] over an open connection, in its namespace.
///
/// # Errors
/// Those of [`Connection`].
pub fn find(connection: &mut Connection, name: &str) -> Result<Option<Link>, NetlinkError> {
    Ok(describe_name(connection, name)?.as_ref().and_then(Link::from_message))
}

/// All interfaces of the calling thread's namespace, in the kernel's order.
///
/// # Errors
/// Those of [`Connection::dump`].
pub fn all() -> Result<Vec<Link>, NetlinkError> {
    list(&mut connect()?)
}

/// [`all`] over an open connection, in its namespace.
///
/// # Errors
/// Those of [`Connection::dump`].
pub fn list(connection: &mut Connection) -> Result<Vec<Link>, NetlinkError> {
    Ok(describe_all(connection)?.iter().filter_map(Link::from_message).collect())
}

/// The interface that UCARP 1.5.2 uses when none is given, which is libpcap's choice: the first in the kernel's order
/// that is up, running and not a loopback (measured with libpcap 1.10.3). `None` if there is no such interface.
///
/// # Errors
/// Those of [`all`].
pub fn first_usable() -> Result<Option<Link>, NetlinkError> {
    Ok(all()?.into_iter().find(|link| link.up && link.running && !link.loopback))
}

/// Every address of the calling thread's namespace with the index of its interface. On a point-to-point link it is the
/// local end's.
///
/// # Errors
/// Those of [`Connection::dump`].
pub fn addresses() -> Result<Vec<(u32, IpAddr)>, NetlinkError> {
    list_addresses(&mut connect()?)
}

/// [`addresses`] over an open connection, in its namespace.
///
/// # Errors
/// Those of [`Connection::dump`].
pub fn list_addresses(connection: &mut Connection) -> Result<Vec<(u32, IpAddr)>, NetlinkError> {
    let messages = connection.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(address) => local_address(address),
            _ => None,
        })
        .collect())
}

/// Whether the interface of this name forwards IPv6 packets: then this host is a router to its neighbours. Not if that
/// cannot be read, as in a kernel without IPv6.
pub fn forwards_ipv6(name: &str) -> bool {
    sysctl::read(sysctl::Family::Ipv6, name, "forwarding").is_ok_and(|value| value == "1")
}

/// The interface and the address of an `RTM_NEWADDR` or `RTM_DELADDR`. `IFA_LOCAL` is ours where there is one;
/// `IFA_ADDRESS` is then the other end of a point-to-point link.
pub(crate) fn local_address(message: &AddressMessage) -> Option<(u32, IpAddr)> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    Some((message.header.index, address))
}

/// The interface with this index as the kernel describes it, or `None`.
pub(crate) fn describe(connection: &mut Connection, index: u32) -> Result<Option<LinkMessage>, NetlinkError> {
    let mut message = question();
    message.header.index = index;
    answer(connection.get(RouteNetlinkMessage::GetLink(message)))
}

/// The interface with this name as the kernel describes it, or `None`.
pub(crate) fn describe_name(connection: &mut Connection, name: &str) -> Result<Option<LinkMessage>, NetlinkError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
        return Ok(None);
    }
    let mut message = question();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    answer(connection.get(RouteNetlinkMessage::GetLink(message)))
}

/// All interfaces as the kernel describes them.
pub(crate) fn describe_all(connection: &mut Connection) -> Result<Vec<LinkMessage>, NetlinkError> {
    let messages = connection.dump(&RouteNetlinkMessage::GetLink(question()))?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        })
        .collect())
}

fn answer(answer: Result<RouteNetlinkMessage, NetlinkError>) -> Result<Option<LinkMessage>, NetlinkError> {
    match answer {
        Ok(RouteNetlinkMessage::NewLink(link)) => Ok(Some(link)),
        Ok(_) => Ok(None),
        Err(error) if error.errno() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A question without statistics: smaller answers, and nothing in them that we do not read.
fn question() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Unspec;
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

fn connect() -> Result<Connection, NetlinkError> {
    Connection::open().map_err(|source| NetlinkError::Socket { request: "opening netlink", source })
}

#[cfg(test)]
mod tests;
