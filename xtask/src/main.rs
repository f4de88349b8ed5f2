//! What CI and maintainers run. `cargo xtask` lists the tasks.
#![forbid(unsafe_code)]

mod aarch64;
mod bench;
mod cargo;
mod debian;
mod demo;
mod deny;
mod dist;
mod failures;
mod freebsd;
mod fuzz;
mod install;
mod sim;
mod tally;
mod test;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

const TASKS: &str = "\
Tasks of ucarp-rs, run as `cargo xtask TASK`:

  test [--quick]              build the daemon, run all tests, then the configured daemon's suite, and the compliance
                              suite against Debian's ucarp, ours and mixed groups; as root on Debian it installs
                              what is missing. --quick leaves out these suites and the demo
  install-test [NAME]         the Debian package, installed in a clean Debian in place of Debian's ucarp; as root on Debian
  demo                        two hosts share an address, one dies: a failover to look at, in 10 seconds
  sim --seeds N               simulated groups with faults, judged by checkers; `sim` alone lists what else it can
  fuzz [--minutes N | --seconds N] [TARGET...]
                              fuzz targets, all unless named, for a minute each unless told otherwise; wants a nightly
                              compiler, and cargo-fuzz, which it installs where CI is set
  freebsd [--check]           binaries for x86_64-unknown-freebsd, on Debian; installs its compiler and a linker if they
                              are missing. --check only sees that they can be built and linked, as fast as possible
  deny [--advisories]         licences, duplicates and origins of all dependencies by the rules of deny.toml, and with
                              --advisories known vulnerabilities, whose list comes from the network; wants cargo-deny,
                              which it installs where CI is set
  dist deb|rpm|tar            a package of the release build in target/dist: for Debian, for Fedora and its relatives, or
                              static programs for any Linux
  aarch64                     the programs for 64-bit ARM, and the unit tests under qemu; not a part of CI
  bench [PART...] [--quick] [--runs N] [--only TEXT] [--seconds N] [--rate N] [--add]
                              measures ours beside Debian's ucarp and keepalived, which it installs as root on Debian, and
                              writes docs/benchmarks.md with its plots. Parts: core, timeline, takeover, flood, scale,
                              outage; document writes the document from the figures that are there. --add adds to the
                              figures of earlier runs, --only takes cases with this in their name, --quick is for trying:
                              one run of each case, and the document goes to target/bench-quick
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task. Whether it went well; an error means that it could not be done.
fn run(arguments: &[OsString]) -> Result<bool, Box<dyn Error>> {
    let Some((task, rest)) = arguments.split_first() else {
        print!("{TASKS}");
        return Ok(true);
    };
    let words: Vec<_> = rest.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match (task.to_str().unwrap_or_default(), words.as_slice()) {
        ("help" | "--help" | "-h", []) => {
            print!("{TASKS}");
            Ok(true)
        }
        ("test", []) => Ok(test::run(test::Extent::Everything)?),
        ("test", ["--quick"]) => Ok(test::run(test::Extent::Quick)?),
        ("install-test", []) => Ok(test::installation_alone(None)?),
        ("install-test", [name]) => Ok(test::installation_alone(Some(name))?),
        ("aarch64", []) => Ok(aarch64::run()?),
        ("demo", _) => Err(demo::run(rest).into()),
        ("sim", _) => Err(sim::run(rest).into()),
        ("deny", arguments) => Ok(deny::run(arguments)?),
        ("dist", arguments) => Ok(dist::run(arguments)?),
        ("freebsd", arguments) => Ok(freebsd::run(arguments)?),
        ("fuzz", arguments) => Ok(fuzz::run(arguments)?),
        ("bench", words) => Ok(bench::run(words)?),
        _ => Err(format!("no such task: {}\n\n{TASKS}", command_line(arguments)).into()),
    }
}

fn command_line(arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
