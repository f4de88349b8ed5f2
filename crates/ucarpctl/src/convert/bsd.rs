//! FreeBSD's `rc.conf` and OpenBSD's `hostname.carpN`: CARP of the kernel; and `rc.conf` with the variables of the port of
//! UCARP.

use std::net::Ipv4Addr;

use ucarp::config::KeyId;
use ucarp::options::OptionId;

use super::classic::Ucarp;
use super::draft::{Draft, Input, Kind, Place, Value};
use super::ifconfig::{Carp, address};
use super::shell::{self, Assignments};

/// Variables of the port, with the options that they become.
const PORT: &[(&str, OptionId)] = &[
    ("ucarp_if", OptionId::Interface),
    ("ucarp_src", OptionId::Source),
    ("ucarp_vhid", OptionId::Vhid),
    ("ucarp_pass", OptionId::Password),
    ("ucarp_passfile", OptionId::PasswordFile),
    ("ucarp_addr", OptionId::Address),
    ("ucarp_upscript", OptionId::UpScript),
    ("ucarp_downscript", OptionId::DownScript),
    ("ucarp_advbase", OptionId::Advbase),
    ("ucarp_advskew", OptionId::Advskew),
    ("ucarp_deadratio", OptionId::DeadRatio),
    ("ucarp_mcast", OptionId::Group),
    ("ucarp_xparam", OptionId::Xparam),
    ("ucarp_facility", OptionId::Facility),
];

/// Variables of the port that are `YES` or `NO`.
const PORT_FLAGS: &[(&str, OptionId)] = &[
    ("ucarp_preempt", OptionId::Preempt),
    ("ucarp_neutral", OptionId::Neutral),
    ("ucarp_shutdown", OptionId::Shutdown),
    ("ucarp_ignoreifstate", OptionId::IgnoreInterfaceState),
    ("ucarp_nomcast", OptionId::NoMulticast),
    ("ucarp_debug", OptionId::Debug),
];

/// Reads `rc.conf`, perhaps with `sysctl.conf`.
pub(super) fn read_freebsd(inputs: &[Input], draft: &mut Draft) {
    let mut variables = Assignments::default();
    for input in inputs {
        // Files of the whole system have many other lines.
        variables.read(input, &mut Draft::default());
    }
    let mut carps: Vec<Carp> = Vec::new();
    let names: Vec<String> =
        variables.names().filter(|name| name.starts_with("ifconfig_")).map(str::to_owned).collect();
    for name in &names {
        let Some((interface, _)) = interface_of(name) else { continue };
        let is_old = is_carp_interface(interface);
        // Other settings of interfaces may need more of the shell than is understood here.
        let mut quiet = Draft::default();
        let Some((words, place)) = variables.words(name, if is_old { &mut *draft } else { &mut quiet }) else {
            continue;
        };
        if is_old || words.iter().any(|word| word == "vhid") {
            kernel_words(&mut carps, interface, is_old, &words, &place, draft);
        }
    }
    let preempt = preempt(inputs, draft, !carps.is_empty());
    for mut carp in carps {
        if !carp.host.has(KeyId::Interface) {
            parent(&mut carp, &variables, &names);
        }
        if carp.host.get(KeyId::Addresses).is_some_and(|entry| has_link_local(&entry.value)) {
            let place = carp.host.place.clone();
            carp.host.text(KeyId::LinkLocalDigest, "include", place.says("FreeBSD"));
        }
        carp.finish(preempt.as_ref(), draft);
    }
    if variables.names().any(|name| name.starts_with("ucarp_")) {
        port(&variables, draft);
    }
}

fn has_link_local(value: &Value) -> bool {
    matches!(value, Value::List(items) if items.iter().any(|(item, _)| item.starts_with("fe80")))
}

/// The interface of `ifconfig_IF`, `ifconfig_IF_alias0` and the like, and what follows it.
fn interface_of(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("ifconfig_")?;
    Some(rest.split_once('_').unwrap_or((rest, "")))
}

fn is_carp_interface(interface: &str) -> bool {
    interface
        .strip_prefix("carp")
        .is_some_and(|unit| !unit.is_empty() && unit.bytes().all(|octet| octet.is_ascii_digit()))
}

/// Adds the words of a variable to the virtual host that they are about.
fn kernel_words(
    carps: &mut Vec<Carp>,
    interface: &str,
    is_old: bool,
    words: &[String],
    place: &Place,
    draft: &mut Draft,
) {
    let mut behind = words.iter().skip_while(|word| *word != "vhid").skip(1);
    let vhid = behind.next().and_then(|vhid| vhid.parse().ok());
    let same = |carp: &&mut Carp| carp.interface == interface && (is_old || carp.vhid == vhid);
    if let Some(carp) = carps.iter_mut().find(same) {
        return carp.words(words, place, draft);
    }
    let mut carp = Carp::new(interface, place);
    carp.words(words, place, draft);
    if !is_old {
        carp.host.text(KeyId::Interface, interface, place.says(format!("ifconfig_{interface}")));
        carp.host.name = carp.vhid.map_or_else(|| interface.to_owned(), |vhid| format!("{interface}-{vhid}"));
    }
    carps.push(carp);
}

