//! Log lines: their form, their order, and where they go.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use carp_core::wire::MacAddr;
use netlab::{Line, Signal, Stream};

use crate::harness::{Forger, Group, Node, Program, QUICK, SOON, differs, programs};

/// `2026-11-21T22:20:04.000123: [INFO] text`: the level and the text.
fn terminal_parts(line: &str) -> Option<(&str, &str)> {
    let (stamp, rest) = line.split_once(": [")?;
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let has_shape = stamp.chars().map(shape).eq("0000-00-00T00:00:00.000000".chars());
    has_shape.then(|| rest.split_once("] ")).flatten()
}

/// The texts of the lines on standard error, without the scripts' own output.
fn error_texts(node: &Node) -> Vec<String> {
    let lines = node.process().lines().into_iter().filter(|line| line.stream == Stream::Error);
    lines.filter_map(|line| Some(terminal_parts(&line.text)?.1.to_owned())).collect()
}

/// Where the first text that begins so stands.
fn position(texts: &[String], beginning: &str) -> usize {
    let found = texts.iter().position(|text| text.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no {beginning:?} in {texts:#?}"))
}

/// A host that has become MASTER, alone.
fn master(group: &Group, program: Program, more: &[&str]) -> Node {
    let mut node = group.node(2, program);
    node.start(&[&QUICK[..], more].concat());
    node.wait_for_line("Switching to state: MASTER");
    node.wait_for_vip();
    node
}

#[test]
fn every_line_has_a_stamp_and_a_level_that_chooses_the_stream() {
    for program in programs() {
        let group = Group::new();
        let node = master(&group, program, &["-D"]);
        node.signal(Signal::USR1);
        node.wait_for_line("MASTER on eth0 id 1");
        let lines = node.process().lines();
        assert!(lines.len() >= 6, "{}", node.said());
        for Line { stream, text, .. } in lines {
            let Some((level, _)) = terminal_parts(&text) else { panic!("{text:?} has no stamp and level") };
            let expected = match level {
                "INFO" | "DEBUG" => Stream::Output,
                "WARNING" | "ERROR" => Stream::Error,
                other => panic!("{other} is no level"),
            };
            assert_eq!(stream, expected, "{text}");
        }
    }
}

#[test]
fn stamps_are_of_the_local_time() {
    const DAY: u64 = 24 * 60 * 60;
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let mut command = program.command();
        command.args(node.arguments()).env("TZ", "TEST-7");
        node.start_command(command);
        let line = node.wait_for_line("Switching to state: BACKUP");
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let part = |from: usize| line.text[from..from + 2].parse::<u64>().expect("two digits");
        let shown = part(11) * 3600 + part(14) * 60 + part(17);
        let ahead = (shown + DAY + 60 - utc % DAY) % DAY;
        assert!((7 * 3600..=7 * 3600 + 60).contains(&ahead), "{} at {utc}", line.text);
    }
}

#[test]
fn the_way_to_master_is_told_in_ucarps_words_and_order() {
    for program in programs() {
        let group = Group::new();
        let node = master(&group, program, &["-x", "extra words"]);
        let line = node.wait_for_line("[INFO] Local advertised ethernet address is [02:00:00:00:00:02]");
        assert_eq!(line.stream, Stream::Output);
        let texts = error_texts(&node);
        let spawning = |name| format!("Spawning [{} eth0 10.0.0.100 extra words]", node.script(name).display());
        let story = ["Switching to state: BACKUP", &spawning("down"), "Switching to state: MASTER", &spawning("up")];
        let told: Vec<_> = texts.iter().map(String::as_str).filter(|text| story.contains(text)).collect();
        assert_eq!(told, story, "{}", node.said());
    }
}

#[test]
fn an_empty_extra_parameter_leaves_a_blank() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-x", ""]);
        let line = node.wait_for_line("Spawning [");
        assert!(line.text.ends_with("/down eth0 10.0.0.100 ]"), "{}", line.text);
    }
}

#[test]
fn a_neutral_start_runs_and_tells_no_script() {
    for program in programs() {
        let group = Group::new();
        let node = master(&group, program, &["-n"]);
        let texts = error_texts(&node);
        assert!(position(&texts, "Switching to state: BACKUP") < position(&texts, "Switching to state: MASTER"));
        assert!(!texts.iter().any(|text| text.starts_with("Spawning") && text.contains("/down ")), "{texts:?}");
    }
}

