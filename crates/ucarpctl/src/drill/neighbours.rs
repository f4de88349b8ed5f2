//! Whose Ethernet address this host sends to for an address: what ARP and neighbour discovery have found.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// More than the answer about one neighbour.
const BUFFER_BYTES: usize = 4096;

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// As it is written: `02:00:00:00:00:01`.
    pub(super) mac: String,
    /// Whether it has answered within the last half minute or so.
    reachable: bool,
}

/// The number of an interface, if there is one of this name in the network namespace of this process.
pub(super) fn index(interface: &str) -> Option<u32> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None).ok()?;
    rustix::net::netdevice::name_to_index(&socket, interface).ok()
}

/// Whether the kernel has an answer of this neighbour that is not old.
pub(super) fn is_reachable(interface: &str, address: IpAddr) -> bool {
    let found = Table::open(interface).and_then(|table| table.find(address));
    found.is_ok_and(|found| found.is_some_and(|neighbour| neighbour.reachable))
}

/// The neighbour table, of one interface.
pub(super) struct Table {
    socket: Socket,
    interface: u32,
}

impl Table {
    /// # Errors
    /// There is no such interface, or no netlink.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let interface = index(interface).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Table { socket, interface })
    }

    /// The neighbour with an address, if the kernel knows where it is. The kernel answers inside `send`: nothing is waited
    /// for.
    ///
    /// # Errors
    /// The answer is none; kernels before Linux 5.0 have no such question.
    pub(super) fn find(&self, address: IpAddr) -> io::Result<Option<Neighbour>> {
        let mut question = NeighbourMessage::default();
        question.header.ifindex = self.interface;
        let (family, destination) = match address {
            IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
            IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
        };
        question.header.family = family;
        question.attributes = vec![NeighbourAttribute::Destination(destination)];
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let payload = NetlinkPayload::from(RouteNetlinkMessage::GetNeighbour(question));
        let mut message = NetlinkMessage::new(header, payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answer = vec![0; BUFFER_BYTES];
        let length = self.socket.recv(&mut &mut answer[..], 0)?;
        let answer = NetlinkBuffer::new_checked(answer.get(..length).unwrap_or_default()).map_err(io::Error::other)?;
        let answer =
            NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer.into_inner()).map_err(io::Error::other)?;
        Ok(match answer.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(found)) => neighbour(&found),
            _ => None,
        })
    }
}

fn neighbour(found: &NeighbourMessage) -> Option<Neighbour> {
    let reachable = found.header.state == NeighbourState::Reachable;
    let mac = found.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(mac) => Some(mac),
        _ => None,
    })?;
    let octets: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
    // One that was asked for in vain has an address of zeros, or none.
    let is_known = !matches!(found.header.state, NeighbourState::Failed | NeighbourState::Incomplete);
    (is_known && !octets.is_empty()).then(|| Neighbour { mac: octets.join(":"), reachable })
}
