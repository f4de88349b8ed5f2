//! What the kernel tells of links and addresses: datagrams of any content, through a netlink socket, to the monitor.
//!
//! It needs root or user namespaces: only `CAP_NET_ADMIN` of a network namespace, here one of our own, may send to
//! another process's netlink socket. The bytes then take the way of the kernel's.
#![no_main]

use std::cell::RefCell;
use std::net::IpAddr;
use std::os::fd::AsFd;

use libfuzzer_sys::fuzz_target;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::net::netlink::SocketAddrNetlink;
use ucarp_sys::monitor::{Event, Monitor};
use ucarp_sys::netns::{self, NetNs};

const HEADER: usize = 16;
/// The monitor's buffer; what does not fit is lost.
const LARGEST: usize = 32 * 1024;
const RTM_NEWADDR: u16 = 20;
const IFA_LOCAL: u16 = 2;
const IFA_PROTO: u16 = 11;
/// Without the two flags that an attribute's type may have.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// The monitor, and the one who writes to it.
struct Line {
    from: Socket,
    to: SocketAddr,
    monitor: Monitor,
}

thread_local! {
    static LINE: RefCell<Line> = RefCell::new(Line::new());
}

fuzz_target!(init: get_rights(), |datagram: &[u8]| {
    // The kernel refuses to send an empty one.
    if datagram.is_empty() {
        return;
    }
    let datagram = &datagram[..datagram.len().min(LARGEST / 2)];
    let (messages, rest) = messages(datagram);
    let events = read(datagram);
    assert!(events.len() <= messages.len(), "{events:?}");
    if messages.iter().any(|message| may_be_ours(message)) {
        return;
    }
    let one_by_one: Vec<Event> = messages.iter().flat_map(|message| read(message)).collect();
    assert_eq!(events, one_by_one, "messages have an effect on each other");
    // Whatever is wrong with a message, the next one is read.
    let (message, event) = address_added(datagram);
    assert_eq!(read(&message), std::slice::from_ref(&event));
    if rest.is_empty() {
        let mut longer = datagram.to_vec();
        longer.resize(datagram.len().next_multiple_of(4), 0);
        longer.extend(message);
        assert_eq!(read(&longer), [events, vec![event]].concat());
    }
});

/// Root can do it; others become root of a namespace, while there is only one thread.
fn get_rights() {
    if NetNs::new().is_err() {
        netns::become_root_in_user_namespace().expect("this target needs root or user namespaces");
    }
}

impl Line {
    fn new() -> Self {
        let namespace = NetNs::new().expect("namespaces can be made");
        namespace
            .run(|| {
                let monitor = Monitor::open().expect("there is netlink");
                let address = rustix::net::getsockname(monitor.as_fd()).expect("it is bound");
                let port = SocketAddrNetlink::try_from(address).expect("it is of netlink").pid();
                let from = Socket::new(NETLINK_ROUTE).expect("there is netlink");
                Self { from, to: SocketAddr::new(port, 0), monitor }
            })
            .expect("the namespace can be entered")
    }
}

/// What the monitor makes of a datagram.
fn read(datagram: &[u8]) -> Vec<Event> {
    LINE.with_borrow_mut(|line| {
        let sent = line.from.send_to(datagram, &line.to, 0).expect("nothing else is queued");
        assert_eq!(sent, datagram.len());
        let events = line.monitor.read().expect("the socket is not broken");
        assert_eq!(line.monitor.read().expect("the socket is not broken"), [], "read in one go");
        events
    })
}

/// The messages of a datagram, whole ones only, and what follows them.
fn messages(datagram: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut messages, mut rest) = (Vec::new(), datagram);
    while let Some(length) = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes) as usize) {
        if length < HEADER || length > rest.len() {
            break;
        }
        messages.push(&rest[..length]);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (messages, rest)
}

/// Whether it tells of a new address with a protocol: the kernel drops a datagram that begins with such a message, if the
/// protocol is ours.
fn may_be_ours(message: &[u8]) -> bool {
    let number = |bytes: &[u8]| u16::from_ne_bytes([bytes[0], bytes[1]]) & ATTRIBUTE_TYPE;
    let has_protocol = message.windows(2).any(|pair| number(pair) == IFA_PROTO);
    number(&message[4..]) == RTM_NEWADDR && has_protocol
}

/// A message that tells of a new address, and what it means. The numbers in it depend on `bytes`.
fn address_added(bytes: &[u8]) -> (Vec<u8>, Event) {
    let mut numbers = [0; 20];
    bytes.iter().take(20).zip(&mut numbers).for_each(|(byte, number)| *number = *byte);
    let (index, address) = numbers.split_first_chunk().expect("there are 20");
    let v6 = bytes.len() % 2 == 1;
    let (family, address) = if v6 { (10, address) } else { (2, &address[..4]) };
    let attribute = [&(4 + address.len() as u16).to_ne_bytes()[..], &IFA_LOCAL.to_ne_bytes(), address].concat();
    // Family, length of the prefix, flags, scope; index.
    let body = [&[family, 24, 0, 0][..], index, &attribute].concat();
    let length = (HEADER + body.len()) as u32;
    // Type, flags; sequence and port number, which the kernel leaves at 0.
    let header = [&length.to_ne_bytes()[..], &RTM_NEWADDR.to_ne_bytes(), &[0; 10]].concat();
    let address = match <[u8; 4]>::try_from(address) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(address).expect("there are 16")),
    };
    ([header, body].concat(), Event::AddressAdded { index: u32::from_ne_bytes(*index), address })
}
