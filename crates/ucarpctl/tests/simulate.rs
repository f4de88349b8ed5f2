//! `ucarpctl simulate` with files as people have them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const HOST: &str = "[virtual-host.web]\nvhid = 1\ninterface = \"eth0\"\naddresses = [\"192.0.2.254\"]\n\
                    password-file = \"/etc/ucarp/password\"\n";

/// Files `a.toml` and so on.
fn group(hosts: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, more) in ["a", "b", "c"].iter().zip(hosts) {
        write(directory.path(), name, &format!("{HOST}{more}"));
    }
    directory
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(format!("{name}.toml")), text).expect("it can be written");
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucarpctl"));
    command.arg("simulate").args(arguments).current_dir(directory).output().expect("the program can be run")
}

#[track_caller]
fn played(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

#[test]
fn a_master_that_dies_is_replaced_after_the_dead_time() {
    let group = group(&["advskew = 0\npreempt = true", "advskew = 100\npreempt = true"]);
    let text = played(group.path(), &["a.toml", "b.toml", "--fault", "kill:a@10s+20s"]);
    assert!(text.starts_with("vhid 1 (web): 192.0.2.254\n\na |"), "{text}");
    for part in [
        "0.000 s  a  BACKUP: the link is up",
        "3.000 s  a  MASTER: no master was heard for 3.000s",
        "10.000 s  a  is away",
        "b  MASTER: 169.254.255.1 (advbase 1 advskew 0) was silent for 3.391s",
        "30.000 s  a  starts",
        "a  MASTER: preempting 169.254.255.2 (advbase 1 advskew 100), which is slower",
        "nobody was MASTER: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("warning"), "{text}");
    // Until the other one hears it, after half a millisecond at the most.
    let several: f64 = text.split("two were MASTER:   ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(several < 0.002, "{text}");
    assert_eq!(played(group.path(), &["a.toml", "b.toml", "--fault", "kill:a@10s+20s"]), text, "the same seed");
}

#[test]
fn what_does_not_fit_together_is_told() {
    let cases = [
        (["", ""], "a and b have the same advbase and advskew (advbase 1 advskew 0)"),
        (
            ["advskew = 1", "advbase = 9"],
            "a waits for 3.004s and b advertises every 9.000s: a takes over whenever b is MASTER",
        ),
        (["dead-ratio = 1", "advskew = 128"], "a waits for 1.005s and b advertises every 1.500s: a takes over"),
        (
            ["advskew = 1\nauthentication = \"strict\"", "authentication = \"classic\""],
            "one is strict and the other classic",
        ),
        (["advskew = 1", "group = \"224.0.0.99\""], "have different multicast groups"),
        (["advskew = 1", "transport = \"broadcast\""], "have different `transport`"),
        (["advskew = 1\npreempt = true", ""], "have different `preempt`"),
        (["advbase = 0\nadvskew = 5", "advskew = 9"], "a waits for 58.594ms only"),
        (["advskew = 1\nsync-group = \"x\"", ""], "`sync-group` is left out"),
    ];
    for (hosts, wanted) in cases {
        let group = group(&hosts);
        let text = played(group.path(), &["a.toml", "b.toml"]);
        assert!(text.contains(wanted), "{hosts:?}: {text}");
    }
}

#[test]
fn other_addresses_and_passwords_are_two_masters() {
    let directory = group(&["advskew = 1"]);
    let inline =
        |password: &str| HOST.replace("password-file = \"/etc/ucarp/password\"", &format!("password = \"{password}\""));
    write(directory.path(), "more", &HOST.replace("[\"192.0.2.254\"]", "[\"192.0.2.254\", \"192.0.2.253\"]"));
    write(directory.path(), "x", &inline("one"));
    write(directory.path(), "y", &format!("{}advskew = 7\n", inline("two")));
    for (files, wanted) in [
        (["a.toml", "more.toml"], "a has [] alone, more has [192.0.2.253] alone"),
        (["x.toml", "y.toml"], "x and y have different passwords, and do not believe each other"),
    ] {
        let text = played(directory.path(), &[files[0], files[1], "--for", "33s"]);
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains("two were MASTER:   29.9") || text.contains("two were MASTER:   30.0"), "{text}");
        assert!(!text.contains("one\"") && !text.contains("two\""), "{text}");
    }
    // One password in the file and one elsewhere count as the same.
    let text = played(directory.path(), &["a.toml", "x.toml"]);
    assert!(text.contains("two were MASTER:   never"), "{text}");
}

#[test]
fn unicast_hosts_are_known_by_the_peers_of_the_others() {
    let unicast = |skew: u32, peer: &str| format!("advskew = {skew}\ntransport = \"unicast\"\npeers = [\"{peer}\"]\n");
    let right = group(&[&unicast(0, "192.0.2.2"), &unicast(9, "192.0.2.1")]);
    let text = played(right.path(), &["a.toml", "b.toml", "--fault", "hand-over:a@10s"]);
    assert!(text.contains("b  MASTER: 192.0.2.1 said goodbye") && !text.contains("warning"), "{text}");
    let wrong = group(&[
        &format!("{}source = \"192.0.2.1\"\n", unicast(0, "192.0.2.9")),
        &format!("{}source = \"192.0.2.2\"\n", unicast(9, "192.0.2.1")),
    ]);
    let text = played(wrong.path(), &["a.toml", "b.toml"]);
    assert!(text.contains("a does not have b among its `peers`: it does not advertise to it"), "{text}");
}

#[test]
fn every_fault_can_be_played() {
    let group = group(&["advskew = 0", "advskew = 50", "advskew = 100"]);
    for what in ["kill:a", "stop:a", "hang:a", "cable:a", "cut:a", "deaf:b", "mute:a", "loss:90%"] {
        let fault = format!("{what}@10s+10s");
        let text = played(group.path(), &["a.toml", "b.toml", "c.toml", "--fault", &fault]);
        let takeovers = text.lines().filter(|line| line.contains("  MASTER: ")).count();
        assert!(takeovers >= 2, "{fault}: {text}");
    }
}

#[test]
fn groups_are_made_by_vhid_and_drawn_below_each_other() {
    let directory = group(&["advskew = 1", "advskew = 2"]);
    let other = HOST
        .replace("web", "mail <&>")
        .replace("mail <&>", "mail")
        .replace("vhid = 1", "vhid = 2")
        .replace("254", "253");
    write(directory.path(), "a", &format!("{HOST}advskew = 1\n{other}"));
    let text = played(directory.path(), &["a.toml", "b.toml", "--svg", "picture.svg", "--fault", "kill:b@5s"]);
    assert!(text.contains("vhid 1 (web)") && text.contains("vhid 2 (mail)"), "{text}");
    assert!(text.contains("a is alone: no other file has this vhid"), "{text}");
    let picture = fs::read_to_string(directory.path().join("picture.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    for part in [
        "vhid 1 (web): 192.0.2.254",
        "vhid 2 (mail): 192.0.2.253",
        "<title>MASTER from 3.0",
        "<title>away from 5.000 s to ",
    ] {
        assert!(picture.contains(part), "{part}: {picture}");
    }
    assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
}

#[test]
fn wrong_calls_are_told() {
    let directory = group(&["advskew = 1", "advskew = 300"]);
    let says = |arguments: &[&str], status: i32, wanted: &str| {
        let output = run(directory.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    };
    says(&["a.toml", "b.toml"], 1, "`advskew` must be a whole number from 0 to 255, not 300");
    says(&["nothing.toml"], 69, "cannot read nothing.toml: No such file");
    says(&["a.toml", "a.toml"], 64, "a file is given twice");
    says(&["a.toml", "--fault", "kill:z@1s"], 64, "there is no host z: use one of a");
    says(&["a.toml", "--fault", "burn:a@1s"], 64, "burn is no fault: use one of kill");
    says(&["a.toml", "--for", "0s"], 64, "play for longer than no time");
    says(&["a.toml", "--svg", "no/where.svg"], 74, "cannot write no/where.svg");
}

/// Files of the same name in directories of the hosts.
#[test]
fn hosts_are_told_apart_by_their_directories_if_need_be() {
    let directory = tempfile::tempdir().unwrap();
    for (host, skew) in [("alpha", 1), ("beta", 2)] {
        fs::create_dir(directory.path().join(host)).unwrap();
        write(&directory.path().join(host), "ucarp", &format!("{HOST}advskew = {skew}\n"));
    }
    let text = played(directory.path(), &["alpha/ucarp.toml", "beta/ucarp.toml", "--fault", "stop:alpha/ucarp@9s"]);
    assert!(text.contains("beta/ucarp   MASTER: 169.254.255.1 said goodbye"), "{text}");
}
