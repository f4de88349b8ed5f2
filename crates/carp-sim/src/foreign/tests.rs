use std::net::Ipv4Addr;
use std::time::Duration;

use carp_core::election::State;
use carp_core::host::Authentication;
use carp_core::node::{Command, LinkState, Purpose};
use carp_core::time::Instant;
use carp_core::wire::frame::{self, Received};

use crate::fault::{Fault, Planned};
use crate::machine::{Act, Birth, Input, Machine};
use crate::moment::Moment;
use crate::scenario::Scenario;
use crate::spec::{Credentials, Families, Kind, Spec, VHID};
use crate::world::{Move, World};
use carp_core::wire::{MacAddr, advertisement};

fn spec(kind: Kind, last: u8, advskew: u8) -> Spec {
    Spec::plain(kind, last, advskew)
}

fn at(seconds: f64) -> Moment {
    Moment::default() + Duration::from_secs_f64(seconds)
}

fn seconds(moment: Moment) -> f64 {
    (moment - Moment::default()).as_secs_f64()
}

/// The changes of state of a run of a minute.
fn moves(seed: u64, specs: &[Spec], faults: &[Planned]) -> Vec<Move> {
    let outcome = World::new(Scenario::plain(seed, specs.to_vec(), faults.to_vec(), at(60.0)), false).run();
    assert_eq!(outcome.violation, None, "seed {seed}");
    outcome.moves
}

/// How long nobody was MASTER after `from`, and how many were at the end.
fn holes(moves: &[Move], from: Moment) -> (Duration, usize) {
    let (mut masters, mut empty_since, mut hole) = (0_usize, None, Duration::ZERO);
    for step in moves {
        masters -= usize::from(step.from == State::Master);
        masters += usize::from(step.to == State::Master);
        if let Some(since) = empty_since.take_if(|_| masters > 0)
            && step.at > from
        {
            hole += step.at - from.max(since);
        }
        if masters == 0 {
            empty_since.get_or_insert(step.at);
        }
    }
    (hole, masters)
}

/// Both are MASTER in a partition, which heals at some moment after 20 s.
fn heal(seed: u64, one: Spec, other: Spec) -> (Duration, usize) {
    let joined = at(20.0 + f64::from(u8::try_from(seed).unwrap()) / 16.0);
    let apart = Planned { begin: at(0.0), end: joined, fault: Fault::Partition { side: 1 } };
    holes(&moves(seed, &[one, other], &[apart]), joined)
}

/// A machine whose link is up, and what it has done.
struct Subject {
    machine: Machine,
    now: Instant,
    acts: Vec<Act>,
}

impl Subject {
    fn new(spec: Spec) -> Self {
        let machine = Machine::new(&Birth {
            spec: &spec,
            credentials: Credentials::default(),
            peers: &[],
            seed: 7,
            sabotage: None,
            authentication: Authentication::default(),
            now: Instant::default(),
            wall: Duration::ZERO,
        });
        let mut subject = Self { machine, now: Instant::from_nanos(5_000_000_000), acts: Vec::new() };
        subject.act(Input::Link(LinkState::Up(MacAddr([2, 0, 0, 0, 0, 1]))));
        subject.act(Input::Command(Command::Released));
        subject
    }

    fn act(&mut self, input: Input<'_>) {
        self.machine.handle(self.now, input, &mut self.acts);
    }

    /// Lets time pass until it is MASTER, with scripts that take no time.
    fn become_master(&mut self) {
        for _ in 0..20 {
            if self.acts.iter().any(|act| matches!(act, Act::Moved { to: State::Master, .. })) {
                return self.act(Input::Command(Command::Claimed));
            }
            self.now = self.machine.next_deadline().expect("it waits for a master");
            self.act(Input::Timeout);
        }
        panic!("never MASTER");
    }

    /// The advertisements since the last call.
    fn sent(&mut self) -> Vec<(Purpose, Received)> {
        let sent = |act| match act {
            Act::Send { purpose, frame, .. } => Some((purpose, frame::parse(&frame).ok()?)),
            _ => None,
        };
        std::mem::take(&mut self.acts).into_iter().filter_map(sent).collect()
    }

    /// Serves its next deadline; the counters of what it then sends.
    fn turn(&mut self) -> Vec<u64> {
        self.now = self.machine.next_deadline().expect("a MASTER advertises");
        self.act(Input::Timeout);
        self.sent().iter().map(|(_, received)| received.advertisement.counter).collect()
    }

    fn advertise(&mut self) -> Received {
        self.sent();
        self.now = self.machine.next_deadline().expect("a MASTER advertises");
        self.act(Input::Timeout);
        self.sent().first().expect("an advertisement").1
    }
}

