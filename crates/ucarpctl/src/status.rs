//! `ucarpctl status`: what the virtual hosts are, for people and, as exit status, for scripts.

mod detail;

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use ucarp_control::calls::GetDaemon;
use ucarp_control::types::{Daemon, State, VirtualHost};

use crate::concerns;
use crate::context::{Context, virtual_hosts};
use crate::failure::Failure;
use crate::look::{Look, Tone, clean, lasting};
use crate::table::{Cell, Keep, Table};

/// Show the state of the virtual hosts; the exit status tells it too
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 MASTER, 1 BACKUP, 2 FAULT, 3 INIT or no virtual host; of several virtual hosts the \
worst, FAULT before INIT before BACKUP before MASTER. 64 and more: the state could not be had."
)]
pub(crate) struct Arguments {
    /// Only this virtual host, with all that is known of it: its name, vhid, or INTERFACE/VHID
    virtual_host: Option<String>,
    /// Print JSON, with the fields of the interface io.ucarp
    #[arg(long)]
    json: bool,
    /// Print nothing: for scripts that want the exit status alone
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    daemon: &'a Daemon,
    virtual_hosts: &'a [VirtualHost],
}

pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let mut client = context.connect()?;
    let daemon = client.call(&GetDaemon {})?.daemon;
    let hosts = virtual_hosts(&mut client, arguments.virtual_host.as_deref())?;
    let look = &context.look;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &Document { daemon: &daemon, virtual_hosts: &hosts })?;
        writeln!(out)?;
    } else if !arguments.quiet {
        match (&hosts[..], &arguments.virtual_host) {
            ([host], Some(_)) => detail::write(out, look, host)?,
            _ => write_table(out, look, &hosts)?,
        }
    }
    Ok(ExitCode::from(exit_status(&hosts)))
}

/// Of the worst state. A daemon that is ending has no virtual hosts, or soon will not.
fn exit_status(hosts: &[VirtualHost]) -> u8 {
    let badness = |state: &State| match state {
        State::Master => 0,
        State::Backup => 1,
        State::Init => 2,
        State::Fault => 3,
    };
    match hosts.iter().map(|host| host.state).max_by_key(badness) {
        Some(State::Master) => 0,
        Some(State::Backup) => 1,
        Some(State::Fault) => 2,
        Some(State::Init) | None => 3,
    }
}

fn write_table(out: &mut dyn Write, look: &Look, hosts: &[VirtualHost]) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("VIRTUAL HOST", Keep::Always),
        ("VHID", Keep::Until(3)),
        ("INTERFACE", Keep::Until(4)),
        ("STATE", Keep::Always),
        ("FOR", Keep::Until(1)),
        ("RANK", Keep::Until(6)),
        ("ADDRESSES", Keep::Until(2)),
        ("MASTER", Keep::Until(5)),
        ("REASON", Keep::Always),
    ]);
    for host in hosts {
        table.push(vec![
            Cell::new(&host.name),
            Cell::new(host.vhid.to_string()),
            Cell::new(&host.interface),
            Cell::toned(host.state.to_string(), Tone::of(host.state)),
            Cell::new(lasting(host.since)),
            Cell::new(rank(host)),
            Cell::new(addresses(host)),
            Cell::new(master(host)),
            Cell::new(&host.reason),
        ]);
    }
    table.write(out, look)?;
    for host in hosts {
        for concern in concerns::of(host) {
            let line = format!("{}: {}", host.name, concern.text);
            writeln!(out, "{}", look.paint(Tone::Careful, &clean(&line)))?;
        }
    }
    Ok(())
}

/// What the group ranks by: advbase, and what is advertised as advskew.
fn rank(host: &VirtualHost) -> String {
    format!("{}/{}", host.advbase, host.advertised_skew)
}

fn addresses(host: &VirtualHost) -> String {
    match &host.addresses[..] {
        [] => "-".to_owned(),
        [only] => only.address.clone(),
        [first, others @ ..] => format!("{} +{}", first.address, others.len()),
    }
}

/// Where the master is, as far as this host knows.
pub(crate) fn master(host: &VirtualHost) -> &str {
    match (&host.master, host.state) {
        (_, State::Master) => "this host",
        (Some(master), _) => master,
        (None, _) => "-",
    }
}

#[cfg(test)]
mod tests;
