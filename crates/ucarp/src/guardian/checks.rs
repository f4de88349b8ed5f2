//! Having checks done, and telling the engine what they mean for whom.

use carp_core::time::Instant;

use super::Guardian;
use crate::protocol::{HostNumber, Order};
use crate::settings::Check;

impl Guardian {
    /// Begins and ends runs of checks, and lets the engine know what came of them.
    pub(super) fn do_checks(&mut self, now: Instant) {
        if self.shutting_down {
            return self.checks.end();
        }
        self.checks.turn(now);
        if !self.child.is_running() {
            // The next one is told of everything.
            return;
        }
        let hosts = &self.hosts;
        let users = |name: &str| -> Vec<HostNumber> {
            let has_it = hosts.iter().filter(|(_, hosted)| hosted.settings.checks.iter().any(|check| check == name));
            has_it.map(|(host, _)| *host).collect()
        };
        for status in self.checks.news(users) {
            self.child.order(&Order::Check(status));
        }
    }

    /// Makes these the checks, and has the engine forget others.
    pub(super) fn use_checks(&mut self, now: Instant, checks: &[Check]) {
        let gone = self.checks.names().filter(|name| checks.iter().all(|check| check.name != **name));
        for name in gone.map(str::to_owned).collect::<Vec<_>>() {
            self.child.order(&Order::ForgetCheck { name });
        }
        self.checks.replace(now, checks);
    }
}
