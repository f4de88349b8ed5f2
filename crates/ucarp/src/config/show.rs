//! The effective configuration as a file.

mod check;

use std::ffi::OsString;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::TieRule;
use carp_core::host::{Authentication, ConflictAnswer, Policy};

use super::effect::Shape;
use super::secret::Secret;
use super::table::{KEYS, KeyId, Place, duration};
use crate::settings::{
    Holding, HostSettings, ISOLATION, Mac, Native, Process, Scope, Script, Settings, Transport, VirtualAddress,
};

/// The settings as a configuration file with every key. `secrets` says where each virtual host's key came from; keys
/// themselves are not shown, so that virtual hosts without a password file need theirs back before the file can be
/// loaded. Everything else loads to the same settings.
#[must_use]
pub fn show(settings: &Settings, secrets: &[Secret]) -> String {
    let mut text = String::from("# The effective configuration, made by: ucarp --show-config\n");
    let hidden = secrets.iter().filter(|secret| **secret == Secret::Inline).count();
    if hidden > 0 {
        push(&mut text, format_args!("# Passwords are hidden: {hidden} must be put back before this can be loaded."));
    }
    push(&mut text, format_args!("\n{} = \"{}\"", KeyId::Grace.name(), whole(settings.grace)));
    show_process(&mut text, &settings.process);
    let control = settings.control.as_ref().map_or("false".to_owned(), |path| string(&path.to_string_lossy()));
    push(&mut text, format_args!("{} = {control}", KeyId::Control.name()));
    for (host, secret) in settings.hosts.iter().zip(secrets) {
        push(&mut text, format_args!("\n[virtual-host.{}]", key(&host.name)));
        show_host(&mut text, host, secret);
    }
    settings.checks.iter().for_each(|check| check::show(&mut text, check));
    text
}

fn show_process(text: &mut String, process: &Process) {
    match process.realtime_priority {
        Some(priority) => push(text, format_args!("{} = {priority}", KeyId::RealtimePriority.name())),
        None => push(text, format_args!("# {}: none", KeyId::RealtimePriority.name())),
    }
    push(text, format_args!("{} = {}", KeyId::LockMemory.name(), process.lock_memory));
    match process.timer_slack {
        Some(slack) => push(text, format_args!("{} = \"{}us\"", KeyId::TimerSlack.name(), slack.as_micros())),
        None => push(text, format_args!("# {}: what it inherits", KeyId::TimerSlack.name())),
    }
}

fn show_host(text: &mut String, host: &HostSettings, secret: &Secret) {
    let classic = |script: &Option<Script>| script.as_ref().is_some_and(|script| is_classic(host, script));
    // With a third argument a script is shown with a list.
    let shape = Shape::new(host, classic(&host.scripts.up) || classic(&host.scripts.down), is_file(secret));
    for spec in KEYS.iter().filter(|spec| spec.place != Place::Top) {
        let name = spec.name;
        match (shape.no_effect(spec.id), value(host, secret, spec.id)) {
            (Some((reason, _)), _) => push(text, format_args!("# {name}: {reason}")),
            (None, Shown::Value(value)) => push(text, format_args!("{name} = {value}")),
            (None, Shown::Remark(remark)) => push(text, format_args!("# {name}: {remark}")),
        }
    }
}

