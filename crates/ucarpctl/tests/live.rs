//! Real daemons on the hosts of a laboratory.
//!
//! `UCARP_OURS` names the daemon; without it that is the one that cargo has built beside this program.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Lab, Process, Signal};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything that is waited for.
const SOON: Duration = Duration::from_secs(60);

/// The daemon. `None`: it was not built, which under CI is a failure.
fn daemon() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_ucarpctl")).with_file_name("ucarp");
    let path = env::var_os("UCARP_OURS").map_or(beside, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    assert!(env::var_os("CI").is_none(), "there is no daemon at {}", path.display());
    eprintln!("skipped: there is no daemon at {}; `cargo build -p ucarp` builds it", path.display());
    None
}

/// A host with a daemon.
struct Node {
    host: Host,
    directory: PathBuf,
    process: Process,
}

impl Node {
    fn start(lab: &Lab, directory: &Path, daemon: &Path, octet: u8, more: &str) -> Self {
        let name = format!("h{octet}");
        let host = lab.host(&name, octet, [10, 0, 0, octet], 24).expect("a host can be added");
        let directory = directory.join(name);
        fs::create_dir(&directory).expect("a directory can be made");
        let file = directory.join("ucarp.toml");
        let text = format!(
            "control = {:?}\n[defaults]\ninterface = \"eth0\"\npassword = \"secret\"\n\
             [virtual-host.web]\nvhid = 1\naddresses = [\"10.0.0.100\"]\n{more}\n",
            directory.join("control.sock")
        );
        fs::write(&file, text).expect("a file can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file can be made private");
        let mut command = Command::new(daemon);
        command.arg("-c").arg(&file);
        let process = host.spawn(command).expect("the daemon can be started");
        Self { host, directory, process }
    }

    /// Runs ucarpctl on this host: what it wrote, and its exit status.
    fn ctl(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ucarpctl"));
        command.arg("--socket").arg(self.directory.join("control.sock")).args(arguments);
        let process = self.host.spawn(command).expect("the program can be run");
        let status = process.wait(SOON).expect("it can be waited for").expect("it ends");
        assert!(process.wait_for_end_of_output(SOON));
        (process.output(), status.code())
    }

    /// Waits until `ucarpctl status` exits with this.
    #[track_caller]
    fn wait_for_status(&self, expected: i32) {
        let mut last = (String::new(), None);
        let came = netlab::wait_until(SOON, || {
            last = self.ctl(&["status"]);
            last.1 == Some(expected)
        });
        assert!(came, "never {expected}: {last:?}; the daemon said:\n{}", self.process.output());
    }
}

/// Two hosts, of which the first one is MASTER and the second one has heard it.
struct Group {
    alpha: Node,
    beta: Node,
    _lab: Lab,
    _directory: TempDir,
}

impl Group {
    /// `None`: not here.
    fn new() -> Option<Self> {
        let daemon = daemon()?;
        if !netlab::can_run() {
            return None;
        }
        let lab = Lab::new().expect("a lab can be made");
        let directory = tempfile::tempdir().expect("a directory can be made");
        let alpha = Node::start(&lab, directory.path(), &daemon, 2, "dead-ratio = 2");
        alpha.wait_for_status(0);
        let beta = Node::start(&lab, directory.path(), &daemon, 3, "advskew = 50\ndead-ratio = 2");
        beta.wait_for_status(1);
        let group = Self { alpha, beta, _lab: lab, _directory: directory };
        let heard = || group.beta.ctl(&["peers"]).0.contains("10.0.0.2");
        assert!(netlab::wait_until(SOON, heard), "{}", group.beta.process.output());
        Some(group)
    }
}

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