/// An advertisement of ours with this counter.
fn frame_of_ours(counter: u64, advskew: u8) -> Vec<u8> {
    let advertisement = advertisement::Repr {
        vhid: VHID,
        advbase: 1,
        advskew,
        demotion: 0,
        counter,
        digest: Credentials::default().authenticator(Families::V4).sign(counter),
    };
    frame::AdvertisementFrame {
        src_mac: frame::ucarp_mac(VHID),
        dst_mac: frame::multicast_mac(frame::CARP_GROUP_V4.into()),
        src: Ipv4Addr::new(10, 0, 0, 9).into(),
        dst: frame::CARP_GROUP_V4.into(),
        tos: frame::TOS_LOW_DELAY,
        netbsd_checksum: false,
        advertisement,
    }
    .emit()
    .unwrap()
    .to_vec()
}

#[test]
fn a_lone_node_becomes_master_after_its_dead_time_in_its_own_rounding() {
    for (kind, advskew, low, high) in [
        (Kind::Ucarp, 0, 3.0, 3.001),
        (Kind::Ucarp, 128, 4.5, 4.501),
        (Kind::Ucarp, 254, 5.976, 5.977),
        (Kind::FreeBsd, 128, 3.5, 3.503),
        (Kind::NetBsd, 128, 3.5, 3.521),
        (Kind::OpenBsd, 128, 4.5, 4.521),
    ] {
        let moves = moves(1, &[spec(kind, 1, advskew)], &[]);
        let first = moves.iter().find(|step| step.to == State::Master).expect("somebody becomes MASTER");
        assert!((low..=high).contains(&seconds(first.at)), "{kind} advskew {advskew}: {} s", seconds(first.at));
    }
}

#[test]
fn ucarp_replaces_a_dead_master_after_three_to_four_seconds_as_measured() {
    let mut times = Vec::new();
    for seed in 0..100 {
        let crash = Planned { begin: at(20.0), end: at(60.0), fault: Fault::Crash { node: 0 } };
        let moves = moves(seed, &[spec(Kind::Ours, 1, 0), spec(Kind::Ucarp, 2, 0)], &[crash]);
        let late = |step: &&Move| step.node == 1 && step.to == State::Master && step.at > at(20.0);
        let takes_over = moves.iter().find(late).expect("a takeover");
        // The last advertisement of its master came in the second before.
        times.push(seconds(takes_over.at) - 20.0);
    }
    times.sort_by(f64::total_cmp);
    assert!(times[0] >= 2.0 && times[99] < 4.05, "{times:?}");
    assert!(times[99] - times[0] > 0.7, "it reads late, at random: {times:?}");
}

#[test]
fn a_kernel_steps_down_for_ours_whatever_the_addresses_and_without_a_hole() {
    for kind in [Kind::FreeBsd, Kind::NetBsd, Kind::OpenBsd] {
        for (seed, last) in (0..20).map(|seed| (seed, if seed % 2 == 0 { 1 } else { 99 })) {
            let (hole, masters) = heal(seed, spec(Kind::Ours, last, 0), spec(kind, 50, 0));
            assert_eq!((hole, masters), (Duration::ZERO, 1), "{kind}, seed {seed}");
        }
    }
}

#[test]
fn ucarp_and_ours_settle_a_tie_without_a_hole() {
    for seed in 0..40 {
        let last = if seed % 2 == 0 { 1 } else { 99 };
        let (hole, masters) = heal(seed, spec(Kind::Ours, last, 0), spec(Kind::Ucarp, 50, 0));
        assert_eq!((hole, masters), (Duration::ZERO, 1), "seed {seed}");
    }
}

#[test]
fn ucarp_and_a_kernel_both_step_down_as_was_seen_when_the_kernels_address_is_lower() {
    let holes: Vec<_> =
        (0..40).map(|seed| heal(seed, spec(Kind::FreeBsd, 1, 0), spec(Kind::Ucarp, 50, 0)).0.as_secs_f64()).collect();
    let with_hole = holes.iter().filter(|hole| **hole > 2.5).count();
    assert!(with_hole > 5, "the known hole of 3 s shows: {holes:?}");
    for seed in 0..40 {
        let (hole, masters) = heal(seed, spec(Kind::FreeBsd, 99, 0), spec(Kind::Ucarp, 50, 0));
        assert_eq!((hole, masters), (Duration::ZERO, 1), "a lower ucarp stays, seed {seed}");
    }
}

