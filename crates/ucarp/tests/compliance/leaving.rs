//! Leaving: by command, by signal, and to a better master.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use netlab::{Prober, Signal};

use crate::harness::{
    Group, Node, Program, VIP, between, differs, in_parallel, later, pairs, programs, wait_until_time,
};

/// How soon after a goodbye a backup is MASTER; UCARP needs up to a second to read it.
fn soon_after_goodbye(program: Program) -> Duration {
    Duration::from_millis(if program == Program::Ours { 300 } else { 1500 })
}

/// A MASTER and a BACKUP at 10.0.0.2 and 10.0.0.3, started with more options, and listening for a second.
fn master_and_backup(pair: (Program, Program), more: [&[&str]; 2], down_script: Option<&str>) -> (Group, Node, Node) {
    let group = Group::new();
    let (mut master, mut backup) = (group.node(2, pair.0), group.node(3, pair.1));
    if let Some(body) = down_script {
        master.write_script("down", body);
    }
    let since = netlab::now();
    master.start(more[0]);
    master.wait_for_mastery(&group, since);
    let since = netlab::now();
    backup.start(more[1]);
    let first = group.wait_for_advertisement_of(&master, since);
    group.wait_for_advertisement_of(&master, first + 1);
    (group, master, backup)
}

/// A lone host that is MASTER.
fn lone_master(program: Program, more: &[&str]) -> (Group, Node) {
    let group = Group::new();
    let mut node = group.node(2, program);
    let since = netlab::now();
    node.start(more);
    node.wait_for_mastery(&group, since);
    assert!(netlab::wait_until(Duration::from_secs(5), || node.script_log().ends_with("up end\n")));
    (group, node)
}

/// The time from a goodbye, if there is one, or else from the last advertisement to the other's first.
fn assert_takeover(group: &Group, leaver: &Node, heir: &Node, told: u64) {
    let takeover = heir.wait_for_mastery(group, told);
    match group.goodbyes_of(leaver, told).first() {
        Some(goodbye) => {
            let waited = between(*goodbye, takeover);
            assert!(*goodbye < takeover, "it did not wait for the goodbye:\n{}", heir.said());
            assert!(waited < soon_after_goodbye(heir.program), "{:?} took over after {waited:?}", heir.program);
        }
        None => {
            let last = *group.advertisements_of(leaver, 0).last().expect("it was MASTER");
            assert!(between(last, takeover) >= Duration::from_millis(1990), "a whole dead time without a MASTER");
        }
    }
}

#[test]
fn a_master_that_is_told_to_end_advertises_until_the_down_script_has_ended_and_says_goodbye() {
    in_parallel(pairs(), |pair| {
        let slow = "ip addr show dev $1 | grep -q $2 || exit 0; sleep 2.5; ip addr del $2/32 dev $1";
        let (group, master, backup) = master_and_backup(pair, [&["-z", "-r", "2"], &["-r", "2"]], Some(slow));
        let told = netlab::now();
        master.signal(Signal::TERM);
        assert_eq!(master.wait_for_exit().code(), Some(0));
        let ended = netlab::now();
        assert!(between(told, ended) >= Duration::from_millis(2500) && !master.holds_vip());
        assert_takeover(&group, &master, &backup, told);
        wait_until_time(later(ended, Duration::from_millis(1500)));
        let goodbyes = group.goodbyes_of(&master, told);
        let sent = group.advertisements_of(&master, told);
        differs("T10", pair.0, &(sent.len() >= 2, goodbyes.len()), &(false, 0), &(true, 1));
        if let Some(goodbye) = goodbyes.first() {
            assert!(between(told, *goodbye) >= Duration::from_millis(2500), "the address was still here");
            assert!(sent.iter().all(|at| at < goodbye), "nothing follows the goodbye");
        }
        let announced = group.announcements_of(&master, told);
        assert!(pair.0 == Program::Ucarp || announced.is_empty(), "ours announces nothing while it leaves");
    });
}

#[test]
fn a_host_that_hands_over_tells_its_peer_and_does_not_take_the_address_back() {
    in_parallel(pairs(), |pair| {
        let (group, master, backup) = master_and_backup(pair, [&[], &[]], None);
        let told = netlab::now();
        master.signal(Signal::USR2);
        assert_takeover(&group, &master, &backup, told);
        master.wait_without_vip();
        let takeover = group.advertisements_of(&backup, told)[0];
        differs("T11", pair.0, &group.goodbyes_of(&master, told).len(), &0, &1);
        differs("T11", pair.0, &(between(told, takeover) < Duration::from_millis(1900)), &false, &true);
        wait_until_time(later(takeover, Duration::from_secs(4)));
        assert!(matches!(master.changes(told)[..], [(_, false)]), "{}", master.said());
        assert!(matches!(backup.changes(told)[..], [(_, true)]), "{}", backup.said());
        assert!(backup.holds_vip() && !master.holds_vip());
    });
}

