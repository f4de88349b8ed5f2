//! What comes with the exporter: alert rules, a dashboard and a manual page. They name what there is.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output};
use std::{env, fs, io};

use crate::daemon::workspace;

/// Names of metrics in the source, so that none is forgotten here.
fn metrics() -> BTreeSet<String> {
    let source = include_str!("../../src/exporter/metrics.rs");
    let names = |text: &str| {
        text.split('"').skip(1).step_by(2).filter(|name| name.starts_with("ucarp_")).map(str::to_owned).collect()
    };
    let mut all: BTreeSet<String> = names(source);
    let counters = ["ucarp_transitions", "ucarp_address_removals", "ucarp_packets"];
    for counter in counters {
        assert!(all.remove(counter), "{counter}");
        all.insert(format!("{counter}_total"));
    }
    all
}

/// The words of a text that begin like a metric.
fn used(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("ucarp_")).map(str::to_owned).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// Has promtool look at metrics, about which it must have nothing to say.
pub(crate) fn check_metrics(metrics: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(metrics.as_bytes()).unwrap();
    let input = file.reopen().unwrap();
    let mut command = Command::new(env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned()));
    judge("promtool", command.args(["check", "metrics"]).stdin(input).output());
}

/// Runs a checker that must have nothing to say. Where it is not installed there is nothing to run; in CI that is a
/// failure.
fn checked(variable: &str, program: &str, arguments: &[&str], file: &str) {
    let program = env::var(variable).unwrap_or_else(|_| program.to_owned());
    judge(&program, Command::new(&program).args(arguments).arg(workspace().join(file)).output());
}

fn judge(program: &str, outcome: io::Result<Output>) {
    match outcome {
        Ok(output) => {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{program}: {said}");
            assert!(!said.contains("WARNING") && !said.contains("lint"), "{program}: {said}");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os("CI").is_none() => {
            println!("skipped: {program} is not installed");
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn alert_rules_are_valid_and_of_metrics_that_there_are() {
    let rules = "examples/prometheus/ucarp.rules.yml";
    let unknown: Vec<_> = used(&read(rules)).difference(&metrics()).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
    checked("PROMTOOL", "promtool", &["check", "rules"], rules);
}

#[test]
fn alerts_fire_when_they_should() {
    checked("PROMTOOL", "promtool", &["test", "rules"], "examples/prometheus/ucarp.rules.test.yml");
}

#[test]
fn the_dashboard_is_json_and_of_metrics_that_there_are() {
    let text = read("examples/grafana/ucarp.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() >= 6));
    let unknown: Vec<_> = used(&text).difference(&metrics()).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn every_metric_is_documented() {
    let documented = used(&read("docs/monitoring.md"));
    let missing: Vec<_> = metrics().difference(&documented).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_manual_page_has_every_option_and_is_clean() {
    let page = read("man/ucarp-exporter.8");
    let help = Command::new(env!("CARGO_BIN_EXE_ucarp-exporter")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options: BTreeSet<_> = help.split_whitespace().filter_map(|word| word.strip_prefix("--")).collect();
    assert!(options.contains("listen") && options.contains("peer"), "{help}");
    let described: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix(".It Fl")).flat_map(str::split_whitespace).collect();
    for option in options {
        assert!(described.contains(&*format!("-{option}")), "no entry of --{option}");
    }
    checked("MANDOC", "mandoc", &["-T", "lint", "-W", "warning,stop"], "man/ucarp-exporter.8");
}
