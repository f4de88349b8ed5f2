//! The machine: rights, clock, and what it runs on.

use ucarp_control::types::VirtualHost;

use super::finding::{Finding, Level};
use super::system::{Answer, System};

/// The bits of capabilities(7) that the daemon cannot do without.
const CAPABILITIES: [(u32, &str); 2] = [(12, "NET_ADMIN"), (13, "NET_RAW")];

/// Hypervisors that filter frames by their MAC address unless they are told not to: a part of the vendor's or product's
/// name, what it is called, and the command that allows them.
const HYPERVISORS: [(&str, &str, &str); 5] = [
    (
        "VMware",
        "VMware",
        "esxcli network vswitch standard policy security set -v vSwitch0 --allow-forged-transmits=true \
         --allow-mac-change=true --allow-promiscuous=true",
    ),
    ("Virtual Machine", "Hyper-V", "Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On"),
    ("VirtualBox", "VirtualBox", "VBoxManage modifyvm NAME --nicpromisc1 allow-all"),
    (
        "QEMU",
        "QEMU or KVM",
        "virsh edit NAME   # remove the filters no-mac-spoofing and clean-traffic; Proxmox: MAC filter: no",
    ),
    ("Xen", "Xen", "xl network-list NAME   # and on the host: no ebtables or Open vSwitch rule for its MAC"),
];

/// Clouds that carry no multicast, and deliver an address only to whom their API says.
const CLOUDS: [&str; 7] = ["Amazon EC2", "Google", "DigitalOcean", "Hetzner", "Microsoft Azure", "OVH", "Scaleway"];

/// Looks at the machine.
pub(super) fn examine(system: &System, hosts: &[VirtualHost], findings: &mut Vec<Finding>) {
    capabilities(system, findings);
    clock(system, hosts, findings);
    hypervisor(system, hosts, findings);
}

/// Of the bounding set: in a container even root may be without them.
fn capabilities(system: &System, findings: &mut Vec<Finding>) {
    let Some(status) = system.read("/proc/self/status") else { return };
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let Some(bounding) = bounding.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else { return };
    let missing: Vec<&str> =
        CAPABILITIES.iter().filter(|(bit, _)| bounding >> bit & 1 == 0).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        findings.push(Finding::new(Level::Fine, "rights", "nothing takes NET_ADMIN and NET_RAW away from root"));
        return;
    }
    let text = format!("nobody here can have {}: the daemon cannot run in this container", missing.join(" and "));
    let options: Vec<String> = missing.iter().map(|name| format!("--cap-add {name}")).collect();
    let mend = format!("docker run --network host {} ...", options.join(" "));
    findings.push(Finding::new(Level::Error, "rights", text).mended_by(mend));
}

fn clock(system: &System, hosts: &[VirtualHost], findings: &mut Vec<Finding>) {
    let directory = "/sys/devices/system/clocksource/clocksource0";
    let source = system.read(&format!("{directory}/current_clocksource"));
    if let Some(source) = source.filter(|source| source.contains("jiffies")) {
        let text = format!("the kernel counts time by {source}: timers are late while the machine is busy");
        let available = system.read(&format!("{directory}/available_clocksource")).unwrap_or_default();
        let better = available.split_whitespace().find(|name| !name.contains("jiffies"));
        let mend = better.map_or_else(
            || "dmesg | grep -i clocksource   # why there is no better one".to_owned(),
            |better| format!("echo {better} > {directory}/current_clocksource"),
        );
        findings.push(Finding::new(Level::Warning, "clock", text).mended_by(mend));
    }
    let Answer::Said(synchronized) = system.ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]) else {
        return;
    };
    if synchronized.trim() == "yes" {
        findings.push(Finding::new(Level::Fine, "clock", "the wall clock is synchronized"));
        return;
    }
    let strict = hosts.iter().find(|host| host.authentication == "strict");
    let finding = match strict {
        Some(host) => {
            let name = &host.name;
            let text = format!(
                "the wall clock is not synchronized, and {name} has strict authentication, whose stamps are times"
            );
            Finding::new(Level::Warning, "clock", text)
        }
        None => {
            let text = "the wall clock is not synchronized: failovers do not need it, but logs of two hosts cannot be compared";
            Finding::new(Level::Note, "clock", text)
        }
    };
    findings.push(finding.mended_by("timedatectl set-ntp true"));
}

fn hypervisor(system: &System, hosts: &[VirtualHost], findings: &mut Vec<Finding>) {
    let read = |name| system.read(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    let machine = [read("sys_vendor"), read("product_name"), read("bios_vendor")].join(" ");
    let is_virtual = system.read("/proc/cpuinfo").is_some_and(|text| {
        text.lines().any(|line| line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor"))
    });
    if let Some(cloud) = CLOUDS.iter().find(|cloud| machine.contains(*cloud)) {
        let text = format!(
            "this seems to be a machine of {cloud}: clouds carry no multicast, and deliver an address only to the machine that \
             their API names; give `transport = \"unicast\"` and `peers`, and move the address with an up script"
        );
        let is_ready = !hosts.is_empty() && hosts.iter().all(|host| host.transport == "unicast");
        let finding = Finding::new(if is_ready { Level::Note } else { Level::Warning }, "cloud", text);
        findings.push(finding.mended_by("ucarpctl reload   # after that change of the configuration"));
        return;
    }
    if !is_virtual {
        return;
    }
    let Some((_, name, mend)) = HYPERVISORS.iter().find(|(sign, _, _)| machine.contains(sign)) else { return };
    let text = format!(
        "this is a virtual machine of {name}: it has to let frames out that come from 00:00:5e:00:01:VHID, or peers hear nothing"
    );
    findings.push(Finding::new(Level::Note, "hypervisor", text).mended_by(*mend));
}

#[cfg(test)]
mod tests;
