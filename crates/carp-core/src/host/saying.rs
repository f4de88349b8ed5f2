//! What a virtual host says: its advertisements, its goodbye, and the goodbye that is kept for its death.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::{Authentication, MacMode, Transport, VirtualHost};
use crate::auth::stamp::Tick;
use crate::node::{Output, Outputs, Purpose};
use crate::time::Instant;
use crate::timing::Interval;
use crate::wire::MacAddr;
use crate::wire::advertisement::Repr;
use crate::wire::frame::{self, AdvertisementFrame};

/// What the counters of one advertisement are made of.
#[derive(Clone, Copy)]
enum Mark {
    /// All copies carry this counter.
    Counter(u64),
    /// Each copy is stamped with this time.
    Stamp(Tick),
}

/// An advertisement, signed, and where it comes from.
#[derive(Clone, Copy)]
struct Said {
    source: IpAddr,
    advertisement: Repr,
}

impl VirtualHost {
    /// Sends one advertisement to everybody it is for. All copies say the same at the same time.
    pub(super) fn advertise(&mut self, now: Instant, interval: Interval, purpose: Purpose, outputs: &mut Outputs) {
        let mark = match self.config.authentication {
            Authentication::Classic => Mark::Counter(self.fresh_counter()),
            _ => Mark::Stamp(self.freshness.next(now, &mut self.random)),
        };
        let said = self.signed(now, mark, interval);
        let [v4, v6] = said.map(|said| said.map(|said| said.advertisement.counter));
        if let Some(any) = v4.or(v6) {
            self.freshness.sent([v4.unwrap_or(any), v6.unwrap_or(any)]);
        }
        self.send(said, purpose, outputs);
    }

    /// The goodbye for the case that this process dies as MASTER: see [`crate::node::Node::last_will`].
    pub(crate) fn last_will(&mut self, now: Instant) -> Vec<Output> {
        let mark = match self.config.authentication {
            Authentication::Classic => Mark::Counter(self.fresh_counter()),
            _ => Mark::Stamp(self.freshness.ahead(now, self.reach())),
        };
        let mut outputs = Vec::new();
        self.send(self.signed(now, mark, Interval::BOW_OUT), Purpose::Goodbye, &mut outputs);
        outputs
    }

    /// For how long a last will is valid: this node listens at least as long before it speaks again in its next life.
    fn reach(&self) -> Duration {
        self.config.interval.master_down(self.config.dead_ratio)
    }

    /// The advertisement of this moment, once for each family: all copies of a family are the same.
    fn signed(&self, now: Instant, mark: Mark, interval: Interval) -> [Option<Said>; 2] {
        let Interval { advbase, advskew } = interval;
        let by = self.restraint.demotion();
        let demotion = if self.config.policy.demotion_byte { u8::try_from(by).unwrap_or(u8::MAX) } else { 0 };
        let bare = Repr { vhid: self.config.vhid, advbase, advskew, demotion, counter: 0, digest: [0; 20] };
        let signer = self.trust.signer(now);
        let v4 = self.config.speaks_v4().then_some(IpAddr::V4(self.config.local.v4));
        [v4, self.config.speaks_v6().map(IpAddr::V6)].map(|source| {
            let source = source?;
            let counter = match mark {
                Mark::Counter(counter) => counter,
                Mark::Stamp(tick) => signer.sealer().counter(tick, source, &bare),
            };
            Some(Said { source, advertisement: Repr { counter, digest: signer.sign(counter), ..bare } })
        })
    }

    /// Sends a copy to everybody it is for.
    fn send(&self, [v4, v6]: [Option<Said>; 2], purpose: Purpose, outputs: &mut impl Extend<Output>) {
        let (host, link) = (self.id, self.config.link);
        match &self.config.transport {
            Transport::Multicast { v4: group_v4, v6: group_v6, broadcast } => {
                let copy = |(said, group): (Option<Said>, IpAddr)| {
                    let dst_mac = if *broadcast { MacAddr::BROADCAST } else { frame::multicast_mac(group) };
                    let frame = self.frame(said?, group, dst_mac).emit().expect("both are of one family");
                    Some(Output::Transmit { host, link, purpose, frame })
                };
                outputs.extend([(v4, IpAddr::V4(*group_v4)), (v6, IpAddr::V6(*group_v6))].into_iter().filter_map(copy));
            }
            Transport::Unicast { peers, .. } => {
                let copy = |peer: &IpAddr| {
                    let said = if peer.is_ipv4() { v4 } else { v6 }?;
                    let packet = self.frame(said, *peer, MacAddr::default()).emit_packet();
                    let packet = packet.expect("both are of one family");
                    Some(Output::TransmitPacket { host, link, purpose, destination: *peer, packet })
                };
                outputs.extend(peers.iter().filter_map(copy));
            }
        }
    }

    fn frame(&self, said: Said, dst: IpAddr, dst_mac: MacAddr) -> AdvertisementFrame {
        let Said { source: src, advertisement } = said;
        let vhid = self.config.vhid;
        AdvertisementFrame {
            src_mac: match self.config.mac {
                MacMode::Interface => frame::ucarp_mac(vhid),
                MacMode::Virtual => frame::kernel_mac(vhid),
            },
            dst_mac,
            src,
            dst,
            tos: if dst.is_ipv4() { frame::TOS_LOW_DELAY } else { 0 },
            netbsd_checksum: self.config.pseudo_header_checksum,
            advertisement,
        }
    }

    /// A fresh random counter each time: two MASTERs that adopted each other's counters would take the other's
    /// advertisements for echoes of their own. OpenBSD drops 0.
    fn fresh_counter(&mut self) -> u64 {
        loop {
            let counter = self.random.bits();
            if counter != 0 {
                return counter;
            }
        }
    }
}
