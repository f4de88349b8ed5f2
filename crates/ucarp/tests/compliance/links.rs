//! What becomes of a node whose interface, carrier or address goes away, and when it returns.

use std::time::Duration;

use netlab::{Direction, Host, now};

use crate::harness::{Group, Node, Program, SOON, VIP, between, differs, later, pairs, programs, wait_until_time};
use crate::packets::with_bad_digest;

/// With `-r 1` and advbase 1 a lone node is MASTER after a second.
const EAGER: [&str; 2] = ["-r", "1"];

/// What must not happen is watched for this long: more than the dead time of every node in these cases.
const WATCH: Duration = Duration::from_secs(4);

/// Far below a wait of the original, and far above what a busy machine adds to ours.
const PROMPT: Duration = Duration::from_millis(500);

/// A node that is MASTER and holds the address.
fn lone_master(group: &Group, program: Program, more: &[&str]) -> Node {
    let mut node = group.node(2, program);
    node.start(more);
    node.wait_for_mastery(group, 0);
    // Both announce the address when the up script has ended.
    let announced = netlab::wait_until(SOON, || !group.announcements_of(&node, 0).is_empty());
    assert!(announced, "{}", node.said());
    node
}

/// A MASTER, 10.0.0.2, and a BACKUP, 10.0.0.3, that has heard it and prefers it.
fn master_and_backup(group: &Group, (master, backup): (Program, Program), more: &[&str]) -> (Node, Node) {
    let master = lone_master(group, master, more);
    let mut backup = group.node(3, backup);
    let since = now();
    backup.start(&[&["-k", "50"], more].concat());
    group.wait_for_advertisement_of(&master, since);
    (master, backup)
}

/// Whether it logs a line that contains `text` while we watch.
fn says(node: &Node, text: &str, since: u64) -> bool {
    node.process().wait_for(|line| line.at >= since && line.text.contains(text), WATCH).is_some()
}

/// Takes something away. Returns when, and whether the program ended because of it.
fn lose(node: &Node, take_away: impl FnOnce(&Host) -> netlab::Result<()>) -> (u64, bool) {
    // The original has to be asleep: what it finds just after an advertisement it takes for a lost carrier at first.
    wait_until_time(later(now(), Duration::from_millis(300)));
    let lost = now();
    take_away(&node.host).expect("the host can be changed");
    let status = node.process().wait(WATCH).expect("it can be waited for");
    if let Some(status) = status {
        assert_eq!(status.code(), Some(0), "{}", node.said());
    }
    (lost, status.is_some())
}

/// Asserts that a MASTER that lost its interface at `lost` gave up at once and, when it is back, listens before it is
/// MASTER again.
fn gave_up_and_returns(group: &Group, node: &Node, lost: u64, bring_back: impl FnOnce(&Host) -> netlab::Result<()>) {
    let noticed = node.wait_for_new_line("Switching to state: BACKUP", lost);
    assert!(between(lost, noticed) < PROMPT, "{}", node.said());
    let log = node.script_log();
    assert!(log.ends_with("down end\n"), "the down script ran last:\n{log}");
    let back = now();
    bring_back(&node.host).expect("the host can be changed");
    node.wait_for_new_line("Listening as BACKUP", back);
    let mastery = node.wait_for_mastery(group, back);
    assert!(between(back, mastery) >= Duration::from_secs(1), "it listened for its dead time:\n{}", node.said());
}

#[test]
fn a_master_whose_interface_is_set_down_gives_up_and_waits_for_it() {
    set_down_and_up(&EAGER);
}

#[test]
fn the_state_of_the_interface_counts_even_when_its_carrier_is_ignored() {
    set_down_and_up(&["-S", "-r", "1"]);
}

fn set_down_and_up(more: &[&str]) {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, more);
        let (lost, ended) = lose(&node, Host::link_down);
        differs("L01", program, &ended, &true, &false);
        if !ended {
            node.wait_without_vip();
            gave_up_and_returns(&group, &node, lost, Host::link_up);
        }
    }
}

