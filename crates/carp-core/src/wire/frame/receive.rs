//! From a received frame to an advertisement, or to the reason why it is none.

use core::net::IpAddr;

use super::TTL;
use crate::wire::{MacAddr, advertisement, ethernet, ipv4, ipv6};

/// An advertisement that is well-formed. Whether it is ours to believe (vhid, destination, digest) is not yet known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Ethernet source. OpenBSD, NetBSD and FreeBSD send from [`super::kernel_mac`], UCARP from [`super::ucarp_mac`].
    pub src_mac: MacAddr,
    /// Ethernet destination.
    pub dst_mac: MacAddr,
    /// IP source; may be 0.0.0.0 (FreeBSD, NetBSD), a virtual address, or forged.
    pub src: IpAddr,
    /// IP destination.
    pub dst: IpAddr,
    /// TTL or hop limit: 255, unless [`parse_routed`] read the frame.
    pub ttl: u8,
    /// IPv4 identification. Random, counting or 0, depending on the sender.
    pub ip_id: Option<u16>,
    /// The CARP header.
    pub advertisement: advertisement::Repr,
}

/// Whom a rejected frame claims to come from, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Ethernet source.
    pub mac: MacAddr,
    /// IP source.
    pub ip: IpAddr,
    /// Virtual host, if the frame has a whole CARP header.
    pub vhid: Option<u8>,
}

/// Why a frame holds no acceptable advertisement. The names in quotation marks are those of the BSD kernels' counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not IPv4 or IPv6 directly on Ethernet, or another IP protocol. The ordinary fate of a frame.
    #[error("not a carp packet")]
    NotCarp,
    /// The frame ends before its headers say, or the lengths in its IP header contradict each other ("hdrops").
    #[error("frame cut short, or impossible lengths in its ip header")]
    Truncated,
    /// The IPv4 header checksum is wrong.
    #[error("wrong ip header checksum")]
    BadIpChecksum,
    /// Part of a fragmented packet. Advertisements are never fragmented.
    #[error("fragment of an ip packet")]
    Fragment,
    /// Fewer than 36 bytes of payload: this many ("badlen"). A VRRP packet with up to 4 addresses looks so.
    #[error("payload of {0} bytes, shorter than the 36 of carp")]
    BadLength(usize),
    /// TTL or hop limit not 255: the packet has passed a router ("badttl").
    #[error("ttl {0} instead of 255")]
    BadTtl(u8),
    /// Not version 2 ("badver"). 3 is VRRP version 3.
    #[error("version {0} instead of 2")]
    BadVersion(u8),
    /// The CARP checksum is wrong ("badsum").
    #[error("wrong carp checksum")]
    BadChecksum,
}

/// A frame that holds no acceptable advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// From whom; known for every reason but [`Reason::NotCarp`] and [`Reason::Truncated`].
    pub sender: Option<Sender>,
}

impl Rejected {
    const fn unknown_sender(reason: Reason) -> Self {
        Self { reason, sender: None }
    }
}

/// What both IP versions have in common.
struct Datagram<'a> {
    src: IpAddr,
    dst: IpAddr,
    ttl: u8,
    ip_id: Option<u16>,
    payload: &'a [u8],
    /// What is wrong with the IP header although its lengths are right.
    defect: Option<Reason>,
}

/// Reads a frame as it came from the link.
///
/// Accepted as by UCARP and the kernels: any Ethernet address, any TOS and identification, IP options, any type, length
/// of authentication data and demotion, bytes behind the CARP header, Ethernet padding; over IPv6 either form of the
/// CARP checksum.
///
/// # Errors
/// The first of the checks that fails, in UCARP's order: lengths, IP checksum, fragment, length of the payload, TTL,
/// version, CARP checksum.
pub fn parse(frame: &[u8]) -> Result<Received, Rejected> {
    parse_checking(frame, |ttl| ttl == TTL)
}

/// As [`parse`], but of any TTL: for peers behind a router, which must then be known by their addresses.
///
/// # Errors
/// As [`parse`], save [`Reason::BadTtl`].
pub fn parse_routed(frame: &[u8]) -> Result<Received, Rejected> {
    parse_checking(frame, |_| true)
}

fn parse_checking(frame: &[u8], ttl_is_good: impl FnOnce(u8) -> bool) -> Result<Received, Rejected> {
    let Ok(frame) = ethernet::Frame::new_checked(frame) else {
        return Err(Rejected::unknown_sender(Reason::Truncated));
    };
    let datagram = match frame.ethertype() {
        ethernet::EtherType::Ipv4 => datagram_v4(frame.payload()),
        ethernet::EtherType::Ipv6 => datagram_v6(frame.payload()),
        ethernet::EtherType::Arp | ethernet::EtherType::Other(_) => Err(Reason::NotCarp),
    }
    .map_err(Rejected::unknown_sender)?;

    let reject = |reason, vhid| {
        let sender = Sender { mac: frame.src(), ip: datagram.src, vhid };
        Err(Rejected { reason, sender: Some(sender) })
    };
    if let Some(reason) = datagram.defect {
        return reject(reason, None);
    }
    let Ok(packet) = advertisement::Packet::new_checked(datagram.payload) else {
        return reject(Reason::BadLength(datagram.payload.len()), None);
    };
    let vhid = Some(packet.vhid());
    if !ttl_is_good(datagram.ttl) {
        return reject(Reason::BadTtl(datagram.ttl), vhid);
    }
    if packet.version() != advertisement::VERSION {
        return reject(Reason::BadVersion(packet.version()), vhid);
    }
    if !checksum_fits(&packet, &datagram) {
        return reject(Reason::BadChecksum, vhid);
    }
    Ok(Received {
        src_mac: frame.src(),
        dst_mac: frame.dst(),
        src: datagram.src,
        dst: datagram.dst,
        ttl: datagram.ttl,
        ip_id: datagram.ip_id,
        advertisement: advertisement::Repr::parse(&packet),
    })
}

fn datagram_v4(bytes: &[u8]) -> Result<Datagram<'_>, Reason> {
    let packet = ipv4::Packet::new_checked(bytes).map_err(|_| Reason::Truncated)?;
    if packet.protocol() != advertisement::PROTOCOL {
        return Err(Reason::NotCarp);
    }
    let defect = if !packet.verify_checksum() {
        Some(Reason::BadIpChecksum)
    } else if packet.is_fragment() {
        Some(Reason::Fragment)
    } else {
        None
    };
    Ok(Datagram {
        src: packet.src().into(),
        dst: packet.dst().into(),
        ttl: packet.ttl(),
        ip_id: Some(packet.identification()),
        payload: packet.payload(),
        defect,
    })
}

fn datagram_v6(bytes: &[u8]) -> Result<Datagram<'_>, Reason> {
    let packet = ipv6::Packet::new_checked(bytes).map_err(|_| Reason::Truncated)?;
    if packet.next_header() != advertisement::PROTOCOL {
        return Err(Reason::NotCarp);
    }
    Ok(Datagram {
        src: packet.src().into(),
        dst: packet.dst().into(),
        ttl: packet.hop_limit(),
        ip_id: None,
        payload: packet.payload(),
        defect: None,
    })
}

fn checksum_fits(packet: &advertisement::Packet<'_>, datagram: &Datagram<'_>) -> bool {
    packet.verify_checksum()
        || match (datagram.src, datagram.dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => packet.verify_checksum_with_pseudo_header(src, dst),
            _ => false,
        }
}
