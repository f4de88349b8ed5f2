//! ucarpctl with real daemons.

mod real;
mod terminal;

use std::fs;
use std::process::Command;

use netlab::Signal;
use serde_json::Value;

use real::{Group, Node, SOON};
use terminal::Terminal;

#[test]
fn a_master_that_is_held_hands_over_and_takes_part_again_when_it_is_released() {
    let Some(Group { alpha, beta, .. }) = &Group::new() else { return };
    let (text, _) = beta.ctl(&["explain", "web"]);
    assert!(text.starts_with("web is BACKUP") && text.contains("It becomes MASTER"), "{text}");
    assert_eq!(alpha.ctl(&["hold", "eth0/1"]), (String::new(), Some(0)));
    alpha.wait_for_status(2);
    beta.wait_for_status(0);
    let (text, _) = alpha.ctl(&["explain", "1"]);
    assert!(text.starts_with("web is FAULT") && text.contains("operator"), "{text}");
    let (text, _) = beta.ctl(&["events", "web"]);
    assert!(text.lines().any(|line| line.contains("web: BACKUP -> MASTER: ")), "{text}");
    assert_eq!(alpha.ctl(&["release", "--all"]), (String::new(), Some(0)));
    alpha.wait_for_status(1);
    let (text, status) = alpha.ctl(&["status", "--json"]);
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((status, &document["virtual_hosts"][0]["master"]), (Some(1), &Value::from("10.0.0.3")));
}

#[test]
fn a_drill_on_two_hosts() {
    let Some(Group { alpha, beta, .. }) = &Group::new() else { return };
    // The other one has never been MASTER, so nothing is known of it.
    let (text, status) = alpha.ctl(&["drill", "web"]);
    assert!(status == Some(1) && text.contains("no other host was heard"), "{text}");
    let (text, status) = beta.ctl(&["drill", "web"]);
    assert!(status == Some(1) && text.contains("run it on the MASTER, 10.0.0.2"), "{text}");
    let (text, status) = alpha.ctl(&["drill", "web", "--peer", "10.0.0.3", "--stay", "1", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((status, &report["problems"]), (Some(0), &Value::Array(Vec::new())), "{text}");
    assert_eq!(
        (&report["legs"][0]["direction"], &report["legs"][1]["direction"]),
        (&"to 10.0.0.3".into(), &"back".into())
    );
    assert_eq!(report["found"][0]["mac"], "02:00:00:00:00:03");
    // Handed over with a goodbye: a fraction of the dead time of two seconds.
    let outage = report["legs"][0]["outages"][0]["outage_ms"].as_u64().expect("it was measured");
    assert!(outage < 1500, "{text}");
    eprintln!("{text}");
    // Now it was heard. A crash takes the dead time.
    let (text, status) = alpha.ctl(&["drill", "web", "--kill", "6000", "--stay", "1", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((status, &report["problems"]), (Some(0), &Value::Array(Vec::new())), "{text}");
    let outage = report["legs"][0]["outages"][0]["outage_ms"].as_u64().expect("it was measured");
    assert!((1000..6000).contains(&outage), "{text}");
    eprintln!("{text}");
    alpha.wait_for_status(0);
}

#[test]
fn a_reload_tells_what_is_wrong_and_a_daemon_that_has_ended_is_told_of() {
    let Some(Group { alpha, .. }) = &Group::new() else { return };
    let file = alpha.directory.join("ucarp.toml");
    let good = fs::read_to_string(&file).expect("it can be read");
    fs::write(&file, format!("{good}colour = 3\n")).expect("it can be written");
    let (text, status) = alpha.ctl(&["reload"]);
    assert!(status == Some(1) && text.contains("colour"), "{text}");
    fs::write(&file, good).expect("it can be written");
    assert_eq!(alpha.ctl(&["reload"]), (String::new(), Some(0)));
    assert_eq!(alpha.ctl(&["status", "-q"]).1, Some(0));
    alpha.process.signal(Signal::TERM).expect("it can be signalled");
    assert!(alpha.process.wait(SOON).expect("it can be waited for").is_some());
    let (text, status) = alpha.ctl(&["status"]);
    assert!(status == Some(69) && text.contains("control.sock"), "{text}");
}

/// `ucarpctl top` as a shell starts it: the terminal controls both, and the shell is there when it has ended.
fn top(node: &Node) -> Command {
    let plain = node.command(&["top"]);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "sh", "-c", "\"$@\"; echo \"ended with $?\"; read line", "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command
}

#[test]
fn top_follows_the_size_of_its_terminal_and_a_daemon_that_ends_and_comes_back() {
    let Some(mut group) = Group::new() else { return };
    let mut terminal = Terminal::new(100, 24);
    let _shell = terminal.run(top(&group.beta));
    terminal.wait_for_line("web eth0/1");
    terminal.wait_for_line("10.0.0.2");
    terminal.wait_for_line("BACKUP: ");
    let is_first = |lines: &[String], text: &str| lines[0].starts_with(text);
    terminal.wait_for_screen(|lines| is_first(lines, "h3: ucarp "));
    terminal.resize(60, 16);
    // The reason and the addresses have no room any more, and nothing is written beyond the edge.
    let fits = |lines: &[String]| lines.iter().all(|line| line.chars().skip(60).all(|character| character == ' '));
    let is_below = |lines: &[String]| lines[16..].iter().all(|line| line.trim().is_empty());
    terminal.wait_for_screen(|lines| fits(lines) && is_below(lines) && lines[15].starts_with("q quits"));
    assert!(!terminal.lines().iter().any(|line| line.contains("ADDRESSES")), "{:?}", terminal.lines());
    terminal.resize(100, 24);
    terminal.wait_for_line("ADDRESSES");

    assert_eq!(group.alpha.ctl(&["hand-over", "web"]).1, Some(0));
    terminal.wait_for_line("MASTER: 10.0.0.2 said goodbye");
    group.beta.process.signal(Signal::KILL).expect("it can be signalled");
    terminal.wait_for_screen(|lines| lines[0].contains("  ") && lines[0].contains("control.sock"));
    let daemon = group.daemon.clone();
    group.beta.restart(&daemon);
    terminal.wait_for_screen(|lines| is_first(lines, "h3: ucarp ") && !lines[0].contains("control.sock"));
    terminal.wait_for_line("BACKUP: ");
    terminal.press("q");
    terminal.wait_for("ended with 0");
    assert!(terminal.text().contains("\x1b[?1049l") && terminal.is_cooked());
}
