//! The words of BSD's `ifconfig` for CARP, as `rc.conf` and `hostname.carpN` have them.

use std::net::{IpAddr, Ipv4Addr};

use ucarp::config::KeyId;

use super::draft::{Draft, Host, Place};

/// Octets that `ifconfig` takes of a password; it cuts the rest in silence.
const LONGEST_PASSWORD: usize = 19;

/// What CARP of the kernel was told about a virtual host.
pub(super) struct Carp {
    pub(super) host: Host,
    /// The interface that has the addresses or the vhid: `carp0`, `em0`.
    pub(super) interface: String,
    pub(super) vhid: Option<u32>,
    /// Whether prefix lengths were left out.
    is_shortened: bool,
}

impl Carp {
    pub(super) fn new(interface: &str, place: &Place) -> Self {
        let host = Host::new(interface, place.clone());
        Self { host, interface: interface.to_owned(), vhid: None, is_shortened: false }
    }

    /// One line of words.
    pub(super) fn words(&mut self, words: &[String], place: &Place, draft: &mut Draft) {
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            if let Some((ip, length)) = address(word) {
                if ip.is_ipv4() {
                    // OpenBSD: the mask and the broadcast address stand behind the address.
                    while words.next_if(|next| next.parse::<Ipv4Addr>().is_ok() || *next == "NONE").is_some() {
                        self.is_shortened = true;
                    }
                } else {
                    words.next_if(|next| next.parse::<u8>().is_ok());
                }
                let full = if ip.is_ipv4() { 32 } else { 128 };
                self.is_shortened |= length.is_some_and(|length| length != full);
                self.host.add(KeyId::Addresses, ip.to_string(), place.says(word));
                if matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
                    draft.differs(place, format!("{word}: {LINK_LOCAL}"));
                }
            } else if takes_value(word) {
                match words.next() {
                    Some(value) => self.pair(word, value, place, draft),
                    None => draft.fault(place, format!("{word} needs a value: add it")),
                }
            } else {
                flag(word, place, draft);
            }
        }
    }

    fn pair(&mut self, word: &str, value: &str, place: &Place, draft: &mut Draft) {
        let origin = place.says(if word == "pass" { "pass ***".into() } else { format!("{word} {value}") });
        let mut number = |least: u32| match value.parse::<u32>() {
            Ok(number) if (least..=255).contains(&number) => Some(number),
            _ => {
                draft.fault(place, format!("{word} {value} is no number from {least} to 255: correct it"));
                None
            }
        };
        match word {
            "vhid" => {
                if let Some(vhid) = number(1).filter(|vhid| self.vhid != Some(*vhid)) {
                    self.vhid = Some(vhid);
                    self.host.number(KeyId::Vhid, vhid, origin);
                }
            }
            "advskew" => {
                if let Some(skew) = number(0) {
                    self.host.number(KeyId::Advskew, skew, origin);
                }
            }
            "advbase" => {
                if let Some(base) = number(0) {
                    self.host.number(KeyId::Advbase, base, origin);
                }
            }
            "pass" => {
                let end = (0..=LONGEST_PASSWORD.min(value.len())).rev().find(|end| value.is_char_boundary(*end));
                let kept = &value[..end.unwrap_or_default()];
                if kept.len() < value.len() {
                    draft.differs(
                        place,
                        "ifconfig took only the first 19 octets of the password, and so does the result",
                    );
                }
                self.host.text(KeyId::Password, kept, origin);
            }
            "carpdev" => self.host.text(KeyId::Interface, value, origin),
            "carppeer" | "peer" | "peer6" => {
                self.host.text(KeyId::Transport, "unicast", origin.clone());
                self.host.add(KeyId::Peers, value, origin);
                if word != "carppeer" {
                    let text =
                        "FreeBSD takes such advertisements through routers as well: `routed = true` does it here";
                    draft.differs(place, text);
                }
            }
            "mcast" => self.host.text(KeyId::Group, value, origin),
            "mcast6" => self.host.text(KeyId::Group6, value, origin),
            "lladdr" => self.host.text(KeyId::OpenbsdLladdr, value, origin),
            "netmask" | "prefixlen" => self.is_shortened = true,
            "state" => draft.lost(place, format!("state {value}: every host starts as BACKUP and is elected")),
            "carpver" | "vrrpprio" | "vrrpinterval" => {
                draft.fault(
                    place,
                    format!("{word} {value}: this group speaks VRRP, which ucarp does not: make it a CARP group"),
                );
            }
            "carpnodes" | "balancing" => {
                let text = format!(
                    "{word} {value}: balancing by addresses is OpenBSD's alone: write one vhid and one \
                                    address for each host instead, each host preferred for its own (see docs/recipes.md)"
                );
                draft.fault(place, text);
            }
            _ => draft.lost(place, format!("{word} {value}")),
        }
    }

    /// What all of it means together. `preempt` is the kernel's setting, where it is known.
    pub(super) fn finish(mut self, preempt: Option<&(bool, Place)>, draft: &mut Draft) {
        let place = self.host.place.clone();
        if self.is_shortened {
            let text = "addresses are added as /32 and /128, which is right when the interface has an own address of that \
                        network; if not, write their prefix lengths";
            draft.differs(&place, text);
        }
        if let Some((true, place)) = preempt {
            self.host.flag(KeyId::Preempt, place.says("net.inet.carp.preempt=1"));
        }
        self.host.text(KeyId::Mac, "virtual", place.says("the kernel's CARP"));
        for (key, what) in [(KeyId::Vhid, "vhid"), (KeyId::Addresses, "address")] {
            if !self.host.has(key) {
                draft.fault(&place, format!("{} has no {what}: add it", self.interface));
            }
        }
        if !self.host.has(KeyId::Password) {
            let text = "without a password the kernel signs with a key of zeros: hosts of ours join with the same";
            draft.differs(&place, text);
            self.host.text(KeyId::Key, "0".repeat(40), place.says("no pass"));
        }
        draft.push(self.host);
    }
}

