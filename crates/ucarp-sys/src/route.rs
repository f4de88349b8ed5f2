//! Where packets to an address go.

use std::net::IpAddr;

use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink::{Connection, NetlinkError};

/// The way of packets to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The interface that they leave by.
    pub interface: u32,
    /// The router that they are given to; `None`: the address is on the interface's own network.
    pub gateway: Option<IpAddr>,
    /// The address is this host's own.
    pub is_local: bool,
}

/// The way that packets from this host to `address` take; `None` if there is no route, or one that says so
/// (`unreachable`, `prohibit`, `blackhole`).
///
/// # Errors
///
/// The kernel cannot be asked.
pub fn lookup(connection: &mut Connection, address: IpAddr) -> Result<Option<Route>, NetlinkError> {
    let mut question = RouteMessage::default();
    let (family, length, destination) = match address {
        IpAddr::V4(v4) => (AddressFamily::Inet, 32, RouteAddress::Inet(v4)),
        IpAddr::V6(v6) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(v6)),
    };
    question.header.address_family = family;
    question.header.destination_prefix_length = length;
    question.attributes.push(RouteAttribute::Destination(destination));
    let answer = match connection.get(RouteNetlinkMessage::GetRoute(question)) {
        Ok(RouteNetlinkMessage::NewRoute(answer)) => answer,
        Ok(_) => return Ok(None),
        Err(error) => {
            // `blackhole` says EINVAL, and nothing else does of a question that is well formed.
            let none = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL];
            return if error.errno().is_some_and(|errno| none.contains(&errno)) { Ok(None) } else { Err(error) };
        }
    };
    // Over IPv6 a route that leads nowhere is an answer.
    if !matches!(answer.header.kind, RouteType::Unicast | RouteType::Local) {
        return Ok(None);
    }
    let is_local = answer.header.kind == RouteType::Local;
    let mut route = Route { interface: 0, gateway: None, is_local };
    for attribute in answer.attributes {
        match attribute {
            RouteAttribute::Oif(index) => route.interface = index,
            RouteAttribute::Gateway(RouteAddress::Inet(v4)) => route.gateway = Some(v4.into()),
            RouteAttribute::Gateway(RouteAddress::Inet6(v6)) => route.gateway = Some(v6.into()),
            _ => {}
        }
    }
    Ok(Some(route))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link;
    use crate::netns::for_test;
    use crate::packet::tests::{cable, ip};

    fn to(address: &str) -> Option<Route> {
        lookup(&mut Connection::open().unwrap(), address.parse().unwrap()).unwrap()
    }

    #[test]
    fn routes_lead_through_gateways_and_interfaces_or_nowhere() {
        let Some(namespace) = for_test() else { return };
        let look = || {
            let (left, _) = cable();
            assert_eq!(to("192.0.2.1"), None);
            ip("address add 192.0.2.1/24 dev left");
            ip("address add 2001:db8::1/64 dev left nodad");
            ip("route add 198.51.100.0/24 via 192.0.2.9");
            ip("route add default via 2001:db8::9");
            ip("route add unreachable 203.0.113.0/25");
            ip("route add blackhole 203.0.113.128/25");
            ip("route add prohibit 2001:db8:1::/64");
            let route = |gateway: Option<&str>| {
                let gateway = gateway.map(|gateway| gateway.parse().unwrap());
                Some(Route { interface: left, gateway, is_local: false })
            };
            assert_eq!(to("192.0.2.7"), route(None));
            assert_eq!(to("198.51.100.7"), route(Some("192.0.2.9")));
            assert_eq!(to("2001:db8::7"), route(None));
            assert_eq!(to("2001:db8:2::7"), route(Some("2001:db8::9")));
            for nowhere in ["203.0.113.1", "203.0.113.200", "2001:db8:1::1", "10.9.9.9"] {
                assert_eq!(to(nowhere), None, "{nowhere}");
            }
            assert!(to("192.0.2.1").unwrap().is_local);
            assert_eq!(link::by_name("left").unwrap().unwrap().index, left);
        };
        namespace.run(look).unwrap();
    }
}
