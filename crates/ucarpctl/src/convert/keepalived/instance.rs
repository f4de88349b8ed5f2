//! One VRRP instance.

use ucarp::config::KeyId;

use super::syntax::Node;
use super::{PASSWORD_FILE, addresses, notify, tracking};
use crate::convert::draft::{Draft, Host, Value, proper_name};

/// What happens instead of settings about gratuitous ARP.
pub(super) const ANNOUNCEMENTS: &str =
    "addresses are announced at once, after 1, 2 and 5 s, and each minute: see `refresh`";

/// The largest skew of healthy hosts: FreeBSD advertises 240 when something is wrong with it.
const LARGEST_SKEW: u32 = 239;

/// Reads an instance into a virtual host.
/// `all` has the whole file: some settings stand elsewhere.
pub(super) fn read(node: &Node, all: &[Node], draft: &mut Draft) {
    let name = node.value().unwrap_or("vip");
    let mut instance = Instance { node, host: Host::new(name, node.place.clone()), draft };
    instance.elsewhere(all, name);
    for line in &node.block {
        instance.line(line);
    }
    instance.defaults();
    addresses::read(node, &mut instance.host, instance.draft);
    notify::read(node, name, &mut instance.host, instance.draft);
    tracking::read(node, all, &mut instance.host, instance.draft);
    let host = instance.host;
    for (key, what) in
        [(KeyId::Vhid, "virtual_router_id"), (KeyId::Interface, "interface"), (KeyId::Addresses, "virtual_ipaddress")]
    {
        if !host.has(key) {
            draft.fault(&node.place, format!("{name} has no {what}: add it"));
        }
    }
    merge(host, draft);
}

/// Instances of both families with one id on one interface are one virtual host: it has both families.
fn merge(host: Host, draft: &mut Draft) {
    let same = |other: &&mut Host| {
        [KeyId::Vhid, KeyId::Interface].into_iter().all(|key| {
            other.get(key).map(|entry| &entry.value) == host.get(key).map(|entry| &entry.value) && host.has(key)
        })
    };
    let Some(other) = draft.hosts.iter_mut().find(same) else { return draft.push(host) };
    for key in [KeyId::Addresses, KeyId::Checks] {
        if let Some(Value::List(items)) = host.get(key).map(|entry| entry.value.clone()) {
            for (item, origin) in items {
                other.add(key, item, origin);
            }
        }
    }
    let text =
        format!("{} has the same id and interface as {}: their addresses move together now", host.name, other.name);
    draft.differs(&host.place, text);
}

struct Instance<'n, 'd> {
    node: &'n Node,
    host: Host,
    draft: &'d mut Draft,
}

impl Instance<'_, '_> {
    /// What stands outside of the instance.
    fn elsewhere(&mut self, all: &[Node], name: &str) {
        for line in all.iter().filter(|node| node.key() == "global_defs").flat_map(|node| &node.block) {
            let origin = line.place.says(line.words.join(" "));
            match (line.key(), line.value()) {
                ("vrrp_mcast_group4", Some(group)) => self.host.text(KeyId::Group, group, origin),
                ("vrrp_mcast_group6", Some(group)) => self.host.text(KeyId::Group6, group, origin),
                ("vrrp_garp_master_refresh", _) => self.seconds(line, KeyId::Refresh),
                ("vrrp_startup_delay", _) => self.seconds(line, KeyId::StartDelay),
                _ => {}
            }
        }
        for group in all.iter().filter(|node| node.key() == "vrrp_sync_group") {
            if super::has_member(group, name) {
                let group_name = group.value().unwrap_or("group");
                let origin = group.place.says(format!("vrrp_sync_group {group_name}"));
                self.host.text(KeyId::SyncGroup, proper_name(group_name).replace('.', "-"), origin);
            }
        }
    }

    /// A time in seconds, perhaps with a fraction, which is rounded up.
    fn seconds(&mut self, line: &Node, key: KeyId) {
        let value = line.value().unwrap_or_default();
        match value.parse::<f64>().ok().map(f64::ceil).filter(|seconds| (0.0..=86_400.0).contains(seconds)) {
            Some(seconds) => self.host.text(key, format!("{seconds:.0}s"), line.place.says(line.words.join(" "))),
            None => {
                self.draft.fault(&line.place, format!("{} {value:?} is no time in seconds: correct it", line.key()));
            }
        }
    }

