//! One virtual host: from its keys to its settings, and what is wrong with it alone.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::TieRule;
use carp_core::host::{Authentication, ConflictAnswer, ConflictPolicy, HoldDown, Policy};
use carp_core::timing::Interval;
use ucarp_sys::virtual_interface;

use super::document::Entry;
use super::effect::Shape;
use super::merged::Merged;
use super::outside::Outside;
use super::problem::{Findings, Site};
use super::secret::{self, Secret};
use super::table::{KEYS, KeyId, LEASE_SECONDS, Place};
use super::value::{Command, Value};
use crate::settings::{Dialect, Holding, HostSettings, Mac, Native, Scope, Script, Scripts, Transport, VirtualAddress};

/// What a renewal may be late: a lease that is not longer than the interval and this would end between two renewals.
const RENEWAL_SLACK: Duration = Duration::from_millis(500);

/// The largest advskew that FreeBSD advertises, and the one that it advertises when something is wrong with it.
const FREEBSD_LARGEST_ADVSKEW: u8 = 240;

/// The settings of a virtual host. If there are errors they are told, and the settings are not to be used.
pub(super) fn build(host: &Merged<'_>, outside: &mut Outside, findings: &mut Findings<'_>) -> (HostSettings, Secret) {
    let (key, secret) = secret::find(host, outside, findings);
    for id in [KeyId::Vhid, KeyId::Addresses, KeyId::Interface] {
        if host.entry(id).is_none() && !host.broken {
            missing(host, id, findings);
        }
    }
    let addresses: Vec<VirtualAddress> = host.addresses().iter().map(|(address, _)| *address).collect();
    let interface = host.text(KeyId::Interface).unwrap_or_default().to_owned();
    let settings = HostSettings {
        name: host.name.to_owned(),
        title: interface.clone(),
        interface,
        vhid: host.byte(KeyId::Vhid),
        key,
        addresses,
        interval: Interval { advbase: host.byte(KeyId::Advbase), advskew: host.byte(KeyId::Advskew) },
        dead_ratio: host.number(KeyId::DeadRatio),
        preempt: host.flag(KeyId::Preempt),
        transport: transport(host, findings),
        source_v4: host.v4(KeyId::Source),
        source_v6: host.v6(KeyId::Source6),
        holding: holding(host),
        mac: mac(host),
        tie: match host.choice(KeyId::Tie) {
            "numeric" => TieRule::Numeric,
            "kernel" => TieRule::Kernel,
            _ => TieRule::UcarpLittleEndian,
        },
        scripts: scripts(host),
        ignore_carrier: host.flag(KeyId::IgnoreCarrier),
        authentication: match host.choice(KeyId::Authentication) {
            "classic" => Authentication::Classic,
            "strict" => Authentication::Strict,
            _ => Authentication::Observe,
        },
        dialect: Dialect {
            link_local_in_digest: host.choice(KeyId::LinkLocalDigest) == "include",
            pseudo_header_checksum: host.choice(KeyId::Ipv6Checksum) == "pseudo-header",
            lladdr: host.mac(KeyId::OpenbsdLladdr),
        },
        policy: policy(host),
        penalty: host.duration(KeyId::Penalty),
        sync_group: host.text(KeyId::SyncGroup).map(str::to_owned),
        checks: host.checks().iter().map(|(name, _)| name.clone()).collect(),
    };
    check(host, &settings, &secret, outside, findings);
    (settings, secret)
}

fn policy(host: &Merged<'_>) -> Policy {
    let hold_down = HoldDown {
        takeovers: u8::try_from(host.number(KeyId::HoldDownAfter)).unwrap_or(u8::MAX),
        window: host.duration(KeyId::HoldDownWindow),
        length: host.duration(KeyId::HoldDown),
    };
    let refresh = host.duration(KeyId::Refresh);
    Policy {
        ranked_demotion: host.flag(KeyId::RankedDemotion),
        demotion_byte: host.flag(KeyId::DemotionCounter),
        preempt_delay: host.duration(KeyId::PreemptDelay),
        start_delay: host.duration(KeyId::StartDelay),
        hold_down: (!hold_down.length.is_zero()).then_some(hold_down),
        refresh: (!refresh.is_zero()).then_some(refresh),
        conflict: Some(ConflictPolicy { answer: conflict_answer(host), probes: true }),
        group: None,
    }
}

