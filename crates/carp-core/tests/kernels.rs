//! A whole node in the company of recorded and of demoted BSD kernels: it understands them, and changes its state as a
//! member of their group does.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::net::Ipv4Addr;
use std::time::Duration;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::election::{Reason, State, TieRule};
use carp_core::host::{Authentication, Credentials, Local, MacMode, Policy, Transport, VirtualHostConfig};
use carp_core::node::{Command, HostId, LinkId, LinkState, Node, Notice, Output};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement};

#[allow(dead_code, reason = "each test needs another part of it")]
mod support;

const LINK: LinkId = LinkId(0);
const PASSWORD: &str = "testpass321";
const MIXED: &str = "192.168.77.251,fd77::251,fd77::250";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn credentials(addresses: &str) -> Credentials {
    let key = Key::from_password(PASSWORD.as_bytes()).unwrap();
    Credentials::new(key, AddressList::new(support::addresses(addresses)))
}

/// One more host of the kernels' group.
fn member(vhid: u8, addresses: &str, advskew: u8) -> VirtualHostConfig {
    VirtualHostConfig {
        link: LINK,
        vhid,
        credentials: credentials(addresses),
        local: Local { v6: Some("fe80::30".parse().unwrap()), ..Local::v4(Ipv4Addr::new(192, 168, 77, 30)) },
        transport: Transport::default(),
        mac: MacMode::Virtual,
        interval: Interval { advbase: 1, advskew },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::default(),
        pseudo_header_checksum: false,
        authentication: Authentication::Classic,
        policy: Policy::default(),
    }
}

/// A node beside the recorded ones: it hears them and they do not hear it.
struct Witness {
    node: Node,
    now: Instant,
    moves: Vec<(u128, HostId, State, Reason)>,
    notices: Vec<Notice>,
}

impl Witness {
    /// Its link comes up `late` after the capture began.
    fn new(configs: &[VirtualHostConfig], late: Duration) -> Self {
        let mut node = Node::new(1);
        for config in configs {
            node.add(config.clone());
        }
        let mut witness = Self { node, now: Instant::default() + late, moves: Vec::new(), notices: Vec::new() };
        witness.node.handle_link(witness.now, LINK, LinkState::Up(MacAddr([2, 0, 0, 0, 0, 30])));
        witness.drain();
        witness
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Claim { host } => self.node.handle_command(self.now, host, Command::Claimed),
                Output::Release { host } => self.node.handle_command(self.now, host, Command::Released),
                Output::Transition { host, to, reason, .. } => {
                    let at = (self.now - Instant::default()).as_millis();
                    self.moves.push((at, host, to, reason));
                }
                Output::Notice { notice, .. } => self.notices.push(notice),
                Output::Transmit { .. } | Output::TransmitPacket { .. } | Output::Leaving { .. } => {}
            }
        }
    }

    fn wait_until(&mut self, since_start: Duration) {
        let end = Instant::default() + since_start;
        while let Some(due) = self.node.next_deadline().filter(|due| *due <= end) {
            self.now = due;
            self.node.handle_timeout(due);
            self.drain();
        }
        self.now = self.now.max(end);
    }

    fn hear(&mut self, since_start: Duration, frame: &[u8]) {
        self.wait_until(since_start);
        self.node.handle_frame(self.now, LINK, frame);
        self.drain();
    }

    /// Hears the frames of a capture that are `wanted` and later than the start of its link, and 5 s of silence.
    fn hear_all(&mut self, file: &str, wanted: impl Fn(Duration, &[u8]) -> bool) {
        let frames = support::timed_pcap(&format!("captures/bsd/{file}.pcap"));
        for (at, frame) in frames.iter().filter(|(at, frame)| wanted(*at, frame)) {
            if Instant::default() + *at >= self.now {
                self.hear(*at, frame);
            }
        }
        self.wait_until(frames.last().unwrap().0 + millis(5000));
    }

    /// What became of the first virtual host, and when.
    fn states(&self) -> Vec<(u128, State)> {
        self.moves.iter().map(|(at, _, to, _)| (*at, *to)).collect()
    }
}

fn everything(_: Duration, _: &[u8]) -> bool {
    true
}

/// Runs a capture beside a BACKUP of advskew 200 whose link comes up at `late` milliseconds.
fn beside(file: &str, vhid: u8, addresses: &str, late: u64) -> Witness {
    let mut witness = Witness::new(&[member(vhid, addresses, 200)], millis(late));
    witness.hear_all(file, everything);
    witness
}

