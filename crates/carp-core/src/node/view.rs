//! What there is to know of a virtual host.

use alloc::vec::Vec;

use super::{HostId, LinkState, Node};
use crate::election::{Outlook, State};
use crate::host::{Counters, Heard, Rival, VirtualHostConfig};

/// A virtual host, for those who ask.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// What it is told to be.
    pub config: &'a VirtualHostConfig,
    /// What it is. A MASTER that is leaving stays MASTER until it has said goodbye.
    pub state: State,
    /// What it is about to do.
    pub outlook: Outlook,
    /// Its link, as it was last reported.
    pub link: LinkState,
    /// Who was heard, the last one first.
    pub heard: Vec<Heard>,
    /// How many advertisements were believed.
    pub believed: u64,
    /// How many were doubted.
    pub doubted: Counters,
    /// Who else had one of its addresses, the last one.
    pub rival: Option<Rival>,
    /// How often anybody else claimed one.
    pub claims: u64,
}

impl Node {
    /// The state of a virtual host. A MASTER that is leaving stays MASTER until it has said goodbye.
    #[must_use]
    pub fn state(&self, host: HostId) -> State {
        self.host(host).state()
    }

    /// What a virtual host is at the moment.
    #[must_use]
    pub fn config(&self, host: HostId) -> &VirtualHostConfig {
        self.host(host).config()
    }

    /// How many advertisements a virtual host has doubted since it was added, in every kind of authentication.
    #[must_use]
    pub fn counters(&self, host: HostId) -> Counters {
        self.host(host).counters()
    }

    /// What there is to know of a virtual host.
    #[must_use]
    pub fn view(&self, host: HostId) -> View<'_> {
        self.host(host).view()
    }
}
