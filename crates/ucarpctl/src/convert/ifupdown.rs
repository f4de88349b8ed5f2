//! Stanzas of `/etc/network/interfaces` with options of Debian's package `ucarp`, or with commands that start it.

use std::net::Ipv4Addr;

use ucarp::config::KeyId;
use ucarp::options::OptionId;

use super::classic::Ucarp;
use super::command;
use super::draft::{Draft, Input, Place};
use super::shell;

/// The options `ucarp-*` and what they say. The package knows the first ten; the others are ours and some patched packages'.
const OPTIONS: &[(&str, OptionId)] = &[
    ("vid", OptionId::Vhid),
    ("vip", OptionId::Address),
    ("password", OptionId::Password),
    ("upscript", OptionId::UpScript),
    ("downscript", OptionId::DownScript),
    ("advskew", OptionId::Advskew),
    ("advbase", OptionId::Advbase),
    ("deadratio", OptionId::DeadRatio),
    ("master", OptionId::Preempt),
    ("nomcast", OptionId::NoMulticast),
    ("xparam", OptionId::Xparam),
    ("preempt", OptionId::Preempt),
    ("passfile", OptionId::PasswordFile),
    ("neutral", OptionId::Neutral),
    ("ignoreifstate", OptionId::IgnoreInterfaceState),
    ("mcast", OptionId::Group),
    ("facility", OptionId::Facility),
    ("shutdown", OptionId::Shutdown),
];

/// A stanza `iface NAME ...`.
struct Stanza {
    name: String,
    place: Place,
    /// Options with their values and places.
    options: Vec<(String, String, Place)>,
}

impl Stanza {
    fn get(&self, option: &str) -> Option<(&str, &Place)> {
        let found = self.options.iter().rfind(|(name, ..)| name == option);
        found.map(|(_, value, place)| (value.as_str(), place))
    }

    fn address(&self) -> Option<(&str, &Place)> {
        self.get("address").map(|(address, place)| (address.split('/').next().unwrap_or(address), place))
    }

    /// The prefix length of its address.
    fn prefix(&self) -> Option<(u8, &Place)> {
        if let Some((address, place)) = self.get("address")
            && let Some((_, length)) = address.split_once('/')
        {
            return Some((length.parse().ok()?, place));
        }
        let (mask, place) = self.get("netmask")?;
        let length = mask.parse().ok().or_else(|| mask_length(mask))?;
        Some((length, place))
    }
}

/// The length of a prefix that is written as a mask.
pub(super) fn mask_length(mask: &str) -> Option<u8> {
    let bits = mask.parse::<Ipv4Addr>().ok()?.to_bits();
    let length = bits.leading_ones();
    (bits.count_ones() == length).then_some(u8::try_from(length).ok()?)
}

/// Reads the stanzas of all files.
pub(super) fn read(inputs: &[Input], draft: &mut Draft) {
    let stanzas: Vec<Stanza> = inputs.iter().flat_map(stanzas).collect();
    for stanza in &stanzas {
        if let Some(first) = stanza.options.iter().find(|(name, ..)| option_name(name).is_some()) {
            from_options(stanza, &first.2, &stanzas, draft);
        }
        for (name, value, place) in &stanza.options {
            let runs = matches!(name.as_str(), "up" | "post-up" | "pre-up");
            if runs && command::mentions_ucarp(value) {
                from_command(value, place, draft);
            }
        }
    }
}

fn stanzas(input: &Input) -> Vec<Stanza> {
    let mut stanzas: Vec<Stanza> = Vec::new();
    let mut is_open = false;
    for (number, line) in shell::lines(&input.text) {
        if shell::is_empty(&line) {
            continue;
        }
        let line = line.trim();
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match first {
            "iface" => {
                is_open = true;
                let name = rest.split_whitespace().next().unwrap_or_default().to_owned();
                stanzas.push(Stanza { name, place: input.place(number), options: Vec::new() });
            }
            "auto" | "mapping" | "source" | "source-directory" | "rename" | "template" => is_open = false,
            _ if first.starts_with("allow-") || first.starts_with("no-") => is_open = false,
            _ => {
                if let Some(stanza) = stanzas.last_mut().filter(|_| is_open) {
                    stanza.options.push((first.to_owned(), rest.to_owned(), input.place(number)));
                }
            }
        }
    }
    stanzas
}

/// The part of an option's name behind `ucarp-`; ifupdown takes an underscore as well.
fn option_name(name: &str) -> Option<&str> {
    name.strip_prefix("ucarp-").or_else(|| name.strip_prefix("ucarp_"))
}

