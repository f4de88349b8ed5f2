//! What kind of configuration a file is, by its content.

use clap::ValueEnum;

use super::command;
use super::draft::Input;
use super::shell;

/// The kinds of configurations that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// UCARP's command lines: in scripts, crontabs, units or alone
    Ucarp,
    /// /etc/network/interfaces with ucarp-* options
    Ifupdown,
    /// /etc/default/ucarp and /etc/ucarp/interface/*
    Sysv,
    /// /etc/ucarp/vip-common.conf and vip-NNN.conf
    Fedora,
    /// rc.conf, with CARP of the kernel or the port's ucarp_* variables, and sysctl.conf
    Freebsd,
    /// hostname.carpN, and sysctl.conf
    Openbsd,
    /// keepalived.conf
    Keepalived,
}

impl Form {
    /// The name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The kind of a file, if its content tells.
pub(super) fn detect(input: &Input) -> Option<Form> {
    let lines = || input.text.lines().map(str::trim_start).filter(|line| !shell::is_empty(line));
    let begins = |words: &[&str]| lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    let sets = |wanted: &dyn Fn(&str, &str) -> bool| {
        lines().any(|line| shell::assignment(line).is_some_and(|(name, value)| wanted(name, value)))
    };
    let has_word = |word: &str| lines().any(|line| line.split_whitespace().any(|other| other == word));
    if begins(&["vrrp_instance", "vrrp_sync_group", "vrrp_script", "global_defs"]) {
        Some(Form::Keepalived)
    } else if begins(&["iface "]) {
        Some(Form::Ifupdown)
    } else if sets(&|name, value| is_freebsd(name, value)) {
        Some(Form::Freebsd)
    } else if sets(&|name, _| matches!(name, "VIP_ADDRESS" | "BIND_INTERFACE")) {
        Some(Form::Fedora)
    } else if sets(&|name, _| matches!(name, "VIRTUAL_ADDRESS" | "INSTANCE_ID")) {
        Some(Form::Sysv)
    } else if lines().any(command::mentions_ucarp) && has_option(&input.text) {
        Some(Form::Ucarp)
    } else if has_word("vhid") {
        Some(Form::Openbsd)
    } else {
        None
    }
}

fn is_freebsd(name: &str, value: &str) -> bool {
    let is_kernel =
        name.starts_with("ifconfig_") && value.split_whitespace().any(|word| word.trim_matches(['"', '\'']) == "vhid");
    is_kernel || matches!(name, "ucarp_enable" | "ucarp_vhid" | "ucarp_addr")
}

fn has_option(text: &str) -> bool {
    text.split_whitespace().any(|word| word.starts_with('-') && word.len() > 1)
}
