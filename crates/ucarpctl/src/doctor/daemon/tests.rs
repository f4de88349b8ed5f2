use jiff::tz::TimeZone;

use super::*;
use crate::doctor::finding::with_commands;
use crate::fake::{self, Fake};
use crate::look::Look;

fn found(daemon: &Fake) -> Vec<Finding> {
    let look = Look { colour: false, width: None, zone: TimeZone::UTC };
    let context = Context { socket: daemon.socket(), look };
    let mut findings = Vec::new();
    examine(&context, &System::at(daemon.path()), None, &mut findings);
    // What is beside the test is not what this is about.
    findings.retain(|finding| finding.about != "configuration");
    with_commands(findings)
}

#[test]
fn a_healthy_group_gives_nothing_to_complain_of() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    daemon.world.lock().unwrap().events.clear();
    let findings = found(&daemon);
    assert!(findings.iter().all(|finding| finding.level == Level::Fine), "{findings:#?}");
    assert_eq!(findings.len(), 3);
}

#[test]
fn equal_ranks_wrong_passwords_and_what_the_daemon_noticed_are_told() {
    let mut host = fake::master();
    host.peers[0].advskew = 0;
    host.counters.insert("badauth".into(), 7);
    let daemon = Fake::start(vec![host]);
    let findings = found(&daemon);
    let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(texts.len(), 4, "{texts:#?}");
    assert!(texts[1].starts_with("10.0.0.3 has the same rank (advbase 1, advskew 0)"), "{texts:#?}");
    assert!(texts[2].starts_with("7 of the packets that came have another digest"), "{texts:#?}");
    assert_eq!(texts[3], "the daemon said: bad digest from 10.0.0.66");
    let worst = findings.iter().map(|finding| finding.level).max();
    assert_eq!(worst, Some(Level::Warning));
}

#[test]
fn a_host_that_is_held_is_released_by_a_command() {
    let findings = found(&Fake::start(vec![fake::held()]));
    assert!(findings.iter().any(|finding| finding.mend.as_deref() == Some("ucarpctl release db")), "{findings:#?}");
    assert_eq!(findings.iter().map(|finding| finding.level).max(), Some(Level::Warning));
}

#[test]
fn a_fault_is_an_error_with_the_way_to_its_reason() {
    let findings = found(&Fake::start(vec![VirtualHost { held: false, ..fake::held() }]));
    let fault = findings.iter().find(|finding| finding.level == Level::Error).expect("it is told");
    assert_eq!(fault.mend.as_deref(), Some("ucarpctl explain db"));
}

#[test]
fn a_daemon_that_does_not_run_is_a_warning() {
    let daemon = Fake::start(Vec::new());
    daemon.stop();
    let findings = found(&daemon);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Warning));
    assert!(findings[0].text.contains("does the daemon run"));
}
