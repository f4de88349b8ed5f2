use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::vec::Vec;

use super::*;
use crate::auth::{AddressList, Key};
use crate::election::{State, TieRule};
use crate::host::{
    Authentication, Credentials, GroupId, HoldDown, Local, MacMode, Policy, Transport, VirtualHostConfig,
};
use crate::node::{Command, HostId, LinkId, Node};
use crate::timing::Interval;

const LINK: LinkId = LinkId(0);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const OWN: MacAddr = mac(2);
const STRANGER: MacAddr = mac(9);

const fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn config(answer: ConflictAnswer) -> VirtualHostConfig {
    let addresses = AddressList::new([IpAddr::V4(VIP), IpAddr::V6(VIP6)]);
    let hold_down = HoldDown { takeovers: 10, window: Duration::from_secs(60), length: Duration::from_secs(20) };
    VirtualHostConfig {
        link: LINK,
        vhid: 1,
        credentials: Credentials::new(Key::from_password(b"secret").unwrap(), addresses),
        local: Local::v4(Ipv4Addr::new(10, 0, 0, 2)),
        transport: Transport::default(),
        mac: MacMode::Interface,
        interval: Interval { advbase: 1, advskew: 0 },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::default(),
        pseudo_header_checksum: false,
        authentication: Authentication::Classic,
        policy: Policy {
            conflict: Some(ConflictPolicy { answer, probes: true }),
            hold_down: Some(hold_down),
            ..Policy::default()
        },
    }
}

/// A node whose driver takes and gives up addresses at once, with what it wanted.
struct Lonely {
    node: Node,
    host: HostId,
    now: Instant,
    log: Vec<(u64, Output)>,
}

impl Lonely {
    fn new(config: VirtualHostConfig) -> Self {
        // Nodes of one group need different seeds.
        let mut node = Node::new(config.local.v4.octets()[3].into());
        let host = node.add(config);
        let mut lonely = Self { node, host, now: at(0), log: Vec::new() };
        lonely.node.handle_link(at(0), LINK, LinkState::Up(OWN));
        lonely.drain();
        lonely
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            let command = match &output {
                Output::Claim { .. } => Some(Command::Claimed),
                Output::Release { .. } => Some(Command::Released),
                _ => None,
            };
            self.log.push((self.now.as_nanos() / 1_000_000, output));
            if let Some(command) = command {
                self.node.handle_command(self.now, self.host, command);
            }
        }
    }

    fn run_until(&mut self, millis: u64) {
        while let Some(due) = self.node.next_deadline().filter(|due| *due <= at(millis)) {
            self.now = due.max(self.now);
            self.node.handle_timeout(self.now);
            self.drain();
        }
        self.now = at(millis);
    }

    fn hear(&mut self, frame: &[u8]) {
        self.node.handle_frame(self.now, LINK, frame);
        self.drain();
    }

    fn state(&self) -> State {
        self.node.state(self.host)
    }

    /// When frames for this purpose were sent, from `since` on.
    fn sent(&self, wanted: Purpose, since: u64) -> Vec<u64> {
        let all = self.log.iter().filter(|(at, output)| {
            matches!(output, Output::Transmit { purpose, .. } if *purpose == wanted) && *at >= since
        });
        all.map(|(at, _)| *at).collect()
    }

    /// The conflicts that were told: when, of which address, with whom, and who that is.
    fn told(&self) -> Vec<(u64, IpAddr, MacAddr, Option<IpAddr>)> {
        let conflict = |(at, output): &(u64, Output)| match output {
            Output::Notice { notice: Notice::AddressConflict { rival, .. }, .. } => {
                Some((*at, rival.address, rival.mac, rival.peer))
            }
            _ => None,
        };
        self.log.iter().filter_map(conflict).collect()
    }
}

fn claim(mac: MacAddr) -> Vec<u8> {
    frame::gratuitous_arp(mac, VIP).to_vec()
}

/// What a node of the group advertises.
fn advertisement(advskew: u8) -> Vec<u8> {
    let mut config = config(ConflictAnswer::Report);
    config.local = Local::v4(PEER);
    config.interval.advskew = advskew;
    let mut peer = Lonely::new(config);
    peer.run_until(5000);
    let is_advertisement = |(_, output): &(u64, Output)| match output {
        Output::Transmit { purpose: Purpose::Advertisement, frame, .. } => Some(frame.to_vec()),
        _ => None,
    };
    peer.log.iter().find_map(is_advertisement).expect("it is MASTER")
}

