//! The command line of `carp-sim`.

use std::error::Error;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs};

use crate::campaign;
use crate::options::{self, Options};
use crate::search::{self, Extent};
use crate::{scale, table};

const USAGE: &str = "\
A simulated network of CARP nodes with faults, from seeds. Every run is judged by checkers and can be repeated.

usage: carp-sim run --seeds N [--first-seed S] [OPTIONS]   run N seeds; each failure with the line that replays it
       carp-sim replay SEED [--pcap FILE] [OPTIONS]        one seed: what each node saw and decided, and a pcap file,
                                                           in the directory for temporary files unless named
       carp-sim table                                      failover and handover time against loss and priority
       carp-sim scale [--quick]                            how convergence grows with hosts and virtual hosts
       carp-sim search [--quick]                           the exhaustive search; --quick is what its test does

options: --nodes 2..5        how many nodes a group has
         --faults all        all, none, or some of: loss, delay, reordering, duplication, corruption, asymmetry,
                             partition, echo, crash, stall, carrier, chatter, restart, password, addresses, handover,
                             hold, drift, twins, demotion, family, reload, rekey; with --authentication strict also:
                             clock, replay, forgery, reflection
         --peers ours        what nodes are: some of ours, ucarp, freebsd, openbsd, netbsd
         --families v4       what groups advertise over: v4, v6 or dual; UCARP knows v4 alone
         --transport multicast   to the group, or unicast: to each of the others, which ours alone can
         --authentication observe   or classic or strict: what nodes ask for beside the digest
         --seconds 60        for how long things go wrong, in simulated time
         --sabotage NAME     break a rule of the first node, to see it caught
";

/// What was asked for.
#[derive(Debug)]
struct Request {
    options: Options,
    seeds: Option<u64>,
    first_seed: u64,
    pcap: Option<PathBuf>,
    quick: bool,
    operands: Vec<String>,
}

/// Runs the command line without the program's name. Whether everything held.
///
/// # Errors
/// The arguments make no sense, or writing failed.
pub fn run(arguments: impl IntoIterator<Item = String>) -> Result<bool, Box<dyn Error>> {
    let mut arguments = arguments.into_iter();
    let Some(command) = arguments.next() else {
        print!("{USAGE}");
        return Ok(true);
    };
    let request = parse(arguments)?;
    match (command.as_str(), request.operands.as_slice()) {
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}");
            Ok(true)
        }
        ("run", []) => run_seeds(&request),
        ("replay", [seed]) => replay(seed.parse().map_err(|_| format!("not a seed: {seed}: use a number"))?, &request),
        ("table", []) => {
            print!("{}", table::render());
            Ok(true)
        }
        ("scale", []) => {
            scale::report(request.quick, &mut io::stdout())?;
            Ok(true)
        }
        ("search", []) => match search::report(if request.quick { Extent::Quick } else { Extent::Thorough }) {
            Ok(()) => Ok(true),
            Err(plans) => {
                eprintln!("not as committed: {}", plans.join("; "));
                Ok(false)
            }
        },
        ("run" | "replay" | "table" | "scale" | "search", operands) => {
            Err(format!("{command} takes one seed if it is replay, else nothing: {}", operands.join(" ")).into())
        }
        _ => Err(format!("no such command: {command}\n\n{USAGE}").into()),
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        options: Options::default(),
        seeds: None,
        first_seed: 0,
        pcap: None,
        quick: false,
        operands: Vec::new(),
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        if name == "--quick" {
            request.quick = true;
            continue;
        }
        if !name.starts_with("--") {
            request.operands.push(name);
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: use a number"));
        match name.as_str() {
            "--seeds" => request.seeds = Some(number()?),
            "--first-seed" => request.first_seed = number()?,
            "--seconds" => request.options.seconds = number()?,
            "--nodes" => request.options.nodes = nodes(&value)?,
            "--faults" => request.options.faults = value.parse()?,
            "--peers" => request.options.peers = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--families" => request.options.families = value.parse()?,
            "--transport" => request.options.unicast = unicast(&value)?,
            "--authentication" => request.options.authentication = options::authentication(&value)?,
            "--sabotage" => request.options.sabotage = Some(value.parse()?),
            "--pcap" => request.pcap = Some(value.into()),
            _ => return Err(format!("no such option: {name}\n\n{USAGE}")),
        }
    }
    Ok(request)
}

