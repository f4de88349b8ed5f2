use std::fs;
use std::path::Path;

use super::*;
use crate::doctor::finding::with_commands;
use crate::fake;

fn found(files: &[(&str, &str)], hosts: &[VirtualHost]) -> Vec<Finding> {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut findings = Vec::new();
    examine(&System::at(directory.path()), hosts, &mut findings);
    with_commands(findings)
}

#[test]
fn a_container_without_rights_is_told_with_the_options_that_give_them() {
    let status = |bounding: &str| format!("Name:\tucarpctl\nCapEff:\t0\nCapBnd:\t{bounding}\n");
    let findings = found(&[("proc/self/status", &status("00000000a80425fb"))], &[]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Error));
    assert_eq!(findings[0].mend.as_deref(), Some("docker run --network host --cap-add NET_ADMIN ..."));
    let findings = found(&[("proc/self/status", &status("000001ffffffffff"))], &[]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Fine));
}

#[test]
fn a_coarse_clock_is_told_with_a_better_one() {
    let directory = "sys/devices/system/clocksource/clocksource0";
    let current = format!("{directory}/current_clocksource");
    let available = format!("{directory}/available_clocksource");
    let findings = found(&[(&current, "refined-jiffies\n"), (&available, "tsc refined-jiffies\n")], &[]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Warning));
    assert!(findings[0].mend.as_deref().is_some_and(|mend| mend.starts_with("echo tsc > /sys/")), "{findings:#?}");
    assert_eq!(found(&[(&current, "tsc\n")], &[]), []);
}

#[test]
fn hypervisors_and_clouds_are_known_by_their_names() {
    let virtual_machine = ("proc/cpuinfo", "processor: 0\nflags\t\t: fpu hypervisor sse\n");
    let vendor = "sys/class/dmi/id/sys_vendor";
    let findings = found(&[virtual_machine, (vendor, "VMware, Inc.\n")], &[]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Note));
    assert!(findings[0].mend.as_deref().is_some_and(|mend| mend.contains("forged-transmits")), "{findings:#?}");
    let findings = found(&[virtual_machine, (vendor, "Amazon EC2\n")], &[fake::master()]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Warning));
    assert!(findings[0].text.contains("no multicast"));
    assert_eq!(found(&[("proc/cpuinfo", "flags: fpu\n"), (vendor, "QEMU\n")], &[]), []);
}