#[test]
fn stepping_down_is_told_with_its_reason() {
    for program in programs() {
        let group = Group::new();
        let node = master(&group, program, &["-n"]);
        let before = error_texts(&node).len();
        Forger::new(1).advertise(&group, 0, 1);
        node.wait_for_line("[WARNING] Preferred master advertised: going back to BACKUP state");
        node.wait_for_line("/down eth0 10.0.0.100]");
        let texts = error_texts(&node)[before..].to_vec();
        let (state, script) = (position(&texts, "Switching to state: BACKUP"), position(&texts, "Spawning ["));
        let reason = position(&texts, "Preferred master advertised");
        assert!(state < script && state < reason, "{texts:?}");
        differs("S11", program, &(reason < script), &false, &true);
    }
}

#[test]
fn preemption_is_told_with_its_reason() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-P"]);
        Forger::new(1).advertise(&group, 1, 100);
        node.wait_for_line("[WARNING] Putting MASTER down - preemption");
        node.wait_for_vip();
        let texts = error_texts(&node);
        let (state, script) = (position(&texts, "Switching to state: MASTER"), position(&texts, "Spawning [/"));
        let reason = position(&texts, "Putting MASTER down - preemption");
        assert!(state < reason, "{texts:?}");
        let up = texts.iter().position(|text| text.contains("/up eth0")).expect("the up script is told");
        assert!(script < state && state < up, "{texts:?}");
        differs("S11", program, &(reason < up), &false, &true);
    }
}

#[test]
fn usr1_tells_state_interface_and_vhid() {
    for program in programs() {
        for interface in ["eth0", "eth0:1"] {
            let group = Group::new();
            let mut node = group.node(2, program);
            node.start(&["-i", interface, "-v", "0x11"]);
            node.signal(Signal::USR1);
            let line = node.wait_for_line(&format!("[INFO] BACKUP on {interface} id 17"));
            assert_eq!(line.stream, Stream::Output);
            node.wait_for_line("Switching to state: MASTER");
            node.wait_for_vip();
            node.signal(Signal::USR1);
            node.wait_for_line(&format!("[INFO] MASTER on {interface} id 17"));
            assert!(node.script_log().contains(&format!("up {interface} 10.0.0.100\n")), "{}", node.script_log());
        }
    }
}

#[test]
fn a_script_that_cannot_be_run_is_told_and_does_not_matter() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let text = node.script("text");
        std::fs::write(&text, "no script\n").expect("a file can be written");
        let exec = |path: &str, why: &str| format!("[ERROR] Unable to exec {path} eth0 10.0.0.100: {why}");
        let path = text.to_str().expect("the path is text");
        node.start(&[&QUICK[..], &["-u", "/nowhere/up", "-d", path]].concat());
        node.wait_for_line(&exec(path, "Permission denied"));
        node.wait_for_line(&exec("/nowhere/up", "No such file or directory"));
        group.wait_for_advertisement(SOON, |_, _| true);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&text, mode).expect("its mode can be set");
        let mut other = group.node(3, program);
        other.start(&["-d", path]);
        other.wait_for_line(&exec(path, "Exec format error"));
    }
}

#[test]
fn debug_lines_are_our_own() {
    for program in programs() {
        let group = Group::new();
        let node = master(&group, program, &["-D"]);
        group.wait_for_advertisement(SOON, |_, _| true);
        let said = |text: &str| node.process().wait_for_line(text, Duration::from_secs(2)).is_some();
        let observed = (said("[DEBUG] -> carp_send_ad()"), said("[DEBUG] advertisement sent"));
        differs("S12", program, &observed, &(true, false), &(false, true));
    }
}

/// A syslog of one's own: the program sees it as `/dev/log` and nobody else does.
struct Syslog {
    socket: UnixDatagram,
    directory: PathBuf,
}

/// Replaces /dev, in a mount namespace of its own, by one with the socket `$1/socket` as `log`, and becomes the rest of
/// the arguments.
const WITH_OWN_LOG: &str = r#"
set -e
here=$1; shift
mount -t tmpfs none "$here/dev"
for node in null zero random urandom; do : >"$here/dev/$node"; mount --bind "/dev/$node" "$here/dev/$node"; done
: >"$here/dev/log"; mount --bind "$here/socket" "$here/dev/log"
mount --rbind "$here/dev" /dev
exec "$@"
"#;

impl Syslog {
    fn new(node: &Node) -> Self {
        let directory = node.script("syslog");
        std::fs::create_dir_all(directory.join("dev")).expect("directories can be made");
        let socket = UnixDatagram::bind(directory.join("socket")).expect("a socket can be made");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit can be set");
        Self { socket, directory }
    }

