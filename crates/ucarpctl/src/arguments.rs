//! The command line. clap derives parser, help and completions from these types, and a test holds the manual page against them.

use clap::{Parser, Subcommand};

use crate::{check, completions};

/// See, move and rehearse the virtual hosts of ucarp(8)
#[derive(Debug, Parser)]
#[command(name = "ucarpctl", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant for each command, in the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Arguments),
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
