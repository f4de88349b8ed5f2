//! Reloading: what is unchanged goes on untouched, and everything else becomes what the file says.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use carp_core::timing::Interval;
use netlab::{Signal, now};

use crate::harness::{
    DEFAULTS, EAGER, Forger, Node, PASSWORD, SOON, Segment, ip, largest_gap, later, node, virtual_host,
    wait_until_time, web,
};

const WEB: &str = "10.0.0.100";
const MAIL: &str = "10.0.0.101";
const DNS: &str = "10.0.0.102";

/// Advertisements come every second; nothing may keep one from coming.
const LONGEST_GAP: Duration = Duration::from_millis(1500);

/// Reloads in a row that must leave nothing behind.
const RELOADS: usize = 50;

/// What 50 reloads may add to the memory of the process, in KiB: what the allocator keeps, but nothing for each.
const MEMORY_SLACK: u64 = 256;

fn eager(name: &str, vhid: u8, address: &str) -> String {
    virtual_host(name, vhid, &[address], EAGER)
}

/// Asserts that a virtual host with the address [`WEB`] has been MASTER from `since` on as if nothing had happened.
fn assert_undisturbed(segment: &Segment, node: &Node, since: u64) {
    segment.catch_up();
    let until = now();
    let gap = largest_gap(&segment.advertisements(&node.host, 1, since), since, until);
    println!("the longest time between two advertisements was {gap:?}");
    assert!(gap < LONGEST_GAP, "{gap:?}\n{}", node.said());
    assert_eq!(node.changes("web", since), [], "{}", node.said());
    assert_eq!(segment.announcements(&node.host, ip(WEB), since), [], "the address did not move");
    assert!(segment.goodbyes(&node.host, 1, since).is_empty());
    assert_eq!(node.lines("removed by somebody else", since), 0, "{}", node.said());
}

/// A MASTER whose announcements are over, with a configuration of `web` and more.
fn settled_master(segment: &Segment, more: &str) -> Node {
    let mut node = segment.node(2);
    node.start(&format!("{DEFAULTS}{}{more}", eager("web", 1, WEB)));
    let mastery = segment.wait_for_announcement(&node.host, ip(WEB), 0);
    wait_until_time(later(mastery, Duration::from_millis(5500)));
    node
}

/// Looks all the time whether the address is there, while something is done.
fn watching(node: &Node, work: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let gone =
                netlab::wait_until(Duration::from_secs(60), || !node.holds(ip(WEB)) || over.load(Ordering::Relaxed));
            (gone, over.load(Ordering::Relaxed))
        });
        work();
        over.store(true, Ordering::Relaxed);
        assert_eq!(watcher.join().expect("it does not panic"), (true, true), "the address was gone:\n{}", node.said());
    });
}

#[test]
fn a_bad_file_changes_nothing_and_is_reported() {
    let segment = Segment::new();
    let node = settled_master(&segment, "");
    let start = node.moment();
    watching(&node, || {
        let bad = [
            ("[virtual-host.web\n", "expected"),
            ("[virtual-host.web]\nvhid = 1\n", "has no"),
            (&format!("{DEFAULTS}{}", virtual_host("web", 1, &[WEB], "colour = 1")), "colour"),
            ("", "no virtual host"),
        ];
        for (text, complaint) in bad {
            let told = node.reload(text);
            node.wait_for_line("[WARNING] Reload: the configuration has errors, so nothing has changed", told);
            let complaints = node.process().lines().into_iter().filter(|line| line.at >= told);
            let errors: Vec<_> =
                complaints.filter(|line| line.text.contains("[ERROR]")).map(|line| line.text).collect();
            assert!(errors.iter().any(|line| line.contains(complaint)), "{complaint:?}: {errors:?}");
            wait_until_time(later(told, Duration::from_secs(1)));
        }
        fs::remove_file(node.path("ucarp.toml")).expect("it is there");
        let told = now();
        node.signal(Signal::HUP);
        node.wait_for_line("Reload: the configuration has errors, so nothing has changed", told);
        segment.wait_for_advertisement(&node.host, 1, now());
    });
    assert_undisturbed(&segment, &node, start);
}

