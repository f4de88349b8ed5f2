//! Three hosts, in a run of mixed groups with both programs in every role.

use netlab::{Direction, Signal};

use crate::harness::{Group, Node, Program, in_parallel, triples};

/// 10.0.0.2, 10.0.0.3 and 10.0.0.4 on one segment.
fn three_hosts(programs: [Program; 3]) -> (Group, [Node; 3]) {
    let group = Group::new();
    let [a, b, c] = programs;
    let nodes = [group.node(2, a), group.node(3, b), group.node(4, c)];
    (group, nodes)
}

fn assert_master(group: &Group, nodes: &[&Node], expected: &Node) {
    assert_eq!(group.wait_for_one_master(nodes).address, expected.address);
}

#[test]
fn with_preemption_the_best_living_host_is_master() {
    in_parallel(triples(), |programs| {
        let (group, mut nodes) = three_hosts(programs);
        for (node, skew) in nodes.iter_mut().zip(["0", "50", "100"]) {
            node.start(&["-P", "-z", "-r", "2", "-k", skew]);
        }
        let [first, second, third] = &nodes;
        assert_master(&group, &[first, second, third], first);
        first.crash();
        assert_master(&group, &[second, third], second);
        second.signal(Signal::TERM);
        assert_master(&group, &[second, third], third);
        assert_eq!(second.wait_for_exit().code(), Some(0));
        // The dead host returns with the address that it died with.
        first.host.unsilence().unwrap();
        let [first, _, third] = &mut nodes;
        first.start(&["-P", "-z", "-r", "2", "-k", "0"]);
        assert_master(&group, &[first, third], first);
    });
}

#[test]
fn three_equal_masters_that_are_joined_become_one_the_lowest_address() {
    in_parallel(triples(), |programs| {
        let (group, mut nodes) = three_hosts(programs);
        for node in &nodes[1..] {
            node.host.silence(Direction::Both).unwrap();
        }
        let start = netlab::now();
        for node in &mut nodes {
            node.start(&["-r", "2"]);
        }
        for node in &nodes {
            node.wait_for_mastery(&group, start);
        }
        let healed = netlab::now();
        for node in &nodes[1..] {
            node.host.unsilence().unwrap();
        }
        let [lowest, middle, highest] = &nodes;
        assert_master(&group, &[lowest, middle, highest], lowest);
        assert_eq!(lowest.changes(healed), [], "{}", lowest.said());
    });
}

#[test]
fn a_stranger_with_another_password_disturbs_no_group() {
    in_parallel(triples(), |programs| {
        let (group, [mut master, mut backup, mut stranger]) = three_hosts(programs);
        master.start(&["-r", "2"]);
        assert_master(&group, &[&master], &master);
        backup.start(&["-r", "2"]);
        let since = netlab::now();
        stranger.start(&["-r", "2", "-b", "1", "-p", "other"]);
        stranger.wait_for_mastery(&group, since);
        backup.wait_for_line("Bad digest");
        master.wait_for_line("Bad digest");
        assert_eq!((master.changes(since), backup.changes(since)), (vec![], vec![]));
        assert!(master.holds_vip() && !backup.holds_vip());
    });
}
