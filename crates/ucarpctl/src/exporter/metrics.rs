//! The state of the daemon as metrics. Their names are an interface: dashboards and alerts are built on them.

pub(super) mod text;

use ucarp_control::types::{CheckState, State, VirtualHost};

use super::model::Status;
use text::{Format, Kind, Text};

/// All metrics of a daemon, and of this process.
pub(super) fn render(status: &Status, format: Format) -> String {
    let mut text = Text::new(format);
    let up = f64::from(u8::from(status.up));
    text.family("ucarp_up", Kind::Gauge, "Whether the daemon answered.").sample(&[], up);
    let own = ("version", env!("CARGO_PKG_VERSION"));
    text.family("ucarp_exporter_info", Kind::Gauge, "This exporter.").sample(&[own], 1.0);
    if let Some(daemon) = &status.daemon {
        let labels = [("version", &*daemon.version), ("host_name", &*daemon.host_name)];
        text.family("ucarp_daemon_info", Kind::Gauge, "The daemon.").sample(&labels, 1.0);
        text.family("ucarp_start_time_seconds", Kind::Gauge, "When the daemon began to serve, since 1970.")
            .sample(&[], seconds(daemon.started_at));
        text.family("ucarp_virtual_hosts", Kind::Gauge, "How many virtual hosts there are.")
            .sample(&[], f64::from(daemon.virtual_hosts));
    }
    let hosts: Vec<Labelled<'_>> = status.virtual_hosts.iter().map(Labelled::new).collect();
    states(&mut text, &hosts);
    elections(&mut text, &hosts);
    addresses(&mut text, &hosts);
    peers(&mut text, &hosts);
    checks(&mut text, &hosts);
    scripts(&mut text, &hosts);
    packets(&mut text, &hosts);
    text.finish()
}

/// A virtual host with the labels that all of its samples have.
struct Labelled<'a> {
    host: &'a VirtualHost,
    vhid: String,
}

impl<'a> Labelled<'a> {
    fn new(host: &'a VirtualHost) -> Self {
        Labelled { host, vhid: host.vhid.to_string() }
    }

    fn labels<'b>(&'b self, more: &[(&'b str, &'b str)]) -> Vec<(&'b str, &'b str)> {
        let host = self.host;
        let mut labels = vec![("virtual_host", &*host.name), ("interface", &*host.interface), ("vhid", &*self.vhid)];
        labels.extend_from_slice(more);
        labels
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 and counters are far below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}

