//! Checks: from their keys to what is looked at, and what is wrong with them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::document::{Document, Entry, NamedLayer};
use super::merged::Merged;
use super::nearest::nearest;
use super::outside::Outside;
use super::problem::{Findings, Site};
use super::table::{CHECK_KEYS, CheckKey, KeyId, KeySpec};
use super::value::{Command, Value};
use crate::settings::{Check, Effect, HostSettings, ISOLATION, MOST_CHECKS, Probe, Url, Wanted};

/// How often and how patiently a kind of check is done unless its keys say otherwise.
struct Habit {
    interval: Duration,
    timeout: Duration,
    rise: u32,
    fall: u32,
}

impl Habit {
    fn of(kind: &str) -> Self {
        let (interval, timeout, rise, fall) = match kind {
            // The kernel tells of changes; this is in case that it could not.
            "link" => (10_000, 1000, 1, 1),
            // Isolation is noticed within 3 s: a run begins up to 1 s after the cut, and the second ends 1.5 s later.
            "isolation" => (1000, 500, 2, 2),
            "http" | "command" => (5000, 3000, 2, 3),
            _ => (2000, 1000, 2, 3),
        };
        Self { interval: Duration::from_millis(interval), timeout: Duration::from_millis(timeout), rise, fall }
    }
}

