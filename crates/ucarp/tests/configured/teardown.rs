//! Hosts that vanish with all that they are, as by `reboot -f`.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Signal, now};

use crate::harness::{DEFAULTS, Node, SOON, Segment, between, virtual_host};

/// How often it is done, each time to another host.
const TIMES: u8 = 20;

/// Runs the daemon of the configuration in a network namespace of its own, as soon as the interface has been moved there.
const INSIDE: &str = "until ip link show dev eth0 2>/dev/null; do sleep 0.05; done
ip link set eth0 up
ip addr add \"$1\" dev eth0
shift
exec \"$@\"";

fn address(vhid: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, vhid).into()
}

fn host_of(vhid: u8, more: &str) -> String {
    virtual_host(&format!("v{vhid}"), vhid, &[&address(vhid).to_string()], more)
}

/// Starts a daemon in a namespace that nobody but its processes holds: when these are killed it is torn down.
fn start_inside(node: &mut Node, vhid: u8, source: &str) {
    node.configure(&format!("{DEFAULTS}{}", host_of(vhid, "")));
    let daemon = node.command();
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", INSIDE, "sh", source]).arg(daemon.get_program()).args(daemon.get_args());
    node.spawn(command);
    let pid = node.process().pid().to_string();
    let own = std::fs::read_link("/proc/self/ns/net").expect("it can be read");
    let host =
        node.host.run(|| std::fs::read_link("/proc/thread-self/ns/net").expect("it can be read")).expect("it runs");
    let unshared = netlab::wait_until(SOON, || {
        std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|namespace| namespace != own && namespace != host)
    });
    assert!(unshared, "{}", node.said());
    node.run("ip", &["link", "set", "eth0", "netns", &pid]);
}

fn is_cabled(host: &Host) -> bool {
    host.wait_connected().is_ok()
}

#[test]
fn a_host_that_is_torn_down_is_replaced_in_time() {
    let segment = Segment::new();
    let mut nodes = Vec::new();
    for vhid in 1..=TIMES {
        let octet = vhid + 10;
        let mut node = segment.node(octet);
        assert!(is_cabled(&node.host));
        start_inside(&mut node, vhid, &format!("10.0.0.{octet}/24"));
        nodes.push(node);
    }
    for (node, vhid) in nodes.iter().zip(1..) {
        segment.wait_for_announcement(&node.host, address(vhid), 0);
    }
    let mut peer = segment.node(3);
    let hosts: String = (1..=TIMES).map(|vhid| host_of(vhid, "advskew = 100")).collect();
    peer.start(&format!("{DEFAULTS}{hosts}"));
    let since = now();
    for (node, vhid) in nodes.iter().zip(1..) {
        segment.wait_for_advertisement(&node.host, vhid, since);
    }
    let torn: Vec<u64> = nodes
        .iter()
        .map(|node| {
            node.signal(Signal::KILL);
            now()
        })
        .collect();
    let mut taken = Vec::new();
    for (at, vhid) in torn.iter().zip(1..) {
        taken.push(between(*at, segment.wait_for_announcement(&peer.host, address(vhid), *at)));
        peer.wait_for(address(vhid));
    }
    println!("the addresses were announced after {:?} to {:?}", taken.iter().min(), taken.iter().max());
    // The dead time with an advskew of 100 is 3.39 s.
    assert!(taken.iter().all(|after| *after <= Duration::from_millis(4500)), "{taken:?}");
    segment.catch_up();
    for (node, at) in nodes.iter().zip(&torn) {
        let said = segment.frames_of(&node.host, at + 100_000_000);
        assert!(said.is_empty(), "{} frames after it was torn down", said.len());
    }
}
