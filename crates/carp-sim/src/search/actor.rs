//! The real election as a finite thing: canonical after every input, and held to its contract at every step.

use std::time::Duration;

use carp_core::election::{Config, Effect, Election, Peer, Reason, State};
use carp_core::time::Instant;
use carp_core::timing::Interval;

use super::foreign::Foreign;

/// What the clock of every canonical election shows. Far enough from 0 that nothing it looks back at is before it.
const NOW: Instant = Instant::from_nanos(1 << 50);

/// What is due this soon after a tick happens at the tick: the spread after a goodbye is finer than any tick.
const TICK_SLOP: Duration = Duration::from_millis(10);

/// Seeds whose first draw is near the low and near the high end of its range.
const LOW_AND_HIGH: [u64; 2] = [196, 259];

/// What a node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sent {
    /// A regular advertisement.
    Advertisement,
    /// A goodbye.
    Goodbye,
}

/// What can happen to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Input {
    /// Time passes.
    Tick,
    /// What is due is done.
    Fire,
    /// A frame of node `from` arrives. A random wait that it leads to is drawn near the low or the high end.
    Heard {
        /// Number of the sender.
        from: usize,
        /// What it sent.
        sent: Sent,
        /// Whether this is the frame of IPv6, where both families are spoken.
        v6: bool,
        /// Whether the draw is a high one.
        high: bool,
    },
    /// The link returns, or the daemon, which has ended, is started again.
    LinkUp,
    /// The link is lost, or the daemon is killed: no word is said.
    LinkLost,
    /// The operator wants another master.
    HandOver,
    /// The daemon is told to end.
    ShutDown,
    /// The address that was asked back is gone.
    Released,
}

/// What the rest of the world sees of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Its state.
    pub(super) state: State,
    /// Whether something has to be done before time can pass.
    pub(super) due: bool,
    /// Whether it waits for [`Input::Released`].
    pub(super) releasing: bool,
    /// Whether it has waited for that as long as a script may take.
    pub(super) release_due: bool,
}

/// What a step of one node led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    /// The one frame it sent.
    pub(super) sent: Option<Sent>,
    /// The rule of its contract that it broke.
    pub(super) fault: Option<&'static str>,
}

/// What all nodes of one search share.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// Length of a tick.
    pub(super) tick: Duration,
    /// How many ticks it takes at most until an address is gone.
    pub(super) release_ticks: u8,
    /// How each node appears to the others.
    pub(super) peers: Vec<Peer>,
    /// The same over IPv6, where both families are spoken; else empty.
    pub(super) peers_v6: Vec<Peer>,
}

impl Setting {
    /// What a frame of node `from` tells of it.
    fn peer(&self, from: usize, sent: Sent, v6: bool) -> Peer {
        let peer = if v6 { self.peers_v6[from] } else { self.peers[from] };
        Peer { interval: if sent == Sent::Goodbye { Interval::BOW_OUT } else { peer.interval }, ..peer }
    }
}

/// A node of the search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    /// The code under test.
    Ours(Box<Ours>),
    /// A model of another implementation.
    Foreign(Foreign),
}

impl Actor {
    /// Applies one input; the node is canonical before and after.
    pub(super) fn apply(&mut self, setting: &Setting, input: Input) -> Reaction {
        match self {
            Self::Ours(node) => node.apply(setting, input),
            Self::Foreign(node) => Reaction { sent: node.apply(setting, input), fault: None },
        }
    }

    /// What the others see.
    pub(super) fn view(&self) -> View {
        match self {
            Self::Ours(node) => node.view(),
            Self::Foreign(node) => node.view(),
        }
    }
}

/// The real election, with what its driver knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ours {
    config: Config,
    election: Election,
    /// The daemon was told to end. When it has, it can be started again.
    ended: bool,
    /// The driver holds the address.
    held: bool,
    /// A release was asked for this many ticks ago and is not answered. A claim makes the answer superfluous: drivers
    /// answer only the last wish.
    releasing: Option<u8>,
    release_limit: u8,
}

impl Ours {
    /// A node that has not started.
    pub(super) fn new(config: Config, setting: &Setting) -> Self {
        let election = Election::new(config.clone(), 0).canonical(Instant::default(), NOW, 0);
        Self { config, election, ended: false, held: false, releasing: None, release_limit: setting.release_ticks }
    }

    fn view(&self) -> View {
        let due = self.election.next_deadline().is_some_and(|deadline| deadline <= NOW + TICK_SLOP);
        let release_due = self.releasing.is_some_and(|age| age >= self.release_limit);
        View { state: self.election.state(), due, releasing: self.releasing.is_some(), release_due }
    }

    fn apply(&mut self, setting: &Setting, input: Input) -> Reaction {
        let before = self.election.state();
        let (mut now, mut effects) = (NOW, Vec::new());
        match input {
            Input::Tick => {
                now = NOW + setting.tick;
                self.releasing = self.releasing.map(|age| (age + 1).min(self.release_limit));
            }
            Input::Fire => {
                now = self.election.next_deadline().unwrap_or(NOW).max(NOW);
                self.election.timeout(now, &mut effects);
            }
            Input::Heard { from, sent, v6, high } => {
                self.election = self.election.canonical(NOW, NOW, LOW_AND_HIGH[usize::from(high)]);
                self.election.heard(NOW, setting.peer(from, sent, v6), &mut effects);
            }
            Input::LinkUp => {
                if self.ended && self.releasing.is_none() && before == State::Init {
                    self.ended = false;
                    self.election = Election::new(self.config.clone(), 0);
                }
                self.election.link_up(NOW, &mut effects);
            }
            Input::LinkLost => self.election.link_lost(Reason::CarrierLost, &mut effects),
            Input::HandOver => self.election.hand_over(&mut effects),
            Input::ShutDown => {
                self.ended = true;
                self.election.shut_down(&mut effects);
            }
            Input::Released => {
                self.releasing = None;
                self.election.released(NOW, &mut effects);
            }
        }
        let reaction = self.check(before, &effects);
        self.election = self.election.canonical(now, NOW, 0);
        reaction
    }

