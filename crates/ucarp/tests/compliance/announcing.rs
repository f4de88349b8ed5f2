//! Gratuitous ARP: when the segment is told where the address is.

use std::time::Duration;

use crate::harness::{Group, Node, Program, between, differs, in_parallel, later, programs, wait_until_time};

/// Starts a lone host that becomes MASTER a second later.
fn start(group: &Group, program: Program, up_script: &str) -> Node {
    let mut node = group.node(2, program);
    node.write_script("up", up_script);
    node.start(&["-r", "1"]);
    node
}

/// Distances from `start`, in seconds.
fn seconds_after(start: u64, times: &[u64]) -> Vec<u64> {
    times.iter().map(|at| (between(start, *at) + Duration::from_millis(500)).as_secs()).collect()
}

#[test]
fn a_new_master_announces_the_address_when_it_is_there() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let began = netlab::now();
        // The address comes at the end of a script that takes a moment.
        let node = start(&group, program, "sleep 0.2; ip addr add $2/32 dev $1");
        let decided = node.wait_for_new_line("Switching to state: MASTER", began);
        wait_until_time(later(decided, Duration::from_millis(6500)));
        let announced = group.announcements_of(&node, began);
        assert!(between(decided, announced[0]) > Duration::from_millis(150), "{program:?} announced too early");
        differs("T14", program, &seconds_after(decided, &announced), &vec![0, 2], &vec![0, 1, 2, 5]);
    });
}

#[test]
fn a_slow_up_script_does_not_delay_the_first_announcement_for_long() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let began = netlab::now();
        let node = start(&group, program, "ip addr add $2/32 dev $1; sleep 3");
        let decided = node.wait_for_new_line("Switching to state: MASTER", began);
        wait_until_time(later(decided, Duration::from_millis(4500)));
        assert!(node.script_log().ends_with("up end\n"), "the script has ended long ago");
        let announced = seconds_after(decided, &group.announcements_of(&node, began));
        // At once when the script ends: 3 s. The one after it, at 4 s, is ours too.
        assert!(announced.contains(&3), "{program:?}: {announced:?}");
        differs("T15", program, &announced.contains(&1), &false, &true);
    });
}

#[test]
fn a_slower_master_is_answered_but_not_for_each_of_its_packets() {
    const PACKETS: u32 = 15;
    const APART: Duration = Duration::from_millis(200);
    in_parallel(programs(), |program| {
        let group = Group::new();
        let began = netlab::now();
        let node = start(&group, program, "ip addr add $2/32 dev $1");
        node.wait_for_mastery(&group, began);
        let since = netlab::now();
        for packet in 0..PACKETS {
            group.inject(1, 100);
            wait_until_time(later(since, APART * (packet + 1)));
        }
        node.wait_for_line("Non-preferred master advertising: reasserting control of VIP with another gratuitous arp");
        // UCARP reads the last ones within a second; ours may repeat for the last time a second later.
        wait_until_time(later(since, APART * PACKETS + Duration::from_secs(1)));
        let announced = group.announcements_of(&node, since);
        assert!(announced.len() >= 3, "{program:?} answers again: {announced:?}");
        differs("T16", program, &(announced.len() <= 7), &false, &true);
        assert_eq!(node.changes(since), [], "it stays MASTER");
    });
}
