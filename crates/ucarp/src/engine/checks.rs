//! What checks mean for virtual hosts: a demotion, or to stay out.

use std::collections::BTreeMap;

use carp_core::election::Bar;

use super::control::check_state;
use super::{Engine, now};
use crate::protocol::{CheckState, CheckStatus, HostNumber};

/// More than there can be. The guardian sends no others.
const MOST_CHECKS: usize = 1024;

/// All checks, by their names.
pub(super) type Checks = BTreeMap<String, CheckStatus>;

impl Engine {
    /// A check was done, or concerns others than before.
    pub(super) fn check_is(&mut self, status: CheckStatus) {
        if self.checks.len() >= MOST_CHECKS && !self.checks.contains_key(&status.name) {
            return;
        }
        let before = self.checks.get(&status.name).map_or(CheckState::Unknown, |before| before.state);
        for host in &status.hosts {
            if status.state != before {
                let message = format!("check {} is {}: {}", status.name, check_state(status.state), status.result);
                self.note(Some(*host), "check", "check", message);
            }
            self.count_check(*host, &status.name, status.in_force, status.demotion);
        }
        let (name, hosts) = (status.name.clone(), status.hosts.clone());
        let former = self.checks.insert(status.name.clone(), status).map_or_else(Vec::new, |before| before.hosts);
        for host in former.into_iter().filter(|host| !hosts.contains(host)) {
            self.count_check(host, &name, false, None);
        }
    }

    pub(super) fn forget_check(&mut self, name: &str) {
        let Some(status) = self.checks.remove(name) else { return };
        for host in status.hosts {
            self.count_check(host, name, false, None);
        }
    }

    /// Lets a check count against a virtual host, by its demotion or as a bar, or not at all.
    fn count_check(&mut self, host: HostNumber, name: &str, in_force: bool, demotion: Option<u8>) {
        let (now, reason) = (now(), format!("check {name}"));
        // The effect may be another one than before, so each is set.
        let demoted = demotion.filter(|_| in_force).unwrap_or(0);
        let barred = (in_force && demotion.is_none()).then_some(Bar::CheckFailed);
        self.demote(now, host, &reason, demoted.into());
        self.bar(now, host, &reason, barred);
    }
}