#[test]
fn a_dual_stack_kernel_is_the_master_as_long_as_it_is_heard_in_either_family() {
    type Wanted = fn(Duration, &[u8]) -> bool;
    let families: [Wanted; 3] =
        [everything, |_, frame| frame[12..14] == [0x86, 0xdd], |_, frame| frame[12..14] == [0x08, 0x00]];
    for wanted in families {
        let mut witness = Witness::new(&[member(3, MIXED, 200)], millis(2000));
        witness.hear_all("freebsd-3-mixed", wanted);
        // Its last advertisement is at 27.703 s; 3 s and 200/256 s later it counts as dead.
        assert_eq!(witness.states(), [(2000, State::Backup), (27_703 + 3781, State::Master)]);
        let (.., reason) = witness.moves[1];
        assert!(matches!(reason, Reason::MasterTimedOut { master, .. } if master.interval.advskew == 0), "{reason}");
        assert_eq!(witness.notices, []);
    }
}

#[test]
fn a_slower_master_yields_to_the_first_advertisement_of_a_kernel_in_either_family() {
    for (file, vhid, addresses, first) in
        [("freebsd-3-mixed", 3, MIXED, 4424), ("freebsd-4-v6only", 4, "fd77::249", 3985)]
    {
        let mut witness = Witness::new(&[member(vhid, addresses, 50)], millis(0));
        witness.hear_all(file, everything);
        let states = witness.states();
        assert_eq!(states[..2], [(0, State::Backup), (3195, State::Master)], "{file}");
        assert_eq!(states[2], (first, State::Backup), "{file}");
        assert!(matches!(witness.moves[2].3, Reason::BetterMaster { .. }));
        assert_eq!((states.len(), &witness.notices[..]), (4, &[][..]), "and MASTER after the end: {states:?}");
    }
}

#[test]
fn a_group_that_gets_a_second_family_and_loses_the_first_is_followed_by_reloads() {
    let lists = [(9_500, "192.168.77.254,fd77::254"), (15_000, "fd77::254")];
    let mut witness = Witness::new(&[member(1, "192.168.77.254", 200)], millis(1000));
    let frames = support::timed_pcap("captures/bsd/freebsd15-carp.pcap");
    let mut lists = lists.into_iter().peekable();
    let host = witness.moves[0].1;
    for (at, frame) in &frames {
        if let Some((when, addresses)) = lists.next_if(|(when, _)| millis(*when) <= *at) {
            witness.wait_until(millis(when));
            witness.node.reconfigure(witness.now, host, member(1, addresses, 200), Duration::from_secs(60));
        }
        if Instant::default() + *at >= witness.now {
            witness.hear(*at, frame);
        }
    }
    assert_eq!(witness.states(), [(1000, State::Backup)]);
    assert_eq!(witness.notices, [], "everything was understood");
}

#[test]
fn a_kernel_that_loses_an_address_is_understood_by_those_who_were_told_alone() {
    let pair = "192.168.77.253,192.168.77.252";
    for told in [false, true] {
        let mut witness = Witness::new(&[member(2, pair, 200)], millis(1000));
        let host = witness.moves[0].1;
        for (at, frame) in support::timed_pcap("captures/bsd/freebsd-H-delete.pcap") {
            if told && at > millis(8000) {
                let config = member(2, "192.168.77.252", 200);
                witness.node.reconfigure(witness.now, host, config, Duration::from_secs(60));
            }
            if at >= millis(1000) {
                witness.hear(at, &frame);
            }
        }
        let complaints = witness.notices.iter().filter(|notice| matches!(notice, Notice::BadDigest { .. })).count();
        assert_eq!(complaints, if told { 0 } else { 2 });
    }
}

#[test]
fn goodbyes_of_kernels_are_followed_at_once_for_each_virtual_host() {
    let (v254, pair) = ("192.168.77.254", "192.168.77.253,192.168.77.252");
    let mut witness = Witness::new(&[member(1, v254, 200), member(2, pair, 100)], millis(2000));
    witness.hear_all("netbsd-2-v4two", everything);
    let taken: Vec<_> = witness.moves.iter().filter(|(_, _, to, _)| *to == State::Master).collect();
    let [(one, first, _, reason), (other, second, _, _)] = taken[..] else { panic!("{taken:?}") };
    assert!((26_815..26_824).contains(one) && (26_983..26_992).contains(other), "{taken:?}");
    assert!(first < second && matches!(reason, Reason::MasterSaidGoodbye { .. }));
    assert_eq!(witness.notices, []);
}

#[test]
fn between_a_goodbye_and_a_faster_ucarp_a_slow_host_is_master_for_milliseconds() {
    let witness = beside("netbsd-A-ucarp-joins", 1, "192.168.77.254", 2000);
    let states = witness.states();
    let [(2000, State::Backup), (taken, State::Master), (left, State::Backup), (_, State::Master)] = states[..] else {
        panic!("{states:?}")
    };
    assert!((19_043..19_052).contains(&taken) && left == 19_053, "{states:?}");
    assert!(matches!(witness.moves[2].3, Reason::BetterMaster { .. }));
}

