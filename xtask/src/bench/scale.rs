//! Many virtual hosts: what they cost, and how soon all of them have moved. Ours, Debian's `ucarp` and `keepalived` take
//! turns on the same two hosts.

mod cost;
mod cycle;
mod network;
mod program;
mod report;
mod wire;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::cargo;
use program::{Files, Program};
use report::Report;

const DEFAULT_RUNS: usize = 3;
const DEFAULT_SECONDS: u64 = 30;
/// What a table shows if nothing else is asked for.
const DEFAULT_HOSTS: [u16; 4] = [1, 50, 255, 4080];
/// vhids are numbers of one octet, and 0 is none.
const MOST_PER_INTERFACE: u16 = 255;
const MOST_INTERFACES: u16 = 16;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "{0:?} is not understood: `cargo xtask bench scale [--hosts N] [--seconds N] [--runs N]`, with 1 to 255 virtual \
         hosts or a multiple of 255 up to 4080, 5 to 3600 seconds and 1 to 100 runs"
    )]
    Usage(String),
    #[error("there is no {0} to compare with: as root, run `apt-get install {0}`")]
    Missing(&'static str),
    #[error("the daemon cannot be built")]
    Build,
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error(transparent)]
    Lab(#[from] netlab::Error),
    #[error("`{command}` failed on {host}: {output}")]
    Command { command: String, host: &'static str, output: String },
    #[error("{interface} of {host} has no carrier")]
    Carrier { interface: String, host: &'static str },
    #[error("{0} frames are missing in the record: the machine was too busy")]
    Lost(u64),
    #[error("{program} with {load}: {what} was seen of {seen} only within {within:?}; its last lines were:\n{output}")]
    Late { program: &'static str, load: Load, what: &'static str, seen: usize, within: Duration, output: String },
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { what, source }
}

/// How many virtual hosts there are, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    interfaces: u8,
    /// On each of them.
    vhids: u8,
}

impl Load {
    /// On as few interfaces as possible, all alike.
    fn new(hosts: u16) -> Option<Load> {
        let interfaces = hosts.div_ceil(MOST_PER_INTERFACE);
        let fits = (1..=MOST_INTERFACES).contains(&interfaces) && hosts.is_multiple_of(interfaces);
        let load =
            Load { interfaces: interfaces.try_into().ok()?, vhids: hosts.checked_div(interfaces)?.try_into().ok()? };
        (fits && (interfaces == 1 || load.vhids == u8::MAX)).then_some(load)
    }

    fn hosts(self) -> usize {
        usize::from(self.interfaces) * usize::from(self.vhids)
    }

    /// Who is measured with so many.
    fn programs(self) -> &'static [Program] {
        if self.interfaces == 1 { &Program::ALL } else { &[Program::Ours] }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.interfaces, self.hosts()) {
            (1, 1) => f.write_str("1 virtual host"),
            (1, hosts) => write!(f, "{hosts} virtual hosts"),
            (interfaces, hosts) => write!(f, "{hosts} virtual hosts on {interfaces} interfaces"),
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    loads: Vec<Load>,
    /// For how long the steady state is measured.
    steady: Duration,
    runs: usize,
}

/// Measures every number of virtual hosts with every program in turn and prints a table for each number.
pub(crate) fn run(words: &[&str]) -> Result<bool, Error> {
    let options = parse(words).ok_or_else(|| Error::Usage(words.join(" ")))?;
    if !cargo::build(&["--release", "-p", "ucarp"]).map_err(system("running cargo"))? {
        return Err(Error::Build);
    }
    let files = Files::make(&Program::ALL)?;
    super::get_rights().map_err(system("becoming root in a namespace"))?;
    let report = measure_all(&files, &options)?;
    println!("\n{}\n\n{report}", files.versions());
    Ok(true)
}

fn parse(words: &[&str]) -> Option<Options> {
    let default = DEFAULT_HOSTS.into_iter().filter_map(Load::new).collect();
    let mut options = Options { loads: default, steady: Duration::from_secs(DEFAULT_SECONDS), runs: DEFAULT_RUNS };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some(parts) => parts,
            None => (*word, *words.next()?),
        };
        match name {
            "--hosts" => options.loads = vec![Load::new(value.parse().ok()?)?],
            "--seconds" => {
                let seconds = value.parse().ok().filter(|seconds| (5..=3600).contains(seconds))?;
                options.steady = Duration::from_secs(seconds);
            }
            "--runs" => options.runs = value.parse().ok().filter(|runs| (1..=100).contains(runs))?,
            _ => return None,
        }
    }
    Some(options)
}

/// One program after the other with each number, so that what the machine does meanwhile meets all of them.
fn measure_all(files: &Files, options: &Options) -> Result<Report, Error> {
    let mut report = Report::default();
    let started = Instant::now();
    let plan: Vec<(Load, Program)> = (0..options.runs)
        .flat_map(|_| &options.loads)
        .flat_map(|load| load.programs().iter().map(|program| (*load, *program)))
        .collect();
    for (number, (load, program)) in plan.iter().enumerate() {
        eprint!("{:3} of {}  {load}, {}", number + 1, plan.len(), program.name());
        let measured = cycle::measure(files, *program, *load, options.steady)?;
        eprintln!(": {measured}  ({:.0} s)", started.elapsed().as_secs_f64());
        report.add(*load, *program, measured);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_hosts_go_onto_as_few_interfaces_as_possible() {
        let load = |hosts| Load::new(hosts).map(|load| (load.interfaces, load.vhids));
        assert_eq!(load(1), Some((1, 1)));
        assert_eq!(load(255), Some((1, 255)));
        assert_eq!(load(510), Some((2, 255)));
        assert_eq!(load(4080), Some((16, 255)));
        for wrong in [0, 256, 300, 512, 4079, 4335, 65535] {
            assert_eq!(load(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn options_are_checked() {
        let all = parse(&[]).unwrap();
        assert_eq!(all.loads.iter().map(|load| load.hosts()).collect::<Vec<_>>(), [1, 50, 255, 4080]);
        assert_eq!((all.runs, all.steady), (3, Duration::from_secs(30)));
        let some = parse(&["--hosts", "50", "--seconds=5", "--runs", "9"]).unwrap();
        assert_eq!(
            some,
            Options { loads: vec![Load { interfaces: 1, vhids: 50 }], steady: Duration::from_secs(5), runs: 9 }
        );
        for wrong in
            [&["--hosts"][..], &["--hosts", "256"], &["--seconds", "4"], &["--runs=0"], &["--runs=x"], &["255"]]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn only_ours_serves_several_interfaces() {
        assert_eq!(Load::new(255).unwrap().programs().len(), 3);
        assert_eq!(Load::new(4080).unwrap().programs(), [Program::Ours]);
    }
}