#[test]
fn two_equal_kernels_that_hear_a_goodbye_both_take_over_and_both_step_down() {
    let stop = |seed| {
        let end = at(59.0);
        let restart = Fault::Restart { node: 0, spec: spec(Kind::OpenBsd, 1, 0) };
        let specs = [spec(Kind::OpenBsd, 1, 0), spec(Kind::NetBsd, 2, 50), spec(Kind::FreeBsd, 3, 50)];
        let moves = moves(seed, &specs, &[Planned { begin: at(20.0), end, fault: restart }]);
        holes(&moves, at(20.0)).0.as_secs_f64()
    };
    let holes: Vec<_> = (0..20).map(stop).collect();
    let as_measured = holes.iter().filter(|hole| (3.19..3.21).contains(*hole)).count();
    assert!(as_measured > 12, "3.2 s unless their ticks keep them apart: {holes:?}");
}

#[test]
fn goodbyes_are_said_by_those_who_do() {
    for (kind, says) in [(Kind::OpenBsd, true), (Kind::NetBsd, true), (Kind::FreeBsd, false), (Kind::Ucarp, false)] {
        let mut subject = Subject::new(spec(kind, 1, 0));
        subject.become_master();
        subject.sent();
        subject.act(Input::Command(Command::ShutDown));
        let goodbye = subject.sent().iter().any(|(purpose, received)| {
            *purpose == Purpose::Goodbye
                && received.advertisement.advbase == 255
                && received.advertisement.advskew == 255
        });
        assert_eq!(goodbye, says, "{kind}");
    }
}

#[test]
fn demotion_shows_in_each_kernels_own_way() {
    for (kind, advskew, demotion, shown) in [
        (Kind::FreeBsd, 10, 100, (110, 0)),
        (Kind::FreeBsd, 10, 240, (240, 0)),
        (Kind::FreeBsd, 250, 0, (240, 0)),
        (Kind::NetBsd, 10, 1, (240, 0)),
        (Kind::NetBsd, 250, 1, (250, 0)),
        (Kind::OpenBsd, 10, 100, (10, 100)),
    ] {
        let mut subject = Subject::new(spec(kind, 1, advskew));
        subject.become_master();
        subject.act(Input::Demote(demotion));
        let heard = subject.advertise().advertisement;
        assert_eq!((heard.advskew, heard.demotion), shown, "{kind} advskew {advskew} demoted by {demotion}");
    }
}

#[test]
fn counters_are_adopted_or_constant() {
    for kind in [Kind::Ucarp, Kind::FreeBsd, Kind::NetBsd] {
        let mut subject = Subject::new(spec(kind, 1, 0));
        subject.become_master();
        let (one, other) = (subject.advertise().advertisement.counter, subject.advertise().advertisement.counter);
        assert!(other != one && other != one.wrapping_add(1), "{kind}: random while it is alone");
        subject.act(Input::Frame(&frame_of_ours(1000, 255)));
        // UCARP reads it within a second, in which its next advertisement may be due.
        let counters: Vec<_> = (0..4).flat_map(|_| subject.turn()).collect();
        assert!(counters.contains(&1001) && counters.contains(&1002), "{kind}: {counters:?}");
    }
    let mut subject = Subject::new(spec(Kind::OpenBsd, 1, 0));
    subject.become_master();
    let (one, other) = (subject.advertise().advertisement.counter, subject.advertise().advertisement.counter);
    assert_eq!(one, other);
}

#[test]
fn openbsd_drops_counter_zero_before_its_first_advertisement_and_its_own_counter_after() {
    let waits = |counter| {
        let mut subject = Subject::new(spec(Kind::OpenBsd, 1, 100));
        let before = subject.machine.next_deadline();
        subject.now = subject.now + Duration::from_secs(1);
        subject.act(Input::Frame(&frame_of_ours(counter, 0)));
        subject.machine.next_deadline() > before
    };
    assert!(waits(1) && !waits(0));
}

#[test]
fn ucarp_says_a_parting_word_before_it_steps_down_and_kernels_do_not() {
    for (kind, words) in [(Kind::Ucarp, 1), (Kind::FreeBsd, 0), (Kind::NetBsd, 0), (Kind::OpenBsd, 0)] {
        let mut subject = Subject::new(spec(kind, 50, 100));
        subject.become_master();
        subject.advertise();
        subject.act(Input::Frame(&frame_of_ours(5, 0)));
        // UCARP reads it within a second, in which its next regular advertisement may be due too.
        for _ in 0..4 {
            if !subject.acts.iter().any(|act| matches!(act, Act::Moved { to: State::Backup, .. })) {
                subject.acts.clear();
                subject.now = subject.machine.next_deadline().unwrap();
                subject.act(Input::Timeout);
            }
        }
        assert!(subject.acts.iter().any(|act| matches!(act, Act::Moved { to: State::Backup, .. })), "{kind}");
        assert_eq!(subject.sent().len(), words, "{kind}");
    }
}
