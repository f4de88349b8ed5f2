//! All that is known of one virtual host.

use std::io::{self, Write};

use ucarp_control::types::{Address, Check, CheckState, Peer, Script, State, VirtualHost};

use super::master;
use crate::concerns;
use crate::look::{Look, Tone, clean, lasting, seconds};

/// Where the values begin.
const INDENT: usize = 16;

/// Writes a virtual host, a line for each thing.
pub(super) fn write(out: &mut dyn Write, look: &Look, host: &VirtualHost) -> io::Result<()> {
    let title = format!("{} (vhid {} on {})", host.name, host.vhid, host.interface);
    writeln!(out, "{}", look.paint(Tone::Strong, &clean(&title)))?;
    let mut lines = Lines { out, look };
    let state = look.paint(Tone::of(host.state), &host.state.to_string());
    let (since, at) = (lasting(host.since), look.time(host.since_at));
    lines.painted("state", &format!("{state} for {since}, since {at}, changes: {}", host.transitions))?;
    lines.plain("because", &host.reason)?;
    lines.plain("master", master(host))?;
    lines.list("addresses", host.addresses.iter().map(address))?;
    lines.plain("rank", &rank(host))?;
    if let Some(group) = &host.group {
        lines.plain("group", group)?;
    }
    lines.plain("timers", &timers(host))?;
    let VirtualHost { transport, authentication, mac, .. } = host;
    let mac = if mac == "virtual" { "virtual MAC" } else { "MAC of the interface" };
    lines.plain("network", &format!("{transport}, authentication {authentication}, {mac}"))?;
    lines.list("peers", host.peers.iter().map(peer))?;
    for entry in &host.checks {
        let tone = if entry.state == CheckState::Down { Tone::Bad } else { Tone::Good };
        lines.toned("check", &check(entry), (entry.state != CheckState::Unknown).then_some(tone))?;
    }
    if let Some(entry) = &host.script {
        lines.plain("script", &script(entry))?;
    }
    let counters: Vec<String> =
        host.counters.iter().filter(|(_, value)| **value > 0).map(|(name, value)| format!("{name} {value}")).collect();
    lines.plain("counters", &counters.join(", "))?;
    for concern in concerns::of(host) {
        lines.toned("notice", &concern.text, Some(Tone::Careful))?;
    }
    Ok(())
}

/// Writes names and values.
struct Lines<'a> {
    out: &'a mut dyn Write,
    look: &'a Look,
}

impl Lines<'_> {
    /// A value that has its colours already.
    fn painted(&mut self, name: &str, value: &str) -> io::Result<()> {
        let indent = INDENT - 2;
        writeln!(self.out, "  {}{value}", self.look.paint(Tone::Faint, &format!("{name:<indent$}")))
    }

    fn toned(&mut self, name: &str, value: &str, tone: Option<Tone>) -> io::Result<()> {
        let value = clean(value);
        match tone {
            Some(tone) => self.painted(name, &self.look.paint(tone, &value)),
            None => self.painted(name, &value),
        }
    }

    fn plain(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.toned(name, value, None)
    }

    /// A line for each value, the first one with the name.
    fn list(&mut self, name: &str, values: impl Iterator<Item = String>) -> io::Result<()> {
        let mut name = name;
        for value in values {
            self.plain(name, &value)?;
            name = "";
        }
        Ok(())
    }
}

fn address(address: &Address) -> String {
    let state = match address.held {
        Some(true) => "here",
        Some(false) => "not here",
        None => "held by scripts",
    };
    format!("{} ({state})", address.address)
}

fn rank(host: &VirtualHost) -> String {
    let VirtualHost { advbase, advskew, advertised_skew, .. } = host;
    let preempt = if host.preempt { "takes over from a slower master" } else { "leaves a slower master alone" };
    let mut rank = format!("advbase {advbase}, advskew {advskew}");
    if advertised_skew != advskew {
        rank.push_str(&format!(", advertised as {advertised_skew}"));
    }
    format!("{rank}; {preempt}")
}

fn timers(host: &VirtualHost) -> String {
    let timers = &host.timers;
    let next = match host.state {
        State::Master => timers.next_advertisement.map(|left| format!("next advertisement in {}; ", seconds(left))),
        _ => timers.takeover.map(|left| format!("takes over in {} unless a master is heard; ", seconds(left))),
    };
    let (interval, dead) = (seconds(timers.advertisement_interval), seconds(timers.dead_time));
    format!("{}interval {interval}, dead time {dead}, dead ratio {}", next.unwrap_or_default(), host.dead_ratio)
}

fn peer(peer: &Peer) -> String {
    let role = if peer.is_master { "MASTER" } else { "not MASTER" };
    let Peer { address, advbase, advskew, advertisements, .. } = peer;
    let heard = lasting(peer.heard_ago);
    format!("{address} {role}, rank {advbase}/{advskew}, heard {heard} ago, advertisements: {advertisements}")
}

fn check(check: &Check) -> String {
    let Check { name, kind, state, result, effect, .. } = check;
    let since = lasting(check.since);
    format!("{name} ({kind}) {state} for {since}: {result}; {effect}")
}

fn script(script: &Script) -> String {
    let Script { action, .. } = script;
    let started = lasting(script.started_ago);
    match (&script.outcome, script.took) {
        (Some(outcome), Some(took)) => format!("{action}, {started} ago: {outcome} after {}", seconds(took)),
        (Some(outcome), None) => format!("{action}, {started} ago: {outcome}"),
        (None, _) => format!("{action} runs for {started}"),
    }
}