const LINK_LOCAL: &str =
    "link-local addresses are signed by FreeBSD and NetBSD and not by OpenBSD: see `link-local-digest`";

/// An address with or without a prefix length.
pub(super) fn address(word: &str) -> Option<(IpAddr, Option<u8>)> {
    let (ip, length) = word.split_once('/').map_or((word, None), |(ip, length)| (ip, Some(length)));
    let ip = ip.split('%').next()?.parse().ok()?;
    let length = match length {
        Some(length) => Some(length.parse().ok()?),
        None => None,
    };
    Some((ip, length))
}

fn takes_value(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "vhid",
        "advskew",
        "advbase",
        "pass",
        "carpdev",
        "carppeer",
        "peer",
        "peer6",
        "mcast",
        "mcast6",
        "lladdr",
        "netmask",
        "prefixlen",
        "broadcast",
        "state",
        "carpver",
        "vrrpprio",
        "vrrpinterval",
        "carpnodes",
        "balancing",
        "group",
        "description",
        "mtu",
        "vltime",
        "pltime",
    ];
    WORDS.contains(&word)
}

fn flag(word: &str, place: &Place, draft: &mut Draft) {
    if !matches!(word, "inet" | "inet6" | "alias" | "add" | "up" | "NONE" | "create") {
        draft.lost(place, format!("the word {word}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_prefixes_and_zones() {
        assert_eq!(address("192.0.2.1/24"), Some(("192.0.2.1".parse().unwrap(), Some(24))));
        assert_eq!(address("fe80::1%em0"), Some(("fe80::1".parse().unwrap(), None)));
        assert_eq!(address("inet"), None);
        assert_eq!(address("192.0.2.1/x"), None);
    }
}
