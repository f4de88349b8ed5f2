//! One interface: what it is, and how the kernel is told to treat it.

use ucarp_control::types::VirtualHost;

use super::finding::{Finding, Level};
use super::system::System;

/// `IFF_UP`, `IFF_LOOPBACK`, `IFF_NOARP` and `IFF_MULTICAST` of netdevice(7).
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const NOARP: u32 = 0x80;
const MULTICAST: u32 = 0x1000;

/// What the virtual hosts of one interface need.
struct Needs {
    ipv4: bool,
    ipv6: bool,
    unicast: bool,
    virtual_mac: bool,
    /// Some address is added with the length of a prefix of more than itself.
    has_prefix: bool,
}

impl Needs {
    /// Of what is known, or else what is usual.
    fn of(hosts: &[VirtualHost], interface: &str) -> Self {
        let hosts: Vec<&VirtualHost> = hosts.iter().filter(|host| host.interface == interface).collect();
        let is_ipv6 = |address: &str| address.contains(':');
        let addresses: Vec<&str> =
            hosts.iter().flat_map(|host| &host.addresses).map(|address| address.address.as_str()).collect();
        Needs {
            ipv4: addresses.is_empty() || addresses.iter().any(|address| !is_ipv6(address)),
            ipv6: addresses.iter().any(|address| is_ipv6(address)),
            unicast: !hosts.is_empty() && hosts.iter().all(|host| host.transport == "unicast"),
            virtual_mac: hosts.iter().any(|host| host.mac == "virtual"),
            has_prefix: addresses
                .iter()
                .any(|address| address.split_once('/').is_some_and(|(_, length)| !["32", "128"].contains(&length))),
        }
    }
}

/// Looks at an interface.
pub(super) fn examine(system: &System, interface: &str, hosts: &[VirtualHost], findings: &mut Vec<Finding>) {
    let directory = format!("/sys/class/net/{interface}");
    if interface.contains('/') || !system.has(&directory) {
        let there = system.list("/sys/class/net").join(", ");
        let text = format!("there is no such interface here; there is {there}");
        findings.push(Finding::new(Level::Error, interface, text).mended_by("ip -brief link"));
        return;
    }
    let needs = Needs::of(hosts, interface);
    let before = findings.len();
    link(system, interface, &needs, findings);
    kind(system, interface, findings);
    settings(system, interface, &needs, findings);
    if findings[before..].iter().all(|finding| finding.level <= Level::Note) {
        findings.push(Finding::new(Level::Fine, interface, "up, with carrier, and fit for CARP"));
    }
}

fn link(system: &System, interface: &str, needs: &Needs, findings: &mut Vec<Finding>) {
    let read = |name: &str| system.read(&format!("/sys/class/net/{interface}/{name}"));
    let flags = read("flags").and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let flags = flags.unwrap_or(UP | MULTICAST);
    if flags & UP == 0 {
        let mend = format!("ip link set dev {interface} up");
        findings.push(Finding::new(Level::Error, interface, "it is down").mended_by(mend));
    } else if read("carrier").as_deref() == Some("0") {
        let text = "it has no carrier: look at the cable and the switch's port";
        findings.push(Finding::new(Level::Error, interface, text).mended_by(format!("ethtool {interface}")));
    }
    if flags & LOOPBACK != 0 {
        let text = "it is a loopback: no other host is there";
        findings.push(Finding::new(Level::Error, interface, text).mended_by("ip -brief link   # lists the others"));
    }
    if flags & MULTICAST == 0 && !needs.unicast {
        let mend =
            format!("ip link set dev {interface} multicast on   # or give `transport = \"unicast\"` and `peers`");
        findings.push(Finding::new(Level::Error, interface, "it does no multicast: nobody hears us").mended_by(mend));
    }
    if flags & NOARP != 0 && needs.ipv4 {
        let mend = format!("ip link set dev {interface} arp on");
        findings
            .push(Finding::new(Level::Error, interface, "it does no ARP: nobody finds the address").mended_by(mend));
    }
}

