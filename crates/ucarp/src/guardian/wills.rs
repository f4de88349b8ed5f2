//! Goodbyes for the case that the engine dies: kept here, and sent when the addresses are gone.

use std::net::IpAddr;

use carp_core::node::LinkId;
use carp_core::timing::Interval;
use carp_core::wire::frame;
use log::{info, warn};

use super::{Guardian, link_id};
use crate::protocol::HostNumber;
use crate::settings::{HostSettings, Transport};

/// Multicast goes out once for each family.
const FAMILIES: usize = 2;

/// What comes before an IP packet on Ethernet.
const ETHERNET_HEADER: usize = 14;

/// A goodbye that was signed in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Will {
    /// The peer that it is for, as a packet; `None`: it is a frame for everybody.
    pub(super) destination: Option<IpAddr>,
    pub(super) goodbye: Vec<u8>,
}

impl Will {
    /// Whether it is a goodbye of this virtual host to those who have to hear it, and nothing else.
    fn is_of(&self, settings: &HostSettings) -> bool {
        let header = match (self.destination, &settings.transport) {
            (None, Transport::Multicast { .. } | Transport::Broadcast { .. }) => Vec::new(),
            (Some(peer), Transport::Unicast { peers, .. }) if peers.contains(&peer) => {
                let ethertype: [u8; 2] = if peer.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
                [&[0; ETHERNET_HEADER - 2][..], &ethertype].concat()
            }
            _ => return false,
        };
        frame::parse_routed(&[&header, &self.goodbye[..]].concat()).is_ok_and(|received| {
            let said = &received.advertisement;
            let interval = Interval { advbase: said.advbase, advskew: said.advskew };
            said.vhid == settings.vhid && interval == Interval::BOW_OUT
        })
    }

    /// Whether a newer one takes its place.
    fn is_replaced_by(&self, other: &Will) -> bool {
        let family = |will: &Will| will.goodbye.get(ETHERNET_HEADER - 2..ETHERNET_HEADER).map(<[u8]>::to_vec);
        self.destination == other.destination && (self.destination.is_some() || family(self) == family(other))
    }
}

impl Guardian {
    /// Keeps a goodbye, if it is one.
    pub(super) fn keep_will(&mut self, host: HostNumber, link: LinkId, will: Will) {
        let Some(hosted) = self.hosts.get_mut(&host).filter(|hosted| link_id(hosted.interface) == link) else { return };
        if !will.is_of(&hosted.settings) {
            return self.distrust("something else than the goodbye of a virtual host");
        }
        hosted.wills.retain(|known| !known.is_replaced_by(&will));
        let most = match &hosted.settings.transport {
            Transport::Unicast { peers, .. } => peers.len(),
            _ => FAMILIES,
        };
        if hosted.wills.len() < most {
            hosted.wills.push(will);
        }
    }

