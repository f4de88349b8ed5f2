//! The control socket, with real daemons.

mod hammer;
mod story;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use netlab::{Signal, now, wait_until};
use rustix::fs::Uid;
use ucarp_control::calls::{
    Announce, Call, Demote, Explain, GetConfiguration, GetDaemon, GetEvents, GetVirtualHosts, HandOver, Hold, Promote,
    Release, Reload, SetLogLevel, Silence,
};
use ucarp_control::types::{Event, State, VirtualHost};
use ucarp_control::{Client, Error, Refusal};

use crate::harness::{EAGER, Node, SOON, Segment, between, ip, web};

const VIP: &str = "10.0.0.100";

/// What is known of the virtual host `web`.
#[track_caller]
fn status(node: &Node) -> VirtualHost {
    let call = GetVirtualHosts { virtual_host: Some("web".into()) };
    let reply = node.client().call(&call).unwrap_or_else(|error| panic!("{error}; it said:\n{}", node.said()));
    reply.virtual_host.expect("there is one")
}

#[track_caller]
fn wait_for_state(node: &Node, state: State) -> VirtualHost {
    let mut last = None;
    let reached = wait_until(SOON, || {
        last = Some(status(node));
        last.as_ref().is_some_and(|last| last.state == state)
    });
    assert!(reached, "not {state}: {last:?}");
    last.expect("it was asked")
}

#[track_caller]
fn told<C: Call>(node: &Node, call: &C) -> C::Reply {
    node.client().call(call).unwrap_or_else(|error| panic!("{error}; it said:\n{}", node.said()))
}

/// Everything that has happened so far.
fn history(node: &Node) -> Vec<Event> {
    let mut client = node.client();
    let replies = client.call_more(&GetEvents::default()).expect("it can be asked");
    replies.filter_map(|reply| reply.expect("it answers").event).collect()
}

/// A MASTER and a BACKUP that has heard it.
fn group(segment: &Segment) -> (Node, Node) {
    let (mut master, mut backup) = segment.pair();
    master.start(&web(&[VIP], "lease = \"2s\""));
    master.wait_for(ip(VIP));
    backup.start(&web(&[VIP], "lease = \"2s\"\nadvskew = 100"));
    segment.wait_for_advertisement(&master.host, 1, now());
    let heard = wait_until(SOON, || !status(&backup).peers.is_empty());
    assert!(heard, "{}", backup.said());
    (master, backup)
}

#[test]
fn what_a_master_and_a_backup_are_is_told_with_its_reasons() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let held = wait_until(SOON, || status(&master).addresses[0].held == Some(true));
    assert!(held, "{:?}", status(&master));
    let web = status(&master);
    assert_eq!((web.name.as_str(), web.vhid, web.interface.as_str(), web.state), ("web", 1, "eth0", State::Master));
    assert_eq!((web.cause.as_str(), web.transitions), ("no-master-heard", 2), "{}", web.reason);
    assert_eq!((web.addresses[0].address.as_str(), web.native), ("10.0.0.100/32", true));
    assert!(web.timers.next_advertisement.is_some_and(|next| next <= 1000), "{:?}", web.timers);
    assert!(web.counters["opackets"] >= 1 && web.counters["badauth"] == 0, "{:?}", web.counters);
    assert_eq!((web.master, web.timers.takeover), (None, None));

    let web = status(&backup);
    assert_eq!((web.state, web.master.as_deref(), web.held), (State::Backup, Some("10.0.0.2"), false));
    assert!(web.timers.takeover.is_some_and(|takeover| takeover <= web.timers.dead_time), "{:?}", web.timers);
    assert_eq!((web.peers.len(), web.peers[0].is_master, web.peers[0].stamped), (1, true, true));
    assert!(web.counters["ipackets"] >= 1 && web.addresses[0].held == Some(false));

    let daemon = told(&backup, &GetDaemon {}).daemon;
    assert_eq!(daemon.pid, backup.process().pid());
    assert_eq!(vec![daemon.engine_pid], backup.process().children());
    assert_eq!(daemon.configuration_file.as_deref(), backup.path("ucarp.toml").to_str());

    // By vhid, and by interface and vhid, too.
    for name in ["1", "eth0/1"] {
        let explanation = told(&backup, &Explain { virtual_host: name.into() }).explanation;
        assert_eq!((explanation.virtual_host.as_str(), explanation.state), ("web", State::Backup));
        let all = format!("{explanation:?}");
        assert!(all.contains("10.0.0.2 stays silent for another") && all.contains("says goodbye"), "{all}");
    }
    let error = backup.client().call(&Explain { virtual_host: "eth1/1".into() }).unwrap_err();
    assert_eq!(error.to_string(), "there is no virtual host \"eth1/1\": there is web");
}

