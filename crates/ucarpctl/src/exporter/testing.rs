//! What tests are made of: a virtual host, an event, a host that was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ucarp_control::types::{Address, Daemon, Event, State, Timers, VirtualHost};

use super::model::{Host, Past, Seen, Status};

/// A daemon on a host of this name.
pub(super) fn daemon(host_name: &str) -> Daemon {
    Daemon {
        version: "0.1.0".into(),
        pid: 100,
        engine_pid: 101,
        started_at: 1_000_000,
        now: 2_000_000,
        configuration_file: None,
        virtual_hosts: 1,
        host_name: host_name.into(),
    }
}

/// A virtual host `web` with vhid 1 that has been what it is for ten minutes.
pub(super) fn virtual_host(state: State) -> VirtualHost {
    VirtualHost {
        name: "web".into(),
        vhid: 1,
        interface: "eth0".into(),
        group: None,
        state,
        since: 600_000,
        since_at: 1_400_000,
        reason: "no master was heard for 3.000s".into(),
        cause: "no-master-heard".into(),
        transitions: 3,
        addresses: vec![Address {
            address: "10.0.0.100/24".into(),
            held: Some(state == State::Master),
            removed_by_others: 2,
        }],
        native: true,
        advbase: 1,
        advskew: 100,
        advertised_skew: 100,
        dead_ratio: 3,
        preempt: false,
        transport: "multicast".into(),
        authentication: "observe".into(),
        mac: "interface".into(),
        demotion: Vec::new(),
        held: false,
        timers: Timers {
            next_advertisement: (state == State::Master).then_some(700),
            takeover: (state == State::Backup).then_some(2_900),
            dead_time: 3_391,
            advertisement_interval: 1_391,
        },
        master: (state == State::Backup).then(|| "10.0.0.1".into()),
        peers: Vec::new(),
        checks: Vec::new(),
        script: None,
        conflict: None,
        counters: BTreeMap::new(),
    }
}

/// A daemon that answers.
pub(super) fn status(host_name: &str, virtual_hosts: Vec<VirtualHost>) -> Status {
    Status { up: true, error: None, daemon: Some(daemon(host_name)), virtual_hosts }
}

/// A host whose daemon answered so many milliseconds before `now`.
pub(super) fn host(name: &str, virtual_hosts: Vec<VirtualHost>, age: u64, now: Instant) -> Host {
    let at = now.checked_sub(Duration::from_millis(age)).expect("the machine has been running for longer");
    let seen = Seen::new(status(name, virtual_hosts), at);
    let url = (name != "alpha").then(|| format!("http://{name}:10112/"));
    Host { name: name.into(), url, seen, problem: None, past: Arc::new(Past::default()) }
}

/// An event of `web` that is no change of state.
pub(super) fn event(number: u64) -> Event {
    Event {
        number,
        at: 0,
        virtual_host: Some("web".into()),
        vhid: Some(1),
        interface: Some("eth0".into()),
        kind: "notice".into(),
        from: None,
        to: None,
        cause: "notice".into(),
        message: "something happened".into(),
    }
}

/// A change of state of `web`.
pub(super) fn change(at: u64, from: State, to: State) -> Event {
    Event { at, kind: "transition".into(), from: Some(from), to: Some(to), message: "of a reason".into(), ..event(at) }
}
