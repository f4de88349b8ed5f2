//! A guardian whose engine is in foreign hands: whatever that says, nothing but the configured addresses comes and goes,
//! nothing but the configured script runs, nothing but goodbyes is sent, and in the end no address is left.
//!
//! It needs root or user namespaces: the guardian works in a network namespace of this process's own.
#![no_main]

use std::cell::RefCell;
use std::fs;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::LinkId;
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::frame;
use libfuzzer_sys::fuzz_target;
use log::Level;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType};
use tempfile::TempDir;
use ucarp::engine::Line;
use ucarp::guardian::{Guardian, Parts, Player, Style};
use ucarp::protocol::{self, HostNumber, Report};
use ucarp::settings::Settings;
use ucarp_fuzz::pair::{self, INTERFACE, OWN, VHIDS, VIRTUAL};
use ucarp_fuzz::tape::Tape;
use ucarp_sys::kernel::Connection;
use ucarp_sys::monitor::Monitor;
use ucarp_sys::netns::{self, NetNs};
use ucarp_sys::signals::Signals;
use ucarp_sys::{address, clock};

/// Every kind of frame (`ETH_P_ALL`), in network byte order.
const ALL: Option<Protocol> = Some(Protocol::from_raw(std::num::NonZeroU32::new(0x0300).expect("it is not 0")));

/// A frame that was sent by this host, as `recvfrom` says (`PACKET_OUTGOING`); others do not occur here.
const LONGEST_FRAME: usize = 2048;

/// Datagrams of one engine.
const MOST: usize = 200;

/// Addresses that are there for longer without an engine are left behind.
const LATE: Duration = Duration::from_secs(10);

/// Where the guardian works.
struct Place {
    directory: TempDir,
    /// Whatever is sent.
    wire: OwnedFd,
    settings: Settings,
}

static PLACE: OnceLock<Place> = OnceLock::new();

/// The line of the last engine that was started.
type Newest = Rc<RefCell<Option<Line>>>;

fuzz_target!(init: prepare(), |tape: &[u8]| {
    let newest = Newest::default();
    let mut guardian = guardian(&newest);
    let mut tape = Tape(tape);
    for _ in 0..MOST {
        let Some(line) = newest.take().filter(|_| !tape.is_over()) else { break };
        say(&line, &mut tape);
        newest.borrow_mut().get_or_insert(line);
        guardian.one_turn();
        look(&VIRTUAL);
    }
    // The engine is gone, and so is the next one. A script that is being started has their descriptors for a moment, too.
    let late = clock::boottime() + LATE.as_nanos() as u64;
    for turn in 0.. {
        newest.take();
        guardian.one_turn();
        if turn > 0 && (strange(&[]).is_none() || clock::boottime() > late) {
            break;
        }
    }
    guardian.finish();
    look(&[]);
    look_at_script();
    look_at_wire();
});

/// A namespace with an interface whose other end is there, too, a script that writes down how it was called, and somebody who listens.
fn prepare() {
    let namespace = NetNs::new().or_else(|_| {
        netns::become_root_in_user_namespace()?;
        NetNs::new()
    });
    namespace.and_then(|namespace| namespace.enter()).expect("this target needs root or user namespaces");
    ip(&["link", "add", INTERFACE, "type", "veth", "peer", "name", "fuzz1"]);
    ip(&["link", "set", "fuzz1", "up"]);
    ip(&["link", "set", INTERFACE, "up"]);
    ip(&["address", "add", &format!("{}/24", OWN[0]), "dev", INTERFACE]);
    ip(&["address", "add", &format!("{}/64", OWN[1]), "dev", INTERFACE, "nodad"]);
    let directory = TempDir::new().expect("there is room");
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh\necho \"$*\" >> \"$0.calls\"\n").expect("there is room");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let wire = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::NONBLOCK, ALL);
    let settings = pair::settings(script.to_str().expect("it is a text"));
    let _ = PLACE.set(Place { directory, wire: wire.expect("it may listen"), settings });
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).status().expect("ip(8) is installed");
    assert!(done.success(), "ip {arguments:?}");
}

fn place() -> &'static Place {
    PLACE.get().expect("it was prepared")
}