#[test]
fn a_backup_whose_interface_is_set_down_waits_for_it() {
    for (master, backup) in pairs() {
        let group = Group::new();
        let (master, backup) = master_and_backup(&group, (master, backup), &["-r", "2"]);
        let (_, ended) = lose(&backup, Host::link_down);
        differs("L01", backup.program, &ended, &true, &false);
        if !ended {
            let back = now();
            backup.host.link_up().unwrap();
            backup.wait_for_new_line("Listening as BACKUP", back);
            assert!(!says(&backup, "Switching to state: MASTER", back), "{}", backup.said());
        }
        assert!(master.holds_vip() && !backup.holds_vip());
    }
}

#[test]
fn a_master_whose_interface_is_deleted_returns_with_a_new_one_of_that_name() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &EAGER);
        let index = node.host.index().unwrap();
        let (lost, ended) = lose(&node, Host::delete_interface);
        differs("L02", program, &ended, &true, &false);
        if !ended {
            gave_up_and_returns(&group, &node, lost, Host::recreate_interface);
            assert_ne!(node.host.index().unwrap(), index, "the interface is another one");
        }
    }
}

#[test]
fn a_master_whose_interface_is_renamed_returns_when_it_has_its_name_again() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &EAGER);
        let (lost, ended) = lose(&node, |host| host.rename_interface("away"));
        differs("L03", program, &ended, &true, &false);
        if !ended {
            gave_up_and_returns(&group, &node, lost, |host| host.rename_interface("eth0"));
        }
    }
}

#[test]
fn no_address_is_left_on_a_renamed_interface_when_it_has_its_name_again() {
    if !programs().contains(&Program::Ours) {
        // The original has ended, and whatever it held stays.
        return;
    }
    let group = Group::new();
    let (master, backup) = master_and_backup(&group, (Program::Ours, Program::Ours), &[]);
    let lost = now();
    master.host.rename_interface("away").unwrap();
    backup.wait_for_mastery(&group, lost);
    let back = now();
    master.host.rename_interface("eth0").unwrap();
    master.wait_for_new_line("Listening as BACKUP", back);
    master.wait_without_vip();
    assert!(backup.holds_vip());
}

#[test]
fn a_master_that_lost_its_carrier_gives_up_at_once() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &["-b", "2", "-r", "1"]);
        // Soon after an advertisement: whoever looks only when the next one is due looks late. Not at once: the original looks
        // after each, too.
        let advertised = group.wait_for_advertisement_of(&node, now());
        wait_until_time(later(advertised, PROMPT));
        let lost = now();
        node.host.unplug().unwrap();
        let noticed = node.wait_for_new_line("Switching to state: BACKUP", lost);
        println!("{program:?} noticed the lost carrier after {:?}", between(lost, noticed));
        differs("L04", program, &(between(lost, noticed) < PROMPT), &false, &true);
        node.wait_without_vip();
    }
}

#[test]
fn a_node_whose_carrier_returned_listens_at_once_and_leaves_the_address_to_the_new_master() {
    for programs in pairs() {
        let group = Group::new();
        let (node, peer) = master_and_backup(&group, programs, &[]);
        let lost = now();
        node.host.unplug().unwrap();
        node.wait_without_vip();
        peer.wait_for_mastery(&group, lost);
        node.host.plug().unwrap();
        node.host.wait_connected().unwrap();
        let back = now();
        let heard = hears_after(&group, &node, back);
        println!("{:?} listened {heard:?} after its carrier was back", node.program);
        differs("L05", node.program, &(heard < Duration::from_secs(1)), &false, &true);
        assert!(!says(&node, "Switching to state: MASTER", lost), "{}", node.said());
        assert!(peer.holds_vip() && !node.holds_vip());
        assert_eq!(group.advertisements_of(&node, lost), [] as [u64; 0]);
    }
}

