use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use ucarp_control::types::{Check, Contribution, Peer, Script};

use super::*;
use crate::exporter::testing::{status, virtual_host};

/// A virtual host that has something of everything.
fn full(state: State) -> VirtualHost {
    VirtualHost {
        demotion: vec![Contribution { name: "gateway".into(), demotion: 50 }],
        peers: vec![Peer {
            address: "10.0.0.2".into(),
            mac: None,
            advbase: 1,
            advskew: 0,
            demotion: 0,
            heard_ago: 250,
            advertisements: 7,
            is_master: true,
            stamped: true,
        }],
        checks: vec![Check {
            name: "gateway".into(),
            kind: "ping".into(),
            state: CheckState::Down,
            since: 1,
            ran_ago: Some(1),
            took: Some(1500),
            result: "no answer".into(),
            effect: "demote by 50".into(),
        }],
        script: Some(Script {
            action: "up".into(),
            started_ago: 5,
            took: Some(20),
            outcome: Some("exit status 0".into()),
        }),
        counters: BTreeMap::from([("badauth".to_owned(), 4), ("ipackets".to_owned(), 123)]),
        ..virtual_host(state)
    }
}

#[test]
fn a_daemon_that_does_not_answer_is_down_and_nothing_else() {
    let text = render(&Status::down("no such file"), Format::Prometheus);
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, ["ucarp_up 0", concat!("ucarp_exporter_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")]);
}

#[test]
fn what_dashboards_are_built_on_is_there() {
    let text = render(&status("alpha", vec![full(State::Master)]), Format::Prometheus);
    let host = "virtual_host=\"web\",interface=\"eth0\",vhid=\"1\"";
    for sample in [
        "ucarp_up 1".into(),
        "ucarp_daemon_info{version=\"0.1.0\",host_name=\"alpha\"} 1".into(),
        "ucarp_start_time_seconds 1000".into(),
        format!("ucarp_state{{{host},state=\"MASTER\"}} 1"),
        format!("ucarp_state{{{host},state=\"BACKUP\"}} 0"),
        format!("ucarp_state_timestamp_seconds{{{host}}} 1400"),
        format!("ucarp_transitions_total{{{host}}} 3"),
        format!("ucarp_held{{{host}}} 0"),
        format!("ucarp_advertised_skew{{{host}}} 100"),
        format!("ucarp_demotion{{{host},cause=\"gateway\"}} 50"),
        format!("ucarp_dead_time_seconds{{{host}}} 3.391"),
        format!("ucarp_address_held{{{host},address=\"10.0.0.100/24\"}} 1"),
        format!("ucarp_address_removals_total{{{host},address=\"10.0.0.100/24\"}} 2"),
        format!("ucarp_peer_masters{{{host}}} 1"),
        format!("ucarp_peer_silence_seconds{{{host},peer=\"10.0.0.2\"}} 0.25"),
        format!("ucarp_check_state{{{host},check=\"gateway\",kind=\"ping\",state=\"DOWN\"}} 1"),
        format!("ucarp_check_duration_seconds{{{host},check=\"gateway\",kind=\"ping\"}} 1.5"),
        format!("ucarp_script_running{{{host},action=\"up\"}} 0"),
        format!("ucarp_packets_total{{{host},counter=\"badauth\"}} 4"),
    ] {
        assert!(text.lines().any(|line| line == sample), "no {sample:?} in\n{text}");
    }
}

#[test]
fn every_family_is_declared_once_and_every_sample_is_there_once() {
    let hosts = vec![full(State::Master), VirtualHost { interface: "eth1".into(), ..full(State::Backup) }];
    let text = render(&status("alpha", hosts), Format::Prometheus);
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let key = if line.starts_with('#') {
            line.split(' ').take(3).collect()
        } else {
            line.rsplit_once(' ').unwrap().0.to_owned()
        };
        assert!(seen.insert(key), "twice: {line}");
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    let text = render(&status("alpha", vec![full(State::Master)]), Format::Prometheus);
    let spawned = Command::new(std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".into()))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match spawned {
        Ok(promtool) => promtool,
        // CI has it: cargo xtask test installs it, and names it where it cannot.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            println!("skipped: promtool is not installed");
            return;
        }
        Err(error) => panic!("promtool: {error}"),
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said));
}
