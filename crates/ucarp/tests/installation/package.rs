//! What the package brings, replaces and leaves behind.

use netlab::Lab;

use crate::harness::{System, VIP};

#[test]
fn it_takes_the_place_of_debians() {
    let lab = Lab::new().expect("a laboratory");
    let system = System::boot(&lab, "host", 1);
    let before = system.read("/etc/network/if-up.d/ucarp");
    system.run("dpkg -s ucarp | grep -q '^Status: install ok installed'");
    system.install();
    assert_ne!(system.try_run("dpkg -s ucarp | grep -q '^Status: install ok installed'").status, 0);
    assert!(system.run("ucarp --version").contains("ucarp"), "{}", system.run("ucarp --version"));
    assert_ne!(system.read("/etc/network/if-up.d/ucarp"), before, "the hook is ours");
    assert_eq!(system.run("dpkg --verify ucarp-rs"), "");
    assert_eq!(system.run("find /etc -name '*.dpkg-*'"), "", "nobody was asked, and nothing was kept back");
    system.run("getent passwd ucarp && getent group ucarp");
    system.run("test -x /etc/rc2.d/S??ucarp");
    // Twice is an upgrade.
    system.install();

    system.run("dpkg --purge ucarp-rs");
    let left = system
        .run("find / -xdev -path /proc -prune -o -path /run -prune -o -name '*ucarp*' -print | grep -v /var/lib/dpkg/");
    let allowed = ["/.ucarp-test-root", "/root/ucarp.deb", "/var/cache/"];
    let left: Vec<_> = left.lines().filter(|path| !allowed.iter().any(|start| path.starts_with(start))).collect();
    assert_eq!(left, Vec::<&str>::new());
}

/// An administrator's file is kept.
#[test]
fn what_the_administrator_changed_stays() {
    let lab = Lab::new().expect("a laboratory");
    let system = System::boot_ours(&lab, "host", 1);
    system.write("/etc/default/ucarp", "OPTIONS=\"-z -P\"\n", 0o644);
    system.write("/etc/ucarp/ucarp.toml", "", 0o600);
    system.install();
    assert_eq!(system.read("/etc/default/ucarp"), "OPTIONS=\"-z -P\"\n");
    system.run("dpkg --remove ucarp-rs");
    assert!(system.path("/etc/ucarp/ucarp.toml").exists());
    assert!(system.path("/etc/default/ucarp").exists());
}

#[test]
fn every_shipped_configuration_passes_the_check() {
    let lab = Lab::new().expect("a laboratory");
    let system = System::boot_ours(&lab, "host", 1);
    system.write("/etc/ucarp/password", "secret\n", 0o600);
    for script in ["up.sh", "down.sh"] {
        system.write(&format!("/etc/ucarp/{script}"), "#!/bin/sh\n", 0o755);
    }
    let checked =
        system.run("for file in /usr/share/doc/ucarp-rs/examples/*.toml; do ucarp --check -c $file || exit 1; done");
    assert!(checked.lines().filter(|line| line.starts_with("ok: ")).count() >= 6, "{checked}");
}

/// The files of `ucarp@NAME.service`, as Fedora's package reads them.
#[test]
fn variables_of_one_file_each_are_read() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_ours(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    ours.write(
        "/etc/ucarp/vip-common.conf",
        "PASSWORD=\"lo ve\"\nBIND_INTERFACE=\"eth0\"\nOPTIONS=\"--shutdown\"\n",
        0o600,
    );
    ours.write("/etc/ucarp/vip-008.conf", "SOURCE_ADDRESS=\"10.0.0.1\"\nVIP_ADDRESS=\"10.0.0.254\"\n", 0o600);
    ours.run("setsid /usr/libexec/ucarp/instance start 008 >/var/log/instance 2>&1 &");
    ours.wait_for(VIP);
    assert!(!ours.process_list().contains("lo ve"), "{}", ours.process_list());
    assert!(ours.process_list().contains("-v 8 -a 10.0.0.254"), "{}", ours.process_list());
    other.write("/etc/vip.sh", "#!/bin/sh\nip addr replace \"$2/32\" dev eth0\n", 0o755);
    other.run("ucarp -i eth0 -s 10.0.0.2 -v 8 -p 'lo ve' -a 10.0.0.254 -k 9 -u /etc/vip.sh -d /bin/true -z -B");
    other.wait_for_log("Switching to state: BACKUP");
    let ending = ours.try_run("/usr/libexec/ucarp/instance reload 008 1");
    assert!(ending.status == 1 && ending.text.contains("restart it"), "{}", ending.text);
    ours.run("killall ucarp");
    other.wait_for(VIP);
    ours.wait_without(VIP);
    for (name, missing) in
        [("nine", "there is neither /etc/ucarp/nine.toml nor /etc/ucarp/vip-nine.conf"), ("common", "there is neither")]
    {
        let ending = ours.try_run(&format!("/usr/libexec/ucarp/instance start {name}"));
        assert!(ending.status == 1 && ending.text.contains(missing), "{}", ending.text);
    }
    ours.write("/etc/ucarp/vip-9.conf", "SOURCE_ADDRESS=\"10.0.0.1\"\n", 0o600);
    let ending = ours.try_run("/usr/libexec/ucarp/instance start vip-9");
    assert!(ending.status == 1 && ending.text.contains("vip-9.conf sets no VIP_ADDRESS"), "{}", ending.text);
}

#[test]
fn a_configuration_file_of_its_own_is_run_by_name() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_ours(&lab, "ours", 1);
    let file =
        "[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\naddresses = [\"10.0.0.254\"]\npassword = \"secret\"\n";
    ours.write("/etc/ucarp/web.toml", file, 0o600);
    ours.run("setsid /usr/libexec/ucarp/instance start web >/var/log/instance 2>&1 &");
    ours.wait_for(VIP);
    ours.run("/usr/libexec/ucarp/instance reload web $(pgrep -ox ucarp)");
    ours.run("killall ucarp");
    ours.wait_without(VIP);
}
