//! `ucarpctl drill`: a rehearsal. The MASTER hands over, or plays dead; what a client sees of that is measured; and the
//! address is brought back.

#[cfg_attr(target_os = "freebsd", path = "drill/neighbours_freebsd.rs")]
mod neighbours;
mod preflight;
mod probe;
mod report;
mod stage;
mod wire;

use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use ucarp_control::types::VirtualHost;

use crate::context::{Context, virtual_hosts};
use crate::failure::Failure;
use crate::look::{Tone, clean};

/// The most that is measured: each one costs a packet per interval.
const MOST_ADDRESSES: usize = 8;

/// Refused: nothing was done.
const REFUSED: u8 = 1;
/// It did not go as it should.
const BAD: u8 = 2;

/// Rehearse a failover: hand over, measure for how long the addresses do not answer, and take them back
///
/// It runs on the MASTER, and refuses where no other host can be seen that would take over. A BACKUP is silent, so it must
/// have been heard at some time, or be named with --peer; and it has to answer now. Whether its daemon runs, only the drill
/// shows: if nobody takes over, this host does again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 all went well, 1 refused and nothing was done, 2 it did not go well. 64 and more: the \
daemon could not be asked."
)]
pub(crate) struct Arguments {
    /// Its name, vhid, or INTERFACE/VHID
    virtual_host: String,
    /// Play dead for so many milliseconds instead of handing over: no goodbye, no advertisement, no address
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=300_000))]
    kill: Option<u64>,
    /// The host that is to take over, if it was never heard because it never was MASTER
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,
    /// Milliseconds between two probes of each address
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    interval: u64,
    /// Seconds for which the other host keeps the addresses
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    stay: u64,
    /// Leave the addresses there
    #[arg(long)]
    stay_there: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// What is going to be done, after nothing was found that forbids it.
struct Plan {
    host: VirtualHost,
    /// What is probed.
    addresses: Vec<IpAddr>,
    /// Who is expected to take over.
    peers: Vec<IpAddr>,
    kill: Option<Duration>,
    interval: Duration,
    stay: Duration,
    comes_back: bool,
}

impl Plan {
    /// Longer than any takeover should last: the dead time of the other host is about ours, and is ours as a BACKUP.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.host.timers.dead_time.saturating_mul(2)) + Duration::from_secs(5)
    }
}

pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let look = &context.look;
    let mut client = context.connect()?;
    let found = virtual_hosts(&mut client, Some(&arguments.virtual_host))?;
    let plan = match preflight::plan(found, arguments) {
        Ok(plan) => plan,
        Err(refusal) => {
            writeln!(out, "{}", look.paint(Tone::Bad, &clean(&format!("No drill: {refusal}"))))?;
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let report = stage::play(context, &plan)?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        report.write(out, look)?;
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(BAD) })
}
