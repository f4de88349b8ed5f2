//! Two nodes with 255 virtual hosts each, for `cargo xtask bench core`, which counts what a number of rounds takes: in each
//! the MASTER advertises every virtual host once, and the BACKUP hears it if it is asked to.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use carp_core::auth::{AddressList, Key};
use carp_core::election::{State, TieRule};
use carp_core::host::{Authentication, Credentials, Local, MacMode, Policy, Transport, VirtualHostConfig};
use carp_core::node::{Command, HostId, LinkId, LinkState, Node, Output, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;
use carp_core::wire::frame::{CARP_GROUP_V4, CARP_GROUP_V6, Frame};

const LINK: LinkId = LinkId(0);

const USAGE: &str = "usage: rounds send|exchange classic|observe NUMBER";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [what, authentication, rounds] = words[..] else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let authentication = match authentication {
        "classic" => Authentication::Classic,
        _ => Authentication::Observe,
    };
    match rounds.parse::<u32>() {
        Ok(rounds) => run(rounds, authentication, what == "exchange"),
        Err(error) => {
            eprintln!("{rounds:?}: {error}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run(rounds: u32, authentication: Authentication, is_heard: bool) -> ExitCode {
    let (mut master, hosts) = start(1, authentication);
    let (mut backup, _) = start(2, authentication);
    while !hosts.iter().all(|host| master.state(*host) == State::Master) {
        advance(&mut master, |_, _| {});
    }
    let (mut sent, all) = (0, rounds * 255);
    while sent < all {
        advance(&mut master, |now, frame| {
            sent += 1;
            if is_heard {
                backup.handle_frame(now, LINK, frame);
                assert_eq!(backup.poll_output(), None, "it was believed, and nothing follows from it");
            }
        });
    }
    println!("{sent} advertisements");
    ExitCode::SUCCESS
}

/// The node of this number, with all virtual hosts there can be on a link.
fn start(number: u8, authentication: Authentication) -> (Node, Vec<HostId>) {
    let mut node = Node::new(number.into());
    let now = Instant::from_nanos(1_000_000_000);
    node.set_clock(now, Duration::from_secs(1_800_000_000));
    let hosts = (1..=255).map(|vhid| node.add(config(number, vhid, authentication))).collect();
    node.handle_link(now, LINK, LinkState::Up(MacAddr([2, 0, 0, 0, 0, number])));
    while node.poll_output().is_some() {}
    (node, hosts)
}

fn config(number: u8, vhid: u8, authentication: Authentication) -> VirtualHostConfig {
    let key = Key::from_password(b"secret").expect("it is short");
    let addresses = AddressList::new([Ipv4Addr::new(10, 9, 1, vhid).into()]);
    VirtualHostConfig {
        link: LINK,
        vhid,
        credentials: Credentials::new(key, addresses),
        local: Local::v4(Ipv4Addr::new(10, 9, 0, number)),
        transport: Transport::Multicast { v4: CARP_GROUP_V4, v6: CARP_GROUP_V6, broadcast: false },
        mac: MacMode::Interface,
        interval: Interval { advbase: 1, advskew: number },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::UcarpLittleEndian,
        pseudo_header_checksum: false,
        authentication,
        policy: Policy::default(),
    }
}

/// Lets a node do what it has to do next, and hands out what it advertises.
fn advance(node: &mut Node, mut advertise: impl FnMut(Instant, &Frame)) {
    let now = node.next_deadline().expect("a node with virtual hosts on a link has something to do");
    node.handle_timeout(now);
    while let Some(output) = node.poll_output() {
        match output {
            Output::Transmit { purpose: Purpose::Advertisement, frame, .. } => advertise(now, &frame),
            Output::Claim { host } => node.handle_command(now, host, Command::Claimed),
            _ => {}
        }
    }
}
