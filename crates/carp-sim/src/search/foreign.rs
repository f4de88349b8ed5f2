//! The other implementations, as small pure models on the grid of ticks, after sections 3 and 4 of the CARP description.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::election::State;
use carp_core::timing::Interval;

use super::actor::{Input, Sent, Setting, View};
use super::world::MOST_NODES;

/// Which implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A BSD kernel: no tie rule, a MASTER that hears an equal one steps down without a word. `bow_out`: says goodbye
    /// when it is set down (NetBSD, OpenBSD, FreeBSD up to 9).
    Kernel {
        /// Whether it says goodbye.
        bow_out: bool,
    },
    /// UCARP 1.5.2: the lower address wins ties; whoever leaves sends one advertisement while leaving.
    Ucarp,
    /// The tie rule of this project in its first form, which does not ask whether a rival may only be parting and waits
    /// a whole dead time for the winner. It is wrong, and is here to show that the search notices.
    FirstDraft,
}

/// A node of another implementation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Foreign {
    kind: Kind,
    number: usize,
    preempt: bool,
    state: State,
    /// Ticks until it is due; 0 in INIT.
    left: u16,
    /// For the first draft: the equal winners that were heard, and whether we advertised since.
    rivals: [Option<bool>; MOST_NODES],
}

/// Octets compared from the last to the first, as UCARP does on little-endian hosts.
fn little_endian(a: IpAddr, b: IpAddr) -> Ordering {
    let octets = |address| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    octets(a).iter().rev().cmp(octets(b).iter().rev())
}

impl Foreign {
    /// Node `number` of the setting, not started.
    pub(super) fn new(kind: Kind, number: usize, preempt: bool) -> Self {
        Self { kind, number, preempt, state: State::Init, left: 0, rivals: Default::default() }
    }

    pub(super) fn view(&self) -> View {
        let due = self.state != State::Init && self.left == 0;
        View { state: self.state, due, releasing: false, release_due: false }
    }

    pub(super) fn apply(&mut self, setting: &Setting, input: Input) -> Option<Sent> {
        match input {
            Input::Tick => self.left = self.left.saturating_sub(1),
            Input::Fire => return self.fire(setting),
            Input::Heard { from, sent, .. } => {
                let interval = if sent == Sent::Goodbye { Interval::BOW_OUT } else { setting.peers[from].interval };
                return match self.state {
                    State::Init => None,
                    State::Backup => self.heard_as_backup(setting, interval),
                    State::Master => self.heard_as_master(setting, from, interval),
                };
            }
            Input::LinkUp if self.state == State::Init => self.listen(setting),
            Input::ShutDown | Input::LinkLost => {
                let says_goodbye = self.state == State::Master && self.kind == Kind::Kernel { bow_out: true };
                (self.state, self.left, self.rivals) = (State::Init, 0, Default::default());
                return (says_goodbye && input == Input::ShutDown).then_some(Sent::Goodbye);
            }
            Input::LinkUp | Input::HandOver | Input::Released => {}
        }
        None
    }

    fn own(&self, setting: &Setting) -> Interval {
        setting.peers[self.number].interval
    }

    fn listen(&mut self, setting: &Setting) {
        let own = self.own(setting);
        let dead = ticks(setting, own.master_down(3));
        (self.state, self.rivals) = (State::Backup, Default::default());
        self.left = match self.kind {
            // It looks at its deadline only when a wait of one interval has ended.
            Kind::Ucarp => ticks(setting, own.duration()) * dead.div_ceil(ticks(setting, own.duration())),
            Kind::Kernel { .. } | Kind::FirstDraft => dead,
        };
    }

    /// Advertises; a BACKUP becomes MASTER by it.
    fn fire(&mut self, setting: &Setting) -> Option<Sent> {
        if !self.view().due {
            return None;
        }
        self.advertise(setting)
    }

    fn advertise(&mut self, setting: &Setting) -> Option<Sent> {
        self.state = State::Master;
        self.left = ticks(setting, self.own(setting).duration());
        self.rivals = self.rivals.map(|rival| rival.and(Some(true)));
        Some(Sent::Advertisement)
    }

    fn heard_as_backup(&mut self, setting: &Setting, peer: Interval) -> Option<Sent> {
        let own = self.own(setting);
        let bound_to_time_out = Interval { advbase: own.advbase.saturating_mul(3), ..own } < peer;
        if (self.preempt && own < peer) || bound_to_time_out {
            return self.advertise(setting);
        }
        self.listen(setting);
        None
    }

    fn heard_as_master(&mut self, setting: &Setting, from: usize, peer: Interval) -> Option<Sent> {
        let own = self.own(setting);
        let by_address = little_endian(setting.peers[from].source, setting.peers[self.number].source);
        match (self.kind, peer.cmp(&own)) {
            (Kind::Kernel { .. }, Ordering::Less | Ordering::Equal) | (Kind::FirstDraft, Ordering::Less) => {
                self.listen(setting);
                None
            }
            (Kind::Ucarp, order) if order.then(by_address) == Ordering::Less => {
                self.listen(setting);
                Some(Sent::Advertisement)
            }
            (Kind::FirstDraft, Ordering::Equal) if by_address == Ordering::Less => self.second_thoughts(setting, from),
            (Kind::FirstDraft, _) => self.advertise(setting),
            (Kind::Kernel { .. } | Kind::Ucarp, _) => None,
        }
    }

    /// Leaves at the second equal advertisement of a winner with one of ours in between.
    fn second_thoughts(&mut self, setting: &Setting, from: usize) -> Option<Sent> {
        if self.rivals[from] == Some(true) {
            self.listen(setting);
            return None;
        }
        self.rivals[from] = Some(false);
        self.advertise(setting)
    }
}

/// `time` in ticks, rounded up.
fn ticks(setting: &Setting, time: Duration) -> u16 {
    u16::try_from(time.as_nanos().div_ceil(setting.tick.as_nanos())).expect("a wait is shorter than 65536 ticks")
}
