//! How a group behaves at sizes that no laboratory stages: many hosts, many virtual hosts, long partitions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use carp_core::auth::{AddressList, Key};
use carp_core::election::{State, TieRule};
use carp_core::host::{Authentication, Credentials, Local, MacMode, Policy, Transport, VirtualHostConfig};
use carp_core::node::{Command, HostId, LinkId, LinkState, Node, Output, Purpose};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;

use crate::dice::Dice;

const LINK: LinkId = LinkId(0);

/// How long a group is watched after its last change before it counts as converged: longer than any dead time here.
const QUIET: Duration = Duration::from_secs(8);

/// A group that has not converged by then never will.
const PATIENCE: Duration = Duration::from_secs(300);

/// How ranks are spread over the hosts of each virtual host.
#[derive(Clone, Copy)]
enum Ranks {
    /// All advskew 0.
    Equal,
    /// Each host another advskew, and each virtual host another order.
    Distinct,
}

enum What {
    Arrive { to: usize, frame: Rc<[u8]> },
    Timer { node: usize },
}

struct Event {
    at: Instant,
    order: u64,
    what: What,
}

/// One segment full of nodes with many virtual hosts. No faults but partition and death, and no checkers: only counts.
struct Crowd {
    nodes: Vec<Option<Node>>,
    hosts: Vec<HostId>,
    timers: Vec<Option<Instant>>,
    queue: BinaryHeap<Reverse<Event>>,
    order: u64,
    dice: Dice,
    now: Instant,
    halved: bool,
    last_change: Instant,
    frames: u64,
    events: u64,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// What one convergence took.
struct Row {
    time: Duration,
    frames: u64,
    events: u64,
    /// Virtual hosts that do not have exactly one MASTER.
    wrong: usize,
}

impl Crowd {
    fn new(hosts: usize, virtual_hosts: u8, ranks: Ranks) -> Self {
        let mut dice = Dice::new(1);
        let key = Key::from_password(b"secret").expect("a permitted length");
        let mut ids = Vec::new();
        let nodes = (0..hosts).map(|host| {
            let mut node = Node::new(dice.bits());
            let add = |vhid| node.add(config(host, hosts, vhid, ranks, &key));
            ids = (1..=virtual_hosts).map(add).collect();
            Some(node)
        });
        let nodes: Vec<_> = nodes.collect();
        let mut crowd = Self {
            timers: vec![None; nodes.len()],
            nodes,
            hosts: ids,
            queue: BinaryHeap::new(),
            order: 0,
            dice,
            now: Instant::from_nanos(1_000_000_000),
            halved: false,
            last_change: Instant::default(),
            frames: 0,
            events: 0,
        };
        for index in 0..hosts {
            let up = LinkState::Up(MacAddr([2, 0, 0, 0, 0, u8::try_from(index).unwrap_or(u8::MAX)]));
            crowd.with(index, |node, now| node.handle_link(now, LINK, up));
        }
        crowd
    }

    /// Hands something to a node and does what it wants.
    fn with(&mut self, index: usize, act: impl FnOnce(&mut Node, Instant)) {
        let Some(mut node) = self.nodes[index].take() else { return };
        act(&mut node, self.now);
        while let Some(output) = node.poll_output() {
            match output {
                Output::Transmit { purpose, frame, .. } => self.transmit(index, purpose, &frame),
                Output::Claim { host } => node.handle_command(self.now, host, Command::Claimed),
                Output::Release { host } => node.handle_command(self.now, host, Command::Released),
                Output::Transition { .. } => self.last_change = self.now,
                Output::TransmitPacket { .. } | Output::Leaving { .. } | Output::Notice { .. } => {}
            }
        }
        if let Some(deadline) = node.next_deadline()
            && self.timers[index].is_none_or(|planned| deadline < planned)
        {
            self.timers[index] = Some(deadline);
            self.plan(deadline.max(self.now), What::Timer { node: index });
        }
        self.nodes[index] = Some(node);
    }

