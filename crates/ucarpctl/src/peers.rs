//! `ucarpctl peers`: who else advertises.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use ucarp_control::types::Peer;

use crate::context::Context;
use crate::failure::Failure;
use crate::look::{Tone, lasting};
use crate::table::{Cell, Keep, Table};

/// Show the hosts whose advertisements are heard
///
/// Only a MASTER advertises: of a host that has been BACKUP all the time nothing is heard.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only those of this virtual host: its name, vhid, or INTERFACE/VHID
    virtual_host: Option<String>,
    /// Print JSON: a list of peers for each virtual host
    #[arg(long)]
    json: bool,
}

/// The peers of one virtual host.
#[derive(Serialize)]
struct Document<'a> {
    virtual_host: &'a str,
    vhid: u8,
    interface: &'a str,
    peers: &'a [Peer],
}

pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let hosts = context.virtual_hosts(arguments.virtual_host.as_deref())?;
    if arguments.json {
        let documents: Vec<Document<'_>> = hosts
            .iter()
            .map(|host| Document {
                virtual_host: &host.name,
                vhid: host.vhid,
                interface: &host.interface,
                peers: &host.peers,
            })
            .collect();
        serde_json::to_writer_pretty(&mut *out, &documents)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        ("VIRTUAL HOST", Keep::Always),
        ("PEER", Keep::Always),
        ("ROLE", Keep::Always),
        ("RANK", Keep::Until(1)),
        ("DEMOTION", Keep::Until(5)),
        ("HEARD", Keep::Until(2)),
        ("ADVERTISEMENTS", Keep::Until(4)),
        ("STAMPED", Keep::Until(6)),
        ("MAC", Keep::Until(3)),
    ]);
    for host in &hosts {
        for peer in &host.peers {
            let role = if peer.is_master { Cell::toned("MASTER", Tone::Good) } else { Cell::new("-") };
            table.push(vec![
                Cell::new(&host.name),
                Cell::new(&peer.address),
                role,
                Cell::new(format!("{}/{}", peer.advbase, peer.advskew)),
                Cell::new(peer.demotion.to_string()),
                Cell::new(format!("{} ago", lasting(peer.heard_ago))),
                Cell::new(peer.advertisements.to_string()),
                Cell::new(if peer.stamped { "yes" } else { "no" }),
                Cell::new(peer.mac.as_deref().unwrap_or("-")),
            ]);
        }
    }
    table.write(out, &context.look)?;
    Ok(ExitCode::SUCCESS)
}
