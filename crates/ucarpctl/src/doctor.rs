//! `ucarpctl doctor`: looks for what keeps hosts from sharing an address, and tells the command that mends it.

mod daemon;
mod finding;
mod firewall;
mod interface;
mod machine;
mod system;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ucarp_control::types::VirtualHost;

use crate::context::Context;
use crate::failure::Failure;
use finding::{Finding, Level};
use system::System;

/// Look for what keeps hosts from sharing an address, and tell the command that mends it
///
/// It looks at this host, and asks the daemon if one runs. What is wrong with a switch or a hypervisor cannot be seen from
/// here: there are notes about what it has to allow.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 nothing is wrong, 1 there are warnings, 2 there are errors.")]
pub(crate) struct Arguments {
    /// The interfaces to look at; without any those of the daemon's virtual hosts, or all that there are
    #[arg(value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// The configuration file to check, instead of the daemon's
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON: a list of findings
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let system = System::real();
    let mut findings = Vec::new();
    let hosts = daemon::examine(context, &system, arguments.config.as_deref(), &mut findings);
    if cfg!(target_os = "linux") {
        machine::examine(&system, &hosts, &mut findings);
        for name in &interfaces(&system, &arguments.interfaces, &hosts) {
            interface::examine(&system, name, &hosts, &mut findings);
        }
        firewall::examine(&system, &hosts, &mut findings);
    } else {
        let text = "interfaces, rights and the firewall are looked at on Linux alone: see ifconfig, and the rules of pf or ipfw";
        findings.push(Finding::new(Level::Note, "system", text));
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &findings)?;
        writeln!(out)?;
    } else {
        for finding in &findings {
            finding.write(out, &context.look)?;
        }
    }
    Ok(ExitCode::from(match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Error) => 2,
        Some(Level::Warning) => 1,
        Some(Level::Note | Level::Fine) | None => 0,
    }))
}

/// Those that are named, or in use, or there.
fn interfaces(system: &System, named: &[String], hosts: &[VirtualHost]) -> Vec<String> {
    let mut interfaces =
        if named.is_empty() { hosts.iter().map(|host| host.interface.clone()).collect() } else { named.to_vec() };
    if interfaces.is_empty() {
        interfaces = system.list("/sys/class/net");
        interfaces.retain(|name| name != "lo");
    }
    interfaces.sort();
    interfaces.dedup();
    interfaces
}
