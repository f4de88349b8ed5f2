//! Which virtual host ids are in use on a link, by CARP and by VRRP, as far as was heard: so that one that is used twice can be
//! told of together with one that is free.

use std::collections::BTreeMap;

use carp_core::node::{LinkId, Node};
use carp_core::time::Instant;
use carp_core::wire::frame::{Numbered, Protocol, kernel_mac};
use log::warn;

use super::{Engine, Hosted, Link};
use crate::complaints::Subject;
use crate::protocol::HostNumber;

/// The ids that were heard on one link, each with when it last was.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<u8, Instant>);

/// What was not heard for so long is not in use any more: ten times what is listened to.
const FORGET: std::time::Duration = std::time::Duration::from_secs(600);

impl Ids {
    fn note(&mut self, now: Instant, vhid: u8) {
        self.0.insert(vhid, now);
    }

    /// The smallest id that is neither heard nor an own one.
    fn free(&self, now: Instant, is_own: impl Fn(u8) -> bool) -> Option<u8> {
        let is_heard = |vhid: &u8| self.0.get(vhid).is_some_and(|last| now - *last < FORGET);
        (1..=u8::MAX).find(|vhid| !is_heard(vhid) && !is_own(*vhid))
    }
}

/// An id that is free on a link as far as was heard.
pub(super) fn free_id(
    node: &Node,
    hosts: &BTreeMap<HostNumber, Box<Hosted>>,
    links: &BTreeMap<LinkId, Link>,
    now: Instant,
    link: LinkId,
) -> Option<u8> {
    let is_own = |vhid| {
        let mut configs = hosts.values().map(|hosted| node.config(hosted.id));
        configs.any(|config| (config.link, config.vhid) == (link, vhid))
    };
    links.get(&link)?.ids.free(now, is_own)
}

impl Engine {
    fn on_link(&self, link: LinkId) -> impl Iterator<Item = HostNumber> {
        self.hosts.iter().filter(move |(_, hosted)| self.node.config(hosted.id).link == link).map(|(host, _)| *host)
    }

    fn vhid(&self, host: HostNumber) -> u8 {
        self.node.config(self.hosts[&host].id).vhid
    }

    /// Packets of CARP and VRRP were heard on a link, of any id: tells of VRRP that has one of ours.
    pub(super) fn ids_are_used(&mut self, now: Instant, link: LinkId, heard: &[Numbered]) {
        if let Some(known) = self.links.get_mut(&link) {
            heard.iter().for_each(|numbered| known.ids.note(now, numbered.vhid));
        }
        for numbered in heard.iter().filter(|numbered| numbered.protocol != Protocol::Carp) {
            let own = self.on_link(link).find(|host| self.vhid(*host) == numbered.vhid);
            let kind = "Virtual host id used by VRRP";
            let subject = Subject { host: own, kind, sender: Some(numbered.source) };
            if let Some(host) = own.filter(|_| self.complaints.is_news(now, subject)) {
                let free = free_id(&self.node, &self.hosts, &self.links, now, link);
                let text = shared(kind, numbered, free);
                warn!("{}{text}", self.who(host));
                self.note(Some(host), "notice", "vhid-used-by-vrrp", text);
            }
        }
    }
}

fn shared(kind: &str, numbered: &Numbered, free: Option<u8>) -> String {
    let Numbered { protocol, vhid, source, mac } = numbered;
    let free = free.map(|free| format!(": give this group another one, such as {free}, which nobody was heard with"));
    format!(
        "{kind}: {protocol} of {source} ({mac}) has {vhid} too, and with it the address {}{}",
        kernel_mac(*vhid),
        free.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_id_that_nobody_has_is_free_and_what_is_silent_becomes_so() {
        let now = Instant::from_nanos(1_000_000_000_000);
        let mut ids = Ids::default();
        [1, 2, 4].into_iter().for_each(|vhid| ids.note(now, vhid));
        assert_eq!(ids.free(now, |vhid| vhid == 3), Some(5));
        assert_eq!(ids.free(now + Duration::from_secs(601), |vhid| vhid == 1), Some(2));
        (1..=255).for_each(|vhid| ids.note(now, vhid));
        assert_eq!(ids.free(now, |_| false), None);
    }

    #[test]
    fn who_shares_an_id_is_told_with_one_that_is_free() {
        let numbered = Numbered {
            protocol: Protocol::Vrrp(3),
            vhid: 1,
            source: [10, 0, 0, 9].into(),
            mac: carp_core::wire::MacAddr([2, 0, 0, 0, 0, 9]),
        };
        assert_eq!(
            shared("Virtual host id used by VRRP", &numbered, Some(5)),
            "Virtual host id used by VRRP: VRRP version 3 of 10.0.0.9 (02:00:00:00:00:09) has 1 too, and with it the address \
             00:00:5e:00:01:01: give this group another one, such as 5, which nobody was heard with"
        );
    }
}
