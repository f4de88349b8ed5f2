//! Checks: what is found out, what becomes of virtual hosts, and that nothing waits for it.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use netlab::{Direction, Host, Signal, now};

use crate::harness::node::run_on;
use crate::harness::{EAGER, Node, SOON, Segment, between, ip, largest_gap, later, wait_until_time, web};

const VIP: &str = "10.0.0.100";

/// How often and how patiently checks are done here.
const FAST: &str = "interval = \"200ms\"\ntimeout = \"150ms\"\nrise = 1\nfall = 2\n";

/// As [`FAST`], for what starts a program on a busy machine.
const PATIENT: &str = "interval = \"2s\"\ntimeout = \"2s\"\nrise = 1\nfall = 1\n";

/// A configuration with one virtual host and these checks, each a name and its keys.
fn config(more: &str, checks: &[(&str, String)]) -> String {
    let names: Vec<&str> = checks.iter().map(|(name, _)| *name).collect();
    let tables: String = checks.iter().map(|(name, keys)| format!("[check.{name}]\n{keys}")).collect();
    web(&[VIP], &format!("{more}\nchecks = {names:?}")) + &tables
}

/// A check that is UP as long as a file of the node says so.
fn file_check(node: &Node, effect: &str) -> (&'static str, String) {
    let path = node.path("state");
    ("state", format!("kind = \"file\"\npath = {path:?}\ncontains = \"good\"\n{effect}\n{FAST}"))
}

fn say(node: &Node, text: &str) {
    fs::write(node.path("state"), text).expect("it can be written");
}

/// Others may look at what is in a node's directory: checks have no rights.
fn open_directory(node: &Node) {
    run_on(&node.host, "chmod", &["-R", "a+rX", node.path("..").join("..").to_str().expect("the path is UTF-8")]);
}

#[test]
fn a_check_that_demotes_gives_the_address_to_another_host_and_back() {
    let segment = Segment::new();
    let (mut first, mut second) = segment.pair();
    open_directory(&first);
    say(&first, "good");
    first.start(&config("preempt = true", &[file_check(&first, "demote = 100")]));
    first.wait_for(ip(VIP));
    second.start(&web(&[VIP], "preempt = true\nadvskew = 50"));
    segment.wait_for_advertisement(&first.host, 1, now());
    first.wait_for_line("Check state is UP: ", 0);
    let bad = now();
    say(&first, "bad");
    first.wait_for_line("Check state is DOWN: ", bad);
    second.wait_for(ip(VIP));
    first.wait_without(ip(VIP));
    let good = now();
    say(&first, "good");
    first.wait_for_line("Check state is UP: ", good);
    first.wait_for(ip(VIP));
    second.wait_without(ip(VIP));
    first.end();
    second.end();
}

#[test]
fn a_check_that_faults_keeps_even_a_lone_host_out_through_reloads_and_failures_of_the_engine() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    open_directory(&node);
    say(&node, "good");
    let checks = [file_check(&node, "fault = true")];
    node.start(&config(EAGER, &checks));
    node.wait_for(ip(VIP));
    let bad = now();
    say(&node, "bad");
    let down = node.wait_for_line("Check state is DOWN: ", bad);
    node.wait_without(ip(VIP));
    let told = node.reload(&config(&format!("{EAGER}\nadvskew = 7"), &checks));
    node.process().signal_children(Signal::KILL);
    node.wait_for_line("ended with signal 9", told);
    // A changed check does not let it in before it is known again.
    node.reload(&config(EAGER, &[("state", checks[0].1.replace("fall = 2", "fall = 3"))]));
    // Longer than several dead times.
    wait_until_time(later(now(), Duration::from_secs(4)));
    assert!(node.changes("web", down + 1).iter().all(|(_, is_master)| !is_master), "{}", node.said());
    assert!(!node.holds(ip(VIP)), "{}", node.said());
    let good = now();
    say(&node, "good");
    node.wait_for_line("Check state is UP: ", good);
    node.wait_for(ip(VIP));
    // Without its check nothing keeps it out.
    say(&node, "bad");
    node.wait_without(ip(VIP));
    node.reload(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    node.end();
}

