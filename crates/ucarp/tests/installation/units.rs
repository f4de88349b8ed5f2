//! The systemd units.

use std::net::Ipv4Addr;

use netlab::{Lab, wait_until};

use crate::harness::{SOON, System, VIP};

const SECOND: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);

const FILE: &str =
    "[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\naddresses = [\"10.0.0.254\"]\npassword = \"secret\"\n";

const VARIABLES: &str = "PASSWORD=\"lo ve\"\nBIND_INTERFACE=eth0\nSOURCE_ADDRESS=10.0.0.1\nVIP_ADDRESS=10.0.0.253\n";

fn units(system: &System) -> Vec<String> {
    let list = system.run("ls /usr/lib/systemd/system/ucarp*.service");
    list.lines().map(str::to_owned).collect()
}

#[test]
fn systemd_finds_nothing_wrong_and_the_exposure_is_ok() {
    let lab = Lab::new().expect("a laboratory");
    let system = System::boot_ours(&lab, "host", 1);
    let units = units(&system);
    assert!(units.len() >= 3, "{units:?}");
    let ending = system.try_run(&format!("systemd-analyze verify --man=no {}", units.join(" ")));
    assert_eq!((ending.status, ending.text.as_str()), (0, ""));
    for unit in units {
        // systemd calls an exposure of less than 5.0 OK; the threshold is in tenths.
        let ending = system.try_run(&format!("systemd-analyze security --offline=true --threshold=49 {unit}"));
        assert_eq!(ending.status, 0, "{}", ending.text);
        println!("{}", ending.text.lines().last().unwrap_or_default());
    }
    let user = system.run("systemd-sysusers --cat-config ucarp.conf | grep '^u ucarp '");
    assert!(!user.is_empty());
    system.run("systemd-tmpfiles --create ucarp.conf && test -d /run/ucarp");
}

/// Under systemd itself, with all that the units forbid.
#[test]
fn services_start_reload_hand_over_and_end() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_systemd(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    ours.install();
    assert_eq!(ours.run("systemctl is-enabled ucarp"), "enabled\n");
    assert_eq!(ours.try_run("systemctl is-active ucarp").output, "inactive\n", "there is nothing to run yet");

    ours.write("/etc/ucarp/ucarp.toml", FILE, 0o600);
    ours.write("/etc/ucarp/vip-002.conf", VARIABLES, 0o600);
    ours.run("systemctl start ucarp ucarp@002");
    [VIP, SECOND].into_iter().for_each(|address| ours.wait_for(address));
    let status = || ours.run("systemctl show -P StatusText ucarp");
    assert!(wait_until(SOON, || status().starts_with("MASTER of 1, BACKUP of 0")), "{}", status());
    let journal = ours.run("journalctl --no-pager -u ucarp");
    assert!(journal.contains("user ucarp:") && !journal.contains("capability"), "{journal}");

    changes_of_state_are_entries_with_fields(&ours);

    ours.write("/etc/ucarp/ucarp.toml", &FILE.replace("254\"]", "254\", \"10.0.0.252\"]"), 0o600);
    ours.run("systemctl reload ucarp");
    ours.wait_for(Ipv4Addr::new(10, 0, 0, 252));
    assert_ne!(ours.try_run("systemctl reload ucarp@002").status, 0, "these options cannot be read again");

    other.write("/etc/vip.sh", "#!/bin/sh\nip addr replace \"$2/32\" dev eth0\n", 0o755);
    other.run("ucarp -i eth0 -s 10.0.0.2 -v 2 -p 'lo ve' -a 10.0.0.253 -u /etc/vip.sh -d /bin/true -z -B");
    other.wait_for_log("Switching to state: BACKUP");
    ours.run("systemctl stop ucarp ucarp@002");
    assert!(!ours.has(VIP) && !ours.has(SECOND), "both are gone when systemctl returns");
    other.wait_for(SECOND);
    assert_eq!(ours.run("systemctl show -P Result ucarp ucarp@002"), "success\n\nsuccess\n");
}

