//! A group whose hosts get new credentials one after the other: the grace time keeps them together.

use super::*;

const GRACE: Duration = Duration::from_secs(60);

/// The group before, and its credentials after.
fn changes() -> Vec<(&'static str, VirtualHostConfig, Credentials)> {
    let before = config(0, 0);
    let both = dual(0, 0);
    let less = credentials("secret", list(&["10.0.0.101", "2001:db8::100", "fe80::100"]));
    vec![
        ("password", before.clone(), credentials("terces", [IpAddr::V4(VIP)])),
        ("one address more", before.clone(), credentials("secret", list(&["10.0.0.100", "10.0.0.101"]))),
        ("a second family", before.clone(), credentials("secret", list(&["10.0.0.100", "2001:db8::100"]))),
        ("one address less", both.clone(), less),
        ("all at once", both, credentials("terces", list(&["10.0.0.77", "2001:db8::77"]))),
    ]
}

/// Hosts .2, .3, ... of advskew 0, 20, ...
fn group(size: u8, like: &VirtualHostConfig) -> Vec<VirtualHostConfig> {
    let member = |number: u8| {
        let interval = Interval { advbase: 1, advskew: 20 * number };
        let local = dual(2 + number, 0).local;
        VirtualHostConfig { interval, local, ..like.clone() }
    };
    (0..size).map(member).collect()
}

/// Lets the group settle, then reloads the hosts of `order` at these seconds, and runs for five minutes.
fn reload(configs: &[VirtualHostConfig], after: &Credentials, order: &[(usize, u64)], grace: Duration) -> Segment {
    let mut segment = Segment::new(configs.iter().cloned());
    segment.run_until(10_000);
    assert_eq!(segment.masters(), [0]);
    for (node, second) in order {
        segment.run_until(second * 1000 + 17 * (*node as u64 + 1));
        let config = VirtualHostConfig { credentials: after.clone(), ..configs[*node].clone() };
        segment.reconfigure(*node, config, grace);
        assert!(segment.masters().len() <= 1);
    }
    segment.run_until(300_000);
    segment
}

#[test]
fn hosts_that_are_reloaded_one_after_the_other_keep_their_master() {
    for (name, before, after) in changes() {
        for (orders, size) in [
            (&[&[0, 1][..], &[1, 0]][..], 2),
            (&[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]], 3),
        ] {
            for order in orders {
                for pause in [0, 1, 29] {
                    let order: Vec<_> = order.iter().zip(0..).map(|(node, at)| (*node, 12 + pause * at)).collect();
                    let segment = reload(&group(size, &before), &after, &order, GRACE);
                    assert_eq!(segment.masters(), [0], "{name}, {order:?}");
                    assert_eq!(segment.moves_after(9000), [], "{name}, {order:?}");
                    let refused = |(_, _, output): &(u64, usize, Output)| matches!(output, Output::Notice { .. });
                    assert!(!segment.log.iter().any(refused), "{name}, {order:?}: somebody was not understood");
                    let (node, host) = &segment.nodes[0];
                    assert!(!node.is_changing_credentials(segment.now, *host));
                }
            }
        }
    }
}

#[test]
fn in_the_end_the_new_form_is_sent_and_the_old_one_refused() {
    for (name, before, after) in changes() {
        let configs = group(2, &before);
        let segment = reload(&configs, &after, &[(0, 12), (1, 40)], GRACE);
        let last = segment.log.iter().rev().find_map(|(_, _, output)| match output {
            Output::Transmit { frame, purpose: Purpose::Advertisement, .. } => Some(frame),
            _ => None,
        });
        let of_new = VirtualHostConfig { credentials: after, ..configs[1].clone() };
        assert!(reaction(of_new, last.unwrap()).0, "{name}");
        let (waits, _) = reaction(configs[1].clone(), last.unwrap());
        assert!(!waits, "{name}");
    }
}

#[test]
fn a_failover_in_the_middle_of_a_change_works_as_ever() {
    for (name, before, after) in changes() {
        for reloaded in [0, 1, 2] {
            let configs = group(3, &before);
            let mut segment = Segment::new(configs.iter().cloned());
            segment.run_until(10_000);
            let config = VirtualHostConfig { credentials: after.clone(), ..configs[reloaded].clone() };
            segment.reconfigure(reloaded, config, GRACE);
            segment.command(0, Command::ShutDown);
            segment.run_until(10_050);
            let masters = segment.masters();
            assert!(matches!(masters[..], [1 | 2]), "{name}, n{reloaded} was reloaded: {masters:?}");
            segment.run_until(60_000);
            assert_eq!(segment.moves_after(10_050), [], "{name}, n{reloaded} was reloaded");
        }
    }
}

#[test]
fn without_a_grace_time_two_masters_appear() {
    for (name, before, after) in changes() {
        for first in [0, 1] {
            let segment = reload(&group(2, &before), &after, &[(first, 12)], Duration::ZERO);
            assert_eq!(segment.masters(), [0, 1], "{name}, n{first} was reloaded");
        }
    }
}

#[test]
fn a_host_that_is_forgotten_is_lost_when_the_grace_time_is_over_and_not_before() {
    for (name, before, after) in changes() {
        let segment = reload(&group(2, &before), &after, &[(0, 12)], GRACE);
        assert_eq!(segment.masters(), [0, 1], "{name}");
        let parted = segment.moves_after(9000)[0].0;
        // The last advertisement of the old form is sent up to an interval before the end of the grace time.
        assert!((74_000..=75_200).contains(&parted), "{name}: {parted}");
    }
}

#[test]
fn a_reload_without_grace_time_ends_the_one_that_is_running() {
    for (name, before, after) in changes() {
        let configs = group(2, &before);
        let mut segment = Segment::new(configs.iter().cloned());
        segment.run_until(10_000);
        let changed = |node: usize| VirtualHostConfig { credentials: after.clone(), ..configs[node].clone() };
        for node in [0, 1] {
            segment.reconfigure(node, changed(node), GRACE);
        }
        segment.run_until(15_000);
        let is_changing = |segment: &Segment, node: usize| {
            let (core, host) = &segment.nodes[node];
            core.is_changing_credentials(segment.now, *host)
        };
        assert!(is_changing(&segment, 0) && is_changing(&segment, 1), "{name}");
        segment.reconfigure(0, changed(0), Duration::ZERO);
        assert!(!is_changing(&segment, 0), "{name}");
        segment.run_until(20_000);
        assert!(!is_changing(&segment, 1), "{name}: it has heard the new form");
        assert_eq!((segment.masters(), segment.moves_after(9000)), (vec![0], vec![]), "{name}");
    }
}