    fn command(&self, program: Program) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", WITH_OWN_LOG, "sh"]);
        command.arg(&self.directory).arg(program.path());
        command
    }

    /// What has arrived, until a line contains `last` or the time is over.
    fn lines_until(&self, last: &str, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        let mut lines: Vec<String> = Vec::new();
        let mut buffer = [0; 4096];
        while Instant::now() < deadline && !lines.last().is_some_and(|line| line.contains(last)) {
            if let Ok(length) = self.socket.recv(&mut buffer) {
                lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
        lines
    }
}

/// `<28>Nov 21 22:20:04 ucarp[1234]: [WARNING] text`: the number, the process and the rest.
fn syslog_parts(line: &str) -> Option<(u32, u32, &str)> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    let (stamp, rest) = rest.split_at_checked("Nov 21 22:20:04 ".len())?;
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let clock: String = stamp.chars().skip(6).map(shape).collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (process, text) = rest.strip_prefix("ucarp[")?.split_once("]: ")?;
    let well_formed = months.contains(&&stamp[..3]) && clock == " 00:00:00 ";
    well_formed.then_some((number.parse().ok()?, process.parse().ok()?, text))
}

#[test]
fn syslog_gets_every_line_with_facility_severity_and_process() {
    for program in programs() {
        for (facility, code) in [(&[][..], 3), (&["-f", "local3"], 19), (&["--facility=LOCAL7"], 23)] {
            let group = Group::new();
            let mut node = group.node(2, program);
            let syslog = Syslog::new(&node);
            let mut command = syslog.command(program);
            command.args(facility).args(node.arguments()).args(QUICK).args(["-u", "/nowhere/up"]);
            node.start_command(command);
            let lines = syslog.lines_until("[ERROR] Unable to exec", SOON);
            let parsed: Vec<_> =
                lines.iter().map(|line| syslog_parts(line).unwrap_or_else(|| panic!("{line:?}"))).collect();
            let own = |severity, text: &str| {
                let wanted = (code * 8 + severity, node.process().pid());
                parsed.iter().any(|part| (part.0, part.1) == wanted && part.2.starts_with(text))
            };
            assert!(own(6, "[INFO] Local advertised ethernet address is [02:00:00:00:00:02]"), "{lines:#?}");
            assert!(own(4, "[WARNING] Switching to state: BACKUP"), "{lines:#?}");
            assert!(own(4, "[WARNING] Switching to state: MASTER"), "{lines:#?}");
            // UCARP's child says this, ours does itself.
            let failed = |part: &&(u32, u32, &str)| part.2.starts_with("[ERROR] Unable to exec /nowhere/up eth0");
            let (number, process, _) = parsed.iter().find(failed).expect("it was waited for");
            assert_eq!(*number, code * 8 + 3);
            differs("S13", program, &(*process == node.process().pid()), &false, &true);
        }
    }
}

#[test]
fn the_facility_none_is_silence() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let syslog = Syslog::new(&node);
        let mut command = syslog.command(program);
        command.args(["-f", "none"]).args(node.arguments()).args(QUICK);
        node.start_command(command);
        node.wait_for_line("Switching to state: MASTER");
        group.wait_for_advertisement(SOON, |_, _| true);
        assert_eq!(syslog.lines_until("", Duration::from_millis(500)), Vec::<String>::new());
    }
}

#[test]
fn wrong_values_are_told_to_syslog_too() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let syslog = Syslog::new(&node);
        let mut command = syslog.command(program);
        command.args(node.arguments()).args(["-v", "0"]);
        node.start_command(command);
        let lines = syslog.lines_until("vhid", Duration::from_secs(5));
        let line = lines.last().unwrap_or_else(|| panic!("{program:?} told syslog nothing"));
        assert!(line.contains("[ERROR] vhid must be between 1 and 255."), "{line}");
    }
}

#[test]
fn a_daemon_says_nothing_on_the_terminal_and_everything_to_syslog() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let syslog = Syslog::new(&node);
        let mut command = syslog.command(program);
        command.arg("-B").args(node.arguments()).args(QUICK);
        node.start_command(command);
        let lines = syslog.lines_until("Switching to state: MASTER", SOON);
        let told =
            |text: &str| lines.iter().any(|line| syslog_parts(line).is_some_and(|(.., told)| told.starts_with(text)));
        assert!(told("[INFO] Local advertised ethernet address is"), "{lines:?}");
        assert!(told("[WARNING] Switching to state: BACKUP"), "{lines:?}");
        assert!(told("[WARNING] Switching to state: MASTER"), "{lines:?}");
        group.wait_for_advertisement(SOON, |_, heard| heard.src_mac == MacAddr([0, 0, 0x5e, 0, 0, 1]));
        assert_eq!(node.said(), "");
    }
}
