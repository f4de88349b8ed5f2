//! A daemon that answers what it is told to: the framing of ucarp-control with made-up virtual hosts behind it.

#![allow(unreachable_pub, dead_code, reason = "unit and integration tests share this, and use different parts of it")]
#![allow(clippy::unwrap_used, reason = "this is for tests alone")]

use std::collections::BTreeMap;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use ucarp_control::Refusal;
use ucarp_control::framing::{LONGEST_REQUEST, Messages, Reply, Request};
use ucarp_control::types::{
    Address, Check, CheckState, Contribution, Daemon, Event, Explanation, Peer, Script, State, Timers, VirtualHost,
};

/// What the daemon has, and what it was asked to do.
#[derive(Debug)]
pub struct World {
    pub hosts: Vec<VirtualHost>,
    pub events: Vec<Event>,
    /// What a reload finds, and whether nothing changes because of that.
    pub problems: Vec<String>,
    pub is_wrong: bool,
    /// What every change is refused with.
    pub refusal: Option<Refusal>,
    /// The changes that were asked for, with their parameters.
    pub changes: Vec<(String, Value)>,
}

/// A daemon that runs until its process ends, or its socket is closed.
#[derive(Debug)]
pub struct Fake {
    directory: TempDir,
    pub world: Arc<Mutex<World>>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

impl Fake {
    /// A daemon with these virtual hosts.
    pub fn start(hosts: Vec<VirtualHost>) -> Self {
        let world = World {
            hosts,
            events: events(),
            problems: Vec::new(),
            is_wrong: false,
            refusal: None,
            changes: Vec::new(),
        };
        let directory = tempfile::tempdir().expect("a directory can be made");
        let fake = Fake { directory, world: Arc::new(Mutex::new(world)), connections: Arc::default() };
        fake.listen();
        fake
    }