#[test]
fn an_unchanged_virtual_host_does_not_notice_that_others_come_change_and_go() {
    let segment = Segment::new();
    let node = settled_master(&segment, "");
    let config = |more: &str| format!("{DEFAULTS}{}{more}", eager("web", 1, WEB));
    let start = node.moment();
    watching(&node, || {
        let told = node.reload(&config(""));
        node.wait_for_line("Reload: 0 virtual hosts added, 0 changed, 0 removed, 1 as before", told);

        let told = node.reload(&config(&(eager("mail", 2, MAIL) + &eager("dns", 3, DNS))));
        node.wait_for_line("Reload: 2 virtual hosts added, 0 changed, 0 removed, 1 as before", told);
        for (vhid, address) in [(2, MAIL), (3, DNS)] {
            segment.wait_for_announcement(&node.host, ip(address), told);
            segment.wait_for_advertisement(&node.host, vhid, told);
            node.wait_for(ip(address));
        }

        let changed = virtual_host("mail", 2, &[MAIL], &format!("{EAGER}\nadvskew = 20"));
        let told = node.reload(&config(&(changed + &eager("dns", 3, DNS))));
        node.wait_for_line("Reload: 0 virtual hosts added, 1 changed, 0 removed, 2 as before", told);

        let told = node.reload(&config(""));
        node.wait_for_line("Reload: 0 virtual hosts added, 0 changed, 2 removed, 1 as before", told);
        for (name, vhid, address) in [("mail", 2, MAIL), ("dns", 3, DNS)] {
            node.wait_for_line(&format!("{name}: Not in the configuration any more: leaving"), told);
            segment.wait_for_goodbye(&node.host, vhid, told);
            node.wait_without(ip(address));
        }
        let gone = now();
        wait_until_time(later(gone, Duration::from_secs(3)));
        assert_eq!((segment.heard(&node.host, 2, gone), segment.heard(&node.host, 3, gone)), (vec![], vec![]));
    });
    assert_undisturbed(&segment, &node, start);
}

#[test]
fn a_removed_virtual_host_goes_to_the_other_host_and_comes_back_as_backup() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    let mail = virtual_host("mail", 2, &[MAIL], "dead-ratio = 2");
    let both = format!("{DEFAULTS}{}{mail}", eager("web", 1, WEB));
    node.start(&both);
    node.wait_for(ip(MAIL));
    peer.start(&format!("{DEFAULTS}{}", virtual_host("mail", 2, &[MAIL], "advskew = 50")));
    segment.wait_for_advertisement(&node.host, 2, now());
    let told = node.reload(&web(&[WEB], EAGER));
    let goodbye = segment.wait_for_goodbye(&node.host, 2, told);
    let taken = segment.wait_for_announcement(&peer.host, ip(MAIL), told);
    assert!(taken - goodbye < 500_000_000, "{}", peer.said());
    let told = node.reload(&both);
    node.wait_for_line("mail: Listening as BACKUP", told);
    wait_until_time(later(told, Duration::from_secs(4)));
    assert!(!node.holds(ip(MAIL)) && peer.holds(ip(MAIL)), "{}", node.said());
}

#[test]
fn changed_scripts_intervals_and_preemption_take_effect() {
    let segment = Segment::new();
    let (mut node, mut peer) = segment.pair();
    let [first, second] = ["first", "second"].map(|name| node.write_script(name, ""));
    node.start(&web(&[WEB], &format!("{EAGER}\nup = [\"{first}\"]")));
    assert!(netlab::wait_until(SOON, || node.script_log() == "first\n"), "{}", node.said());

    // Another interval: advertisements come as often as the file says, and no other changes follow.
    let told = node.reload(&web(&[WEB], &format!("advbase = 0\nadvskew = 51\nup = [\"{second}\"]")));
    wait_until_time(later(told, Duration::from_secs(4)));
    let count = segment.advertisements(&node.host, 1, later(told, Duration::from_secs(1))).len();
    assert!((12..=16).contains(&count), "{count} advertisements in 3 s");
    node.reload(&web(&[WEB], &format!("advskew = 100\nup = [\"{second}\"]")));
    assert_eq!(node.changes("web", told), [], "{}", node.said());
    assert_eq!(node.script_log(), "first\n", "a changed script does not run at once");

    // A better host that does not preempt waits; one that is told to does not.
    peer.start(&web(&[WEB], ""));
    let since = now();
    wait_until_time(later(since, Duration::from_secs(4)));
    assert_eq!(peer.changes("web", since), [], "{}", peer.said());
    let told = peer.reload(&web(&[WEB], "preempt = true"));
    segment.wait_for_announcement(&peer.host, ip(WEB), told);
    node.wait_without(ip(WEB));
    peer.end();
    assert!(netlab::wait_until(SOON, || node.script_log() == "first\nsecond\n"), "{}", node.said());
}