/// What stands for a key.
enum Shown {
    Value(String),
    /// Why there is no value.
    Remark(&'static str),
}

impl Shown {
    fn or(value: Option<String>, remark: &'static str) -> Self {
        value.map_or(Self::Remark(remark), Self::Value)
    }
}

fn value(host: &HostSettings, secret: &Secret, id: KeyId) -> Shown {
    let native = if let Holding::Native(native) = &host.holding { Some(native) } else { None };
    let shown = match id {
        KeyId::Grace | KeyId::RealtimePriority | KeyId::LockMemory | KeyId::TimerSlack | KeyId::Control => {
            return Shown::Remark("it belongs before the first table");
        }
        KeyId::Vhid => host.vhid.to_string(),
        KeyId::Addresses => list(host.addresses.iter().map(address)),
        KeyId::Interface => string(&host.interface),
        KeyId::Password if *secret == Secret::Inline => return Shown::Remark("\"***\""),
        KeyId::Password | KeyId::Key => return Shown::Remark("see password-file"),
        KeyId::PasswordFile => return password_file(secret),
        // What was refused with `false` would not be here.
        KeyId::AllowReadablePasswordFile => return allowed(secret),
        KeyId::Advbase => host.interval.advbase.to_string(),
        KeyId::Advskew => host.interval.advskew.to_string(),
        KeyId::DeadRatio => host.dead_ratio.to_string(),
        KeyId::Preempt => host.preempt.to_string(),
        KeyId::Transport | KeyId::Group | KeyId::Group6 | KeyId::Peers | KeyId::Routed => {
            return transport(&host.transport, id);
        }
        KeyId::Source => return Shown::or(host.source_v4.as_ref().map(quoted), "the first address of the interface"),
        KeyId::Source6 => return Shown::or(host.source_v6.as_ref().map(quoted), "the interface's link-local address"),
        KeyId::Hold => string(if native.is_some() { "native" } else { "scripts" }),
        KeyId::Lease | KeyId::Label | KeyId::Scope | KeyId::PrefixRoute => return holding(native, id),
        KeyId::Mac => string(if host.mac == Mac::Interface { "interface" } else { "virtual" }),
        KeyId::VirtualInterface => match &host.mac {
            Mac::Virtual { name } => string(name),
            Mac::Interface => return Shown::Remark("none"),
        },
        KeyId::Up => return Shown::or(host.scripts.up.as_ref().map(|script| command(host, script)), "none"),
        KeyId::Down => return Shown::or(host.scripts.down.as_ref().map(|script| command(host, script)), "none"),
        KeyId::Xparam => return Shown::Remark("none"),
        KeyId::Neutral => host.scripts.neutral.to_string(),
        KeyId::ScriptTimeout => format!("\"{}\"", whole(host.scripts.time_limit)),
        KeyId::IgnoreCarrier => host.ignore_carrier.to_string(),
        KeyId::Tie => string(match host.tie {
            TieRule::UcarpLittleEndian => "ucarp",
            TieRule::Numeric => "numeric",
            TieRule::Kernel => "kernel",
        }),
        KeyId::Authentication => string(match host.authentication {
            Authentication::Classic => "classic",
            Authentication::Observe => "observe",
            Authentication::Strict => "strict",
        }),
        KeyId::SyncGroup => return Shown::or(host.sync_group.as_deref().map(string), "none"),
        KeyId::Penalty => format!("\"{}\"", whole(host.penalty)),
        KeyId::PreemptDelay
        | KeyId::StartDelay
        | KeyId::HoldDown
        | KeyId::HoldDownAfter
        | KeyId::HoldDownWindow
        | KeyId::Refresh
        | KeyId::Conflict
        | KeyId::RankedDemotion
        | KeyId::DemotionCounter => return policy(&host.policy, id),
        KeyId::LinkLocalDigest => string(if host.dialect.link_local_in_digest { "include" } else { "omit" }),
        KeyId::Ipv6Checksum => string(if host.dialect.pseudo_header_checksum { "pseudo-header" } else { "plain" }),
        KeyId::Checks => list(host.checks.iter().filter(|name| *name != ISOLATION).cloned()),
        KeyId::Check(_) => return Shown::Remark("it belongs into [check.NAME]"),
        KeyId::OpenbsdLladdr => return Shown::or(host.dialect.lladdr.as_ref().map(quoted), "none"),
    };
    Shown::Value(shown)
}

fn policy(policy: &Policy, id: KeyId) -> Shown {
    let time = |time: Duration| format!("\"{}\"", whole(time));
    let shown = match (id, policy.hold_down) {
        (KeyId::PreemptDelay, _) => time(policy.preempt_delay),
        (KeyId::StartDelay, _) => time(policy.start_delay),
        (KeyId::HoldDown, hold_down) => time(hold_down.map_or(Duration::ZERO, |hold_down| hold_down.length)),
        (KeyId::HoldDownAfter, Some(hold_down)) => hold_down.takeovers.to_string(),
        (KeyId::HoldDownWindow, Some(hold_down)) => time(hold_down.window),
        (KeyId::Refresh, _) => time(policy.refresh.unwrap_or_default()),
        (KeyId::Conflict, _) => string(match policy.conflict.map(|conflict| conflict.answer) {
            Some(ConflictAnswer::Yield) => "yield",
            Some(ConflictAnswer::Report) => "report",
            Some(ConflictAnswer::Defend) | None => "defend",
        }),
        (KeyId::RankedDemotion, _) => policy.ranked_demotion.to_string(),
        (KeyId::DemotionCounter, _) => policy.demotion_byte.to_string(),
        _ => return Shown::Remark("none"),
    };
    Shown::Value(shown)
}

fn is_file(secret: &Secret) -> bool {
    matches!(secret, Secret::File { .. })
}

fn password_file(secret: &Secret) -> Shown {
    match secret {
        Secret::File { path, .. } => Shown::Value(string(&path.to_string_lossy())),
        Secret::Inline => Shown::Remark("none"),
    }
}

fn allowed(secret: &Secret) -> Shown {
    match secret {
        Secret::File { readable, .. } => Shown::Value(readable.to_string()),
        Secret::Inline => Shown::Remark("none"),
    }
}

fn transport(transport: &Transport, id: KeyId) -> Shown {
    let shown = match (id, transport) {
        (KeyId::Transport, Transport::Multicast { .. }) => string("multicast"),
        (KeyId::Transport, Transport::Broadcast { .. }) => string("broadcast"),
        (KeyId::Transport, Transport::Unicast { .. }) => string("unicast"),
        (KeyId::Group, Transport::Multicast { v4, .. } | Transport::Broadcast { v4, .. }) => quoted(v4),
        (KeyId::Group6, Transport::Multicast { v6, .. } | Transport::Broadcast { v6, .. }) => quoted(v6),
        (KeyId::Peers, Transport::Unicast { peers, .. }) => list(peers.iter().map(IpAddr::to_string)),
        (KeyId::Routed, Transport::Unicast { any_ttl, .. }) => any_ttl.to_string(),
        _ => return Shown::Remark("none"),
    };
    Shown::Value(shown)
}

fn holding(native: Option<&Native>, id: KeyId) -> Shown {
    let Some(native) = native else { return Shown::Remark("none") };
    let shown = match id {
        KeyId::Lease if native.lease == 0 => string("none"),
        KeyId::Lease => format!("\"{}\"", duration(native.lease)),
        KeyId::Label => return Shown::or(native.label.as_deref().map(string), "none"),
        KeyId::Scope => string(match native.scope {
            Scope::Global => "global",
            Scope::Link => "link",
            Scope::Host => "host",
        }),
        _ => (!native.noprefixroute).to_string(),
    };
    Shown::Value(shown)
}

/// Whether a script is called as UCARP calls it without an extra parameter.
fn is_classic(host: &HostSettings, script: &Script) -> bool {
    let first = host.addresses.first().map(|address| address.ip.to_string());
    first.is_some_and(|first| script.arguments == [OsString::from(&host.interface), first.into()])
}

fn command(host: &HostSettings, script: &Script) -> String {
    let path = script.path.to_string_lossy().into_owned();
    if is_classic(host, script) {
        return string(&path);
    }
    let arguments = script.arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    list(std::iter::once(path).chain(arguments))
}

/// The address, with its prefix length if that is not the one of a host.
fn address(address: &VirtualAddress) -> String {
    let host = if address.ip.is_ipv4() { 32 } else { 128 };
    if address.prefix_len == host { address.ip.to_string() } else { format!("{}/{}", address.ip, address.prefix_len) }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.map(|item| string(&item)).collect::<Vec<_>>().join(", "))
}

fn quoted(value: &impl ToString) -> String {
    string(&value.to_string())
}

/// A basic string of TOML.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a string takes everything"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of TOML: a name with a dot needs quotes.
fn key(name: &str) -> String {
    if name.contains('.') { string(name) } else { name.to_owned() }
}

fn whole(time: Duration) -> String {
    duration(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests;
