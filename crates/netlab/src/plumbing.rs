//! The netlink requests a laboratory is built with.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind,
    InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use ucarp_sys::netlink::{Connection, NetlinkError};

type Result<T> = std::result::Result<T, NetlinkError>;

/// The switch's end of a cable.
pub(crate) struct Port<'a> {
    pub(crate) index: u32,
    pub(crate) name: &'a str,
    pub(crate) bridge: u32,
}

/// The host's end of a cable.
pub(crate) struct Plug<'a> {
    pub(crate) namespace: BorrowedFd<'a>,
    pub(crate) name: &'a str,
    pub(crate) mac: [u8; 6],
}

/// A bridge that is up, learns, and floods what it does not know, multicast always: a plain switch without spanning tree
/// or snooping.
pub(crate) fn add_bridge(connection: &mut Connection, index: u32, name: &str, mac: [u8; 6]) -> Result<()> {
    let settings = vec![InfoBridge::StpState(BridgeStpState::Disabled), InfoBridge::MulticastSnooping(false)];
    let info = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(settings))];
    let mut message = link(index);
    // A MAC of its own: without one it would change with the ports.
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::LinkInfo(info),
    ];
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    connection.request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}

/// A cable from the bridge to another namespace, both ends down.
pub(crate) fn add_cable(connection: &mut Connection, port: &Port<'_>, plug: &Plug<'_>) -> Result<()> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(plug.name.to_owned()),
        LinkAttribute::Address(plug.mac.to_vec()),
        LinkAttribute::NetNsFd(plug.namespace.as_raw_fd()),
    ];
    let data = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)));
    let mut message = link(port.index);
    message.attributes = vec![
        LinkAttribute::IfName(port.name.to_owned()),
        LinkAttribute::Controller(port.bridge),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), data]),
    ];
    connection.request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}

/// Sets the administrative state of a link.
pub(crate) fn set_up(connection: &mut Connection, index: u32, up: bool) -> Result<()> {
    let mut message = link(index);
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    message.header.change_mask = LinkFlags::Up;
    connection.request(RouteNetlinkMessage::SetLink(message), 0)
}

pub(crate) fn rename(connection: &mut Connection, index: u32, name: &str) -> Result<()> {
    let mut message = link(index);
    message.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    connection.request(RouteNetlinkMessage::SetLink(message), 0)
}

/// Removes a link; of a cable both ends.
pub(crate) fn delete(connection: &mut Connection, index: u32) -> Result<()> {
    connection.request(RouteNetlinkMessage::DelLink(link(index)), 0)
}

/// Whether the bridge forwards on this port, which it does a moment after the carrier comes.
pub(crate) fn is_forwarding(connection: &mut Connection, port: u32) -> Result<bool> {
    let RouteNetlinkMessage::NewLink(message) = connection.get(RouteNetlinkMessage::GetLink(link(port)))? else {
        return Ok(false);
    };
    let forwarding = |info: &LinkInfo| {
        let LinkInfo::PortData(InfoPortData::BridgePort(settings)) = info else { return false };
        settings.contains(&InfoBridgePort::State(BridgePortState::Forwarding))
    };
    Ok(message.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => info.iter().any(forwarding),
        _ => false,
    }))
}

/// Makes the switch drop silently what comes in on this port, or not any more. A locked port accepts only sources that are
/// known to be behind it, and forgets those here.
pub(crate) fn drop_incoming(connection: &mut Connection, port: u32, on: bool) -> Result<()> {
    let mut settings = vec![InfoBridgePort::Locked(on)];
    if on {
        settings.push(InfoBridgePort::Flush);
    }
    let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(InfoPortData::BridgePort(settings))];
    let mut message = link(port);
    message.attributes = vec![LinkAttribute::LinkInfo(info)];
    // SETLINK would be accepted, and does not look at the settings of ports.
    connection.request(RouteNetlinkMessage::NewLink(message), 0)
}

/// Makes the switch drop silently what it would send out of this port: the `blackhole` queue tells the sender that all went
/// well.
pub(crate) fn drop_outgoing(connection: &mut Connection, port: u32) -> Result<()> {
    let mut message = root_queue(port);
    message.attributes = vec![TcAttribute::Kind("blackhole".to_owned())];
    connection.request(RouteNetlinkMessage::NewQueueDiscipline(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Undoes [`drop_outgoing`]; harmless if there is nothing to undo.
pub(crate) fn pass_outgoing(connection: &mut Connection, port: u32) -> Result<()> {
    match connection.request(RouteNetlinkMessage::DelQueueDiscipline(root_queue(port)), 0) {
        Err(error) if error.errno() == Some(rustix::io::Errno::NOENT.raw_os_error()) => Ok(()),
        other => other,
    }
}

pub(crate) fn add_address(connection: &mut Connection, index: u32, address: IpAddr, prefix: u8) -> Result<()> {
    let message = RouteNetlinkMessage::NewAddress(self::address(index, address, prefix));
    connection.request(message, NLM_F_CREATE | NLM_F_EXCL)
}

pub(crate) fn remove_address(connection: &mut Connection, index: u32, address: IpAddr, prefix: u8) -> Result<()> {
    connection.request(RouteNetlinkMessage::DelAddress(self::address(index, address, prefix)), 0)
}

/// The MAC this namespace sends to for `address`, if it has one.
pub(crate) fn neighbour(connection: &mut Connection, address: IpAddr) -> Result<Option<[u8; 6]>> {
    let wanted = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    let mut question = NeighbourMessage::default();
    question.header.family = family(address);
    let table = connection.dump(&RouteNetlinkMessage::GetNeighbour(question))?;
    Ok(table.iter().find_map(|entry| {
        let RouteNetlinkMessage::NewNeighbour(entry) = entry else { return None };
        if !entry.attributes.contains(&NeighbourAttribute::Destination(wanted.clone())) {
            return None;
        }
        entry.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(mac) => mac.as_slice().try_into().ok(),
            _ => None,
        })
    }))
}

fn address(index: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    if address.is_ipv6() {
        // Usable at once, without a second of duplicate address detection.
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn root_queue(port: u32) -> TcMessage {
    let mut message = TcMessage::with_index(i32::try_from(port).expect("interface numbers are positive ints"));
    message.header.parent = TcHandle::ROOT;
    message
}
