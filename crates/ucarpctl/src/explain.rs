//! `ucarpctl explain`: why a virtual host is what it is, and what would change that.

use std::io::{self, Write};
use std::process::ExitCode;

use ucarp_control::calls::Explain;
use ucarp_control::types::Explanation;

use crate::context::Context;
use crate::failure::Failure;
use crate::look::{Look, Tone, clean};

/// Tell why a virtual host is what it is, and what would change that
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Its name, vhid, or INTERFACE/VHID
    virtual_host: String,
    /// Print JSON, with the fields of the interface io.ucarp
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let call = Explain { virtual_host: arguments.virtual_host.clone() };
    let explanation = context.connect()?.call(&call)?.explanation;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &explanation)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let look = &context.look;
    writeln!(out, "{}", summary(look, &explanation))?;
    write_list(out, look, "What this was decided by", &explanation.evidence, None)?;
    write_list(out, look, "It becomes MASTER", &explanation.to_become_master, None)?;
    write_list(out, look, "It becomes BACKUP", &explanation.to_become_backup, None)?;
    write_list(out, look, "Not as it should be", &explanation.warnings, Some(Tone::Careful))?;
    Ok(ExitCode::SUCCESS)
}

/// What it is, and why, in one sentence; the daemon's begins with the name and the state, as a rule.
fn summary(look: &Look, explanation: &Explanation) -> String {
    let Explanation { virtual_host, state, summary, .. } = explanation;
    let name = look.paint(Tone::Strong, &clean(virtual_host));
    let painted = look.paint(Tone::of(*state), &state.to_string());
    match summary.strip_prefix(&format!("{virtual_host} is {state}")) {
        Some(rest) => format!("{name} is {painted}{}", clean(rest)),
        None => format!("{name} is {painted}: {}", clean(summary)),
    }
}

fn write_list(out: &mut dyn Write, look: &Look, title: &str, entries: &[String], tone: Option<Tone>) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Tone::Strong, title))?;
    for entry in entries {
        let entry = clean(entry);
        let entry = tone.map_or_else(|| entry.to_string(), |tone| look.paint(tone, &entry));
        writeln!(out, "  * {entry}")?;
    }
    Ok(())
}
