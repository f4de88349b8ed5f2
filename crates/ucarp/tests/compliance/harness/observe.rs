//! What a group shows to those who watch it: who advertises, announces, says goodbye and holds the address, and when.

use std::net::IpAddr;
use std::time::Duration;

use carp_core::timing::Interval;
use carp_core::wire::frame::Received;

use super::Program;
use super::forger::Forger;
use super::group::{Group, Node, SOON};
use super::moments::between;

/// How long exactly one node must have been heard, and hold the address, to count as the one MASTER.
const SETTLED: Duration = Duration::from_secs(3);

/// What three hosts run: the same on all, or in a run of mixed groups every mixture in every order.
pub fn triples() -> Vec<[Program; 3]> {
    use Program::{Ours, Ucarp};
    match super::programs().first() {
        Some(program) => vec![[*program; 3]],
        None => vec![
            [Ours, Ucarp, Ucarp],
            [Ucarp, Ours, Ucarp],
            [Ucarp, Ucarp, Ours],
            [Ours, Ours, Ucarp],
            [Ours, Ucarp, Ours],
            [Ucarp, Ours, Ours],
        ],
    }
}

fn is_from(received: &Received, node: &Node) -> bool {
    received.src == IpAddr::V4(node.address)
}

fn is_goodbye(received: &Received) -> bool {
    let Received { advertisement, .. } = received;
    Interval { advbase: advertisement.advbase, advskew: advertisement.advskew } == Interval::BOW_OUT
}

impl Group {
    /// When the node advertised from `since` on; goodbyes do not count.
    pub fn advertisements_of(&self, node: &Node, since: u64) -> Vec<u64> {
        let seen = self.advertisements().into_iter();
        seen.filter(|(at, seen)| *at >= since && is_from(seen, node) && !is_goodbye(seen)).map(|(at, _)| at).collect()
    }

    /// When the node said goodbye from `since` on.
    pub fn goodbyes_of(&self, node: &Node, since: u64) -> Vec<u64> {
        let seen = self.advertisements().into_iter();
        seen.filter(|(at, seen)| *at >= since && is_from(seen, node) && is_goodbye(seen)).map(|(at, _)| at).collect()
    }

    /// When the node announced the shared address from `since` on.
    pub fn announcements_of(&self, node: &Node, since: u64) -> Vec<u64> {
        let seen = self.announcements().into_iter();
        seen.filter(|(at, mac)| *at >= since && *mac == node.host.mac()).map(|(at, _)| at).collect()
    }

    /// Waits until the node advertises, `since` or later, and returns when.
    pub fn wait_for_advertisement_of(&self, node: &Node, since: u64) -> u64 {
        self.wait_for_advertisement(SOON, |at, seen| at >= since && is_from(seen, node) && !is_goodbye(seen)).0
    }

    /// Waits until, for three seconds, exactly one of the nodes has been advertising and that one alone holds the address.
    pub fn wait_for_one_master<'a>(&self, nodes: &[&'a Node]) -> &'a Node {
        let mut master = None;
        let mut since = netlab::now();
        let settled = netlab::wait_until(SOON, || {
            let now = netlab::now();
            let holders: Vec<_> = nodes.iter().copied().filter(|node| node.holds_vip()).collect();
            let holder = if let [one] = holders[..] { Some(one) } else { None };
            let others = self.advertisements().into_iter().filter(|(at, _)| *at >= since);
            let undisputed = |holder: &Node| others.clone().all(|(_, seen)| is_from(&seen, holder));
            if holder.map(|node| node.address) != master.map(|node: &Node| node.address)
                || !holder.is_some_and(undisputed)
            {
                (master, since) = (holder, now);
            }
            let heard = master.is_some_and(|node| self.advertisements_of(node, since).len() >= 2);
            heard && between(since, now) >= SETTLED
        });
        let said: String =
            nodes.iter().map(|node| format!("{} {:?}:\n{}", node.address, node.program, node.said())).collect();
        assert!(settled, "there is not exactly one MASTER:\n{said}");
        master.expect("it settled on one")
    }

    /// Another host advertises once; returns when.
    pub fn inject(&self, advbase: u8, advskew: u8) -> u64 {
        let now = netlab::now();
        Forger::new(1).advertise(self, advbase, advskew);
        let frame = self.tap.wait_for(|frame| frame.at >= now && &*frame.port == "outsider", SOON);
        frame.expect("the switch sees it").at
    }
}

impl Node {
    /// The changes of state that it logged from `since` on: when, and whether it became MASTER.
    pub fn changes(&self, since: u64) -> Vec<(u64, bool)> {
        let lines = self.process().lines().into_iter().filter(|line| line.at >= since);
        lines.filter_map(|line| Some((line.at, line.text.split_once("Switching to state: ")?.1 == "MASTER"))).collect()
    }

    /// Waits for a line of `since` or later that contains `text`, and returns when it came.
    pub fn wait_for_new_line(&self, text: &str, since: u64) -> u64 {
        let line = self.process().wait_for(|line| line.at >= since && line.text.contains(text), SOON);
        line.unwrap_or_else(|| panic!("{:?} did not say {text:?}; it said:\n{}", self.program, self.said())).at
    }

    /// Waits until it is MASTER: it has advertised, `since` or later, and holds the address. Returns when it first
    /// advertised.
    pub fn wait_for_mastery(&self, group: &Group, since: u64) -> u64 {
        let at = group.wait_for_advertisement_of(self, since);
        self.wait_for_vip();
        at
    }

    /// How it ends; it has to end soon.
    pub fn wait_for_exit(&self) -> std::process::ExitStatus {
        let status = self.process().wait(SOON).expect("it can be waited for");
        status.unwrap_or_else(|| panic!("{:?} did not end; it said:\n{}", self.program, self.said()))
    }

    /// The host dies: nothing passes in either direction, and the program is killed.
    pub fn crash(&self) {
        self.host.silence(netlab::Direction::Both).expect("a host can be silenced");
        self.signal(netlab::Signal::KILL);
    }
}
