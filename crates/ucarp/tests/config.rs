//! Configuration files through the real program: examples, the guide, `--check` and `--show-config`.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, str};

use tempfile::TempDir;
use ucarp::config::{CHECK_KEYS, KEYS, KINDS, KeyId};
use ucarp::options::OPTIONS;

/// Nobody, who owns nothing.
const NOBODY: u32 = 65_534;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A directory that stands for `/etc/ucarp`, with a password and scripts.
struct Etc(TempDir);

impl Etc {
    fn new() -> Self {
        let etc = Self(tempfile::tempdir().expect("a temporary directory"));
        etc.write("password", "unspoken\n", 0o600);
        etc.write("up.sh", "#!/bin/sh\n", 0o755);
        etc.write("down.sh", "#!/bin/sh\n", 0o755);
        etc
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file whose text names files of `/etc/ucarp`.
    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        let own = format!("{}/", self.0.path().display());
        fs::write(&path, text.replace("/etc/ucarp/", &own)).expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
    }

    fn run(&self, option: &str) -> Ending {
        Ending::of(&mut self.command(option))
    }

    fn command(&self, option: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ucarp"));
        command.arg(option).arg("-c").arg(self.path("ucarp.toml"));
        command
    }

    /// Asserts that a text is a configuration with which nothing is wrong.
    #[track_caller]
    fn assert_accepted(&self, title: &str, text: &str) {
        self.write("ucarp.toml", text, 0o600);
        let ending = self.run("--check");
        assert_eq!((ending.status, ending.errors.as_str()), (0, ""), "{title}");
        assert!(ending.text.starts_with("ok: "), "{title}: {}", ending.text);
    }
}

struct Ending {
    status: i32,
    text: String,
    errors: String,
}

impl Ending {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the program can be run");
        let [text, errors] = [stdout, stderr].map(|octets| String::from_utf8(octets).expect("it prints UTF-8"));
        Self { status: status.code().expect("it exits"), text, errors }
    }
}

const HOST: &str = "[virtual-host.web]\nvhid = 1\ninterface = \"eth0\"\naddresses = [\"192.0.2.254\"]\n\
                    password-file = \"/etc/ucarp/password\"\n";

#[test]
fn every_example_is_accepted() {
    let etc = Etc::new();
    let mut count = 0;
    for entry in fs::read_dir(project("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            etc.assert_accepted(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
            count += 1;
        }
    }
    assert!(count >= 6, "{count} examples");
}

/// What stands between ```toml and ```, or in a literal display of a manual page.
fn blocks<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

#[test]
fn every_file_in_the_guide_and_the_manual_page_is_accepted() {
    let etc = Etc::new();
    let guide = fs::read_to_string(project("docs/configuration.md")).unwrap();
    let page = fs::read_to_string(project("man/ucarp.toml.5")).unwrap();
    etc.write("move-address", "#!/bin/sh\n", 0o755);
    let in_guide = blocks(&guide, "```toml\n", "```");
    let in_page = blocks(&page, ".Bd -literal -offset indent\n", ".Ed\n");
    assert!(in_guide.len() >= 6 && in_page.len() == 4, "{} and {}", in_guide.len(), in_page.len());
    for block in in_guide.into_iter().chain(in_page) {
        etc.assert_accepted(block, block);
    }
}

/// The error that the guide shows is what the program says.
#[test]
fn the_error_in_the_guide_is_a_real_one() {
    let etc = Etc::new();
    etc.write("ucarp.toml", &format!("{HOST}advskew = 300\n"), 0o600);
    let guide = fs::read_to_string(project("docs/configuration.md")).unwrap();
    let shown = guide.split("An error looks like this:\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let shown: String = shown.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap())).collect();
    let said = etc.run("--check").errors.replace(&etc.path("").display().to_string(), "/etc/ucarp/");
    assert!(said.starts_with(&shown), "{said}\n{shown}");
}

/// `UPDATE=1 cargo test -p ucarp` writes the guide's tables anew.
#[test]
fn the_guide_has_every_key() {
    let path = project("docs/configuration.md");
    let guide = fs::read_to_string(&path).unwrap();
    let guide_now = with_table(&guide, "keys", &table_of_keys());
    let guide_now = with_table(&guide_now, "keys of checks", &table_of_check_keys());
    if env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, guide_now).unwrap();
    } else {
        assert!(guide == guide_now, "a table of keys is old: run UPDATE=1 cargo test -p ucarp");
    }
}

/// The guide with this between its two marks of that name.
fn with_table(guide: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: made from the table of keys -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = guide.split_once(&begin).expect("where the table begins");
    let (_, after) = rest.split_once(&end).expect("where the table ends");
    format!("{before}{begin}{table}{end}{after}")
}

fn table_of_keys() -> String {
    let mut table = String::from("| key | value | default | meaning | UCARP |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let allowed = key.kind.allowed().replace('|', "\\|");
        let default = key.default.map_or_else(String::new, |default| format!("`{default}`"));
        let option = OPTIONS.iter().find(|option| option.long.iter().any(|long| key.classic.contains(long)));
        let option = option.map_or_else(String::new, |option| match option.short {
            Some(letter) => format!("`-{letter}`"),
            None => format!("`--{}`", option.name()),
        });
        writeln!(table, "| `{}` | {allowed} | {default} | {} | {option} |", key.name, key.summary)
            .expect("a string takes everything");
    }
    table
}