#[test]
fn a_reload_keeps_the_state_of_unchanged_checks() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    open_directory(&node);
    say(&node, "good");
    let checks = [file_check(&node, "fault = true")];
    node.start(&config(EAGER, &checks));
    node.wait_for_line("Check state is UP: ", 0);
    node.wait_for(ip(VIP));
    let told = node.reload(&config(&format!("{EAGER}\nadvskew = 7"), &checks));
    wait_until_time(later(told, Duration::from_secs(2)));
    assert_eq!(node.lines("Check state is", told), 0, "{}", node.said());
    let told = node.reload(&config(EAGER, &[file_check(&node, "demote = 1")]));
    node.wait_for_line("Check state is UP: ", told);
    node.end();
}

/// Something on a host that listens on TCP, and never answers what it is asked.
fn silent_server(host: &Host, port: u16) -> TcpListener {
    host.run(|| TcpListener::bind(("10.0.0.9", port))).expect("something can run").expect("it can listen")
}

/// One of each kind that asks the host 10.0.0.9, and all of them are to fall when that is gone.
fn network_checks() -> Vec<(&'static str, String)> {
    let check = |name, keys: &str| {
        (name, format!("{keys}\ndemote = 1\ninterval = \"1s\"\ntimeout = \"800ms\"\nrise = 1\nfall = 2\n"))
    };
    vec![
        check("ping", "kind = \"ping\"\naddress = \"10.0.0.9\""),
        check("ping6", "kind = \"ping\"\naddress = \"fe80::ff:fe00:9\"\ninterface = \"eth0\""),
        check("arp", "kind = \"neighbour\"\naddress = \"10.0.0.9\"\ninterface = \"eth0\""),
        check("nd", "kind = \"neighbour\"\naddress = \"fd00::9\"\ninterface = \"eth0\""),
        check("tcp", "kind = \"tcp\"\naddress = \"10.0.0.9\"\nport = 7777"),
    ]
}

#[test]
fn every_kind_that_asks_the_network_sees_a_host_come_and_go() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.host.add_address(ip("fd00::2"), 64).expect("an address can be added");
    let asked = segment.host(9);
    asked.add_address(ip("fd00::9"), 64).expect("an address can be added");
    let _server = silent_server(&asked, 7777);
    let checks = network_checks();
    node.start(&config(EAGER, &checks));
    for (name, _) in &checks {
        node.wait_for_line(&format!("Check {name} is UP: "), 0);
    }
    let cut = now();
    asked.silence(Direction::Both).expect("frames can be dropped");
    for (name, _) in &checks {
        node.wait_for_line(&format!("Check {name} is DOWN: "), cut);
    }
    let back = now();
    asked.unsilence().expect("frames can pass");
    for (name, _) in &checks {
        node.wait_for_line(&format!("Check {name} is UP: "), back);
    }
    node.end();
}

#[test]
fn links_and_routes_are_followed() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    for arguments in [
        &["link", "add", "x0", "type", "veth", "peer", "name", "x1"][..],
        &["link", "set", "x1", "up"],
        &["link", "set", "x0", "up"],
        &["route", "add", "198.51.100.0/24", "via", "10.0.0.9"],
    ] {
        run_on(&node.host, "ip", arguments);
    }
    let link = ("link", "kind = \"link\"\ninterface = \"x0\"\nfault = true\n".to_owned());
    let route = (
        "route",
        format!(
            "kind = \"route\"\naddress = \"198.51.100.1\"\nvia = \"10.0.0.9\"\ninterface = \"eth0\"\nfault = true\n{FAST}"
        ),
    );
    node.start(&config(EAGER, &[link, route]));
    node.wait_for_line("Check link is UP: x0 is up and has carrier", 0);
    node.wait_for_line("Check route is UP: packets to 198.51.100.1 go through 10.0.0.9", 0);
    node.wait_for(ip(VIP));
    let since = now();
    run_on(&node.host, "ip", &["link", "set", "x0", "down"]);
    let told = node.wait_for_line("Check link is DOWN: x0 is down", since);
    // The kernel says so: nobody waits for the next look, which would come 10 s later.
    assert!(between(since, told) < Duration::from_secs(3), "{:?}", between(since, told));
    node.wait_without(ip(VIP));
    run_on(&node.host, "ip", &["link", "set", "x0", "up"]);
    node.wait_for_line("Check link is UP", since);
    node.wait_for(ip(VIP));
    let since = now();
    run_on(&node.host, "ip", &["route", "replace", "198.51.100.0/24", "via", "10.0.0.8"]);
    node.wait_for_line(
        "Check route is DOWN: the route to 198.51.100.1 goes through 10.0.0.8, not through 10.0.0.9",
        since,
    );
    let since = now();
    run_on(&node.host, "ip", &["link", "delete", "x0"]);
    node.wait_for_line("Check link is DOWN: there is no interface x0", since);
    node.end();
}

