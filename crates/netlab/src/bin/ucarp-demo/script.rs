//! The up and down scripts: they add and remove the virtual address by netlink.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use ucarp_sys::link;
use ucarp_sys::netlink::{Connection, NetlinkError};

/// The name of the up script.
pub(crate) const UP: &str = "vip-up";
/// The name of the down script.
pub(crate) const DOWN: &str = "vip-down";

/// A virtual address is nobody's network: it must never become the primary address of one.
const PREFIX: u8 = 32;

/// What to do with the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Add,
    Remove,
}

/// Why a script failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("usage: vip-up|vip-down INTERFACE ADDRESS, as ucarp calls it")]
    Usage,
    #[error("there is no interface {0}")]
    NoInterface(String),
    #[error("cannot open netlink: {0}")]
    Open(#[from] io::Error),
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// Does it. An address that is there, or gone, already is as it should be.
pub(crate) fn run(action: Action, arguments: &[OsString]) -> Result<(), Error> {
    let [interface, address, ..] = arguments else { return Err(Error::Usage) };
    let interface = interface.to_str().ok_or(Error::Usage)?;
    let address: Ipv4Addr = address.to_str().and_then(|text| text.parse().ok()).ok_or(Error::Usage)?;
    let mut connection = Connection::open()?;
    let found = link::find(&mut connection, interface)?;
    let index = found.ok_or_else(|| Error::NoInterface(interface.to_owned()))?.index;
    let message = message(index, address);
    let (result, already) = match action {
        Action::Add => {
            let request = RouteNetlinkMessage::NewAddress(message);
            (connection.request(request, NLM_F_CREATE | NLM_F_EXCL), Errno::EXIST)
        }
        Action::Remove => (connection.request(RouteNetlinkMessage::DelAddress(message), 0), Errno::ADDRNOTAVAIL),
    };
    match result {
        Err(error) if error.errno() != Some(already.raw_os_error()) => Err(error.into()),
        _ => Ok(()),
    }
}

fn message(index: u32, address: Ipv4Addr) -> AddressMessage {
    let address = IpAddr::V4(address);
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = PREFIX;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_add_and_remove_the_address_and_repeating_them_is_harmless() {
        if !netlab::can_run() {
            return;
        }
        let lab = netlab::Lab::new().unwrap();
        let host = lab.host("alpha", 1, [10, 0, 0, 1], 24).unwrap();
        let arguments = ["eth0", "10.0.0.100", "extra"].map(OsString::from);
        for (action, there) in [
            (Action::Remove, false),
            (Action::Add, true),
            (Action::Add, true),
            (Action::Remove, false),
            (Action::Remove, false),
        ] {
            host.run(|| run(action, &arguments)).unwrap().unwrap();
            assert_eq!(host.has_address([10, 0, 0, 100]).unwrap(), there, "after {action:?}");
        }
    }

    #[test]
    fn wrong_arguments_are_named() {
        let refused = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
            run(Action::Add, &arguments).unwrap_err()
        };
        assert!(matches!(refused(&["eth0"]), Error::Usage));
        assert!(matches!(refused(&["eth0", "fe80::1"]), Error::Usage));
        assert_eq!(refused(&["no-such-if0", "10.0.0.100"]).to_string(), "there is no interface no-such-if0");
    }
}