fn table_of_check_keys() -> String {
    let mut table = String::from("| key | value | kinds | meaning |\n|---|---|---|---|\n");
    for key in CHECK_KEYS {
        let KeyId::Check(id) = key.id else { continue };
        let kinds = match id.kinds() {
            all if all.len() == KINDS.len() => "all".to_owned(),
            most if most.len() + 1 == KINDS.len() => "all but `isolation`".to_owned(),
            some => some.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", "),
        };
        writeln!(table, "| `{}` | {} | {kinds} | {} |", key.name, key.kind.allowed(), key.summary)
            .expect("a string takes everything");
    }
    table
}

#[test]
fn a_check_tells_everything_and_ends_with_status_1() {
    let etc = Etc::new();
    etc.write("ucarp.toml", &format!("{HOST}adbvase = 1\n[virtual-host.two]\nvhid = 300\n"), 0o600);
    let ending = etc.run("--check");
    assert_eq!((ending.status, ending.text.as_str()), (1, ""));
    for part in
        ["unknown key `adbvase`", "did you mean `advbase`?", "`vhid` must be", "has no `interface`", "has no password"]
    {
        assert!(ending.errors.contains(part), "{part}: {}", ending.errors);
    }
    let last = ending.errors.lines().last().unwrap();
    assert_eq!(last, format!("5 errors in {}: not usable", etc.path("ucarp.toml").display()));
    assert!(!ending.errors.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(etc.run("--show-config").status, 1);
}

#[test]
fn the_files_of_the_directory_beside_are_read() {
    let etc = Etc::new();
    fs::create_dir(etc.path("conf.d")).unwrap();
    etc.write("ucarp.toml", HOST, 0o600);
    etc.write(
        "conf.d/two.toml",
        &HOST.replace("web", "two").replace("vhid = 1", "vhid = 2").replace("254", "253"),
        0o600,
    );
    let ending = etc.run("--check");
    assert_eq!(
        (ending.status, ending.text.as_str(), ending.errors.as_str()),
        (0, "ok: 2 virtual hosts in 2 files\n", "")
    );
    etc.write("conf.d/two.toml", HOST, 0o600);
    let ending = etc.run("--check");
    assert_eq!(ending.status, 1);
    for file in ["ucarp.toml:1:15", "conf.d/two.toml:1:15"] {
        assert!(ending.errors.contains(file), "{}", ending.errors);
    }
}

#[test]
fn what_is_shown_is_a_configuration_with_the_same_effect() {
    let etc = Etc::new();
    for example in
        ["many", "dual-stack", "virtual-mac", "unicast", "ucarp-scripts", "one-address", "checks", "isolation"]
    {
        let text = fs::read_to_string(project(&format!("examples/{example}.toml"))).unwrap();
        etc.write("ucarp.toml", &text, 0o600);
        let shown = etc.run("--show-config");
        assert_eq!((shown.status, shown.errors.as_str()), (0, ""), "{example}");
        assert!(!shown.text.contains("unspoken"), "{}", shown.text);
        etc.assert_accepted(example, &shown.text);
        assert_eq!(etc.run("--show-config").text, shown.text, "{example}");
    }
}

#[test]
fn passwords_are_never_shown() {
    let etc = Etc::new();
    let inline = HOST.replace("password-file = \"/etc/ucarp/password\"", "password = \"unspoken\"");
    etc.write("ucarp.toml", &inline, 0o644);
    let shown = etc.run("--show-config");
    assert_eq!(shown.status, 0);
    assert!(shown.text.contains("# password: \"***\""), "{}", shown.text);
    assert!(shown.errors.contains("every user of this host can read this file"), "{}", shown.errors);
    etc.write("ucarp.toml", &inline.replace("unspoken\"", "unspoken unspoken unspoken\" # why"), 0o600);
    let refused = etc.run("--check");
    assert!(refused.errors.contains("password = *** # why"), "{}", refused.errors);
    for text in [shown.text, shown.errors, refused.text, refused.errors] {
        assert!(!text.contains("unspoken"), "{text}");
    }
}

/// Everybody may check a configuration, except for its passwords.
#[test]
fn no_privileges_are_needed() {
    let etc = Etc::new();
    etc.write("ucarp.toml", HOST, 0o644);
    fs::set_permissions(etc.0.path(), Permissions::from_mode(0o755)).unwrap();
    let root = fs::metadata(etc.0.path()).unwrap().uid() == 0;
    if !root {
        etc.write("password", "unspoken\n", 0o000);
    }
    let nobody = |option: &str| {
        let mut command = etc.command(option);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ending::of(&mut command)
    };
    let checked = nobody("--check");
    assert_eq!((checked.status, checked.text.as_str()), (0, "ok: 1 virtual host in 1 file\n"), "{}", checked.errors);
    assert!(checked.errors.starts_with("warning: unable to open password file "), "{}", checked.errors);
    assert!(checked.errors.contains("not checked") && checked.errors.contains("only root"), "{}", checked.errors);
    let shown = nobody("--show-config");
    assert!(shown.status == 0 && shown.text.contains("vhid = 1\n"), "{}", shown.text);
}
