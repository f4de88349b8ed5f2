//! A failover to look at: two hosts share an address, a client pings it, the master dies.
//!
//! Needs no configuration, no `ip` program and no shell: the daemons' up and down scripts are this program under another
//! name. Whatever ends it, nothing is left behind: processes are the lab's business, files the [`directory`]'s.
#![forbid(unsafe_code)]

mod directory;
mod narrator;
mod play;
mod script;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::thread::CapabilitySet;

use crate::script::Action;

const HELP: &str = "\
usage: ucarp-demo

Two hosts share an address, a client pings it, the master dies, comes back, and is stopped as planned. Takes half a
minute, in network namespaces of its own. The daemon is `ucarp` beside this program, or the one that UCARP_BIN names.
";

/// What a system may forbid user namespaces with, the value that does, and the command that mends it.
const SWITCHES: [(&str, &str, &str); 3] = [
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
];

/// Why there was nothing to see, or not what was to be expected.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    NoRights(String),
    #[error("there is no daemon at {0}: build it with `cargo build -p ucarp`, or name it in UCARP_BIN")]
    NoDaemon(PathBuf),
    #[error("cannot make a directory for scripts and password: {0}")]
    Directory(io::Error),
    #[error(transparent)]
    Lab(#[from] netlab::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("expected {expected}, but {found}")]
    Unexpected { expected: String, found: String },
}

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match Path::new(&name).file_name().and_then(OsStr::to_str) {
        Some(script::UP) => script(Action::Add, &rest),
        Some(script::DOWN) => script(Action::Remove, &rest),
        Some(directory::JANITOR) => directory::clean_up_after_parent(&rest),
        _ => demo(&rest),
    }
}

fn script(action: Action, arguments: &[OsString]) -> ExitCode {
    report(script::run(action, arguments))
}

fn demo(arguments: &[OsString]) -> ExitCode {
    if let Some(first) = arguments.first() {
        if first == "--help" || first == "-h" {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        eprintln!("ucarp-demo takes no arguments, and was given {}", first.display());
        return ExitCode::FAILURE;
    }
    report(find_daemon().and_then(|daemon| {
        // Before anything starts a thread: the kernel wants it so.
        get_rights()?;
        play::perform(daemon)
    }))
}

fn report<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn find_daemon() -> Result<PathBuf, Error> {
    let beside = || env::current_exe().unwrap_or_default().with_file_name("ucarp");
    let path = env::var_os("UCARP_BIN").map_or_else(beside, PathBuf::from);
    // Scripts and daemons run in the root directory or wherever; a relative path would not.
    path.canonicalize().ok().filter(|path| path.is_file()).ok_or(Error::NoDaemon(path))
}

/// Root has what it takes, outside of containers. Anybody else becomes root of a user namespace.
fn get_rights() -> Result<(), Error> {
    if rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN)) {
        return Ok(());
    }
    netlab::become_root_in_user_namespace().map_err(|error| {
        let is_set = |path: &str, bad: &str| fs::read_to_string(path).is_ok_and(|value| value.trim() == bad);
        let forbidding = SWITCHES.into_iter().filter(|(path, bad, _)| is_set(path, bad));
        let mut remedies: Vec<_> = forbidding.map(|(_, _, command)| format!("run: {command}")).collect();
        remedies.push(if rustix::process::geteuid().is_root() {
            "start the container with --cap-add SYS_ADMIN --cap-add NET_ADMIN".to_owned()
        } else {
            r#"run it as root: sudo env "PATH=$PATH" cargo demo"#.to_owned()
        });
        Error::NoRights(format!("{error}\nTo mend it, {}", remedies.join("\nor ")))
    })
}