#[test]
fn who_waits_to_be_the_first_master_asks_twice_and_a_new_master_once() {
    let mut node = Lonely::new(config(ConflictAnswer::Defend));
    node.run_until(30_000);
    // For two addresses each: after one and two thirds of the dead time, and when a former master's lease is over.
    assert_eq!(node.sent(Purpose::Probe, 0), [1000, 1000, 2000, 2000, 6000, 6000]);
    assert_eq!(node.state(), State::Master);
    let mut quiet = config(ConflictAnswer::Report);
    quiet.policy.conflict = Some(ConflictPolicy { answer: ConflictAnswer::Report, probes: false });
    let mut quiet = Lonely::new(quiet);
    quiet.run_until(30_000);
    assert_eq!(quiet.sent(Purpose::Probe, 0), [0; 0]);
}

#[test]
fn nobody_asks_while_a_master_is_heard_or_was() {
    let mut node = Lonely::new(config(ConflictAnswer::Yield));
    node.run_until(500);
    node.hear(&advertisement(0));
    // The master is dead, and its address answers until its lease is over.
    node.run_until(3000);
    node.hear(&claim(mac(3)));
    node.run_until(4000);
    assert_eq!((node.state(), node.told()), (State::Master, Vec::new()));
    assert_eq!(node.sent(Purpose::Probe, 0), [0; 0]);
    node.run_until(20_000);
    assert_eq!(node.sent(Purpose::Probe, 0), [6500, 6500], "when that lease is over it does");
}

#[test]
fn an_answer_before_the_first_takeover_is_told_and_keeps_out_who_yields() {
    for (answer, state) in [(ConflictAnswer::Defend, State::Master), (ConflictAnswer::Yield, State::Init)] {
        let mut node = Lonely::new(config(answer));
        node.run_until(1000);
        node.hear(&claim(STRANGER));
        node.run_until(2999);
        assert_eq!(node.told(), [], "a master may be heard yet");
        node.run_until(3001);
        assert_eq!(node.told(), [(3000, VIP.into(), STRANGER, None)]);
        assert_eq!(node.state(), state, "{answer:?}");
        node.run_until(25_000);
        // 20 s later it listens again, and becomes MASTER as nobody answers.
        assert_eq!(node.state(), if state == State::Init { State::Backup } else { State::Master });
        node.run_until(27_000);
        assert_eq!(node.state(), State::Master);
    }
}

#[test]
fn an_answer_is_no_conflict_if_a_master_is_heard_before_the_takeover() {
    let mut node = Lonely::new(config(ConflictAnswer::Yield));
    node.run_until(1000);
    node.hear(&claim(mac(3)));
    node.hear(&advertisement(0));
    node.run_until(10_000);
    assert_eq!((node.state(), node.told()), (State::Master, Vec::new()));
}

#[test]
fn a_stranger_is_named_once_and_answered_at_most_every_ten_seconds() {
    let mut node = Lonely::new(config(ConflictAnswer::Defend));
    node.run_until(60_000);
    for second in 60..90 {
        node.hear(&claim(STRANGER));
        node.run_until((second + 1) * 1000);
    }
    let (known, claims) = {
        let view = node.node.view(node.host);
        (view.rival.unwrap(), view.claims)
    };
    assert_eq!((known.mac, known.peer, known.claims, claims), (STRANGER, None, 30, 30));
    assert_eq!(node.sent(Purpose::Announcement, 60_000), [60_500, 71_000, 81_000]);
    assert_eq!(node.told().len(), 30, "how often that is said is for the driver to decide");
    assert_eq!(node.state(), State::Master);
}

#[test]
fn a_stranger_who_only_is_reported_meets_no_answer_and_one_with_ipv6_is_seen_too() {
    let mut node = Lonely::new(config(ConflictAnswer::Report));
    node.run_until(60_000);
    node.hear(&frame::unsolicited_na(STRANGER, VIP6, false));
    node.run_until(61_000);
    assert_eq!(node.told(), [(60_500, VIP6.into(), STRANGER, None)]);
    assert_eq!(node.sent(Purpose::Announcement, 60_000), [0; 0]);
}

