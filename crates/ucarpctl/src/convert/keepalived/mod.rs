//! `keepalived.conf`: VRRP instances become virtual hosts.

mod addresses;
mod instance;
mod notify;
mod syntax;
mod tracking;

use super::draft::{Draft, Input, Kind};
use syntax::Node;

/// Where the password is to be, unless the caller says so.
pub(super) const PASSWORD_FILE: &str = "/etc/ucarp/password";

/// Reads the instances of all files.
pub(super) fn read(inputs: &[Input], draft: &mut Draft) {
    let nodes: Vec<Node> = inputs.iter().flat_map(|input| syntax::parse(input, draft)).collect();
    for node in &nodes {
        match node.key() {
            "vrrp_instance" => instance::read(node, &nodes, draft),
            "global_defs" => global_defs(node, draft),
            "vrrp_sync_group" => sync_group(node, draft),
            // Instances that track it find it, and what tracks a file says so.
            "vrrp_script" | "vrrp_track_process" | "vrrp_track_file" => {}
            "include" | "includer" | "includem" | "includew" => {
                draft.task(&node.place, format!("include {}: give the files that it means as well", node.rest()));
            }
            "virtual_server" | "virtual_server_group" | "real_server" => {
                draft.lost(
                    &node.place,
                    format!("{}: ucarp balances no load; keepalived can go on doing this alone", node.key()),
                );
            }
            _ => draft.lost(&node.place, node.words.join(" ")),
        }
    }
    tracking::tell_of_unused(&nodes, draft);
    let text = "VRRP and CARP do not understand each other: never run keepalived and ucarp for the same address at the same \
                time (docs/migrating-from-keepalived.md has the order)";
    draft.general(Kind::ToDo, text);
}

fn global_defs(node: &Node, draft: &mut Draft) {
    for line in &node.block {
        match line.key() {
            // Of keepalived's own process, or without a counterpart and without a loss.
            "router_id"
            | "enable_script_security"
            | "script_user"
            | "vrrp_version"
            | "vrrp_skip_check_adv_addr"
            | "vrrp_strict"
            | "dynamic_interfaces"
            | "process_names"
            | "use_symlink_paths"
            | "vrrp_iptables"
            | "vrrp_mcast_group4"
            | "vrrp_mcast_group6"
            | "vrrp_garp_master_refresh"
            | "vrrp_startup_delay" => {}
            key if key.starts_with("notification_email") || key.starts_with("smtp") => {
                draft.lost(&line.place, format!("{key}: ucarp sends no mail; an `up` or `down` script can"));
            }
            key if key.starts_with("vrrp_garp") || key.starts_with("vrrp_gna") => {
                draft.differs(&line.place, format!("{key}: {}", instance::ANNOUNCEMENTS));
            }
            key => draft.lost(&line.place, format!("global_defs: {key}")),
        }
    }
}

/// Instances that change their state together: each finds its group by itself. What the group has beside them is told here.
fn sync_group(node: &Node, draft: &mut Draft) {
    for line in node.block.iter().filter(|line| line.key() != "group" && !line.key().starts_with("track_")) {
        draft.lost(&line.place, format!("{} of a sync group: give it to the virtual hosts", line.key()));
    }
}

/// Whether an instance is in a group.
fn has_member(group: &Node, instance: &str) -> bool {
    group.items("group").any(|line| line.words.iter().any(|word| word == instance))
}
