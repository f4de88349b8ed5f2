//! A running virtual host becomes another one, as far as its configuration changed and no further.

use super::*;

const GRACE: Duration = Duration::from_secs(60);

fn every(config: &VirtualHostConfig, advbase: u8) -> VirtualHostConfig {
    VirtualHostConfig { interval: Interval { advbase, ..config.interval }, ..config.clone() }
}

/// An advertisement of a MASTER of advskew 0 that a BACKUP of [`config`] believes.
fn from_master() -> Vec<u8> {
    advertisement_of(config(9, 0)).remove(0)
}

/// A BACKUP of advskew 100 that last heard a master at 1 s.
fn backup() -> (Node, HostId) {
    let (mut node, host) = started(config(2, 100));
    node.handle_frame(at(1000), LINK, &from_master());
    assert_eq!(drained(&mut node), []);
    (node, host)
}

#[test]
fn the_same_configuration_again_changes_nothing_and_says_nothing() {
    type State = (Node, HostId);
    let leaving = || {
        let (mut node, host, _) = master_of(dual(2, 0));
        node.handle_command(at(3100), host, Command::HandOver);
        drained(&mut node);
        (node, host)
    };
    let init = || {
        let mut node = Node::new(1);
        let host = node.add(dual(2, 0));
        (node, host)
    };
    let master = || {
        let (node, host, _) = master_of(dual(2, 0));
        (node, host)
    };
    let cases: [(&str, &dyn Fn() -> State); 5] = [
        ("init", &init),
        ("backup", &|| started(dual(2, 0))),
        ("backup that heard", &backup),
        ("master", &master),
        ("leaving", &leaving),
    ];
    for (name, make) in cases {
        let (mut node, host) = make();
        let (state, deadline, same) = (node.state(host), node.next_deadline(), node.config(host).clone());
        for millis in 3200..3220 {
            node.reconfigure(at(millis), host, same.clone(), GRACE);
            node.set_local(at(millis), host, same.local);
        }
        assert_eq!(drained(&mut node), [], "{name}");
        assert_eq!((node.state(host), node.next_deadline()), (state, deadline), "{name}");
        assert!(!node.is_changing_credentials(at(3220), host), "{name}");
    }
}

#[test]
fn a_master_tells_its_new_interval_at_once_but_not_more_often_than_it_answers() {
    for (reload, told) in [(3500, 3500), (3100, 3300)] {
        let (mut node, host, _) = master_of(config(2, 0));
        node.reconfigure(at(reload), host, every(&config(2, 0), 2), GRACE);
        if told > reload {
            assert_eq!(drained(&mut node), []);
            assert_eq!(node.next_deadline(), Some(at(told)));
            node.handle_timeout(at(told));
        }
        let outputs = drained(&mut node);
        let sent = frames(&outputs, Purpose::Advertisement);
        assert_eq!(frame::parse(sent[0]).unwrap().advertisement.advbase, 2);
        assert_eq!((sent.len(), node.state(host)), (1, State::Master));
        node.handle_timeout(at(told + 1999));
        assert!(frames(&drained(&mut node), Purpose::Advertisement).is_empty());
        node.handle_timeout(at(told + 2000));
        assert_eq!(frames(&drained(&mut node), Purpose::Advertisement).len(), 1);
    }
}

#[test]
fn a_backup_waits_as_long_since_the_last_advertisement_as_it_now_should() {
    let dead_time = |advbase: u64| 3000 * advbase + 391;
    for (advbase, reload) in [(2, 1500), (3, 4300), (1, 2000)] {
        let (mut node, host) = backup();
        node.reconfigure(at(reload), host, every(&config(2, 100), advbase), GRACE);
        assert_eq!(drained(&mut node), []);
        let due = node.next_deadline().unwrap().as_nanos() / 1_000_000;
        let advbase = u64::from(advbase);
        assert!((dead_time(advbase) + 999..=dead_time(advbase) + 1000).contains(&due), "advbase {advbase}: {due}");
    }
    // From 9.4 s to 3.4 s when 5 s have passed: at once.
    let (mut node, host) = started(every(&config(2, 100), 3));
    node.reconfigure(at(5000), host, config(2, 100), GRACE);
    assert_eq!(node.next_deadline(), Some(at(5000)));
    node.handle_timeout(at(5000));
    assert_eq!(node.state(host), State::Master);
}

#[test]
fn reloads_without_end_do_not_postpone_a_takeover() {
    for steps in [[1, 2], [1, 3], [2, 1]] {
        let (mut node, host) = backup();
        let mut now = at(1000);
        for advbase in steps.into_iter().cycle().take(100) {
            now = now + Duration::from_millis(330);
            node.handle_timeout(now);
            if node.state(host) == State::Master {
                break;
            }
            node.reconfigure(now, host, every(&config(2, 100), advbase), GRACE);
        }
        let longest = 3000 * u64::from(steps[0].max(steps[1])) + 391;
        assert_eq!(node.state(host), State::Master, "{steps:?}");
        assert!(now <= at(1000 + longest + 330), "{steps:?}: {now:?}");
    }
}

#[test]
fn preemption_that_was_switched_on_acts_at_the_next_advertisement() {
    let slower = advertisement_of(config(9, 200)).remove(0);
    for preempt in [false, true] {
        let (mut node, host) = backup();
        node.reconfigure(at(1500), host, VirtualHostConfig { preempt, ..config(2, 100) }, GRACE);
        assert_eq!(node.state(host), State::Backup);
        node.handle_frame(at(2000), LINK, &slower);
        assert_eq!(node.state(host) == State::Master, preempt);
    }
}

