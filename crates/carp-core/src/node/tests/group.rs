//! Virtual hosts that move together.

use super::*;
use crate::election::Bar;
use crate::host::{GroupId, Policy};

const OUTSIDE: LinkId = LinkId(1);
const GROUP: Option<GroupId> = Some(GroupId(7));

/// Two routers, each with an inside and an outside address, on two segments.
struct Routers {
    nodes: Vec<(Node, [HostId; 2])>,
    now: Instant,
    /// Nothing of this node's passes on this link.
    cut_off: Vec<(usize, LinkId)>,
    moves: Vec<(u64, usize, usize, State, Reason)>,
}

impl Routers {
    fn new(preempt: bool, advskews: [u8; 2]) -> Self {
        let router = |(index, advskew)| {
            let mut node = Node::new(index as u64 + 1);
            let octet = u8::try_from(index).unwrap() + 2;
            let hosts = [LINK, OUTSIDE].map(|link| {
                let policy = Policy { group: GROUP, ..Policy::default() };
                let vhid = u8::try_from(link.0).unwrap() + 1;
                node.add(VirtualHostConfig { link, vhid, preempt, policy, ..config(octet, advskew) })
            });
            (node, hosts)
        };
        let nodes = advskews.into_iter().enumerate().map(router).collect();
        Self { nodes, now: at(0), cut_off: vec![], moves: vec![] }
    }

    /// The hosts start with this lead before each other.
    fn up(&mut self, index: usize, link: LinkId) {
        self.nodes[index].0.handle_link(self.now, link, LinkState::Up(mac(u8::try_from(index).unwrap())));
        self.drain(index);
    }

    fn down(&mut self, index: usize, link: LinkId) {
        self.nodes[index].0.handle_link(self.now, link, LinkState::NoCarrier);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].0.poll_output() {
            let command = match output {
                Output::Claim { host } => Some((host, Command::Claimed)),
                Output::Release { host } => Some((host, Command::Released)),
                Output::Transition { host, to, reason, .. } => {
                    let place = self.nodes[index].1.iter().position(|known| *known == host).unwrap();
                    self.moves.push((self.now.as_nanos() / 1_000_000, index, place, to, reason));
                    None
                }
                Output::Transmit { link, purpose: Purpose::Advertisement | Purpose::Goodbye, frame, .. } => {
                    self.deliver(index, link, &frame);
                    None
                }
                _ => None,
            };
            if let Some((host, command)) = command {
                self.nodes[index].0.handle_command(self.now, host, command);
            }
        }
    }

    fn deliver(&mut self, from: usize, link: LinkId, frame: &[u8]) {
        if self.cut_off.contains(&(from, link)) {
            return;
        }
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if !self.cut_off.contains(&(to, link)) {
                self.nodes[to].0.handle_frame(self.now, link, frame);
                self.drain(to);
            }
        }
    }

    fn run_until(&mut self, millis: u64) {
        while let Some(next) =
            self.nodes.iter().filter_map(|(node, _)| node.next_deadline()).min().filter(|next| *next <= at(millis))
        {
            self.now = next.max(self.now);
            for index in 0..self.nodes.len() {
                self.nodes[index].0.handle_timeout(self.now);
                self.drain(index);
            }
        }
        self.now = at(millis);
    }

    fn command(&mut self, index: usize, place: usize, command: Command) {
        let (node, hosts) = &mut self.nodes[index];
        node.handle_command(self.now, hosts[place], command);
        self.drain(index);
    }

    fn started(preempt: bool, advskews: [u8; 2]) -> Self {
        let mut routers = Self::new(preempt, advskews);
        for (index, link) in [(0, LINK), (0, OUTSIDE), (1, LINK), (1, OUTSIDE)] {
            routers.up(index, link);
        }
        routers.run_until(6500);
        assert_eq!(routers.states(0), [State::Master; 2]);
        assert_eq!(routers.states(1), [State::Backup; 2]);
        routers
    }

    fn states(&self, index: usize) -> [State; 2] {
        let (node, hosts) = &self.nodes[index];
        hosts.map(|host| node.state(host))
    }
}