fn from_options(stanza: &Stanza, begin: &Place, all: &[Stanza], draft: &mut Draft) {
    let mut ucarp = Ucarp::new(begin);
    ucarp.ends_in_order();
    ucarp.option(OptionId::Interface, "iface", &stanza.name, &stanza.place, draft);
    match stanza.address() {
        Some((address, place)) => ucarp.option(OptionId::Source, "address", address, place, draft),
        None => draft.differs(begin, "no own address in this stanza: the daemon takes the interface's first one"),
    }
    // The hook gives these when the stanza says nothing.
    for (id, path) in
        [(OptionId::UpScript, "/usr/share/ucarp/vip-up"), (OptionId::DownScript, "/usr/share/ucarp/vip-down")]
    {
        ucarp.option(id, "the package's script", path, begin, draft);
    }
    for (name, value, place) in &stanza.options {
        let Some(short) = option_name(name) else { continue };
        let Some((_, id)) = OPTIONS.iter().find(|(known, _)| *known == short) else {
            draft.lost(place, format!("{name} is no option that the package knows; it was ignored"));
            continue;
        };
        let is_flag = matches!(
            id,
            OptionId::Preempt
                | OptionId::NoMulticast
                | OptionId::Neutral
                | OptionId::IgnoreInterfaceState
                | OptionId::Shutdown
        );
        if is_flag && is_no(value) {
            continue;
        }
        if matches!(id, OptionId::Password | OptionId::Xparam) && value.contains(char::is_whitespace) {
            let text = format!("{name} has blanks: Debian's package used only the first word, all of it counts now");
            draft.differs(place, text);
        }
        ucarp.option(*id, name, if is_flag { "" } else { value }, place, draft);
    }
    for (option, needed) in [("vid", "vid"), ("vip", "vip")] {
        if !stanza.options.iter().any(|(name, ..)| option_name(name) == Some(option)) {
            draft.fault(begin, format!("the stanza of {} has no ucarp-{needed}: add it", stanza.name));
        }
    }
    if !ucarp.has_own_scripts() {
        alias(&mut ucarp, stanza, all, draft);
    }
    let host = ucarp.finish(draft);
    draft.push(host);
    draft.task(begin, "take the ucarp-* options out of the stanza, or a second daemon is started with the interface");
}

/// Whether Debian's hook takes a value for "no".
fn is_no(value: &str) -> bool {
    ["no", "off", "false", "0"].iter().any(|begin| value.starts_with(begin))
}

/// The packaged scripts bring up `NAME:ucarp`: its stanza says how the address is added.
fn alias(ucarp: &mut Ucarp, stanza: &Stanza, all: &[Stanza], draft: &mut Draft) {
    let name = format!("{}:ucarp", stanza.name);
    let Some(alias) = all.iter().find(|other| other.name == name) else {
        return draft
            .differs(&stanza.place, format!("there is no stanza {name}: UCARP moved no address, now the daemon does"));
    };
    if let Some((length, place)) = alias.prefix() {
        let words = if alias.get("netmask").is_some() { "netmask" } else { "address" };
        ucarp.prefix(length, place.says(format!("{words} of {name}")));
    }
    ucarp.host.text(KeyId::Label, &name, alias.place.says(format!("iface {name}")));
    for (option, _, place) in &alias.options {
        if !matches!(option.as_str(), "address" | "netmask") {
            draft.lost(place, format!("{option} of {name}: if it is still needed, run it from an `up` script"));
        }
    }
    draft.task(&alias.place, format!("remove this stanza: the daemon adds the address with the label {name}"));
}

fn from_command(line: &str, place: &Place, draft: &mut Draft) {
    let commands = match shell::commands(line, &shell::nothing) {
        Ok(commands) => commands,
        Err(fault) => return draft.fault(place, fault.to_string()),
    };
    for words in commands {
        let is_ucarp = |word: &String| word.rsplit('/').next() == Some("ucarp");
        let Some(program) = words.iter().position(is_ucarp) else { continue };
        let mut ucarp = Ucarp::new(place);
        ucarp.words(&words[program + 1..], place, draft);
        let host = ucarp.finish(draft);
        draft.push(host);
        draft.task(place, "take this line out of the stanza, or a second daemon is started with the interface");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_lengths() {
        for (mask, wanted) in [
            ("255.255.255.255", Some(32)),
            ("255.255.254.0", Some(23)),
            ("0.0.0.0", Some(0)),
            ("255.0.255.0", None),
            ("x", None),
        ] {
            assert_eq!(mask_length(mask), wanted, "{mask}");
        }
    }
}
