//! One node, and somebody on its link who says anything: noise, forgeries, what was said before, and as a member of the
//! group all that the group's password permits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use arbitrary::Arbitrary;
use carp_core::auth::Authenticator;
use carp_core::election::{State, TieRule};
use carp_core::host::Authentication;
use carp_core::node::{Command, LinkState, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement};

use crate::SABOTEUR;
use crate::frames;
use crate::machine::{Act, Birth, Input, Machine};
use crate::spec::{Credentials, Families, Family, Kind, Spec, VHID};

/// More than any input makes a node do, save one that lets a lot of time pass.
const MOST_ACTS: usize = 16;
/// Deadlines that are served in one wait; it ends early after that many, for the fuzzer's speed.
const MOST_WAKES: usize = 200;
/// How many of its own advertisements a node knows again; anybody can replay older ones.
const REMEMBERED: usize = 16;
/// Deadlines that may be overdue one after the other at one moment.
const MOST_DUE: usize = 8;

/// What the node is.
#[derive(Debug, Arbitrary)]
pub struct Config {
    advbase: u8,
    advskew: u8,
    dead_ratio: u8,
    preempt: bool,
    numeric: bool,
    octet: u8,
    families: u8,
    seed: u16,
}

/// What happens to it.
#[derive(Debug, Arbitrary)]
pub enum Step<'a> {
    /// Time passes, and the node is woken whenever it wants.
    Wait(u16),
    /// It is not woken before the end of it.
    Stall(u16),
    /// These bytes arrive.
    Noise(&'a [u8]),
    /// The same with checksums that are right.
    Mended(&'a [u8]),
    /// Another node advertises.
    Peer {
        /// Its advbase and advskew.
        interval: (u8, u8),
        /// Over IPv6?
        v6: bool,
        /// The last octet of its address.
        octet: u8,
        /// Does it know the password?
        genuine: bool,
    },
    /// One of the last frames arrives, from this node or to it, with some bits changed.
    Replay {
        /// Which one.
        age: u8,
        /// At which byte.
        at: u8,
        /// These bits; none if 0.
        bits: u8,
    },
    /// The link is in another state, or in the same.
    Link(u8),
    /// The operator wants another master.
    HandOver,
    /// The node is about to end.
    ShutDown,
    /// The script that runs comes to its end.
    ScriptEnds,
}

/// The node with what is known of it from outside.
struct Subject {
    machine: Machine,
    interval: Interval,
    families: Families,
    authenticators: [Authenticator; 2],
    now: Instant,
    state: State,
    /// The last wish about the address: claim or release; and whether it was answered.
    wants: bool,
    answered: bool,
    leaving: bool,
    told_to_end: bool,
    /// Of the node, and of others.
    frames: Vec<Vec<u8>>,
    own: Vec<u64>,
}

/// Takes a node through all steps.
///
/// # Panics
/// It broke its contract.
pub fn run(config: &Config, steps: &[Step<'_>]) {
    let mut subject = Subject::new(config);
    for step in steps {
        subject.step(step);
    }
}

impl Subject {
    fn new(config: &Config) -> Self {
        let interval = Interval { advbase: config.advbase % 4, advskew: config.advskew };
        let families = Families::ALL[usize::from(config.families) % Families::ALL.len()];
        let spec = Spec {
            interval,
            dead_ratio: u32::from(config.dead_ratio % 5) + 1,
            preempt: config.preempt,
            tie: if config.numeric { TieRule::Numeric } else { TieRule::UcarpLittleEndian },
            families,
            ..Spec::plain(Kind::Ours, config.octet, 0)
        };
        let credentials = Credentials::default();
        let (seed, sabotage) = (config.seed.into(), *SABOTEUR);
        let now = Instant::from_nanos(1_000_000_000);
        // Without stamps: one counter tells an echo, and nothing is doubted for its time.
        let (authentication, wall) = (Authentication::Classic, Duration::ZERO);
        let birth = Birth { spec: &spec, credentials, peers: &[], seed, sabotage, authentication, now, wall };
        Self {
            machine: Machine::new(&birth),
            interval,
            families,
            authenticators: credentials.authenticators(families),
            now,
            state: State::Init,
            wants: false,
            answered: true,
            leaving: false,
            told_to_end: false,
            frames: Vec::new(),
            own: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        match *step {
            Step::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
            Step::Stall(millis) => {
                self.now = self.now + Duration::from_millis(millis.into());
                self.serve();
            }
            Step::Noise(bytes) => self.frame(bytes),
            Step::Mended(bytes) => {
                let mut bytes = bytes.to_vec();
                frames::mend_frame(&mut bytes);
                self.frame(&bytes);
            }
            Step::Peer { interval: (advbase, advskew), v6, octet, genuine } => {
                let family = if v6 { Family::V6 } else { Family::V4 };
                self.peer(Interval { advbase, advskew }, family, octet, genuine);
            }
            Step::Replay { age, at, bits } => {
                let Some(mut bytes) = self.frames.iter().nth_back(usize::from(age)).cloned() else { return };
                let at = usize::from(at) % bytes.len().max(1);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
                self.frame(&bytes);
            }
            Step::Link(state) => {
                let mac = MacAddr([2, 0, 0, 0, 0, 1]);
                let states = [LinkState::Up(mac), LinkState::Down, LinkState::NoCarrier, LinkState::Gone];
                self.feed(Input::Link(states[usize::from(state) % states.len()]));
            }
            Step::HandOver => _ = self.feed(Input::Command(Command::HandOver)),
            Step::ShutDown => {
                self.told_to_end = true;
                self.feed(Input::Command(Command::ShutDown));
            }
            Step::ScriptEnds if self.answered => {}
            Step::ScriptEnds => {
                self.answered = true;
                self.feed(Input::Command(if self.wants { Command::Claimed } else { Command::Released }));
            }
        }
    }

    /// Wakes the node at each of its deadlines.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..MOST_WAKES {
            let Some(due) = self.machine.next_deadline().filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = due.max(self.now);
            self.serve();
        }
    }

    /// Does what is due, which must come to an end.
    fn serve(&mut self) {
        for _ in 0..MOST_DUE {
            if self.machine.next_deadline().is_none_or(|due| due > self.now) {
                // Early or needless: harmless.
                assert!(self.feed(Input::Timeout).is_empty(), "does something although nothing is due");
                return;
            }
            self.feed(Input::Timeout);
        }
        panic!("still due at {:?} after {MOST_DUE} timeouts", self.now);
    }

    fn peer(&mut self, interval: Interval, family: Family, octet: u8, genuine: bool) {
        let counter = self.now.as_nanos() ^ u64::from(octet) << 56;
        let mut digest = self.authenticators[usize::from(octet % 2)].sign(counter);
        digest[0] ^= u8::from(!genuine);
        let (src, dst): (IpAddr, IpAddr) = match family {
            Family::V4 => (Ipv4Addr::new(10, 0, 0, octet).into(), frame::CARP_GROUP_V4.into()),
            Family::V6 => (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, octet.into()).into(), frame::CARP_GROUP_V6.into()),
        };
        let advertisement = AdvertisementFrame {
            src_mac: frame::ucarp_mac(VHID),
            dst_mac: frame::multicast_mac(dst),
            src,
            dst,
            tos: frame::TOS_LOW_DELAY,
            netbsd_checksum: genuine,
            advertisement: advertisement::Repr {
                vhid: VHID,
                advbase: interval.advbase,
                advskew: interval.advskew,
                demotion: 0,
                counter,
                digest,
            },
        };
        self.frame(&advertisement.emit().expect("both addresses are of one family"));
        let better = genuine && self.families.has(family) && interval < self.interval;
        assert!(!better || self.state != State::Master, "still MASTER after a better one was heard");
    }

    /// Whether it says so who knows the password.
    fn vouched_for(&self, said: &advertisement::Repr) -> bool {
        said.vhid == VHID && self.authenticators.iter().any(|form| form.verify(said.counter, &said.digest))
    }

    /// A frame arrives. What the password does not vouch for is at most noticed.
    fn frame(&mut self, bytes: &[u8]) {
        let said = frame::parse(bytes).ok().map(|received| received.advertisement);
        let genuine = said.filter(|said| self.vouched_for(said));
        let known = |counter| self.own.iter().rev().take(REMEMBERED).any(|own| *own == counter);
        let foreign = genuine.filter(|said| !known(said.counter));
        let before = (self.state, self.machine.next_deadline());
        let acts = self.feed(Input::Frame(bytes));
        if foreign.is_none() {
            assert!(acts.iter().all(|act| matches!(act, Act::Notice(_))), "{acts:?} for a forgery or an echo");
            assert_eq!((self.state, self.machine.next_deadline()), before, "changed by a forgery or an echo");
        }
        self.frames.push(bytes.to_vec());
    }

    /// Hands in one input and checks what the node does.
    fn feed(&mut self, input: Input<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        self.machine.handle(self.now, input, &mut acts);
        assert!(acts.len() <= MOST_ACTS, "{acts:?}");
        for act in &acts {
            self.check(act, input);
        }
        let idle = self.machine.next_deadline().is_none();
        assert_eq!(
            idle,
            self.state == State::Init,
            "{:?}, next deadline {:?}",
            self.state,
            self.machine.next_deadline()
        );
        acts
    }

    fn check(&mut self, act: &Act, input: Input<'_>) {
        match act {
            Act::Moved { from, to, why } => {
                assert_eq!((*from, from != to), (self.state, true), "{why}");
                let came_back = self.told_to_end && *from == State::Init;
                assert!(!came_back, "comes back although it was told to end");
                self.state = *to;
                self.leaving = false;
            }
            Act::Claim | Act::Release => {
                let wants = matches!(act, Act::Claim);
                assert_ne!(wants, self.wants, "the same wish twice");
                (self.wants, self.answered) = (wants, false);
            }
            Act::Leaving(_) => {
                assert!(self.state == State::Master && !self.leaving, "leaves what it does not hold, or twice");
                self.leaving = true;
            }
            Act::Send { purpose, frame, .. } => self.sent(*purpose, frame, input),
            Act::Notice(_) => {}
        }
    }

    fn sent(&mut self, purpose: Purpose, bytes: &[u8], input: Input<'_>) {
        if purpose == Purpose::Probe {
            return;
        }
        assert_eq!(self.state, State::Master, "{purpose} although not MASTER");
        if purpose == Purpose::Announcement {
            return assert!(!self.leaving, "announces what it gives up");
        }
        let said = frame::parse(bytes).expect("others must read it").advertisement;
        assert!(self.vouched_for(&said) && said.counter != 0);
        let interval = Interval { advbase: said.advbase, advskew: said.advskew };
        if purpose == Purpose::Goodbye {
            assert_eq!(interval, Interval::BOW_OUT);
            assert!(self.leaving && !self.wants, "a goodbye that nobody asked for");
            assert!(matches!(input, Input::Command(Command::Released)), "a goodbye while the address is still here");
        } else {
            assert_eq!(interval, self.interval);
        }
        self.own.push(said.counter);
        self.frames.push(bytes.to_vec());
    }
}
