//! What is wrong with the configurations of a group that can be seen without playing them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::host::Authentication;
use ucarp::config::Secret;
use ucarp::settings::{HostSettings, Transport};

/// A host of a group: its name, and what it was told.
pub(super) struct Member<'s> {
    pub(super) name: &'s str,
    pub(super) settings: &'s HostSettings,
    pub(super) secret: &'s Secret,
}

/// Everything that is probably not as it was meant, a line each.
pub(super) fn compare(members: &[Member<'_>]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (index, a) in members.iter().enumerate() {
        remarks.extend(dead_time(a));
        for b in &members[index + 1..] {
            remarks.extend(pair(a, b));
        }
        for b in members.iter().filter(|b| b.name != a.name) {
            remarks.extend(impatience(a, b));
            remarks.extend(peers(a, b));
        }
    }
    if members.len() == 1 {
        remarks.push(format!("{} is alone: no other file has this vhid, so nobody takes over", members[0].name));
    }
    remarks
}

fn pair(a: &Member<'_>, b: &Member<'_>) -> Vec<String> {
    let (one, other) = (a.settings, b.settings);
    let both = format!("{} and {}", a.name, b.name);
    let mut remarks = Vec::new();
    if one.interval == other.interval {
        remarks.push(format!(
            "{both} have the same advbase and advskew ({}): their addresses decide who is preferred; give each its own advskew",
            one.interval
        ));
    }
    let [first, second] =
        [one, other].map(|settings| settings.addresses.iter().map(|a| a.ip).collect::<BTreeSet<IpAddr>>());
    if first != second {
        let only = |mine: &BTreeSet<IpAddr>, theirs: &BTreeSet<IpAddr>| {
            mine.difference(theirs).map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
        };
        remarks.push(format!(
            "{both} have different addresses, and do not believe each other: {} has [{}] alone, {} has [{}] alone",
            a.name,
            only(&first, &second),
            b.name,
            only(&second, &first)
        ));
    }
    if (a.secret, b.secret) == (&Secret::Inline, &Secret::Inline) && one.key != other.key {
        remarks.push(format!("{both} have different passwords, and do not believe each other"));
    }
    if std::mem::discriminant(&one.transport) != std::mem::discriminant(&other.transport) {
        remarks.push(format!("{both} have different `transport`: use the same on all hosts"));
    } else if let (Transport::Multicast { v4, v6 }, Transport::Multicast { v4: v4_too, v6: v6_too }) =
        (&one.transport, &other.transport)
        && (v4, v6) != (v4_too, v6_too)
    {
        remarks.push(format!("{both} have different multicast groups, and do not hear each other"));
    }
    let is_strict = |settings: &HostSettings| settings.authentication == Authentication::Strict;
    let is_classic = |settings: &HostSettings| settings.authentication == Authentication::Classic;
    if (is_strict(one) && is_classic(other)) || (is_classic(one) && is_strict(other)) {
        remarks.push(format!("{both}: one is strict and the other classic: the strict one does not hear the other"));
    }
    if one.tie != other.tie && one.interval == other.interval {
        remarks.push(format!("{both} have different `tie`, and may not agree who wins one"));
    }
    if one.preempt != other.preempt {
        remarks.push(format!("{both} have different `preempt`: who is MASTER depends on who was first"));
    }
    remarks
}

/// A host whose dead time another one's interval exceeds, or nearly so, takes over again and again.
fn impatience(a: &Member<'_>, b: &Member<'_>) -> Option<String> {
    let (dead, interval) = (a.settings.interval.master_down(a.settings.dead_ratio), b.settings.interval.duration());
    if interval >= dead {
        return Some(format!(
            "{} waits for {dead:.3?} and {} advertises every {interval:.3?}: {} takes over whenever {} is MASTER",
            a.name, b.name, a.name, b.name
        ));
    }
    let is_close = dead < interval * 2 && a.settings.dead_ratio < 3;
    is_close.then(|| {
        format!(
            "{} waits for {dead:.3?} and {} advertises every {interval:.3?}: a single lost advertisement is a failover; a \
             `dead-ratio` of 3 bears two",
            a.name, b.name
        )
    })
}

fn dead_time(a: &Member<'_>) -> Option<String> {
    let dead = a.settings.interval.master_down(a.settings.dead_ratio);
    (dead < Duration::from_millis(300)).then(|| {
        format!("{} waits for {dead:.3?} only: a busy or paused machine is silent for longer now and then", a.name)
    })
}

/// With unicast each host has to know the others.
fn peers(a: &Member<'_>, b: &Member<'_>) -> Option<String> {
    let Transport::Unicast { peers, .. } = &a.settings.transport else { return None };
    let own = [b.settings.source_v4.map(IpAddr::V4), b.settings.source_v6.map(IpAddr::V6)];
    let own: Vec<IpAddr> = own.into_iter().flatten().collect();
    let is_unknown = !own.is_empty() && !own.iter().any(|address| peers.contains(address));
    is_unknown.then(|| format!("{} does not have {} among its `peers`: it does not advertise to it", a.name, b.name))
}