    /// Says goodbye for an engine that has died. The addresses are gone.
    pub(super) fn execute_will(&mut self, host: HostNumber) {
        let Some(hosted) = self.hosts.get_mut(&host).filter(|hosted| hosted.orphaned) else { return };
        hosted.orphaned = false;
        let wills = std::mem::take(&mut hosted.wills);
        let Some(port) = self.interfaces[hosted.interface].port() else { return };
        for Will { destination, goodbye } in wills {
            let sent = match destination {
                None => port.send(&goodbye),
                Some(peer) => port.send_packet(peer, &goodbye),
            };
            match sent {
                Ok(()) => info!("{}Said goodbye in place of the engine", hosted.profile.who),
                Err(error) => warn!("{}Unable to say goodbye in place of the engine: {error}", hosted.profile.who),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use carp_core::auth::{AddressList, Authenticator, Key};
    use carp_core::wire::advertisement;
    use carp_core::wire::frame::{AdvertisementFrame, CARP_GROUP_V4, CARP_GROUP_V6, kernel_mac, multicast_mac};

    use super::*;
    use crate::config::{self, Purpose};

    /// The settings of a virtual host of vhid 7.
    fn settings(more: &str) -> HostSettings {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ucarp.toml");
        let text = format!(
            "[virtual-host.web]\ninterface = \"lo\"\npassword = \"secret\"\nvhid = 7\naddresses = [\"10.0.0.100\"]\n{more}\n"
        );
        std::fs::write(&file, text).unwrap();
        config::load(&file, Purpose::Check).unwrap_or_else(|_| panic!("{more}")).settings.hosts.remove(0)
    }

    /// A frame with an advertisement to this address.
    fn advertisement(vhid: u8, interval: Interval, dst: IpAddr) -> AdvertisementFrame {
        let addresses = AddressList::new(["10.0.0.100".parse().unwrap()]);
        let digest = Authenticator::new(&Key::from_password(b"secret").unwrap(), vhid, &addresses).sign(1);
        let Interval { advbase, advskew } = interval;
        let src: &str = if dst.is_ipv4() { "10.0.0.1" } else { "fe80::1" };
        AdvertisementFrame {
            src_mac: kernel_mac(vhid),
            dst_mac: multicast_mac(dst),
            src: src.parse().unwrap(),
            dst,
            tos: 0,
            netbsd_checksum: false,
            advertisement: advertisement::Repr { vhid, advbase, advskew, demotion: 0, counter: 1, digest },
        }
    }

    fn frame(vhid: u8, interval: Interval, group: impl Into<IpAddr>) -> Will {
        Will { destination: None, goodbye: advertisement(vhid, interval, group.into()).emit().unwrap().to_vec() }
    }

    fn packet(interval: Interval, peer: &str) -> Will {
        let peer: IpAddr = peer.parse().unwrap();
        Will { destination: Some(peer), goodbye: advertisement(7, interval, peer).emit_packet().unwrap().to_vec() }
    }

    #[test]
    fn only_a_goodbye_of_the_virtual_host_is_kept() {
        let settings = settings("");
        let every_second = Interval { advbase: 1, advskew: 0 };
        assert!(frame(7, Interval::BOW_OUT, CARP_GROUP_V4).is_of(&settings));
        assert!(frame(7, Interval::BOW_OUT, CARP_GROUP_V6).is_of(&settings));
        assert!(!frame(7, every_second, CARP_GROUP_V4).is_of(&settings), "that would be a master");
        assert!(!frame(8, Interval::BOW_OUT, CARP_GROUP_V4).is_of(&settings), "that would be another virtual host");
        let mut cut = frame(7, Interval::BOW_OUT, CARP_GROUP_V4);
        cut.goodbye.truncate(40);
        assert!(!cut.is_of(&settings) && !Will { destination: None, goodbye: Vec::new() }.is_of(&settings));
        assert!(!packet(Interval::BOW_OUT, "10.0.0.8").is_of(&settings), "it has no peers");
    }

    #[test]
    fn a_goodbye_goes_to_configured_peers_only() {
        let settings = settings("transport = \"unicast\"\npeers = [\"10.0.0.8\", \"fd00::8\"]\nsource = \"10.0.0.1\"");
        assert!(packet(Interval::BOW_OUT, "10.0.0.8").is_of(&settings));
        assert!(packet(Interval::BOW_OUT, "fd00::8").is_of(&settings));
        assert!(!packet(Interval::BOW_OUT, "10.0.0.9").is_of(&settings));
        assert!(!packet(Interval { advbase: 1, advskew: 0 }, "10.0.0.8").is_of(&settings));
        assert!(!frame(7, Interval::BOW_OUT, CARP_GROUP_V4).is_of(&settings));
    }

    #[test]
    fn a_newer_goodbye_takes_the_place_of_the_one_to_the_same_hosts() {
        let (v4, v6) = (frame(7, Interval::BOW_OUT, CARP_GROUP_V4), frame(7, Interval::BOW_OUT, CARP_GROUP_V6));
        assert!(v4.is_replaced_by(&v4) && v6.is_replaced_by(&v6) && !v4.is_replaced_by(&v6));
        let (one, other) = (packet(Interval::BOW_OUT, "10.0.0.8"), packet(Interval::BOW_OUT, "10.0.0.9"));
        assert!(one.is_replaced_by(&one) && !one.is_replaced_by(&other));
    }
}