fn seconds(milliseconds: u64) -> f64 {
    number(milliseconds) / 1000.0
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A family with one sample for each virtual host.
fn each(text: &mut Text, hosts: &[Labelled<'_>], name: &str, help: &str, value: impl Fn(&VirtualHost) -> f64) {
    let mut family = text.family(name, Kind::Gauge, help);
    for host in hosts {
        family.sample(&host.labels(&[]), value(host.host));
    }
}

fn states(text: &mut Text, hosts: &[Labelled<'_>]) {
    let help = "1 for the state that the virtual host is in, 0 for the others.";
    let mut family = text.family("ucarp_state", Kind::Gauge, help);
    for host in hosts {
        for state in [State::Master, State::Backup, State::Init, State::Fault] {
            let name = state.to_string();
            family.sample(&host.labels(&[("state", &name)]), flag(host.host.state == state));
        }
    }
    each(text, hosts, "ucarp_state_timestamp_seconds", "When the state changed last, since 1970.", |host| {
        seconds(host.since_at)
    });
    let mut family =
        text.family("ucarp_transitions", Kind::Counter, "Changes of state since the daemon began to serve.");
    for host in hosts {
        family.sample(&host.labels(&[]), number(host.host.transitions));
    }
    each(text, hosts, "ucarp_held", "Whether an operator holds the virtual host out of service.", |host| {
        flag(host.held)
    });
}

fn elections(text: &mut Text, hosts: &[Labelled<'_>]) {
    each(text, hosts, "ucarp_advbase_seconds", "Seconds between advertisements, as configured.", |host| {
        f64::from(host.advbase)
    });
    each(text, hosts, "ucarp_advskew", "What is added to advbase, in 1/256 seconds, as configured.", |host| {
        f64::from(host.advskew)
    });
    each(text, hosts, "ucarp_advertised_skew", "The advskew that is advertised, demotion included.", |host| {
        f64::from(host.advertised_skew)
    });
    let mut family = text.family("ucarp_demotion", Kind::Gauge, "What raises the advertised skew, by cause.");
    for host in hosts {
        for cause in &host.host.demotion {
            family.sample(&host.labels(&[("cause", &cause.name)]), f64::from(cause.demotion));
        }
    }
    each(text, hosts, "ucarp_dead_time_seconds", "How long a master may be silent before it is replaced.", |host| {
        seconds(host.timers.dead_time)
    });
    each(text, hosts, "ucarp_advertisement_interval_seconds", "Time between two advertisements of a master.", |host| {
        seconds(host.timers.advertisement_interval)
    });
}

fn addresses(text: &mut Text, hosts: &[Labelled<'_>]) {
    let mut family = text.family(
        "ucarp_address_held",
        Kind::Gauge,
        "Whether the virtual address is on this host. Unknown of scripts.",
    );
    for host in hosts {
        for address in &host.host.addresses {
            let Some(held) = address.held else { continue };
            family.sample(&host.labels(&[("address", &address.address)]), flag(held));
        }
    }
    let help = "How often somebody else removed the virtual address.";
    let mut family = text.family("ucarp_address_removals", Kind::Counter, help);
    for host in hosts {
        for address in host.host.addresses.iter().filter(|address| address.held.is_some()) {
            family.sample(&host.labels(&[("address", &address.address)]), number(address.removed_by_others));
        }
    }
}

fn peers(text: &mut Text, hosts: &[Labelled<'_>]) {
    each(text, hosts, "ucarp_peers", "How many others were heard.", |host| number(host.peers.len() as u64));
    each(text, hosts, "ucarp_peer_masters", "How many others are heard as master.", |host| {
        number(host.peers.iter().filter(|peer| peer.is_master).count() as u64)
    });
    let mut family = text.family("ucarp_peer_silence_seconds", Kind::Gauge, "Time since an advertiser was heard.");
    for host in hosts {
        for peer in &host.host.peers {
            family.sample(&host.labels(&[("peer", &peer.address)]), seconds(peer.heard_ago));
        }
    }
}

fn checks(text: &mut Text, hosts: &[Labelled<'_>]) {
    let help = "1 for what the check says, 0 for the rest.";
    let mut family = text.family("ucarp_check_state", Kind::Gauge, help);
    for host in hosts {
        for check in &host.host.checks {
            for state in [CheckState::Up, CheckState::Down, CheckState::Unknown] {
                let labels = [("check", &*check.name), ("kind", &*check.kind), ("state", &*state.to_string())];
                family.sample(&host.labels(&labels), flag(check.state == state));
            }
        }
    }
    let mut family =
        text.family("ucarp_check_duration_seconds", Kind::Gauge, "How long the check took when it ran last.");
    for host in hosts {
        for check in &host.host.checks {
            let Some(took) = check.took else { continue };
            family.sample(&host.labels(&[("check", &check.name), ("kind", &check.kind)]), seconds(took));
        }
    }
}

fn scripts(text: &mut Text, hosts: &[Labelled<'_>]) {
    let scripts: Vec<_> =
        hosts.iter().filter_map(|host| host.host.script.as_ref().map(|script| (host, script))).collect();
    let mut family = text.family("ucarp_script_running", Kind::Gauge, "Whether a script of the virtual host runs.");
    for (host, script) in &scripts {
        family.sample(&host.labels(&[("action", &script.action)]), flag(script.outcome.is_none()));
    }
    let mut family = text.family("ucarp_script_duration_seconds", Kind::Gauge, "How long the last script took.");
    for (host, script) in &scripts {
        let Some(took) = script.took else { continue };
        family.sample(&host.labels(&[("action", &script.action)]), seconds(took));
    }
}

fn packets(text: &mut Text, hosts: &[Labelled<'_>]) {
    let help = "What the daemon counts, by the names of its counters: ipackets, opackets, badauth, ...";
    let mut family = text.family("ucarp_packets", Kind::Counter, help);
    for host in hosts {
        for (counter, count) in &host.host.counters {
            family.sample(&host.labels(&[("counter", counter)]), number(*count));
        }
    }
}

#[cfg(test)]
mod tests;
