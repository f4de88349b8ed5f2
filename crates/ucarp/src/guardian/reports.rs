//! Doing what the engine asks for, as far as it may ask: addresses and scripts of the virtual hosts that are configured.

use carp_core::election::State;
use carp_core::node::Command;
use carp_core::time::Instant;
use log::{error, warn};

use super::interfaces::Removals;
use super::wills::Will;
use super::{Guardian, RETRY, STALL, now};
use crate::complaints::Subject;
use crate::keeper::Outcome;
use crate::logging;
use crate::protocol::{self, HostNumber, Order, Report};
use crate::scripts::Action;

/// Datagrams that are read in one turn; what is behind them waits for the next.
const MOST_DATAGRAMS: usize = 64;

impl Guardian {
    pub(super) fn read_reports(&mut self) {
        for _ in 0..MOST_DATAGRAMS {
            let datagram = match self.child.receive() {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return,
                Err(error) => return self.distrust(&error.to_string()),
            };
            match protocol::read_reports(&datagram) {
                Ok((decided, reports)) => {
                    let now = now();
                    // To write to the log is no sign of a loop that turns.
                    if !matches!(reports[..], [Report::Log(..)]) {
                        self.child.is_alive(now);
                        self.service.alive(now);
                    }
                    for report in reports {
                        self.heed(now, decided, report);
                        // One that said what it must not has nothing more to say.
                        if !self.child.is_running() {
                            return;
                        }
                    }
                }
                Err(error) => return self.distrust(&error.to_string()),
            }
        }
    }

    /// The engine is out of its mind, or in somebody's hands.
    pub(super) fn distrust(&mut self, cause: &str) {
        self.engine_failed(now(), &format!("sent {cause}"));
    }

    fn heed(&mut self, now: Instant, decided: Instant, report: Report) {
        match report {
            Report::Claim(host) if self.keeper.keeps(host) => {
                if !self.is_outdated(now - decided, host) {
                    self.keeper.claim(host);
                }
            }
            Report::Claim(host) => self.request(now, host, Action::Up),
            Report::Renew(host) => {
                if self.keeper.keeps(host) && !self.is_outdated(now - decided, host) {
                    self.keeper.want(host);
                }
            }
            Report::Release(host) if self.keeper.keeps(host) => self.keeper.release(host),
            Report::Release(host) => self.request(now, host, Action::Down),
            Report::Log(level, text) => logging::relayed(level, &text),
            Report::Control(asked) => self.heed_control(asked),
            Report::State(host, state) => self.state_is(host, state),
            Report::Followed(host) => {
                if let Some(action) = self.awaiting.remove(&host) {
                    self.request_once(now, host, action);
                }
            }
            Report::Will { host, link, destination, goodbye } => {
                self.keep_will(host, link, Will { destination, goodbye });
            }
            Report::Broken(link) => {
                let index = link.0 as usize;
                if index < self.interfaces.len() {
                    self.reopen(now, index);
                }
            }
        }
    }

    fn state_is(&mut self, host: HostNumber, state: State) {
        if let Some(hosted) = self.hosts.get_mut(&host) {
            hosted.state = state;
            if state != State::Master {
                hosted.wills.clear();
            }
        }
    }

    /// Whether a wish is so old that another host may have taken this virtual host over meanwhile. The engine, if it still
    /// wants the same, says so again with its next advertisement.
    fn is_outdated(&self, age: std::time::Duration, host: HostNumber) -> bool {
        age >= STALL && self.hosts.get(&host).is_none_or(|hosted| age >= hosted.patience())
    }

    /// Lets addresses come and go as it was decided, and the decisions follow the addresses.
    pub(super) fn settle(&mut self, now: Instant) {
        let held_up = super::now() - self.decided;
        if held_up >= STALL && self.hosts.keys().any(|host| self.is_outdated(held_up, *host)) {
            self.keeper.forget_wants();
        }
        for outcome in self.keeper.settle(now) {
            let (host, command) = match outcome {
                Outcome::Claimed(host) => (host, Command::Claimed),
                Outcome::Released(host) => (host, Command::Released),
                Outcome::Hopeless(host) => (host, Command::HandOver),
            };
            // Announcements and goodbyes before scripts, which take time.
            match outcome {
                Outcome::Claimed(_) => _ = self.awaiting.insert(host, Action::Up),
                Outcome::Released(_) => {
                    self.execute_will(host);
                    self.awaiting.insert(host, Action::Down);
                }
                Outcome::Hopeless(_) => {
                    error!("{}Unable to hold the addresses: leaving them to another host", self.who(host));
                }
            }
            self.child.order(&Order::Command { host, command });
        }
        if !self.child.is_running() {
            self.run_awaiting(now);
        }
    }

    /// Runs what waits for an engine that is not there.
    fn run_awaiting(&mut self, now: Instant) {
        for (host, action) in std::mem::take(&mut self.awaiting) {
            self.request_once(now, host, action);
        }
    }

    /// Runs a script unless the last one that ran or is to run was the same: an address that was put back is no new
    /// takeover.
    fn request_once(&mut self, now: Instant, host: HostNumber, action: Action) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        if hosted.last_action.replace(action) != Some(action) {
            self.request(now, host, action);
        }
    }

    /// Tells the engine of addresses that a MASTER has lost: it wants them back if it is MASTER still, after all that it
    /// has heard meanwhile.
    pub(super) fn look_for_missing(&mut self, now: Instant, removals: &Removals) {
        let missing = self.keeper.verify(now).unwrap_or_else(|error| {
            self.complain("Unable to list addresses", "", &error);
            self.verify_due = Some(now + RETRY);
            Vec::new()
        });
        for (host, address) in missing {
            self.note_removal(host, address);
            let kind = "Virtual address removed by somebody else";
            if self.complaints.is_news(now, Subject { host: Some(host), kind, sender: Some(address) }) {
                let by = removals.get(&address).copied().flatten();
                let by = by.map_or_else(|| "by whom is not known".into(), |requester| requester.to_string());
                warn!("{}{kind} ({by}): putting {address} back", self.who(host));
            }
            self.child.order(&Order::Missing { host });
        }
    }
}