#[test]
fn commands_have_the_rights_of_their_user_and_say_why_they_fail() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let shell = |script: &str, more: &str| {
        format!("kind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\ndemote = 1\n{more}\n{PATIENT}")
    };
    let checks = [
        ("nobody", shell("id -u; test $(id -u) != 0 && grep -q 'CapEff:.0*$' /proc/self/status", "")),
        ("root", shell("test $(id -u) = 0 && echo may all", "user = \"root\"")),
        ("daemon", shell("test $(id -un) = daemon && echo is daemon", "user = \"daemon\"")),
        ("stranger", shell("true", "user = \"nobody-of-that-name\"")),
        ("failing", shell("echo so far so good; echo no more room >&2; exit 4", "")),
    ];
    node.start(&config(EAGER, &checks));
    node.wait_for_line("Check nobody is UP: ", 0);
    node.wait_for_line("Check root is UP: may all", 0);
    node.wait_for_line("Check daemon is UP: is daemon", 0);
    node.wait_for_line("Check stranger is UNKNOWN: there is no user nobody-of-that-name; it has no effect", 0);
    node.wait_for_line("Check failing is DOWN: exit status 4: no more room (demote 1)", 0);
    node.end();
}

/// Checks that hang, each in its way.
fn hanging_checks() -> Vec<(&'static str, String)> {
    let check = |name, keys: &str| (name, format!("{keys}\ndemote = 1\n{FAST}"));
    let shell = |script: &str| format!("kind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {script:?}]");
    vec![
        check("ping", "kind = \"ping\"\naddress = \"10.0.0.77\""),
        check("arp", "kind = \"neighbour\"\naddress = \"10.0.0.77\"\ninterface = \"eth0\""),
        check("nd", "kind = \"neighbour\"\naddress = \"fd00::77\"\ninterface = \"eth0\""),
        check("tcp", "kind = \"tcp\"\naddress = \"10.0.0.77\"\nport = 80"),
        check("http", "kind = \"http\"\nurl = \"http://10.0.0.9:7778/\""),
        check("command", &shell("exec sleep 1000")),
        check("stubborn", &shell("trap '' TERM INT HUP; sleep 1001 & sleep 1002")),
        check("loud", &shell("exec yes")),
        check("mute", &shell("exec >&- 2>&-; exec sleep 1004")),
        (
            "cut",
            "kind = \"isolation\"\ndemote = 1\ninterval = \"200ms\"\ntimeout = \"150ms\"\nexternal = \"10.0.0.77\"\ninternal = \"10.0.0.78\"\nisolation-host = \"10.0.0.79\"\n"
                .to_owned(),
        ),
    ]
}

