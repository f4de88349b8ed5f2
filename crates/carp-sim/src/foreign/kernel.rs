//! The CARP of the BSD kernels: one state machine, and a table of what differs.

use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{Command, LinkState, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::{MacAddr, arp, ethernet, frame};

use super::{Counter, Heard, Voice, freebsd, netbsd, openbsd};
use crate::dice::Dice;
use crate::machine::{Act, Input, Why};
use crate::spec::{ADDRESS, Credentials, Family, Kind, Spec, VHID};

/// How a demotion shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demotion {
    /// FreeBSD 10 and later: added to advskew, which is never above 240.
    Added,
    /// NetBSD: while there is any, advskew is 240 unless it is higher anyway.
    Suppressed,
    /// OpenBSD: in byte 4 of the header, and compared apart from the interval.
    Byte4,
}

/// What differs between the kernels.
pub(super) struct Traits {
    /// Timers fire on ticks of this length.
    pub(super) tick: Duration,
    /// Says 255/255 when it is set down as MASTER.
    pub(super) bows_out: bool,
    /// Takes the counter of what it hears.
    pub(super) adopts_counter: bool,
    pub(super) demotion: Demotion,
    /// Demotion while the link is down.
    pub(super) link_down_demotion: i32,
    /// How long it waits for a master, from the configured interval.
    pub(super) master_down: fn(Interval) -> Duration,
}

/// `3 * advbase + advskew/256` s: all but the newest OpenBSD.
pub(super) fn plain_master_down(interval: Interval) -> Duration {
    Duration::from_secs(u64::from(interval.advbase) * 3) + interval.skew()
}

/// One carp interface.
pub(crate) struct Kernel {
    traits: &'static Traits,
    spec: Spec,
    voice: Voice,
    dice: Dice,
    state: State,
    link_up: bool,
    demotion: i32,
    /// MASTER: the next advertisement.
    next: Option<Instant>,
    /// BACKUP: a timer for each family that it has addresses of. Either makes it MASTER.
    master_down: [Option<Instant>; 2],
    /// Where the ticks of this host fall.
    phase: Duration,
}

impl Kernel {
    pub(crate) fn new(spec: &Spec, credentials: Credentials, seed: u64) -> Self {
        let traits = match spec.kind {
            Kind::OpenBsd => &openbsd::TRAITS,
            Kind::NetBsd => &netbsd::TRAITS,
            _ => &freebsd::TRAITS,
        };
        let counter = if traits.adopts_counter {
            Counter::Adopted { last: 0, heard: false }
        } else {
            Counter::Cookie { sent: None }
        };
        let mut dice = Dice::new(seed);
        let phase = dice.duration(Duration::ZERO, traits.tick);
        let voice = Voice::new(spec, credentials, frame::kernel_mac(VHID), false, counter);
        let (state, spec) = (State::Init, *spec);
        let (next, master_down) = (None, [None; 2]);
        Self { traits, spec, voice, dice, state, link_up: false, demotion: 0, next, master_down, phase }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let [v4, v6] = self.master_down;
        [self.next, v4, v6].into_iter().flatten().min()
    }

    /// Own interval as it is advertised and compared.
    fn rank(&self) -> Interval {
        let Interval { advbase, advskew } = self.spec.interval;
        let advskew = match self.traits.demotion {
            Demotion::Added => (i32::from(advskew) + self.demotion).clamp(0, 240),
            Demotion::Suppressed if self.demotion > 0 => i32::from(advskew).max(240),
            Demotion::Suppressed | Demotion::Byte4 => i32::from(advskew),
        };
        Interval { advbase, advskew: u8::try_from(advskew).expect("clamped, or a skew") }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>, acts: &mut Vec<Act>) {
        match input {
            Input::Frame(frame) => {
                if let Some(heard) = self.voice.hear(frame) {
                    self.heard(now, heard, acts);
                }
            }
            Input::Link(LinkState::Up(_)) => self.link(now, true, acts),
            Input::Link(_) => self.link(now, false, acts),
            Input::Command(Command::HandOver) => self.hand_over(now, acts),
            Input::Command(Command::ShutDown) => self.set_down(acts),
            // The address answers from the moment at which the state changes, and it knows no other commands.
            Input::Command(_) | Input::Reload(_) => {}
            Input::Demote(by) => self.demote(now, by, acts),
            Input::Timeout => self.timeout(now, acts),
        }
    }

    fn timeout(&mut self, now: Instant, acts: &mut Vec<Act>) {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.state {
            State::Init => self.stop_timers(),
            State::Backup => self.become_master(now, "no master for the dead time", acts),
            State::Master => self.advertise(now, acts),
        }
    }

    fn heard(&mut self, now: Instant, peer: Heard, acts: &mut Vec<Act>) {
        match self.state {
            State::Master if self.yields_to(peer) => self.become_backup(now, "a better or equal master", acts),
            State::Init | State::Master => {}
            State::Backup => match self.reason_to_take_over(peer) {
                Some(why) => self.become_master(now, why, acts),
                None => self.listen_for(now, Family::of(peer.source)),
            },
        }
    }

    /// A MASTER that hears an equal one steps down: no kernel compares addresses.
    fn yields_to(&self, peer: Heard) -> bool {
        let no_better = self.rank() >= peer.interval;
        if self.traits.demotion == Demotion::Byte4 {
            let (own, theirs) = (self.byte4(), peer.demotion);
            return (no_better && theirs <= own) || theirs < own;
        }
        no_better
    }

