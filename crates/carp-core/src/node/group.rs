//! Virtual hosts that move together, such as the inside and the outside address of a router: a node that cannot serve one
//! of them serves none.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::Node;
use crate::election::{Election, State};
use crate::host::{GroupId, VirtualHost};
use crate::time::Instant;

/// After so many dead times with some virtual hosts MASTER here and their leader elsewhere, the others follow it.
const PATIENCE: u32 = 3;

/// The virtual hosts of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The first one leads.
    members: BTreeSet<usize>,
    /// Since when the leader is BACKUP while another one is MASTER.
    torn_since: Option<Instant>,
}

impl Node {
    pub(super) fn join_group(&mut self, index: usize, group: Option<GroupId>) {
        if let Some(group) = group {
            self.groups.entry(group).or_default().members.insert(index);
        }
    }

    pub(super) fn leave_group(&mut self, now: Instant, index: usize, group: Option<GroupId>) {
        let Some(id) = group else { return };
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members.remove(&index);
        if group.members.is_empty() {
            self.groups.remove(&id);
        }
        self.share_bars(now, id);
    }

    /// One that cannot take part bars the others, and no others do.
    fn share_bars(&mut self, now: Instant, id: GroupId) -> Vec<usize> {
        let members: Vec<usize> = self.groups.get(&id).into_iter().flat_map(|group| &group.members).copied().collect();
        let unfit = members.iter().filter(|member| self.is_unfit(**member)).count();
        for member in &members {
            let is_barred = unfit > usize::from(self.is_unfit(*member));
            self.act(now, *member, |host, outputs| host.bar_by_group(now, is_barred, outputs));
        }
        members
    }

    /// A virtual host of the group has acted: what that means for the others.
    ///
    /// * One that cannot take part, for its link or because it is barred, takes all others out. They come back with it; that
    ///   they are out because of it is no reason of their own, so that nothing goes in circles.
    /// * One that has left MASTER for BACKUP takes the others along: the node that has it now shall have them all.
    /// * If they are torn apart nevertheless, after both nodes started at the same time say, they follow the first one.
    pub(super) fn keep_together(&mut self, now: Instant, id: GroupId, index: usize, before: State) {
        let members = self.share_bars(now, id);
        let has_left = before == State::Master && self.state_of(index) == State::Backup;
        if has_left || self.is_torn_for_long(now, id, &members) {
            for member in members {
                self.act(now, member, |host, outputs| host.elect(now, outputs, Election::follow_group));
            }
        }
    }

    /// Whether the leader has been elsewhere for so long that the nodes will not find together by themselves.
    fn is_torn_for_long(&mut self, now: Instant, id: GroupId, members: &[usize]) -> bool {
        let leader_is_elsewhere = members.first().is_some_and(|leader| self.state_of(*leader) == State::Backup);
        let is_torn = leader_is_elsewhere && members.iter().any(|member| self.state_of(*member) == State::Master);
        let dead_times = members.iter().filter_map(|member| self.hosts[*member].as_ref()).map(VirtualHost::dead_time);
        let patience = dead_times.max().unwrap_or(Duration::ZERO) * PATIENCE;
        let Some(group) = self.groups.get_mut(&id) else { return false };
        group.torn_since = if is_torn { group.torn_since.or(Some(now)) } else { None };
        group.torn_since.is_some_and(|since| now - since >= patience)
    }

    fn is_unfit(&self, index: usize) -> bool {
        self.hosts[index].as_ref().is_some_and(|host| !host.is_fit())
    }

    fn state_of(&self, index: usize) -> State {
        self.hosts[index].as_ref().map_or(State::Init, VirtualHost::state)
    }
}