/// How long after `since` a node hears what is sent to the group: shown by its complaints about forged packets.
fn hears_after(group: &Group, node: &Node, since: u64) -> Duration {
    let complaint = |line: &netlab::Line| line.at >= since && line.text.contains("Bad digest");
    for _ in 0..150 {
        group.lab.inject(&with_bad_digest([10, 0, 0, 50].into())).expect("frames can be sent");
        if let Some(line) = node.process().wait_for(complaint, Duration::from_millis(100)) {
            return between(since, line.at);
        }
    }
    panic!("it stays deaf:\n{}", node.said());
}

#[test]
fn a_missing_carrier_changes_nothing_when_it_is_to_be_ignored() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &["-S", "-r", "1"]);
        let lost = now();
        node.host.unplug().unwrap();
        assert!(!says(&node, "Switching to state: BACKUP", lost), "{}", node.said());
        let back = now();
        node.host.plug().unwrap();
        group.wait_for_advertisement_of(&node, back);
        assert!(node.holds_vip() && !node.has_said("Preferred master"), "{}", node.said());
    }
}

#[test]
fn a_backup_that_lost_its_carrier_does_not_promote_itself() {
    for programs in pairs() {
        let group = Group::new();
        let (_master, backup) = master_and_backup(&group, programs, &["-r", "2"]);
        let lost = now();
        backup.host.unplug().unwrap();
        assert!(!says(&backup, "Switching to state: MASTER", lost), "{}", backup.said());
        assert!(!backup.holds_vip());
    }
}

#[test]
fn two_masters_that_could_not_hear_each_other_are_one_when_they_can() {
    for programs in pairs() {
        let group = Group::new();
        let (better, worse) = master_and_backup(&group, programs, &["-r", "2"]);
        let cut = now();
        better.host.silence(Direction::Both).unwrap();
        worse.wait_for_mastery(&group, cut);
        assert!(better.holds_vip(), "nothing told it that it is alone:\n{}", better.said());
        let healed = now();
        better.host.unsilence().unwrap();
        let heard = group.wait_for_advertisement_of(&better, healed);
        let left = worse.wait_for_new_line("Switching to state: BACKUP", healed);
        worse.wait_without_vip();
        let limit = if worse.program == Program::Ours { PROMPT } else { Duration::from_secs(2) };
        assert!(between(heard, left) < limit, "it took {:?}:\n{}", between(heard, left), worse.said());
        assert!(better.holds_vip() && better.changes(cut).is_empty(), "{}", better.said());
    }
}

#[test]
fn a_source_address_that_was_removed_is_complained_about_and_used_on() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &EAGER);
        let removed = now();
        node.host.remove_address(node.address, 24).unwrap();
        let warned = says(&node, "The own address 10.0.0.2 was removed", removed);
        differs("L06", program, &warned, &false, &true);
        group.wait_for_advertisement_of(&node, removed);
    }
}

#[test]
fn a_virtual_address_that_others_removed_is_complained_about() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &EAGER);
        let removed = now();
        node.host.remove_address(VIP, 32).unwrap();
        let warned = says(&node, "The virtual address 10.0.0.100 was removed", removed);
        differs("L07", program, &warned, &false, &true);
        group.wait_for_advertisement_of(&node, removed);
        assert!(!node.has_said("The own address"), "{}", node.said());
    }
}

#[test]
fn the_address_that_a_script_removes_is_not_complained_about() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &EAGER);
        node.signal(netlab::Signal::USR2);
        node.wait_without_vip();
        assert!(!says(&node, "was removed", 0), "{}", node.said());
    }
}

#[test]
fn a_label_names_its_interface_and_is_what_scripts_get() {
    for program in programs() {
        let group = Group::new();
        let node = lone_master(&group, program, &["-i", "eth0:1", "-r", "1"]);
        let log = node.script_log();
        assert!(log.contains("down eth0:1 10.0.0.100\n") && log.contains("up eth0:1 10.0.0.100\n"), "{log}");
        node.host.unplug().unwrap();
        node.wait_without_vip();
    }
}
