//! Files of variables that start scripts source: those of the SysV script for several addresses, and Fedora's.

use ucarp::config::KeyId;
use ucarp::options::OptionId;

use super::classic::{Ucarp, number};
use super::draft::{Draft, Input, Kind, Place};
use super::ifupdown::mask_length;
use super::shell::{self, Assignments};

/// Variables of `/etc/ucarp/interface/*`, and the option of each that has one.
const SYSV: &[(&str, OptionId)] = &[
    ("INTERFACE", OptionId::Interface),
    ("INSTANCE_ID", OptionId::Vhid),
    ("PASSWORD", OptionId::Password),
    ("VIRTUAL_ADDRESS", OptionId::Address),
    ("SOURCE_ADDRESS", OptionId::Source),
    ("UCARP_BASE", OptionId::Advbase),
];

/// Variables of `/etc/ucarp/vip-*.conf`.
const FEDORA: &[(&str, OptionId)] = &[
    ("BIND_INTERFACE", OptionId::Interface),
    ("VID", OptionId::Vhid),
    ("PASSWORD", OptionId::Password),
    ("PASSFILE", OptionId::PasswordFile),
    ("VIP_ADDRESS", OptionId::Address),
    ("SOURCE_ADDRESS", OptionId::Source),
    ("UPSCRIPT", OptionId::UpScript),
    ("DOWNSCRIPT", OptionId::DownScript),
];

/// Reads `/etc/default/ucarp` and files of `/etc/ucarp/interface`.
pub(super) fn read_sysv(inputs: &[Input], draft: &mut Draft) {
    let (hosts, common): (Vec<&Input>, Vec<&Input>) =
        inputs.iter().partition(|input| sets(input, &["VIRTUAL_ADDRESS", "INSTANCE_ID"]));
    let common = common_variables(&common, draft);
    for input in hosts {
        let variables = variables(&common, input, draft);
        let place = input.place(1);
        let mut ucarp = Ucarp::new(&place);
        options(&mut ucarp, &variables, draft);
        simple(&mut ucarp, SYSV, &variables, draft);
        if let Some((mask, place)) = variables.get("VIRTUAL_NETMASK", draft) {
            match mask_length(&mask) {
                Some(length) => ucarp.prefix(length, place.says(format!("VIRTUAL_NETMASK={mask}"))),
                None => {
                    draft.fault(&place, format!("VIRTUAL_NETMASK={mask} is no netmask: write it like 255.255.255.0"));
                }
            }
        }
        for name in ["UCARP_PIDFILE", "VIRTUAL_BROADCAST"] {
            if let Some(place) = variables.place(name) {
                draft.lost(
                    place,
                    format!("{name}: one daemon runs all virtual hosts, and the kernel knows the broadcast address"),
                );
            }
        }
        draft.differs(&place, "the start script configured the address on every host; now only the MASTER has it");
        ucarp.host.name = input.base_name().to_owned();
        ucarp.ends_in_order();
        finish(ucarp, draft);
    }
    draft.general(Kind::ToDo, "disable the old start script: one `ucarp -c FILE` runs all virtual hosts");
}

/// Reads Fedora's `vip-common.conf` and `vip-NNN.conf`.
pub(super) fn read_fedora(inputs: &[Input], draft: &mut Draft) {
    let is_common = |input: &&Input| !sets(input, &["VIP_ADDRESS"]);
    let (common, hosts): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(is_common);
    let common = common_variables(&common, draft);
    for input in hosts {
        let variables = variables(&common, input, draft);
        let place = input.place(1);
        let mut ucarp = Ucarp::new(&place);
        options(&mut ucarp, &variables, draft);
        let id = input.base_name().strip_prefix("vip-").and_then(|rest| rest.strip_suffix(".conf"));
        match id.map(|id| id.trim_start_matches('0')).filter(|id| id.bytes().all(|octet| octet.is_ascii_digit())) {
            Some(id) if variables.place("VID").is_none() => {
                ucarp.option(OptionId::Vhid, "the file's name", id, &place, draft);
            }
            _ if variables.place("VID").is_some() => {}
            _ => draft.fault(&place, "no virtual host id: call the file vip-NNN.conf, or set VID in it"),
        }
        // The units of the package give these scripts when the files say nothing.
        for (id, path) in
            [(OptionId::UpScript, "/usr/libexec/ucarp/vip-up"), (OptionId::DownScript, "/usr/libexec/ucarp/vip-down")]
        {
            ucarp.option(id, "the package's script", path, &place, draft);
        }
        simple(&mut ucarp, FEDORA, &variables, draft);
        ucarp.host.name = input.base_name().trim_end_matches(".conf").to_owned();
        finish(ucarp, draft);
    }
    let text = "disable ucarp@NNN: systemctl disable --now ucarp@NNN, for one `ucarp -c FILE` runs all virtual hosts";
    draft.general(Kind::ToDo, text);
}

fn sets(input: &Input, names: &[&str]) -> bool {
    let set = |line: &str| shell::assignment(line).is_some_and(|(name, _)| names.contains(&name));
    input.text.lines().any(set)
}

fn common_variables(inputs: &[&Input], draft: &mut Draft) -> Assignments {
    let mut common = Assignments::default();
    for input in inputs {
        common.read(input, draft);
    }
    common
}

/// The variables of a file, and those that hold for all where it says nothing.
fn variables(common: &Assignments, input: &Input, draft: &mut Draft) -> Assignments {
    let mut variables = common.clone();
    variables.read(input, draft);
    variables
}

fn options(ucarp: &mut Ucarp, variables: &Assignments, draft: &mut Draft) {
    if let Some((words, place)) = variables.words("OPTIONS", draft) {
        ucarp.words(&words, &place, draft);
    }
}

fn simple(ucarp: &mut Ucarp, table: &[(&str, OptionId)], variables: &Assignments, draft: &mut Draft) {
    for (name, id) in table {
        if let Some((value, place)) = variables.get(name, draft) {
            // Some scripts have a directory there.
            if *name == "UCARP_BASE" && number(&value).is_none() {
                draft.lost(&place, format!("UCARP_BASE={value}: it is no advertisement base"));
                continue;
            }
            ucarp.option(*id, &format!("{name}="), &value, &place, draft);
        }
    }
    for name in variables.names() {
        let known = table.iter().any(|(known, _)| *known == name);
        let apart = ["OPTIONS", "UCARP_PIDFILE", "VIRTUAL_BROADCAST", "VIRTUAL_NETMASK", "DAEMON", "UCARP"];
        if !known && !apart.contains(&name) {
            let place: Option<Place> = variables.place(name).cloned();
            if let Some(place) = place {
                draft.lost(&place, format!("the variable {name}: nothing of the daemon is known to depend on it"));
            }
        }
    }
}

fn finish(ucarp: Ucarp, draft: &mut Draft) {
    let host = ucarp.finish(draft);
    if !host.has(KeyId::Vhid) || !host.has(KeyId::Addresses) {
        let missing = if host.has(KeyId::Vhid) { "address" } else { "id" };
        draft.fault(&host.place.clone(), format!("the file sets no virtual {missing}: add it"));
    }
    draft.push(host);
}
