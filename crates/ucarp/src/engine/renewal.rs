//! Leases of virtual hosts that advertise too rarely to renew them in passing: those that are demoted, as a rule. A lease is
//! measured by the interval that is configured, and a demotion makes that longer.

use std::time::Duration;

use carp_core::election::State;
use carp_core::time::Instant;

use super::{Engine, Hosted};
use crate::protocol::HostNumber;

/// How often a lease has to be renewed beside advertisements, if they do not come twice in its time.
fn every(hosted: &Hosted, interval: Duration) -> Option<Duration> {
    hosted.profile.lease.map(|lease| lease / 2).filter(|half| *half < interval)
}

impl Engine {
    /// Whether a virtual host advertises too rarely.
    pub(super) fn has_rare_advertisements(&self) -> bool {
        self.hosts.values().any(|hosted| every(hosted, self.node.advertised_interval(hosted.id).duration()).is_some())
    }

    /// When the next lease has to be renewed although no advertisement is due.
    pub(super) fn next_renewal(&self) -> Option<Instant> {
        if self.calendar().rare_advertisements { self.renewals().map(|(_, due)| due).min() } else { None }
    }

    /// The virtual hosts whose leases are renewed beside their advertisements, and when. One that is leaving, or lacks
    /// some of its addresses, has none to renew.
    fn renewals(&self) -> impl Iterator<Item = (HostNumber, Instant)> {
        self.hosts.iter().filter_map(|(host, hosted)| {
            let every = every(hosted, self.node.advertised_interval(hosted.id).duration())?;
            let holds = self.node.state(hosted.id) == State::Master && hosted.complete && !hosted.lapsed;
            holds.then_some((*host, hosted.voice.renewed + every))
        })
    }

    /// Renews the leases that are due. A MASTER that was held up has heard before what happened meanwhile, and has left if
    /// its peers think that it is dead.
    pub(super) fn renew_leases(&mut self, now: Instant) {
        if !self.calendar().rare_advertisements {
            return;
        }
        let due: Vec<HostNumber> = self.renewals().filter(|(_, due)| *due <= now).map(|(host, _)| host).collect();
        for host in due {
            if let Some(hosted) = self.hosts.get_mut(&host) {
                hosted.voice.renewed = now;
            }
            self.guardian.renew(host);
        }
    }
}
