//! Many virtual hosts: what they cost, and how soon all of them have moved. Ours, Debian's `ucarp` and `keepalived` take
//! turns on the same two hosts.

mod cycle;
mod network;
mod program;
mod report;

use std::fmt;
use std::time::Duration;

use super::error::Error;
use super::options::Options;
use super::progress::Progress;
use super::record::{Key, Record};
use super::workshop::{Program, Workshop};
use program::Files;
pub(super) use report::{BACKUP_CPU, BACKUP_MEMORY, FIGURES, MASTER_CPU, MASTER_MEMORY};

const RUNS: usize = 3;
const STEADY: Duration = Duration::from_secs(15);
/// How many virtual hosts there are, and what that is called.
pub(super) const HOSTS: [u16; 4] = [1, 50, 255, 4080];
/// vhids are numbers of one octet, and 0 is none.
const MOST_PER_INTERFACE: u16 = 255;
const MOST_INTERFACES: u16 = 16;
/// Those of which the programs serve as many.
const PROGRAMS: [Program; 3] = [Program::Ours, Program::Ucarp, Program::Keepalived];

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
        if self.interfaces == 1 { &PROGRAMS } else { &[Program::Ours] }
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

/// What so many virtual hosts are called in records.
pub(super) fn name(hosts: u16) -> Option<String> {
    Load::new(hosts).map(|load| load.to_string())
}

/// Measures every number of virtual hosts with every program in turn.
pub(super) fn measure(workshop: &Workshop, options: &Options, record: &mut Record) -> Result<(), Error> {
    let files = Files::make(workshop, &PROGRAMS)?;
    let all = HOSTS.into_iter().filter_map(Load::new);
    let all = all.flat_map(|load| load.programs().iter().map(move |program| (load, *program)));
    let plan: Vec<(Load, Program)> =
        all.filter(|(load, program)| options.wants(&format!("{load}, {}", program.name()))).collect();
    let (runs, steady) = (options.runs_or(RUNS), options.length_or(STEADY));
    let mut progress = Progress::new(runs * plan.len());
    for _ in 0..runs {
        for (load, program) in &plan {
            let case = load.to_string();
            let label = format!("{case}, {}", program.name());
            progress.begin(&label);
            let measured = cycle::measure(&files, *program, *load, steady)?;
            progress.end(&label, &measured.to_string());
            report::add(record, Key { setting: "", case: &case, program: program.name() }, &measured);
            record.save()?;
        }
    }
    Ok(())
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
        assert!(HOSTS.into_iter().all(|hosts| name(hosts).is_some()));
        for wrong in [0, 256, 300, 512, 4079, 4335, 65535] {
            assert_eq!(load(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_ours_serves_several_interfaces() {
        assert_eq!(Load::new(255).unwrap().programs().len(), 3);
        assert_eq!(Load::new(4080).unwrap().programs(), [Program::Ours]);
    }
}
