//! The election of one virtual host: who is MASTER, decided from advertisements, time and the state of the link.

mod canonical;
mod leaving;
mod outlook;
mod reason;
mod tie;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use leaving::Leave;
pub use outlook::Outlook;
pub use reason::{Bar, Peer, Reason};
pub use tie::TieRule;

use crate::random::Random;
use crate::time::Instant;
use crate::timing::Interval;

/// An extra advertisement, which answers a rival, is sent at the earliest this long after the last one.
const ANSWER_GAP: Duration = Duration::from_millis(300);

/// After stepping down by command a node does not take the address back for this long (UCARP 1.5.2 sleeps as long).
pub const HANDOVER_HOLD: Duration = Duration::from_secs(3);

/// A takeover timer that is noticed this late or later means that the host did not run.
const LEAST_STALL: Duration = Duration::from_millis(100);

/// A MASTER that goes on after so many advertisements of a better one does not hear them.
const DEAF: u64 = 5;

/// BACKUPs that hear a goodbye spread their takeover over this much time: half by advskew, half at random.
const GOODBYE_SPREAD: Duration = Duration::from_millis(8);

/// The state of a virtual host, as every CARP implementation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not taking part: not started, stopped, or without a link.
    Init,
    /// Listening.
    Backup,
    /// Holding the address and advertising.
    Master,
}

/// What the election needs to know of its virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Own advertisement interval and rank.
    pub interval: Interval,
    /// How many advbases of silence make a master dead; at least 1. UCARP's default and the kernels' fixed value is 3.
    pub dead_ratio: u32,
    /// Whether a BACKUP displaces a slower master at once.
    pub preempt: bool,
    /// The source address of own advertisements, which decides ties: that of IPv4, unless IPv6 alone is spoken.
    pub source: IpAddr,
    /// Where both families are spoken, the source over IPv6: it decides while nothing is heard over IPv4.
    pub source_v6: Option<Ipv6Addr>,
    /// How ties are decided.
    pub tie: TieRule,
    /// The own demotion counter of OpenBSD, by which nodes are compared before their intervals. `None`: it is not sent,
    /// and that of others means nothing, as with all others but OpenBSD.
    pub demotion: Option<u8>,
}

impl Config {
    /// The demotion counters that count, the own and that of a peer.
    fn demotions(&self, peer: Peer) -> (u8, u8) {
        self.demotion.map_or((0, 0), |own| (own, peer.demotion))
    }

    /// The own address that a tie with a node of this address is decided by.
    fn source_against(&self, peer: IpAddr) -> IpAddr {
        self.source_v6.filter(|_| peer.is_ipv6()).map_or(self.source, IpAddr::V6)
    }
}

/// What the virtual host has to do next, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send one advertisement of the own interval.
    Advertise,
    /// Send one goodbye (255/255); nothing may follow it.
    BowOut,
    /// Take the address: run the up script, announce.
    Claim,
    /// Give the address up: run the down script. No announcement may follow.
    Release,
    /// The decision to leave has been taken; advertisements go on until [`Election::released`].
    Leaving(Reason),
    /// The state changed.
    Transition {
        /// State before.
        from: State,
        /// State from now on.
        to: State,
        /// Why.
        reason: Reason,
    },
    /// Another node claims the address wrongly: announce it again.
    Reassert(Peer),
    /// A node that should have left goes on as MASTER, after so many own advertisements.
    DeafPeer(Peer, u64),
    /// A peer has exactly our interval: which one is MASTER rests on their addresses.
    EqualPeer(Peer),
}

/// The state machine of one virtual host.
///
/// ```text
///               link up                  no master for the dead time, a slower one while preempt
///   ┌────────┐  start    ┌────────┐      is on, one that is bound to time out, a goodbye   ┌────────┐
///   │  INIT  ├──────────►│ BACKUP ├────────────────────────────────────────────────────────►│ MASTER │
///   └────▲───┘           └─┬────▲─┘                                                         └──┬──┬──┘
///        │ link lost, stop │    │ better master, tie lost, woke up after a stall (silently)    │  │
///        ├─────────────────┘    └──────────────────────────────────────────────────────────────┘  │
///        │                        told to leave: advertises until the address is gone, goodbye ─► BACKUP or INIT
///        └──────────────────────── link lost (silently) ──────────────────────────────────────────┘
/// ```
///
/// Feed it inputs with the time; each appends its effects. Nothing is sent on stepping down, save the one goodbye of a
/// node that leaves by command. Specification: sections 3 and 4 of the CARP description, and the verified rule for ties.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    config: Config,
    state: State,
    random: Random,
    /// MASTER: the next advertisement. BACKUP: the moment of takeover. INIT: none.
    deadline: Option<Instant>,
    /// What a takeover at `deadline` will give as its reason.
    expectation: Reason,
    /// BACKUP: what `deadline` would be without a hold.
    due: Instant,
    /// Until then nothing makes this node take over.
    hold_until: Option<Instant>,
    last_sent: Instant,
    sent_count: u64,
    leaving: Option<Leave>,
    /// Told to end: nothing brings it back.
    ended: bool,
    rivals: tie::Rivals,
    /// The worse MASTER that was heard last, how many own advertisements had been sent when it first was, and when it was.
    worse: Option<(IpAddr, u64, Instant)>,
}