/// A part of something larger, or of a kind that has limits of its own.
fn kind(system: &System, interface: &str, findings: &mut Vec<Finding>) {
    let directory = format!("/sys/class/net/{interface}");
    if let Some(master) = system.link(&format!("{directory}/master")) {
        let text = format!("it is a part of {master}, which takes its frames: give `interface = \"{master}\"`");
        let mend = "ucarpctl reload   # after that change of the configuration";
        findings.push(Finding::new(Level::Error, interface, text).mended_by(mend));
    }
    let uevent = system.read(&format!("{directory}/uevent")).unwrap_or_default();
    let kind = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    match kind {
        Some("wlan") => {
            let text = "it is wireless: access points drop frames of other MAC addresses, and lose multicast";
            let mend = "ip -brief link   # one with a cable is better";
            findings.push(Finding::new(Level::Warning, interface, text).mended_by(mend));
        }
        Some("macvlan" | "ipvlan") => {
            let text = "it is a macvlan or ipvlan: it gets frames for its own MAC address alone, so `mac = \"virtual\"` does not \
                        work here, and its own parent never hears it";
            findings.push(Finding::new(Level::Note, interface, text));
        }
        _ => {}
    }
    if system.read(&format!("{directory}/bridge/multicast_snooping")).as_deref() == Some("1")
        && system.read(&format!("{directory}/bridge/multicast_querier")).as_deref() == Some("0")
    {
        let text = "it is a bridge that looks at memberships (snooping) and asks for none: without a querier somewhere it may stop \
                    to forward multicast of IPv6";
        let mend = format!("ip link set dev {interface} type bridge mcast_querier 1");
        findings.push(Finding::new(Level::Note, interface, text).mended_by(mend));
    }
}

fn settings(system: &System, interface: &str, needs: &Needs, findings: &mut Vec<Finding>) {
    // The larger of `all` and the interface's own counts for these (ip-sysctl of the kernel).
    let number = |family: &str, of: &str, name: &str| {
        system.read(&format!("/proc/sys/net/{family}/conf/{of}/{name}")).and_then(|text| text.parse::<u32>().ok())
    };
    let larger = |name: &str| number("ipv4", "all", name).max(number("ipv4", interface, name)).unwrap_or(0);
    let sysctl = |name: &str, value: &str| format!("sysctl -w net.{name}={value}");
    if needs.ipv6 && number("ipv6", interface, "disable_ipv6") == Some(1) {
        let mend = sysctl(&format!("ipv6.conf.{interface}.disable_ipv6"), "0");
        findings.push(
            Finding::new(Level::Error, interface, "IPv6 is off here, and there is an address of it").mended_by(mend),
        );
    }
    if needs.ipv4 && matches!(larger("arp_ignore"), 3 | 8) {
        let text = "arp_ignore 3 or 8: it does not answer for addresses such as the virtual ones";
        let mend = sysctl(&format!("ipv4.conf.{interface}.arp_ignore"), "0");
        findings.push(Finding::new(Level::Error, interface, text).mended_by(mend));
    }
    if needs.virtual_mac && larger("rp_filter") == 1 {
        let text = "rp_filter 1 (strict) with `mac = \"virtual\"`: packets to the virtual interface may be dropped because the way back \
                    is through its parent";
        let mend = sysctl(&format!("ipv4.conf.{interface}.rp_filter"), "2");
        findings.push(Finding::new(Level::Note, interface, text).mended_by(mend));
    }
    let promotes = number("ipv4", "all", "promote_secondaries").max(number("ipv4", interface, "promote_secondaries"));
    if needs.has_prefix && needs.ipv4 && promotes == Some(0) {
        let text = "promote_secondaries 0, and a virtual address with a prefix: if it is the first one of its prefix, the \
                    kernel removes the other ones with it";
        let mend = sysctl(&format!("ipv4.conf.{interface}.promote_secondaries"), "1");
        findings.push(Finding::new(Level::Warning, interface, text).mended_by(mend));
    }
    if system.read("/proc/sys/net/ipv4/ip_nonlocal_bind").as_deref() == Some("0") && needs.ipv4 {
        let text = "ip_nonlocal_bind 0: services that bind to the virtual address itself cannot start on a BACKUP";
        let mend = sysctl("ipv4.ip_nonlocal_bind", "1");
        findings.push(Finding::new(Level::Note, interface, text).mended_by(mend));
    }
    let most = system.read("/proc/sys/net/ipv4/igmp_max_memberships").and_then(|text| text.parse::<u32>().ok());
    if most == Some(0) && needs.ipv4 && !needs.unicast {
        let mend = sysctl("ipv4.igmp_max_memberships", "20");
        findings.push(
            Finding::new(Level::Error, interface, "igmp_max_memberships 0: no group can be joined").mended_by(mend),
        );
    }
}

#[cfg(test)]
mod tests;