/// The old form names no parent: it is the interface with an own address in the network of the shared one.
fn parent(carp: &mut Carp, variables: &Assignments, names: &[String]) {
    let Some(entry) = carp.host.get(KeyId::Addresses) else { return };
    let Value::List(items) = &entry.value else { return };
    let shared: Vec<Ipv4Addr> = items.iter().filter_map(|(item, _)| item.parse().ok()).collect();
    let found = names.iter().find_map(|name| {
        let (interface, _) = interface_of(name).filter(|(interface, _)| !is_carp_interface(interface))?;
        let (words, place) = variables.words(name, &mut Draft::default())?;
        let (own, length) = own_network(&words)?;
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let same = |shared: &Ipv4Addr| (shared.to_bits() ^ own.to_bits()) & mask == 0;
        shared.iter().any(same).then(|| (interface.to_owned(), place.says(format!("{name} is in the same network"))))
    });
    if let Some((interface, origin)) = found {
        carp.host.text(KeyId::Interface, interface, origin);
    }
}

/// The address of an interface and the length of its prefix.
fn own_network(words: &[String]) -> Option<(Ipv4Addr, u8)> {
    let (ip, length) = words.iter().find_map(|word| {
        let (ip, length) = address(word)?;
        Some((ip.to_string().parse::<Ipv4Addr>().ok()?, length))
    })?;
    let mask = words.iter().skip_while(|word| *word != "netmask").nth(1);
    let length = length.or_else(|| mask.and_then(|mask| mask_length(mask)))?;
    (1..=32).contains(&length).then_some((ip, length))
}

/// Masks are dotted or, as old files have them, hexadecimal.
fn mask_length(mask: &str) -> Option<u8> {
    match mask.strip_prefix("0x") {
        Some(digits) => {
            super::ifupdown::mask_length(&Ipv4Addr::from_bits(u32::from_str_radix(digits, 16).ok()?).to_string())
        }
        None => super::ifupdown::mask_length(mask),
    }
}

/// What the files say about preemption, which is a setting of the kernel.
fn preempt(inputs: &[Input], draft: &mut Draft, is_wanted: bool) -> Option<(bool, Place)> {
    for input in inputs {
        for (number, line) in (1..).zip(input.text.lines()) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim().trim_start_matches("sysctl ").trim_start_matches("-w ").trim();
            if name == "net.inet.carp.preempt" {
                let value = value.split('#').next().unwrap_or_default().trim().trim_matches('"');
                return Some((value != "0", input.place(number)));
            }
        }
    }
    if is_wanted {
        let text = "whether a better host takes over is the kernel's setting net.inet.carp.preempt, which is not in these \
                    files and off by default: if it is 1, give /etc/sysctl.conf too, or write `preempt = true`";
        draft.general(Kind::ToDo, text);
    }
    None
}

fn port(variables: &Assignments, draft: &mut Draft) {
    let names: Vec<String> = variables.names().filter(|name| name.starts_with("ucarp_")).map(str::to_owned).collect();
    let Some(place) = names.first().and_then(|name| variables.place(name)).cloned() else { return };
    let is_yes = |value: &str| ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str());
    let mut ucarp = Ucarp::new(&place);
    if let Some((words, place)) = variables.words("ucarp_flags", draft) {
        ucarp.words(&words, &place, draft);
    }
    for name in names {
        let Some((value, place)) = variables.get(&name, draft) else { continue };
        if let Some((_, id)) = PORT.iter().find(|(known, _)| *known == name) {
            ucarp.option(*id, &format!("{name}="), &value, &place, draft);
        } else if let Some((_, id)) = PORT_FLAGS.iter().find(|(known, _)| *known == name) {
            if is_yes(&value) {
                ucarp.option(*id, &name, "", &place, draft);
            }
        } else if name == "ucarp_enable" {
            if !is_yes(&value) {
                draft.differs(&place, "ucarp_enable is not YES: this daemon was not started");
            }
        } else if name != "ucarp_flags" {
            draft.lost(&place, format!("the variable {name}: nothing is known to depend on it"));
        }
    }
    if ucarp.has_own_scripts() {
        draft.task(
            &place,
            "scripts that call FreeBSD's ifconfig do not run on Linux: write them anew, or leave them out",
        );
    }
    let host = ucarp.finish(draft);
    draft.push(host);
}

/// Reads `hostname.carpN`, perhaps with `sysctl.conf`.
pub(super) fn read_openbsd(inputs: &[Input], draft: &mut Draft) {
    let is_interface =
        |input: &&Input| input.text.lines().any(|line| line.split_whitespace().any(|word| word == "vhid"));
    let mut carps = Vec::new();
    for input in inputs.iter().filter(is_interface) {
        let name = input.base_name();
        let interface = name.strip_prefix("hostname.").unwrap_or(name);
        let mut carp = Carp::new(interface, &input.place(1));
        for (number, line) in shell::lines(&input.text) {
            let place = input.place(number);
            if shell::is_empty(&line) {
                continue;
            }
            if let Some(command) = line.trim_start().strip_prefix('!') {
                draft.lost(
                    &place,
                    format!("the command {}: run it from an `up` script if it is still needed", command.trim()),
                );
                continue;
            }
            match shell::words(&line, &shell::nothing) {
                Ok(words) => carp.words(&words, &place, draft),
                Err(fault) => draft.fault(&place, fault.to_string()),
            }
        }
        carps.push(carp);
    }
    let preempt = preempt(inputs, draft, !carps.is_empty());
    for carp in carps {
        carp.finish(preempt.as_ref(), draft);
    }
}
