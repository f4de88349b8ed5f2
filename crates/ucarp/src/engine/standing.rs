//! Why a virtual host is ranked lower than its configuration says, or must not take part: each reason with its name.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use carp_core::election::Bar;
use carp_core::node::Command;
use carp_core::time::Instant;
use carp_core::timing::WORST_SKEW;
use log::{info, warn};

use super::Engine;
use crate::protocol::HostNumber;

/// Reasons that one virtual host can have at the same time; more are not taken.
const MOST_REASONS: usize = 128;

/// A penalty that follows another one is twice as long, up to so many times the first.
const LONGEST_PENALTY: u32 = 32;

/// The demotions, bars and penalties of one virtual host.
#[derive(Debug, Default)]
pub(super) struct Standing {
    demotions: BTreeMap<String, u16>,
    bars: BTreeMap<String, Bar>,
    penalties: BTreeMap<&'static str, Penalty>,
}

/// A demotion that ends by itself.
#[derive(Clone, Copy, Debug)]
struct Penalty {
    ends: Instant,
    length: Duration,
    /// It has ended, and is remembered for as long again.
    is_over: bool,
}

impl Penalty {
    fn next(&self) -> Instant {
        if self.is_over { self.ends + self.length } else { self.ends }
    }
}

impl Standing {
    /// By how much the virtual host is demoted, by what.
    pub(super) fn demotions(&self) -> impl Iterator<Item = (&str, u16)> {
        let active = self.penalties.iter().filter(|(_, penalty)| !penalty.is_over);
        let penalties = active.map(|(name, _)| (*name, u16::from(WORST_SKEW)));
        self.demotions.iter().map(|(name, by)| (name.as_str(), *by)).chain(penalties)
    }

    /// What keeps it out.
    pub(super) fn bars(&self) -> impl Iterator<Item = (&str, Bar)> {
        self.bars.iter().map(|(name, bar)| (name.as_str(), *bar))
    }

    /// The reason that counts: the operator's wish before what was found out.
    fn bar(&self) -> Option<Bar> {
        self.bars.values().min().copied()
    }

    fn demotion(&self) -> u16 {
        self.demotions().fold(0, |sum, (_, by)| sum.saturating_add(by))
    }

    /// Whether that changes anything. 0 takes a demotion back.
    fn demote(&mut self, name: &str, by: u16) -> bool {
        if by == 0 {
            return self.demotions.remove(name).is_some();
        }
        let is_known = self.demotions.contains_key(name);
        (is_known || self.demotions.len() < MOST_REASONS) && self.demotions.insert(name.into(), by) != Some(by)
    }

    fn set_bar(&mut self, name: &str, bar: Option<Bar>) {
        match bar {
            Some(bar) if self.bars.len() < MOST_REASONS || self.bars.contains_key(name) => {
                self.bars.insert(name.into(), bar);
            }
            Some(_) => {}
            None => _ = self.bars.remove(name),
        }
    }

    /// Something went wrong by itself: a demotion to the limit for a while, and for twice as long if it does so again
    /// before as much time has passed in peace.
    fn punish(&mut self, now: Instant, name: &'static str, first: Duration) -> Duration {
        let before = self.penalties.get(name);
        let length = before.map_or(first, |before| (before.length * 2).min(first * LONGEST_PENALTY));
        self.penalties.insert(name, Penalty { ends: now + length, length, is_over: false });
        length
    }

    /// When a penalty ends or is forgotten.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.penalties.values().map(Penalty::next).min()
    }

    /// Whether a penalty has just ended.
    fn forgive(&mut self, now: Instant) -> bool {
        let mut ended = false;
        self.penalties.retain(|_, penalty| {
            ended |= !penalty.is_over && penalty.ends <= now;
            penalty.is_over = penalty.ends <= now;
            penalty.next() > now
        });
        ended
    }
}

impl Engine {
    /// Demotes a virtual host for a named reason, or takes that back with 0.
    pub(super) fn demote(&mut self, now: Instant, host: HostNumber, name: &str, by: u16) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        if hosted.standing.demote(name, by) {
            self.apply_demotion(now, host, name);
        }
    }

    /// Keeps a virtual host out for a named reason, or takes that back.
    pub(super) fn bar(&mut self, now: Instant, host: HostNumber, name: &str, bar: Option<Bar>) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let before = hosted.standing.bar();
        hosted.standing.set_bar(name, bar);
        let after = hosted.standing.bar();
        if before != after {
            let command = after.map_or(Command::StandUp, Command::StandDown);
            self.node.handle_command(now, hosted.id, command);
            self.carry_out(now);
        }
    }

    /// Demotes a virtual host for a while, after something went wrong by itself.
    pub(super) fn punish(&mut self, now: Instant, host: HostNumber, name: &'static str) {
        let Some(hosted) = self.hosts.get_mut(&host).filter(|hosted| !hosted.profile.penalty.is_zero()) else { return };
        let length = hosted.standing.punish(now, name, hosted.profile.penalty);
        warn!("{}Demoted for {length:?}: {name}", hosted.profile.who);
        self.note(Some(host), "notice", "demoted", format!("demoted for {length:?}: {name}"));
        self.apply_demotion(now, host, name);
    }

    /// Ends penalties whose time is over.
    pub(super) fn forgive(&mut self, now: Instant) {
        let over = |hosted: &mut super::Hosted| hosted.standing.forgive(now);
        let forgiven = self.hosts.iter_mut().filter_map(|(host, hosted)| over(hosted).then_some(*host));
        for host in forgiven.collect::<Vec<_>>() {
            self.apply_demotion(now, host, "a penalty is over");
        }
    }

    /// Tells the core of everything that a virtual host that was added anew had against it.
    pub(super) fn restore_standing(&mut self, now: Instant, host: HostNumber, standing: Standing) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        hosted.standing = standing;
        self.node.set_demotion(now, hosted.id, hosted.standing.demotion());
        if let Some(bar) = hosted.standing.bar() {
            self.node.handle_command(now, hosted.id, Command::StandDown(bar));
        }
        self.doubt_calendar();
    }

    fn apply_demotion(&mut self, now: Instant, host: HostNumber, why: &str) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let (id, by) = (hosted.id, hosted.standing.demotion());
        let before = self.node.advertised_interval(id);
        self.node.set_demotion(now, id, by);
        self.doubt_calendar();
        let after = self.node.advertised_interval(id);
        info!("{}Demotion {by} ({why}): advskew {} instead of {}", self.who(host), after.advskew, before.advskew);
        self.carry_out(now);
    }
}