#[test]
fn a_preferred_host_that_hands_over_waits_before_it_takes_the_address_back() {
    in_parallel(pairs(), |pair| {
        // The long dead ratio puts UCARP's takeover behind the pause of its peer.
        let (group, master, backup) = master_and_backup(pair, [&["-P"], &["-k", "50", "-r", "4"]], None);
        let told = netlab::now();
        master.signal(Signal::USR2);
        let takeover = backup.wait_for_mastery(&group, told);
        let goodbyes = group.goodbyes_of(&master, told);
        let back = master.wait_for_mastery(&group, takeover);
        differs("T12", pair.0, &(between(takeover, back) > Duration::from_millis(1600)), &false, &true);
        // Three seconds, counted from just before the goodbye was on the wire.
        let held = goodbyes.first().map(|goodbye| between(*goodbye, back));
        assert!(held.is_none_or(|held| held >= Duration::from_millis(2900)), "it came back after {held:?}");
        assert_eq!(group.wait_for_one_master(&[&master, &backup]).address, master.address);
    });
}

#[test]
fn a_lone_host_that_hands_over_is_master_again_after_six_seconds() {
    in_parallel(programs(), |program| {
        let (group, node) = lone_master(program, &[]);
        let told = netlab::now();
        node.signal(Signal::USR2);
        node.wait_without_vip();
        let left = netlab::now();
        let back = between(told, node.wait_for_mastery(&group, left));
        assert!((Duration::from_millis(5950)..Duration::from_millis(7200)).contains(&back), "{program:?}: {back:?}");
    });
}

#[test]
fn a_backup_that_is_told_to_hand_over_does_nothing() {
    in_parallel(pairs(), |(program, peer)| {
        let (group, master, backup) = master_and_backup((peer, program), [&["-r", "2"], &["-r", "2"]], None);
        let log = backup.script_log();
        let told = netlab::now();
        backup.signal(Signal::USR2);
        wait_until_time(later(told, Duration::from_secs(3)));
        assert_eq!((backup.changes(told), master.changes(told)), (vec![], vec![]));
        assert_eq!(backup.script_log(), log);
        assert!(group.advertisements_of(&backup, told).is_empty() && group.goodbyes_of(&backup, told).is_empty());
    });
}

#[test]
fn a_host_that_steps_down_to_a_better_master_says_nothing_more() {
    in_parallel(programs(), |program| {
        let (group, node) = lone_master(program, &[]);
        let injected = group.inject(0, 128);
        let left = node.wait_for_new_line("Switching to state: BACKUP", injected);
        node.wait_for_line("Preferred master advertised: going back to BACKUP state");
        node.wait_without_vip();
        wait_until_time(later(left, Duration::from_millis(2500)));
        let silent = group.advertisements_of(&node, injected).is_empty();
        differs("T13", program, &silent, &false, &true);
        if program == Program::Ours {
            assert!(
                group.announcements_of(&node, injected).is_empty() && group.goodbyes_of(&node, injected).is_empty()
            );
        }
    });
}

#[test]
fn without_shutdown_a_signal_kills_and_leaves_the_address() {
    let signals = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];
    let cases = programs().into_iter().flat_map(|program| signals.map(|signal| (program, signal)));
    in_parallel(cases, |(program, signal)| {
        let (group, node) = lone_master(program, &["-r", "1"]);
        let (log, told) = (node.script_log(), netlab::now());
        node.signal(signal);
        assert_eq!(node.wait_for_exit().signal(), Some(signal.as_raw()), "{program:?}");
        wait_until_time(later(told, Duration::from_secs(1)));
        assert_eq!(node.script_log(), log, "no script runs");
        assert!(node.holds_vip() && group.goodbyes_of(&node, told).is_empty());
    });
}

#[test]
fn with_shutdown_each_of_four_signals_gives_the_address_up() {
    let signals = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];
    let cases = programs().into_iter().flat_map(|program| signals.map(|signal| (program, signal)));
    in_parallel(cases, |(program, signal)| {
        let (_group, node) = lone_master(program, &["-z", "-r", "1"]);
        let log = node.script_log();
        node.signal(signal);
        // UCARP ignores a second one while the script runs, and so do we.
        node.process().signal(signal).ok();
        assert_eq!(node.wait_for_exit().code(), Some(0), "{program:?}, {signal:?}");
        assert_eq!(node.script_log(), format!("{log}down eth0 {VIP}\ndown end\n"));
        assert!(!node.holds_vip());
    });
}

#[test]
fn with_shutdown_a_backup_ends_without_script_and_goodbye() {
    in_parallel(programs(), |program| {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-z"]);
        assert!(netlab::wait_until(Duration::from_secs(5), || node.script_log().ends_with("down end\n")));
        let log = node.script_log();
        node.signal(Signal::TERM);
        assert_eq!(node.wait_for_exit().code(), Some(0));
        wait_until_time(later(netlab::now(), Duration::from_millis(500)));
        assert_eq!(node.script_log(), log);
        assert!(group.advertisements().is_empty(), "it never said a word");
    });
}

#[test]
fn a_client_follows_a_swap_of_roles_without_doing_anything() {
    in_parallel(pairs(), |pair| {
        let (group, master, backup) = master_and_backup(pair, [&[], &[]], None);
        let client = group.client();
        let prober = Prober::start(&client, VIP, Duration::from_millis(50)).unwrap();
        assert!(prober.wait_for_answer(0, Duration::from_secs(5)).is_some(), "the address answers");
        drop(prober);
        assert_eq!(client.neighbour(VIP).unwrap(), Some(master.host.mac()));
        let told = netlab::now();
        master.signal(Signal::USR2);
        backup.wait_for_mastery(&group, told);
        let follows = || client.neighbour(VIP).unwrap() == Some(backup.host.mac());
        assert!(netlab::wait_until(Duration::from_secs(3), follows), "{:?}", client.neighbour(VIP));
    });
}
