//! Checks as they are written in a configuration.

use std::fmt::Write;
use std::time::Duration;

use super::{key, list, push, quoted, string};
use crate::config::table::{CHECK_KEYS, CheckKey, KeyId, time};
use crate::settings::{Check, Effect, ISOLATION, Probe, Wanted};

pub(super) fn show(text: &mut String, check: &Check) {
    let is_isolation = check.name == ISOLATION;
    if is_isolation {
        push(text, format_args!("\n[{ISOLATION}]"));
    } else {
        push(text, format_args!("\n[check.{}]", key(&check.name)));
    }
    for spec in CHECK_KEYS {
        let KeyId::Check(id) = spec.id else { continue };
        if !id.kinds().contains(&check.probe.kind()) || is_isolation && !id.is_of_isolation() {
            continue;
        }
        match value(check, id) {
            Some(value) => writeln!(text, "{} = {value}", spec.name),
            None => writeln!(text, "# {}: none", spec.name),
        }
        .expect("a string takes everything");
    }
}

fn value(check: &Check, id: CheckKey) -> Option<String> {
    let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    Some(match id {
        CheckKey::Kind => string(check.probe.kind()),
        CheckKey::Fault => (check.effect == Effect::Fault).then(|| true.to_string())?,
        CheckKey::Demote => match check.effect {
            Effect::Demote(by) => by.to_string(),
            Effect::Fault => return None,
        },
        CheckKey::Interval => string(&time(millis(check.interval))),
        CheckKey::Timeout => string(&time(millis(check.timeout))),
        CheckKey::Rise => check.rise.to_string(),
        CheckKey::Fall | CheckKey::Hold => check.fall.to_string(),
        _ => return of_probe(&check.probe, id),
    })
}

fn of_probe(probe: &Probe, id: CheckKey) -> Option<String> {
    let path = |path: &std::path::Path| string(&path.to_string_lossy());
    Some(match (id, probe) {
        (CheckKey::Address, Probe::Ping { address, .. })
        | (CheckKey::Address, Probe::Neighbour { address, .. })
        | (CheckKey::Address, Probe::Tcp { address, .. })
        | (CheckKey::Address, Probe::Route { address, .. }) => quoted(address),
        (CheckKey::Interface, Probe::Link { interface } | Probe::Neighbour { interface, .. }) => string(interface),
        (CheckKey::Interface, Probe::Ping { interface, .. } | Probe::Route { interface, .. }) => {
            string(interface.as_ref()?)
        }
        (CheckKey::Port, Probe::Tcp { port, .. }) => port.to_string(),
        (CheckKey::Url, Probe::Http { url, .. }) => quoted(url),
        (CheckKey::Host, Probe::Http { host, .. }) => string(host.as_ref()?),
        (CheckKey::Status, Probe::Http { status, .. }) => status.as_ref()?.to_string(),
        (CheckKey::Name, Probe::Process(Wanted::Name(name))) => string(name),
        (CheckKey::PidFile, Probe::Process(Wanted::PidFile(file)))
        | (CheckKey::Path, Probe::File { path: file, .. }) => path(file),
        (CheckKey::Contains, Probe::File { contains, .. }) => string(contains.as_ref()?),
        (CheckKey::Via, Probe::Route { via, .. }) => quoted(via.as_ref()?),
        (CheckKey::Command, Probe::Command { path, arguments, .. }) => {
            let words = std::iter::once(path).chain(arguments);
            list(words.map(|word| word.to_string_lossy().into_owned()))
        }
        (CheckKey::User, Probe::Command { user, .. }) => string(user.as_ref()?),
        (CheckKey::External, Probe::Isolation { external, .. }) => quoted(external),
        (CheckKey::Internal, Probe::Isolation { internal, .. }) => quoted(internal),
        (CheckKey::IsolationHost, Probe::Isolation { isolation_host, .. }) => quoted(isolation_host),
        _ => return None,
    })
}
