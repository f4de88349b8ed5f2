//! An engine whose guardian is in foreign hands, and everybody on the network, too: whatever arrives, it does not panic,
//! and what it reports is understood and about virtual hosts that it was given.
#![no_main]

use std::cell::LazyCell;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use carp_core::election::Bar;
use carp_core::host::{GroupId, Local};
use carp_core::node::{Command, LinkId, LinkState};
use carp_core::wire::MacAddr;
use libfuzzer_sys::fuzz_target;
use ucarp::engine::{Engine, Line};
use ucarp::protocol::{self, HostNumber, LONGEST_DATAGRAM, Order, Orders, Profile, Report, Sockets};
use ucarp::settings::Settings;
use ucarp_fuzz::pair;
use ucarp_fuzz::tape::Tape;
use ucarp_sys::channel::{Channel, Received};
use ucarp_sys::process::Tally;

/// Things that happen to one engine.
const MOST: usize = 48;

const COMMANDS: [Command; 10] = [
    Command::HandOver,
    Command::ShutDown,
    Command::Claimed,
    Command::Released,
    Command::StandDown(Bar::Held),
    Command::StandDown(Bar::Rehearsal),
    Command::StandUp,
    Command::Promote,
    Command::Promote,
    Command::Announce,
];

thread_local! {
    static SETTINGS: LazyCell<Settings> = const { LazyCell::new(|| pair::settings("/bin/true")) };
}

/// The guardian's end, and the network.
struct World {
    channel: Channel,
    tally: Tally,
    /// The other end of what the engine takes for a socket of the link.
    wire: Option<UnixDatagram>,
    given: Vec<HostNumber>,
}

fuzz_target!(|tape: &[u8]| SETTINGS.with(|settings| {
    let (channel, other) = Channel::pair().expect("there are descriptors");
    let tally = Tally::new().expect("there are descriptors");
    let theirs = tally.try_clone().expect("there are descriptors");
    let mut engine =
        Engine::new(Line { channel: other, tally: theirs, termination: None, monitor: None, journal: None });
    let mut world = World { channel, tally, wire: None, given: Vec::new() };
    let mut tape = Tape(tape);
    for _ in 0..MOST {
        if tape.is_over() {
            break;
        }
        world.happen(&mut tape, settings);
        engine.one_turn();
        world.listen();
    }
}));

impl World {
    fn happen(&mut self, tape: &mut Tape, settings: &Settings) {
        match tape.below(8) {
            0 => {
                let datagram = tape.octets();
                // What it is given in this way is known, too.
                for order in protocol::read_orders(datagram).unwrap_or_default() {
                    self.note(&order);
                }
                self.send(datagram, &[]);
            }
            1..=4 => {
                let order = order(tape, settings);
                self.note(&order);
                self.order(&order, &[]);
            }
            5 => {
                let link = LinkId(tape.one_of(&[0, 0, 0, 1]));
                self.order(&Order::Link { link, name: "eth0".into(), state: state(tape) }, &[]);
                let (ours, theirs) = UnixDatagram::pair().expect("there are descriptors");
                ours.set_nonblocking(true).and_then(|()| theirs.set_nonblocking(true)).expect("they are open");
                let sockets = Sockets { index: 1, v4: true, v6: false, unicast_v4: false, unicast_v6: false };
                let theirs = OwnedFd::from(theirs);
                self.order(&Order::Port { link, sockets }, &[theirs.as_fd()]);
                self.wire = Some(ours);
            }
            6 => {
                let frame =
                    if tape.below(4) == 0 { tape.octets().to_vec() } else { pair::advertisement(tape, settings) };
                // It may be full, or closed.
                let _ = self.wire.as_ref().map(|wire| wire.send(&frame));
            }
            _ => self.tally.raise(),
        }
    }

    fn note(&mut self, order: &Order) {
        if let Order::Add { host, .. } = order {
            self.given.push(*host);
        }
    }

    fn order(&self, order: &Order, descriptors: &[BorrowedFd]) {
        let mut orders = Orders::default();
        orders.push(order);
        orders.take().iter().for_each(|datagram| self.send(datagram, descriptors));
    }

    fn send(&self, datagram: &[u8], descriptors: &[BorrowedFd]) {
        // An engine that was told nonsense has hung up.
        let _ = self.channel.send(datagram, descriptors);
    }

    /// Everything that the engine says makes sense.
    fn listen(&self) {
        let mut buffer = vec![0; LONGEST_DATAGRAM];
        while let Ok(Received::Message { length, .. }) = self.channel.recv(&mut buffer) {
            let (_, reports) = protocol::read_reports(&buffer[..length]).expect("it is understood");
            for report in reports {
                let host = match report {
                    Report::Claim(host)
                    | Report::Renew(host)
                    | Report::Release(host)
                    | Report::State(host, _)
                    | Report::Will { host, .. } => host,
                    _ => continue,
                };
                assert!(self.given.contains(&host), "{host:?} is not there");
            }
        }
    }
}

fn state(tape: &mut Tape) -> LinkState {
    let up = LinkState::Up(MacAddr([2, 0, 0, 0, 0, 1]));
    tape.one_of(&[up, up, up, LinkState::Down, LinkState::NoCarrier, LinkState::Gone])
}

fn order(tape: &mut Tape, settings: &Settings) -> Order {
    let number = tape.one_of(&[0, 1, 2, 3]);
    let host = HostNumber(number);
    let named = settings.hosts[number as usize % settings.hosts.len()].clone();
    let local = Local::v4(tape.one_of(&[Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::UNSPECIFIED]));
    let profile = Profile {
        who: format!("{}: ", named.name),
        title: named.title.clone(),
        native: tape.one_of(&[true, true, false]),
        lease: tape.one_of(&[Some(Duration::from_secs(3)), None]),
        penalty: Duration::from_secs(tape.one_of(&[0, 60])),
    };
    let group = tape.one_of(&[None, None, Some(GroupId(0))]);
    let config = Box::new(named.virtual_host(LinkId(tape.one_of(&[0, 0, 1])), local, group));
    let grace = Duration::from_secs(tape.one_of(&[0, 60]));
    match tape.below(12) {
        0..=3 => Order::Add { host, profile, config },
        4 => Order::Change { host, profile, config, grace },
        5 => Order::Remove { host },
        6 => Order::Local { host, local },
        7 => Order::Missing { host },
        8 => Order::Demote { host, name: "check".into(), by: tape.one_of(&[0, 1, 240, u16::MAX]) },
        9 => Order::Bar {
            host,
            name: "check".into(),
            bar: tape.one_of(&[None, Some(Bar::CheckFailed), Some(Bar::Held)]),
        },
        10 => Order::Beat { interval: Duration::from_millis(tape.one_of(&[0, 250, 10_000])) },
        _ => Order::Command { host, command: tape.one_of(&COMMANDS) },
    }
}
