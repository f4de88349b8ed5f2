//! The daemon: whether it can be asked, its configuration, and what it says of the group.

use std::ffi::OsStr;
use std::path::Path;

use ucarp_control::Error;
use ucarp_control::calls::{GetDaemon, GetEvents};
use ucarp_control::types::{Daemon, Event, State, VirtualHost};

use super::finding::{Finding, Level};
use super::system::{Answer, System};
use crate::concerns;
use crate::context::{Context, virtual_hosts};
use crate::sibling;

/// Of events, the last ones: what was mended long ago is not told again.
const LAST_EVENTS: u64 = 200;

/// The commands that tell of the daemon, and that start it anew.
const LOOK_AT_DAEMON: &str = if cfg!(target_os = "freebsd") {
    "service ucarp status   # or: ucarp -c /usr/local/etc/ucarp/ucarp.toml"
} else {
    "systemctl status ucarp   # or: ucarp -c /etc/ucarp/ucarp.toml"
};
const RESTART_DAEMON: &str =
    if cfg!(target_os = "freebsd") { "service ucarp restart" } else { "systemctl restart ucarp" };

/// Notices that are told of one virtual host.
const MOST_NOTICES: usize = 3;

/// Counters that say that something is wrong with what others send: what it means, and what to do.
const COUNTERS: [(&str, &str, &str); 3] = [
    (
        "badauth",
        "have another digest: a host of the group has another password or other addresses",
        "ucarp --show-config   # on each host",
    ),
    (
        "badttl",
        "came with a TTL below 255: through a router, or from something that is no CARP",
        "tcpdump -ni INTERFACE ip proto 112",
    ),
    ("badver", "are of another version: something speaks VRRP here", "tcpdump -ni INTERFACE ip proto 112"),
];

/// Looks at the daemon. Returns its virtual hosts, if it can be asked.
pub(super) fn examine(
    context: &Context,
    system: &System,
    file: Option<&Path>,
    findings: &mut Vec<Finding>,
) -> Vec<VirtualHost> {
    let (daemon, hosts, events) = match ask(context) {
        Ok(answer) => answer,
        Err(error) => {
            let text = format!("it cannot be asked: {error}");
            let finding = Finding::new(Level::Warning, "daemon", text);
            findings.push(finding.mended_by(LOOK_AT_DAEMON));
            configuration(system, file, findings);
            return Vec::new();
        }
    };
    let text = format!("version {} runs, virtual hosts: {}", daemon.version, hosts.len());
    findings.push(Finding::new(Level::Fine, "daemon", text));
    let own = env!("CARGO_PKG_VERSION");
    if daemon.version != own {
        let text = format!("version {} runs, and this is ucarpctl of {own}", daemon.version);
        findings.push(Finding::new(Level::Note, "daemon", text).mended_by(RESTART_DAEMON));
    }
    let used = daemon.configuration_file.as_deref().map(Path::new);
    if file.or(used).is_some() {
        configuration(system, file.or(used), findings);
    }
    for host in &hosts {
        virtual_host(host, &events, findings);
    }
    hosts
}

fn ask(context: &Context) -> Result<(Daemon, Vec<VirtualHost>, Vec<Event>), Error> {
    let mut client = context.connect()?;
    let daemon = client.call(&GetDaemon {})?.daemon;
    let hosts = virtual_hosts(&mut client, None)?;
    let call = GetEvents { most: Some(LAST_EVENTS), ..GetEvents::default() };
    let events = client.call_more(&call)?.filter_map(|reply| reply.map(|reply| reply.event).transpose());
    let events = events.collect::<Result<_, _>>()?;
    Ok((daemon, hosts, events))
}

/// The daemon's own check of its file.
fn configuration(system: &System, file: Option<&Path>, findings: &mut Vec<Finding>) {
    let program = sibling::find("ucarp");
    let mut arguments = vec![OsStr::new("--check")];
    if let Some(file) = file {
        arguments.extend([OsStr::new("-c"), file.as_os_str()]);
    }
    match system.run(&program.to_string_lossy(), &arguments) {
        Answer::Said(_) => findings.push(Finding::new(Level::Fine, "configuration", "the daemon would start with it")),
        Answer::Failed(said) => {
            let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given").to_owned();
            let mend =
                file.map_or_else(|| "ucarpctl check".to_owned(), |file| format!("ucarpctl check {}", file.display()));
            findings.push(Finding::new(Level::Error, "configuration", first).mended_by(mend));
        }
        Answer::NotThere => {
            let text = "not checked: the program ucarp is neither beside ucarpctl nor in the PATH";
            findings.push(Finding::new(Level::Note, "configuration", text).mended_by("command -v ucarp"));
        }
    }
}

fn virtual_host(host: &VirtualHost, events: &[Event], findings: &mut Vec<Finding>) {
    let before = findings.len();
    let name = &host.name;
    // One that is held is as its operator wants it, and told of below.
    if host.state == State::Fault && !host.held {
        let text = format!("it is FAULT: {}", host.reason);
        findings.push(Finding::new(Level::Error, name, text).mended_by(format!("ucarpctl explain {name}")));
    }
    for concern in concerns::of(host) {
        findings.push(Finding::new(Level::Warning, name, concern.text).mended_by(concern.mend));
    }
    for peer in host.peers.iter().filter(|peer| (peer.advbase, peer.advskew) == (host.advbase, host.advskew)) {
        let text = format!(
            "{} has the same rank (advbase {}, advskew {}): only their addresses tell them apart",
            peer.address, host.advbase, host.advskew
        );
        let mend = "ucarpctl reload   # after giving one of them another advskew";
        findings.push(Finding::new(Level::Warning, name, text).mended_by(mend));
    }
    for (counter, meaning, mend) in COUNTERS {
        let count = host.counters.get(counter).copied().unwrap_or(0);
        if count > 0 {
            let text = format!("{count} of the packets that came {meaning}");
            let mend = mend.replace("INTERFACE", &host.interface);
            findings.push(Finding::new(Level::Warning, name, text).mended_by(mend));
        }
    }
    let mut notices: Vec<&str> = events
        .iter()
        .rev()
        .filter(|event| {
            event.kind == "notice" && event.virtual_host.as_ref() == Some(name) && event.vhid == Some(host.vhid)
        })
        .map(|event| event.message.as_str())
        .collect();
    notices.dedup();
    for notice in notices.into_iter().take(MOST_NOTICES) {
        findings.push(Finding::new(Level::Note, name, format!("the daemon said: {notice}")));
    }
    if findings.len() == before {
        findings.push(Finding::new(Level::Fine, name, format!("{}, and nothing to complain of", host.state)));
    }
}

#[cfg(test)]
mod tests;
