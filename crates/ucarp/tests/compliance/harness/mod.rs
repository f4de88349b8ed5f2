//! Two kinds of program, groups of hosts that run them, and what can be observed from outside.

mod ending;
mod forger;
mod group;
mod moments;
mod observe;

use std::env;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use ending::Ending;
pub use forger::{Forger, correct_checksums, correct_ip_checksum};
pub use group::{Group, Node, QUICK, SOON, VIP};
pub use moments::{between, in_parallel, later, wait_until_time};
pub use observe::triples;

/// The program that is meant to be replaced, as Debian installs it.
const ORIGINAL: &str = "/usr/sbin/ucarp";

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Debian's `ucarp` 1.5.2.
    Ucarp,
    /// This project's.
    Ours,
}

impl Program {
    /// The executable.
    pub fn path(self) -> PathBuf {
        match self {
            Self::Ucarp => ORIGINAL.into(),
            Self::Ours => env::var_os("UCARP_OURS").map_or_else(|| env!("CARGO_BIN_EXE_ucarp").into(), PathBuf::from),
        }
    }

    /// A command that runs it with standard output unbuffered: UCARP's information lines would otherwise come too late.
    pub fn command(self) -> Command {
        match self {
            Self::Ours => Command::new(self.path()),
            Self::Ucarp => {
                let mut command = Command::new("stdbuf");
                command.arg("-o0").arg(self.path());
                command
            }
        }
    }
}

/// What `UNDER_TEST` asks for.
fn under_test() -> String {
    env::var("UNDER_TEST").unwrap_or_else(|_| "ours".into())
}

/// The programs that cases with one program run with; none in a run of mixed groups.
pub fn programs() -> Vec<Program> {
    match under_test().as_str() {
        "ucarp" => vec![Program::Ucarp],
        "ours" => vec![Program::Ours],
        "mixed" => vec![],
        other => panic!("UNDER_TEST={other}: allowed are ucarp, ours and mixed"),
    }
}

/// The pairs that cases with two hosts run with: the first is the host that the case says more about.
pub fn pairs() -> Vec<(Program, Program)> {
    match under_test().as_str() {
        "mixed" => vec![(Program::Ours, Program::Ucarp), (Program::Ucarp, Program::Ours)],
        _ => programs().into_iter().map(|program| (program, program)).collect(),
    }
}

/// Asserts a difference that `docs/differences.md` lists under the heading `id`: this program shows its own side of it.
pub fn differs<T: Debug + PartialEq>(id: &str, program: Program, observed: &T, ucarp: &T, ours: &T) {
    assert!(listed_differences().iter().any(|listed| listed == id), "docs/differences.md does not list {id}");
    assert_ne!(ucarp, ours, "{id} is no difference");
    let expected = if program == Program::Ucarp { ucarp } else { ours };
    assert_eq!(observed, expected, "{id}, {program:?}");
}

/// The identifiers of the differences: the first word of each third-level heading.
pub fn listed_differences() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
    headings.map(|heading| heading.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}