    fn transmit(&mut self, from: usize, purpose: Purpose, frame: &[u8]) {
        self.frames += 1;
        if purpose == Purpose::Announcement {
            return;
        }
        let frame: Rc<[u8]> = frame.into();
        let middle = self.nodes.len() / 2;
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if self.halved && (from < middle) != (to < middle) {
                continue;
            }
            let at = self.now + self.dice.duration(Duration::from_micros(50), Duration::from_micros(500));
            self.plan(at, What::Arrive { to, frame: Rc::clone(&frame) });
        }
    }

    fn plan(&mut self, at: Instant, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Event { at, order: self.order, what }));
    }

    /// Runs until `end`, or until nothing has changed for so long that nothing will.
    fn run(&mut self, end: Instant, until_quiet: bool) {
        let began = self.now;
        while let Some(Reverse(event)) = self.queue.pop() {
            if event.at > end || (until_quiet && event.at > self.last_change.max(began) + QUIET) {
                self.queue.push(Reverse(event));
                return;
            }
            self.now = event.at;
            self.events += 1;
            match event.what {
                What::Arrive { to, frame } => self.with(to, |node, now| node.handle_frame(now, LINK, &frame)),
                What::Timer { node } => {
                    if self.timers[node].is_some_and(|planned| planned <= self.now) {
                        self.timers[node] = None;
                        self.with(node, Node::handle_timeout);
                    }
                }
            }
        }
    }

    /// Runs until the group has converged and tells what it took.
    fn converge(&mut self) -> Row {
        let began = self.now;
        (self.frames, self.events, self.last_change) = (0, 0, began);
        self.run(began + PATIENCE, true);
        let hosts = u64::try_from(self.nodes.len()).expect("a small number");
        let masters = |host: &HostId| self.nodes.iter().flatten().filter(|n| n.state(*host) == State::Master).count();
        let wrong = self.hosts.iter().filter(|host| masters(host) != 1).count();
        Row { time: self.last_change - began, frames: self.frames / hosts, events: self.events / hosts, wrong }
    }
}

fn config(host: usize, hosts: usize, vhid: u8, ranks: Ranks, key: &Key) -> VirtualHostConfig {
    let place = (host + usize::from(vhid)) % hosts;
    let advskew = match ranks {
        Ranks::Equal => 0,
        Ranks::Distinct => u8::try_from(place * 240 / hosts).expect("less than 240"),
    };
    let last = u8::try_from(host + 1).expect("at most 254 hosts");
    VirtualHostConfig {
        link: LINK,
        vhid,
        credentials: Credentials::new(key.clone(), AddressList::new([Ipv4Addr::new(10, 0, 1, vhid).into()])),
        local: Local::v4(Ipv4Addr::new(10, 0, 0, last)),
        transport: Transport::default(),
        mac: MacMode::Interface,
        interval: Interval { advbase: 1, advskew },
        dead_ratio: 3,
        preempt: false,
        tie: TieRule::default(),
        pseudo_header_checksum: false,
        authentication: Authentication::default(),
        policy: Policy::default(),
    }
}

