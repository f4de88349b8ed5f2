//! The page in a real browser.

use std::time::Instant;

use netlab::{Host, Lab};
use ucarp_control::types::{Check, CheckState, Contribution, State};

use crate::Exporter;
use crate::browser::Browser;
use crate::daemon::{Daemon, virtual_host};

/// A host with nothing but a loopback interface and the cable that it does not need.
fn host() -> Option<(Lab, Host)> {
    netlab::can_run().then(|| {
        let lab = Lab::new().unwrap();
        let host = lab.host("alpha", 1, std::net::Ipv4Addr::new(10, 0, 0, 1), 24).unwrap();
        (lab, host)
    })
}

/// The word in the badge of the first host of the first card.
const STATE: &str = "document.querySelector('.host .state').innerText.trim()";

#[test]
fn a_failover_is_on_the_page_at_once_without_loading_it_again() {
    let Some((_lab, host)) = host() else { return };
    let Some(mut browser) = Browser::start(&host) else { return };
    let daemon = Daemon::start("alpha", vec![virtual_host("web", 1, State::Backup)]);
    let exporter = Exporter::start(&host, &daemon, &[]);
    browser.open(&exporter.url);
    browser.wait_for(&format!("{STATE} === 'BACKUP' && document.querySelector('.live').dataset.is === 'live'"));
    browser.evaluate("window.same = 'page'");
    let mut times = Vec::new();
    for round in 0..5 {
        let (state, reason) = [(State::Master, "10.0.0.1 said goodbye"), (State::Backup, "it is back")][round % 2];
        let started = Instant::now();
        daemon.change(state, reason);
        browser.wait_for(&format!("{STATE} === '{state}'"));
        times.push(started.elapsed().as_millis());
        // The hang catcher is the only limit here: a busy machine is no fault of the page.
        browser.wait_for(&format!("document.querySelector('.host .why').innerText === '{reason}'"));
        browser.wait_for(&format!("document.querySelectorAll('.story li').length === {}", round + 1));
    }
    println!("a failover was on the page after {times:?} ms");
    assert_eq!(browser.evaluate("window.same"), "page");
    browser.wait_for("document.querySelector('.story li .reason').innerText === '10.0.0.1 said goodbye'");
    browser.wait_for("document.querySelectorAll('.lane rect.master').length > 0");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_daemon_that_ends_and_comes_back_is_told_as_it_happens() {
    let Some((_lab, host)) = host() else { return };
    let Some(mut browser) = Browser::start(&host) else { return };
    let daemon = Daemon::start("alpha", vec![virtual_host("web", 1, State::Master)]);
    let exporter = Exporter::start(&host, &daemon, &[]);
    browser.open(&exporter.url);
    browser.wait_for(&format!("{STATE} === 'MASTER' && !document.querySelector('.alarm')"));
    daemon.end();
    browser.wait_for(&format!("{STATE} === 'UNKNOWN'"));
    let alarm = browser.evaluate("document.querySelector('.alarm.bad').innerText");
    assert!(alarm.as_str().unwrap().contains("The daemon of alpha does not answer"), "{alarm}");
    browser.wait_for("document.title.startsWith('(1)')");
    daemon.run();
    browser.wait_for(&format!("{STATE} === 'MASTER' && !document.querySelector('.alarm')"));
    drop(exporter);
    browser.wait_for("document.querySelector('.live').dataset.is === 'lost'");
}

#[test]
fn the_page_of_a_group_shows_two_masters_in_red_on_every_screen() {
    let Some((_lab, host)) = host() else { return };
    let Some(mut browser) = Browser::start(&host) else { return };
    let (alpha, beta) = group();
    let other = Exporter::start(&host, &beta, &[]);
    // And one peer that nobody answers for.
    let exporter = Exporter::start(&host, &alpha, &["--peer", &other.url, "--peer", "http://127.0.0.1:1/"]);
    browser.open(&exporter.url);
    browser.wait_for("document.querySelectorAll('#vhid-1-10-0-0-1-24 .host').length === 2");
    browser.wait_for("!document.querySelector('.alarm.split')");
    beta.change(State::Master, "10.0.0.1 (advbase 1 advskew 0) was silent for 3.391s");
    browser.wait_for("document.querySelector('.alarm.split')");
    let alarm = browser.evaluate("document.querySelector('.alarm.split strong').innerText");
    assert_eq!(alarm, "Two masters of web, vhid 1: alpha and beta");
    browser.wait_for("document.title.startsWith('TWO MASTERS of web')");
    let ground = "getComputedStyle(document.querySelector('.alarm.split')).backgroundColor.match(/\\d+/g).map(Number)";
    browser.wait_for(&format!("(([r, g, b]) => r > 120 && g < 80 && b < 80)({ground})"));
    browser.wait_for("document.querySelector('.group').classList.contains('split')");
    assert_eq!(browser.evaluate("typeof window.stolen"), "undefined", "what a host says is no markup");
    for (width, height) in [(1280, 900), (360, 800)] {
        for colours in ["light", "dark"] {
            browser.look(width, height, colours);
            browser.wait_for(&format!("matchMedia('(prefers-color-scheme: {colours})').matches"));
            browser
                .wait_for(&format!("document.documentElement.scrollWidth <= {width} && window.innerWidth <= {width}"));
            browser.picture(&format!("{width}-{colours}.png"));
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Two hosts with three virtual hosts each, something of everything.
fn group() -> (Daemon, Daemon) {
    let check = |name: &str, kind: &str, state, result: &str, effect: &str| Check {
        name: name.into(),
        kind: kind.into(),
        state,
        since: 240_000,
        ran_ago: Some(800),
        took: Some(3),
        result: result.into(),
        effect: effect.into(),
    };
    let mut web = virtual_host("web", 1, State::Master);
    web.advskew = 0;
    web.advertised_skew = 0;
    web.reason = "no master was heard for 3.000s".into();
    web.checks = vec![
        check("gateway", "ping", CheckState::Up, "10.0.0.254 answered after 0.4 ms", "fault"),
        check("nginx", "tcp", CheckState::Up, "127.0.0.1:443 accepts connections", "demote by 100"),
    ];
    let mut db = virtual_host("db", 3, State::Fault);
    db.reason = "check postgres is down: connection refused".into();
    db.master = Some("10.0.0.2".into());
    db.demotion = vec![Contribution { name: "postgres".into(), demotion: 140 }];
    db.advertised_skew = 240;
    let hostile = "<img src=x onerror='window.stolen=1'>";
    db.checks = vec![
        check("postgres", "tcp", CheckState::Down, "127.0.0.1:5432: connection refused", "fault"),
        check("replication", "command", CheckState::Unknown, hostile, "demote by 50"),
    ];
    let mail = virtual_host("mail", 2, State::Backup);
    let alpha = Daemon::start("alpha", vec![web, mail, db]);
    let backup = virtual_host("web", 1, State::Backup);
    let others = [("mail", 2), ("db", 3)].map(|(name, vhid)| virtual_host(name, vhid, State::Master));
    let beta = Daemon::start("beta", [vec![backup], others.to_vec()].concat());
    (alpha, beta)
}
