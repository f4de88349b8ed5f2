//! Drills on real hosts of a laboratory. The daemons are played: what they are told to do with the address is done.

#[path = "fake/mod.rs"]
mod fake;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fake::Fake;
use netlab::{Host, Lab};
use serde_json::Value;
use ucarp_control::types::{Address, State, VirtualHost};

const ADDRESS: [u8; 4] = [10, 0, 0, 100];

/// Longer than any drill here takes.
const SOON: Duration = Duration::from_secs(120);

/// What the other host does.
#[derive(Clone, Copy)]
enum Other {
    /// It takes over, after so many milliseconds of silence if nobody said goodbye.
    TakesOver(u64),
    /// It runs no daemon.
    DoesNothing,
}

/// Two hosts, of which the first one is MASTER.
struct Group {
    // Fields are dropped in this order: who changes addresses ends before the hosts do.
    actor: Option<JoinHandle<()>>,
    end: Arc<AtomicBool>,
    daemon: Arc<Fake>,
    alpha: Host,
    beta: Host,
    _lab: Lab,
}

impl Group {
    fn new(host: VirtualHost, other: Other) -> Self {
        let lab = Lab::new().expect("a lab can be made");
        let alpha = lab.host("alpha", 2, [10, 0, 0, 2], 24).expect("a host can be added");
        let beta = lab.host("beta", 3, [10, 0, 0, 3], 24).expect("a host can be added");
        alpha.add_address(ADDRESS, 32).expect("an address can be added");
        let daemon = Arc::new(Fake::start(vec![host]));
        let end = Arc::new(AtomicBool::new(false));
        let actor = Actor { daemon: Arc::clone(&daemon), alpha: alpha.clone(), beta: beta.clone(), other };
        let ended = Arc::clone(&end);
        let actor = Some(thread::spawn(move || actor.play(&ended)));
        Group { actor, end, daemon, alpha, beta, _lab: lab }
    }

    /// Runs a drill on the first host: its report or words, and its exit status.
    fn drill(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ucarpctl"));
        command.arg("--socket").arg(self.daemon.socket()).args(["drill", "web"]).args(arguments);
        let process = self.alpha.spawn(command).expect("the program can be run");
        let status = process.wait(SOON).expect("it can be waited for").expect("it ends");
        assert!(process.wait_for_end_of_output(SOON));
        (process.output(), status.code())
    }

    /// What the daemon was told, repetitions left out.
    fn changes(&self) -> Vec<String> {
        let world = self.daemon.world.lock().expect("nobody panics");
        let mut changes: Vec<String> = world.changes.iter().map(|(method, _)| method.clone()).collect();
        changes.dedup();
        changes
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(actor) = self.actor.take() {
            let _ = actor.join();
        }
    }
}

/// Does with the address what daemons would.
struct Actor {
    daemon: Arc<Fake>,
    alpha: Host,
    beta: Host,
    other: Other,
}

impl Actor {
    fn play(&self, end: &AtomicBool) {
        let mut done = 0;
        while !end.load(Ordering::Relaxed) {
            let change = self.daemon.world.lock().expect("nobody panics").changes.get(done).cloned();
            let Some((method, parameters)) = change else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            done += 1;
            match (method.as_str(), self.other) {
                // It is told again when it takes long.
                ("Promote", _) if self.is_master() => {}
                ("Promote", _) => self.to_alpha(true),
                (_, Other::DoesNothing) => self.away_and_back(),
                ("HandOver", Other::TakesOver(_)) => self.tobeta(0),
                (_, Other::TakesOver(silence)) => {
                    self.tobeta(silence);
                    let rest = parameters["milliseconds"].as_u64().expect("a number").saturating_sub(silence);
                    thread::sleep(Duration::from_millis(rest));
                    self.become_backup(State::Backup);
                }
            }
        }
    }

    fn is_master(&self) -> bool {
        self.daemon.world.lock().expect("nobody panics").hosts[0].state == State::Master
    }

    fn set(&self, change: impl FnOnce(&mut VirtualHost)) {
        change(&mut self.daemon.world.lock().expect("nobody panics").hosts[0]);
    }

    fn become_backup(&self, state: State) {
        self.set(|host| {
            (host.state, host.master, host.peers[0].is_master) = (state, Some("10.0.0.3".into()), true);
            host.addresses[0].held = Some(false);
        });
    }

    /// Without a goodbye the address is nowhere for a while, and this host does not hear who is MASTER.
    fn tobeta(&self, silence: u64) {
        if silence == 0 {
            // Nobody announces it here: what this host asks for before it is there would be asked again only a second later.
            self.beta.add_address(ADDRESS, 32).expect("an address can be added");
            self.alpha.remove_address(ADDRESS, 32).expect("it is there");
            self.become_backup(State::Backup);
        } else {
            self.alpha.remove_address(ADDRESS, 32).expect("it is there");
            self.set(|host| {
                host.state = State::Fault;
                host.addresses[0].held = Some(false);
            });
            thread::sleep(Duration::from_millis(silence));
            self.beta.add_address(ADDRESS, 32).expect("an address can be added");
        }
    }

