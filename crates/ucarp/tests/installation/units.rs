//! The systemd units.

use netlab::{Lab, wait_until};

use crate::harness::{SOON, System, VIP};

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
    let file =
        "[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\naddresses = [\"10.0.0.254\"]\npassword = \"secret\"\n";
    system.write("/etc/ucarp/ucarp.toml", file, 0o600);
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
