//! A router that has lost the network of its virtual address, and has link: routers beyond it must not be sent there.
//!
//! Two routers share an address, and announce connected routes by OSPF to a third one, with real FRR.

use std::fs::{self, Permissions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Direction, Host, Process, now};
use tempfile::TempDir;

use crate::harness::node::run_on;
use crate::harness::{Node, SOON, Segment, between, ip, web};

const VIP: &str = "10.0.0.100";

/// Where Debian has the daemons of FRR.
const FRR: &str = "/usr/lib/frr";

/// How fast isolation has to be found out by default.
const DETECTION: Duration = Duration::from_secs(3);

/// What a busy machine may add.
const LATE: Duration = Duration::from_secs(1);

/// zebra and ospfd of one router, with all their files in one directory.
struct Router {
    _zebra: Process,
    _ospfd: Process,
}

impl Router {
    fn start(host: &Host, directory: &Path, redistributes: bool) -> Self {
        fs::create_dir_all(directory).expect("a directory can be made");
        // The daemons are their own user, whatever starts them.
        fs::set_permissions(directory, Permissions::from_mode(0o777)).expect("it is ours");
        let redistribute = if redistributes { " redistribute connected\n" } else { "" };
        // Fast enough for a test. What the defaults do takes a minute.
        let ospf = format!(
            "interface core0\n ip ospf area 0\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n\
             router ospf\n{redistribute} timers throttle spf 0 50 100\n timers throttle lsa all 0\n timers lsa min-arrival 0\n"
        );
        let file = |name: &str| directory.join(name).into_os_string().into_string().expect("the path is UTF-8");
        let start = |daemon: &str, config: &str| {
            fs::write(file(&format!("{daemon}.conf")), config).expect("it can be written");
            let mut command = Command::new(format!("{FRR}/{daemon}"));
            command.args(["-P", "0", "-f", &file(&format!("{daemon}.conf")), "-i", &file(&format!("{daemon}.pid"))]);
            command.args(["-z", &file("zserv.api"), "--vty_socket", &file("."), "--log", "stdout"]);
            host.spawn(command).expect("FRR is installed: apt-get install frr")
        };
        let zebra = start("zebra", "");
        let is_up = netlab::wait_until(SOON, || Path::new(&file("zserv.api")).exists());
        assert!(is_up, "zebra: {}", zebra.output());
        Self { _ospfd: start("ospfd", &ospf), _zebra: zebra }
    }
}

/// A network of three hosts: a switch in the first one, which has an address on it.
fn connect(core: &Host, others: [&Host; 2]) {
    run_on(core, "ip", &["link", "add", "core0", "type", "bridge"]);
    run_on(core, "ip", &["link", "set", "core0", "up"]);
    run_on(core, "ip", &["address", "add", "10.1.0.1/24", "dev", "core0"]);
    for (number, host) in (2..).zip(others) {
        let port = format!("port{number}");
        let namespace = format!("/proc/{}/fd/{}", std::process::id(), host.namespace().as_fd().as_raw_fd());
        run_on(core, "ip", &["link", "add", &port, "type", "veth", "peer", "name", "core0", "netns", &namespace]);
        run_on(core, "ip", &["link", "set", &port, "master", "core0", "up"]);
        run_on(host, "ip", &["address", "add", &format!("10.1.0.{number}/24"), "dev", "core0"]);
        run_on(host, "ip", &["link", "set", "core0", "up"]);
    }
}

/// Two routers with a daemon each, a third router beyond them, and everything that runs.
struct Scene {
    segment: Segment,
    nodes: [Node; 2],
    core: Host,
    _third: Host,
    _routers: Vec<Router>,
    _directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        let segment = Segment::new();
        let mut nodes = [segment.node(2), segment.node(3)];
        let third = segment.host(9);
        // It is on the same switch for technical reasons only.
        let core = segment.host_at(1, ip("192.0.2.1"), 32);
        core.link_down().expect("it can be set");
        connect(&core, [&nodes[0].host, &nodes[1].host]);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("it is ours");
        let hosts = [(&core, false), (&nodes[0].host, true), (&nodes[1].host, true)];
        let place = |host: &Host| -> PathBuf { directory.path().join(host.name()) };
        let routers = hosts.map(|(host, redistributes)| Router::start(host, &place(host), redistributes));
        let isolation = |peer: u8| {
            format!(
                "[isolation]\nexternal = \"10.0.0.{peer}\"\ninternal = \"10.1.0.{peer}\"\nisolation-host = \"10.0.0.9\"\n"
            )
        };
        nodes[0].start(&(web(&[VIP], "preempt = true") + &isolation(3)));
        nodes[1].start(&(web(&[VIP], "advskew = 100") + &isolation(2)));
        nodes[0].wait_for(ip(VIP));
        let routers = Vec::from(routers);
        Self { segment, nodes, core, _third: third, _routers: routers, _directory: directory }
    }

    /// Waits until the third router sends packets to the shared address to this router; returns when that was seen.
    #[track_caller]
    fn wait_for_route(&self, router: &str) -> u64 {
        let mut last = String::new();
        let is_there = netlab::wait_until(SOON * 2, || {
            last = run_on(&self.core, "ip", &["route", "show", VIP]);
            last.contains(&format!("via {router} "))
        });
        let [one, other] = &self.nodes;
        assert!(is_there, "no route by {router}, but: {last}\n{}\n\n{}", one.said(), other.said());
        now()
    }
}

#[test]
fn a_route_moves_away_from_an_isolated_router_and_comes_back() {
    let scene = Scene::new();
    let [isolated, other] = &scene.nodes;
    scene.wait_for_route("10.1.0.2");
    let cut = now();
    isolated.host.silence(Direction::Both).expect("frames can be dropped");
    let gone = isolated.wait_without(ip(VIP));
    isolated.wait_for_line("Check isolation is DOWN: isolated: 10.0.0.3 and 10.0.0.9 are silent", cut);
    other.wait_for(ip(VIP));
    let moved = scene.wait_for_route("10.1.0.3");
    println!("address gone after {:?}, route moved after {:?}", between(cut, gone), between(cut, moved));
    assert!(between(cut, gone) < DETECTION + LATE, "{}", isolated.said());
    // It listens, and does not advertise: neither now nor when the network is back but it has not found that out.
    scene.segment.catch_up();
    let sent = scene.segment.advertisements(&isolated.host, 1, gone + 1_000_000_000);
    assert_eq!(sent, [] as [u64; 0], "{}", isolated.said());

    let back = now();
    isolated.host.unsilence().expect("frames can pass again");
    isolated.wait_for_line("Check isolation is UP", back);
    let returned = scene.wait_for_route("10.1.0.2");
    println!("route back after {:?}", between(back, returned));
    assert!(isolated.holds(ip(VIP)) && !other.holds(ip(VIP)), "{}", isolated.said());
    assert_eq!(other.lines("Check isolation is DOWN", 0), 0, "{}", other.said());
}