fn conflict_answer(host: &Merged<'_>) -> ConflictAnswer {
    match host.choice(KeyId::Conflict) {
        "yield" => ConflictAnswer::Yield,
        "report" => ConflictAnswer::Report,
        _ => ConflictAnswer::Defend,
    }
}

fn missing(host: &Merged<'_>, id: KeyId, findings: &mut Findings<'_>) {
    let spec = id.spec();
    let draft = findings.error(host.site, format!("the virtual host `{}` has no `{}`", host.name, spec.name));
    let or = if spec.place == Place::HostOrDefaults { ", here or in [defaults]" } else { "" };
    draft.help(format!("`{}` must be {}{or}", spec.name, spec.kind.allowed())).tell();
}

fn transport(host: &Merged<'_>, findings: &mut Findings<'_>) -> Transport {
    let word = host.choice(KeyId::Transport);
    if word != "unicast" {
        let v4 = host.v4(KeyId::Group).expect("the table has a default");
        let v6 = host.v6(KeyId::Group6).expect("the table has a default");
        return if word == "broadcast" { Transport::Broadcast { v4, v6 } } else { Transport::Multicast { v4, v6 } };
    }
    if host.entry(KeyId::Peers).is_none() && !host.broken {
        let draft = findings.error(host.site(KeyId::Transport), "unicast needs `peers`");
        draft.help(format!("`peers` must be {}", KeyId::Peers.spec().kind.allowed())).tell();
    }
    let peers = host.peers().iter().map(|(peer, _)| *peer).collect();
    Transport::Unicast { peers, any_ttl: host.flag(KeyId::Routed) }
}

fn holding(host: &Merged<'_>) -> Holding {
    if host.choice(KeyId::Hold) == "scripts" {
        return Holding::Scripts;
    }
    let interval = Interval { advbase: host.byte(KeyId::Advbase), advskew: host.byte(KeyId::Advskew) };
    let lease = match host.given(KeyId::Lease) {
        Some(Value::Lease(seconds)) => *seconds,
        _ => default_lease(interval, host.number(KeyId::DeadRatio)),
    };
    Holding::Native(Native {
        lease,
        label: host.text(KeyId::Label).map(str::to_owned),
        scope: match host.choice(KeyId::Scope) {
            "link" => Scope::Link,
            "host" => Scope::Host,
            _ => Scope::Global,
        },
        noprefixroute: !host.flag(KeyId::PrefixRoute),
    })
}

/// The dead time in whole seconds, rounded down, so that an address is gone when another host takes it; but long enough
/// to be renewed.
fn default_lease(interval: Interval, dead_ratio: u32) -> u32 {
    let dead = whole_seconds(interval.master_down(dead_ratio)).min(LEASE_SECONDS.1);
    dead.max(shortest_lease(interval))
}