#[test]
fn a_failover_is_followed_as_it_happens() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let mut client = backup.client();
    let past = history(&backup);
    assert!(past.iter().any(|event| event.to == Some(State::Backup) && event.cause == "link-up"), "{past:?}");
    let last = past.last().expect("something has happened").number;
    let call = GetEvents { after: Some(last), follow: Some(true), ..GetEvents::default() };
    let mut events = client.call_more(&call).unwrap();
    let told_at = now();
    told(&master, &HandOver { virtual_host: Some("web".into()) });
    let event = events.next().unwrap().unwrap().event.expect("it goes on");
    println!("told of the failover {:?} after it was asked for", between(told_at, now()));
    assert_eq!((event.from, event.to), (Some(State::Backup), Some(State::Master)), "{event:?}");
    assert_eq!((event.cause.as_str(), event.virtual_host.as_deref()), ("master-said-goodbye", Some("web")));
    assert!(event.number > last);
    let left = history(&master);
    assert!(left.iter().any(|event| event.kind == "command" && event.cause == "hand-over"), "{left:?}");
    assert!(left.iter().any(|event| event.kind == "leaving" && event.cause == "handed-over"), "{left:?}");
}

#[test]
fn one_who_is_held_stays_out_through_a_reload_and_a_new_engine() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let asked = now();
    told(&master, &Hold { virtual_host: None });
    backup.wait_for(ip(VIP));
    let gap = between(asked, segment.wait_for_announcement(&backup.host, ip(VIP), asked));
    println!("the other host announces the address {gap:?} after it was asked for");
    let web = wait_for_state(&master, State::Fault);
    assert_eq!((web.held, web.cause.as_str()), (true, "held"));
    master.reload(&crate::harness::web(&[VIP], "lease = \"2s\"\nadvskew = 1"));
    assert!(status(&master).held && status(&master).state == State::Fault);
    let killed = now();
    master.process().signal_children(Signal::KILL);
    master.wait_for_line("The engine, process", killed);
    // The socket is the same, and the next engine answers.
    let web = wait_for_state(&master, State::Fault);
    assert_eq!((web.held, web.advskew), (true, 1));
    told(&master, &Release { virtual_host: Some("web".into()) });
    assert!(!wait_for_state(&master, State::Backup).held);
}

#[test]
fn a_demotion_is_advertised_and_taken_back() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    told(&master, &Demote { virtual_host: None, name: Some("backup job".into()), by: 50 });
    let demoted = wait_until(SOON, || status(&backup).peers.iter().any(|peer| peer.advskew == 50));
    assert!(demoted, "{:?}", status(&backup).peers);
    let web = status(&master);
    assert_eq!((web.advskew, web.advertised_skew), (0, 50));
    assert_eq!((web.demotion[0].name.as_str(), web.demotion[0].demotion), ("operator: backup job", 50));
    told(&master, &Promote { virtual_host: None, name: None });
    assert_eq!(status(&master).demotion, []);
    // One that is better than the master takes over when it is promoted.
    told(&master, &Demote { virtual_host: None, name: None, by: 200 });
    assert!(wait_until(SOON, || status(&backup).peers[0].advskew == 200));
    told(&backup, &Promote { virtual_host: Some("web".into()), name: None });
    assert_eq!(wait_for_state(&backup, State::Master).cause, "promoted");
}

#[test]
fn a_rehearsed_crash_is_one_for_the_others_and_ends() {
    let segment = Segment::new();
    let (master, backup) = group(&segment);
    let silent = now();
    told(&master, &Silence { virtual_host: "web".into(), milliseconds: 6000 });
    master.wait_without(ip(VIP));
    assert_eq!(status(&master).cause, "rehearsal");
    assert_eq!(wait_for_state(&backup, State::Master).cause, "master-timed-out");
    assert_eq!(segment.goodbyes(&master.host, 1, silent), [] as [u64; 0]);
    let back = wait_for_state(&master, State::Backup);
    assert!(between(silent, now()) >= Duration::from_secs(6) && !back.held);
}

