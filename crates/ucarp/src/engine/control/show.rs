//! Virtual hosts, events and the daemon as the interface tells them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::{self, Bar};
use carp_core::host::{Authentication, ConflictAnswer, Heard, MacMode, Transport, VirtualHostConfig};
use carp_core::node::{LinkState, View};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use ucarp_control::types::{
    Address, Check, Conflict, Contribution, Daemon, Event, Peer, Script, State, Timers, VirtualHost,
};

use super::history::{self, What, wall_clock};
use super::names::Record;
use super::words;
use crate::engine::Engine;
use crate::protocol::control::{AddressFacts, Facts, ScriptFacts};
use crate::protocol::{CheckStatus, HostNumber};

/// In milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn until(now: Instant, deadline: Option<Instant>) -> Option<u64> {
    deadline.map(|deadline| millis(deadline - now))
}

/// Whether somebody who was heard is MASTER as far as can be known.
pub(super) fn is_master(now: Instant, view: &View<'_>, since: Instant, heard: &Heard) -> bool {
    let is_fresh = now - heard.at <= view.outlook.dead_time && heard.peer.interval != Interval::BOW_OUT;
    // A MASTER has displaced whomever it heard before.
    is_fresh && (view.state != election::State::Master || heard.at >= since)
}

impl Engine {
    pub(super) fn show_daemon(&self) -> Daemon {
        let terms = &self.control.terms;
        Daemon {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: terms.process,
            engine_pid: std::process::id(),
            started_at: self.control.started_at,
            now: wall_clock(),
            configuration_file: terms.file.clone(),
            virtual_hosts: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
            host_name: terms.host_name.clone(),
        }
    }

    /// What a virtual host is: FAULT if it should take part and cannot.
    pub(super) fn state_of(&self, host: HostNumber) -> State {
        let hosted = &self.hosts[&host];
        let view = self.node.view(hosted.id);
        let is_kept_out = !matches!(view.link, LinkState::Up(_)) || hosted.standing.bars().next().is_some();
        match words::state(view.state, hosted.record.reason.as_ref()) {
            State::Init if is_kept_out => State::Fault,
            state => state,
        }
    }

    /// Why it is what it is: a word and a sentence.
    pub(super) fn reason_of(&self, host: HostNumber) -> (&'static str, String) {
        let hosted = &self.hosts[&host];
        if let Some(reason) = &hosted.record.reason {
            return (words::cause(reason), reason.to_string());
        }
        if let Some((_, bar)) = hosted.standing.bars().min_by_key(|(_, bar)| *bar) {
            return (words::bar_word(bar), bar.to_string());
        }
        match self.node.view(hosted.id).link {
            LinkState::Up(_) => ("starting", "it has just been started".into()),
            LinkState::Down => ("link-down", "the interface is down".into()),
            LinkState::NoCarrier => ("carrier-lost", "the interface has no carrier".into()),
            LinkState::Gone => ("link-gone", "there is no such interface".into()),
        }
    }

    /// Everything about a virtual host. Without `facts` the guardian has not told what it knows.
    pub(super) fn show(&self, now: Instant, host: HostNumber, facts: Option<Facts>) -> VirtualHost {
        let hosted = &self.hosts[&host];
        let view = self.node.view(hosted.id);
        let config = view.config;
        let record = &hosted.record;
        let (cause, reason) = self.reason_of(host);
        let (group, addresses, script) = match facts {
            Some(facts) => (facts.group, facts.addresses.iter().map(address).collect(), facts.script.map(script)),
            None => (None, bare_addresses(config), None),
        };
        let peers: Vec<Peer> = view.heard.iter().map(|heard| peer(now, &view, record.since, heard)).collect();
        let is_backup = view.state == election::State::Backup;
        let (cause, master) = (cause.to_owned(), peers.iter().find(|peer| peer.is_master).filter(|_| is_backup));
        VirtualHost {
            name: self.name_of(host),
            vhid: config.vhid,
            interface: self.interface_of(host),
            group,
            state: self.state_of(host),
            since: record.reason.map_or(0, |_| millis(now - record.since)),
            since_at: record.since_at,
            reason,
            cause,
            transitions: record.transitions,
            addresses,
            native: hosted.profile.native,
            advbase: config.interval.advbase,
            advskew: config.interval.advskew,
            advertised_skew: self.node.advertised_interval(hosted.id).advskew,
            dead_ratio: config.dead_ratio,
            preempt: config.preempt,
            transport: transport(&config.transport).into(),
            authentication: authentication(config.authentication).into(),
            mac: if config.mac == MacMode::Virtual { "virtual" } else { "interface" }.into(),
            demotion: hosted.standing.demotions().map(contribution).collect(),
            held: hosted.standing.bars().any(|(_, bar)| bar == Bar::Held),
            timers: timers(now, &view, self.node.advertised_interval(hosted.id)),
            master: master.map(|master| master.address.clone()),
            peers,
            checks: self.checks_of(host).map(|status| check(now, status)).collect(),
            script,
            conflict: conflict(now, &view),
            counters: counters(&view, record),
        }
    }

    fn checks_of(&self, host: HostNumber) -> impl Iterator<Item = &CheckStatus> {
        self.checks.values().filter(move |status| status.hosts.contains(&host))
    }