#[test]
fn a_router_that_lost_its_outside_gives_its_inside_away_with_a_goodbye() {
    let mut routers = Routers::started(true, [0, 100]);
    routers.down(0, OUTSIDE);
    routers.run_until(6600);
    assert_eq!(routers.states(0), [State::Init; 2]);
    assert_eq!(routers.states(1)[0], State::Master, "at once");
    let bar = Bar::Group;
    assert!(routers.moves.contains(&(6500, 0, 0, State::Init, Reason::StoodDown { bar })));
    routers.run_until(11_000);
    assert_eq!(routers.states(1), [State::Master; 2], "the outside was silent for the dead time");
    routers.up(0, OUTSIDE);
    routers.run_until(13_000);
    assert_eq!(routers.states(0), [State::Master; 2], "both come back together");
    assert_eq!(routers.states(1), [State::Backup; 2]);
    let before = routers.moves.len();
    routers.run_until(100_000);
    assert_eq!(routers.moves.len(), before, "and all is quiet");
}

#[test]
fn a_hand_over_of_one_is_a_hand_over_of_all() {
    let mut routers = Routers::started(false, [0, 0]);
    routers.command(0, 0, Command::HandOver);
    routers.run_until(6600);
    assert_eq!(routers.states(0), [State::Backup; 2]);
    assert_eq!(routers.states(1), [State::Master; 2]);
    let before = routers.moves.len();
    routers.run_until(100_000);
    assert_eq!(routers.moves.len(), before);
}

#[test]
fn one_that_is_held_holds_all() {
    let mut routers = Routers::started(true, [0, 100]);
    routers.command(0, 1, Command::StandDown(Bar::Held));
    routers.run_until(6600);
    assert_eq!((routers.states(0), routers.states(1)), ([State::Init; 2], [State::Master; 2]));
    routers.command(0, 1, Command::StandUp);
    routers.run_until(10_000);
    assert_eq!((routers.states(0), routers.states(1)), ([State::Master; 2], [State::Backup; 2]));
}

#[test]
fn routers_that_each_took_one_find_together_without_preemption() {
    let mut routers = Routers::new(false, [0, 0]);
    routers.up(0, LINK);
    routers.up(1, OUTSIDE);
    for index in [0, 1] {
        routers.run_until(500);
        routers.up(index, OUTSIDE);
        routers.up(index, LINK);
    }
    routers.run_until(60_000);
    let (first, second) = (routers.states(0), routers.states(1));
    assert_eq!(first[0], first[1], "{:?}", routers.moves);
    assert_eq!(second[0], second[1]);
    assert_ne!(first[0], second[0]);
}

#[test]
fn groups_that_are_torn_by_one_lossy_segment_do_not_flap() {
    let mut routers = Routers::started(false, [0, 0]);
    routers.cut_off = vec![(1, LINK)];
    routers.run_until(20_000);
    // The second router hears nobody inside, and takes that over; outside it hears the first one.
    assert_eq!(routers.states(0), [State::Master; 2]);
    routers.cut_off.clear();
    routers.run_until(60_000);
    let before = routers.moves.len();
    routers.run_until(200_000);
    assert_eq!(routers.moves.len(), before, "{:?}", routers.moves);
    assert!(routers.states(0)[0] == routers.states(0)[1] && routers.states(1)[0] == routers.states(1)[1]);
}

#[test]
fn a_member_that_is_forgotten_or_leaves_the_group_does_not_keep_the_others_out() {
    let mut routers = Routers::started(false, [0, 0]);
    routers.down(0, OUTSIDE);
    routers.run_until(7000);
    assert_eq!(routers.states(0), [State::Init; 2]);
    let (node, hosts) = &mut routers.nodes[0];
    let apart = VirtualHostConfig { policy: Policy::default(), ..node.config(hosts[1]).clone() };
    node.reconfigure(at(7000), hosts[1], apart, Duration::ZERO);
    assert_eq!(routers.states(0)[0], State::Backup);

    let mut routers = Routers::started(false, [0, 0]);
    routers.down(0, OUTSIDE);
    let (node, hosts) = &mut routers.nodes[0];
    node.remove(at(7000), hosts[1]);
    assert_eq!(node.state(hosts[0]), State::Backup);
}