#[test]
fn a_reload_tells_what_is_wrong() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    node.configure(&web(&[VIP], "advskwe = 5"));
    let reply = told(&node, &Reload {});
    assert!(!reply.applied && reply.problems.len() == 1, "{reply:?}");
    assert!(reply.problems[0].contains("did you mean `advskew`?"), "{reply:?}");
    node.configure(&web(&[VIP], "advskew = 5"));
    assert_eq!(told(&node, &Reload {}).problems, Vec::<String>::new());
    assert!(wait_until(SOON, || status(&node).advskew == 5));
    let toml = told(&node, &GetConfiguration {}).toml;
    assert!(toml.contains("[virtual-host.web]\n") && toml.contains("advskew = 5\n"), "{toml}");
    assert!(!toml.contains("secret"), "{toml}");
    told(&node, &SetLogLevel { level: "debug".into() });
    node.wait_for_line("advertisement sent", now());
    let error = node.client().call(&SetLogLevel { level: "loud".into() }).unwrap_err().to_string();
    assert!(error.contains("must be error, warn, info or debug, not \"loud\""), "{error}");
    let since = now();
    told(&node, &Announce { virtual_host: None });
    segment.wait_for_announcement(&node.host, ip(VIP), since);
}

/// What `call` is answered when somebody else than root asks.
fn as_nobody<C: Call + Send + 'static>(node: &Node, call: C) -> Result<C::Reply, Error>
where
    C::Reply: Send,
{
    let path = node.socket();
    let ask = move || {
        let nobody = Uid::from_raw(65534);
        // Of this thread alone.
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may");
        Client::connect(&path, SOON)?.call(&call)
    };
    thread::spawn(ask).join().expect("it does not panic")
}

#[test]
fn others_than_root_are_refused() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    let mode = fs::metadata(node.socket()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    // The mode of the socket keeps others out; and if somebody opens the way to it, the daemon does.
    let all = || fs::Permissions::from_mode(0o777);
    fs::set_permissions(node.socket(), all()).unwrap();
    for directory in node.socket().ancestors().skip(1).take(3) {
        fs::set_permissions(directory, all()).unwrap();
    }
    for error in [as_nobody(&node, GetDaemon {}).err(), as_nobody(&node, Hold { virtual_host: None }).err()] {
        let error = error.expect("it is refused");
        assert!(matches!(error, Error::Refused(Refusal::NotPermitted { .. })), "{error}");
    }
    assert_eq!(status(&node).state, State::Master);
}

#[test]
fn the_socket_is_gone_with_the_daemon_and_one_that_is_left_over_is_replaced() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    let mut other = segment.daemon(&node.host, "other");
    let config = web(&["10.0.0.101"], EAGER).replace("vhid = 1", "vhid = 2");
    fs::create_dir_all(other.socket().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(node.socket(), other.socket()).unwrap();
    // A socket that cannot be had is no reason not to run.
    other.start(&config);
    other.wait_for_line("No control socket at", 0);
    other.wait_for(ip("10.0.0.101"));
    node.signal(Signal::KILL);
    node.wait_for_exit();
    assert!(node.socket().exists(), "nobody could remove it");
    node.start(&web(&[VIP], EAGER));
    // What was killed may take a moment to let go of the socket.
    let ask = || Client::connect(node.socket(), SOON).and_then(|mut client| client.call(&GetDaemon {}));
    assert!(wait_until(SOON, || ask().is_ok()), "{}", node.said());
    node.end();
    assert!(!node.socket().exists());
}

#[test]
fn the_next_daemon_gets_the_socket_although_an_engine_without_guardian_is_still_there() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], "lease = \"5s\""));
    node.wait_for(ip(VIP));
    let daemon = told(&node, &GetDaemon {}).daemon;
    node.process().signal(Signal::KILL).expect("it can be killed");
    node.wait_for_exit();
    node.start(&web(&[VIP], "lease = \"5s\""));
    let ask = || Client::connect(node.socket(), SOON).and_then(|mut client| client.call(&GetDaemon {}));
    let answered = wait_until(SOON, || ask().is_ok_and(|reply| reply.daemon.pid != daemon.pid));
    assert!(answered, "{}", node.said());
}
