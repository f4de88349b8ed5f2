//! What ours is to reach, and whether it does.

use super::core;
use super::document::Records;
use super::group::Timers;
use super::markdown::{figure, table};
use super::outage::{self, BOTH, LEFT, OUTAGE, SILENCE};
use super::record::Key;
use super::scale::{self, BACKUP_CPU, BACKUP_MEMORY, MASTER_CPU, MASTER_MEMORY};
use super::statistics::{median, most, percentile};
use super::takeover::{self, DEADLINE_FIRST, DEADLINE_LAST, GOODBYE_FIRST};
use super::workshop::Program;

/// What a BACKUP of ours with the advskew of this bench, 26, waits at most before it follows a goodbye, in ms: 4 at random, so
/// that several do not take over at once, and 4 by its advskew of 256. That is the protocol's time and not its overhead.
const SPREAD: f64 = 4.4;

/// A limit, and what was measured, in the same unit; `None` if it was not.
#[derive(Clone)]
struct Target {
    what: String,
    limit: Option<f64>,
    measured: Option<f64>,
    unit: &'static str,
}

/// All targets as a table.
pub(super) fn write(all: &Records) -> String {
    let heading = ["target", "at most", "measured", "holds"].map(str::to_owned).to_vec();
    let targets = [outages(all), kills(all), overheads(all), costs(all)].concat();
    let rows = targets.iter().map(|target| {
        let (limit, measured) = (target.limit.map(figure), target.measured.map(figure));
        let holds = match (target.limit, target.measured) {
            (Some(limit), Some(measured)) if measured <= limit => "yes",
            (Some(_), Some(_)) => "**no**",
            _ => "-",
        };
        let with_unit = |value: Option<String>| match value {
            Some(value) => format!("{value} {}", target.unit).trim_end().to_owned(),
            None => "-".to_owned(),
        };
        vec![target.what.clone(), with_unit(limit), with_unit(measured), holds.to_owned()]
    });
    table(&[vec![heading], rows.collect()].concat(), 1)
}

fn target(what: &str, limit: f64, measured: Option<f64>, unit: &'static str) -> Target {
    Target { what: what.to_owned(), limit: Some(limit), measured, unit }
}

/// The figures of an event with ours.
fn of<'a>(all: &'a Records, timers: Timers, event: &str, figure: &str) -> &'a [f64] {
    let key = Key { setting: outage::name(timers), case: event, program: Program::Ours.name() };
    all.get("outage").values(key, figure)
}

fn outages(all: &Records) -> Vec<Target> {
    let usual = |event| median(of(all, Timers::Default, event, OUTAGE));
    let silence = most(of(all, Timers::Default, "host crash", SILENCE));
    let frozen = most(of(all, Timers::Default, "frozen for 10 s", BOTH));
    let fastest = median(of(all, Timers::Fastest, "host crash", OUTAGE));
    vec![
        target("planned stop, 1 s timers: median outage", 10.0, usual("planned stop"), "ms"),
        target("role swap, 1 s timers: median outage", 10.0, usual("role swap"), "ms"),
        target("host crash, 1 s timers: last advertisement to gratuitous ARP, most", 3010.0, silence, "ms"),
        target("host crash, fastest stable timers: median outage", 25.0, fastest, "ms"),
        target("frozen, 1 s timers: both hold the address, most", 500.0, frozen, "ms"),
    ]
}

fn kills(all: &Records) -> Vec<Target> {
    let events = ["all processes killed", "network process killed", "parent process killed"];
    let each = events.into_iter().flat_map(|event| {
        let measured = |figure| most(of(all, Timers::Default, event, figure));
        [
            target(&format!("{event}, 1 s timers: outage, most"), 50.0, measured(OUTAGE), "ms"),
            target(&format!("{event}, 1 s timers: addresses left"), 0.0, measured(LEFT), ""),
        ]
    });
    each.collect()
}

fn overheads(all: &Records) -> Vec<Target> {
    let late = |count, figure| {
        let case = takeover::name(count);
        let key = Key { setting: "", case: &case, program: Program::Ours.name() };
        percentile(all.get("takeover").values(key, figure), 99)
    };
    vec![
        target("takeover, 1 address: deadline to gratuitous ARP, p99", 1.0, late(1, DEADLINE_FIRST), "ms"),
        target(
            "takeover, 1 address: goodbye to gratuitous ARP, p99, 1 ms over the spread",
            1.0 + SPREAD,
            late(1, GOODBYE_FIRST),
            "ms",
        ),
        target("takeover, 255 addresses: deadline to the last one, p99", 20.0, late(255, DEADLINE_LAST), "ms"),
    ]
}

fn costs(all: &Records) -> Vec<Target> {
    let many = scale::name(255).unwrap_or_default();
    let cost = |program: Program, figure| {
        median(all.get("scale").values(Key { setting: "", case: &many, program: program.name() }, figure))
    };
    let third = |what: &str, figure| {
        let limit = cost(Program::Keepalived, figure).map(|cost| cost / 3.0);
        Target { what: what.to_owned(), limit, measured: cost(Program::Ours, figure), unit: "ms a minute" }
    };
    let same = |what: &str, figure| {
        let limit = cost(Program::Keepalived, figure);
        Target { what: what.to_owned(), limit, measured: cost(Program::Ours, figure), unit: "MiB" }
    };
    let verify = |authentication| {
        let key = Key { setting: "", case: authentication, program: Program::Ours.name() };
        median(all.get("core").values(key, core::VERIFY))
    };
    vec![
        third("255 virtual hosts, CPU of the master: a third of keepalived's", MASTER_CPU),
        third("255 virtual hosts, CPU of the backup: a third of keepalived's", BACKUP_CPU),
        same("255 virtual hosts, PSS of the master: keepalived's", MASTER_MEMORY),
        same("255 virtual hosts, PSS of the backup: keepalived's", BACKUP_MEMORY),
        target("an advertisement verified, `classic`", 6000.0, verify("classic"), "instructions"),
        target("an advertisement verified, `observe`", 6000.0, verify("observe"), "instructions"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::record::Record;
    use super::*;

    #[test]
    fn a_target_holds_is_missed_or_was_not_measured() {
        let mut record = Record::unkept("outage");
        for (case, value) in [("planned stop", 10.0), ("role swap", 10.5)] {
            record.add(Key { setting: "1 s timers", case, program: "ours" }, OUTAGE, value);
        }
        let mut scale = Record::unkept("scale");
        for (program, value) in [("ours", 117.0), ("keepalived", 351.0)] {
            scale.add(Key { setting: "", case: "255 virtual hosts", program }, MASTER_CPU, value);
        }
        let text = write(&Records::of(vec![record, scale]));
        let row = |name: &str| {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>()[2..5].to_vec()
        };
        assert_eq!(row("planned stop"), ["10 ms", "10 ms", "yes"]);
        assert_eq!(row("role swap"), ["10 ms", "10.5 ms", "**no**"]);
        assert_eq!(row("CPU of the master"), ["117 ms a minute", "117 ms a minute", "yes"]);
        assert_eq!(row("CPU of the backup"), ["-", "-", "-"]);
    }
}
