//! Hosts on which nothing is as it should be: the promises hold, the log says what is wrong, and all is well when the
//! trouble is over. `docs/failures.md` tells operators what to expect, and names these cases.

mod kernel;
mod outputs;
mod resources;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{Node, Segment, between, ip, program, web};

const V4: &str = "10.0.0.100";

/// What the host that suffers has: it takes its role back whenever it can.
const FIRST: &str = "preempt = true\ndead-ratio = 2";

/// What the other host has.
const SECOND: &str = "advskew = 100\ndead-ratio = 2";

/// What a busy machine may add to what happens at once.
const PROMPT: Duration = Duration::from_secs(1);

fn vip() -> IpAddr {
    ip(V4)
}

/// Two hosts. The first one is to suffer: it is MASTER, and takes its role back whenever it can.
struct Couple {
    segment: Segment,
    victim: Node,
    peer: Node,
}

impl Couple {
    fn new() -> Self {
        Self::with(|node| (String::new(), node.command()))
    }

    /// `prepare` has keys for the configuration of the victim, one a line, and the command that becomes its daemon.
    fn with(prepare: impl FnOnce(&Node) -> (String, Command)) -> Self {
        let segment = Segment::new();
        let (mut victim, mut peer) = segment.pair();
        let (more, command) = prepare(&victim);
        victim.configure(&first(&more));
        victim.spawn(command);
        victim.wait_for(vip());
        peer.start(&web(&[V4], SECOND));
        segment.wait_for_advertisement(&victim.host, 1, now());
        Self { segment, victim, peer }
    }

    /// Waits until exactly this host has the address and advertises, and the other one has been silent for an interval.
    #[track_caller]
    fn assert_master(&self, node: &Node) {
        let other = if std::ptr::eq(node, &self.victim) { &self.peer } else { &self.victim };
        node.wait_for(vip());
        other.wait_without(vip());
        let since = self.segment.wait_for_advertisement(&node.host, 1, now());
        self.segment.wait_for_advertisement(&node.host, 1, since + 1);
        self.segment.catch_up();
        let contradicted = self.segment.advertisements(&other.host, 1, since);
        assert!(contradicted.is_empty(), "{} advertises, too:\n{}", other.host.name(), other.said());
        assert!(node.holds(vip()) && !other.holds(vip()), "{}\n{}", node.said(), other.said());
    }

    /// Makes the victim hand over; the other host has the address at once. Returns when the victim was told.
    #[track_caller]
    fn hand_over(&self) -> u64 {
        let told = now();
        self.victim.signal(Signal::USR2);
        let taken = self.peer.wait_for(vip());
        assert!(between(told, taken) < PROMPT, "{:?}:\n{}", between(told, taken), self.victim.said());
        assert!(!self.victim.holds(vip()), "{}", self.victim.said());
        self.segment.wait_for_goodbye(&self.victim.host, 1, told);
        told
    }

    /// Makes the address go to the other host and come back.
    #[track_caller]
    fn go_and_return(&self) -> u64 {
        let told = self.hand_over();
        self.assert_master(&self.victim);
        told
    }
}

/// The configuration of the host that suffers.
fn first(more: &str) -> String {
    web(&[V4], &format!("{FIRST}\n{more}"))
}

/// The processes of a daemon.
fn daemons(node: &Node) -> Vec<u32> {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let daemon = identity(&program());
    let mut found = node.host.processes().expect("/proc can be read");
    found.retain(|pid| identity(format!("/proc/{pid}/exe").as_ref()) == daemon);
    assert!(found.contains(&node.process().pid()), "{} is not among {found:?}", node.process().pid());
    found
}

/// Limits what each process of a running daemon may have, such as `--nofile=8:`. The colon leaves the hard limit alone,
/// which could not be raised again everywhere.
fn limit(node: &Node, resource: impl Fn(u32) -> String) {
    limit_each(&daemons(node), resource);
}

/// As [`limit`], of these processes only.
fn limit_each(processes: &[u32], resource: impl Fn(u32) -> String) {
    for pid in processes {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
        let id = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it has all ids");
            line.split_whitespace().next().and_then(|id| id.parse().ok()).expect("an id is a number")
        };
        let mut command = Command::new("prlimit");
        // Root may not do this to others everywhere, and everybody to themselves.
        command.args(["--pid", &pid.to_string(), &resource(*pid)]).uid(id("Uid:")).gid(id("Gid:"));
        assert!(command.status().expect("prlimit can be run").success(), "{}", resource(*pid));
    }
}

/// The command that becomes the daemon, behind another one that ends with `exec "$@"`.
fn behind(node: &Node, program: &str, arguments: &[&str]) -> Command {
    let daemon = node.command();
    let mut command = Command::new(program);
    command.args(arguments).arg(daemon.get_program()).args(daemon.get_args());
    command
}

/// The command that becomes the daemon in a mount namespace of its own, which shell commands have prepared. They know a
/// directory `$HERE`, which is [`here`].
fn in_own_mounts(node: &Node, setup: &str) -> Command {
    fs::create_dir_all(here(node)).expect("a directory can be made");
    let script = format!("{setup}\nexec \"$@\"");
    let mut command = behind(node, "unshare", &["--mount", "--propagation", "private", "sh", "-ec", &script, "sh"]);
    command.env("HERE", here(node));
    command
}

/// A directory for the mounts of a daemon.
fn here(node: &Node) -> PathBuf {
    node.path("here")
}

/// A path as the daemon sees it.
fn seen_by(node: &Node, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", node.process().pid()));
    root.join(path.strip_prefix("/").expect("the path is absolute"))
}

/// The documented outcomes name their cases, and the cases are there.
#[test]
fn every_outcome_in_the_documents_has_its_case() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(package.join("../../docs/failures.md")).expect("the document is there");
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| trouble ")) {
        rows += 1;
        let cases: Vec<_> = row.split('`').filter(|word| word.contains("::")).collect();
        assert!(!cases.is_empty(), "no case in {row}");
        for case in cases {
            let (module, function) = case.rsplit_once("::").expect("it contains the separator");
            let (root, module) = module.strip_prefix("ucarp::").map_or(("tests", module), |module| ("src", module));
            let file = package.join(root).join(module.replace("::", "/")).with_extension("rs");
            let source =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{case}: {}: {error}", file.display()));
            assert!(source.contains(&format!("\nfn {function}()")), "{case} is not in {}", file.display());
        }
    }
    assert!(rows >= 15, "only {rows} rows were found");
}
