//! The command line. clap derives parser, help and completions from these types, and a test holds the manual page against them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::look::Colour;
use crate::{change, check, completions, convert, demo, doctor, drill, events, explain, peers, simulate, status, top};

/// See, move and rehearse the virtual hosts of ucarp(8)
#[derive(Debug, Parser)]
#[command(name = "ucarpctl", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What goes with every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// The control socket of the daemon
    #[arg(long, global = true, value_name = "PATH", default_value = ucarp_control::DEFAULT_PATH)]
    pub(crate) socket: PathBuf,
    /// When to use colours
    #[arg(long, visible_alias = "color", global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) colour: Colour,
}

/// One variant for each command, in the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::Arguments),
    Top(top::Arguments),
    Watch(events::WatchArguments),
    Events(events::Arguments),
    Explain(explain::Arguments),
    Peers(peers::Arguments),
    Demote(change::DemoteArguments),
    Promote(change::PromoteArguments),
    /// Let another host be MASTER, and stay out until released; that survives a reload
    Hold(change::Target),
    /// Take part again after a hold
    Release(change::Target),
    /// Let another host be MASTER, once
    HandOver(change::Target),
    /// Tell the segment again where the addresses of a MASTER are
    Announce(change::Target),
    /// Read the configuration again, as SIGHUP does, and print what is wrong with it
    Reload,
    LogLevel(change::LogLevelArguments),
    Drill(drill::Arguments),
    Doctor(doctor::Arguments),
    Check(check::Arguments),
    Convert(convert::Arguments),
    Simulate(simulate::Arguments),
    Demo(demo::Arguments),
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests;
