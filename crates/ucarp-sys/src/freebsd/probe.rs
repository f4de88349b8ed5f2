//! Questions whether another host is there, which are not asked on FreeBSD: whoever wants one gets a clear error, and a check
//! that cannot ask decides nothing.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use crate::link::Link;

/// A socket for one echo request. There is none.
#[derive(Debug)]
pub enum Echo {}

impl Echo {
    /// Opens none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`].
    pub fn open(_: IpAddr, _: Option<&str>) -> io::Result<Echo> {
        unsupported()
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// None.
    pub fn send(&self) -> io::Result<()> {
        match *self {}
    }

    /// Whether a reply comes until then.
    ///
    /// # Errors
    ///
    /// None.
    pub fn is_answered(&self, _: Instant) -> io::Result<bool> {
        match *self {}
    }
}

/// A socket for one ARP request. There is none.
#[derive(Debug)]
pub enum ArpSocket {}

impl ArpSocket {
    /// Opens none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`].
    pub fn open(_: &Link) -> io::Result<ArpSocket> {
        unsupported()
    }

    /// Sends a packet to all hosts of the link.
    ///
    /// # Errors
    ///
    /// None.
    pub fn broadcast(&self, _: &[u8]) -> io::Result<()> {
        match *self {}
    }

    /// Reads until `wanted` accepts a packet.
    ///
    /// # Errors
    ///
    /// None.
    pub fn wait<T>(&self, _: Instant, _: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        match *self {}
    }
}

/// A socket for one neighbour solicitation. There is none.
#[derive(Debug)]
pub enum NeighbourSocket {}

impl NeighbourSocket {
    /// Opens none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`].
    pub fn open(_: &Link) -> io::Result<NeighbourSocket> {
        unsupported()
    }

    /// Asks for the MAC address of `target`.
    ///
    /// # Errors
    ///
    /// None.
    pub fn solicit(&self, _: Ipv6Addr, _: [u8; 6]) -> io::Result<()> {
        match *self {}
    }

    /// Reads until `wanted` accepts a message.
    ///
    /// # Errors
    ///
    /// None.
    pub fn wait<T>(&self, _: Instant, _: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        match *self {}
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "ucarp cannot ask other hosts on FreeBSD: use a command as check"))
}
