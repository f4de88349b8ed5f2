//! Interfaces with the virtual MAC address: a macvlan on the interface that advertises.
//!
//! It is in bridge mode. In private mode the kernel swallows a multicast frame whose source is the macvlan's own MAC, and
//! that is what the advertisement of another master with the same virtual MAC looks like: neither would hear the other
//! (measured on Linux 6.18; in bridge mode the parent's sockets get it).
//!
//! It is up only while this host is master. A backup must not take frames for the virtual MAC: a router would forward
//! what a switch floods to all.
//!
//! Costs, measured for 255 on one parent: create 60 to 90 ms, settings 100 ms, up 8 to 15 ms. Down takes 13 ms *each*, as
//! the kernel waits for all processors, and holds up other changes of links and addresses meanwhile: where many go down
//! at once, [`remove`] (30 to 105 ms for all, 20 ms for one) and [`create`] are the faster way. While they are up, the
//! kernel copies each broadcast frame of the segment to each of them.

pub mod settings;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode,
};

use crate::link::{self, Link};
use crate::netlink::{Connection, Failure, NetlinkError};

/// Whether this system has such interfaces.
pub const SUPPORTED: bool = true;

/// How the alias of every interface begins that [`create`] makes.
const MARK: &str = "ucarp ";
/// The group in which interfaces are put that are to be removed together. It means nothing else.
const DOOMED: u32 = 0x7563_6172;

/// An interface to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualInterface {
    /// Its name, at most 15 octets.
    pub name: String,
    /// The index of the interface whose wire it uses.
    pub parent: u32,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// What is written behind `ucarp ` into its alias, such as `vhid 7 on eth0`: at most 249 octets.
    pub note: String,
}

/// An interface that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The interface.
    pub link: Link,
    /// The index of the interface whose wire it uses, if it is of that kind and both are in the same namespace.
    pub parent: Option<u32>,
    /// What somebody wrote down about it.
    pub alias: Option<String>,
    /// It is a macvlan and has the mark of [`create`].
    pub is_ours: bool,
}

impl Found {
    fn from_message(message: &LinkMessage) -> Option<Found> {
        let link = Link::from_message(message)?;
        let (mut parent, mut alias, mut is_macvlan) = (None, None, false);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::Link(index) => parent = Some(*index),
                LinkAttribute::IfAlias(text) => alias = Some(text.clone()),
                LinkAttribute::LinkInfo(info) => is_macvlan = info.contains(&LinkInfo::Kind(InfoKind::MacVlan)),
                _ => {}
            }
        }
        let is_ours = is_macvlan && alias.as_ref().is_some_and(|alias| alias.starts_with(MARK));
        Some(Found { link, parent, alias, is_ours })
    }
}

/// Makes interfaces and returns their indices in the same order. They are down, marked as ours, and the kernel gives them
/// no IPv6 addresses of its own: the next host's would be the same.
///
/// Beside this they need [`settings::apply`] before they go up.
///
/// # Errors
/// A refused one names itself. Known: `EEXIST` if there is an interface of this name ([`find`] tells whose), `ENODEV` if
/// there is no parent, `EBUSY` if the parent is a port of a bridge or bond, `EINVAL` if it does not speak Ethernet;
/// `EOPNOTSUPP` if the kernel has no macvlan; `EPERM` without `CAP_NET_ADMIN`; `ERANGE` for a note that is too long.
pub fn create(connection: &mut Connection, interfaces: &[VirtualInterface]) -> Vec<Result<u32, Failure>> {
    let new = interfaces.iter().map(|interface| RouteNetlinkMessage::NewLink(new_message(interface))).collect();
    let made = connection.request_all(new, NLM_F_CREATE | NLM_F_EXCL);
    let finish = |(interface, made): (&VirtualInterface, Result<(), NetlinkError>)| {
        made.and_then(|()| mark(connection, interface).inspect_err(|_| discard(connection, &interface.name)))
            .map_err(|source| Failure { what: format!("creating interface {}", interface.name), source })
    };
    interfaces.iter().zip(made).map(finish).collect()
}

