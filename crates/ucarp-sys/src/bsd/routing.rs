//! What a routing socket tells (`route(4)`), and the lists of the same format that `sysctl(3)` gives (`NET_RT_IFLIST`).
//!
//! A message says what happened and not what is: an interface that goes down sends `RTM_DELADDR` for addresses that it
//! keeps, and the order of messages differs between releases. So [`events`] holds them against the present state.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{INET, INET6, LINK, padded, text, u16_at, u32_at};
use crate::link::Link;
use crate::monitor::Event;

/// `RTM_VERSION`.
const VERSION: u8 = 5;
/// `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_IFINFO`, `RTM_IFANNOUNCE`.
const NEW_ADDRESS: u8 = 0x0c;
const GONE_ADDRESS: u8 = 0x0d;
const INTERFACE: u8 = 0x0e;
const ANNOUNCEMENT: u8 = 0x11;

/// Which addresses follow a header, as bits of its mask in this order: `RTA_NETMASK`, `RTA_IFP`, `RTA_IFA` are used.
const KINDS: usize = 8;
const NETMASK: usize = 2;
const INTERFACE_POINTER: usize = 4;
const INTERFACE_ADDRESS: usize = 5;

/// `struct if_msghdr` and `struct ifa_msghdr`: their mask, flags, index and end, and `if_data` in the first.
const MASK: usize = 4;
const FLAGS: usize = 8;
const INDEX: usize = 12;
const TYPE: usize = 16;
const LINK_STATE: usize = 20;
const INTERFACE_HEADER: usize = 168;
const ADDRESS_HEADER: usize = 20;

/// `struct if_announcemsghdr`.
const ANNOUNCED_INDEX: usize = 4;
const ANNOUNCED_NAME: std::ops::Range<usize> = 6..22;
const ANNOUNCED_WHAT: usize = 22;
/// `IFAN_DEPARTURE`.
const DEPARTURE: u16 = 1;

/// `IFF_UP`, `IFF_LOOPBACK`, `IFF_DRV_RUNNING`.
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const RUNNING: u32 = 0x40;
/// `LINK_STATE_DOWN`; 0 is "unknown" and 2 "up".
const NO_CARRIER: u8 = 1;

/// `IFT_ETHER`, and what carries the same frames: `IFT_IEEE80211`, `IFT_L2VLAN`, `IFT_IEEE8023ADLAG`, `IFT_BRIDGE`.
pub(crate) const ETHERNET: u8 = 6;
const LIKE_ETHERNET: [u8; 4] = [71, 135, 161, 209];

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) index: u32,
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
}

/// A message that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// An interface has changed. In a list it comes with what it is.
    Interface(u32, Option<Link>),
    /// An address was added, or is there.
    Present(Own),
    /// An address was removed, perhaps.
    Removed(Own),
    /// An interface of this name has come.
    Arrived(u32),
    /// An interface has left, or lost this name.
    Left(u32, String),
}

/// All interfaces and addresses at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) links: Vec<Link>,
    pub(crate) addresses: Vec<Own>,
}

impl Snapshot {
    /// From a list that `sysctl(3)` has given.
    pub(crate) fn from_list(list: &[u8]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for message in messages(list) {
            match message {
                Message::Interface(_, Some(link)) => snapshot.links.push(link),
                Message::Present(own) => snapshot.addresses.push(own),
                _ => {}
            }
        }
        snapshot
    }

    fn has(&self, wanted: &Own) -> bool {
        self.addresses.iter().any(|own| (own.index, own.address) == (wanted.index, wanted.address))
    }
}

/// The messages of a buffer that matter; ends at the first that is not whole.
pub(crate) fn messages(buffer: &[u8]) -> impl Iterator<Item = Message> {
    let mut rest = buffer;
    let each = std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let message = rest.get(..length).filter(|message| message.len() > 3)?;
        rest = &rest[length..];
        Some(message)
    });
    each.filter_map(message)
}

fn message(bytes: &[u8]) -> Option<Message> {
    let [_, _, VERSION, kind, ..] = *bytes else { return None };
    let index = u16_at(bytes, INDEX).map(u32::from);
    match kind {
        INTERFACE => Some(Message::Interface(index?, link(bytes))),
        NEW_ADDRESS => own(bytes).map(Message::Present),
        GONE_ADDRESS => own(bytes).map(Message::Removed),
        ANNOUNCEMENT => {
            let index = u16_at(bytes, ANNOUNCED_INDEX)?.into();
            let left = u16_at(bytes, ANNOUNCED_WHAT)? == DEPARTURE;
            Some(if left { Message::Left(index, text(bytes.get(ANNOUNCED_NAME)?)) } else { Message::Arrived(index) })
        }
        _ => None,
    }
}

