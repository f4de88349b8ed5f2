//! What a check's process does: opens what needs rights, gives them up, asks its question, and writes one line.

mod command;
mod files;
mod network;
mod tcp;

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use ucarp_sys::sandbox;

use crate::settings::Probe;
use network::{Ask, Neighbour};

/// Exit statuses beside 0, which is yes. The second is also that of a [`ucarp_sys::process::Job`] that cannot begin, and
/// one that programs leave to those who run them.
pub(super) const NO: u8 = 1;
pub(super) const FOUND_NOTHING: u8 = 125;

/// An answer and what is said about it.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes(String),
    No(String),
    /// The question could not be asked, or its answer says nothing.
    Nothing(String),
}

/// Says no, with what was tried and the error.
fn no(what: impl Display, error: &dyn Display) -> Answer {
    Answer::No(format!("{what}: {error}"))
}

/// The work of the process. Returns its exit status.
pub(super) fn work(probe: &Probe, timeout: Duration) -> u8 {
    let deadline = Instant::now() + timeout;
    let (status, text) = match ask(probe, deadline) {
        Answer::Yes(text) => (0, text),
        Answer::No(text) => (NO, text),
        Answer::Nothing(text) => (FOUND_NOTHING, text),
    };
    // Who should hear of it that nobody hears?
    let _ = writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    status
}

fn ask(probe: &Probe, deadline: Instant) -> Answer {
    match probe {
        // Looked at without a process.
        Probe::Link { interface } => Answer::Nothing(format!("{interface} is looked at elsewhere")),
        Probe::Ping { address, interface } => match Ask::open("", *address, interface.as_deref()) {
            Ok(ask) => unprivileged(|| ask.answer(deadline)),
            Err(answer) => answer,
        },
        Probe::Neighbour { address, interface } => match Neighbour::open(*address, interface) {
            Ok(neighbour) => unprivileged(|| neighbour.answer(deadline)),
            Err(answer) => answer,
        },
        Probe::Isolation { external, internal, isolation_host } => {
            let open = |role, address| Ask::open(role, address, None);
            let asks =
                (open("external", *external), open("internal", *internal), open("isolation-host", *isolation_host));
            match asks {
                (Ok(external), Ok(internal), Ok(third)) => {
                    unprivileged(|| network::isolation(&external, &internal, &third, deadline))
                }
                (Err(answer), ..) | (_, Err(answer), _) | (.., Err(answer)) => answer,
            }
        }
        Probe::Tcp { address, port } => unprivileged(|| tcp::connect(*address, *port, deadline)),
        Probe::Http { url, host, status } => unprivileged(|| tcp::http(url, host.as_deref(), *status, deadline)),
        Probe::Process(wanted) => unprivileged(|| files::process(wanted)),
        Probe::File { path, contains } => unprivileged(|| files::file(path, contains.as_deref())),
        Probe::Route { address, via, interface } => {
            unprivileged(|| network::route(*address, *via, interface.as_deref()))
        }
        Probe::Command { path, arguments, user } => command::run(path, arguments, user.as_deref()),
    }
}

/// Asks as somebody who may do nothing.
fn unprivileged(question: impl FnOnce() -> Answer) -> Answer {
    // Without an unprivileged user there are at least no capabilities.
    let user = sandbox::unprivileged_user().ok().flatten();
    match sandbox::renounce(user.as_ref()) {
        Ok(_) => question(),
        Err(error) => Answer::Nothing(format!("its rights cannot be given up: {error}")),
    }
}
