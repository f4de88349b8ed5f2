//! UCARP 1.5.2 on a little-endian Linux host.

use std::collections::VecDeque;
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, LinkState, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::{MacAddr, frame};

use super::{Counter, Heard, Voice};
use crate::dice::Dice;
use crate::machine::{Act, Input, Why};
use crate::spec::{ADDRESS, Credentials, Family, Spec, VHID};

/// Received frames can be read up to this long after they arrived.
pub(crate) const READING_DELAY: Duration = Duration::from_secs(1);

/// How long it sleeps when it finds that there is no carrier, deaf to everything.
pub(crate) const CARRIER_SLEEP: Duration = Duration::from_secs(10);

/// How long it sleeps after SIGUSR2.
const HANDOVER_SLEEP: Duration = Duration::from_secs(3);

/// Frames that its packet socket keeps.
const RING: usize = 512;

/// What the process does while it does nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    /// Waits for frames and time.
    No,
    /// Runs the up script since then.
    Up(Instant),
    /// Runs the down script, and then does this.
    Down(Then),
    /// Sleeps until then.
    Asleep(Instant),
    /// Has ended.
    Ended,
}

/// What follows the down script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Listen,
    Sleep(Duration),
    End,
}

/// One `ucarp` process. Everything stands still while a script runs.
pub(crate) struct Ucarp {
    spec: Spec,
    voice: Voice,
    dice: Dice,
    mac: MacAddr,
    state: State,
    busy: Busy,
    carrier: bool,
    /// Told to, but not yet looked at.
    signal: Option<Command>,
    ring: VecDeque<Vec<u8>>,
    ring_ready: Option<Instant>,
    /// When the wait for frames ends. Deadlines are looked at only then, or after frames.
    poll_ends: Instant,
    /// MASTER: the next advertisement. BACKUP: the moment from which it takes over.
    due: Instant,
    /// Advertisements until the second gratuitous ARP; 0 for none.
    announce_in: u8,
}

