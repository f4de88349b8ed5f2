//! Planted faults: a node of ours that breaks one rule, to show that the checkers notice.
//!
//! The core itself cannot be changed at run time, so a fault is made from outside: by editing or dropping what goes in,
//! by delaying or adding to what comes out, or by a configuration other than the one that the checkers know of.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use carp_core::auth::Authenticator;
use carp_core::election::State;
use carp_core::host::VirtualHostConfig;
use carp_core::node::{Command, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame, Received};

use crate::machine::{Act, Input};
use crate::spec::{Credentials, Spec};

/// A rule that a sabotaged node breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Takes faster peers for slower ones and the reverse.
    ReversedOrder,
    /// As MASTER, does not hear a better one.
    DeafToBetter,
    /// As MASTER, does not hear an equal one.
    NoTieRule,
    /// As BACKUP, waits for one interval too long.
    LateTakeover,
    /// As BACKUP, waits for one advbase too little.
    EarlyTakeover,
    /// As MASTER, advertises every second interval.
    SlowAdvertiser,
    /// Does not give the address up.
    ForgetsRelease,
    /// Does not take the address.
    ForgetsClaim,
    /// Advertises once more after its goodbye.
    SpeaksAfterGoodbye,
    /// Says goodbye while the address is still there.
    GoodbyeWhileHeld,
    /// Advertises once more after stepping down.
    SpeaksAfterSteppingDown,
    /// Leaves by command without a goodbye.
    SkipsGoodbye,
    /// Does not hear goodbyes.
    IgnoresGoodbye,
    /// Does not preempt although it should.
    NeverPreempts,
    /// Believes advertisements with any digest.
    TrustsAnybody,
    /// Takes its own advertisements, sent back by a switch, for those of a peer.
    HearsItself,
    /// Does not notice that it did not run for a while.
    IgnoresStall,
}

impl Sabotage {
    /// All planted faults.
    pub const ALL: [Self; 17] = [
        Self::ReversedOrder,
        Self::DeafToBetter,
        Self::NoTieRule,
        Self::LateTakeover,
        Self::EarlyTakeover,
        Self::SlowAdvertiser,
        Self::ForgetsRelease,
        Self::ForgetsClaim,
        Self::SpeaksAfterGoodbye,
        Self::GoodbyeWhileHeld,
        Self::SpeaksAfterSteppingDown,
        Self::SkipsGoodbye,
        Self::IgnoresGoodbye,
        Self::NeverPreempts,
        Self::TrustsAnybody,
        Self::HearsItself,
        Self::IgnoresStall,
    ];
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(|sabotage| sabotage.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|sabotage| sabotage.to_string() == name);
        found.ok_or_else(|| format!("no such planted fault: {name}: use one of {}", names()))
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Breaks the rule on one node.
pub(crate) struct Saboteur {
    sabotage: Sabotage,
    spec: Spec,
    authenticator: Authenticator,
    /// The last regular advertisement, to send it again when it must not be.
    last_sent: Vec<u8>,
    leaving: bool,
    /// [`Sabotage::IgnoresStall`]: how far the core's clock has been held back.
    held_back: Duration,
}

impl Saboteur {
    pub(crate) fn new(sabotage: Sabotage, spec: &Spec, credentials: Credentials) -> Self {
        Self {
            sabotage,
            spec: *spec,
            authenticator: credentials.authenticator(),
            last_sent: Vec::new(),
            leaving: false,
            held_back: Duration::ZERO,
        }
    }

    pub(crate) fn configure(&self, config: &mut VirtualHostConfig) {
        match self.sabotage {
            Sabotage::EarlyTakeover => config.dead_ratio -= 1,
            Sabotage::NeverPreempts => config.preempt = false,
            _ => {}
        }
    }

    /// When the core gets its timeout, given when it wants it.
    pub(crate) fn deadline(&self, state: State, wanted: Option<Instant>) -> Option<Instant> {
        let late = matches!(
            (self.sabotage, state),
            (Sabotage::LateTakeover, State::Backup) | (Sabotage::SlowAdvertiser, State::Master)
        );
        let delay = if late { self.spec.interval.duration() } else { self.held_back };
        wanted.map(|wanted| wanted + delay)
    }