/// The checks of all files. `hosts` get the one that `[isolation]` makes.
pub(super) fn build(
    documents: &[Document],
    hosts: &mut [(Merged<'_>, HostSettings)],
    outside: &mut Outside,
    findings: &mut Findings<'_>,
) -> Vec<Check> {
    let mut found: Vec<(&NamedLayer, Check)> = Vec::new();
    let mut sites: BTreeMap<&str, &Site> = BTreeMap::new();
    for document in documents {
        for layer in document.checks.iter().chain(&document.isolation) {
            if let Some(first) = sites.insert(&layer.name, &layer.site) {
                let message = format!("the check `{}` is there twice: give one of them another name", layer.name);
                findings.error(&layer.site, message).also(first, "first here").tell();
            } else if found.len() == MOST_CHECKS {
                let message =
                    format!("there are more than {MOST_CHECKS} checks: a command can do several things at once");
                findings.error(&layer.site, message).tell();
                break;
            }
            let is_isolation = document.isolation.as_ref().is_some_and(|isolation| std::ptr::eq(isolation, layer));
            if layer.name == ISOLATION && !is_isolation {
                let message = "`isolation` is the name of the check that [isolation] makes: choose another one";
                findings.error(&layer.site, message).tell();
            }
            let reader = Reader { layer, broken: document.broken, is_isolation };
            if let Some(check) = reader.read(outside, findings) {
                found.push((layer, check));
            }
        }
    }
    if documents.iter().any(|document| document.isolation.is_some()) {
        for (_, settings) in
            hosts.iter_mut().filter(|(_, settings)| settings.checks.iter().all(|name| name != ISOLATION))
        {
            settings.checks.push(ISOLATION.into());
        }
    }
    look_for_missing(hosts, &sites, findings);
    for (layer, check) in &found {
        if !hosts.iter().any(|(_, settings)| settings.checks.contains(&check.name)) {
            let message = format!("no virtual host has the check `{}`", check.name);
            let help = format!("name it in `checks = [\"{}\"]`, in [virtual-host.NAME] or in [defaults]", check.name);
            findings.warning(&layer.site, message).help(help).tell();
        }
    }
    found.into_iter().map(|(_, check)| check).collect()
}

/// Tells of checks that virtual hosts name and that are not there.
fn look_for_missing(hosts: &[(Merged<'_>, HostSettings)], sites: &BTreeMap<&str, &Site>, findings: &mut Findings<'_>) {
    let mut told: Vec<Site> = Vec::new();
    for (host, _) in hosts {
        let Some(entry) = host.entry(KeyId::Checks) else { continue };
        for (name, span) in host.checks() {
            let site = Site::new(entry.site.source, span.clone());
            // In `[defaults]` it is there once for all.
            if sites.contains_key(name.as_str()) || host.broken || told.contains(&site) {
                continue;
            }
            let help = match nearest(name, sites.keys().copied()) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => format!("write [check.{name}] and its keys"),
            };
            findings.error(&site, format!("there is no check {name:?}")).help(help).tell();
            told.push(site);
        }
    }
}

/// Reads one check.
struct Reader<'d> {
    layer: &'d NamedLayer,
    broken: bool,
    is_isolation: bool,
}

impl<'d> Reader<'d> {
    fn entry(&self, key: CheckKey) -> Option<&'d Entry> {
        self.layer.keys.get(&KeyId::Check(key))
    }

    fn value(&self, key: CheckKey) -> Option<&'d Value> {
        self.entry(key)?.value.as_ref()
    }

    /// Where a key is, or else the name of the check.
    fn site(&self, key: CheckKey) -> &'d Site {
        self.entry(key).map_or(&self.layer.site, |entry| &entry.site)
    }

    fn text(&self, key: CheckKey) -> Option<String> {
        if let Some(Value::Text(text)) = self.value(key) { Some(text.clone()) } else { None }
    }

    fn ip(&self, key: CheckKey) -> Option<IpAddr> {
        if let Some(Value::Ip(ip)) = self.value(key) { Some(*ip) } else { None }
    }

    fn number(&self, key: CheckKey) -> Option<u32> {
        if let Some(Value::Number(number)) = self.value(key) { Some(*number) } else { None }
    }

    fn time(&self, key: CheckKey) -> Option<Duration> {
        if let Some(Value::Duration(time)) = self.value(key) { Some(*time) } else { None }
    }

    /// The check, or nothing if so much is wrong with it that there is none.
    fn read(&self, outside: &mut Outside, findings: &mut Findings<'_>) -> Option<Check> {
        let kind = self.kind(findings)?;
        self.look_at_keys(kind, findings);
        let habit = Habit::of(kind);
        let interval = self.time(CheckKey::Interval).unwrap_or(habit.interval);
        let timeout = self.time(CheckKey::Timeout).unwrap_or(habit.timeout.min(interval));
        if timeout > interval && kind != "link" {
            let message = format!("a timeout of {timeout:?} is longer than the interval of {interval:?}");
            findings.error(self.site(CheckKey::Timeout), message).help("one run follows the other").tell();
        }
        let fall = if kind == "isolation" { CheckKey::Hold } else { CheckKey::Fall };
        let effect = self.effect(findings)?;
        let probe = self.probe(kind, outside, findings)?;
        Some(Check {
            name: self.layer.name.clone(),
            probe,
            interval,
            timeout,
            rise: self.number(CheckKey::Rise).unwrap_or(habit.rise),
            fall: self.number(fall).unwrap_or(habit.fall),
            effect,
        })
    }

    fn kind(&self, findings: &mut Findings<'_>) -> Option<&'static str> {
        if self.is_isolation {
            return Some("isolation");
        }
        match self.entry(CheckKey::Kind) {
            Some(Entry { value: Some(Value::Choice(kind)), .. }) => Some(kind),
            // That it is wrong has been told.
            Some(_) => None,
            None => {
                self.missing(CheckKey::Kind, findings);
                None
            }
        }
    }

    fn missing(&self, key: CheckKey, findings: &mut Findings<'_>) {
        let spec = spec(key);
        if !self.broken {
            let draft =
                findings.error(&self.layer.site, format!("the check `{}` has no `{}`", self.layer.name, spec.name));
            draft.help(format!("`{}` must be {}", spec.name, spec.kind.allowed())).tell();
        }
    }

    /// Tells which keys are missing and which have no effect.
    fn look_at_keys(&self, kind: &str, findings: &mut Findings<'_>) {
        for spec in CHECK_KEYS {
            let KeyId::Check(key) = spec.id else { continue };
            match self.entry(key) {
                Some(entry) if !key.kinds().contains(&kind) => {
                    let draft = findings.error(
                        &entry.key,
                        format!("`{}` has no effect here: it is not of kind = \"{kind}\"", spec.name),
                    );
                    let of: Vec<String> = key.kinds().iter().map(|kind| format!("\"{kind}\"")).collect();
                    let instead = if key == CheckKey::Fall {
                        "with \"isolation\" it is `hold`".into()
                    } else {
                        format!("it is of {}", of.join(", "))
                    };
                    draft.help(instead).tell();
                }
                None if key.is_needed_by(kind) => self.missing(key, findings),
                _ => {}
            }
        }
        if kind == "process" {
            match (self.entry(CheckKey::Name), self.entry(CheckKey::PidFile)) {
                (None, None) => self.missing(CheckKey::Name, findings),
                (Some(name), Some(file)) => {
                    let draft = findings.error(&file.key, "`name` or `pid-file`, not both");
                    draft.also(&name.key, "the other one").tell();
                }
                _ => {}
            }
        }
    }

    fn effect(&self, findings: &mut Findings<'_>) -> Option<Effect> {
        let demote = self.number(CheckKey::Demote).and_then(|by| u8::try_from(by).ok());
        let fault = matches!(self.value(CheckKey::Fault), Some(Value::Flag(true)));
        match (demote, fault) {
            (Some(by), false) => Some(Effect::Demote(by)),
            (None, true) => Some(Effect::Fault),
            (Some(_), true) => {
                let draft = findings.error(self.site(CheckKey::Demote), "`demote` or `fault = true`, not both");
                draft.also(self.site(CheckKey::Fault), "the other one").tell();
                None
            }
            (None, false) if self.is_isolation => Some(Effect::Fault),
            (None, false) => {
                let is_wrong = [CheckKey::Demote, CheckKey::Fault]
                    .into_iter()
                    .any(|key| self.entry(key).is_some_and(|entry| entry.value.is_none()));
                if !is_wrong && !self.broken {
                    let message = format!("the check `{}` has no effect", self.layer.name);
                    let help =
                        "write `fault = true` or `demote = 50` for what becomes of virtual hosts while it is DOWN";
                    findings.error(&self.layer.site, message).help(help).tell();
                }
                None
            }
        }
    }

    /// `None` if something is missing or wrong, which has been told.
    fn probe(&self, kind: &str, outside: &mut Outside, findings: &mut Findings<'_>) -> Option<Probe> {
        let interface = self.text(CheckKey::Interface);
        let address = || self.ip(CheckKey::Address);
        Some(match kind {
            "link" => Probe::Link { interface: interface? },
            "ping" => {
                self.look_at_zone(CheckKey::Address, interface.is_some(), findings);
                Probe::Ping { address: address()?, interface }
            }
            "neighbour" => Probe::Neighbour { address: address()?, interface: interface? },
            "tcp" => {
                self.look_at_zone(CheckKey::Address, false, findings);
                let port = self.number(CheckKey::Port)?;
                Probe::Tcp {
                    address: address()?,
                    port: u16::try_from(port).expect("the range of this key is a port's"),
                }
            }
            "http" => {
                let Some(Value::Url(url)) = self.value(CheckKey::Url) else { return None };
                self.http(url.clone(), findings)
            }
            "process" => Probe::Process(match (self.text(CheckKey::Name), self.value(CheckKey::PidFile)) {
                (_, Some(Value::File(path))) => Wanted::PidFile(path.clone()),
                (name, _) => Wanted::Name(name?),
            }),
            "file" => {
                let Some(Value::File(path)) = self.value(CheckKey::Path) else { return None };
                Probe::File { path: path.clone(), contains: self.text(CheckKey::Contains) }
            }
            "route" => Probe::Route { address: address()?, via: self.ip(CheckKey::Via), interface },
            "command" => self.command(outside, findings)?,
            _ => {
                let [external, internal, isolation_host] = self.isolation(findings)?;
                Probe::Isolation { external, internal, isolation_host }
            }
        })
    }

    fn http(&self, url: Url, findings: &mut Findings<'_>) -> Probe {
        let host = self.text(CheckKey::Host);
        if host.as_ref().is_some_and(|host| host.is_empty() || !host.bytes().all(|octet| octet.is_ascii_graphic())) {
            let message = "`host` must be the name of a server such as \"www.example.org\"";
            findings.error(self.site(CheckKey::Host), message).tell();
        }
        let status = self.number(CheckKey::Status).and_then(|status| u16::try_from(status).ok());
        Probe::Http { url, host, status }
    }

    fn command(&self, outside: &mut Outside, findings: &mut Findings<'_>) -> Option<Probe> {
        let (path, arguments) = match self.value(CheckKey::Command)? {
            Value::Command(Command::Classic(path)) => (path, &[][..]),
            Value::Command(Command::Exact(path, arguments)) => (path, &arguments[..]),
            _ => {
                let message = format!("`command` must be {}, not empty", spec(CheckKey::Command).kind.allowed());
                findings.error(self.site(CheckKey::Command), message).tell();
                return None;
            }
        };
        outside.look_at_program(path, self.site(CheckKey::Command), findings);
        let user = self.text(CheckKey::User);
        if user.as_ref().is_some_and(String::is_empty) {
            findings.error(self.site(CheckKey::User), "`user` must be the name of a user such as \"root\"").tell();
        }
        let arguments = arguments.iter().map(OsString::from).collect();
        Some(Probe::Command { path: path.into(), arguments, user })
    }

    /// The three hosts, which have to be different ones.
    fn isolation(&self, findings: &mut Findings<'_>) -> Option<[IpAddr; 3]> {
        let keys = [CheckKey::External, CheckKey::Internal, CheckKey::IsolationHost];
        for (number, key) in keys.into_iter().enumerate() {
            self.look_at_zone(key, false, findings);
            let same = keys[..number].iter().find(|other| self.ip(key).is_some() && self.ip(**other) == self.ip(key));
            if let Some(other) = same {
                let message = format!("`{}` and `{}` are the same host", spec(*other).name, spec(key).name);
                findings.error(self.site(key), message).also(self.site(*other), "the other one").tell();
            }
        }
        Some([self.ip(keys[0])?, self.ip(keys[1])?, self.ip(keys[2])?])
    }

    /// A link-local address is an address only together with its link.
    fn look_at_zone(&self, key: CheckKey, has_interface: bool, findings: &mut Findings<'_>) {
        let Some(IpAddr::V6(ip)) = self.ip(key).filter(|_| !has_interface) else { return };
        if Ipv6Addr::is_unicast_link_local(&ip) {
            let draft =
                findings.error(self.site(key), format!("{ip} is an address on each link: it is not said which"));
            draft.help("a check of kind = \"ping\" or \"neighbour\" has `interface`").tell();
        }
    }
}

fn spec(key: CheckKey) -> &'static KeySpec {
    KeyId::Check(key).spec()
}
