//! What a virtual host says: its advertisements, its goodbye, and the goodbye that is kept for its death.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::{Authentication, MacMode, Transport, VirtualHost};
use crate::auth::stamp::Tick;
use crate::node::{Output, Purpose};
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

impl VirtualHost {
    /// Sends one advertisement to everybody it is for. All copies say the same at the same time.
    pub(super) fn advertise(
        &mut self,
        now: Instant,
        interval: Interval,
        purpose: Purpose,
        outputs: &mut impl Extend<Output>,
    ) {
        let mark = match self.config.authentication {
            Authentication::Classic => Mark::Counter(self.fresh_counter()),
            _ => Mark::Stamp(self.freshness.next(now, &mut self.random)),
        };
        match mark {
            Mark::Counter(counter) => self.freshness.sent([counter; 2]),
            Mark::Stamp(_) => {
                let [v4, v6] = self.sources().map(|source| source.map(|s| self.signed(now, mark, interval, s).counter));
                let any = v4.or(v6).unwrap_or_default();
                self.freshness.sent([v4.unwrap_or(any), v6.unwrap_or(any)]);
            }
        }
        outputs.extend(self.copies(now, mark, interval, purpose));
    }

    /// The goodbye for the case that this process dies as MASTER: see [`crate::node::Node::last_will`].
    pub(crate) fn last_will(&mut self, now: Instant) -> Vec<Output> {
        let mark = match self.config.authentication {
            Authentication::Classic => Mark::Counter(self.fresh_counter()),
            _ => Mark::Stamp(self.freshness.ahead(now, self.reach())),
        };
        self.copies(now, mark, Interval::BOW_OUT, Purpose::Goodbye)
    }

    /// For how long a last will is valid: this node listens at least as long before it speaks again in its next life.
    fn reach(&self) -> Duration {
        self.config.interval.master_down(self.config.dead_ratio)
    }

    /// The addresses that advertisements come from, of IPv4 and of IPv6.
    fn sources(&self) -> [Option<IpAddr>; 2] {
        let v4 = self.config.speaks_v4().then_some(IpAddr::V4(self.config.local.v4));
        [v4, self.config.speaks_v6().map(IpAddr::V6)]
    }

    fn copies(&self, now: Instant, mark: Mark, interval: Interval, purpose: Purpose) -> Vec<Output> {
        let [v4, v6] = self.sources();
        let (host, link) = (self.id, self.config.link);
        match &self.config.transport {
            Transport::Multicast { v4: group_v4, v6: group_v6, broadcast } => {
                let routes = [(v4, IpAddr::V4(*group_v4)), (v6, IpAddr::V6(*group_v6))];
                let copy = |(source, group): (Option<IpAddr>, IpAddr)| {
                    let dst_mac = if *broadcast { MacAddr::BROADCAST } else { frame::multicast_mac(group) };
                    let frame = self.frame(source?, group, dst_mac, self.signed(now, mark, interval, source?));
                    Some(Output::Transmit { host, link, purpose, frame: frame.emit().expect("both are of one family") })
                };
                routes.into_iter().filter_map(copy).collect()
            }
            Transport::Unicast { peers, .. } => {
                let copy = |peer: &IpAddr| {
                    let source = if peer.is_ipv4() { v4 } else { v6 }?;
                    let advertisement = self.signed(now, mark, interval, source);
                    let frame = self.frame(source, *peer, MacAddr::default(), advertisement);
                    let packet = frame.emit_packet().expect("both are of one family");
                    Some(Output::TransmitPacket { host, link, purpose, destination: *peer, packet })
                };
                peers.iter().filter_map(copy).collect()
            }
        }
    }

    fn signed(&self, now: Instant, mark: Mark, interval: Interval, source: IpAddr) -> Repr {
        let Interval { advbase, advskew } = interval;
        let by = self.restraint.demotion();
        let demotion = if self.config.policy.demotion_byte { u8::try_from(by).unwrap_or(u8::MAX) } else { 0 };
        let bare = Repr { vhid: self.config.vhid, advbase, advskew, demotion, counter: 0, digest: [0; 20] };
        let signer = self.trust.signer(now);
        let counter = match mark {
            Mark::Counter(counter) => counter,
            Mark::Stamp(tick) => signer.sealer().counter(tick, source, &bare),
        };
        Repr { counter, digest: signer.sign(counter), ..bare }
    }

    fn frame(&self, src: IpAddr, dst: IpAddr, dst_mac: MacAddr, advertisement: Repr) -> AdvertisementFrame {
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
