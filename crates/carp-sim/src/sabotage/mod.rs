//! Planted faults: a node of ours that breaks one rule, to show that the checkers notice.
//!
//! The core itself cannot be changed at run time, so a fault is made from outside: by editing or dropping what goes in,
//! by delaying, editing or adding to what comes out, or by a configuration other than the one that the checkers know of.

mod stamps;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use carp_core::election::State;
use carp_core::host::Authentication;
use carp_core::node::{Command, LinkState, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::frame::{self, AdvertisementFrame, Received};

use crate::machine::{Act, Birth, Input, Reload};
use crate::spec::{Credentials, Family, Spec};
use stamps::Stamps;

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
    /// Says goodbye over one family only, or to one peer only.
    HalfGoodbye,
    /// Goes through INIT when it is reloaded.
    ReloadRestarts,
    /// As BACKUP, waits for the dead time from each reload on.
    ReloadWaitsAnew,
    /// Does not become what it is reloaded as.
    IgnoresReload,
    /// Does not accept the group's former credentials after a reload.
    ForgetsOldForm,
    /// Sends the new form of digest as soon as it is reloaded.
    NewFormAtOnce,
    /// Believes what it has heard before.
    BelievesRepetitions,
    /// Believes advertisements whose fields were changed.
    BelievesChanges,
    /// Believes what it sent itself.
    BelievesReflections,
    /// Believes what is far behind group time.
    BelievesOldNews,
    /// Doubts in strict groups, and believes all the same.
    BelievesAnything,
    /// Does not count what it doubts.
    CountsNothing,
    /// Takes senders that are in step for those that are far behind.
    RefusesGoodNews,
    /// Stamps every advertisement with the time of its first one.
    ClockStandsStill,
    /// Stamps advertisements by its own clock, whatever the group's time is.
    NeverCatchesUp,
    /// Does not stamp its advertisements.
    StampsNothing,
}

impl Sabotage {
    /// All planted faults.
    pub const ALL: [Self; 33] = [
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
        Self::HalfGoodbye,
        Self::ReloadRestarts,
        Self::ReloadWaitsAnew,
        Self::IgnoresReload,
        Self::ForgetsOldForm,
        Self::NewFormAtOnce,
        Self::BelievesRepetitions,
        Self::BelievesChanges,
        Self::BelievesReflections,
        Self::BelievesOldNews,
        Self::BelievesAnything,
        Self::CountsNothing,
        Self::RefusesGoodNews,
        Self::ClockStandsStill,
        Self::NeverCatchesUp,
        Self::StampsNothing,
    ];

    /// What the node is told to ask for instead of what its group does.
    pub(crate) fn authentication(self) -> Option<Authentication> {
        match self {
            Self::BelievesAnything => Some(Authentication::Observe),
            Self::StampsNothing => Some(Authentication::Classic),
            _ => None,
        }
    }
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
    credentials: Credentials,
    /// What the credentials were before they changed.
    former: Option<Credentials>,
    /// The last regular advertisement, to send it again when it must not be.
    last_sent: Option<(Option<IpAddr>, Vec<u8>)>,
    leaving: bool,
    link: Option<LinkState>,
    /// [`Sabotage::IgnoresStall`]: how far the core's clock has been held back.
    held_back: Duration,
    /// [`Sabotage::ReloadWaitsAnew`]: nothing before.
    not_before: Instant,
    stamps: Stamps,
}

impl Saboteur {
    pub(crate) fn new(sabotage: Sabotage, birth: &Birth<'_>) -> Self {
        Self {
            sabotage,
            spec: *birth.spec,
            credentials: birth.credentials,
            stamps: Stamps::new(birth.now, birth.wall),
            former: None,
            last_sent: None,
            leaving: false,
            link: None,
            held_back: Duration::ZERO,
            not_before: Instant::default(),
        }
    }

    /// What the core is told to be.
    pub(crate) fn spec(&self) -> Spec {
        match self.sabotage {
            Sabotage::EarlyTakeover => Spec { dead_ratio: self.spec.dead_ratio - 1, ..self.spec },
            Sabotage::NeverPreempts => Spec { preempt: false, ..self.spec },
            _ => self.spec,
        }
    }

    pub(crate) fn counts_nothing(&self) -> bool {
        self.sabotage == Sabotage::CountsNothing
    }

