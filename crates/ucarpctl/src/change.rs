//! The commands that change something: for root alone.

use std::io::Write;
use std::process::ExitCode;

use ucarp_control::calls::{Announce, Call, Demote, HandOver, Hold, Promote, Release, Reload, SetLogLevel};

use crate::context::Context;
use crate::failure::Failure;
use crate::look::clean;

/// Which virtual hosts a change is about. That all are meant has to be said.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// Its name, vhid, or INTERFACE/VHID
    virtual_host: Option<String>,
    /// All virtual hosts of the daemon
    #[arg(long)]
    all: bool,
}

impl Target {
    /// As the daemon wants it.
    fn name(&self) -> Option<String> {
        self.virtual_host.clone()
    }
}

/// Lower the rank of a virtual host: raise the advskew that it advertises
#[derive(Debug, clap::Args)]
pub(crate) struct DemoteArguments {
    #[command(flatten)]
    target: Target,
    /// By how much
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u16).range(1..))]
    by: u16,
    /// Name the demotion: another one of this name replaces it, and promote --name takes it away
    #[arg(long)]
    name: Option<String>,
}

/// Take the demotions away that were made with demote
#[derive(Debug, clap::Args)]
pub(crate) struct PromoteArguments {
    #[command(flatten)]
    target: Target,
    /// Only the one of this name
    #[arg(long)]
    name: Option<String>,
}

/// What a log may say.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// Say more or less in the daemon's log, until it is restarted or told otherwise
#[derive(Debug, clap::Args)]
pub(crate) struct LogLevelArguments {
    /// The least important kind of line that is logged
    level: Level,
}

pub(crate) fn demote(context: &Context, arguments: &DemoteArguments) -> Result<ExitCode, Failure> {
    let DemoteArguments { target, by, name } = arguments;
    tell(context, &Demote { virtual_host: target.name(), name: name.clone(), by: *by })
}

pub(crate) fn promote(context: &Context, arguments: &PromoteArguments) -> Result<ExitCode, Failure> {
    tell(context, &Promote { virtual_host: arguments.target.name(), name: arguments.name.clone() })
}

pub(crate) fn hold(context: &Context, target: &Target) -> Result<ExitCode, Failure> {
    tell(context, &Hold { virtual_host: target.name() })
}

pub(crate) fn release(context: &Context, target: &Target) -> Result<ExitCode, Failure> {
    tell(context, &Release { virtual_host: target.name() })
}

pub(crate) fn hand_over(context: &Context, target: &Target) -> Result<ExitCode, Failure> {
    tell(context, &HandOver { virtual_host: target.name() })
}

pub(crate) fn announce(context: &Context, target: &Target) -> Result<ExitCode, Failure> {
    tell(context, &Announce { virtual_host: target.name() })
}

pub(crate) fn log_level(context: &Context, arguments: &LogLevelArguments) -> Result<ExitCode, Failure> {
    let level = match arguments.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    tell(context, &SetLogLevel { level: level.to_owned() })
}

/// Exits with 1 if so much is wrong with the files that nothing has changed.
pub(crate) fn reload(context: &Context, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let reply = context.connect()?.call(&Reload {})?;
    for problem in &reply.problems {
        // A problem has several lines: the place, and what is wrong with it.
        for line in problem.lines() {
            writeln!(out, "{}", clean(line))?;
        }
    }
    Ok(if reply.applied { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell<C: Call>(context: &Context, call: &C) -> Result<ExitCode, Failure> {
    context.connect()?.call(call)?;
    Ok(ExitCode::SUCCESS)
}
