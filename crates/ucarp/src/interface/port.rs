//! The open way to a segment: advertisements come in, anything goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use ucarp_sys::filter::{self, Program, VhidSet};
use ucarp_sys::membership::Membership;
use ucarp_sys::packet::{Family, Options, PacketSocket};
use ucarp_sys::raw::RawSocket;

use super::Needs;
use crate::protocol;

/// How much memory frames may take while they wait; the kernel grants twice as much. Over veth that holds 3,700
/// advertisements, and 1,300 if a network card's driver uses 2,304 octets for each: enough for a burst of all 255 virtual
/// hosts of a segment, several times over, and for 50 ms of a flood of 70,000 forged ones a second, during which other
/// programs may have the processor. It is less than what the engine reads in one turn, so that after a stall everything is
/// heard before anything is decided.
const WAITING_BYTES: u32 = 3 << 19;

/// As [`WAITING_BYTES`], for those who say that a virtual address is theirs: what does not fit is said again.
const OWNERS_BYTES: u32 = 64 << 10;

/// The sockets on one link.
pub struct Port {
    index: u32,
    needs: Needs,
    v4: Option<PacketSocket>,
    v6: Option<PacketSocket>,
    /// They hear who says that a virtual address is its own, by ARP and by neighbour advertisements.
    owners: [Option<PacketSocket>; 2],
    memberships: BTreeMap<IpAddr, Membership>,
    unicast_v4: Option<RawSocket>,
    unicast_v6: Option<RawSocket>,
    revision: u64,
}

/// No two ports, and no two sets of sockets of one, have the same.
static REVISION: AtomicU64 = AtomicU64::new(1);

impl Port {
    /// Opens what is needed on the link `index`.
    ///
    /// # Errors
    ///
    /// A socket or a membership was refused.
    pub fn open(index: u32, needs: &Needs) -> io::Result<Self> {
        let (v4, v6, memberships) = (None, None, BTreeMap::new());
        let mut port = Self {
            index,
            needs: Needs::default(),
            v4,
            v6,
            owners: [None, None],
            memberships,
            unicast_v4: None,
            unicast_v6: None,
            revision: 0,
        };
        port.adapt(needs)?;
        Ok(port)
    }

    /// The index of the link.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Becomes what is needed. What is needed still is not touched: no frame is lost or read twice.
    ///
    /// # Errors
    ///
    /// As [`Port::open`]; the rest stays as it was.
    pub fn adapt(&mut self, needs: &Needs) -> io::Result<()> {
        if *needs == self.needs {
            return Ok(());
        }
        adapt_socket(&mut self.v4, self.index, Family::Ipv4, (&self.needs.v4, &needs.v4), needs.fixed)?;
        adapt_socket(&mut self.v6, self.index, Family::Ipv6, (&self.needs.v6, &needs.v6), needs.fixed)?;
        let (before, [arp, neighbours]) = (&self.needs, &mut self.owners);
        let owned = |needs: &Needs| filter::possessions_v4(needs.owned_v4.iter().copied());
        let change = (needs.owned_v4 != before.owned_v4).then(|| (needs.owned_v4.is_empty(), owned(needs)));
        adapt_owners(arp, self.index, Family::Arp, change, needs.fixed)?;
        let owned = |needs: &Needs| filter::possessions_v6(needs.owned_v6.iter().copied());
        let change = (needs.owned_v6 != before.owned_v6).then(|| (needs.owned_v6.is_empty(), owned(needs)));
        adapt_owners(neighbours, self.index, Family::Ipv6, change, needs.fixed)?;
        self.memberships.retain(|group, _| needs.groups.contains(group));
        for group in &needs.groups {
            if !self.memberships.contains_key(group) {
                let membership = match group {
                    IpAddr::V4(group) => Membership::join(self.index, *group)?,
                    IpAddr::V6(group) => Membership::join_v6(self.index, *group)?,
                };
                self.memberships.insert(*group, membership);
            }
        }
        adapt_raw(&mut self.unicast_v4, needs.unicast.0, || RawSocket::open_v4(self.index))?;
        adapt_raw(&mut self.unicast_v6, needs.unicast.1, || RawSocket::open_v6(self.index))?;
        self.needs = needs.clone();
        self.revision = REVISION.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A number that changes with the sockets; never 0.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Copies of all sockets, for another process.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn sockets_to_share(&self) -> io::Result<(protocol::Sockets, Vec<OwnedFd>)> {
        let sockets = protocol::Sockets {
            index: self.index,
            v4: self.v4.is_some(),
            v6: self.v6.is_some(),
            unicast_v4: self.unicast_v4.is_some(),
            unicast_v6: self.unicast_v6.is_some(),
        };
        let packet = self.v4.iter().chain(&self.v6).map(PacketSocket::share);
        let raw = self.unicast_v4.iter().chain(&self.unicast_v6).map(|socket| socket.as_fd().try_clone_to_owned());
        let copies = packet.chain(raw).collect::<io::Result<_>>()?;
        Ok((sockets, copies))
    }

    /// Copies of the sockets that hear who has a virtual address.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn owners_to_share(&self) -> io::Result<Vec<OwnedFd>> {
        self.owners.iter().flatten().map(PacketSocket::share).collect()
    }

