//! What the core does for an advertisement, counted and not timed: instructions, by Valgrind's callgrind, and memory that
//! is taken, by its memcheck. Both are the same in every run, so that CI can assert them.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::error::{Error, system};
use super::options::Options;
use super::record::{Key, Record};
use super::usage::precise;
use super::workshop::{Program, Workshop};
use crate::cargo;
use crate::debian;

/// What is counted: `crates/carp-sim/src/bin/rounds.rs`.
const PROGRAM: [&str; 5] = ["--release", "-p", "carp-sim", "--bin", "rounds"];

/// A run of so few rounds has what all runs have in common: the start, a takeover, and what follows it.
const FEW: u32 = 10;
const MANY: u32 = 30;

/// Advertisements in a round.
const HOSTS: u32 = 255;

/// What is judged: `authentication`, and the most instructions that an advertisement may take to be sent, and to be judged
/// by who hears it. Some 5 % more than they take with the compiler that CI has.
const LIMITS: [(&str, u64, u64); 2] = [("classic", 4_390, 4_620), ("observe", 4_620, 4_670)];

/// What one advertisement takes with one kind of authentication and 255 virtual hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    authentication: &'static str,
    /// Instructions to send one, and the most that are allowed.
    send: (u64, u64),
    /// Instructions to parse, verify and judge one, and the most that are allowed.
    verify: (u64, u64),
    /// Allocations of all advertisements of the rounds that count, sent and judged.
    allocations: u64,
}

impl Cost {
    /// Whether all of it is within the limits.
    pub(crate) fn is_good(&self) -> bool {
        self.send.0 <= self.send.1 && self.verify.0 <= self.verify.1 && self.allocations == 0
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { authentication, send: (send, most_to_send), verify: (verify, most_to_verify), allocations } = self;
        write!(
            f,
            "{authentication}: {send} instructions to send an advertisement (at most {most_to_send}), {verify} to verify one \
             (at most {most_to_verify}), {allocations} allocations in {} of them (none)",
            (MANY - FEW) * HOSTS
        )
    }
}

/// Counts and prints. Whether all is within the limits.
///
/// # Errors
///
/// Cargo or Valgrind cannot be run.
pub(crate) fn run() -> Result<bool, Error> {
    let costs = measure()?;
    costs.iter().for_each(|cost| println!("{cost}"));
    Ok(costs.iter().all(Cost::is_good))
}

/// Adds what the core takes, and how large the programs are.
pub(super) fn take(workshop: &Workshop, _options: &Options, record: &mut Record) -> Result<(), Error> {
    for cost in measure()? {
        eprintln!("{cost}");
        let key = Key { setting: "", case: cost.authentication, program: Program::Ours.name() };
        record.add(key, SEND, precise(cost.send.0));
        record.add(key, VERIFY, precise(cost.verify.0));
        record.add(key, ALLOCATIONS, precise(cost.allocations));
    }
    for program in [Program::Ours, Program::Ucarp, Program::Keepalived] {
        let size = fs::metadata(workshop.program(program)).map_err(system("looking at a program"))?.len();
        record.add(Key { setting: "", case: PROGRAM_CASE, program: program.name() }, SIZE, precise(size) / 1024.0);
    }
    Ok(())
}

/// The cases in records: the kinds of authentication, and this one for the program itself.
pub(super) const PROGRAM_CASE: &str = "program";

/// What kinds of authentication are called.
pub(super) fn authentications() -> [&'static str; LIMITS.len()] {
    LIMITS.map(|(authentication, _, _)| authentication)
}

/// Figures, as they are called in records and tables.
pub(super) const SEND: &str = "instructions to send an advertisement";
pub(super) const VERIFY: &str = "instructions to verify an advertisement";
pub(super) const ALLOCATIONS: &str = "allocations in 5,100 advertisements";
pub(super) const SIZE: &str = "size of the program, KiB";

/// Counts what an advertisement takes, with each kind of authentication.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn measure() -> Result<Vec<Cost>, Error> {
    let valgrind = debian::find("valgrind").ok_or(Error::Missing("valgrind"))?;
    if !cargo::build(&PROGRAM).map_err(system("running cargo"))? {
        return Err(Error::Build("rounds"));
    }
    let target = cargo::target().map_err(system("finding the target directory"))?;
    let measuring = Measuring { valgrind, program: target.join("release/rounds") };
    LIMITS.iter().map(|(authentication, send, verify)| measuring.cost(authentication, *send, *verify)).collect()
}

struct Measuring {
    valgrind: PathBuf,
    program: PathBuf,
}

impl Measuring {
    fn cost(&self, authentication: &'static str, most_to_send: u64, most_to_verify: u64) -> Result<Cost, Error> {
        let instructions = |what| self.difference("callgrind", [what, authentication], instructions);
        let (send, exchange) = (instructions("send")?, instructions("exchange")?);
        let allocations = self.difference("memcheck", ["exchange", authentication], allocations)?;
        let each = |count: u64| count / u64::from((MANY - FEW) * HOSTS);
        let verify = each(exchange.saturating_sub(send));
        Ok(Cost { authentication, send: (each(send), most_to_send), verify: (verify, most_to_verify), allocations })
    }

    /// What many rounds take beyond a few.
    fn difference(&self, tool: &'static str, what: [&str; 2], read: fn(&str) -> Option<u64>) -> Result<u64, Error> {
        let count = |rounds: u32| {
            let output = self.run(tool, what, rounds)?;
            read(&output).ok_or_else(|| Error::Command { command: format!("valgrind --tool={tool}"), output })
        };
        Ok(count(MANY)?.saturating_sub(count(FEW)?))
    }

    /// What Valgrind says of so many rounds.
    fn run(&self, tool: &'static str, what: [&str; 2], rounds: u32) -> Result<String, Error> {
        let mut command = Command::new(&self.valgrind);
        command.arg(format!("--tool={tool}")).args((tool == "callgrind").then_some("--callgrind-out-file=/dev/null"));
        let command = command.arg(&self.program).args(what).arg(rounds.to_string()).stdin(Stdio::null());
        let output = command.output().map_err(system("running valgrind"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(Error::Command { command: format!("valgrind --tool={tool}"), output: said })
        }
    }
}

/// `==7== Collected : 123456`
fn instructions(output: &str) -> Option<u64> {
    let line = output.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

/// `==7==   total heap usage: 1,234 allocs, 1,233 frees, 56,789 bytes allocated`
fn allocations(output: &str) -> Option<u64> {
    let (_, rest) = output.lines().find_map(|line| line.split_once("total heap usage:"))?;
    rest.split_once(" allocs")?.0.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_what_valgrind_says() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n==7== Collected : 123456\n==7== \n";
        assert_eq!(instructions(said), Some(123_456));
        assert_eq!(instructions("==7== nothing"), None);
        let said = "==7==     in use at exit: 544 bytes in 1 blocks\n\
                    ==7==   total heap usage: 1,234 allocs, 1,233 frees, 56,789 bytes allocated\n";
        assert_eq!(allocations(said), Some(1_234));
        assert_eq!(allocations("==7== Collected : 5"), None);
    }

    #[test]
    fn one_allocation_is_one_too_many_and_so_is_an_instruction_beyond_the_limit() {
        let good = Cost { authentication: "classic", send: (7, 7), verify: (8, 8), allocations: 0 };
        assert!(good.is_good());
        assert!(!Cost { allocations: 1, ..good }.is_good());
        assert!(!Cost { send: (8, 7), ..good }.is_good());
        assert!(!Cost { verify: (9, 8), ..good }.is_good());
    }
}