#[test]
fn who_yields_leaves_in_peace_and_comes_back_after_the_hold_down() {
    let mut node = Lonely::new(config(ConflictAnswer::Yield));
    node.run_until(60_000);
    node.hear(&claim(STRANGER));
    node.run_until(61_000);
    assert_eq!((node.state(), node.sent(Purpose::Goodbye, 0)), (State::Init, Vec::from([60_500])));
    let why = node.log.iter().any(|(_, output)| {
        matches!(output, Output::Leaving { reason: Reason::StoodDown { bar: Bar::AddressConflict }, .. })
    });
    assert!(why, "{:?}", node.log);
    node.run_until(80_499);
    assert_eq!(node.state(), State::Init);
    node.run_until(80_500);
    assert_eq!(node.state(), State::Backup);
    node.run_until(90_000);
    assert_eq!(node.state(), State::Master);
}

#[test]
fn a_node_of_the_group_is_asked_and_named() {
    let mut node = Lonely::new(config(ConflictAnswer::Defend));
    node.run_until(10_000);
    node.hear(&advertisement(200));
    node.run_until(60_000);
    let before = node.sent(Purpose::Probe, 0).len();
    // It is silent, and has the address still.
    node.hear(&claim(mac(3)));
    assert_eq!(node.sent(Purpose::Probe, 0).len(), before + 1);
    node.hear(&frame::gratuitous_arp(mac(3), PEER));
    assert_eq!(node.told(), [(60_000, VIP.into(), mac(3), Some(PEER.into()))]);
}

#[test]
fn what_is_heard_while_addresses_move_is_no_conflict() {
    let mut node = Lonely::new(config(ConflictAnswer::Yield));
    node.run_until(5999);
    node.hear(&claim(STRANGER));
    node.run_until(30_000);
    // A worse node advertises, which the election deals with.
    node.hear(&advertisement(200));
    node.hear(&claim(mac(3)));
    node.run_until(40_000);
    // A claim comes just before the advertisement of a better one.
    node.hear(&claim(mac(3)));
    node.hear(&advertisement(200));
    node.run_until(60_000);
    // The own address, as an echo has it, that of another interface of this host, and the virtual one of a BSD.
    node.node.set_own(Vec::from([mac(8)]));
    for own in [OWN, mac(8), frame::kernel_mac(1), frame::ucarp_mac(1)] {
        node.hear(&claim(own));
    }
    node.run_until(70_000);
    assert_eq!((node.told(), node.state()), (Vec::new(), State::Master));
}

#[test]
fn a_flood_of_invented_strangers_is_asked_about_at_most_every_ten_seconds() {
    let mut node = Lonely::new(config(ConflictAnswer::Defend));
    node.run_until(10_000);
    node.hear(&advertisement(200));
    node.run_until(60_000);
    let before = node.sent(Purpose::Probe, 0).len();
    for tenth in 0..300u64 {
        node.hear(&claim(MacAddr([2, 0, 0, 0, 1, u8::try_from(tenth % 250).unwrap()])));
        node.run_until(60_000 + (tenth + 1) * 100);
    }
    assert!(node.sent(Purpose::Probe, 0).len() - before <= 3);
    assert!(node.told().len() <= 10, "{}", node.told().len());
}

#[test]
fn a_group_leaves_together() {
    let mut first = config(ConflictAnswer::Yield);
    first.policy.group = Some(GroupId(1));
    let mut second = first.clone();
    second.vhid = 2;
    second.credentials.addresses = AddressList::new([IpAddr::from([10, 0, 0, 101])]);
    let mut node = Lonely::new(first);
    let other = node.node.add(second);
    node.node.handle_link(at(0), LINK, LinkState::Up(OWN));
    node.drain();
    node.run_until(60_000);
    assert_eq!((node.state(), node.node.state(other)), (State::Master, State::Master));
    node.hear(&claim(STRANGER));
    node.run_until(61_000);
    assert_eq!(node.state(), State::Init);
    assert!(node.log.iter().any(|(_, output)| matches!(output, Output::Leaving { host, .. } if *host == other)));
}