/// The shortest lease in whole seconds that is renewed in time.
fn shortest_lease(interval: Interval) -> u32 {
    let least = interval.duration() + RENEWAL_SLACK;
    whole_seconds(least) + u32::from(least.subsec_nanos() > 0)
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn mac(host: &Merged<'_>) -> Mac {
    if host.choice(KeyId::Mac) == "interface" {
        return Mac::Interface;
    }
    let name = host.text(KeyId::VirtualInterface).map(str::to_owned);
    Mac::Virtual { name: name.unwrap_or_else(|| format!("carp{}", host.byte(KeyId::Vhid))) }
}

fn scripts(host: &Merged<'_>) -> Scripts {
    let script = |id| match host.command(id)? {
        Command::None => None,
        Command::Exact(path, arguments) => {
            Some(Script { path: path.into(), arguments: arguments.iter().map(OsString::from).collect() })
        }
        Command::Classic(path) => {
            let first = host.addresses().first().map(|(address, _)| address.ip.to_string());
            let words = [host.text(KeyId::Interface).map(str::to_owned), first];
            let xparam = host.text(KeyId::Xparam).map(OsString::from);
            let arguments = words.into_iter().flatten().map(OsString::from).chain(xparam).collect();
            Some(Script { path: path.into(), arguments })
        }
    };
    Scripts {
        up: script(KeyId::Up),
        down: script(KeyId::Down),
        neutral: host.flag(KeyId::Neutral),
        time_limit: host.duration(KeyId::ScriptTimeout),
    }
}

/// Tells what is wrong with a virtual host by itself, beside single values.
fn check(
    host: &Merged<'_>,
    settings: &HostSettings,
    secret: &Secret,
    outside: &mut Outside,
    findings: &mut Findings<'_>,
) {
    check_interval(host, settings.interval, findings);
    check_lease(host, settings, findings);
    check_holding(host, settings, findings);
    check_sources(host, settings, findings);
    for id in [KeyId::Up, KeyId::Down] {
        if let (Some(Command::Classic(path) | Command::Exact(path, _)), Some(entry)) =
            (host.command(id), host.entry(id))
        {
            outside.look_at_program(path, &entry.site, findings);
        }
    }
    let classic = |id| matches!(host.command(id), Some(Command::Classic(_)));
    let shape = Shape::new(settings, classic(KeyId::Up) || classic(KeyId::Down), matches!(secret, Secret::File { .. }));
    for spec in KEYS {
        let Some((reason, deciders)) = shape.no_effect(spec.id) else { continue };
        // A default may be meant for other virtual hosts.
        let Some(entry) = host.own(spec.id).filter(|_| !host.broken && !host.is_faulty(deciders)) else { continue };
        findings.error(&entry.key, format!("`{}` has no effect here: {reason}", spec.name)).tell();
    }
}

fn check_interval(host: &Merged<'_>, interval: Interval, findings: &mut Findings<'_>) {
    let keys = [KeyId::Advbase, KeyId::Advskew];
    if host.is_faulty(&keys) {
        return;
    }
    let wrong = match interval {
        Interval { advbase: 0, advskew: 0 } => "`advbase` and `advskew` are both 0: one must be 1 to 255",
        Interval::BOW_OUT => "`advbase` and `advskew` are both 255: that is what a MASTER says when it leaves",
        Interval { advskew, .. } if advskew > FREEBSD_LARGEST_ADVSKEW => {
            let site = host.site(KeyId::Advskew);
            let message = format!(
                "advskew {advskew} ranks below a FreeBSD host in trouble, which advertises {FREEBSD_LARGEST_ADVSKEW}"
            );
            findings.warning(site, message).help("in groups with FreeBSD use 0 to 239").tell();
            return;
        }
        _ => return,
    };
    let mut sites = keys.into_iter().filter_map(|id| host.entry(id)).map(|entry| &entry.site);
    let draft = findings.error(sites.next().unwrap_or(host.site), wrong);
    match sites.next() {
        Some(other) => draft.also(other, "and here").tell(),
        None => draft.tell(),
    }
}

fn check_lease(host: &Merged<'_>, settings: &HostSettings, findings: &mut Findings<'_>) {
    let (Holding::Native(native), Some(entry)) = (&settings.holding, host.entry(KeyId::Lease)) else { return };
    if native.lease == 0 || host.is_faulty(&[KeyId::Lease, KeyId::Advbase, KeyId::Advskew, KeyId::DeadRatio]) {
        return;
    }
    let (interval, lease) = (settings.interval, native.lease);
    let least = shortest_lease(interval);
    let dead = interval.master_down(settings.dead_ratio);
    if lease < least {
        let message = format!(
            "a lease of {lease}s would end between two renewals: `lease` must be at least \"{least}s\" with advertisements \
             every {:?}",
            interval.duration()
        );
        findings.error(&entry.site, message).tell();
    } else if Duration::from_secs(lease.into()) > dead && lease > least {
        let message = format!(
            "the lease of {lease}s is longer than the dead time of {dead:?}: after a crash two hosts can have the addresses"
        );
        let default = default_lease(interval, settings.dead_ratio);
        findings.warning(&entry.site, message).help(format!("without `lease` it is \"{default}s\"")).tell();
    }
}

fn check_holding(host: &Merged<'_>, settings: &HostSettings, findings: &mut Findings<'_>) {
    let deciders = [KeyId::Hold, KeyId::Mac, KeyId::Up, KeyId::Down];
    if host.is_faulty(&deciders) || host.broken {
        return;
    }
    if matches!(settings.mac, Mac::Virtual { .. }) && !virtual_interface::SUPPORTED {
        let message = "`mac = \"virtual\"` is not possible on this system: use `mac = \"interface\"`";
        findings.error(host.site(KeyId::Mac), message).tell();
    }
    let Holding::Native(native) = &settings.holding else {
        if matches!(settings.mac, Mac::Virtual { .. }) {
            let message = "`mac = \"virtual\"` needs `hold = \"native\"`: scripts cannot know the virtual interface";
            findings.error(host.site(KeyId::Mac), message).also(host.site(KeyId::Hold), "the scripts hold them").tell();
        }
        for (id, script) in [(KeyId::Up, &settings.scripts.up), (KeyId::Down, &settings.scripts.down)] {
            if script.is_none() {
                let message = format!("`hold = \"scripts\"` without `{}`: nothing moves the addresses then", id.name());
                findings.warning(host.site(KeyId::Hold), message).tell();
            }
        }
        return;
    };
    let holder = match &settings.mac {
        Mac::Interface => &settings.interface,
        Mac::Virtual { name } => name,
    };
    if let Some(label) = &native.label
        && label != holder
        && !label.strip_prefix(holder.as_str()).is_some_and(|rest| rest.starts_with(':'))
        && !holder.is_empty()
    {
        // Measured: the kernel takes any label; iproute2 and ifconfig insist on the interface's name before a colon.
        let message = format!("the label {label:?} does not begin with \"{holder}:\": ifconfig will not show it");
        findings.warning(host.site(KeyId::Label), message).tell();
    }
}

/// An own address can be neither one of the shared ones nor a peer's.
fn check_sources(host: &Merged<'_>, settings: &HostSettings, findings: &mut Findings<'_>) {
    let source = settings.source_v4.map(|ip| (KeyId::Source, IpAddr::V4(ip)));
    let source6 = settings.source_v6.map(|ip| (KeyId::Source6, IpAddr::V6(ip)));
    for (id, own) in source.into_iter().chain(source6) {
        let Some(entry) = host.entry(id) else { continue };
        if let Some(site) =
            find(host.entry(KeyId::Addresses), host.addresses().iter().map(|(a, span)| (a.ip, span)), own)
        {
            let message = format!("{own} is shared: `{}` must be an address of this host alone", id.name());
            findings.error(&entry.site, message).also(&site, "shared here").tell();
        }
        if let Some(site) = find(host.entry(KeyId::Peers), host.peers().iter().map(|(ip, span)| (*ip, span)), own) {
            let message = format!("{own} is this host itself: `peers` are the others");
            findings.error(&site, message).also(&entry.site, "this host").tell();
        }
    }
    for (peer, span) in host.peers() {
        let shared = host.addresses().iter().map(|(address, span)| (address.ip, span));
        if let (Some(peers), Some(shared)) =
            (host.entry(KeyId::Peers), find(host.entry(KeyId::Addresses), shared, *peer))
        {
            let site = Site::new(peers.site.source, span.clone());
            findings
                .error(&site, format!("the peer {peer} is shared: name hosts by their own addresses"))
                .also(&shared, "shared here")
                .tell();
        }
    }
}

/// Where an address stands in a list.
fn find<'r>(
    list: Option<&Entry>,
    mut items: impl Iterator<Item = (IpAddr, &'r std::ops::Range<usize>)>,
    wanted: IpAddr,
) -> Option<Site> {
    let (_, span) = items.find(|(ip, _)| *ip == wanted)?;
    Some(Site::new(list?.site.source, span.clone()))
}

#[cfg(test)]
mod tests;
