//! Virtual hosts of several hosts put together, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Instant;

use ucarp_control::types::{State, VirtualHost};

use super::model::{Host, Seen};

/// For so long two hosts must both have been MASTER, in milliseconds. Each host is asked at another moment, and two
/// that hear each other may both be MASTER until the next advertisement.
const OVERLAP: u64 = 1_000;

/// After so many milliseconds without an answer the last one says nothing about now.
const STALE: u64 = 10_000;

/// The virtual hosts that share addresses: one vhid with the same list of them, wherever it is.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// 1 to 255.
    pub(super) vhid: u8,
    /// The virtual addresses, with the prefixes of the first member.
    pub(super) addresses: Vec<&'a str>,
    /// On each host at most a few, and in most cases one.
    pub(super) members: Vec<Member<'a>>,
}

/// A virtual host on one of the hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Where it is.
    pub(super) host: &'a Host,
    /// When this was so.
    pub(super) seen: &'a Seen,
    /// What it is.
    pub(super) virtual_host: &'a VirtualHost,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Somebody should know.
    Notice,
    /// An address is not served, or not as it should be.
    Bad,
    /// Two hosts serve one address.
    Split,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) severity: Severity,
    pub(super) title: String,
    pub(super) text: String,
}

impl Member<'_> {
    /// Its state, if that is known to be so now.
    pub(super) fn state(&self, now: Instant) -> Option<State> {
        let is_current = self.host.is_current() && self.seen.age(now) < STALE;
        is_current.then_some(self.virtual_host.state)
    }

    /// Since when and until when it is known to have been what it is, in milliseconds before now.
    fn known(&self, now: Instant) -> (u64, u64) {
        let age = self.seen.age(now);
        (age.saturating_add(self.virtual_host.since), age)
    }

    /// For how long it has been what it is, in milliseconds.
    pub(super) fn since(&self, now: Instant) -> u64 {
        self.known(now).0
    }
}

impl<'a> Group<'a> {
    /// What it is called: as its members are, who are called the same on all hosts in most cases.
    pub(super) fn name(&self) -> &'a str {
        self.members.first().map_or("", |member| &member.virtual_host.name)
    }

    /// Those that are MASTER at once. Empty unless there are two.
    pub(super) fn masters(&self, now: Instant) -> Vec<Member<'a>> {
        let masters: Vec<_> = self.members.iter().filter(|member| member.state(now) == Some(State::Master)).collect();
        let overlaps = |one: &Member<'_>, other: &Member<'_>| {
            let ((since, until), (other_since, other_until)) = (one.known(now), other.known(now));
            since.min(other_since) >= until.max(other_until).saturating_add(OVERLAP)
        };
        let at_once =
            |one: &&&Member<'a>| masters.iter().any(|other| !std::ptr::eq(*other, **one) && overlaps(other, one));
        masters.iter().filter(at_once).map(|member| **member).collect()
    }

    /// A MASTER that a MASTER of this group has heard for as long as it takes to settle that. Its host may be none of
    /// those shown.
    pub(super) fn rival(&self, now: Instant) -> Option<(Member<'a>, &'a str)> {
        let masters = self.members.iter().filter(|member| member.state(now) == Some(State::Master));
        masters.copied().find_map(|member| {
            let settled = OVERLAP + member.virtual_host.timers.advertisement_interval;
            let long = member.virtual_host.since > member.virtual_host.timers.dead_time.max(settled);
            let heard = |peer: &&'a ucarp_control::types::Peer| peer.is_master && peer.heard_ago < settled;
            let rival = member.virtual_host.peers.iter().filter(|_| long).find(heard)?;
            Some((member, rival.address.as_str()))
        })
    }

    /// Whether its addresses are on two hosts.
    pub(super) fn is_split(&self, now: Instant) -> bool {
        !self.masters(now).is_empty() || self.rival(now).is_some()
    }

    /// Whether nobody serves its addresses, and nobody is about to.
    fn is_orphaned(&self, now: Instant) -> bool {
        self.members.iter().all(|member| match member.state(now) {
            Some(State::Fault | State::Init) => member.virtual_host.master.is_none(),
            Some(State::Backup) => {
                let timers = member.virtual_host.timers;
                member.virtual_host.master.is_none() && member.since(now) > 2 * timers.dead_time + OVERLAP
            }
            Some(State::Master) | None => false,
        })
    }

    fn alarms(&self, now: Instant, alarms: &mut Vec<Alarm>) {
        let (name, vhid) = (self.name(), self.vhid);
        let masters = self.masters(now);
        if let [one, rest @ ..] = masters.as_slice()
            && !rest.is_empty()
        {
            let names = std::iter::once(one).chain(rest).map(|member| member.host.name.as_str()).collect::<Vec<_>>();
            alarms.push(Alarm {
                severity: Severity::Split,
                title: format!("Two masters of {name}, vhid {vhid}: {}", names.join(" and ")),
                text: "They do not hear each other, or do not believe each other. Look at cables, switches, multicast \
                       and passwords between them."
                    .into(),
            });
        } else if let Some((member, rival)) = self.rival(now) {
            alarms.push(Alarm {
                severity: Severity::Split,
                title: format!("Two masters of {name}, vhid {vhid}: {} and {rival}", member.host.name),
                text: format!("{} is MASTER, and hears {rival} advertise as MASTER.", member.host.name),
            });
        } else if self.is_orphaned(now) {
            alarms.push(Alarm {
                severity: Severity::Bad,
                title: format!("No master of {name}, vhid {vhid}"),
                text: "None of the hosts that are shown serves its addresses or hears one that does.".into(),
            });
        }
        for member in self.members.iter().filter(|member| member.state(now) == Some(State::Fault)) {
            let held = member.virtual_host.held;
            let what = if held { "is held by an operator" } else { "is in FAULT" };
            alarms.push(Alarm {
                severity: if held { Severity::Notice } else { Severity::Bad },
                title: format!("{name} {what} on {}", member.host.name),
                text: member.virtual_host.reason.clone(),
            });
        }
    }
}

/// Puts the virtual hosts of all hosts together, in the order of their names.
pub(super) fn groups(hosts: &[Host]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for host in hosts {
        let Some(seen) = &host.seen else { continue };
        for virtual_host in seen.virtual_hosts.iter() {
            let vhid = virtual_host.vhid;
            let addresses: Vec<_> = virtual_host.addresses.iter().map(|address| address.address.as_str()).collect();
            let mut bare: Vec<_> =
                addresses.iter().map(|address| address.split('/').next().unwrap_or(address)).collect();
            bare.sort_unstable();
            // Without addresses there is nothing that they could share.
            let alone = bare.is_empty().then_some((&host.name, &virtual_host.interface));
            let group =
                groups.entry((vhid, bare, alone)).or_insert_with(|| Group { vhid, addresses, members: Vec::new() });
            group.members.push(Member { host, seen, virtual_host });
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|one, other| (one.name(), one.vhid).cmp(&(other.name(), other.vhid)));
    groups
}

/// All that is wrong, the worst first.
pub(super) fn alarms(hosts: &[Host], groups: &[Group<'_>], now: Instant) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for host in hosts {
        let Some(problem) = &host.problem else { continue };
        let Host { name, url, .. } = host;
        let (severity, title) = match url {
            None => (Severity::Bad, format!("The daemon of {name} does not answer")),
            Some(_) => (Severity::Notice, format!("Nothing is known of {name}")),
        };
        alarms.push(Alarm { severity, title, text: problem.clone() });
    }
    groups.iter().for_each(|group| group.alarms(now, &mut alarms));
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.severity));
    alarms
}

#[cfg(test)]
mod tests;