    /// What the core gets instead of a reload.
    pub(crate) fn reload(&mut self, now: Instant, state: State, input: Input<'_>) -> Option<Vec<Input<'static>>> {
        match input {
            Input::Link(link) => self.link = Some(link),
            Input::Reload(Reload { spec, credentials, grace }) => {
                if credentials != self.credentials {
                    self.former = Some(std::mem::replace(&mut self.credentials, credentials));
                }
                self.spec = spec;
                let reload = Input::Reload(Reload { spec: self.spec(), credentials, grace });
                return Some(match (self.sabotage, self.link) {
                    (Sabotage::IgnoresReload, _) => Vec::new(),
                    (Sabotage::ReloadRestarts, Some(link)) => {
                        vec![Input::Link(LinkState::Down), Input::Link(link), reload]
                    }
                    (Sabotage::ReloadWaitsAnew, _) if state == State::Backup => {
                        self.not_before = now + spec.interval.master_down(spec.dead_ratio);
                        vec![reload]
                    }
                    _ => vec![reload],
                });
            }
            _ => {}
        }
        None
    }

    /// When the core gets its timeout, given when it wants it.
    pub(crate) fn deadline(&self, state: State, wanted: Option<Instant>) -> Option<Instant> {
        let late = matches!(
            (self.sabotage, state),
            (Sabotage::LateTakeover, State::Backup) | (Sabotage::SlowAdvertiser, State::Master)
        );
        let delay = if late { self.spec.interval.duration() } else { self.held_back };
        let not_before = if state == State::Backup { self.not_before } else { Instant::default() };
        wanted.map(|wanted| (wanted + delay).max(not_before))
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
    pub(crate) fn frame(&mut self, now: Instant, state: State, input: Input<'_>) -> Option<Vec<u8>> {
        let Input::Frame(bytes) = input else { return None };
        let mut received = frame::parse(bytes).ok()?;
        if let Some(tick) = self.told_tick(now, &mut received) {
            return Some(self.restamped(&received, tick));
        }
        let interval = interval(&received);
        let own = received.src == self.spec.address(Family::of(received.src));
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
        let authenticator = self.credentials.authenticator(self.spec.families);
        (advertisement.counter, advertisement.digest) = (counter, authenticator.sign(counter));
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
        .to_vec()
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
            Sabotage::ForgetsOldForm => !self.former.is_some_and(|former| {
                let forms = former.authenticators(self.spec.families);
                let carp = &received.advertisement;
                forms.iter().any(|form| form.verify(carp.counter, &carp.digest))
            }),
            _ => true,
        }
    }

    /// What becomes of what the core does, and what the core is told in return.
    pub(crate) fn acts(&mut self, now: Instant, genuine: Vec<Act>, acts: &mut Vec<Act>) -> Option<Command> {
        let mut command = None;
        let mut goodbyes = 0;
        for mut act in genuine {
            let mut repeat = false;
            if let Act::Send { purpose: Purpose::Advertisement | Purpose::Goodbye, frame, .. } = &mut act {
                self.stamp(now, frame);
            }
            match &mut act {
                Act::Send { purpose: Purpose::Advertisement, to, frame } => {
                    if self.sabotage == Sabotage::NewFormAtOnce && self.former.is_some() {
                        *frame = self.signed_anew(frame);
                    }
                    self.last_sent = Some((*to, frame.clone()));
                }
                Act::Send { purpose: Purpose::Goodbye, .. } => {
                    goodbyes += 1;
                    if self.sabotage == Sabotage::SkipsGoodbye
                        || (self.sabotage == Sabotage::HalfGoodbye && goodbyes > 1)
                    {
                        continue;
                    }
                }
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
            if let Some((to, frame)) = self.last_sent.clone().filter(|_| repeat) {
                acts.push(Act::Send { purpose: Purpose::Advertisement, to, frame });
            }
        }
        command
    }

    fn signed_anew(&self, frame: &[u8]) -> Vec<u8> {
        let received = frame::parse(frame).expect("the core sends what it reads");
        self.forge(&received, interval(&received), received.advertisement.counter)
    }
}

fn interval(received: &Received) -> Interval {
    Interval { advbase: received.advertisement.advbase, advskew: received.advertisement.advskew }
}