fn unicast(text: &str) -> Result<bool, String> {
    match text {
        "multicast" => Ok(false),
        "unicast" => Ok(true),
        _ => Err(format!("--transport {text}: use multicast or unicast")),
    }
}

/// `3`, `2..5` or `2..=5`; both ends count. One bit of 64 stands for each node in a fault.
fn nodes(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let number =
        |text: &str| text.trim_start_matches('=').parse::<usize>().ok().filter(|nodes| (2..=32).contains(nodes));
    match (number(low), number(high)) {
        (Some(low), Some(high)) if low <= high => Ok(low..=high),
        _ => Err(format!("--nodes {text}: use a number from 2 to 32, or two of them as in 2..5")),
    }
}

fn run_seeds(request: &Request) -> Result<bool, Box<dyn Error>> {
    let seeds = request.seeds.ok_or("run needs --seeds N: how many seeds to run")?;
    let findings = campaign::run(request.first_seed, seeds, &request.options, &mut io::stdout(), &mut io::stderr())?;
    println!(
        "{} seeds from {}, {} failed: {} node-seconds in {:.1} s, {:.0} per second; {} events, {} frames",
        findings.runs,
        request.first_seed,
        findings.failures.len(),
        findings.node_time.as_secs(),
        findings.took.as_secs_f64(),
        findings.rate(),
        findings.events,
        findings.frames,
    );
    if let (attacks, withheld) = findings.attacks
        && attacks > 0
    {
        println!("{attacks} forged advertisements, and {withheld} withheld that were as good as slow ones");
    }
    Ok(findings.failures.is_empty())
}

fn replay(seed: u64, request: &Request) -> Result<bool, Box<dyn Error>> {
    let started = Instant::now();
    let outcome = crate::run(seed, &request.options, true);
    let trace = outcome.trace.expect("a trace was wanted");
    io::stdout().write_all(trace.timeline().as_bytes())?;
    let pcap = request.pcap.clone().unwrap_or_else(|| env::temp_dir().join(format!("carp-sim-{seed}.pcap")));
    fs::write(&pcap, trace.pcap()).map_err(|error| format!("unable to write {}: {error}", pcap.display()))?;
    println!(
        "seed {seed}: {} events, {} frames in {}, hash {:016x}, {:.0?}",
        outcome.tally.events,
        outcome.tally.frames,
        pcap.display(),
        outcome.hash,
        started.elapsed(),
    );
    match &outcome.violation {
        Some(violation) => println!("violated: {violation}"),
        None => println!("every rule held"),
    }
    Ok(outcome.violation.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_a_failure_prints_is_read_back() {
        let line = "--nodes 3..4 --faults loss,stall --peers ours,ucarp --seconds 30 --families dual \
                    --transport unicast --authentication strict --sabotage NoTieRule";
        let request = request(&format!("17 {line}")).unwrap();
        assert_eq!(request.operands, ["17"]);
        assert_eq!(request.options.to_string(), line);
        let printed = campaign::replay_line(17, &request.options);
        assert!(printed.ends_with(&format!("replay 17 {line}")), "{printed}");
    }

    #[test]
    fn mistakes_are_named() {
        for (line, message) in [
            ("--nodes 1", "--nodes 1: use a number from 2 to 32"),
            ("--nodes 5..2", "--nodes 5..2: use"),
            ("--seeds many", "--seeds many: use a number"),
            ("--seeds", "--seeds needs a value"),
            ("--peers ours,linux", "no such kind of peer: linux"),
            ("--sabotage x", "no such planted fault: x"),
            ("--families v5", "no such choice of families: v5: use v4, v6, dual"),
            ("--authentication none", "--authentication none: use classic, observe or strict"),
            ("--transport anycast", "--transport anycast: use multicast or unicast"),
            ("--frobnicate 1", "no such option: --frobnicate"),
        ] {
            let error = request(line).unwrap_err();
            assert!(error.starts_with(message), "{line}: {error}");
        }
    }
}