/// In the journal itself, with the explanation of the catalog.
fn changes_of_state_are_entries_with_fields(system: &System) {
    let id = "MESSAGE_ID=7d1c0ae5b8a74f0f9d2e63a1c5b0f4e2";
    let found = |more: &str| system.run(&format!("journalctl --no-pager -o verbose {id} {more}"));
    let entry = found("VIRTUAL_HOST=web STATE=MASTER");
    for field in [
        "VHID=1",
        "INTERFACE=eth0",
        "FORMER_STATE=BACKUP",
        "CAUSE=no-master-heard",
        "REASON=no master was heard for",
        "MESSAGE=web is MASTER: no master was heard for",
        "PRIORITY=4",
        "SYSLOG_IDENTIFIER=ucarp",
        "_SYSTEMD_UNIT=ucarp.service",
    ] {
        assert!(entry.lines().any(|line| line.trim_start().starts_with(field)), "no {field} in\n{entry}");
    }
    // With UCARP's options a virtual host is called after its interface.
    assert!(found("VIRTUAL_HOST=eth0 STATE=MASTER").contains("_SYSTEMD_UNIT=ucarp@002.service"));
    let explained = system.run(&format!("journalctl --no-pager --catalog {id} VIRTUAL_HOST=web STATE=MASTER"));
    for text in ["Subject: The virtual host web is MASTER", "of vhid 1 on eth0, was BACKUP and is MASTER"] {
        assert!(explained.contains(text), "no {text:?} in\n{explained}");
    }
}

/// The init script's files, as systemd starts them at boot.
#[test]
fn the_files_of_the_init_script_are_a_service_too() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_systemd(&lab, "ours", 1);
    ours.install();
    let instance =
        "INTERFACE=eth0:one\nINSTANCE_ID=1\nPASSWORD=secret\nVIRTUAL_ADDRESS=10.0.0.254\nSOURCE_ADDRESS=10.0.0.1\n";
    ours.write("/etc/ucarp/interface/one", instance, 0o600);
    ours.run("systemctl start ucarp-interfaces");
    ours.wait_for(VIP);
    assert!(ours.run("/etc/init.d/ucarp status").contains("is running"));
    ours.run("systemctl stop ucarp-interfaces");
    assert!(!ours.has(VIP));
    assert_eq!(ours.run("systemctl show -P Result ucarp-interfaces"), "success\n");
}

/// The value of a line in a unit.
fn value<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut lines = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    lines.next_back().unwrap_or_else(|| panic!("{name} in {unit}"))
}

/// No more rights than the unit leaves are needed: to become MASTER, to confine the engine, and to replace one that dies.
#[test]
fn the_rights_of_the_unit_suffice() {
    let lab = Lab::new().expect("a laboratory");
    let system = System::boot_ours(&lab, "host", 1);
    let unit = system.read("/usr/lib/systemd/system/ucarp.service");
    let capabilities = value(&unit, "CapabilityBoundingSet").to_lowercase().replace("cap_", "+").replace(' ', ",");
    system.write("/etc/ucarp/ucarp.toml", FILE, 0o600);
    system.run(&format!(
        "setsid setpriv --no-new-privs --bounding-set=-all,{capabilities} {} >/var/log/unit 2>&1 &",
        value(&unit, "ExecStart")
    ));
    system.wait_for(VIP);
    let log = system.read("/var/log/unit");
    assert!(log.contains("user ucarp:"), "{log}");
    // What a kernel lacks is another matter.
    assert!(!log.contains("capability"), "{log}");
    system.run("pkill -KILL -u ucarp -x ucarp");
    assert!(wait_until(SOON, || system.read("/var/log/unit").matches("is confined").count() == 2), "{log}");
    system.wait_for(VIP);
    system.run("pkill -HUP -o -x ucarp");
    system.run("pkill -TERM -o -x ucarp");
    system.wait_without(VIP);
}