/// Prints the tables to `out`. `quick` leaves out the sizes that take minutes.
///
/// # Errors
/// Writing failed.
pub fn report(quick: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Ours, advbase 1. Frames and events (arrivals and timers) are per host, until converged and 8 s more."
    )?;
    let sizes: &[(usize, u8)] =
        if quick { &[(3, 1), (10, 16), (30, 64)] } else { &[(3, 1), (10, 16), (30, 64), (100, 64), (100, 255)] };
    for ranks in [Ranks::Distinct, Ranks::Equal] {
        title(out, &format!("{} ranks: all start at once, then the first host dies", name(ranks)))?;
        for &(hosts, virtual_hosts) in sizes {
            let mut crowd = Crowd::new(hosts, virtual_hosts, ranks);
            line(out, "start", hosts, virtual_hosts, &crowd.converge())?;
            crowd.nodes[0] = None;
            line(out, "death", hosts, virtual_hosts, &crowd.converge())?;
        }
    }
    for ranks in [Ranks::Distinct, Ranks::Equal] {
        title(out, &format!("{} ranks, one virtual host: its MASTER dies, or hands over", name(ranks)))?;
        for backups in [2, 8, 64] {
            for handover in [false, true] {
                let row = lose_master(backups, ranks, handover);
                line(out, if handover { "handover" } else { "death" }, backups + 1, 1, &row)?;
            }
        }
    }
    title(out, "a segment that falls into halves for an hour, and heals")?;
    let sizes: &[(usize, u8)] = if quick { &[(2, 1), (10, 8)] } else { &[(2, 1), (10, 8), (30, 16), (100, 16)] };
    for ranks in [Ranks::Distinct, Ranks::Equal] {
        for &(hosts, virtual_hosts) in sizes {
            let row = heal(hosts, virtual_hosts, ranks);
            line(out, &format!("heal, {}", name(ranks)), hosts, virtual_hosts, &row)?;
        }
    }
    Ok(())
}

fn lose_master(backups: usize, ranks: Ranks, handover: bool) -> Row {
    let mut crowd = Crowd::new(backups + 1, 1, ranks);
    crowd.converge();
    let host = crowd.hosts[0];
    let is_master = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.state(host) == State::Master);
    let master = crowd.nodes.iter().position(is_master).expect("the group has converged");
    if handover {
        crowd.last_change = crowd.now;
        crowd.with(master, |node, now| node.handle_command(now, host, Command::HandOver));
    } else {
        crowd.nodes[master] = None;
    }
    crowd.converge()
}

fn heal(hosts: usize, virtual_hosts: u8, ranks: Ranks) -> Row {
    let mut crowd = Crowd::new(hosts, virtual_hosts, ranks);
    crowd.converge();
    crowd.halved = true;
    let end = crowd.now + Duration::from_secs(3600);
    crowd.run(end, false);
    crowd.halved = false;
    crowd.converge()
}

const fn name(ranks: Ranks) -> &'static str {
    match ranks {
        Ranks::Equal => "equal",
        Ranks::Distinct => "distinct",
    }
}

fn title(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}")?;
    writeln!(out, "event            hosts   vhosts   converged after    frames    events")
}

fn line(out: &mut dyn Write, event: &str, hosts: usize, virtual_hosts: u8, row: &Row) -> io::Result<()> {
    let Row { time, frames, events, wrong } = row;
    let time = time.as_secs_f64();
    write!(out, "{event:<15}  {hosts:>5}   {virtual_hosts:>6}   {time:>13.3} s  {frames:>8}  {events:>8}")?;
    if *wrong > 0 {
        write!(out, "   {wrong} virtual hosts do not have exactly one MASTER")?;
    }
    writeln!(out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_converges_on_one_master_each_after_start_death_and_healing() {
        for ranks in [Ranks::Distinct, Ranks::Equal] {
            let mut crowd = Crowd::new(12, 5, ranks);
            assert_eq!(crowd.converge().wrong, 0, "start, {}", name(ranks));
            crowd.nodes[0] = None;
            assert_eq!(crowd.converge().wrong, 0, "death, {}", name(ranks));
            assert_eq!(heal(12, 5, ranks).wrong, 0, "healing, {}", name(ranks));
        }
    }

    #[test]
    fn many_backups_replace_one_master_within_the_dead_time() {
        for (ranks, handover, most) in
            [(Ranks::Distinct, false, Duration::from_secs(4)), (Ranks::Distinct, true, Duration::from_secs(1))]
        {
            let row = lose_master(64, ranks, handover);
            assert_eq!(row.wrong, 0);
            assert!(row.time < most, "{:?}", row.time);
        }
    }
}