/// Writes the alias and switches the kernel's own addresses off, which it does not do while it makes an interface.
fn mark(connection: &mut Connection, interface: &VirtualInterface) -> Result<u32, NetlinkError> {
    let request = "RTM_GETLINK";
    let gone = || NetlinkError::Malformed { request, reason: "the interface is gone already".into() };
    let index = link::find(connection, &interface.name)?.ok_or_else(gone)?.index;
    let mut message = with_index(index);
    message.attributes.push(LinkAttribute::IfAlias(format!("{MARK}{}", interface.note)));
    connection.request(RouteNetlinkMessage::SetLink(message), 0)?;
    let mut message = with_index(index);
    let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![none]));
    match connection.request(RouteNetlinkMessage::SetLink(message), 0) {
        // A kernel without IPv6 makes no addresses.
        Err(error) if error.errno() == Some(libc::EAFNOSUPPORT) => Ok(index),
        outcome => outcome.map(|()| index),
    }
}

/// Removes an interface that could not be marked, so that nobody wonders later whose it is.
fn discard(connection: &mut Connection, name: &str) {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    if let Err(error) = connection.request(RouteNetlinkMessage::DelLink(message), 0) {
        log::debug!("removing interface {name} again: {error}");
    }
}

/// Sets interfaces up or down. The outcomes are in the same order.
///
/// # Errors
/// A refused one names itself. Known: `ENODEV` if there is no such interface. A parent that is down is none: the
/// interface has no carrier then, as if the cable were out.
pub fn set_up(connection: &mut Connection, interfaces: &[u32], up: bool) -> Vec<Result<(), Failure>> {
    let message = |index: &u32| {
        let mut message = with_index(*index);
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        RouteNetlinkMessage::SetLink(message)
    };
    let outcomes = connection.request_all(interfaces.iter().map(message).collect(), 0);
    let words = if up { "up" } else { "down" };
    name_them(connection, interfaces, outcomes, |name| format!("setting {name} {words}"))
}

/// Removes interfaces, together. One that is gone is removed. The outcomes are in the same order.
///
/// # Errors
/// A refused one names itself.
pub fn remove(connection: &mut Connection, interfaces: &[u32]) -> Vec<Result<(), Failure>> {
    let doom = |index: &u32| {
        let mut message = with_index(*index);
        message.attributes.push(LinkAttribute::Group(DOOMED));
        RouteNetlinkMessage::SetLink(message)
    };
    let mut outcomes = connection.request_all(interfaces.iter().map(doom).collect(), 0);
    if outcomes.iter().any(Result::is_ok) {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(DOOMED));
        // All of the group at once: one by one they take 17 ms each.
        if let Err(error) = connection.request(RouteNetlinkMessage::DelLink(message), 0) {
            log::debug!("removing interfaces together: {error}");
            let one_by_one = interfaces.iter().map(|index| RouteNetlinkMessage::DelLink(with_index(*index)));
            outcomes = connection.request_all(one_by_one.collect(), 0);
        }
    }
    for outcome in &mut outcomes {
        if outcome.as_ref().err().and_then(NetlinkError::errno) == Some(libc::ENODEV) {
            *outcome = Ok(());
        }
    }
    name_them(connection, interfaces, outcomes, |name| format!("removing interface {name}"))
}

/// The interface with this name, whoever made it.
///
/// # Errors
/// Those of [`Connection`].
pub fn find(connection: &mut Connection, name: &str) -> Result<Option<Found>, NetlinkError> {
    Ok(link::describe_name(connection, name)?.as_ref().and_then(Found::from_message))
}

/// All interfaces of the connection's namespace that have the mark of [`create`], also those of an earlier run.
///
/// # Errors
/// Those of [`Connection::dump`].
pub fn ours(connection: &mut Connection) -> Result<Vec<Found>, NetlinkError> {
    let all = link::describe_all(connection)?;
    Ok(all.iter().filter_map(Found::from_message).filter(|found| found.is_ours).collect())
}

fn new_message(interface: &VirtualInterface) -> LinkMessage {
    let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)]);
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(interface.name.clone()),
        LinkAttribute::Link(interface.parent),
        LinkAttribute::Address(interface.mac.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan), LinkInfo::Data(mode)]),
    ];
    message
}

fn with_index(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn name_them(
    connection: &mut Connection,
    interfaces: &[u32],
    outcomes: Vec<Result<(), NetlinkError>>,
    words: impl Fn(&str) -> String,
) -> Vec<Result<(), Failure>> {
    let name = |(index, outcome): (&u32, Result<(), NetlinkError>)| {
        outcome.map_err(|source| Failure { what: words(&connection.interface_name(*index)), source })
    };
    interfaces.iter().zip(outcomes).map(name).collect()
}

#[cfg(test)]
mod tests;