    /// What the core is told about the time.
    pub(crate) fn time(&mut self, now: Instant, state: State, wanted: Option<Instant>) -> Instant {
        let told = Instant::default() + now.since(Instant::default()).saturating_sub(self.held_back);
        let Some(wanted) = wanted.filter(|_| self.sabotage == Sabotage::IgnoresStall && state == State::Master) else {
            return told;
        };
        let late = told - wanted;
        if late < Duration::from_millis(50) {
            return told;
        }
        self.held_back += late;
        wanted
    }

    /// The frame that the core gets instead of the one that arrived.
    pub(crate) fn frame(&self, state: State, input: Input<'_>) -> Option<Vec<u8>> {
        let Input::Frame(bytes) = input else { return None };
        let received = frame::parse(bytes).ok()?;
        let interval = interval(&received);
        let own = received.src == IpAddr::V4(self.spec.source);
        match self.sabotage {
            Sabotage::ReversedOrder if interval != self.spec.interval && state != State::Init => {
                let skew = self.spec.interval.advskew;
                let advskew =
                    if interval < self.spec.interval { skew.saturating_add(1) } else { skew.saturating_sub(1) };
                Some(self.forge(&received, Interval { advskew, ..self.spec.interval }, received.advertisement.counter))
            }
            Sabotage::TrustsAnybody => Some(self.forge(&received, interval, received.advertisement.counter)),
            Sabotage::HearsItself if own => {
                Some(self.forge(&received, interval, received.advertisement.counter.wrapping_add(1).max(1)))
            }
            _ => None,
        }
    }

    fn forge(&self, received: &Received, interval: Interval, counter: u64) -> Vec<u8> {
        let mut advertisement = received.advertisement;
        (advertisement.advbase, advertisement.advskew) = (interval.advbase, interval.advskew);
        (advertisement.counter, advertisement.digest) = (counter, self.authenticator.sign(counter));
        AdvertisementFrame {
            src_mac: received.src_mac,
            dst_mac: received.dst_mac,
            src: received.src,
            dst: received.dst,
            tos: frame::TOS_LOW_DELAY,
            netbsd_checksum: false,
            advertisement,
        }
        .emit()
        .expect("source and destination are of one family")
    }

    /// Whether the core gets to know of `input`.
    pub(crate) fn lets_in(&self, state: State, input: Input<'_>) -> bool {
        let Input::Frame(bytes) = input else { return true };
        let Ok(received) = frame::parse(bytes) else { return true };
        let (interval, own) = (interval(&received), self.spec.interval);
        match self.sabotage {
            Sabotage::DeafToBetter => state != State::Master || interval >= own,
            Sabotage::NoTieRule => state != State::Master || interval != own,
            Sabotage::IgnoresGoodbye => interval != Interval::BOW_OUT,
            _ => true,
        }
    }

    /// What becomes of what the core does, and what the core is told in return.
    pub(crate) fn acts(&mut self, genuine: Vec<Act>, acts: &mut Vec<Act>) -> Option<Command> {
        let mut command = None;
        for act in genuine {
            let mut repeat = false;
            match &act {
                Act::Send { purpose: Purpose::Advertisement, frame } => self.last_sent.clone_from(frame),
                Act::Send { purpose: Purpose::Goodbye, .. } if self.sabotage == Sabotage::SkipsGoodbye => continue,
                Act::Leaving(_) => self.leaving = true,
                Act::Release if self.sabotage == Sabotage::ForgetsRelease => continue,
                Act::Claim if self.sabotage == Sabotage::ForgetsClaim => continue,
                Act::Release if self.leaving && self.sabotage == Sabotage::GoodbyeWhileHeld => {
                    command = Some(Command::Released);
                }
                Act::Moved { from: State::Master, .. } => {
                    let rule =
                        if self.leaving { Sabotage::SpeaksAfterGoodbye } else { Sabotage::SpeaksAfterSteppingDown };
                    repeat = rule == self.sabotage;
                    self.leaving = false;
                }
                _ => {}
            }
            acts.push(act);
            if repeat {
                acts.push(Act::Send { purpose: Purpose::Advertisement, frame: self.last_sent.clone() });
            }
        }
        command
    }
}

fn interval(received: &Received) -> Interval {
    Interval { advbase: received.advertisement.advbase, advskew: received.advertisement.advskew }
}
