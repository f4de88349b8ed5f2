//! Which keys have no effect, because of what other keys say.

use std::net::IpAddr;

use super::table::KeyId;
use crate::settings::{Holding, HostSettings, Mac, Transport};

/// What decides whether keys have an effect.
pub(super) struct Shape {
    unicast: bool,
    native: bool,
    virtual_mac: bool,
    v4: bool,
    v6: bool,
    link_local: bool,
    /// Whether advertisements go over IPv4, and over IPv6.
    sends: (bool, bool),
    down: bool,
    script: bool,
    /// A script with UCARP's arguments. Settings have lost it, so it comes from outside.
    classic_script: bool,
    password_file: bool,
}

impl Shape {
    pub(super) fn new(host: &HostSettings, classic_script: bool, password_file: bool) -> Self {
        let has = |v4: bool| host.addresses.iter().any(|address| address.ip.is_ipv4() == v4);
        let sends = match &host.transport {
            Transport::Unicast { peers, .. } => (peers.iter().any(IpAddr::is_ipv4), peers.iter().any(IpAddr::is_ipv6)),
            Transport::Multicast { .. } | Transport::Broadcast { .. } => (has(true), has(false)),
        };
        Self {
            unicast: matches!(host.transport, Transport::Unicast { .. }),
            native: matches!(host.holding, Holding::Native(_)),
            virtual_mac: matches!(host.mac, Mac::Virtual { .. }),
            v4: has(true),
            v6: has(false),
            link_local: host.addresses.iter().any(|address| match address.ip {
                IpAddr::V6(v6) => v6.is_unicast_link_local(),
                IpAddr::V4(_) => false,
            }),
            sends,
            down: host.scripts.down.is_some(),
            script: host.scripts.up.is_some() || host.scripts.down.is_some(),
            classic_script,
            password_file,
        }
    }

    /// Why this key has no effect, and the keys that say so; `None` if it has one.
    pub(super) fn no_effect(&self, id: KeyId) -> Option<(&'static str, &'static [KeyId])> {
        const FAMILIES: &[KeyId] = &[KeyId::Transport, KeyId::Peers, KeyId::Addresses];
        let (effect, reason, deciders): (bool, _, &[KeyId]) = match id {
            KeyId::Peers | KeyId::Routed => (self.unicast, "it needs transport = \"unicast\"", &[KeyId::Transport]),
            KeyId::Group | KeyId::Group6 if self.unicast => {
                (false, "transport = \"unicast\" has peers instead", &[KeyId::Transport])
            }
            KeyId::Group | KeyId::Source => (self.sends.0, "no advertisements go over IPv4", FAMILIES),
            KeyId::Group6 | KeyId::Source6 | KeyId::Ipv6Checksum => {
                (self.sends.1, "no advertisements go over IPv6", FAMILIES)
            }
            KeyId::Lease | KeyId::Label | KeyId::Scope | KeyId::PrefixRoute if !self.native => {
                (false, "the scripts hold the addresses", &[KeyId::Hold])
            }
            KeyId::Label | KeyId::Scope => (self.v4, "there is no IPv4 address", &[KeyId::Addresses]),
            KeyId::LinkLocalDigest if self.v6 => {
                (self.link_local, "there is no IPv6 link-local address", &[KeyId::Addresses])
            }
            KeyId::LinkLocalDigest => (false, "there is no IPv6 address", &[KeyId::Addresses]),
            KeyId::VirtualInterface => (self.virtual_mac, "it needs mac = \"virtual\"", &[KeyId::Mac]),
            KeyId::Xparam => (self.classic_script, "it needs `up` or `down` without a list", &[KeyId::Up, KeyId::Down]),
            KeyId::Neutral => (self.down, "there is no down script", &[KeyId::Down]),
            KeyId::ScriptTimeout => (self.script, "there is no script", &[KeyId::Up, KeyId::Down]),
            KeyId::AllowReadablePasswordFile => {
                (self.password_file, "there is no password file", &[KeyId::PasswordFile])
            }
            _ => return None,
        };
        (!effect).then_some((reason, deciders))
    }
}
