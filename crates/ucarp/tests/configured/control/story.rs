//! What the daemon does and is told is an event, so that an operator need not read the log.

use super::*;

/// Waits for an event of this kind whose message contains `text`.
#[track_caller]
fn wait_for_event(node: &Node, kind: &str, text: &str) -> Event {
    let mut all = Vec::new();
    let mut found = None;
    wait_until(SOON, || {
        all = history(node);
        found = all.iter().rev().find(|event| event.kind == kind && event.message.contains(text)).cloned();
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("no {kind} with {text:?} in {all:#?}\n{}", node.said()))
}

#[test]
fn scripts_commands_reloads_removals_and_the_end_of_an_engine_are_events() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    let up = node.write_script("up.sh", "exit 3");
    let config = web(&[VIP], &format!("{EAGER}\nup = {up:?}"));
    node.start(&config);
    let started = wait_for_event(&node, "script", "the up script was started");
    let ended = wait_for_event(&node, "script", "the up script has ended after");
    assert!(ended.number > started.number && ended.message.contains("exit status 3"), "{ended:?}");
    assert_eq!((ended.virtual_host.as_deref(), ended.vhid, ended.cause.as_str()), (Some("web"), Some(1), "script"));
    let script = status(&node).script.expect("one ran");
    assert_eq!((script.action.as_str(), script.outcome.as_deref()), ("up", Some("exit status 3")));

    node.run("ip", &["address", "delete", "10.0.0.100/32", "dev", "eth0"]);
    assert_eq!(wait_for_event(&node, "address", "10.0.0.100 was removed by somebody else").vhid, Some(1));
    told(&node, &SetLogLevel { level: "info".into() });
    assert_eq!(wait_for_event(&node, "command", "the log level is info").cause, "log-level");
    // A warning, of a lease that is longer than the dead time, does not stop it.
    let reloaded = told(&node, &Reload {});
    assert!(reloaded.applied && reloaded.problems.len() == 1, "{reloaded:?}");
    let asked = wait_for_event(&node, "command", "told to read the configuration again");
    let done = wait_for_event(&node, "daemon", "0 virtual hosts added, 0 changed, 0 removed, 1 as before");
    assert!(done.number > asked.number && done.virtual_host.is_none(), "{done:?}");

    // A new engine knows nothing of what was before, and says so.
    node.process().signal_children(Signal::KILL);
    let lost =
        wait_for_event(&node, "daemon", "the engine before this one has closed its line and ended with signal 9");
    assert!(lost.number > done.number && lost.message.contains("only the log knows"), "{lost:?}");
    assert!(history(&node).iter().all(|event| event.number > done.number));
}