fn guardian(newest: &Newest) -> Guardian {
    let taken = newest.clone();
    let mut guardian = Guardian::new(Parts {
        monitor: Monitor::open().expect("there is netlink"),
        signals: Signals::catch(&[]).expect("there are signals"),
        style: Style::Named,
        reload: None,
        orderly: true,
        engine: Player::Stranger(Box::new(move |line| _ = taken.replace(Some(line)))),
    });
    guardian.prepare(place().settings.clone());
    guardian.start();
    guardian
}

/// Sends the guardian a datagram: anything, or reports.
fn say(line: &Line, tape: &mut Tape) {
    let datagrams = match tape.below(4) {
        0 => vec![tape.octets().to_vec()],
        count => {
            let age = Duration::from_millis(tape.one_of(&[0, 0, 0, 30, 4000]));
            let decided = Instant::from_nanos(clock::boottime().saturating_sub(age.as_nanos() as u64));
            let reports: Vec<_> = (0..count).map(|_| report(tape)).collect();
            protocol::write_reports(decided, &reports)
        }
    };
    for datagram in datagrams {
        // One that has been given up by the guardian has nobody who listens.
        let _ = line.channel.send(&datagram, &[]);
    }
    line.tally.take();
}

fn report(tape: &mut Tape) -> Report {
    let host = HostNumber(tape.one_of(&[0, 1, 2, 2, 3, u32::MAX]));
    let link = LinkId(tape.one_of(&[0, 0, 0, 1, u32::MAX]));
    match tape.below(10) {
        0 => Report::Claim(host),
        1 => Report::Renew(host),
        2 => Report::Release(host),
        3 => Report::Followed(host),
        4 => Report::State(host, tape.one_of(&[State::Master, State::Master, State::Backup, State::Init])),
        5..=7 => {
            let goodbye = if tape.below(4) == 0 {
                tape.octets()[..].iter().copied().take(protocol::LONGEST_GOODBYE).collect()
            } else {
                pair::advertisement(tape, &place().settings)
            };
            let peers = [None, None, Some("10.9.0.2"), Some("10.9.0.3"), Some("fd00:9::2")];
            let destination = tape.one_of(&peers).map(|peer| peer.parse().expect("it is an address"));
            Report::Will { host, link, destination, goodbye }
        }
        8 => Report::Broken(link),
        _ => Report::Log(Level::Info, String::from_utf8_lossy(&tape.octets()[..]).chars().take(200).collect()),
    }
}

/// The addresses of the namespace are its own and at most these, and all of its own are there.
fn look(allowed: &[&str]) {
    assert_eq!(strange(allowed), None);
}

/// An address that is there and should not be, or the other way round.
fn strange(allowed: &[&str]) -> Option<IpAddr> {
    let mut connection = Connection::open().expect("there is netlink");
    let found = address::list(&mut connection).expect("it can be read");
    let own = OWN.map(|own| own.parse::<IpAddr>().expect("it is an address"));
    let is_link_local = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let is_allowed = |address: &IpAddr| allowed.iter().any(|allowed| allowed.parse() == Ok(*address));
    let is_usual = |address: &IpAddr| own.contains(address) || is_link_local(address) || address.is_loopback();
    let surplus = found.iter().map(|found| found.at.address).find(|address| !is_usual(address) && !is_allowed(address));
    surplus.or_else(|| own.into_iter().find(|own| found.iter().all(|found| found.at.address != *own)))
}

/// The script was called with what is configured.
fn look_at_script() {
    let calls = place().directory.path().join("script.calls");
    let Ok(text) = fs::read_to_string(&calls) else { return };
    let usual = format!("{INTERFACE} {}", VIRTUAL[3]);
    assert!(text.lines().all(|line| line == usual), "{text}");
}

/// Of CARP nothing but goodbyes of the virtual hosts was sent.
fn look_at_wire() {
    let mut octets = [0; LONGEST_FRAME];
    while let Ok((length, _)) = rustix::net::recv(&place().wire, &mut octets[..], RecvFlags::empty()) {
        let Ok(received) = frame::parse_routed(&octets[..length]) else { continue };
        let said = received.advertisement;
        let interval = Interval { advbase: said.advbase, advskew: said.advskew };
        assert!(interval == Interval::BOW_OUT && VHIDS.contains(&said.vhid), "{said:?}");
    }
}
