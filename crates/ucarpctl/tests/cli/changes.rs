//! The commands that change something.

use serde_json::json;
use ucarp_control::Refusal;

use crate::fake::{self, Fake};
use crate::{run, said};

#[test]
fn each_command_calls_its_method() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let cases = [
        (&["demote", "web", "--by", "30"][..], "Demote", json!({ "virtual_host": "web", "name": null, "by": 30 })),
        (
            &["demote", "--all", "--name", "backup job"],
            "Demote",
            json!({ "virtual_host": null, "name": "backup job", "by": 240 }),
        ),
        (&["promote", "eth0/1"], "Promote", json!({ "virtual_host": "eth0/1", "name": null })),
        (
            &["promote", "--all", "--name", "backup job"],
            "Promote",
            json!({ "virtual_host": null, "name": "backup job" }),
        ),
        (&["hold", "1"], "Hold", json!({ "virtual_host": "1" })),
        (&["release", "--all"], "Release", json!({ "virtual_host": null })),
        (&["hand-over", "web"], "HandOver", json!({ "virtual_host": "web" })),
        (&["announce", "web"], "Announce", json!({ "virtual_host": "web" })),
        (&["log-level", "debug"], "SetLogLevel", json!({ "level": "debug" })),
    ];
    for (arguments, method, parameters) in cases {
        let output = run(&daemon, arguments);
        assert_eq!(said(&output), ("", "", Some(0)), "{arguments:?}");
        let change = daemon.world.lock().unwrap().changes.pop();
        assert_eq!(change, Some((method.to_owned(), parameters)), "{arguments:?}");
    }
}

#[test]
fn that_all_are_meant_has_to_be_said() {
    let daemon = Fake::start(vec![fake::master()]);
    for arguments in
        [&["hold"][..], &["hold", "web", "--all"], &["demote", "--by", "3"], &["demote", "web", "--by", "0"]]
    {
        assert_eq!(run(&daemon, arguments).status.code(), Some(64), "{arguments:?}");
    }
    assert!(daemon.world.lock().unwrap().changes.is_empty());
}

#[test]
fn a_refusal_says_why_and_who_may() {
    let daemon = Fake::start(vec![fake::master()]);
    let refusal = Refusal::NotPermitted { method: "io.ucarp.Hold".into(), needs: "root".into() };
    daemon.world.lock().unwrap().refusal = Some(refusal);
    let output = run(&daemon, &["hold", "web"]);
    assert_eq!(said(&output), ("", "ucarpctl: io.ucarp.Hold is for root\n", Some(77)));
    daemon.world.lock().unwrap().refusal = Some(Refusal::NotPossible { reason: "web is not MASTER".into() });
    let output = run(&daemon, &["announce", "web"]);
    assert_eq!(said(&output), ("", "ucarpctl: web is not MASTER\n", Some(75)));
}

#[test]
fn a_reload_prints_what_is_wrong() {
    let daemon = Fake::start(vec![fake::master()]);
    assert_eq!(said(&run(&daemon, &["reload"])), ("", "", Some(0)));
    daemon.world.lock().unwrap().problems = vec!["ucarp.toml:3: no such key\n  colour = 1".into()];
    // What is only to be known does not stop it.
    assert_eq!(said(&run(&daemon, &["reload"])), ("ucarp.toml:3: no such key\n  colour = 1\n", "", Some(0)));
    daemon.world.lock().unwrap().is_wrong = true;
    assert_eq!(said(&run(&daemon, &["reload"])), ("ucarp.toml:3: no such key\n  colour = 1\n", "", Some(1)));
}
