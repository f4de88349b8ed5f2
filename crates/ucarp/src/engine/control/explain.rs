//! Why a virtual host is what it is, and what would change that.

use carp_core::election::{self, Reason};
use carp_core::host::{Authentication, Heard};
use carp_core::node::{LinkState, View};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use ucarp_control::types::{Explanation, State};

use super::show::is_master;
use crate::engine::Engine;
use crate::protocol::HostNumber;
use crate::report;

/// What an explanation is made of.
struct Case<'a> {
    now: Instant,
    view: View<'a>,
    /// The own interval, demotion included.
    own: Interval,
    /// The last change of state.
    since: Instant,
    demotions: Vec<(String, u16)>,
    bars: Vec<String>,
}

impl Case<'_> {
    fn seconds(&self, at: Instant) -> String {
        format!("{:.1} s", (at - self.now).as_secs_f64())
    }

    fn ago(&self, at: Instant) -> String {
        format!("{:.1} s", (self.now - at).as_secs_f64())
    }

    /// The other hosts that are MASTER as far as can be known.
    fn masters(&self) -> impl Iterator<Item = &Heard> {
        self.view.heard.iter().filter(|heard| is_master(self.now, &self.view, self.since, heard))
    }

    fn is_up(&self) -> bool {
        matches!(self.view.link, LinkState::Up(_))
    }

    fn dead_time(&self) -> String {
        format!("{:.1} s", self.view.outlook.dead_time.as_secs_f64())
    }

    fn evidence(&self) -> Vec<String> {
        let configured = self.view.config.interval;
        let mut all = vec![format!("this host advertises {}, as configured", self.own)];
        if self.own != configured {
            all[0] = format!("this host advertises {} instead of the configured {configured}", self.own);
        }
        all.extend(self.demotions.iter().map(|(name, by)| format!("demoted by {by}: {name}")));
        all.extend(self.bars.iter().map(|bar| format!("kept out: {bar}")));
        for heard in self.view.heard.iter().take(4) {
            let what = if heard.peer.interval == Interval::BOW_OUT { "said goodbye" } else { "was heard" };
            all.push(format!("{} {what} {} ago", heard.peer, self.ago(heard.at)));
        }
        if self.view.heard.is_empty() {
            all.push("nobody of the group was heard since the daemon's engine was started".into());
        }
        all.push(match self.view.link {
            LinkState::Up(mac) => format!("the interface is up, with the address {mac}"),
            LinkState::Down => "the interface is down".into(),
            LinkState::NoCarrier => "the interface has no carrier".into(),
            LinkState::Gone => "there is no such interface".into(),
        });
        all.push(format!("a master that is silent for {} counts as dead", self.dead_time()));
        if let Some(until) = self.view.outlook.held_until.filter(|until| *until > self.now) {
            all.push(format!("nothing makes it take over for another {}", self.seconds(until)));
        }
        all
    }

    fn to_become_master(&self) -> Vec<String> {
        let mut all = Vec::new();
        match self.view.state {
            election::State::Master => return vec!["it is MASTER".into()],
            election::State::Init => {
                all.extend(self.bars.iter().map(|bar| format!("what keeps it out has to end: {bar}")));
                if !self.is_up() {
                    all.push("the interface has to come up, with a carrier".into());
                }
                all.push(format!("then it listens, and takes over after {} without a master", self.dead_time()));
                return all;
            }
            election::State::Backup => {}
        }
        if let Some(deadline) = self.view.outlook.deadline {
            let silent = match self.view.outlook.expectation {
                Reason::MasterTimedOut { master, .. } => format!("{} stays silent", master.source),
                Reason::Preempted { master } | Reason::MasterBoundToTimeOut { master } => {
                    format!("{} is still slower", master.source)
                }
                _ => "no master is heard".into(),
            };
            all.push(format!("{silent} for another {}", self.seconds(deadline)));
        }
        if let Some(master) = self.masters().next() {
            all.push(format!("at once if {} says goodbye: stopped in peace, or told to hand over", master.peer.source));
            all.push(if self.own >= master.peer.interval {
                format!("a better rank than {}, and preempt: now it is no better than {}", master.peer, self.own)
            } else if self.view.config.preempt {
                format!("it is better than {} and preempts it at its next advertisement", master.peer)
            } else {
                format!("it is better than {}: `promote` makes it MASTER now, and preempt = true always", master.peer)
            });
        }
        all
    }

    fn to_become_backup(&self) -> Vec<String> {
        match self.view.state {
            election::State::Backup => vec!["it is BACKUP".into()],
            election::State::Init => {
                let mut all: Vec<String> =
                    self.bars.iter().map(|bar| format!("what keeps it out has to end: {bar}")).collect();
                if !self.is_up() {
                    all.push("the interface has to come up, with a carrier".into());
                }
                all
            }
            election::State::Master => vec![
                format!("an authentic advertisement that is better than {}", self.own),
                "`hand-over`, or `hold`, which also keeps it out".into(),
                format!(
                    "a stop of this host, or of its processes, for longer than {:.1} s",
                    self.own.peers_dead_time(self.view.config.dead_ratio).as_secs_f64()
                ),
                "no advertisement can be sent, or the addresses cannot be held".into(),
            ],
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut all = Vec::new();
        let masters: Vec<_> = self.masters().collect();
        if self.view.state == election::State::Master && !masters.is_empty() {
            all.push(format!("{} advertises as MASTER too", masters[0].peer));
        } else if masters.len() > 1 {
            all.push(format!("{} hosts advertise as MASTER", masters.len()));
        }
        if let Some(equal) = self.view.heard.iter().find(|heard| heard.peer.interval == self.own) {
            let source = equal.peer.source;
            all.push(format!("{source} has the same rank, so addresses decide: give each host its own advskew"));
        }
        if let Some(rival) = &self.view.rival {
            let (who, ago) = (report::rival(rival), self.ago(rival.at));
            all.push(format!("{} was also at {who}, {ago} ago, claims: {}", rival.address, rival.claims));
        }
        let doubted = self.view.doubted;
        for (count, what) in [
            (doubted.replayed, "repeated"),
            (doubted.stale, "old"),
            (doubted.tampered, "changed"),
            (doubted.reflected, "reflected"),
            (doubted.misplaced, "misplaced"),
        ] {
            if count > 0 {
                all.push(format!("{count} {what} advertisements were heard"));
            }
        }
        if self.view.config.authentication == Authentication::Observe && doubted.unstamped > 0 {
            all.push(format!("{} advertisements without stamp were believed", doubted.unstamped));
        }
        all
    }
}