    /// Holds the effects of one step, in their order, to the contract.
    fn check(&mut self, before: State, effects: &[Effect]) -> Reaction {
        let mut state = before;
        let mut reaction = Reaction::default();
        let mut fault = None;
        for effect in effects {
            let broken = match *effect {
                Effect::Advertise => {
                    let twice = reaction.sent.replace(Sent::Advertisement).is_some();
                    (state != State::Master || twice).then_some("an advertisement by a node that is not MASTER")
                }
                Effect::BowOut => {
                    let twice = reaction.sent.replace(Sent::Goodbye).is_some();
                    let holds = self.held || self.releasing.is_some();
                    (state != State::Master || twice || holds).then_some("a goodbye while the address may be here")
                }
                Effect::Claim => {
                    self.releasing = None;
                    std::mem::replace(&mut self.held, true).then_some("an address claimed twice")
                }
                Effect::Release => {
                    self.releasing = Some(0);
                    (!std::mem::replace(&mut self.held, false)).then_some("a release of what was not held")
                }
                Effect::Transition { from, to, .. } => {
                    let wrong = from != state;
                    state = to;
                    wrong.then_some("a transition from another state")
                }
                Effect::Leaving(_) | Effect::Reassert(_) | Effect::EqualPeer(_) | Effect::DeafPeer(..) => None,
            };
            fault = fault.or(broken);
        }
        if self.election.state() == State::Init && self.election.next_deadline().is_some() {
            fault = fault.or(Some("something is due in INIT"));
        }
        let entitled = self.election.state() == State::Master && !self.election.is_leaving();
        if entitled != self.held {
            fault = fault.or(Some("the address is not held by exactly the MASTER that is not leaving"));
        }
        if state != self.election.state() {
            fault = fault.or(Some("a change of state without a transition"));
        }
        Reaction { fault, ..reaction }
    }
}

#[cfg(test)]
mod tests {
    use carp_core::election::TieRule;
    use carp_core::random::Random;
    use carp_core::wire::MacAddr;

    use super::*;

    #[test]
    fn the_seeds_draw_near_the_ends_of_the_range() {
        let second = Duration::from_secs(1);
        let [low, high] = LOW_AND_HIGH.map(|seed| Random::new(seed).between(Duration::ZERO, second));
        assert!(low < second / 100, "{low:?}");
        assert!(high > second * 99 / 100, "{high:?}");
    }

    fn node() -> (Ours, Setting) {
        let interval = Interval { advbase: 1, advskew: 0 };
        let peer = Peer { source: [10, 0, 0, 1].into(), mac: MacAddr([0; 6]), interval, demotion: 0 };
        let setting =
            Setting { tick: Duration::from_millis(250), release_ticks: 1, peers: vec![peer, peer], peers_v6: vec![] };
        (
            Ours::new(
                Config {
                    interval,
                    dead_ratio: 3,
                    preempt: false,
                    source: peer.source,
                    source_v6: None,
                    tie: TieRule::Kernel,
                    demotion: None,
                },
                &setting,
            ),
            setting,
        )
    }

    fn master() -> (Ours, Setting) {
        let (mut node, setting) = node();
        node.apply(&setting, Input::LinkUp);
        while !node.view().due {
            assert_eq!(node.apply(&setting, Input::Tick), Reaction::default());
        }
        let reaction = node.apply(&setting, Input::Fire);
        assert_eq!(reaction, Reaction { sent: Some(Sent::Advertisement), fault: None });
        assert_eq!(node.view().state, State::Master);
        (node, setting)
    }

    #[test]
    fn a_node_that_keeps_its_contract_has_no_fault() {
        let (mut node, setting) = master();
        assert_eq!(node.apply(&setting, Input::ShutDown), Reaction::default());
        assert!(node.view().releasing);
        let goodbye = node.apply(&setting, Input::Released);
        assert_eq!(goodbye, Reaction { sent: Some(Sent::Goodbye), fault: None });
        assert_eq!(node.view().state, State::Init);
    }

    #[test]
    fn each_broken_rule_is_noticed() {
        let transition = |from, to| Effect::Transition { from, to, reason: Reason::LinkUp };
        let broken: [(&[Effect], &str); 6] = [
            (&[transition(State::Master, State::Backup), Effect::Advertise], "not MASTER"),
            (&[Effect::BowOut], "goodbye"),
            (&[Effect::Claim], "twice"),
            (&[Effect::Release, Effect::Release], "not held"),
            (&[transition(State::Backup, State::Master)], "from another state"),
            (&[Effect::Release], "exactly the MASTER"),
        ];
        for (effects, rule) in broken {
            let (mut node, _) = master();
            let fault = node.check(State::Master, effects).fault.unwrap_or("none");
            assert!(fault.contains(rule), "{effects:?}: {fault}");
        }
    }
}