    fn reason_to_take_over(&self, peer: Heard) -> Option<&'static str> {
        let own = self.rank();
        let in_byte4 = self.traits.demotion == Demotion::Byte4;
        let slowest = Interval { advbase: own.advbase.saturating_mul(3), ..own };
        if self.spec.preempt && own < peer.interval && (!in_byte4 || peer.demotion >= self.byte4()) {
            Some("preempting a slower master")
        } else if in_byte4 && peer.demotion > self.byte4() {
            Some("the master is demoted")
        } else if slowest < peer.interval && (!in_byte4 || own.advbase != 0) {
            Some("the master would time out")
        } else {
            None
        }
    }

    fn byte4(&self) -> u8 {
        if self.traits.demotion == Demotion::Byte4 {
            u8::try_from(self.demotion.clamp(0, 255)).expect("clamped")
        } else {
            0
        }
    }

    fn link(&mut self, now: Instant, up: bool, acts: &mut Vec<Act>) {
        if up == self.link_up {
            return;
        }
        self.link_up = up;
        if up {
            // The first time there was nothing to revert.
            self.demotion = (self.demotion - self.traits.link_down_demotion).max(0);
            self.enter(State::Backup, "the link is up", acts);
            self.listen(now);
        } else {
            self.demotion += self.traits.link_down_demotion;
            self.enter(State::Init, "the link is down", acts);
            self.stop_timers();
        }
    }

    /// FreeBSD: `ifconfig ... state backup`. The others: set down and up again.
    fn hand_over(&mut self, now: Instant, acts: &mut Vec<Act>) {
        if self.state != State::Master {
            return;
        }
        if self.traits.bows_out {
            self.set_down(acts);
        }
        self.enter(State::Backup, "told to be backup", acts);
        self.listen(now);
    }

    fn set_down(&mut self, acts: &mut Vec<Act>) {
        if self.state == State::Master && self.traits.bows_out {
            self.say(Purpose::Goodbye, Interval::BOW_OUT, acts);
        }
        self.stop_timers();
        if self.state != State::Init {
            self.enter(State::Init, "set down", acts);
        }
    }

    /// Every change makes a MASTER advertise at once (OpenBSD and NetBSD: the first one).
    fn demote(&mut self, now: Instant, by: i32, acts: &mut Vec<Act>) {
        let before = self.demotion;
        self.demotion += by;
        let told = self.traits.demotion == Demotion::Added || (before == 0 && self.demotion > 0);
        if self.state == State::Master && told {
            self.advertise(now, acts);
        }
    }

    fn become_master(&mut self, now: Instant, why: &'static str, acts: &mut Vec<Act>) {
        self.enter(State::Master, why, acts);
        acts.push(Act::Claim);
        self.advertise(now, acts);
        acts.push(Act::Send { purpose: Purpose::Announcement, to: None, frame: announcement() });
    }

    /// Silently: no kernel says anything when it steps down.
    fn become_backup(&mut self, now: Instant, why: &'static str, acts: &mut Vec<Act>) {
        self.enter(State::Backup, why, acts);
        self.listen(now);
    }

    fn enter(&mut self, to: State, why: &'static str, acts: &mut Vec<Act>) {
        let from = std::mem::replace(&mut self.state, to);
        acts.push(Act::Moved { from, to, why: Why::Theirs(why) });
        if from == State::Master {
            acts.push(Act::Release);
        }
    }

    fn advertise(&mut self, now: Instant, acts: &mut Vec<Act>) {
        let rank = self.rank();
        self.say(Purpose::Advertisement, rank, acts);
        self.stop_timers();
        self.next = Some(self.on_tick(now + rank.duration()));
    }

    /// Over each family that it has addresses of.
    fn say(&mut self, purpose: Purpose, interval: Interval, acts: &mut Vec<Act>) {
        let byte4 = self.byte4();
        for family in Family::BOTH.into_iter().filter(|family| self.spec.families.has(*family)) {
            let frame = self.voice.say(&mut self.dice, family, interval, byte4);
            acts.push(Act::Send { purpose, to: None, frame });
        }
    }

    fn stop_timers(&mut self) {
        (self.next, self.master_down) = (None, [None; 2]);
    }

    fn listen(&mut self, now: Instant) {
        self.stop_timers();
        Family::BOTH.into_iter().for_each(|family| self.listen_for(now, family));
    }

    /// What it hears over one family says nothing about the other one.
    fn listen_for(&mut self, now: Instant, family: Family) {
        if self.spec.families.has(family) {
            let due = self.on_tick(now + (self.traits.master_down)(self.spec.interval));
            self.master_down[usize::from(family == Family::V6)] = Some(due);
        }
    }

    /// Timers are rounded up to ticks, plus one.
    fn on_tick(&self, at: Instant) -> Instant {
        let tick = u64::try_from(self.traits.tick.as_nanos()).expect("a tick is short");
        let phase = u64::try_from(self.phase.as_nanos()).expect("a tick is short");
        let ticks = at.as_nanos().saturating_sub(phase).div_ceil(tick) + 1;
        Instant::from_nanos(ticks * tick + phase)
    }
}

/// Gratuitous ARP with the virtual address on the link; the kernels leave zeros in the target field.
fn announcement() -> Vec<u8> {
    let mac = frame::kernel_mac(VHID);
    let ethernet = ethernet::Repr { dst: MacAddr::BROADCAST, src: mac, ethertype: ethernet::EtherType::Arp };
    let arp = arp::Repr {
        operation: arp::Operation::Request,
        sender_mac: mac,
        sender_ip: ADDRESS,
        target_mac: MacAddr([0; 6]),
        target_ip: ADDRESS,
    };
    [&ethernet.emit()[..], &arp.emit()].concat()
}