#[test]
fn a_change_that_needs_another_group_is_a_departure_and_an_arrival() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[WEB], EAGER));
    node.wait_for(ip(WEB));
    let told = node.reload(&format!("{DEFAULTS}{}", virtual_host("web", 9, &[WEB], EAGER)));
    segment.wait_for_goodbye(&node.host, 1, told);
    segment.wait_for_advertisement(&node.host, 9, told);
    node.wait_for(ip(WEB));
    let told =
        node.reload(&format!("{DEFAULTS}{}", virtual_host("web", 9, &[WEB], &format!("{EAGER}\nmac = \"virtual\""))));
    segment.wait_for_goodbye(&node.host, 9, told);
    segment.wait_for_announcement(&node.host, ip(WEB), told);
    let found = node.find(ip(WEB)).expect("it is there");
    assert_eq!(found.at.index, node.link("carp9").expect("it is there").index);
}

fn descriptors(node: &Node) -> usize {
    fs::read_dir(format!("/proc/{}/fd", node.process().pid())).expect("the program runs").count()
}

fn memory(node: &Node) -> u64 {
    node::figure(node, "status", "RssAnon")
}

#[test]
fn many_reloads_under_load_leave_nothing_behind() {
    let segment = Segment::new();
    let unicast = virtual_host(
        "far",
        7,
        &["10.0.0.107", "fd00::107"],
        "transport = \"unicast\"\npeers = [\"10.0.0.3\", \"fe80::3\"]",
    );
    let dual = virtual_host("dual", 8, &["10.0.0.108", "fd00::108"], "dead-ratio = 1\nmac = \"virtual\"");
    let node = settled_master(&segment, "");
    let configs = [
        format!("grace = \"1s\"\n{DEFAULTS}{}", eager("web", 1, WEB)),
        format!("grace = \"1s\"\n{DEFAULTS}{}{}{unicast}{dual}", eager("web", 1, WEB), eager("mail", 2, MAIL)),
        format!("grace = \"1s\"\n{DEFAULTS}{}{}{dual}", eager("web", 1, WEB), eager("mail", 2, DNS)),
    ];
    let reload_all = |rounds: usize| {
        for round in 0..rounds {
            node.reload(&configs[round % configs.len()]);
        }
        let told = node.reload(&configs[0]);
        let gone =
            || node.lines("as before", told) == 1 && [MAIL, DNS, "10.0.0.108"].iter().all(|one| !node.holds(ip(one)));
        assert!(netlab::wait_until(SOON, gone), "{}", node.said());
    };
    // What the first reloads need, the allocator keeps.
    reload_all(RELOADS);
    wait_until_time(later(now(), Duration::from_secs(2)));
    let before = (descriptors(&node), memory(&node));
    let start = node.moment();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let forger = Forger::new(1, "wrong", &[WEB], "10.0.0.9");
            let right = Forger::new(1, PASSWORD, &[WEB], "10.0.0.9");
            while !over.load(Ordering::Relaxed) {
                forger.advertise(&segment, Interval { advbase: 1, advskew: 0 }, 0);
                right.advertise(&segment, Interval { advbase: 1, advskew: 200 }, 0);
                thread::sleep(Duration::from_millis(1));
            }
        });
        reload_all(RELOADS);
        over.store(true, Ordering::Relaxed);
    });
    wait_until_time(later(now(), Duration::from_secs(2)));
    let after = (descriptors(&node), memory(&node));
    println!("descriptors and KiB before and after {RELOADS} reloads: {before:?}, {after:?}");
    assert_eq!(after.0, before.0, "descriptors");
    assert!(after.1 <= before.1 + MEMORY_SLACK, "{} KiB instead of {}", after.1, before.1);
    let gap = largest_gap(&segment.advertisements(&node.host, 1, start), start, now());
    assert!(gap < LONGEST_GAP, "{gap:?}");
    assert_eq!(node.changes("web", start), [], "{}", node.said());
}
