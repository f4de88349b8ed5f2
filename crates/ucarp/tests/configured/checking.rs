//! `--check` and `--show-config`, which need no privileges.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::{DEFAULTS, program, virtual_host, web};

/// A password that is like nothing else in these files.
const PASSWORD: &str = "hush, hush";

/// The user who owns nothing.
const NOBODY: &str = "65534";

/// A directory that everybody can read.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        let directory = Self(tempfile::tempdir().expect("a temporary directory can be made"));
        directory.permit(directory.0.path(), 0o755);
        directory
    }

    fn permit(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions can be changed");
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the directory")).expect("a directory can be made");
        fs::write(&path, text).expect("a file can be written");
        self.permit(&path, mode);
        path
    }

    /// Runs the program as a user without any privileges.
    fn as_nobody(&self, arguments: &[&str]) -> Output {
        // Where it was built is a place that others need not see.
        let copy = self.0.path().join("ucarp");
        if !copy.exists() {
            // By another process: a program that is open for writing anywhere, as in a child of ours, cannot be run.
            let copied = Command::new("cp").arg(program()).arg(&copy).status().expect("cp can be run");
            assert!(copied.success());
            self.permit(&copy, 0o755);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--bounding-set", "-all"]);
        command.args(["--inh-caps", "-all", "--no-new-privs"]).arg(copy).args(arguments);
        command.output().expect("setpriv can be run")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// What it wrote on standard output and standard error, after it ended with this status.
fn ended(output: &Output, status: i32) -> (String, String) {
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{out}{error}");
    (out, error)
}

#[test]
fn a_good_configuration_is_checked_and_shown_without_privileges_and_its_secrets_are_not() {
    let directory = Directory::new();
    let key = "000102030405060708090a0b0c0d0e0f10111213";
    let inline = web(&["10.0.0.100"], "").replace("\"secret\"", &format!("{PASSWORD:?}"));
    let secret = directory.write("password", PASSWORD, 0o600);
    let more = virtual_host("mail", 2, &["10.0.0.101/24", "fd00::101"], &format!("password-file = {secret:?}"));
    let also =
        format!("[virtual-host.dns]\ninterface = \"eth1\"\nvhid = 3\naddresses = [\"10.0.0.102\"]\nkey = \"{key}\"\n");
    let file = directory.write("ucarp.toml", &(inline + &more), 0o644);
    directory.write("conf.d/dns.toml", &also, 0o644);
    let file = file.to_str().expect("it is text");

    let (out, error) = ended(&directory.as_nobody(&["--check", "-c", file]), 0);
    assert_eq!(out, "ok: 3 virtual hosts in 2 files\n");
    assert!(error.contains("warning") && error.contains("unable to open password file"), "{error}");

    let (out, error) = ended(&directory.as_nobody(&["--show-config", "--config", file]), 0);
    for line in [
        "[virtual-host.web]",
        "[virtual-host.mail]",
        "addresses = [\"10.0.0.101/24\", \"fd00::101\"]",
        "lease = \"3s\"",
    ] {
        assert!(out.contains(line), "{line} is not in:\n{out}");
    }
    for hidden in [PASSWORD, key] {
        assert!(!out.contains(hidden) && !error.contains(hidden), "{hidden} in:\n{out}{error}");
    }

    // What is shown is a configuration, once the passwords are back, and shows as the same.
    let again = out.replace("# password: \"***\"", "password = \"other\"");
    let again = directory.write("again/ucarp.toml", &again, 0o600);
    let again = again.to_str().expect("it is text").to_owned();
    let shown = Command::new(program()).args(["--show-config", "-c", &again]).output().expect("it can be run");
    let (same, _) = ended(&shown, 0);
    assert_eq!(same, out);
}

#[test]
fn every_problem_is_shown_at_once_with_its_place_and_what_is_allowed() {
    let directory = Directory::new();
    let broken = format!(
        "{DEFAULTS}{}{}",
        virtual_host("web", 1, &["10.0.0.300"], "adv-skew = 10"),
        virtual_host("mail", 0, &["10.0.0.101"], "hold = \"nativ\"")
    );
    let file = directory.write("ucarp.toml", &broken, 0o600);
    directory.permit(&file, 0o604);
    let name = file.to_str().expect("it is text");
    for option in ["--check", "--show-config"] {
        let (out, error) = ended(&directory.as_nobody(&[option, "-c", name]), 1);
        assert_eq!(out, "", "{option}");
        for part in ["10.0.0.300", "advskew", "from 1 to 255", "did you mean \"native\"?", "^", "ucarp.toml:"] {
            assert!(error.contains(part), "{option}: {part:?} is not in:\n{error}");
        }
        assert!(error.lines().last().is_some_and(|line| line.ends_with("not usable")), "{error}");
        assert!(!error.contains("password = \"secret\""), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_run_is_an_error_and_the_daemon_does_not_start() {
    let directory = Directory::new();
    let hidden = directory.write("hidden.toml", &web(&["10.0.0.100"], ""), 0o600);
    let (_, error) = ended(&directory.as_nobody(&["--check", "-c", hidden.to_str().expect("it is text")]), 1);
    assert!(error.contains("ermission denied"), "{error}");
    let open = directory.write("open", PASSWORD, 0o644);
    let more = format!(
        "[virtual-host.web]\ninterface = \"eth0\"\nvhid = 1\naddresses = [\"10.0.0.100\"]\npassword-file = {open:?}\n"
    );
    let file = directory.write("open.toml", &more, 0o644);
    let file = file.to_str().expect("it is text");
    let (_, error) = ended(&directory.as_nobody(&["--check", "-c", file]), 1);
    assert!(error.contains("other users can read") && error.contains("chmod 600"), "{error}");
    let (_, error) = ended(&directory.as_nobody(&["-c", file]), 1);
    assert!(error.contains("[ERROR]") && error.contains("other users can read"), "{error}");
    let (_, error) = ended(&directory.as_nobody(&["-c", "/nonexistent/ucarp.toml"]), 1);
    assert!(error.contains("/nonexistent/ucarp.toml"), "{error}");
}

#[test]
fn without_privileges_a_good_configuration_is_not_run_and_the_reason_is_said() {
    let directory = Directory::new();
    let file = directory.write("ucarp.toml", &web(&["10.0.0.100"], "").replace("eth0", "lo"), 0o644);
    let (_, error) = ended(&directory.as_nobody(&["-c", file.to_str().expect("it is text")]), 2);
    assert!(error.contains("run as root or give CAP_NET_RAW"), "{error}");
}
