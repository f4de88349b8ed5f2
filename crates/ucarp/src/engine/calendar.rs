//! What stays as it is until something happens to a virtual host: so that not all of them are looked at whenever the engine
//! is awake, which was a fifth of its time with 255 BACKUPs.

use std::time::Duration;

use carp_core::time::Instant;

use super::Engine;
use crate::report;

/// What is due for all virtual hosts together, beside the protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    /// The shortest lease of those that have not lapsed.
    pub(super) shortest_lease: Option<Duration>,
    /// When the first penalty ends, or lines about a link are counted.
    pub(super) chores: Option<Instant>,
    /// Whether a virtual host advertises too rarely to renew its lease by that.
    pub(super) rare_advertisements: bool,
    /// Whether a virtual host has lapsed.
    pub(super) lapses: bool,
}

impl Engine {
    /// The calendar as it is.
    pub(super) fn calendar(&self) -> Calendar {
        *self.calendar.get_or_init(|| {
            let all = || self.hosts.values();
            let chores = all().flat_map(|hosted| [hosted.standing.next_deadline(), hosted.link_lines.next_deadline()]);
            Calendar {
                shortest_lease: all().filter(|hosted| !hosted.lapsed).filter_map(|hosted| hosted.profile.lease).min(),
                chores: chores.flatten().min(),
                rare_advertisements: self.has_rare_advertisements(),
                lapses: all().any(|hosted| hosted.lapsed),
            }
        })
    }

    /// Something has happened to a virtual host that the calendar may not know of.
    pub(super) fn doubt_calendar(&mut self) {
        self.calendar.take();
    }

    /// Does what is due for virtual hosts beside the protocol.
    pub(super) fn do_chores(&mut self, now: Instant) {
        if self.calendar().chores.is_none_or(|due| due > now) {
            return;
        }
        self.forgive(now);
        for hosted in self.hosts.values_mut() {
            if let Some(count) = hosted.link_lines.due(now) {
                report::flaps(&hosted.profile.who, count);
            }
        }
        self.doubt_calendar();
    }
}