    fn line(&mut self, line: &Node) {
        let key = line.key();
        let value = line.value().unwrap_or_default();
        let origin = line.place.says(line.words.join(" "));
        match key {
            "interface" => self.host.text(KeyId::Interface, value, origin),
            "virtual_router_id" => {
                if let Some(id) = self.number(line, 1, 255) {
                    self.host.number(KeyId::Vhid, id, origin);
                }
            }
            "priority" => self.priority(line),
            "advert_int" => self.interval(line),
            "down_timer_adverts" => {
                if let Some(ratio) = self.number(line, 1, 100) {
                    self.host.number(KeyId::DeadRatio, ratio, origin);
                }
            }
            "unicast_src_ip" | "mcast_src_ip" => {
                let id = if value.contains(':') { KeyId::Source6 } else { KeyId::Source };
                self.host.text(id, value, origin);
            }
            "unicast_peer" => self.peers(line),
            "use_vmac" => {
                self.host.text(KeyId::Mac, "virtual", origin.clone());
                if let Some(name) = line.value() {
                    self.host.text(KeyId::VirtualInterface, name, origin);
                }
            }
            "dont_track_primary" => self.host.flag(KeyId::IgnoreCarrier, origin),
            "authentication" => self.authentication(line),
            "state" if value == "MASTER" => {
                let text = "state MASTER: every host starts as BACKUP, listens, and the best one becomes MASTER";
                self.draft.differs(&line.place, text);
            }
            "unicast_ttl" | "ttl" | "check_unicast_src" if !value.is_empty() => {
                self.draft.lost(
                    &line.place,
                    format!("{key}: the TTL is always 255, and lower ones are refused without `routed`"),
                );
            }
            "virtual_routes" | "virtual_rules" => {
                self.draft.lost(&line.place, format!("{key}: add and remove them in `up` and `down` scripts"));
            }
            "preempt_delay" => self.seconds(line, KeyId::PreemptDelay),
            "garp_master_refresh" => self.seconds(line, KeyId::Refresh),
            _ if key.starts_with("garp_") || key.starts_with("gna_") => {
                self.draft.differs(&line.place, format!("{key}: {ANNOUNCEMENTS}"));
            }
            _ if is_elsewhere(key) || is_without_loss(key) => {}
            _ => self.draft.lost(&line.place, line.words.join(" ")),
        }
    }

    fn number(&mut self, line: &Node, least: u32, most: u32) -> Option<u32> {
        let value = line.value().unwrap_or_default();
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.draft.fault(
                &line.place,
                format!("{} {value:?} is no number from {least} to {most}: correct it", line.key()),
            );
        }
        number
    }

    /// VRRP's highest priority is CARP's lowest skew. Each host can be converted by itself: the order stays.
    fn priority(&mut self, line: &Node) {
        let Some(priority) = self.number(line, 1, 255) else { return };
        let skew = 255 - priority;
        if skew > LARGEST_SKEW {
            let text = format!(
                "priority {priority}: an advskew above {LARGEST_SKEW} is for hosts in trouble; hosts with a priority below 16 are equal now"
            );
            self.draft.differs(&line.place, text);
        }
        self.host.number(KeyId::Advskew, skew.min(LARGEST_SKEW), line.place.says(line.words.join(" ")));
    }

    /// VRRP counts hundredths of a second, CARP whole seconds.
    fn interval(&mut self, line: &Node) {
        let value = line.value().unwrap_or_default();
        let whole = value.split('.').next().and_then(|whole| whole.parse::<u32>().ok());
        let fraction = value.split_once('.').map_or("", |(_, fraction)| fraction);
        let Some(whole) = whole.filter(|whole| *whole < 255 && fraction.bytes().all(|octet| octet.is_ascii_digit()))
        else {
            let text = format!("advert_int {value:?} is no time from 0.01 to 254 s: correct it");
            return self.draft.fault(&line.place, text);
        };
        let is_whole = fraction.bytes().all(|octet| octet == b'0');
        let base = if is_whole { whole } else { whole + 1 };
        if !is_whole {
            let text =
                format!("advert_int {value}: rounded up to {base} s; advbase = 0 with a small advskew is faster");
            self.draft.differs(&line.place, text);
        }
        self.host.number(KeyId::Advbase, base.max(1), line.place.says(line.words.join(" ")));
    }

    fn peers(&mut self, line: &Node) {
        self.host.text(KeyId::Transport, "unicast", line.place.says("unicast_peer"));
        for peer in &line.block {
            self.host.add(KeyId::Peers, peer.key(), peer.place.says(peer.key()));
            if peer.words.len() > 1 {
                self.draft.lost(&peer.place, peer.rest());
            }
        }
    }

    fn authentication(&mut self, line: &Node) {
        let text = "VRRP sent auth_pass in clear text, and it is not carried over; CARP signs with a password that nobody sees";
        self.draft.differs(&line.place, text);
    }

    /// What keepalived does unless it is told otherwise.
    fn defaults(&mut self) {
        let place = self.node.place.clone();
        if self.node.all("nopreempt").next().is_none() {
            self.host.flag(KeyId::Preempt, place.says("no nopreempt"));
        }
        if !self.host.has(KeyId::Advskew) {
            self.host.number(KeyId::Advskew, 155_u32, place.says("priority 100 by default"));
        }
        if self.host.has(KeyId::Group) && self.host.has(KeyId::Peers) {
            self.host.remove(KeyId::Group);
            self.host.remove(KeyId::Group6);
        }
        self.host.text(KeyId::PasswordFile, PASSWORD_FILE, place.says("a new password"));
    }
}

/// What is read apart from the other lines.
fn is_elsewhere(key: &str) -> bool {
    ["virtual_ipaddress", "notify", "track_"].iter().any(|start| key.starts_with(start)) || key == "nopreempt"
}

/// What has no counterpart, and needs none.
fn is_without_loss(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "state",
        "version",
        "native_ipv6",
        "debug",
        "accept",
        "preempt",
        "strict_mode",
        "skip_check_adv_addr",
        "vmac_xmit_base",
        "old_unicast_checksum",
        "linkbeat_use_polling",
        "promote_secondaries",
        "higher_prio_send_advert",
        "lower_prio_no_advert",
        "kernel_rx_buf_size",
    ];
    KEYS.contains(&key)
}
