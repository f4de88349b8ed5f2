//! `ucarpctl simulate`: configurations of the hosts of a group, played through the simulator.
//!
//! The nodes are the core of the daemon with exactly these settings; the network between them is simulated. Virtual hosts
//! with the same vhid in different files are a group, and each group is played by itself.

mod compare;
mod fault;
mod group;
mod report;
mod svg;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use carp_sim::stage::{self, Incident};
use ucarp::config::{self, Loaded};

use crate::failure::{Failure, OUTPUT, USAGE};
use crate::input;
use fault::Fault;
use group::Group;
use svg::Panel;

/// How long a play goes on after the last fault, beside dead times.
const CALM: Duration = Duration::from_secs(20);
/// The shortest play unless it is said how long it is.
const SHORTEST: Duration = Duration::from_secs(30);

/// Play configurations of a group through the simulator: who is MASTER when, and for how long nobody or two
///
/// Nothing is sent. Password files are not read: they count as the same. Files of conf.d are not read either: give them too
/// if they have the group.
#[derive(Debug, clap::Args)]
#[command(after_help = fault::SYNTAX)]
pub(crate) struct Arguments {
    /// The configuration file of each host
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// What befalls them, as kill:HOST@10s; can be given several times
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// How long to play; 20 s after the last fault, and at least 30 s, unless given
    #[arg(long = "for", value_name = "TIME", value_parser = fault::duration)]
    length: Option<Duration>,
    /// What is left to chance: another number is another play
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw the timeline into this file as well
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Exits with 0 if the files could be read, and otherwise with 1.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let names = names(&arguments.file)?;
    let incidents = arguments.fault.iter().map(|fault| fault.incident(&names)).collect::<Result<Vec<_>, _>>();
    let incidents = incidents.map_err(|text| Failure::new(USAGE, text))?;
    let mut files = Vec::new();
    for path in &arguments.file {
        match config::parse(&input::read(path)?) {
            Ok(loaded) => files.push(loaded),
            Err(problems) => {
                eprintln!("{} (ucarp.toml below):\n{problems}", path.display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let groups = group::groups(&names, &files);
    let length = arguments.length.unwrap_or_else(|| length(&arguments.fault, &files));
    if length.is_zero() {
        return Err(Failure::new(USAGE, "--for 0s: play for longer than no time"));
    }
    let mut panels = Vec::new();
    for group in &groups {
        panels.push(play(group, &names, &incidents, length, arguments.seed, out)?);
    }
    if let Some(path) = &arguments.svg {
        let failed = |error| Failure::new(OUTPUT, format!("cannot write {}: {error}", path.display()));
        fs::write(path, svg::draw(&panels, length)).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the hosts are called: as their files, or as the paths of these if some files have the same name.
fn names(files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let whole = |path: &PathBuf| path.with_extension("").to_string_lossy().into_owned();
    let is_unique = |names: &Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let candidates = [files.iter().map(stem).collect(), files.iter().map(whole).collect()];
    candidates
        .into_iter()
        .find(is_unique)
        .ok_or_else(|| Failure::new(USAGE, "a file is given twice: give each host's once"))
}

fn length(faults: &[Fault], files: &[Loaded]) -> Duration {
    let last = faults.iter().map(Fault::end).max().unwrap_or_default();
    let hosts = files.iter().flat_map(|file| &file.settings.hosts);
    let dead = hosts.map(|host| host.interval.master_down(host.dead_ratio)).max().unwrap_or_default();
    (last + CALM + dead.saturating_mul(2).min(Duration::from_secs(3600))).max(SHORTEST)
}

/// Plays a group and tells of it.
fn play(
    group: &Group<'_>,
    names: &[String],
    incidents: &[Incident],
    length: Duration,
    seed: u64,
    out: &mut dyn Write,
) -> Result<Panel, Failure> {
    let own: Vec<String> = group.members.iter().map(|member| member.name.to_owned()).collect();
    let place = |who: usize| own.iter().position(|name| *name == names[who]);
    let incidents: Vec<Incident> = incidents.iter().filter_map(|incident| for_group(incident, place)).collect();
    let play = stage::play(seed, &group.actors(), &incidents, length);
    let spans = report::spans(&play, own.len(), length);
    writeln!(out, "{}", group.title)?;
    for remark in compare::compare(&group.members).into_iter().chain(group.remarks.iter().cloned()) {
        writeln!(out, "  warning: {remark}")?;
    }
    writeln!(out, "\n{}", report::timeline(&own, &spans, length, columns()))?;
    writeln!(out, "# MASTER  . BACKUP  - not in the group, or away if blank\n")?;
    writeln!(out, "{}", report::changes(&own, &play))?;
    writeln!(out, "{}", report::summary(&report::sum(&spans, length)))?;
    Ok(Panel { title: group.title.clone(), names: own, spans })
}

/// The incident with the places of this group; `None` if it is about somebody else.
fn for_group(incident: &Incident, place: impl Fn(usize) -> Option<usize>) -> Option<Incident> {
    use stage::Trouble::{Cable, Cut, Deaf, HandOver, Hang, Kill, Loss, Mute, Stop};
    let trouble = match incident.trouble {
        Kill(who) => Kill(place(who)?),
        Stop(who) => Stop(place(who)?),
        Hang(who) => Hang(place(who)?),
        Cable(who) => Cable(place(who)?),
        Cut(who) => Cut(place(who)?),
        Deaf(who) => Deaf(place(who)?),
        Mute(who) => Mute(place(who)?),
        HandOver(who) => HandOver(place(who)?),
        Loss(rate) => Loss(rate),
    };
    Some(Incident { trouble, ..*incident })
}

/// The width of the terminal as the shell knows it, and otherwise 80.
fn columns() -> usize {
    let told = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.filter(|_| io::stdout().is_terminal()).unwrap_or(80)
}