#[test]
fn preemption_that_was_switched_off_does_not_act_when_a_hold_ends() {
    let (mut node, host, _) = master_of(VirtualHostConfig { preempt: true, ..config(2, 0) });
    node.handle_command(at(3500), host, Command::HandOver);
    node.handle_command(at(3500), host, Command::Released);
    // Another one has it, slower than we are: we would take it back when 3 s are over.
    let slower = advertisement_of(config(9, 200)).remove(0);
    for millis in [4000, 5800] {
        node.handle_frame(at(millis), LINK, &slower);
    }
    drained(&mut node);
    assert_eq!(node.next_deadline(), Some(at(6500)));
    node.reconfigure(at(6000), host, config(2, 0), GRACE);
    node.handle_timeout(at(6500));
    assert_eq!((node.state(host), drained(&mut node)), (State::Backup, vec![]));
    node.handle_frame(at(7582), LINK, &slower);
    assert_eq!((node.state(host), drained(&mut node)), (State::Backup, vec![]));
    node.handle_timeout(at(7582 + 3000));
    assert_eq!(node.state(host), State::Master, "but it is taken over when its master is dead");
}

#[test]
fn a_master_that_did_not_run_is_not_helped_out_of_its_stall_by_a_reload() {
    let (mut node, host, _) = master_of(config(2, 0));
    // 10 s of silence: another one has long taken over. Nothing was queued.
    node.reconfigure(at(13_000), host, every(&config(2, 0), 2), GRACE);
    let outputs = drained(&mut node);
    assert!(frames(&outputs, Purpose::Advertisement).is_empty(), "{outputs:?}");
    assert!(
        matches!(outputs[..], [Output::Transition { reason: Reason::Stalled { .. }, .. }, Output::Release { .. }]),
        "{outputs:?}"
    );
    assert_eq!(node.state(host), State::Backup);
}

#[test]
fn a_backup_that_did_not_run_gives_the_master_its_chance_whatever_was_reloaded() {
    for advbase in [1, 2, 3] {
        let (mut node, host) = started(every(&config(2, 100), 2));
        node.reconfigure(at(60_000), host, every(&config(2, 100), advbase), GRACE);
        node.handle_timeout(at(60_000));
        assert_eq!(node.state(host), State::Backup, "advbase {advbase}");
        assert!(node.next_deadline() > Some(at(61_000)), "advbase {advbase}");
    }
}

#[test]
fn addresses_that_were_added_are_signed_and_announced_when_they_are_there() {
    let (mut node, host, _) = master_of(config(2, 0));
    let more = credentials("secret", list(&["10.0.0.100", "10.0.0.101", "2001:db8::100"]));
    let local = dual(2, 0).local;
    node.reconfigure(at(3500), host, VirtualHostConfig { credentials: more, local, ..config(2, 0) }, Duration::ZERO);
    assert_eq!(drained(&mut node), [], "no change of state");
    node.handle_command(at(3510), host, Command::Claimed);
    assert_eq!(frames(&drained(&mut node), Purpose::Announcement).len(), 3);
    node.handle_timeout(at(4000));
    assert_eq!(frames(&drained(&mut node), Purpose::Advertisement).len(), 2, "both families from now on");
}

#[test]
#[should_panic(expected = "another virtual host")]
fn a_virtual_host_does_not_become_one_of_another_number() {
    let (mut node, host) = started(config(2, 0));
    node.reconfigure(at(1), host, VirtualHostConfig { vhid: 2, ..config(2, 0) }, GRACE);
}

#[test]
fn a_removed_host_is_silent_and_its_place_is_taken_by_the_next_one() {
    let mut node = Node::new(1);
    let hosts = [1, 2, 3].map(|vhid| node.add(VirtualHostConfig { vhid, ..config(2, 0) }));
    node.handle_link(at(0), LINK, LinkState::Up(mac(2)));
    drained(&mut node);
    node.remove(at(0), hosts[1]);
    assert_eq!(drained(&mut node), []);
    node.handle_timeout(at(3000));
    let taken: Vec<_> = drained(&mut node)
        .into_iter()
        .filter_map(|output| if let Output::Claim { host } = output { Some(host) } else { None })
        .collect();
    assert_eq!(taken, [hosts[0], hosts[2]]);

    let again = node.add(VirtualHostConfig { vhid: 9, ..config(2, 0) });
    assert_eq!((again, node.state(again)), (hosts[1], State::Init));
    let new = node.add(VirtualHostConfig { vhid: 10, ..config(2, 0) });
    assert!(!hosts.contains(&new));
    node.handle_link(at(3100), LINK, LinkState::Up(mac(2)));
    assert_eq!(node.state(again), State::Backup);
    drained(&mut node);
    // Nobody listens for the vhid that was removed, and the new one is heard for.
    let hears = |node: &mut Node, vhid| {
        let before = node.hosts[again.0].as_ref().unwrap().next_deadline();
        let frame = advertisement_of(VirtualHostConfig { vhid, ..config(9, 0) }).remove(0);
        node.handle_frame(at(3200), LINK, &frame);
        assert_eq!(drained(node), []);
        node.hosts[again.0].as_ref().unwrap().next_deadline() != before
    };
    assert!(!hears(&mut node, 2) && hears(&mut node, 9));
    for host in [hosts[0], again, hosts[2], new] {
        node.remove(at(0), host);
    }
    assert_eq!(node.next_deadline(), None);
}
