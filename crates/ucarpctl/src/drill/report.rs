//! What came of a drill.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::Plan;
use crate::look::{Look, Tone, clean, seconds};
use crate::table::{Cell, Keep, Table};

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    virtual_host: String,
    vhid: u8,
    interface: String,
    /// `hand-over` or `crash`.
    kind: &'static str,
    /// Who could take over.
    peers: Vec<IpAddr>,
    /// What happened, and when.
    moments: Vec<Moment>,
    /// What clients saw, there and back.
    pub(super) legs: Vec<Leg>,
    /// Which Ethernet address ARP or neighbour discovery found for each address.
    found: Vec<Found>,
    /// What did not go well.
    pub(super) problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Moment {
    at_ms: u64,
    what: String,
}

#[derive(Debug, Serialize)]
struct Found {
    address: IpAddr,
    mac: String,
}

/// One way.
#[derive(Debug, Serialize)]
pub(super) struct Leg {
    pub(super) direction: String,
    pub(super) outages: Vec<Measured>,
}

/// What a client of one address saw.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) address: IpAddr,
    /// For how long it did not answer at most.
    pub(super) outage_ms: u64,
}

impl Report {
    /// Of a drill that is about to begin.
    pub(super) fn new(plan: &Plan) -> Self {
        Report {
            virtual_host: plan.host.name.clone(),
            vhid: plan.host.vhid,
            interface: plan.host.interface.clone(),
            kind: if plan.kill.is_some() { "crash" } else { "hand-over" },
            peers: plan.peers.clone(),
            moments: Vec::new(),
            legs: Vec::new(),
            found: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Something that happened.
    pub(super) fn note(&mut self, at: Duration, what: String) {
        self.moments.push(Moment { at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX), what });
    }

    /// Something that did not go well.
    pub(super) fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    /// Where an address was found.
    pub(super) fn found(&mut self, address: IpAddr, mac: String) {
        self.found.push(Found { address, mac });
    }

    /// For people.
    pub(super) fn write(&self, out: &mut dyn Write, look: &Look) -> io::Result<()> {
        let Report { virtual_host, vhid, interface, kind, .. } = self;
        let title = format!("Drill of {virtual_host} (vhid {vhid} on {interface}): {kind}");
        writeln!(out, "{}", look.paint(Tone::Strong, &clean(&title)))?;
        for moment in &self.moments {
            let at = look.paint(Tone::Faint, &format!("{:>9}", seconds(moment.at_ms)));
            writeln!(out, "{at}  {}", clean(&moment.what))?;
        }
        writeln!(out)?;
        let mut table =
            Table::new(&[("ADDRESS", Keep::Always), ("DIRECTION", Keep::Always), ("DID NOT ANSWER FOR", Keep::Always)]);
        for leg in &self.legs {
            for measured in &leg.outages {
                let outage = seconds(measured.outage_ms);
                table.push(vec![Cell::new(measured.address.to_string()), Cell::new(&leg.direction), Cell::new(outage)]);
            }
        }
        table.write(out, look)?;
        for problem in &self.problems {
            writeln!(out, "{}", look.paint(Tone::Bad, &clean(&format!("Not as it should be: {problem}"))))?;
        }
        if self.problems.is_empty() {
            writeln!(out, "{}", look.paint(Tone::Good, "All went well."))?;
        }
        Ok(())
    }
}
