//! A stand-in for the daemon: a control socket that tells what the test wants.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::{fs, thread};

use serde::Serialize;
use tempfile::TempDir;
use ucarp_control::calls::{GetDaemonReply, GetEventsReply, GetVirtualHostsReply};
use ucarp_control::framing::{self, LONGEST_REQUEST, Messages, Request};
use ucarp_control::types::{self, Address, Event, Peer, State, Timers, VirtualHost};

use crate::HANG;

/// A daemon that can be told what to tell.
pub(crate) struct Daemon {
    directory: TempDir,
    world: Arc<(Mutex<World>, Condvar)>,
}

struct World {
    host_name: String,
    virtual_hosts: Vec<VirtualHost>,
    events: Vec<Event>,
    /// Connections of a daemon that has ended are closed.
    running: bool,
    connections: Vec<UnixStream>,
}

impl Daemon {
    /// Starts one with these virtual hosts.
    pub(crate) fn start(host_name: &str, virtual_hosts: Vec<VirtualHost>) -> Daemon {
        let (host_name, events) = (host_name.to_owned(), Vec::new());
        let world = World { host_name, virtual_hosts, events, running: false, connections: Vec::new() };
        let daemon =
            Daemon { directory: tempfile::tempdir().unwrap(), world: Arc::new((Mutex::new(world), Condvar::new())) };
        daemon.run();
        daemon
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// Begins to listen.
    pub(crate) fn run(&self) {
        self.world.0.lock().unwrap().running = true;
        let listener = UnixListener::bind(self.socket()).unwrap();
        let world = Arc::clone(&self.world);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                {
                    let mut known = world.0.lock().unwrap();
                    if !known.running {
                        return;
                    }
                    known.connections.push(stream.try_clone().unwrap());
                }
                let world = Arc::clone(&world);
                thread::spawn(move || serve(stream, &world));
            }
        });
    }

    /// Ends as a killed daemon does, with its socket file left behind.
    pub(crate) fn end(&self) {
        let mut world = self.world.0.lock().unwrap();
        world.running = false;
        for connection in world.connections.drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
        drop(world);
        self.world.1.notify_all();
        // The listener sees that it is over, and is gone with its thread.
        let _ = UnixStream::connect(self.socket());
        fs::remove_file(self.socket()).unwrap();
    }

    /// Changes the first virtual host's state, and tells so.
    pub(crate) fn change(&self, to: State, reason: &str) {
        let mut world = self.world.0.lock().unwrap();
        let number = world.events.len() as u64 + 1;
        let host = &mut world.virtual_hosts[0];
        let from = std::mem::replace(&mut host.state, to);
        (host.since, host.since_at, host.reason, host.transitions) =
            (0, now(), reason.to_owned(), host.transitions + 1);
        let event = Event {
            number,
            at: now(),
            virtual_host: Some(host.name.clone()),
            vhid: Some(host.vhid),
            interface: Some(host.interface.clone()),
            kind: "transition".into(),
            from: Some(from),
            to: Some(to),
            cause: "test".into(),
            message: reason.to_owned(),
        };
        world.events.push(event);
        drop(world);
        self.world.1.notify_all();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.world.0.lock().unwrap().running {
            self.end();
        }
    }
}

/// The wall clock, in milliseconds.
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

fn serve(stream: UnixStream, world: &(Mutex<World>, Condvar)) -> Option<()> {
    let mut messages = Messages::new(stream, LONGEST_REQUEST);
    while let Some(request) = messages.receive::<Request>().ok()? {
        match request.method.rsplit('.').next().unwrap() {
            "GetDaemon" => send(&mut messages, &GetDaemonReply { daemon: described(&world.0.lock().unwrap()) }, false)?,
            "GetVirtualHosts" => {
                let mut hosts = world.0.lock().unwrap().virtual_hosts.clone();
                for host in &mut hosts {
                    host.since = now() - host.since_at;
                }
                let last = hosts.len() - 1;
                for (index, host) in hosts.into_iter().enumerate() {
                    send(&mut messages, &GetVirtualHostsReply { virtual_host: Some(host) }, index < last)?;
                }
            }
            "GetEvents" => follow(&mut messages, world)?,
            other => panic!("nobody should ask for {other}"),
        }
    }
    Some(())
}

fn follow(messages: &mut Messages<UnixStream>, (world, changed): &(Mutex<World>, Condvar)) -> Option<()> {
    let mut told = 0;
    loop {
        let events = {
            let new = |world: &mut World| world.running && world.events.len() == told;
            let (world, _) = changed.wait_timeout_while(world.lock().unwrap(), HANG, new).unwrap();
            if !world.running {
                return None;
            }
            world.events[told..].to_vec()
        };
        told += events.len();
        for event in events {
            send(messages, &GetEventsReply { event: Some(event) }, true)?;
        }
    }
}

fn send(messages: &mut Messages<UnixStream>, reply: &impl Serialize, continues: bool) -> Option<()> {
    messages.send_bytes(&framing::reply(reply, continues).unwrap()).ok()
}

fn described(world: &World) -> types::Daemon {
    types::Daemon {
        version: "0.1.0".into(),
        pid: 100,
        engine_pid: 101,
        started_at: now() - 7_500_000,
        now: now(),
        configuration_file: Some("/etc/ucarp/ucarp.toml".into()),
        virtual_hosts: world.virtual_hosts.len().try_into().unwrap(),
        host_name: world.host_name.clone(),
    }
}

/// A virtual host that has been what it is for two hours.
pub(crate) fn virtual_host(name: &str, vhid: u8, state: State) -> VirtualHost {
    let since = 7_200_000;
    VirtualHost {
        name: name.into(),
        vhid,
        interface: "eth0".into(),
        group: None,
        state,
        since,
        since_at: now() - since,
        reason: "10.0.0.1 (advbase 1 advskew 0) is faster".into(),
        cause: "better-master".into(),
        transitions: 1,
        addresses: vec![
            Address { address: format!("10.0.0.{vhid}/24"), held: Some(state == State::Master), removed_by_others: 0 },
            Address {
                address: format!("2001:db8::{vhid}/64"),
                held: Some(state == State::Master),
                removed_by_others: 0,
            },
        ],
        native: true,
        advbase: 1,
        advskew: 100,
        advertised_skew: 100,
        dead_ratio: 3,
        preempt: false,
        transport: "multicast".into(),
        authentication: "observe".into(),
        mac: "virtual".into(),
        demotion: Vec::new(),
        held: false,
        timers: Timers {
            next_advertisement: (state == State::Master).then_some(600),
            takeover: (state == State::Backup).then_some(2_700),
            dead_time: 3_391,
            advertisement_interval: 1_391,
        },
        master: (state == State::Backup).then(|| "10.0.0.1".into()),
        peers: vec![Peer {
            address: "10.0.0.201".into(),
            mac: Some(format!("00:00:5e:00:01:{vhid:02x}")),
            advbase: 1,
            advskew: 0,
            demotion: 0,
            heard_ago: 340,
            advertisements: 7_211,
            is_master: state == State::Backup,
            stamped: true,
        }],
        checks: Vec::new(),
        script: None,
        conflict: None,
        counters: [("ipackets".to_owned(), 7_211), ("opackets".to_owned(), 3)].into(),
    }
}

/// Where the workspace is.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