    fn to_alpha(&self, frombeta: bool) {
        self.alpha.add_address(ADDRESS, 32).expect("an address can be added");
        if frombeta {
            self.beta.remove_address(ADDRESS, 32).expect("it is there");
        }
        self.set(|host| {
            (host.state, host.master, host.peers[0].is_master) = (State::Master, None, false);
            host.addresses[0].held = Some(true);
        });
    }

    fn away_and_back(&self) {
        self.alpha.remove_address(ADDRESS, 32).expect("it is there");
        self.set(|host| (host.state, host.addresses[0].held) = (State::Backup, Some(false)));
        thread::sleep(Duration::from_millis(300));
        self.to_alpha(false);
    }
}

/// The MASTER, of a better rank than its peer 10.0.0.3.
fn master() -> VirtualHost {
    let addresses = vec![Address { address: "10.0.0.100/32".into(), held: Some(true), removed_by_others: 0 }];
    VirtualHost { addresses, ..fake::master() }
}

fn report(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_hand_over_there_and_back() {
    if !netlab::can_run() {
        return;
    }
    let group = Group::new(master(), Other::TakesOver(0));
    let (text, status) = group.drill(&["--stay", "1", "--json"]);
    let report = report(&text);
    assert_eq!((status, &report["problems"]), (Some(0), &Value::Array(Vec::new())), "{text}");
    assert_eq!(group.changes(), ["HandOver", "Promote"]);
    assert_eq!(report["legs"][0]["direction"], "to 10.0.0.3");
    assert_eq!(report["legs"][1]["direction"], "back");
    for leg in 0..2 {
        let outage = report["legs"][leg]["outages"][0]["outage_ms"].as_u64().expect("it was measured");
        assert!(outage < 2000, "{text}");
    }
    assert_eq!(report["found"][0]["mac"], "02:00:00:00:00:03");
}

#[test]
fn a_crash_lasts_as_long_as_nobody_has_the_address() {
    if !netlab::can_run() {
        return;
    }
    let group = Group::new(master(), Other::TakesOver(400));
    let (text, status) = group.drill(&["--kill", "3000", "--stay", "1", "--json"]);
    let report = report(&text);
    assert_eq!((status, &report["problems"]), (Some(0), &Value::Array(Vec::new())), "{text}");
    assert_eq!(group.changes(), ["Silence", "Promote"]);
    let outage = report["legs"][0]["outages"][0]["outage_ms"].as_u64().expect("it was measured");
    assert!((390..5000).contains(&outage), "{text}");
    // It did not hear who had taken over, and knows it by its Ethernet address.
    assert_eq!(report["legs"][0]["direction"], "to 10.0.0.3", "{text}");
}

#[test]
fn a_host_of_no_better_rank_says_how_to_get_the_address_back() {
    if !netlab::can_run() {
        return;
    }
    let mut host = master();
    host.peers[0].advskew = 0;
    let group = Group::new(host, Other::TakesOver(0));
    let (text, status) = group.drill(&["--stay", "1"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("`ucarpctl hand-over 1` on 10.0.0.3 brings it back"), "{text}");
    assert!(
        text.starts_with("Drill of web (vhid 1 on eth0): hand-over\n") && text.trim_end().ends_with("All went well."),
        "{text}"
    );
    assert_eq!(group.changes(), ["HandOver"]);
}

#[test]
fn a_peer_that_does_not_answer_is_no_reason_to_give_anything_up() {
    if !netlab::can_run() {
        return;
    }
    let group = Group::new(master(), Other::TakesOver(0));
    group.beta.link_down().expect("it can be set down");
    let (text, status) = group.drill(&[]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("No drill: nobody could take over: 10.0.0.3 does not answer"), "{text}");
    assert_eq!(group.changes(), Vec::<String>::new());
}

#[test]
fn a_peer_without_a_daemon_is_found_out_and_the_address_is_back() {
    if !netlab::can_run() {
        return;
    }
    let group = Group::new(master(), Other::DoesNothing);
    let (text, status) = group.drill(&["--json"]);
    let report = report(&text);
    assert_eq!(status, Some(2), "{text}");
    assert_eq!(report["problems"][0], "this host is MASTER again: nobody else took over", "{text}");
    assert_eq!(report["legs"].as_array().map(Vec::len), Some(2));
    assert!(group.alpha.has_address(ADDRESS).expect("addresses can be listed"));
}
