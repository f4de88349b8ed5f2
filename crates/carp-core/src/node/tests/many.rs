//! As many virtual hosts as a node can have, and the agenda that they share.

use super::*;
use proptest::prelude::*;

/// One virtual host for each number on each of 16 links.
fn crowd() -> (Node, Vec<HostId>) {
    let mut node = Node::new(1);
    let mut hosts = Vec::new();
    for link in 0..16 {
        for vhid in 1..=255 {
            let (link, advskew) = (LinkId(link), vhid);
            hosts.push(node.add(VirtualHostConfig { link, vhid, ..config(2, advskew) }));
        }
    }
    (node, hosts)
}

/// What the agenda must show, from the virtual hosts themselves.
fn naive_deadline(node: &Node) -> Option<Instant> {
    node.hosts.iter().flatten().filter_map(VirtualHost::next_deadline).min()
}

#[test]
fn thousands_of_hosts_act_in_the_order_in_which_they_are_due() {
    let (mut node, hosts) = crowd();
    assert_eq!((hosts.len(), node.next_deadline()), (4080, None));
    for link in 0..16 {
        let now = at(u64::from(link) * 10);
        node.handle_link(now, LinkId(link), LinkState::Up(mac(2)));
        assert_eq!(node.next_deadline(), naive_deadline(&node));
    }
    assert_eq!(drained(&mut node).len(), 4080);
    node.handle_timeout(at(3003));
    assert_eq!(drained(&mut node), [], "nothing is due before the first dead time of 3 s and 1/256 s");

    let mut taken = Vec::new();
    while let Some(next) = node.next_deadline().filter(|next| *next < at(4000)) {
        node.handle_timeout(next);
        for output in drained(&mut node) {
            if let Output::Claim { host } = output {
                taken.push((next, host));
            }
        }
        assert!(node.next_deadline() > Some(next) && node.next_deadline() == naive_deadline(&node));
    }
    let due = |(_, host): &(Instant, HostId)| {
        let config = node.config(*host);
        at(u64::from(config.link.0) * 10) + config.interval.master_down(3)
    };
    assert!(taken.iter().all(|taken| taken.0 == due(taken)));
    assert!(taken.len() > 3500 && taken.is_sorted());
}

#[test]
fn those_that_have_waited_longest_act_first_when_many_are_due() {
    let (mut node, hosts) = crowd();
    for link in 0..16 {
        node.handle_link(at(0), LinkId(link), LinkState::Up(mac(2)));
    }
    drained(&mut node);
    node.handle_timeout(at(4000));
    let order: Vec<_> = drained(&mut node)
        .into_iter()
        .filter_map(|output| if let Output::Claim { host } = output { Some(host) } else { None })
        .collect();
    assert_eq!(order.len(), hosts.len());
    assert!(order.is_sorted_by_key(|host| (node.config(*host).interval, *host)));
    assert_eq!(node.next_deadline(), naive_deadline(&node));
}

#[test]
fn a_frame_reaches_its_number_on_its_link_alone() {
    let (mut node, hosts) = crowd();
    for link in 0..16 {
        node.handle_link(at(0), LinkId(link), LinkState::Up(mac(2)));
    }
    drained(&mut node);
    let deadline = |node: &Node, host: HostId| node.hosts[host.0].as_ref().unwrap().next_deadline();
    let before: Vec<_> = hosts.iter().map(|host| deadline(&node, *host)).collect();
    let frame = advertisement_of(VirtualHostConfig { vhid: 200, ..config(9, 0) }).remove(0);
    node.handle_frame(at(500), LinkId(7), &frame);
    let moved: Vec<_> = hosts.iter().zip(before).filter(|(host, before)| deadline(&node, **host) != *before).collect();
    let [(host, _)] = moved[..] else { panic!("{} were reached", moved.len()) };
    assert_eq!((node.config(*host).link, node.config(*host).vhid), (LinkId(7), 200));
}

