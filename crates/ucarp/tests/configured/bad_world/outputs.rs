//! Nothing can be written: full disks, file systems that are read-only, a syslog that is away or stuck.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netlab::{Signal, now};

use super::{Couple, PROMPT, first, here, in_own_mounts, seen_by};
use crate::harness::{Node, SOON, largest_gap};

/// A disk of a few pages at `$HERE`.
const SMALL_DISK: &str = "mount -t tmpfs -o size=16k none \"$HERE\"";

/// Writes to a file until the disk is full.
fn fill(file: &Path) {
    let mut file = OpenOptions::new().append(true).create(true).open(file).expect("a file can be made");
    // What does not fit in large pieces may fit in small ones.
    for piece in [&[b'\n'; 4096][..], b"\n"] {
        let error = loop {
            if let Err(error) = file.write_all(piece) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}

/// The number of lost lines in a note about them, and how many notes there are.
fn lost_lines(log: &str, sink: &str) -> Option<(u64, usize)> {
    let note = |line: &str| {
        let (_, rest) = line.split_once(&format!("{sink} did not take "))?;
        rest.strip_suffix(" log lines before this one)")?.parse().ok()
    };
    let notes: Vec<u64> = log.lines().filter_map(note).collect();
    Some((*notes.last()?, notes.len()))
}

#[test]
fn a_log_on_a_full_disk_loses_lines_and_nothing_else() {
    let setup = format!("{SMALL_DISK}\nexec >>\"$HERE/log\"");
    let couple = Couple::with(|node| (String::new(), in_own_mounts(node, &setup)));
    let disk = seen_by(&couple.victim, &here(&couple.victim));
    let log = || fs::read_to_string(disk.join("log")).expect("the log can be read");
    assert!(log().contains("web: Switching to state: MASTER"), "{}", log());
    let ballast = disk.join("ballast");
    fill(&ballast);
    fill(&disk.join("log"));
    let full = log();
    couple.go_and_return();
    assert_eq!(log(), full, "the disk was not full");

    fs::remove_file(ballast).expect("the file can be removed");
    couple.victim.signal(Signal::USR1);
    let noted = netlab::wait_until(SOON, || lost_lines(&log(), "the terminal").is_some());
    assert!(noted, "{}", log());
    assert!(log().contains("MASTER on eth0 id 1"), "{}", log());
    let (count, notes) = lost_lines(&log(), "the terminal").expect("it was there just now");
    // The two changes of state, each with its reason.
    assert!(count >= 4 && notes == 1, "{}", log());
}

#[test]
fn a_script_that_finds_the_disk_full_is_told_of_and_the_address_is_held() {
    let couple = Couple::with(|node| {
        let state = here(node).join("state");
        let script = |name| node.write_script(name, &format!("set -e\necho {name} >>{}", state.display()));
        let more = format!("up = {:?}\ndown = {:?}", script("up"), script("down"));
        (more, in_own_mounts(node, SMALL_DISK))
    });
    let victim = &couple.victim;
    let disk = seen_by(victim, &here(victim));
    let state = || fs::read_to_string(disk.join("state")).expect("the script made it");
    assert!(netlab::wait_until(SOON, || state().ends_with("up\n")), "{}", victim.said());
    let ballast = disk.join("ballast");
    fill(&ballast);
    fill(&disk.join("state"));
    let full = state();
    let since = couple.go_and_return();
    let told = "see that the address is as it should be";
    assert!(netlab::wait_until(SOON, || victim.lines(told, since) == 2), "{}", victim.said());
    assert_eq!(state(), full, "the disk was not full");

    fs::remove_file(ballast).expect("the file can be removed");
    let since = couple.go_and_return();
    let done = netlab::wait_until(SOON, || state().ends_with("\ndown\nup\n"));
    assert!(done && victim.lines(told, since) == 0, "{}", victim.said());
}

#[test]
fn file_systems_that_are_read_only_do_not_matter() {
    let setup = "mount --bind /run /run\nmount -o remount,bind,ro /run\nmount -o remount,bind,ro /";
    let couple = Couple::with(|node| (String::new(), in_own_mounts(node, setup)));
    for directory in ["/run", "/"] {
        let file = seen_by(&couple.victim, &Path::new(directory).join("of-ucarp"));
        let error = fs::write(file, "").expect_err("nothing can be written");
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem, "{directory}");
    }
    couple.go_and_return();
    let told = couple.victim.reload(&first("advskew = 50"));
    couple.victim.wait_for_line("Reload: 0 virtual hosts added, 1 changed, 0 removed, 0 as before", told);
    assert_eq!(couple.victim.lines("[ERROR]", 0), 0, "{}", couple.victim.said());
    couple.victim.end();
    couple.assert_master(&couple.peer);
}

/// Replaces /dev by one in which `log` is `$HERE/socket`, or missing if that is.
const OWN_DEV: &str = r#"
mkdir -p "$HERE/dev"
mount -t tmpfs none "$HERE/dev"
for node in null zero random urandom; do : >"$HERE/dev/$node"; mount --bind "/dev/$node" "$HERE/dev/$node"; done
if [ -S "$HERE/socket" ]; then : >"$HERE/dev/log"; mount --bind "$HERE/socket" "$HERE/dev/log"; fi
mount --rbind "$HERE/dev" /dev
"#;

/// A syslog that reads only when it is told to.
struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Syslog {
    fn at(path: PathBuf) -> Self {
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        socket.set_nonblocking(true).expect("a socket can be made nonblocking");
        Self { socket, path }
    }

    /// One that runs before the daemon does.
    fn of(node: &Node) -> Self {
        fs::create_dir_all(here(node)).expect("a directory can be made");
        Self::at(here(node).join("socket"))
    }

    /// Sends it so much that it takes no more.
    fn stuff(&self) {
        let sender = UnixDatagram::unbound().expect("a socket can be made");
        sender.set_nonblocking(true).expect("a socket can be made nonblocking");
        let full = (0..1_000_000).find_map(|_| sender.send_to(b"stuff", &self.path).err());
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    }

    /// All that waits.
    fn read(&self) -> String {
        let mut buffer = [0; 8192];
        let mut lines = String::new();
        while let Ok(length) = self.socket.recv(&mut buffer) {
            lines += &String::from_utf8_lossy(&buffer[..length]);
            lines.push('\n');
        }
        lines
    }

    /// Reads until a line contains `text`, and returns all lines.
    fn read_until(&self, text: &str) -> String {
        let mut lines = String::new();
        let came = netlab::wait_until(SOON, || {
            lines += &self.read();
            lines.contains(text)
        });
        assert!(came, "syslog never got {text:?} but:\n{lines}");
        lines
    }
}

#[test]
fn a_syslog_that_is_away_is_found_when_it_comes() {
    let couple = Couple::with(|node| (String::new(), in_own_mounts(node, OWN_DEV)));
    let path = seen_by(&couple.victim, Path::new("/dev/log"));
    assert!(!path.exists());
    couple.go_and_return();
    assert_eq!(couple.victim.lines("[ERROR]", 0), 0, "{}", couple.victim.said());
    for _ in ["it comes", "it is restarted"] {
        let syslog = Syslog::at(path.clone());
        couple.victim.signal(Signal::USR1);
        syslog.read_until("[INFO] MASTER on eth0 id 1");
        fs::remove_file(&path).expect("it is there");
    }
}

#[test]
fn a_syslog_that_does_not_read_holds_nothing_up() {
    let mut syslog = None;
    let couple = Couple::with(|node| {
        let made = syslog.insert(Syslog::of(node));
        made.stuff();
        (String::new(), in_own_mounts(node, OWN_DEV))
    });
    let syslog = syslog.expect("it was made");
    let since = now();
    for _ in 0..200 {
        couple.victim.moment();
    }
    let until = couple.segment.wait_for_advertisement(&couple.victim.host, 1, now());
    let gap = largest_gap(&couple.segment.advertisements(&couple.victim.host, 1, since), since, until);
    assert!(gap < Duration::from_secs(1) + PROMPT, "{gap:?}");
    couple.go_and_return();
    let stuffed = syslog.read();
    assert!(stuffed.lines().all(|line| line == "stuff"), "it had room:\n{stuffed}");
    couple.victim.signal(Signal::USR1);
    syslog.read_until("[INFO] MASTER on eth0 id 1");
}

#[test]
fn lines_that_syslog_did_not_take_are_counted() {
    let mut syslog = None;
    let couple = Couple::with(|node| {
        let made = syslog.insert(Syslog::of(node));
        made.stuff();
        (String::new(), in_own_mounts(node, OWN_DEV))
    });
    let syslog = syslog.expect("it was made");
    for _ in 0..10 {
        couple.victim.moment();
    }
    // The last line may still have been under way.
    let mut lines = syslog.read();
    couple.victim.signal(Signal::USR1);
    if !lines.contains("log lines before this one)") {
        lines = syslog.read_until("log lines before this one)");
    }
    let (count, notes) = lost_lines(&lines, "syslog").expect("it was there just now");
    assert!(count >= 9 && notes == 1, "{lines}");
}