#[test]
fn checks_that_hang_delay_no_advertisement_and_leave_nothing() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let _server = silent_server(&segment.host(9), 7778);
    let checks = hanging_checks();
    // An advertisement each 0.2 s.
    node.start(&config("advbase = 0\nadvskew = 51\nlease = \"5s\"", &checks));
    node.wait_for(ip(VIP));
    for (name, _) in checks.iter().filter(|(name, _)| *name != "cut") {
        node.wait_for_line(&format!("Check {name} is DOWN: "), 0);
    }
    node.wait_for_line("Check cut is UNKNOWN: nobody answers: 10.0.0.77, 10.0.0.78, 10.0.0.79; it has no effect", 0);
    node.wait_for_line("Check command is DOWN: not done within 150ms", 0);
    let since = now();
    wait_until_time(later(since, Duration::from_secs(4)));
    segment.catch_up();
    let sent = segment.advertisements(&node.host, 1, since);
    let gap = largest_gap(&sent, since, later(since, Duration::from_secs(4)));
    println!("{} advertisements, the longest gap {gap:?}", sent.len());
    assert!(gap < Duration::from_millis(600), "{gap:?}");
    node.end();
    assert_eq!(left_of(&node.host), [""; 0]);
}

/// What still runs on a host that these checks have started.
fn left_of(host: &Host) -> Vec<String> {
    let sleepers = || {
        let all = host.processes().expect("processes can be listed").into_iter();
        let line = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
        all.map(line).filter(|line| line.contains("sleep") || line.contains("yes")).collect::<Vec<_>>()
    };
    netlab::wait_until(SOON, || sleepers().is_empty());
    sleepers()
}

#[test]
fn a_killed_daemon_leaves_no_command() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let sleep =
        "kind = \"command\"\ncommand = [\"/bin/sleep\", \"1003\"]\nfault = true\ninterval = \"1h\"\ntimeout = \"1h\"\n";
    node.start(&config(EAGER, &[("sleep", sleep.to_owned())]));
    let is_there = || {
        let all = node.host.processes().expect("processes can be listed").into_iter();
        all.map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default())
            .any(|line| line.contains("1003"))
    };
    assert!(netlab::wait_until(SOON, is_there), "{}", node.said());
    node.process().signal(Signal::KILL).expect("it can be killed");
    assert_eq!(left_of(&node.host), [""; 0]);
}

/// In one process with threads there can be no others.
#[test]
fn checks_that_cannot_be_run_are_unknown_and_change_nothing() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let link = ("link", "kind = \"link\"\ninterface = \"eth0\"\nfault = true\n".to_owned());
    node.configure(&config(EAGER, &[file_check(&node, "fault = true"), link]));
    let mut command = node.command();
    command.arg("--no-split");
    node.spawn(command);
    node.wait_for_line("Check state is UNKNOWN: it cannot be run: cannot fork a child with 2 threads", 0);
    node.wait_for_line("Check link is UP: ", 0);
    node.wait_for(ip(VIP));
    node.end();
}

/// A server on the host itself: its process, its port, its page.
#[test]
fn a_server_that_ends_takes_the_address_along() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    run_on(&node.host, "ip", &["link", "set", "lo", "up"]);
    let mut command = Command::new("perl");
    command.args(["-e", SERVER]);
    let server = node.host.spawn(command).expect("perl is there");
    let checks = [
        ("page", format!("kind = \"http\"\nurl = \"http://127.0.0.1:8080/health\"\nfault = true\n{PATIENT}")),
        ("program", format!("kind = \"process\"\nname = \"a-web-server\"\nfault = true\n{PATIENT}")),
    ];
    server.wait_for_line("serving", SOON).expect("it starts");
    node.start(&config(EAGER, &checks));
    for (name, _) in &checks {
        node.wait_for_line(&format!("Check {name} is UP: "), 0);
    }
    node.wait_for(ip(VIP));
    let ended = now();
    drop(server);
    for (name, _) in &checks {
        node.wait_for_line(&format!("Check {name} is DOWN: "), ended);
    }
    node.wait_without(ip(VIP));
    node.end();
}

/// Answers every connection to port 8080 with status 204.
const SERVER: &str = r#"
use IO::Socket::INET;
$0 = "a-web-server";
my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;
$| = 1; print "serving\n";
while (my $c = $l->accept) { my $x = <$c>; print $c "HTTP/1.1 204 No Content\r\n\r\n"; close $c; }
"#;
