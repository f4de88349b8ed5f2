//! Checks, isolation, the tools and the exporter, under systemd and with all that the units forbid.

use netlab::{Direction, Host, Lab, wait_until};

use crate::harness::{SOON, System, VIP, connect};

/// A check of every kind; all can be good.
const FILE: &str = r#"
[isolation]
external = "10.0.0.2"
internal = "10.9.0.2"
isolation-host = "10.0.0.9"

[virtual-host.web]
interface = "eth0"
vhid = 1
addresses = ["10.0.0.254"]
password = "secret"
checks = ["cable", "ping", "arp", "port", "page", "program", "file", "route", "script", "root-script"]

[check.cable]
kind = "link"
interface = "hb0"
demote = 1

[check.ping]
kind = "ping"
address = "10.0.0.9"
demote = 1

[check.arp]
kind = "neighbour"
address = "10.0.0.9"
interface = "eth0"
demote = 1

[check.port]
kind = "tcp"
address = "127.0.0.1"
port = 8080
demote = 1

[check.page]
kind = "http"
url = "http://127.0.0.1:8080/index.html"
demote = 1

[check.program]
kind = "process"
name = "systemd-journald"
demote = 1

[check.file]
kind = "file"
path = "/srv/index.html"
contains = "served"
demote = 1

[check.route]
kind = "route"
address = "10.0.0.9"
demote = 1

[check.script]
kind = "command"
command = ["/usr/local/bin/is-user", "ucarp"]
demote = 1

[check.root-script]
kind = "command"
command = ["/usr/local/bin/is-user", "root"]
user = "root"
demote = 1
"#;

fn journal(system: &System) -> String {
    system.run("journalctl --no-pager -u ucarp")
}

fn start(ours: &System) {
    ours.install();
    ours.write("/srv/index.html", "served\n", 0o644);
    ours.write("/usr/local/bin/is-user", "#!/bin/sh\n[ \"$(id -un)\" = \"$1\" ]\n", 0o755);
    ours.run("busybox httpd -p 127.0.0.1:8080 -h /srv");
    ours.write("/etc/ucarp/ucarp.toml", FILE, 0o600);
    ours.run("systemctl start ucarp");
    ours.wait_for(VIP);
}

#[test]
fn checks_of_all_kinds_work_and_isolation_is_found_out() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, peer) = (System::boot_systemd(&lab, "ours", 1), System::boot(&lab, "peer", 2));
    let _isolation: Host = lab.host("isolation", 9, [10, 0, 0, 9], 24).expect("a host");
    connect(&ours, &peer);
    start(&ours);
    let names = FILE.split("\n[check.").skip(1).filter_map(|rest| rest.split(']').next());
    for name in names.chain(["isolation"]) {
        let up = format!("Check {name} is UP: ");
        assert!(wait_until(SOON, || journal(&ours).contains(&up)), "{name}: {}", journal(&ours));
    }
    let so_far = journal(&ours);
    assert!(!so_far.contains("UNKNOWN") && !so_far.contains("is DOWN"), "{so_far}");

    // The network of the virtual address is lost, and the link and the other network are not.
    ours.host().silence(Direction::Both).expect("frames are lost");
    ours.wait_without(VIP);
    assert!(journal(&ours).contains("Check isolation is DOWN: "), "{}", journal(&ours));
    ours.host().unsilence().expect("frames pass");
    ours.wait_for(VIP);
    ours.run("systemctl stop ucarp");
    assert!(!ours.has(VIP));
    assert_eq!(ours.run("systemctl show -P Result ucarp"), "success\n");
}

/// Root, and members of the group, see what the daemon does; the exporter does, too, and nobody else.
#[test]
fn the_tools_and_the_exporter_reach_the_daemon() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_systemd(&lab, "ours", 1);
    start(&ours);
    assert!(ours.run("ucarpctl status").contains("MASTER"), "{}", ours.run("ucarpctl status"));
    let as_nobody = |group: &str| {
        let group = ours.run(&format!("getent group {group} | cut -d: -f3"));
        ours.try_run(&format!("setpriv --reuid=65534 --regid={} --clear-groups ucarpctl status", group.trim()))
    };
    let member = as_nobody("ucarp");
    assert!(member.status == 0 && member.text.contains("MASTER"), "{member:?}");
    assert_eq!(as_nobody("nogroup").status, 69, "the socket is closed to others");
    ours.run("systemctl start ucarp-exporter");
    let metrics = || ours.try_run("busybox wget -q -O - http://127.0.0.1:10112/metrics").output;
    let told = wait_until(SOON, || metrics().contains("vhid=\"1\""));
    assert!(told, "{}\n{}", metrics(), ours.run("journalctl --no-pager -u ucarp-exporter"));
    ours.run("ucarpctl hand-over web && systemctl stop ucarp ucarp-exporter");
    assert_eq!(ours.run("systemctl show -P Result ucarp ucarp-exporter"), "success\n\nsuccess\n");
}

/// What docs/install.md says to add for `realtime-priority` is needed, and is enough.
#[test]
fn a_busy_machine_needs_two_more_lines_in_the_unit() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_systemd(&lab, "ours", 1);
    ours.install();
    let file = "realtime-priority = 5\n\n[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\n\
                addresses = [\"10.0.0.254\"]\npassword = \"secret\"\n";
    ours.write("/etc/ucarp/ucarp.toml", file, 0o600);
    ours.run("systemctl start ucarp");
    ours.wait_for(VIP);
    let policies = || ours.run("for pid in $(pgrep -x ucarp); do chrt --pid $pid; done");
    assert!(journal(&ours).contains("without real-time priority 5"), "{}", journal(&ours));
    assert_eq!(policies().matches("SCHED_FIFO").count(), 0, "{}", policies());

    let more = "[Service]\nRestrictRealtime=no\nCapabilityBoundingSet=CAP_SYS_NICE\n";
    ours.write("/etc/systemd/system/ucarp.service.d/busy.conf", more, 0o644);
    ours.run("systemctl daemon-reload && systemctl restart ucarp");
    ours.wait_for(VIP);
    assert_eq!(policies().matches("SCHED_FIFO").count(), 2, "{}", policies());
}