/// What is behind a header of this length, by kind. Each begins at a multiple of 8 from there, whatever its length; one
/// that has no length takes 8 bytes.
fn sockaddrs(message: &[u8], header: usize) -> Option<[Option<&[u8]>; KINDS]> {
    let mask = u32_at(message, MASK)?;
    let mut found = [None; KINDS];
    let mut rest = message.get(header..)?;
    for (kind, found) in found.iter_mut().enumerate() {
        if mask & 1 << kind == 0 {
            continue;
        }
        let length = usize::from(*rest.first()?);
        *found = Some(rest.get(..length)?);
        rest = rest.get(padded(length).max(8)..).unwrap_or_default();
    }
    Some(found)
}

fn link(message: &[u8]) -> Option<Link> {
    let sockaddr = sockaddrs(message, INTERFACE_HEADER)?[INTERFACE_POINTER]?;
    let [_, LINK, _, _, _, name_length, mac_length, ..] = *sockaddr else { return None };
    let (name_length, mac_length) = (usize::from(name_length), usize::from(mac_length));
    let data = sockaddr.get(8..)?;
    let flags = u32_at(message, FLAGS)?;
    let kind = *message.get(TYPE)?;
    Some(Link {
        index: u16_at(message, INDEX)?.into(),
        name: text(data.get(..name_length)?),
        up: flags & UP != 0,
        running: flags & RUNNING != 0 && *message.get(LINK_STATE)? != NO_CARRIER,
        mac: data.get(name_length..name_length + mac_length)?.try_into().ok(),
        hardware_type: if LIKE_ETHERNET.contains(&kind) { ETHERNET } else { kind }.into(),
        loopback: flags & LOOPBACK != 0,
    })
}

/// `None` for an address of another family, or for none: FreeBSD 10.4 tells that nothing was removed before it tells that
/// an address was added.
fn own(message: &[u8]) -> Option<Own> {
    let sockaddrs = sockaddrs(message, ADDRESS_HEADER)?;
    let (address, mask) = (ip(sockaddrs[INTERFACE_ADDRESS]?)?, sockaddrs[NETMASK]);
    // Old kernels leave zeros at its end out, and its family may be any.
    let mask = mask.and_then(|mask| mask.get(if address.is_ipv4() { 4 } else { 8 }..)).unwrap_or_default();
    let longest = if address.is_ipv4() { 4 } else { 16 };
    let bits: u32 = mask.iter().take(longest).map(|octet| octet.count_ones()).sum();
    let prefix_len = u8::try_from(bits).expect("16 octets have 128 bits");
    Some(Own { index: u16_at(message, INDEX)?.into(), address, prefix_len })
}

fn ip(sockaddr: &[u8]) -> Option<IpAddr> {
    match *sockaddr.get(1)? {
        INET => Some(Ipv4Addr::from(*sockaddr.get(4..)?.first_chunk::<4>()?).into()),
        INET6 => {
            let mut octets = *sockaddr.get(8..)?.first_chunk::<16>()?;
            if Ipv6Addr::from(octets).is_unicast_link_local() {
                // Where a kernel keeps the number of the interface.
                octets[2..4].fill(0);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// What has really happened: messages, in the light of how things are after the last of them.
pub(crate) fn events(messages: &[Message], now: &Snapshot) -> Vec<Event> {
    let mut events = Vec::new();
    let mut changed = Vec::new();
    for message in messages {
        let event = match message {
            Message::Interface(index, _) | Message::Arrived(index) => {
                changed.push(*index);
                continue;
            }
            Message::Left(index, name) => {
                changed.push(*index);
                Event::LinkGone { index: *index, name: name.clone() }
            }
            Message::Present(own) if now.has(own) => Event::AddressAdded { index: own.index, address: own.address },
            Message::Removed(own) if !now.has(own) => {
                Event::AddressRemoved { index: own.index, address: own.address, by: None }
            }
            Message::Present(_) | Message::Removed(_) => continue,
        };
        if !events.contains(&event) {
            events.push(event);
        }
    }
    let links = now.links.iter().filter(|link| changed.contains(&link.index));
    events.extend(links.cloned().map(Event::LinkChanged));
    events
}

#[cfg(test)]
mod tests;