impl Engine {
    pub(super) fn explain(&self, now: Instant, host: HostNumber) -> Explanation {
        let hosted = &self.hosts[&host];
        let case = Case {
            now,
            view: self.node.view(hosted.id),
            own: self.node.advertised_interval(hosted.id),
            since: hosted.record.since,
            demotions: hosted.standing.demotions().map(|(name, by)| (name.to_owned(), by)).collect(),
            bars: hosted.standing.bars().map(|(name, bar)| format!("{bar} ({name})")).collect(),
        };
        let (name, state, (_, reason)) = (self.name_of(host), self.state_of(host), self.reason_of(host));
        let since = hosted.record.reason.map(|_| format!(", for {}", case.ago(case.since))).unwrap_or_default();
        let mut warnings = case.warnings();
        let counts = &hosted.record.counts;
        if counts.bad_digest > 0 {
            let count = counts.bad_digest;
            warnings.push(format!("{count} advertisements have another password or other addresses, or are forged"));
        }
        if counts.send_errors > 0 {
            warnings.push(format!("{} packets could not be sent", counts.send_errors));
        }
        if state == State::Master && hosted.profile.native && !hosted.complete {
            warnings.push("some of its addresses are not there".into());
        }
        if self.guardian.is_gone() {
            warnings.push("the guardian has died: nobody takes addresses or gives them up".into());
        }
        Explanation {
            summary: format!("{name} is {state}{since}: {reason}"),
            virtual_host: name,
            state,
            evidence: case.evidence(),
            to_become_master: case.to_become_master(),
            to_become_backup: case.to_become_backup(),
            warnings,
        }
    }
}