impl Election {
    /// A virtual host in INIT. `seed` makes its random waits differ from those of its peers.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            state: State::Init,
            random: Random::new(seed),
            deadline: None,
            expectation: Reason::LinkUp,
            due: Instant::default(),
            hold_until: None,
            last_sent: Instant::default(),
            sent_count: 0,
            leaving: None,
            ended: false,
            rivals: tie::Rivals::default(),
            worse: None,
        }
    }

    /// The current state. A MASTER that is leaving stays MASTER until it has said goodbye.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether this MASTER is on its way out by command.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// When [`Election::timeout`] has something to do; `None` in INIT.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The interval of this MASTER, and when it advertises next; `None` in other states.
    #[must_use]
    pub fn beat(&self) -> Option<(Interval, Instant)> {
        self.deadline.filter(|_| self.state == State::Master).map(|next| (self.config.interval, next))
    }

    /// This MASTER advertises at the same moments as another one of its interval, whose next one is at `beat`: the own next
    /// one comes so much earlier.
    pub fn fall_in(&mut self, now: Instant, beat: Instant) {
        let beat = if beat > now { beat } else { beat + self.config.interval.duration() };
        if self.state == State::Master && beat > now {
            self.deadline = self.deadline.map(|own| own.min(beat));
        }
    }

    /// The link can carry advertisements: INIT becomes BACKUP and listens for a whole dead time, unless the node was told
    /// to end.
    pub fn link_up(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.state == State::Init && !self.ended {
            self.enter(State::Backup, Reason::LinkUp, effects);
            self.expectation = Reason::NoMasterHeard { waited: self.dead_time() };
            self.due = now + self.dead_time();
            self.deadline = Some(self.due);
        }
    }

    /// The link is gone: nothing can be said or heard, so the address is given up at once.
    pub fn link_lost(&mut self, reason: Reason, effects: &mut Vec<Effect>) {
        if self.state != State::Init {
            self.abdicate(State::Init, reason, effects);
        }
    }

    /// Nothing makes this BACKUP take over before `until`.
    pub fn hold(&mut self, until: Instant) {
        if self.state == State::Backup {
            self.hold_until = Some(self.hold_until.map_or(until, |held| held.max(until)));
            self.deadline = self.deadline.map(|deadline| deadline.max(until));
        }
    }

    /// The operator wants this BACKUP, if it is better than the master that was heard last, to be MASTER now: as with
    /// preemption, once.
    pub fn promote(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let better = |peer: Peer| {
            let (demotion, peers_demotion) = self.config.demotions(peer);
            (demotion, self.config.interval) < (peers_demotion, peer.interval)
        };
        match self.expectation {
            Reason::MasterTimedOut { master, .. } | Reason::Preempted { master }
                if self.state == State::Backup && better(master) =>
            {
                self.take_over(now, Reason::Promoted { master }, effects);
            }
            _ => {}
        }
    }

    /// The configuration is this one from now on. A MASTER tells its new rank at once; a BACKUP waits as long since the
    /// last advertisement as it now should.
    pub fn reconfigure(&mut self, now: Instant, config: Config, effects: &mut Vec<Effect>) {
        let (stalled, former_dead_time) = (self.stalled(now), self.dead_time());
        let former = core::mem::replace(&mut self.config, config);
        let same_rank = (former.interval, former.demotion) == (self.config.interval, self.config.demotion);
        match (self.state, stalled) {
            (State::Master, Some(silent)) => {
                self.step_down_after_stall(now, Reason::Stalled { silent, master: None }, effects);
            }
            (State::Master, None) if !same_rank => self.answer(now, effects),
            (State::Backup, _) if former != self.config => self.expect_anew(now, former_dead_time, effects),
            _ => {}
        }
    }

    /// An authentic advertisement of another node arrived.
    pub fn heard(&mut self, now: Instant, peer: Peer, effects: &mut Vec<Effect>) {
        match self.state {
            State::Init => {}
            State::Backup => self.heard_as_backup(now, peer, effects),
            State::Master => self.heard_as_master(now, peer, effects),
        }
    }

    /// Does what is due at `now`; harmless when nothing is. All received advertisements must have been handed in before:
    /// a host that was stalled first learns what happened meanwhile.
    pub fn timeout(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(deadline) = self.deadline.filter(|deadline| *deadline <= now) else { return };
        match self.state {
            State::Init => {}
            State::Master => match self.stalled(now) {
                Some(silent) => self.step_down_after_stall(now, Reason::Stalled { silent, master: None }, effects),
                None => self.advertise(now, effects),
            },
            // Woken far too late, and nothing was queued: the network stood still together with us (a paused virtual
            // machine). The master gets the chance to be heard once more.
            State::Backup if now - deadline > self.config.interval.duration().max(LEAST_STALL) => {
                self.due = now + tie::wait_for_winner(self.config.interval);
                self.deadline = Some(self.due);
            }
            State::Backup => self.take_over(now, self.expectation, effects),
        }
    }

    fn dead_time(&self) -> Duration {
        self.config.interval.master_down(self.config.dead_ratio)
    }

    /// What a BACKUP waits for after its configuration has changed.
    fn expect_anew(&mut self, now: Instant, former_dead_time: Duration, effects: &mut Vec<Effect>) {
        let dead_time = self.dead_time();
        match &mut self.expectation {
            // A shorter wait is that for the winner of a tie.
            Reason::NoMasterHeard { waited } | Reason::MasterTimedOut { waited, .. } if *waited >= former_dead_time => {
                *waited = *waited - former_dead_time + dead_time;
                let (longer, sooner) =
                    (dead_time.saturating_sub(former_dead_time), former_dead_time.saturating_sub(dead_time));
                // What was overdue stays so: how late it is noticed tells whether this host did not run.
                self.due = (self.due + longer - sooner).max(self.due.min(now));
                let hold = self.hold_until.filter(|until| *until > now);
                self.deadline = self.deadline.map(|_| self.due.max(hold.unwrap_or_default()));
            }
            // It was to be displaced when a hold ends: perhaps it need not be any more.
            Reason::Preempted { master }
            | Reason::MasterBoundToTimeOut { master }
            | Reason::MasterDemoted { master } => {
                let master = *master;
                self.heard_as_backup(now, master, effects);
            }
            _ => {}
        }
    }

    fn heard_as_backup(&mut self, now: Instant, peer: Peer, effects: &mut Vec<Effect>) {
        let own = self.config.interval;
        let (demotion, peers_demotion) = self.config.demotions(peer);
        let (wait, reason) = if peer.interval == Interval::BOW_OUT && own < peer.interval {
            (self.goodbye_spread(), Reason::MasterSaidGoodbye { master: peer })
        } else if peers_demotion > demotion {
            (Duration::ZERO, Reason::MasterDemoted { master: peer })
        } else if self.config.preempt && own < peer.interval && peers_demotion == demotion {
            (Duration::ZERO, Reason::Preempted { master: peer })
        } else if own.times_out_under(self.config.dead_ratio, peer.interval) {
            (Duration::ZERO, Reason::MasterBoundToTimeOut { master: peer })
        } else {
            (self.dead_time(), Reason::MasterTimedOut { master: peer, waited: self.dead_time() })
        };
        self.hold_until = self.hold_until.filter(|until| *until > now);
        if self.hold_until.is_none() && wait.is_zero() {
            self.take_over(now, reason, effects);
        } else {
            self.expectation = reason;
            self.due = now + wait;
            self.deadline = Some(self.due.max(self.hold_until.unwrap_or(now)));
        }
    }

    fn heard_as_master(&mut self, now: Instant, peer: Peer, effects: &mut Vec<Effect>) {
        let (demotion, peers_demotion) = self.config.demotions(peer);
        if let Some(silent) = self.stalled(now) {
            self.step_down_after_stall(now, Reason::Stalled { silent, master: Some(peer) }, effects);
        } else if (peers_demotion, peer.interval) < (demotion, self.config.interval) {
            self.yield_to(now, self.dead_time(), Reason::BetterMaster { master: peer }, effects);
        } else if self.leaving.is_some() {
            // Whoever it is may have the address in a moment.
        } else if (peers_demotion, peer.interval) > (demotion, self.config.interval) {
            effects.push(Effect::Reassert(peer));
            self.watch_worse(now, peer, effects);
            self.answer(now, effects);
        } else {
            self.heard_equal(now, peer, effects);
        }
    }

    /// Counts what a worse MASTER should have heard of us while it went on.
    fn watch_worse(&mut self, now: Instant, peer: Peer, effects: &mut Vec<Effect>) {
        let goes_on = |at: Instant| now - at < peer.interval.duration() * 2;
        let known = self.worse.filter(|(source, _, at)| *source == peer.source && goes_on(*at));
        let first = known.map_or(self.sent_count, |(_, sent, _)| sent);
        self.worse = Some((peer.source, first, now));
        let unheard = self.sent_count - first;
        if unheard >= DEAF {
            effects.push(Effect::DeafPeer(peer, unheard));
        }
    }

    /// The rule for equal intervals that was verified against FreeBSD, NetBSD and UCARP: never both BACKUP, never two
    /// masters for longer than about one advertisement.
    fn heard_equal(&mut self, now: Instant, peer: Peer, effects: &mut Vec<Effect>) {
        effects.push(Effect::EqualPeer(peer));
        match self.rivals.judge(&self.config, now, peer, self.sent_count) {
            tie::Verdict::Ignore => {}
            tie::Verdict::Answer => self.answer(now, effects),
            tie::Verdict::Win => {
                effects.push(Effect::Reassert(peer));
                self.answer(now, effects);
            }
            tie::Verdict::YieldAtOnce => {
                self.yield_to(now, self.dead_time(), Reason::TieLost { master: peer }, effects);
            }
            tie::Verdict::Yield => {
                let every = self.config.interval.duration();
                let wait = if peer.source == self.config.source_against(peer.source) {
                    self.random.between(every * 6 / 5, every * 3)
                } else {
                    tie::wait_for_winner(self.config.interval)
                };
                self.yield_to(now, wait, Reason::TieLost { master: peer }, effects);
            }
        }
    }

    /// For how long this MASTER has been silent, if that is longer than its peers wait.
    fn stalled(&self, now: Instant) -> Option<Duration> {
        let silent = now - self.last_sent;
        (silent > self.config.interval.peers_dead_time(self.config.dead_ratio)).then_some(silent)
    }

    /// Gives up at once, and listens to at least one more advertisement before preemption may act again.
    fn step_down_after_stall(&mut self, now: Instant, reason: Reason, effects: &mut Vec<Effect>) {
        self.yield_to(now, self.dead_time(), reason, effects);
        self.hold_until = self.deadline.map(|_| now + self.config.interval.duration());
    }

    fn yield_to(&mut self, now: Instant, wait: Duration, reason: Reason, effects: &mut Vec<Effect>) {
        self.abdicate(State::Backup, reason, effects);
        self.expectation = match reason {
            Reason::BetterMaster { master } | Reason::TieLost { master } => {
                Reason::MasterTimedOut { master, waited: wait }
            }
            Reason::Stalled { master: Some(master), .. } => Reason::MasterTimedOut { master, waited: wait },
            _ => Reason::NoMasterHeard { waited: wait },
        };
        // A node that was shutting down is in INIT now, where nothing is ever due.
        self.due = now + wait;
        self.deadline = (self.state == State::Backup).then_some(self.due);
    }

    fn take_over(&mut self, now: Instant, reason: Reason, effects: &mut Vec<Effect>) {
        self.enter(State::Master, reason, effects);
        self.advertise(now, effects);
        effects.push(Effect::Claim);
    }

    fn advertise(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::Advertise);
        let every = self.config.interval.duration();
        // Counted from the moment it was due, so that lateness does not add up; but never two in a row to catch up.
        let due = self.deadline.filter(|due| self.state == State::Master && now - *due < every / 2).unwrap_or(now);
        self.last_sent = now;
        self.sent_count += 1;
        self.deadline = Some(due + every);
    }

    /// Advertises soon, out of turn, so that a rival hears of us; at most one in [`ANSWER_GAP`].
    fn answer(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let earliest = self.last_sent + ANSWER_GAP.min(self.config.interval.duration());
        if earliest <= now {
            self.deadline = Some(now);
            self.advertise(now, effects);
        } else {
            self.deadline = self.deadline.map(|regular| regular.min(earliest));
        }
    }

    /// How long to wait after a goodbye. All BACKUPs hear it in the same moment: the better ones go first.
    fn goodbye_spread(&mut self) -> Duration {
        let by_rank = GOODBYE_SPREAD / 2 * u32::from(self.config.interval.advskew) / 256;
        by_rank + self.random.between(Duration::ZERO, GOODBYE_SPREAD / 2)
    }

    fn enter(&mut self, to: State, reason: Reason, effects: &mut Vec<Effect>) {
        effects.push(Effect::Transition { from: self.state, to, reason });
        self.state = to;
        self.deadline = None;
        self.hold_until = None;
        self.leaving = None;
        self.rivals = tie::Rivals::default();
        self.worse = None;
    }
}