impl Ucarp {
    pub(crate) fn new(spec: &Spec, credentials: Credentials, seed: u64) -> Self {
        let counter = Counter::Adopted { last: 0, heard: false };
        Self {
            spec: *spec,
            voice: Voice::new(spec, credentials, frame::ucarp_mac(VHID), true, counter),
            dice: Dice::new(seed),
            mac: MacAddr([0; 6]),
            state: State::Init,
            busy: Busy::Ended,
            carrier: false,
            signal: None,
            ring: VecDeque::new(),
            ring_ready: None,
            poll_ends: Instant::default(),
            due: Instant::default(),
            announce_in: 0,
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.busy {
            Busy::Up(_) | Busy::Down(_) | Busy::Ended => None,
            Busy::Asleep(until) => Some(until),
            Busy::No => Some(self.ring_ready.map_or(self.poll_ends, |ready| ready.min(self.poll_ends))),
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>, acts: &mut Vec<Act>) {
        match input {
            Input::Frame(frame) => self.arrived(now, frame),
            Input::Link(LinkState::Up(mac)) => self.link_up(mac, acts),
            Input::Link(_) => self.carrier = false,
            Input::Command(Command::Claimed) => self.up_script_ended(now, acts),
            Input::Command(Command::Released) => self.down_script_ended(now),
            Input::Command(command) => self.signalled(now, command, acts),
            // It demotes itself only when sending fails, which does not happen here, and cannot be reloaded.
            Input::Demote(_) | Input::Reload(_) => {}
            Input::Timeout => self.woken(now, acts),
        }
    }

    /// The frame waits in the ring until its block is handed over.
    fn arrived(&mut self, now: Instant, frame: &[u8]) {
        if self.busy == Busy::Ended || self.ring.len() == RING {
            return;
        }
        self.ring.push_back(frame.to_vec());
        if self.ring_ready.is_none() {
            self.ring_ready = Some(now + self.dice.duration(Duration::ZERO, READING_DELAY));
        }
    }

    /// The first time this is the start: BACKUP, and the down script.
    fn link_up(&mut self, mac: MacAddr, acts: &mut Vec<Act>) {
        self.carrier = true;
        self.mac = mac;
        if self.state == State::Init && self.busy == Busy::Ended {
            self.enter(State::Backup, "started", Then::Listen, acts);
        }
    }

    fn signalled(&mut self, now: Instant, command: Command, acts: &mut Vec<Act>) {
        match self.busy {
            Busy::No => self.obey(now, command, acts),
            Busy::Ended => {}
            Busy::Up(_) | Busy::Down(_) | Busy::Asleep(_) => self.signal = Some(command),
        }
    }

    fn obey(&mut self, now: Instant, command: Command, acts: &mut Vec<Act>) {
        match (command, self.state) {
            (Command::HandOver, State::Master) => {
                self.enter(State::Backup, "SIGUSR2", Then::Sleep(HANDOVER_SLEEP), acts);
            }
            // With -z: the down script, and no farewell.
            (Command::ShutDown, State::Master) => self.enter(State::Init, "SIGTERM", Then::End, acts),
            (Command::ShutDown, _) => {
                self.move_to(State::Init, "SIGTERM", acts);
                self.busy = Busy::Ended;
            }
            _ => self.wait(now),
        }
    }

    fn up_script_ended(&mut self, now: Instant, acts: &mut Vec<Act>) {
        let Busy::Up(decided) = self.busy else { return };
        self.busy = Busy::No;
        self.announce(acts);
        self.advertise(acts);
        self.announce_in = 2;
        self.due = decided + self.spec.interval.duration();
        self.wait(now);
    }

    fn down_script_ended(&mut self, now: Instant) {
        let Busy::Down(then) = self.busy else { return };
        match then {
            Then::Listen => {
                self.busy = Busy::No;
                self.due = now + self.dead_time();
                self.wait(now);
            }
            Then::Sleep(how_long) => self.busy = Busy::Asleep(now + how_long),
            Then::End => self.busy = Busy::Ended,
        }
    }

    /// One turn of its loop.
    fn woken(&mut self, now: Instant, acts: &mut Vec<Act>) {
        match self.busy {
            Busy::Asleep(until) if until <= now => {
                self.busy = Busy::No;
                self.due = now + self.dead_time();
            }
            Busy::No => {}
            _ => return,
        }
        if let Some(command) = self.signal.take() {
            return self.obey(now, command, acts);
        }
        if !self.carrier {
            return self.no_carrier(now, acts);
        }
        if self.ring_ready.is_some_and(|ready| ready <= now) {
            self.read(now, acts);
        }
        if self.busy == Busy::No && self.due <= now {
            match self.state {
                State::Backup => self.become_master(now, "no master for the dead time", acts),
                State::Master => {
                    self.advertise(acts);
                    self.due = self.due + self.spec.interval.duration();
                }
                State::Init => {}
            }
        }
        self.wait(now);
    }

    fn no_carrier(&mut self, now: Instant, acts: &mut Vec<Act>) {
        if self.state == State::Master {
            self.enter(State::Backup, "no carrier", Then::Sleep(CARRIER_SLEEP), acts);
        } else {
            self.busy = Busy::Asleep(now + CARRIER_SLEEP);
        }
    }

    fn read(&mut self, now: Instant, acts: &mut Vec<Act>) {
        while let Some(frame) = self.ring.pop_front() {
            if let Some(peer) = self.voice.hear(&frame)
                && peer.source != IpAddr::V4(self.spec.source)
            {
                self.heard(now, peer, acts);
            }
            if self.busy != Busy::No {
                break;
            }
        }
        self.ring_ready = (!self.ring.is_empty()).then_some(now);
    }

    fn heard(&mut self, now: Instant, peer: Heard, acts: &mut Vec<Act>) {
        let own = self.spec.interval;
        let too_slow = Interval { advbase: own.advbase.saturating_mul(self.ratio()), ..own } < peer.interval;
        match self.state {
            State::Init => {}
            State::Backup if self.spec.preempt && own < peer.interval => {
                self.become_master(now, "preempting a slower master", acts);
            }
            State::Backup if too_slow => self.become_master(now, "the master would time out", acts),
            State::Backup => self.due = now + self.dead_time(),
            State::Master => {
                let rank = |address| match address {
                    IpAddr::V4(address) => u32::from_le_bytes(address.octets()),
                    IpAddr::V6(_) => u32::MAX,
                };
                let (mine, theirs) = (rank(IpAddr::V4(self.spec.source)), rank(peer.source));
                if peer.interval < own || (peer.interval == own && theirs < mine) {
                    // Once more as MASTER: the advertisement that makes a kernel step down too.
                    self.advertise(acts);
                    self.enter(State::Backup, "a preferred master", Then::Listen, acts);
                } else if own < peer.interval || mine < theirs {
                    self.announce(acts);
                    self.announce_in = 2;
                }
            }
        }
    }

    fn ratio(&self) -> u8 {
        u8::try_from(self.spec.dead_ratio).unwrap_or(u8::MAX)
    }

    /// advskew counts once, whatever the dead ratio.
    fn dead_time(&self) -> Duration {
        let whole = u64::from(self.spec.interval.advbase) * u64::from(self.spec.dead_ratio);
        Duration::from_secs(whole) + self.spec.interval.skew()
    }

    fn wait(&mut self, now: Instant) {
        self.poll_ends = now + self.spec.interval.duration();
        if self.state == State::Master {
            self.poll_ends = self.poll_ends.min(self.due.max(now));
        }
    }

    fn become_master(&mut self, now: Instant, why: &'static str, acts: &mut Vec<Act>) {
        self.move_to(State::Master, why, acts);
        self.busy = Busy::Up(now);
        acts.push(Act::Claim);
    }

    /// Leaves MASTER, or starts: runs the down script.
    fn enter(&mut self, to: State, why: &'static str, then: Then, acts: &mut Vec<Act>) {
        self.move_to(to, why, acts);
        self.busy = Busy::Down(then);
        acts.push(Act::Release);
    }

    fn move_to(&mut self, to: State, why: &'static str, acts: &mut Vec<Act>) {
        let from = mem::replace(&mut self.state, to);
        acts.push(Act::Moved { from, to, why: Why::Theirs(why) });
    }

    fn advertise(&mut self, acts: &mut Vec<Act>) {
        let frame = self.voice.say(&mut self.dice, Family::V4, self.spec.interval, 0);
        acts.push(Act::Send { purpose: Purpose::Advertisement, to: None, frame });
        if self.announce_in > 0 {
            self.announce_in -= 1;
            if self.announce_in == 0 {
                self.announce(acts);
            }
        }
    }

    fn announce(&self, acts: &mut Vec<Act>) {
        let frame = frame::gratuitous_arp(self.mac, ADDRESS).to_vec();
        acts.push(Act::Send { purpose: Purpose::Announcement, to: None, frame });
    }
}
