//! The commands that only read.

use serde_json::Value;
use ucarp_control::types::{State, VirtualHost};

use crate::fake::{self, Fake};
use crate::{command, run, said};

#[test]
fn the_exit_status_tells_the_state() {
    for (state, expected) in [(State::Master, 0), (State::Backup, 1), (State::Fault, 2), (State::Init, 3)] {
        let daemon = Fake::start(vec![VirtualHost { state, ..fake::master() }]);
        for arguments in [&["status"][..], &["status", "-q"], &["status", "web"], &["status", "eth0/1", "--json"]] {
            assert_eq!(run(&daemon, arguments).status.code(), Some(expected), "{arguments:?} {state}");
        }
    }
}

#[test]
fn without_virtual_hosts_nothing_serves() {
    let daemon = Fake::start(Vec::new());
    assert_eq!(run(&daemon, &["status", "--quiet"]).status.code(), Some(3));
}

#[test]
fn a_pipe_gets_a_plain_table_and_a_colour_only_when_it_is_asked_for() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let output = run(&daemon, &["status"]);
    let (plain, errors, _) = said(&output);
    assert_eq!(errors, "");
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines.len(), 3, "{plain}");
    assert!(lines[2].ends_with("10.0.0.2 (advbase 1 advskew 0) was heard"), "nothing is cut: {plain}");
    let output = run(&daemon, &["status", "--colour", "always"]);
    assert!(said(&output).0.contains("\x1b[32mMASTER\x1b[0m"));
    let output = run(&daemon, &["--color=always", "explain", "mail"]);
    assert!(said(&output).0.contains("\x1b[36mBACKUP\x1b[0m"));
}

#[test]
fn json_has_all_that_the_daemon_told() {
    let daemon = Fake::start(vec![fake::master(), fake::held()]);
    let output = run(&daemon, &["status", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(document["daemon"]["host_name"], "alpha");
    assert_eq!(document["virtual_hosts"][1], serde_json::to_value(fake::held()).unwrap());
    let output = run(&daemon, &["peers", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(document[0]["peers"][0]["address"], "10.0.0.3");
    let output = run(&daemon, &["explain", "web", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(document["state"], "MASTER");
}

#[test]
fn explain_leaves_out_what_is_empty() {
    let daemon = Fake::start(vec![fake::backup()]);
    let output = run(&daemon, &["explain", "mail"]);
    let expected = "\
mail is BACKUP, for 4 s: 10.0.0.2 (advbase 1 advskew 0) was heard

What this was decided by
  * own interval 1.391s
  * interval of 10.0.0.2 1.000s

It becomes MASTER
  * 10.0.0.2 is silent for 3.391s: in 2.390s at the earliest

Not as it should be
  * 10.0.0.66 uses another password
";
    assert_eq!(said(&output), (expected, "", Some(0)));
}

#[test]
fn peers_are_listed_with_their_virtual_host() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let output = run(&daemon, &["peers"]);
    let expected = "\
VIRTUAL HOST  PEER      ROLE    RANK   DEMOTION  HEARD       ADVERTISEMENTS  STAMPED  MAC
web           10.0.0.3  -       1/100  0         1m 30s ago  1234            yes      02:00:00:00:00:03
mail          10.0.0.2  MASTER  1/0    0         610ms ago   1234            no       02:00:00:00:00:02
";
    assert_eq!(said(&output), (expected, "", Some(0)));
}

#[test]
fn events_are_the_last_ones() {
    let daemon = Fake::start(vec![fake::master()]);
    let output = run(&daemon, &["events", "-n", "2"]);
    let expected = "\
2023-11-14 22:13:22.000  web: bad digest from 10.0.0.66
2023-11-14 22:13:23.000  web: BACKUP -> MASTER: no master was heard for 3.000s
";
    assert_eq!(said(&output), (expected, "", Some(0)));
    let output = run(&daemon, &["events", "--json"]);
    let numbers: Vec<Value> = said(&output)
        .0
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")["number"].clone())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn what_other_hosts_say_does_not_steer_the_terminal() {
    let reason = "\x1b[2J\x1b]0;owned\x07".to_owned();
    let daemon = Fake::start(vec![VirtualHost { reason, ..fake::master() }]);
    for arguments in [&["status"][..], &["status", "web"], &["explain", "web"]] {
        let output = run(&daemon, arguments);
        assert!(!output.stdout.contains(&0x1b) && !output.stdout.contains(&7), "{arguments:?}");
    }
}

#[test]
fn a_daemon_that_is_not_there_is_no_state() {
    let daemon = Fake::start(vec![fake::master()]);
    daemon.stop();
    let output = run(&daemon, &["status"]);
    let (out, errors, status) = said(&output);
    assert_eq!((out, status), ("", Some(69)));
    assert!(errors.contains(daemon.socket().to_str().unwrap()) && errors.contains("does the daemon run"), "{errors}");
}

#[test]
fn a_name_that_is_not_known_is_no_state() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let output = run(&daemon, &["status", "wbe"]);
    let (out, errors, status) = said(&output);
    assert_eq!((out, status), ("", Some(65)));
    assert!(errors.contains("\"wbe\"") && errors.contains("web, mail"), "{errors}");
}

#[test]
fn a_wrong_command_line_is_no_state() {
    let daemon = Fake::start(vec![fake::master()]);
    for arguments in [&["stat"][..], &[], &["status", "--jsno"], &["status", "a", "b"], &["events", "-n", "x"]] {
        let output = run(&daemon, arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    for arguments in [&["--help"][..], &["status", "--help"], &["--version"]] {
        let output = run(&daemon, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_reason_for_a_message() {
    let daemon = Fake::start(vec![fake::master(); 2000]);
    let mut child = command(&daemon, &["status", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program can be run");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(said(&output), ("", "", Some(74)));
}

#[test]
fn bash_takes_its_completions() {
    let daemon = Fake::start(Vec::new());
    let output = run(&daemon, &["completions", "bash"]);
    let check = "source /dev/stdin; complete -p ucarpctl; \
                 COMP_WORDS=(ucarpctl hand) COMP_CWORD=1; _ucarpctl ucarpctl hand ucarpctl; echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "-c", check]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = bash.spawn().expect("there is bash");
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &output.stdout).expect("bash reads");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.trim_end().ends_with("hand-over"), "{text}");
    for (shell, sign) in [("zsh", "#compdef ucarpctl"), ("fish", "complete -c ucarpctl")] {
        let output = run(&daemon, &["completions", shell]);
        assert!(said(&output).0.contains(sign), "{shell}");
    }
}
