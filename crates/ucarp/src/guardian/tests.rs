//! A guardian whose engine does what ours never would. In network namespaces of their own.

use std::net::IpAddr;
use std::sync::mpsc;

use ucarp_sys::netns::NetNs;
use ucarp_sys::signals::Signals;

use super::*;
use crate::config::{self, Purpose};
use crate::engine::Line;
use crate::protocol::{Report, write_reports};

const VIRTUAL: &str = "10.0.0.100";

/// The loopback interface is in every namespace.
const CONFIGURATION: &str = "[virtual-host.web]\ninterface = \"lo\"\npassword = \"secret\"\nvhid = 7\n\
    addresses = [\"10.0.0.100\"]\nsource = \"10.0.0.1\"\n";

const WEB: HostNumber = HostNumber(0);

/// Lets `act` play with a guardian that has started, and the lines of the engines that it starts. Skipped where there is no
/// right to make a network namespace.
fn play(act: impl FnOnce(Guardian, mpsc::Receiver<Line>) + Send) {
    let Ok(namespace) = NetNs::new() else {
        assert!(std::env::var_os("CI").is_none(), "network namespaces cannot be made");
        return println!("skipped: network namespaces cannot be made");
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ucarp.toml");
    std::fs::write(&file, CONFIGURATION).unwrap();
    let Ok(loaded) = config::load(&file, Purpose::Check) else { panic!("it is refused") };
    let run = || {
        let (send, lines) = mpsc::channel();
        let mut guardian = Guardian::new(Parts {
            monitor: Monitor::open().unwrap(),
            signals: Signals::catch(&[]).unwrap(),
            style: Style::Named,
            reload: None,
            orderly: true,
            engine: Player::Stranger(Box::new(move |line| send.send(line).unwrap())),
        });
        guardian.prepare(loaded.settings);
        guardian.start();
        act(guardian, lines);
    };
    namespace.run(run).unwrap();
}

fn say(line: &Line, reports: &[Report]) {
    for datagram in write_reports(now(), reports) {
        line.channel.send(&datagram, &[]).unwrap();
    }
}

fn has_address(guardian: &mut Guardian) -> bool {
    let address: IpAddr = VIRTUAL.parse().unwrap();
    guardian.keeper.addresses().unwrap().iter().any(|found| found.at.address == address)
}

#[test]
fn an_engine_that_does_not_leave_keeps_nobody_from_ending() {
    play(|mut guardian, lines| {
        let line = lines.recv().unwrap();
        say(&line, &[Report::State(WEB, State::Master), Report::Claim(WEB)]);
        guardian.one_turn();
        assert!(has_address(&mut guardian));
        guardian.shut_down();
        let planned = guardian.leave_by.expect("there is an end");
        assert!(planned <= now() + LEAVE, "there are no scripts to wait for");
        say(&line, &[Report::Renew(WEB)]);
        guardian.one_turn();
        assert!(!guardian.is_over() && has_address(&mut guardian), "it has time to leave");

        guardian.leave_by = Some(now());
        say(&line, &[Report::Renew(WEB)]);
        guardian.one_turn();
        assert!(guardian.is_over() && !has_address(&mut guardian));
        assert!(lines.try_recv().is_err(), "another engine has nothing to do");
        guardian.finish();
    });
}

#[test]
fn an_engine_that_says_what_it_must_not_is_replaced_and_holds_nothing() {
    play(|mut guardian, lines| {
        let line = lines.recv().unwrap();
        say(&line, &[Report::State(WEB, State::Master), Report::Claim(WEB)]);
        guardian.one_turn();
        assert!(has_address(&mut guardian));
        line.channel.send(b"the time and nonsense", &[]).unwrap();
        guardian.one_turn();
        assert!(guardian.is_silent(WEB));
        assert!(!has_address(&mut guardian));
        guardian.one_turn();
        assert!(lines.try_recv().is_ok(), "the first rest is none");
        guardian.finish();
    });
}

#[test]
fn nothing_that_follows_what_it_must_not_say_counts() {
    play(|mut guardian, lines| {
        let line = lines.recv().unwrap();
        let no_goodbye = Report::Will { host: WEB, link: LinkId(0), destination: None, goodbye: vec![1, 2, 3] };
        say(&line, &[Report::State(WEB, State::Master), no_goodbye, Report::Claim(WEB)]);
        guardian.one_turn();
        assert!(!has_address(&mut guardian) && guardian.is_silent(WEB));
        guardian.finish();
    });
}

#[test]
fn virtual_hosts_that_are_not_there_cannot_be_asked_for() {
    play(|mut guardian, lines| {
        let line = lines.recv().unwrap();
        let nobody = HostNumber(7);
        say(&line, &[Report::State(nobody, State::Master), Report::Claim(nobody), Report::Renew(nobody)]);
        say(&line, &[Report::Release(nobody), Report::Followed(nobody), Report::Broken(LinkId(9))]);
        guardian.one_turn();
        assert!(!has_address(&mut guardian));
        guardian.finish();
    });
}