    pub(super) fn show_event(&self, number: u64, event: &history::Event) -> Event {
        let (kind, from, to, cause, message) = match &event.what {
            What::Transition { from, to, reason } => {
                ("transition", Some(*from), Some(*to), words::cause(reason), reason.to_string())
            }
            What::Leaving { reason } => ("leaving", None, None, words::cause(reason), reason.to_string()),
            What::Other { kind, cause, message } => (*kind, None, None, *cause, message.to_string()),
        };
        Event {
            number,
            at: event.at,
            virtual_host: event.host.map(|host| self.name_of(host)),
            vhid: event.host.and_then(|host| self.vhid_of(host)),
            interface: event.host.map(|host| self.interface_of(host)),
            kind: kind.into(),
            from,
            to,
            cause: cause.into(),
            message,
        }
    }
}

fn peer(now: Instant, view: &View<'_>, since: Instant, heard: &Heard) -> Peer {
    Peer {
        address: heard.peer.source.to_string(),
        mac: Some(heard.peer.mac.to_string()),
        advbase: heard.peer.interval.advbase,
        advskew: heard.peer.interval.advskew,
        demotion: heard.peer.demotion,
        heard_ago: millis(now - heard.at),
        advertisements: heard.count,
        is_master: is_master(now, view, since, heard),
        stamped: heard.is_stamped,
    }
}

fn check(now: Instant, status: &CheckStatus) -> Check {
    Check {
        name: status.name.clone(),
        kind: status.kind.clone(),
        state: words::check_state(status.state),
        since: millis(now - status.since),
        ran_ago: status.ran.map(|(ended, _)| millis(now - ended)),
        took: status.ran.map(|(_, took)| millis(took)),
        result: status.result.clone(),
        effect: status.demotion.map_or_else(|| "fault".to_owned(), |by| format!("demote {by}")),
    }
}

fn timers(now: Instant, view: &View<'_>, advertised: Interval) -> Timers {
    let deadline = until(now, view.outlook.deadline);
    Timers {
        next_advertisement: deadline.filter(|_| view.state == election::State::Master),
        takeover: deadline.filter(|_| view.state == election::State::Backup),
        dead_time: millis(view.outlook.dead_time),
        advertisement_interval: millis(advertised.duration()),
    }
}

fn contribution((name, demotion): (&str, u16)) -> Contribution {
    Contribution { name: name.to_owned(), demotion }
}

fn address(facts: &AddressFacts) -> Address {
    let address = format!("{}/{}", facts.ip, facts.prefix_len);
    Address { address, held: facts.held, removed_by_others: facts.removed.into() }
}

/// What the core knows of the addresses: no prefix.
fn bare_addresses(config: &VirtualHostConfig) -> Vec<Address> {
    let addresses = &config.credentials.addresses;
    let all = addresses.v4().map(IpAddr::V4).chain(addresses.v6().map(IpAddr::V6));
    all.map(|ip| Address { address: ip.to_string(), held: None, removed_by_others: 0 }).collect()
}

fn script(facts: ScriptFacts) -> Script {
    let (took, outcome) = facts.outcome.map_or((None, None), |(took, outcome)| (Some(millis(took)), Some(outcome)));
    let action = if facts.is_up { "up" } else { "down" };
    Script { action: action.into(), started_ago: millis(facts.started_ago), took, outcome }
}

/// Longer ago a conflict is of no interest any more.
const LAST_CONFLICT: Duration = Duration::from_secs(3600);

fn conflict(now: Instant, view: &View<'_>) -> Option<Conflict> {
    let rival = view.rival.filter(|rival| now - rival.at <= LAST_CONFLICT)?;
    let answer = view.config.policy.conflict.map_or(ConflictAnswer::Report, |conflict| conflict.answer);
    Some(Conflict {
        address: rival.address.to_string(),
        mac: rival.mac.to_string(),
        peer: rival.peer.map(|peer| peer.to_string()),
        claimed_ago: millis(now - rival.at),
        claims: rival.claims,
        answer: words::answer(answer).into(),
    })
}

fn transport(transport: &Transport) -> &'static str {
    match transport {
        Transport::Multicast { broadcast: false, .. } => "multicast",
        Transport::Multicast { broadcast: true, .. } => "broadcast",
        Transport::Unicast { .. } => "unicast",
    }
}

pub(super) fn authentication(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::Classic => "classic",
        Authentication::Observe => "observe",
        Authentication::Strict => "strict",
    }
}

/// Under the names of the kernels where they count the same.
fn counters(view: &View<'_>, record: &Record) -> BTreeMap<String, u64> {
    let (counts, doubted) = (&record.counts, &view.doubted);
    let bad = [counts.bad_ttl, counts.bad_version, counts.bad_checksum, counts.bad_length, counts.bad_header];
    let refused = bad.iter().sum::<u64>() + counts.bad_digest + counts.doubtful_refused;
    let all = [
        ("ipackets", view.believed + refused),
        ("believed", view.believed),
        ("badttl", counts.bad_ttl),
        ("badver", counts.bad_version),
        ("badsum", counts.bad_checksum),
        ("badlen", counts.bad_length),
        ("hdrops", counts.bad_header),
        ("badauth", counts.bad_digest),
        // The kernel's filter lets only known vhids through: these are of the own group, by a wrong interface.
        ("badvhid", doubted.misplaced),
        ("opackets", counts.sent + counts.goodbyes),
        ("goodbyes", counts.goodbyes),
        ("announcements", counts.announcements),
        ("probes", counts.probes),
        ("conflicts", view.claims),
        ("send_errors", counts.send_errors),
        ("preempt", counts.preempted),
        ("replayed", doubted.replayed),
        ("stale", doubted.stale),
        ("tampered", doubted.tampered),
        ("unstamped", doubted.unstamped),
        ("reflected", doubted.reflected),
        ("misplaced", doubted.misplaced),
    ];
    all.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
