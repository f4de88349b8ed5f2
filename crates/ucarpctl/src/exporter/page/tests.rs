use std::sync::Arc;
use std::time::Duration;

use ucarp_control::types::{Address, Check, CheckState, Contribution, Event, Peer, Script, VirtualHost};

use super::*;
use crate::exporter::model::{Gap, Past, Status};
use crate::exporter::testing::{change, host, virtual_host};

/// What must not come through as it is.
const HOSTILE: &str = "<script>alert(1)</script>\"'&--><b onclick=x>";

fn rendered(hosts: &[Host], now: Instant) -> String {
    document(Scene { hosts, now, wall: 2_000_000 }).into_string()
}

/// A virtual host with that in every text of it.
fn hostile(state: State) -> VirtualHost {
    let text = || HOSTILE.to_owned();
    let peer = Peer {
        address: text(),
        mac: Some(text()),
        advbase: 255,
        advskew: 255,
        demotion: 255,
        heard_ago: 1 << 62,
        advertisements: 1 << 62,
        is_master: true,
        stamped: true,
    };
    let check = |state| Check {
        name: text(),
        kind: text(),
        state,
        since: 1 << 62,
        ran_ago: None,
        took: None,
        result: text(),
        effect: text(),
    };
    VirtualHost {
        name: text(),
        interface: text(),
        group: Some(text()),
        reason: text(),
        cause: text(),
        since: 1 << 62,
        addresses: vec![Address { address: text(), held: Some(false), removed_by_others: 0 }],
        demotion: vec![Contribution { name: text(), demotion: 9 }],
        master: Some(text()),
        peers: vec![peer],
        checks: [CheckState::Up, CheckState::Down, CheckState::Unknown].map(check).to_vec(),
        script: Some(Script { action: text(), started_ago: 1 << 62, took: None, outcome: Some(text()) }),
        ..virtual_host(state)
    }
}

#[test]
fn no_text_of_a_host_becomes_markup() {
    let now = Instant::now();
    for state in [State::Master, State::Backup, State::Init, State::Fault] {
        let mut bad = host(HOSTILE, vec![hostile(state)], 9_000, now);
        let event = Event {
            message: HOSTILE.into(),
            interface: Some(HOSTILE.into()),
            ..change(1_500_000, State::Backup, state)
        };
        bad.past = Arc::new(Past { events: vec![event], gaps: vec![Gap { from: 1 << 62, to: Some(3) }] });
        let silent = Host { problem: Some(HOSTILE.into()), name: HOSTILE.into(), ..bad.clone() };
        let html = rendered(&[bad, silent], now);
        assert!(!html.contains("<script>alert") && !html.contains("<b onclick"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)"), "it is shown as the text that it is");
        // An attribute ends with a quote: none of those in the text may be one.
        assert!(!html.contains("alert(1)</") && !html.contains("\"'&"), "{html}");
    }
}

#[test]
fn the_page_needs_nothing_but_its_own_files() {
    let now = Instant::now();
    let html = rendered(&[host("alpha", vec![virtual_host(State::Master)], 0, now)], now);
    assert!(
        !html.contains("style=") && !html.contains("<style") && !html.contains("onclick"),
        "the policy forbids these"
    );
    let sources: Vec<_> = ["src=\"", "href=\""].iter().flat_map(|name| html.split(name).skip(1)).collect();
    assert!(sources.len() >= 5);
    for source in sources {
        let target = source.split('"').next().unwrap();
        assert!(!target.contains("//"), "{target}");
    }
    assert!(html.contains("<noscript><meta http-equiv=\"refresh\""), "it reloads itself without the script");
}

#[test]
fn states_are_told_in_words_and_shapes() {
    let now = Instant::now();
    for (state, word) in
        [(State::Master, "MASTER"), (State::Backup, "BACKUP"), (State::Init, "INIT"), (State::Fault, "FAULT")]
    {
        let html = rendered(&[host("alpha", vec![virtual_host(state)], 0, now)], now);
        let badge = html.split("class=\"badge\"").nth(1).unwrap().split("</div>").next().unwrap();
        assert!(badge.contains(word) && badge.contains("<svg"), "{badge}");
        assert!(html.contains("no master was heard for 3.000s"), "and why");
    }
}

#[test]
fn two_masters_are_the_first_thing_on_the_page_and_in_its_title() {
    let now = Instant::now();
    let hosts = ["alpha", "beta"].map(|name| host(name, vec![virtual_host(State::Master)], 0, now));
    let html = rendered(&hosts, now);
    assert!(html.contains("<title>TWO MASTERS of web"), "{html}");
    let main = html.split("<main").nth(1).unwrap();
    let (alarm, card) = (main.find("alarm split").unwrap(), main.find("group split").unwrap());
    assert!(alarm < card);
    assert!(main.contains("Two masters of web, vhid 1: alpha and beta"));
}

#[test]
fn a_daemon_that_is_down_is_shown_with_what_was_known() {
    let now = Instant::now();
    let down = Host {
        problem: Some("unable to connect".into()),
        ..host("alpha", vec![virtual_host(State::Master)], 65_000, now)
    };
    let html = rendered(std::slice::from_ref(&down), now);
    assert!(html.contains("The daemon of alpha does not answer") && html.contains("unable to connect"), "{html}");
    assert!(html.contains("UNKNOWN") && html.contains("It was MASTER") && html.contains("1 min 05 s"), "{html}");
    let never = Host { seen: None, ..down };
    assert!(rendered(&[never], now).contains("No virtual hosts are known."));
}

#[test]
fn timers_run_on_while_nobody_was_asked() {
    let now = Instant::now();
    let left = |state, age| {
        let html = rendered(&[host("alpha", vec![virtual_host(state)], age, now)], now);
        html.split("data-left=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(left(State::Master, 0), "700");
    assert_eq!(left(State::Master, 500), "200");
    assert_eq!(left(State::Master, 800), "1291", "the one after the next");
    assert_eq!(left(State::Backup, 900), "2000");
    assert_eq!(left(State::Backup, 9_000), "0");
}

#[test]
fn a_page_of_many_stays_small_enough_to_be_shown() {
    let now = Instant::now();
    let many = |number: u8| VirtualHost {
        vhid: number,
        peers: vec![hostile(State::Master).peers.remove(0); 2000],
        checks: vec![hostile(State::Master).checks.remove(0); 2000],
        ..virtual_host(State::Backup)
    };
    let mut large = host("alpha", (1..=255).map(many).collect(), 0, now);
    let events = (0..2000)
        .map(|at| Event { vhid: u8::try_from(at % 255).ok(), ..change(1_000_000 + at, State::Backup, State::Master) });
    large.past = Arc::new(Past { events: events.collect(), gaps: Vec::new() });
    let started = Instant::now();
    let html = rendered(&[large], now);
    assert!(html.len() < 16 * 1024 * 1024, "{} bytes", html.len());
    assert!(html.contains("and 1968 more"));
    assert!(started.elapsed() < Duration::from_secs(20), "a hang");
}

#[test]
fn a_status_of_a_newer_exporter_is_understood() {
    let json = r#"{ "up": false, "error": "gone", "something": "new" }"#;
    assert_eq!(serde_json::from_str::<Status>(json).unwrap(), Status::down("gone"));
}
