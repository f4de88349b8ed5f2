use std::fs;
use std::path::Path;

use super::*;
use crate::doctor::finding::with_commands;
use crate::fake;

/// A host with `eth0`, which is fine.
fn host() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("sys/class/net/eth0/flags", "0x1003"),
        ("sys/class/net/eth0/carrier", "1"),
        ("sys/class/net/eth0/uevent", "INTERFACE=eth0\nIFINDEX=2"),
        ("proc/sys/net/ipv4/ip_nonlocal_bind", "1"),
        ("proc/sys/net/ipv4/igmp_max_memberships", "20"),
        ("proc/sys/net/ipv4/conf/all/arp_ignore", "0"),
        ("proc/sys/net/ipv4/conf/eth0/arp_ignore", "1"),
        ("proc/sys/net/ipv4/conf/all/promote_secondaries", "1"),
        ("proc/sys/net/ipv4/conf/eth0/promote_secondaries", "0"),
        ("proc/sys/net/ipv4/conf/all/rp_filter", "1"),
        ("proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0"),
    ];
    for (path, text) in files {
        set(directory.path(), path, text);
    }
    directory
}

fn set(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("{text}\n")).unwrap();
}

fn found(root: &Path, hosts: &[VirtualHost]) -> Vec<Finding> {
    let mut findings = Vec::new();
    examine(&System::at(root), "eth0", hosts, &mut findings);
    with_commands(findings)
}

#[test]
fn a_good_interface_is_fine() {
    let root = host();
    let findings = found(root.path(), &[fake::master()]);
    assert_eq!(findings, [Finding::new(Level::Fine, "eth0", "up, with carrier, and fit for CARP")]);
}

#[test]
fn each_trouble_is_found_with_its_command() {
    let cases = [
        ("sys/class/net/eth0/flags", "0x1002", "it is down", "ip link set dev eth0 up"),
        ("sys/class/net/eth0/flags", "0x3", "it does no multicast", "ip link set dev eth0 multicast on"),
        ("sys/class/net/eth0/flags", "0x1083", "it does no ARP", "ip link set dev eth0 arp on"),
        ("sys/class/net/eth0/carrier", "0", "it has no carrier", "ethtool eth0"),
        ("sys/class/net/eth0/uevent", "DEVTYPE=wlan", "it is wireless", "ip -brief link"),
        ("proc/sys/net/ipv4/conf/eth0/arp_ignore", "8", "arp_ignore", "sysctl -w net.ipv4.conf.eth0.arp_ignore=0"),
        ("proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1", "IPv6 is off", "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0"),
        (
            "proc/sys/net/ipv4/conf/all/promote_secondaries",
            "0",
            "promote_secondaries 0",
            "sysctl -w net.ipv4.conf.eth0.promote",
        ),
        (
            "proc/sys/net/ipv4/igmp_max_memberships",
            "0",
            "igmp_max_memberships",
            "sysctl -w net.ipv4.igmp_max_memberships=20",
        ),
    ];
    for (path, value, text, mend) in cases {
        let root = host();
        set(root.path(), path, value);
        let findings = found(root.path(), &[fake::master()]);
        assert_eq!(findings.len(), 1, "{path}: {findings:#?}");
        assert!(findings[0].level >= Level::Warning && findings[0].text.starts_with(text), "{findings:#?}");
        assert!(findings[0].mend.as_ref().is_some_and(|command| command.starts_with(mend)), "{findings:#?}");
    }
}

#[test]
fn a_part_of_a_bridge_is_told_with_the_bridge() {
    let root = host();
    std::os::unix::fs::symlink("../br0", root.path().join("sys/class/net/eth0/master")).unwrap();
    let findings = found(root.path(), &[fake::master()]);
    assert!(findings[0].text.contains("interface = \"br0\""), "{findings:#?}");
}

#[test]
fn what_no_virtual_host_needs_is_not_asked_for() {
    let root = host();
    set(root.path(), "proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
    set(root.path(), "sys/class/net/eth0/flags", "0x3");
    let unicast = VirtualHost { transport: "unicast".into(), ..fake::backup() };
    let findings = found(root.path(), &[unicast]);
    assert_eq!(findings.iter().map(|finding| finding.level).max(), Some(Level::Fine), "{findings:#?}");
}

#[test]
fn an_interface_that_is_not_there_is_an_error_with_those_that_are() {
    let root = host();
    let mut findings = Vec::new();
    examine(&System::at(root.path()), "eth1", &[], &mut findings);
    let expected = Finding::new(Level::Error, "eth1", "there is no such interface here; there is eth0");
    assert_eq!(findings, [expected.mended_by("ip -brief link")]);
}
