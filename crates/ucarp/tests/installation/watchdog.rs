//! S5: a script that stops the daemon of a host that is cut off and starts it again.

use netlab::{Direction, Host, Lab};

use crate::harness::{System, VIP, connect, write_scripts};

/// The operator's script, with an interval of a second instead of 30: peer and isolation host on the CARP network are
/// silent and the peer on the heartbeat network answers, twice in a row.
const SCRIPT: &str = r#"#!/bin/sh
vhid=1 interface=eth0 own=10.0.0.1 vip=10.0.0.254
isolation=10.0.0.9 heartbeat=10.9.0.2 peer=10.0.0.2 limit=2 interval=1
answers() { ping -c 1 -W 1 "$1" >/dev/null 2>&1; }
run() { ucarp -i $interface -s $own -v $vhid -p secret -a $vip -u /etc/vip-up.sh -d /etc/vip-down.sh -z -B; }
run
silent=0 stopped=
while sleep $interval; do
    if answers $peer || answers $isolation; then
        silent=0
        if [ -n "$stopped" ]; then run; stopped=; echo started; fi
    elif answers $heartbeat; then
        silent=$((silent + 1))
        if [ $silent -ge $limit ] && [ -z "$stopped" ]; then killall ucarp; stopped=yes; echo stopped; fi
    fi
done
"#;

#[test]
fn an_isolated_master_is_stopped_and_comes_back() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_ours(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    let _isolation: Host = lab.host("isolation", 9, [10, 0, 0, 9], 24).expect("a host");
    connect(&ours, &other);
    [&ours, &other].into_iter().for_each(write_scripts);
    ours.write("/etc/watchdog", SCRIPT, 0o755);
    ours.run("setsid /etc/watchdog >/var/log/watchdog 2>&1 </dev/null &");
    ours.wait_for(VIP);
    other.run(
        "ucarp -i eth0 -s 10.0.0.2 -v 1 -p secret -a 10.0.0.254 -k 100 -u /etc/vip-up.sh -d /etc/vip-down.sh -z -B",
    );
    other.wait_for_log("Switching to state: BACKUP");

    // The network is lost, and the link is not.
    ours.host().silence(Direction::Both).expect("frames are lost");
    ours.wait_without(VIP);
    other.wait_for(VIP);
    assert_eq!(ours.read("/var/log/watchdog"), "stopped\n");
    ours.host().unsilence().expect("frames pass");
    ours.wait_for_log_times("Listening as BACKUP", 2);
    assert!(other.has(VIP), "the other one stays master");
    other.run("killall ucarp");
    ours.wait_for(VIP);
}