    /// Begins to listen, for the first time or again.
    pub fn listen(&self) {
        let _ = std::fs::remove_file(self.socket());
        let listener = UnixListener::bind(self.socket()).expect("a socket can be bound");
        let (world, connections) = (Arc::clone(&self.world), Arc::clone(&self.connections));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.lock().unwrap().push(stream.try_clone().expect("there are descriptors"));
                let world = Arc::clone(&world);
                thread::spawn(move || serve(stream, &world));
            }
        });
    }

    /// Ends all connections and takes no more, as a daemon that is stopped.
    pub fn stop(&self) {
        std::fs::remove_file(self.socket()).expect("it listens");
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn serve(stream: UnixStream, world: &Mutex<World>) {
    let mut messages = Messages::new(stream, LONGEST_REQUEST);
    while let Ok(Some(request)) = messages.receive::<Request>() {
        // What happens from this moment on is for those who follow.
        let (replies, sent) = {
            let mut world = world.lock().unwrap();
            (answer(&request, &mut world), world.events.len())
        };
        for reply in replies {
            if messages.send(&reply).is_err() {
                return;
            }
        }
        if request.parameters.as_ref().is_some_and(|parameters| parameters["follow"] == json!(true)) {
            follow(&mut messages, world, sent);
            return;
        }
    }
}

/// Sends events that are added to those that there were, until the client goes.
fn follow(messages: &mut Messages<UnixStream>, world: &Mutex<World>, mut sent: usize) {
    // A test that fails leaves the thread behind for no longer than its process lives.
    loop {
        let new: Vec<Event> = world.lock().unwrap().events[sent..].to_vec();
        sent += new.len();
        for event in new {
            if messages.send(&reply(json!({ "event": event }), true)).is_err() {
                return;
            }
        }
        thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn reply(parameters: Value, continues: bool) -> Reply {
    Reply { parameters: Some(parameters), continues, error: None }
}

fn refuse(refusal: &Refusal) -> Reply {
    let value = serde_json::to_value(refusal).expect("a refusal is JSON");
    let error = value["error"].as_str().map(str::to_owned);
    Reply { parameters: Some(value["parameters"].clone()), continues: false, error }
}

fn answer(request: &Request, world: &mut World) -> Vec<Reply> {
    let parameters = request.parameters.clone().unwrap_or_else(|| json!({}));
    let name = parameters["virtual_host"].as_str().map(str::to_owned);
    let chosen: Vec<VirtualHost> = world.hosts.iter().filter(|host| is_meant(host, name.as_deref())).cloned().collect();
    if chosen.is_empty()
        && let Some(virtual_host) = name
    {
        let known = world.hosts.iter().map(|host| host.name.clone()).collect();
        return vec![refuse(&Refusal::NoSuchVirtualHost { virtual_host, known })];
    }
    let method = request.method.strip_prefix("io.ucarp.").unwrap_or_default();
    match method {
        "GetDaemon" => vec![reply(json!({ "daemon": daemon() }), false)],
        "GetVirtualHosts" => several("virtual_host", &chosen),
        "GetEvents" => {
            let after = parameters["after"].as_u64().unwrap_or(0);
            let events: Vec<&Event> = world.events.iter().filter(|event| event.number > after).collect();
            let most = parameters["most"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(1000);
            let last = &events[events.len().saturating_sub(most)..];
            if parameters["follow"] == json!(true) {
                return last.iter().map(|event| reply(json!({ "event": event }), true)).collect();
            }
            several("event", last)
        }
        "Explain" => vec![reply(json!({ "explanation": explanation(&chosen[0]) }), false)],
        "Reload" => vec![reply(json!({ "applied": !world.is_wrong, "problems": world.problems }), false)],
        change => {
            if let Some(refusal) = &world.refusal {
                return vec![refuse(refusal)];
            }
            world.changes.push((change.to_owned(), parameters));
            vec![reply(json!({}), false)]
        }
    }
}

/// One reply for each, or an empty one.
fn several<T: serde::Serialize>(name: &str, values: &[T]) -> Vec<Reply> {
    if values.is_empty() {
        return vec![reply(json!({ name: null }), false)];
    }
    let last = values.len() - 1;
    values.iter().enumerate().map(|(at, value)| reply(json!({ name: value }), at < last)).collect()
}

fn is_meant(host: &VirtualHost, name: Option<&str>) -> bool {
    name.is_none_or(|name| {
        name == host.name || name == host.vhid.to_string() || name == format!("{}/{}", host.interface, host.vhid)
    })
}

/// Writes a script that can be run at once. A shell writes it: a descriptor of ours could be inherited by a program that
/// another thread is about to start, and a file that somebody writes cannot be run.
pub fn write_script(path: &Path, body: &str) {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).arg(body);
    assert!(shell.status().expect("there is a shell").success());
}

pub fn daemon() -> Daemon {
    Daemon {
        version: "0.1.0".into(),
        pid: 100,
        engine_pid: 101,
        started_at: 1_700_000_000_000,
        now: 1_700_000_100_000,
        configuration_file: Some("/etc/ucarp/ucarp.toml".into()),
        virtual_hosts: 3,
        host_name: "alpha".into(),
    }
}

/// Alone for 90 seconds, since the other host handed over.
pub fn master() -> VirtualHost {
    VirtualHost {
        name: "web".into(),
        vhid: 1,
        interface: "eth0".into(),
        group: None,
        state: State::Master,
        since: 90_500,
        since_at: 1_700_000_010_000,
        reason: "10.0.0.3 said goodbye".into(),
        cause: "goodbye".into(),
        transitions: 2,
        addresses: vec![
            Address { address: "10.0.0.100/24".into(), held: Some(true), removed_by_others: 0 },
            Address { address: "2001:db8::100/64".into(), held: Some(true), removed_by_others: 0 },
        ],
        native: true,
        advbase: 1,
        advskew: 0,
        advertised_skew: 0,
        dead_ratio: 3,
        preempt: true,
        transport: "multicast".into(),
        authentication: "classic".into(),
        mac: "interface".into(),
        demotion: Vec::new(),
        held: false,
        timers: Timers { next_advertisement: Some(420), takeover: None, dead_time: 3000, advertisement_interval: 1000 },
        master: None,
        peers: vec![Peer {
            address: "10.0.0.3".into(),
            mac: Some("02:00:00:00:00:03".into()),
            advbase: 1,
            advskew: 100,
            demotion: 0,
            heard_ago: 90_500,
            advertisements: 1234,
            is_master: false,
            stamped: true,
        }],
        checks: Vec::new(),
        script: None,
        conflict: None,
        counters: BTreeMap::from([("ipackets".into(), 1234), ("opackets".into(), 91), ("badauth".into(), 0)]),
    }
}

/// Listens to 10.0.0.2.
pub fn backup() -> VirtualHost {
    let mut host = VirtualHost {
        name: "mail".into(),
        vhid: 2,
        state: State::Backup,
        since: 4_000_000,
        reason: "10.0.0.2 (advbase 1 advskew 0) was heard".into(),
        cause: "better-master".into(),
        addresses: vec![Address { address: "10.0.0.101/24".into(), held: None, removed_by_others: 0 }],
        native: false,
        advskew: 100,
        advertised_skew: 100,
        preempt: false,
        timers: Timers {
            next_advertisement: None,
            takeover: Some(2390),
            dead_time: 3391,
            advertisement_interval: 1391,
        },
        master: Some("10.0.0.2".into()),
        script: Some(Script {
            action: "down".into(),
            started_ago: 4_000_000,
            took: Some(120),
            outcome: Some("exit status 0".into()),
        }),
        ..master()
    };
    host.peers[0] = Peer {
        address: "10.0.0.2".into(),
        mac: Some("02:00:00:00:00:02".into()),
        advskew: 0,
        heard_ago: 610,
        is_master: true,
        stamped: false,
        ..host.peers[0].clone()
    };
    host
}

/// Out of service, for two reasons.
pub fn held() -> VirtualHost {
    VirtualHost {
        name: "db".into(),
        vhid: 3,
        interface: "eth1".into(),
        state: State::Fault,
        since: 7000,
        reason: "held by the operator".into(),
        cause: "held".into(),
        addresses: vec![Address { address: "10.1.0.100/24".into(), held: Some(false), removed_by_others: 0 }],
        held: true,
        advertised_skew: 100,
        demotion: vec![Contribution { name: "gateway".into(), demotion: 100 }],
        checks: vec![Check {
            name: "gateway".into(),
            kind: "ping".into(),
            state: CheckState::Down,
            since: 5000,
            ran_ago: Some(400),
            took: Some(1000),
            result: "no answer".into(),
            effect: "demotes by 100".into(),
        }],
        timers: Timers { next_advertisement: None, takeover: None, dead_time: 3000, advertisement_interval: 1390 },
        ..backup()
    }
}

pub fn event(number: u64, to: Option<State>, message: &str) -> Event {
    Event {
        number,
        at: 1_700_000_000_000 + number * 1000,
        virtual_host: Some("web".into()),
        vhid: Some(1),
        interface: Some("eth0".into()),
        kind: if to.is_some() { "transition" } else { "notice" }.into(),
        from: to.map(|_| State::Backup),
        to,
        cause: "master-timed-out".into(),
        message: message.into(),
    }
}

pub fn events() -> Vec<Event> {
    let mut first = event(1, None, "started");
    (first.virtual_host, first.vhid, first.interface, first.kind) = (None, None, None, "daemon".into());
    vec![
        first,
        event(2, None, "bad digest from 10.0.0.66"),
        event(3, Some(State::Master), "no master was heard for 3.000s"),
    ]
}

fn explanation(host: &VirtualHost) -> Explanation {
    Explanation {
        virtual_host: host.name.clone(),
        state: host.state,
        summary: format!("{} is {}, for 4 s: {}", host.name, host.state, host.reason),
        evidence: vec!["own interval 1.391s".into(), "interval of 10.0.0.2 1.000s".into()],
        to_become_master: vec!["10.0.0.2 is silent for 3.391s: in 2.390s at the earliest".into()],
        to_become_backup: Vec::new(),
        warnings: vec!["10.0.0.66 uses another password".into()],
    }
}