/// Something that happens to a node of a few virtual hosts.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u16),
    Timeout,
    Link(u8, bool),
    Frame { vhid: u8, advskew: u8, goodbye: bool },
    Command(usize, Command),
    Reconfigure(usize, u8, bool),
    Remove(usize),
    Add(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let command =
        prop_oneof![Just(Command::HandOver), Just(Command::ShutDown), Just(Command::Claimed), Just(Command::Released)];
    prop_oneof![
        4 => any::<u16>().prop_map(|millis| Happening::Pass(millis % 2000)),
        4 => Just(Happening::Timeout),
        1 => (0..2_u8, any::<bool>()).prop_map(|(link, up)| Happening::Link(link, up)),
        2 => (1..4_u8, any::<u8>(), any::<bool>())
            .prop_map(|(vhid, advskew, goodbye)| Happening::Frame { vhid, advskew, goodbye }),
        1 => (0..8_usize, command).prop_map(|(host, command)| Happening::Command(host, command)),
        1 => (0..8_usize, 1..4_u8, any::<bool>())
            .prop_map(|(host, advbase, preempt)| Happening::Reconfigure(host, advbase, preempt)),
        1 => (0..8_usize).prop_map(Happening::Remove),
        1 => (1..4_u8).prop_map(Happening::Add),
    ]
}

fn peer_frame(vhid: u8, advskew: u8, goodbye: bool) -> Vec<u8> {
    let config = VirtualHostConfig { vhid, ..config(9, advskew) };
    let (mut node, host, outputs) = master_of(config);
    if !goodbye {
        return frames(&outputs, Purpose::Advertisement)[0].to_vec();
    }
    node.handle_command(at(9000), host, Command::ShutDown);
    node.handle_command(at(9000), host, Command::Released);
    frames(&drained(&mut node), Purpose::Goodbye)[0].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_agenda_is_right_after_every_input_and_early_timeouts_do_nothing(
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let mut node = Node::new(3);
        let mut now = at(0);
        let mut hosts: Vec<HostId> = Vec::new();
        for happening in happenings {
            let known = |host: usize| hosts.get(host).copied();
            match happening {
                Happening::Pass(millis) => now = now + Duration::from_millis(millis.into()),
                Happening::Timeout => node.handle_timeout(now),
                Happening::Link(link, up) => {
                    let state = if up { LinkState::Up(mac(2)) } else { LinkState::NoCarrier };
                    node.handle_link(now, LinkId(link.into()), state);
                }
                Happening::Frame { vhid, advskew, goodbye } => {
                    node.handle_frame(now, LINK, &peer_frame(vhid, advskew, goodbye));
                }
                Happening::Command(host, command) => {
                    if let Some(host) = known(host) {
                        node.handle_command(now, host, command);
                    }
                }
                Happening::Reconfigure(host, advbase, preempt) => {
                    if let Some(host) = known(host) {
                        let former = node.config(host).clone();
                        let interval = Interval { advbase, ..former.interval };
                        let config = VirtualHostConfig { interval, preempt, ..former };
                        node.reconfigure(now, host, config, Duration::from_secs(60));
                    }
                }
                Happening::Remove(host) => {
                    if let Some(gone) = known(host) {
                        node.remove(now, gone);
                        hosts.remove(host);
                    }
                }
                Happening::Add(vhid) => {
                    let link = LinkId(u32::from(vhid) % 2);
                    let host = node.add(VirtualHostConfig { link, vhid, ..config(2, 10 * vhid) });
                    prop_assert!(!hosts.contains(&host));
                    hosts.push(host);
                }
            }
            drained(&mut node);
            prop_assert_eq!(node.next_deadline(), naive_deadline(&node));
            prop_assert_eq!(node.agenda.len(), node.hosts.len());
            if node.next_deadline().is_none_or(|next| next > now) {
                node.handle_timeout(now);
                prop_assert_eq!(drained(&mut node), vec![]);
                prop_assert_eq!(node.next_deadline(), naive_deadline(&node));
            }
        }
    }
}