    /// Sockets that hear every virtual host id, of CARP and VRRP, for as long as they are open.
    ///
    /// # Errors
    ///
    /// As [`Port::open`].
    pub fn listen_for_ids(&self) -> io::Result<Vec<OwnedFd>> {
        let families = [(Family::Ipv4, !self.needs.v4.is_empty()), (Family::Ipv6, !self.needs.v6.is_empty())];
        let open = |family| {
            let options = Options { family, lock_filter: true, receive_buffer_bytes: Some(OWNERS_BYTES) };
            PacketSocket::open_with(self.index, &filter::any_id(), &options)?.share()
        };
        families.into_iter().filter(|(_, spoken)| *spoken).map(|(family, _)| open(family)).collect()
    }

    /// Copies of all memberships.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn memberships_to_share(&self) -> io::Result<Vec<OwnedFd>> {
        self.memberships.values().map(|membership| membership.as_fd().try_clone_to_owned()).collect()
    }

    /// The sockets that frames arrive on.
    pub fn sockets(&self) -> impl Iterator<Item = &PacketSocket> {
        self.v4.iter().chain(&self.v6)
    }

    /// Sends a frame of any kind.
    ///
    /// # Errors
    ///
    /// Those of [`PacketSocket::send`].
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.sockets().next().map_or(Err(io::ErrorKind::NotConnected.into()), |socket| socket.send(frame))
    }

    /// Sends an IP packet to wherever the routing table says.
    ///
    /// # Errors
    ///
    /// Those of [`RawSocket::send`].
    pub fn send_packet(&self, destination: IpAddr, packet: &[u8]) -> io::Result<()> {
        let socket = if destination.is_ipv4() { &self.unicast_v4 } else { &self.unicast_v6 };
        socket.as_ref().map_or(Err(io::ErrorKind::NotConnected.into()), |socket| socket.send(packet))
    }
}

fn adapt_socket(
    socket: &mut Option<PacketSocket>,
    index: u32,
    family: Family,
    (before, now): (&BTreeSet<u8>, &BTreeSet<u8>),
    fixed: bool,
) -> io::Result<()> {
    let filter = || filter::advertisements_of(&now.iter().copied().collect::<VhidSet>());
    if now.is_empty() {
        *socket = None;
    } else if let Some(socket) = socket {
        if before != now {
            socket.replace_filter(&filter())?;
        }
    } else {
        let options = Options { family, lock_filter: fixed, receive_buffer_bytes: Some(WAITING_BYTES) };
        *socket = Some(PacketSocket::open_with(index, &filter(), &options)?);
    }
    Ok(())
}

/// `change` is what is heard from now on, if that is not what it was: nothing, or what the filter lets pass.
fn adapt_owners(
    socket: &mut Option<PacketSocket>,
    index: u32,
    family: Family,
    change: Option<(bool, Program)>,
    fixed: bool,
) -> io::Result<()> {
    match (change, &socket) {
        (None, _) => {}
        (Some((true, _)), _) => *socket = None,
        (Some((false, filter)), Some(socket)) => socket.replace_filter(&filter)?,
        (Some((false, filter)), None) => {
            let options = Options { family, lock_filter: fixed, receive_buffer_bytes: Some(OWNERS_BYTES) };
            *socket = Some(PacketSocket::open_with(index, &filter, &options)?);
        }
    }
    Ok(())
}

fn adapt_raw(
    socket: &mut Option<RawSocket>,
    needed: bool,
    open: impl FnOnce() -> io::Result<RawSocket>,
) -> io::Result<()> {
    if !needed {
        *socket = None;
    } else if socket.is_none() {
        *socket = Some(open()?);
    }
    Ok(())
}
