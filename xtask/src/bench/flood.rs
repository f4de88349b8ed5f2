//! Floods of forged packets: what they do to a group of two. Ours, Debian's `ucarp` and `keepalived` take turns.

mod scene;
mod table;
mod usage;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use netlab::Forgery;

use crate::cargo;
use crate::debian;
use table::Table;

const DEFAULT_RATE: u32 = 70_000;
const MOST_RATE: u32 = 1_000_000;
const DEFAULT_SECONDS: u64 = 10;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "{0:?} is not understood: `cargo xtask bench flood [--rate N] [--seconds N] [--kind NAME]`, with 1 to 1,000,000 \
         packets a second, 1 to 3600 seconds and a kind of packet as the table calls it"
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
    #[error("{program}: {what} did not happen within {within:?}; its last lines were:\n{output}")]
    Late { program: &'static str, what: &'static str, within: Duration, output: String },
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { what, source }
}

/// What is flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Program {
    Ours,
    Ucarp,
    Keepalived,
}

impl Program {
    /// Ours is first: its advertisement is what all others are flooded with forgeries of.
    const ALL: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];

    fn name(self) -> &'static str {
        match self {
            Program::Ours => "ours",
            Program::Ucarp => "ucarp",
            Program::Keepalived => "keepalived",
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    /// Packets a second.
    rate: u32,
    length: Duration,
    kinds: Vec<Forgery>,
}

/// Where the programs and their files are.
struct Files {
    directory: PathBuf,
    ours: PathBuf,
    ucarp: PathBuf,
    keepalived: PathBuf,
}

/// Floods every program with every kind of packet in turn and prints the table.
pub(crate) fn run(words: &[&str]) -> Result<bool, Error> {
    let options = parse(words).ok_or_else(|| Error::Usage(words.join(" ")))?;
    if !cargo::build(&["--release", "-p", "ucarp"]).map_err(system("running cargo"))? {
        return Err(Error::Build);
    }
    let files = Files::make()?;
    super::get_rights().map_err(system("becoming root in a namespace"))?;
    let table = measure_all(&files, &options)?;
    println!("\n{}\n\n{table}", files.heading(&options)?);
    Ok(true)
}

fn parse(words: &[&str]) -> Option<Options> {
    let length = Duration::from_secs(DEFAULT_SECONDS);
    let mut options = Options { rate: DEFAULT_RATE, length, kinds: Forgery::ALL.to_vec() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some(parts) => parts,
            None => (*word, *words.next()?),
        };
        match name {
            "--rate" => options.rate = value.parse().ok().filter(|rate| (1..=MOST_RATE).contains(rate))?,
            "--seconds" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds))?;
                options.length = Duration::from_secs(seconds);
            }
            "--kind" => options.kinds = vec![Forgery::ALL.into_iter().find(|kind| kind.to_string() == value)?],
            _ => return None,
        }
    }
    Some(options)
}

/// One program after the other with each kind, so that what the machine does meanwhile meets all of them.
fn measure_all(files: &Files, options: &Options) -> Result<Table, Error> {
    let mut table = Table::default();
    let mut real = None;
    let started = Instant::now();
    for kind in &options.kinds {
        for program in Program::ALL {
            eprint!("{kind}, {}", program.name());
            let measured = scene::measure(files, program, *kind, options, &mut real)?;
            eprintln!(": {measured}  ({:.0} s)", started.elapsed().as_secs_f64());
            table.add(*kind, program, measured);
        }
    }
    Ok(table)
}

impl Files {
    fn make() -> Result<Files, Error> {
        let target = cargo::target().map_err(system("finding the target directory"))?;
        let find = |name| debian::find(name).ok_or(Error::Missing(name));
        let files = Files {
            directory: target.join("bench-flood"),
            ours: target.join("release/ucarp"),
            ucarp: find("ucarp")?,
            keepalived: find("keepalived")?,
        };
        fs::create_dir_all(&files.directory).map_err(system("making a directory"))?;
        files.write("password", "benchmark\n")?;
        Ok(files)
    }

    /// Writes a file that only its owner can read.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.directory.join(name);
        let write = || -> io::Result<()> {
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        };
        write().map_err(system("writing a file for a program"))?;
        Ok(path)
    }

    fn heading(&self, options: &Options) -> Result<String, Error> {
        let output = Command::new(&self.ours).arg("--version").output().map_err(system("running ours"))?.stdout;
        let ours = String::from_utf8_lossy(&output);
        let of = |package| debian::version(package).unwrap_or_else(|| "of unknown version".to_owned());
        Ok(format!(
            "{} packets a second for {} s. Ours is {}; the others are Debian's ucarp {} and keepalived {}.",
            options.rate,
            options.length.as_secs(),
            ours.lines().next().unwrap_or("ucarp of unknown version"),
            of("ucarp"),
            of("keepalived")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let all = parse(&[]).unwrap();
        assert_eq!((all.rate, all.length, all.kinds.len()), (70_000, Duration::from_secs(10), 8));
        let some = parse(&["--rate", "10", "--seconds=5", "--kind", "TTL 64"]).unwrap();
        assert_eq!(some, Options { rate: 10, length: Duration::from_secs(5), kinds: vec![Forgery::BadTtl] });
        for wrong in
            [&["--rate"][..], &["--rate", "0"], &["--rate=1000001"], &["--seconds", "0"], &["--kind=x"], &["7"]]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