/// Virtual hosts of these intervals, whose links come up at these moments, run until 7.9 s. The milliseconds at which each
/// advertised.
fn advertised(hosts: &[(u64, Interval)]) -> Vec<Vec<u64>> {
    let mut node = Node::new(1);
    let links: Vec<_> = (0..).map(LinkId).zip(hosts).collect();
    let configs = links.iter().map(|(link, (_, interval))| VirtualHostConfig {
        link: *link,
        interval: *interval,
        ..config(2, 0)
    });
    let ids: Vec<_> = configs.map(|config| node.add(config)).collect();
    let mut moments = vec![Vec::new(); hosts.len()];
    let mut coming: Vec<_> = links.iter().map(|(link, (up, _))| (at(*up), *link)).collect();
    loop {
        let next = coming.first().map(|(up, _)| *up).into_iter().chain(node.next_deadline()).min();
        let Some(now) = next.filter(|next| *next < at(7900)) else { return moments };
        for (_, link) in coming.extract_if(.., |(up, _)| *up <= now) {
            node.handle_link(now, link, LinkState::Up(mac(2)));
        }
        node.handle_timeout(now);
        for output in drained(&mut node) {
            if let Output::Transmit { host, purpose: Purpose::Advertisement, .. } = output {
                let which = ids.iter().position(|id| *id == host).unwrap();
                moments[which].push(now.as_nanos() / 1_000_000);
            }
        }
    }
}

#[test]
fn masters_of_one_interval_advertise_together() {
    let second = Interval { advbase: 1, advskew: 0 };
    let [first, second, third] = &advertised(&[(0, second), (400, second), (1990, second)])[..] else { panic!() };
    assert_eq!(first, &[3000, 4000, 5000, 6000, 7000]);
    assert_eq!(second, &[3400, 4000, 5000, 6000, 7000]);
    assert_eq!(third, &[4990, 5000, 6000, 7000]);
}

#[test]
fn masters_of_other_intervals_keep_their_moments() {
    let interval = |advbase| Interval { advbase, advskew: 0 };
    let [first, second] = &advertised(&[(0, interval(1)), (400, interval(2))])[..] else { panic!() };
    assert_eq!(first, &[3000, 4000, 5000, 6000, 7000]);
    assert_eq!(second, &[6400]);
}

#[test]
fn a_pacemaker_that_is_no_master_any_more_has_a_successor() {
    let (mut node, links) = (Node::new(1), [0, 1, 2, 3].map(LinkId));
    let hosts = links.map(|link| node.add(VirtualHostConfig { link, ..config(2, 0) }));
    for (link, up) in links.into_iter().zip([0, 200, 500, 900]) {
        node.handle_link(at(up), link, LinkState::Up(mac(2)));
    }
    let next = |node: &Node, host: usize| node.host(hosts[host]).beat().unwrap().1;
    node.handle_timeout(at(3000));
    node.handle_link(at(3100), links[0], LinkState::NoCarrier);
    node.handle_timeout(at(3200));
    assert_eq!(next(&node, 1), at(4200), "nobody is there to fall in with");
    node.handle_timeout(at(3500));
    assert_eq!(next(&node, 2), at(4200));
    node.remove(at(3600), hosts[1]);
    node.handle_timeout(at(3900));
    assert_eq!(next(&node, 3), at(4900), "the pacemaker was removed");
}

#[test]
fn a_pacemaker_that_is_late_itself_keeps_its_moments() {
    let (mut node, links) = (Node::new(1), [0, 1].map(LinkId));
    let hosts = links.map(|link| node.add(VirtualHostConfig { link, ..config(2, 0) }));
    for (link, up) in links.into_iter().zip([0, 990]) {
        node.handle_link(at(up), link, LinkState::Up(mac(2)));
    }
    node.handle_timeout(at(3000));
    // Both are due, and the new one, which has waited longer, comes first.
    node.handle_timeout(at(4010));
    for host in hosts {
        assert_eq!(node.host(host).beat().unwrap().1, at(5000));
    }
}
