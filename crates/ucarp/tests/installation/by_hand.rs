//! S1: two hosts by hand, one with Debian's program.

use netlab::Lab;

use crate::harness::{System, VIP, write_scripts};

fn start(number: u8) -> String {
    format!("ucarp -i eth0 -s 10.0.0.{number} -v 1 -p secret -a 10.0.0.254 -u /etc/vip-up.sh -d /etc/vip-down.sh -z -B")
}

#[test]
fn two_hosts_take_turns() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_ours(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    [&ours, &other].into_iter().for_each(write_scripts);
    ours.run(&start(1));
    ours.wait_for(VIP);
    assert!(ours.run("ip addr show dev eth0").contains("inet 10.0.0.254/32"));
    assert!(!ours.process_list().contains("secret"), "{}", ours.process_list());

    other.run(&start(2));
    other.wait_for_log("Switching to state: BACKUP");
    ours.run("killall ucarp");
    other.wait_for(VIP);
    ours.wait_without(VIP);

    ours.run(&start(1));
    other.run("killall ucarp");
    ours.wait_for(VIP);
    other.wait_without(VIP);
}
