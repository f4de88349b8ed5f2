//! S4: several virtual addresses per host, from an init script.

use std::net::Ipv4Addr;

use netlab::Lab;

use crate::harness::{System, VIP};

const SECOND: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);

fn instance(number: u8, label: &str, id: u8, address: Ipv4Addr) -> String {
    format!(
        "UCARP_PIDFILE=/run/ucarp-{label}.pid\nUCARP_BASE=1\nINTERFACE=eth0:{label}\nINSTANCE_ID={id}\n\
         PASSWORD=\"se cret{id}\"\nVIRTUAL_ADDRESS={address}\nVIRTUAL_BROADCAST=10.0.0.255\n\
         VIRTUAL_NETMASK=255.255.255.0\nSOURCE_ADDRESS=10.0.0.{number}\n"
    )
}

/// A host of ours with two virtual addresses.
fn prepare(lab: &Lab, name: &str, number: u8, options: &str) -> System {
    let system = System::boot_ours(lab, name, number);
    system.write("/etc/default/ucarp", &format!("UCARP_EXEC=/usr/sbin/ucarp\nOPTIONS=\"{options}\"\n"), 0o644);
    system.write("/etc/ucarp/interface/one", &instance(number, "carp0", 1, VIP), 0o600);
    system.write("/etc/ucarp/interface/two", &instance(number, "carp1", 2, SECOND), 0o600);
    system.write("/etc/ucarp/interface/two~", "exit 1\n", 0o600);
    system
}

fn script(action: &str) -> String {
    format!("/etc/init.d/ucarp {action}")
}

#[test]
fn start_status_restart_and_stop() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (prepare(&lab, "ours", 1, "-z -B"), System::boot(&lab, "debian", 2));
    assert_eq!(ours.try_run(&script("status")).status, 3);
    ours.run(&script("start"));
    [VIP, SECOND].into_iter().for_each(|address| ours.wait_for(address));
    let shown = ours.run("ip -4 addr show dev eth0");
    assert!(shown.contains("inet 10.0.0.254/24 brd 10.0.0.255 scope global secondary eth0:carp0"), "{shown}");
    let status = ours.run(&script("status"));
    assert!(status.contains("ucarp one (10.0.0.254 on eth0:carp0) is running, process "), "{status}");
    assert!(!ours.process_list().contains("cret"), "{}", ours.process_list());
    // Once more starts nothing.
    let before = ours.run("pgrep -x ucarp");
    ours.run(&script("start"));
    assert_eq!(ours.run("pgrep -x ucarp"), before);

    other.write("/etc/vip.sh", "#!/bin/sh\nip addr replace \"$2/32\" dev eth0\n", 0o755);
    other.run("ucarp -i eth0 -s 10.0.0.2 -v 2 -p 'se cret2' -a 10.0.0.253 -u /etc/vip.sh -d /bin/true -z -B");
    other.wait_for_log("Switching to state: BACKUP");
    let first = ours.read("/run/ucarp-carp0.pid");
    ours.run(&script("force-reload"));
    ours.wait_for(VIP);
    other.wait_for(SECOND);
    assert_ne!(ours.read("/run/ucarp-carp0.pid"), first);

    ours.run(&script("stop"));
    assert!(!ours.has(VIP) && !ours.has(SECOND));
    assert_eq!(ours.try_run("pgrep -x ucarp").status, 1);
    assert_eq!(ours.try_run(&script("status")).status, 3);
    ours.run(&script("stop"));
}

/// Without `-z` the daemon ends at once and leaves the address: the script takes it away.
#[test]
fn stop_takes_the_address_away_without_z_too() {
    let lab = Lab::new().expect("a laboratory");
    let ours = prepare(&lab, "ours", 1, "-P");
    ours.run(&script("start"));
    [VIP, SECOND].into_iter().for_each(|address| ours.wait_for(address));
    ours.run(&script("stop"));
    assert!(!ours.has(VIP) && !ours.has(SECOND));
}

#[test]
fn what_is_missing_in_a_file_is_told_and_the_others_start() {
    let lab = Lab::new().expect("a laboratory");
    let ours = prepare(&lab, "ours", 1, "-z");
    ours.write("/etc/ucarp/interface/one", "INTERFACE=eth0\nPASSWORD=x\n", 0o600);
    let ending = ours.try_run(&script("start"));
    assert_eq!(ending.status, 6, "{}", ending.text);
    assert!(ending.text.contains("/etc/ucarp/interface/one sets no SOURCE_ADDRESS"), "{}", ending.text);
    ours.wait_for(SECOND);
}

/// The init scripts of many sites run the daemon in the foreground under start-stop-daemon.
#[test]
fn start_stop_daemon_makes_the_pid_file() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_ours(&lab, "ours", 1);
    ours.write("/etc/vip-up", "#!/bin/sh\nifconfig \"$1\" \"$2\" netmask 255.255.255.0 up\n", 0o755);
    ours.write("/etc/vip-down", "#!/bin/sh\nifconfig \"$1\" down\n", 0o755);
    ours.run(
        "start-stop-daemon --start --background --make-pidfile --pidfile /run/carp0.pid --exec /usr/sbin/ucarp -- -z \
         -b 1 -i eth0:carp0 -v 1 -p secret -a 10.0.0.254 -s 10.0.0.1 -u /etc/vip-up -d /etc/vip-down",
    );
    ours.wait_for(VIP);
    ours.run("start-stop-daemon --status --pidfile /run/carp0.pid --exec /usr/sbin/ucarp");
    ours.run("start-stop-daemon --stop --pidfile /run/carp0.pid --exec /usr/sbin/ucarp --retry 20 --remove-pidfile");
    assert!(!ours.has(VIP));
    assert_eq!(ours.try_run("pgrep -x ucarp").status, 1);
}

/// Without systemd the script runs the configuration file as well.
#[test]
fn the_configuration_file_is_run_too() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_ours(&lab, "ours", 1);
    ours.write("/etc/ucarp/ucarp.toml", FILE, 0o600);
    ours.run(&script("start"));
    ours.wait_for(VIP);
    assert!(ours.run(&script("status")).starts_with("ucarp is running, process "));
    ours.run(&script("stop"));
    assert!(!ours.has(VIP));
}

const FILE: &str =
    "[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\naddresses = [\"10.0.0.254\"]\npassword = \"secret\"\n";