#[test]
fn kernels_and_ucarp_that_replace_each_other_leave_a_slower_backup_alone() {
    for (file, addresses) in [
        ("freebsd-A-ucarp-joins", "192.168.77.254"),
        ("freebsd-C-ucarp-preempts", "192.168.77.254"),
        ("freebsd-D-bsd-preempts", "192.168.77.254"),
        ("netbsd-C-ucarp-preempts", "192.168.77.254"),
        ("netbsd-D-bsd-preempts", "192.168.77.254"),
    ] {
        let witness = beside(file, 1, addresses, 1000);
        let states = witness.states();
        assert!(matches!(states[..], [(1000, State::Backup), (_, State::Master)]), "{file}: {states:?}");
        let end = support::timed_pcap(&format!("captures/bsd/{file}.pcap")).last().unwrap().0.as_millis();
        assert!(states[1].0 > end, "{file}: MASTER only when the capture is over: {states:?}");
        assert_eq!(witness.notices, [], "{file}");
    }
}

#[test]
fn a_wrong_password_is_named_and_changes_nothing() {
    for file in ["freebsd-E-wrong-pass", "netbsd-E-wrong-pass"] {
        let witness = beside(file, 1, "192.168.77.254", 1000);
        assert_eq!(witness.notices.len(), 5, "{file}");
        let named = |notice: &Notice| match notice {
            Notice::BadDigest { peer, .. } => peer.source == Ipv4Addr::new(192, 168, 77, 20),
            _ => false,
        };
        assert!(witness.notices.iter().all(named), "{file}");
        assert_eq!(witness.states().len(), 2, "{file}");
    }
}

/// An advertisement of a kernel of the mixed group, demoted.
fn demoted(advskew: u8, byte4: u8, v6: bool) -> Vec<u8> {
    let (src, dst) = if v6 {
        ("fe80::11".parse().unwrap(), frame::CARP_GROUP_V6.into())
    } else {
        ("192.168.77.11".parse().unwrap(), frame::CARP_GROUP_V4.into())
    };
    let Credentials { key, addresses, .. } = credentials(MIXED);
    let counter = 0x1234_5678;
    let digest = Authenticator::new(&key, 3, &addresses).sign(counter);
    let advertisement = advertisement::Repr { vhid: 3, advbase: 1, advskew, demotion: byte4, counter, digest };
    AdvertisementFrame {
        src_mac: frame::kernel_mac(3),
        dst_mac: frame::multicast_mac(dst),
        src,
        dst,
        tos: if v6 { 0 } else { frame::TOS_LOW_DELAY },
        netbsd_checksum: false,
        advertisement,
    }
    .emit()
    .unwrap()
    .to_vec()
}

#[test]
fn a_demoted_kernel_is_displaced_by_those_who_preempt_if_its_demotion_shows_in_its_rank() {
    for v6 in [false, true] {
        // FreeBSD and NetBSD advertise 240; OpenBSD goes on with its rank and says it in byte 4, which UCARP ignores too.
        for (advskew, byte4, preempt, taken) in
            [(240, 0, true, true), (240, 0, false, false), (0, 240, true, false), (0, 240, false, false)]
        {
            let config = VirtualHostConfig { preempt, ..member(3, MIXED, 100) };
            let mut witness = Witness::new(&[config], millis(0));
            witness.hear(millis(500), &demoted(advskew, byte4, v6));
            let state = witness.moves.last().unwrap();
            assert_eq!(state.2 == State::Master, taken, "advskew {advskew}, byte 4 {byte4}, preempt {preempt}");
            assert_eq!(witness.notices, []);
        }
    }
}

#[test]
fn a_master_stays_when_a_demoted_kernel_advertises_in_both_families_and_answers_once() {
    let mut witness = Witness::new(&[member(3, MIXED, 100)], millis(0));
    witness.wait_until(millis(3500));
    assert_eq!(witness.states().last().unwrap().1, State::Master);
    let deadline = |witness: &Witness| witness.node.next_deadline().unwrap();
    for v6 in [false, true] {
        witness.hear(millis(3600), &demoted(240, 0, v6));
    }
    assert!(deadline(&witness) <= Instant::default() + millis(3391 + 301), "0.3 s after the last one");
    assert_eq!(witness.states().len(), 2);
    assert!(witness.notices.iter().all(|notice| matches!(notice, Notice::AddressContested { .. })));
}
