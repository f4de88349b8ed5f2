//! Which virtual hosts of several files belong together, and what is made up about them because no file says it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use carp_core::auth::Key;
use carp_core::host::Local;
use carp_sim::stage::{Actor, LINK};
use ucarp::config::{Loaded, Secret};
use ucarp::settings::{HostSettings, Transport};

use super::compare::Member;

/// The virtual hosts of one vhid.
pub(super) struct Group<'s> {
    pub(super) title: String,
    pub(super) members: Vec<Member<'s>>,
    /// What a reader has to know about the play.
    pub(super) remarks: Vec<String>,
}

/// The groups in the order of their vhids. A file with several virtual hosts of one vhid has them in groups of their names.
pub(super) fn groups<'s>(names: &'s [String], files: &'s [Loaded]) -> Vec<Group<'s>> {
    let is_twice =
        |vhid: u8| files.iter().any(|file| file.settings.hosts.iter().filter(|host| host.vhid == vhid).count() > 1);
    let mut groups: BTreeMap<(u8, Option<&str>), Vec<Member<'s>>> = BTreeMap::new();
    for (name, file) in names.iter().zip(files) {
        for (settings, secret) in file.settings.hosts.iter().zip(&file.secrets) {
            let key = (settings.vhid, is_twice(settings.vhid).then_some(settings.name.as_str()));
            groups.entry(key).or_default().push(Member { name, settings, secret });
        }
    }
    groups.into_values().map(Group::new).collect()
}

impl<'s> Group<'s> {
    fn new(members: Vec<Member<'s>>) -> Self {
        let first = members[0].settings;
        let addresses: Vec<String> = first.addresses.iter().map(|address| address.ip.to_string()).collect();
        let called: BTreeSet<&str> = members.iter().map(|member| member.settings.name.as_str()).collect();
        let called: Vec<&str> = called.into_iter().collect();
        let title = format!("vhid {} ({}): {}", first.vhid, called.join(", "), addresses.join(", "));
        let mut remarks = Vec::new();
        let has_tie = members.iter().enumerate().any(|(index, one)| {
            members[index + 1..].iter().any(|other| one.settings.interval == other.settings.interval)
        });
        if has_tie && members.iter().any(|member| member.settings.source_v4.is_none()) {
            remarks.push("the own addresses are not in the files, and those of this play are made up".to_owned());
        }
        if members.iter().any(|member| member.settings.policy.group.is_some() || member.settings.sync_group.is_some()) {
            remarks.push("`sync-group` is left out: each virtual host is played by itself".to_owned());
        }
        Self { title, members, remarks }
    }

    /// The hosts as the simulator wants them.
    pub(super) fn actors(&self) -> Vec<Actor> {
        let keys = || self.members.iter().filter(|member| *member.secret == Secret::Inline);
        // What stands in a file that is not read counts as the same password.
        let shared: Option<&Key> = keys().next().map(|member| &member.settings.key);
        let actor = |(place, member): (usize, &Member<'s>)| {
            let mut config = member.settings.virtual_host(LINK, self.local(place), None);
            if let (Secret::File { .. }, Some(key)) = (member.secret, shared) {
                config.credentials.key = key.clone();
            }
            Actor { config, ignores_carrier: member.settings.ignore_carrier }
        };
        self.members.iter().enumerate().map(actor).collect()
    }

    /// The own addresses of a host: those of its file, or the ones that its peers know it by, or made up ones.
    fn local(&self, place: usize) -> Local {
        let settings = self.members[place].settings;
        let known = self.known_by_peers(settings);
        let number = u8::try_from(place + 1).unwrap_or(u8::MAX);
        let v4 = settings
            .source_v4
            .or_else(|| known.iter().find_map(|ip| if let IpAddr::V4(v4) = ip { Some(*v4) } else { None }));
        let v6 = settings
            .source_v6
            .or_else(|| known.iter().find_map(|ip| if let IpAddr::V6(v6) = ip { Some(*v6) } else { None }));
        let made_up = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xffff, number.into());
        Local { v6: Some(v6.unwrap_or(made_up)), ..Local::v4(v4.unwrap_or(Ipv4Addr::new(169, 254, 255, number))) }
    }

    /// Addresses that others have among their peers and this host has not: with two hosts, its own.
    fn known_by_peers(&self, settings: &HostSettings) -> Vec<IpAddr> {
        let Transport::Unicast { peers: own, .. } = &settings.transport else { return Vec::new() };
        let others = self.members.iter().filter_map(|member| match &member.settings.transport {
            Transport::Unicast { peers, .. } => Some(peers),
            _ => None,
        });
        let all: BTreeSet<IpAddr> = others.flatten().copied().collect();
        all.into_iter().filter(|ip| !own.contains(ip)).collect()
    }
}
