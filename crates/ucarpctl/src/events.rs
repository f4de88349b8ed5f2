//! `ucarpctl events` and `ucarpctl watch`: what happened, and what happens.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ucarp_control::calls::GetEvents;
use ucarp_control::types::Event;
use ucarp_control::{Client, Error, Refusal};

use crate::context::{Context, virtual_hosts};
use crate::failure::{Failure, LATER, UNAVAILABLE};
use crate::look::{Look, Tone, clean};

/// Between two attempts to reach a daemon that has gone.
const AGAIN: Duration = Duration::from_secs(1);

/// Show what happened to the virtual hosts, and why
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only to this virtual host: its name, vhid, or INTERFACE/VHID
    virtual_host: Option<String>,
    /// Only the last N events; the daemon keeps 1000 of each virtual host
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    last: u64,
    /// Print JSON, an event a line
    #[arg(long)]
    json: bool,
}

/// Show the state of the virtual hosts, and then what happens, until interrupted
///
/// It goes on when the daemon is restarted, and then shows what it missed.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArguments {
    /// Only this virtual host: its name, vhid, or INTERFACE/VHID
    virtual_host: Option<String>,
    /// Print JSON, an event a line, and not the state at the beginning
    #[arg(long)]
    json: bool,
}

/// `ucarpctl events`.
pub(crate) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let call = GetEvents {
        virtual_host: arguments.virtual_host.clone(),
        most: Some(arguments.last),
        after: None,
        follow: None,
    };
    for reply in context.connect()?.call_more(&call)? {
        if let Some(event) = reply?.event {
            write(out, &context.look, &event, arguments.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `ucarpctl watch`. Returns only with a failure: the daemon cannot be reached at the beginning, or nobody reads.
pub(crate) fn watch(context: &Context, arguments: &WatchArguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let name = arguments.virtual_host.as_deref();
    let mut progress = Progress::default();
    loop {
        match follow(context, arguments, &mut progress, out) {
            Err(Ended::ByDaemon(error)) if !progress.has_begun || is_final(&error) => return Err(error.into()),
            Err(Ended::ByDaemon(error)) => {
                let line = format!("The daemon has gone ({error}): waiting for it");
                eprintln!("{}", clean(&line));
            }
            Err(Ended::ByReader(failure)) => return Err(failure),
            Ok(()) => eprintln!("The daemon has gone: waiting for it"),
        }
        // The daemon may have been told another name meanwhile: then the next attempt says so.
        while context.virtual_hosts(name).is_err_and(|failure| [UNAVAILABLE, LATER].contains(&failure.status())) {
            thread::sleep(AGAIN);
        }
    }
}

/// How far watching has come.
#[derive(Debug, Default)]
struct Progress {
    /// The daemon was reached at some time.
    has_begun: bool,
    /// The last event that was written.
    last: Option<u64>,
}

/// Why following has ended.
enum Ended {
    ByDaemon(Error),
    ByReader(Failure),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::ByDaemon(error)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::ByReader(failure)
    }
}

/// Whether trying again is no use.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if !matches!(refusal, Refusal::Busy { .. }))
}

/// Writes what happens until the daemon ends.
fn follow(
    context: &Context,
    arguments: &WatchArguments,
    progress: &mut Progress,
    out: &mut dyn Write,
) -> Result<(), Ended> {
    let name = arguments.virtual_host.as_deref();
    let mut client = context.connect()?;
    let after = match progress.last {
        Some(last) => last,
        None => last_number(&mut client, name)?,
    };
    // State and events overlap: what happens in between is told twice rather than not at all.
    let hosts = virtual_hosts(&mut client, name)?;
    let is_first = !std::mem::replace(&mut progress.has_begun, true);
    if is_first && !arguments.json {
        for host in hosts {
            let state = context.look.paint(Tone::of(host.state), &host.state.to_string());
            let (name, reason) = (clean(&host.name), clean(&host.reason));
            writeln!(out, "{}  {name}: is {state} because {reason}", context.look.time(host.since_at))
                .map_err(Failure::from)?;
        }
        out.flush().map_err(Failure::from)?;
    }
    progress.last = Some(after);
    let call = GetEvents { virtual_host: name.map(str::to_owned), most: None, after: Some(after), follow: Some(true) };
    let mut events = client.call_more(&call)?;
    events.client().set_timeout(None).map_err(Failure::from)?;
    for reply in &mut events {
        if let Some(event) = reply?.event {
            progress.last = Some(event.number);
            write(out, &context.look, &event, arguments.json)?;
            out.flush().map_err(Failure::from)?;
        }
    }
    Ok(())
}

/// The number of the last event so far; 0: there is none.
fn last_number(client: &mut Client<UnixStream>, name: Option<&str>) -> Result<u64, Error> {
    let call = GetEvents { virtual_host: name.map(str::to_owned), most: Some(1), after: None, follow: None };
    let mut last = 0;
    for reply in client.call_more(&call)? {
        last = reply?.event.map_or(last, |event| event.number);
    }
    Ok(last)
}

fn write(out: &mut dyn Write, look: &Look, event: &Event, json: bool) -> Result<(), Failure> {
    if json {
        serde_json::to_writer(&mut *out, event)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", line(look, event))?;
    }
    Ok(())
}

/// An event in one line.
fn line(look: &Look, event: &Event) -> String {
    let time = look.paint(Tone::Faint, &look.time(event.at));
    let who = event.virtual_host.as_deref().map(|name| format!("{}: ", clean(name))).unwrap_or_default();
    let message = clean(&event.message);
    match (event.from, event.to) {
        (Some(from), Some(to)) => {
            let to = look.paint(Tone::of(to), &to.to_string());
            format!("{time}  {who}{from} -> {to}: {message}")
        }
        _ => format!("{time}  {who}{message}"),
    }
}

#[cfg(test)]
mod tests;
