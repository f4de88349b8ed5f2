use super::super::{Loaded, parse, show};
use super::*;

const HOST: &str =
    "[virtual-host.web]\nvhid = 1\naddresses = [\"192.0.2.254\"]\ninterface = \"eth0\"\npassword = \"s\"\n";

/// One of each kind, most keys given.
const ALL: &str = r#"
[check.uplink]
kind = "link"
interface = "eth1"
fault = true
[check.gateway]
kind = "ping"
address = "fe80::1"
interface = "eth0"
demote = 50
interval = "500ms"
timeout = "300ms"
rise = 4
fall = 5
[check.router]
kind = "neighbour"
address = "192.0.2.1"
interface = "eth0"
fault = true
[check.smtp]
kind = "tcp"
address = "127.0.0.1"
port = 25
demote = 254
[check.health]
kind = "http"
url = "http://127.0.0.1:8080/health"
host = "www.example.org"
status = 204
fault = true
[check.server]
kind = "process"
name = "nginx"
fault = true
[check.daemon]
kind = "process"
pid-file = "/run/d.pid"
fault = true
[check.mode]
kind = "file"
path = "/run/mode"
contains = "primary \"1\""
fault = true
[check.default]
kind = "route"
address = "198.51.100.1"
via = "192.0.2.1"
interface = "eth0"
demote = 1
[check.own]
kind = "command"
command = ["/bin/sh", "-c", "true"]
user = "root"
fault = true
[check.cut]
kind = "isolation"
external = "192.0.2.2"
internal = "10.0.0.2"
isolation-host = "192.0.2.1"
demote = 100
hold = 3
[isolation]
external = "192.0.2.2"
internal = "10.0.0.2"
isolation-host = "192.0.2.1"
"#;

const NAMES: [&str; 11] =
    ["uplink", "gateway", "router", "smtp", "health", "server", "daemon", "mode", "default", "own", "cut"];

fn loaded(text: &str) -> Loaded {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wrong with a text, one line each.
fn wrong(text: &str) -> Vec<String> {
    let problems = match parse(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(ToString::to_string).collect()
}

/// Asserts that a check with these keys has one thing wrong with it.
#[track_caller]
fn assert_wrong(keys: &str, part: &str) {
    let told = wrong(&format!("{HOST}checks = [\"x\"]\n[check.x]\n{keys}\n"));
    assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:#?}");
}

#[test]
fn all_kinds_are_read_and_shown() {
    let first = loaded(&format!("{HOST}checks = {NAMES:?}\n{ALL}"));
    assert!(first.warnings.is_empty(), "{}", first.warnings);
    let names: Vec<&str> = first.settings.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, [&NAMES[..], &[ISOLATION]].concat());
    assert_eq!(first.settings.hosts[0].checks, names);
    let ping = &first.settings.checks[1];
    let wanted = Check {
        name: "gateway".into(),
        probe: Probe::Ping { address: "fe80::1".parse().unwrap(), interface: Some("eth0".into()) },
        interval: Duration::from_millis(500),
        timeout: Duration::from_millis(300),
        rise: 4,
        fall: 5,
        effect: Effect::Demote(50),
    };
    assert_eq!(*ping, wanted);
    let shown = show(&first.settings, &first.secrets).replace("# password: \"***\"", "password = \"s\"");
    let second = loaded(&shown);
    assert_eq!(second.settings, first.settings, "{shown}");
}

#[test]
fn isolation_is_found_out_within_three_seconds_by_default_and_concerns_all() {
    let isolation = &ALL[ALL.find("[isolation]").unwrap()..];
    let two = format!(
        "{HOST}{}{isolation}",
        HOST.replace("web", "two").replace("vhid = 1", "vhid = 2").replace("254", "253")
    );
    let settings = loaded(&two).settings;
    assert!(settings.hosts.iter().all(|host| host.checks == [ISOLATION]));
    let Check { interval, timeout, fall, effect, .. } = settings.checks[0];
    assert_eq!(effect, Effect::Fault);
    assert!(interval * fall + timeout < Duration::from_secs(3));
}

#[test]
fn defaults_name_checks_for_all_and_a_virtual_host_for_itself() {
    let check = "[check.a]\nkind = \"link\"\ninterface = \"eth1\"\nfault = true\n";
    let text = format!(
        "[defaults]\nchecks = [\"a\"]\n{HOST}{}checks = []\n{check}",
        HOST.replace("web", "two").replace("vhid = 1", "vhid = 2").replace("254", "253")
    );
    let settings = loaded(&text).settings;
    let checks: Vec<&[String]> = settings.hosts.iter().map(|host| &host.checks[..]).collect();
    assert_eq!(checks, [&["a".to_owned()][..], &[]]);
}

#[test]
fn what_is_missing_is_told_with_what_is_allowed() {
    assert_wrong("fault = true", "the check `x` has no `kind` (`kind` must be \"link\", ");
    assert_wrong("kind = \"pign\"\nfault = true", "did you mean \"ping\"?");
    assert_wrong("kind = \"ping\"\nfault = true", "has no `address` (`address` must be the address of a host");
    assert_wrong(
        "kind = \"tcp\"\naddress = \"::1\"\nfault = true",
        "has no `port` (`port` must be a whole number from 1 to 65535",
    );
    assert_wrong("kind = \"link\"\nfault = true", "has no `interface`");
    assert_wrong("kind = \"process\"\nfault = true", "has no `name`");
    assert_wrong("kind = \"command\"\nfault = true", "has no `command`");
    assert_wrong(
        "kind = \"isolation\"\nexternal = \"192.0.2.2\"\ninternal = \"10.0.0.2\"\nfault = true",
        "has no `isolation-host`",
    );
    assert_wrong(
        "kind = \"link\"\ninterface = \"eth1\"",
        "the check `x` has no effect (write `fault = true` or `demote = 50`",
    );
    assert_wrong("kind = \"link\"\ninterface = \"eth1\"\nfault = false", "has no effect");
}

#[test]
fn what_does_not_go_together_is_told() {
    let ping = "kind = \"ping\"\naddress = \"192.0.2.1\"\nfault = true\n";
    assert_wrong(&format!("{ping}demote = 1"), "`demote` or `fault = true`, not both");
    assert_wrong(
        &format!("{ping}port = 1"),
        "`port` has no effect here: it is not of kind = \"ping\" (it is of \"tcp\")",
    );
    assert_wrong(&format!("{ping}timeout = \"3s\""), "a timeout of 3s is longer than the interval of 2s");
    assert_wrong(
        &format!("{ping}interval = 5"),
        "`interval` must be a time from 50ms to 1h such as \"500ms\" or \"2s\", not 5 (write it with a unit: \"5s\")",
    );
    assert_wrong(&format!("{ping}intervall = \"5s\""), "unknown key `intervall` (did you mean `interval`?)");
    assert_wrong(&format!("{ping}vhid = 5"), "`vhid` belongs into [virtual-host.NAME]");
    assert_wrong(
        "kind = \"ping\"\naddress = \"fe80::1\"\nfault = true",
        "is an address on each link: it is not said which",
    );
    assert_wrong("kind = \"process\"\nname = \"a\"\npid-file = \"/a\"\nfault = true", "`name` or `pid-file`, not both");
    assert_wrong("kind = \"command\"\ncommand = \"\"\nfault = true", "`command` must be the full path of a program");
    assert_wrong(
        "kind = \"http\"\nurl = \"http://www.example.org/\"\nfault = true",
        "`url` must be a URL with an address",
    );
    assert_wrong(
        "kind = \"http\"\nurl = \"http://127.0.0.1/\"\nhost = \"a\\r\\nb\"\nfault = true",
        "`host` must be the name of a server",
    );
    let isolation = "kind = \"isolation\"\nexternal = \"192.0.2.2\"\ninternal = \"192.0.2.2\"\nisolation-host = \"192.0.2.1\"\nfault = true\n";
    assert_wrong(isolation, "`external` and `internal` are the same host");
    assert_wrong(
        &isolation.replace("internal = \"192.0.2.2\"", "internal = \"10.0.0.2\"\nfall = 2"),
        "with \"isolation\" it is `hold`",
    );
}

#[test]
fn checks_and_virtual_hosts_have_to_match() {
    let check = |name: &str| format!("[check.{name}]\nkind = \"link\"\ninterface = \"eth1\"\nfault = true\n");
    let told = wrong(&format!("{HOST}checks = [\"gatewy\"]\n{}", check("gateway")));
    assert!(
        told[0].starts_with("ucarp.toml:6:11: there is no check \"gatewy\" (did you mean \"gateway\"?)"),
        "{told:#?}"
    );
    let told = wrong(&format!("{HOST}checks = [\"a\", \"a\"]\n{}", check("a")));
    assert!(told[0].contains("the check \"a\" is given twice"), "{told:#?}");
    let told = wrong(&format!("{HOST}{}", check("a")));
    assert!(
        told.len() == 1 && told[0].contains("no virtual host has the check `a` (name it in `checks = [\"a\"]`"),
        "{told:#?}"
    );
    let told = wrong(&format!("{HOST}checks = [\"isolation\"]\n{}", check("isolation")));
    assert!(told[0].contains("`isolation` is the name of the check that [isolation] makes"), "{told:#?}");
    let told = wrong(&format!("{HOST}[isolation]\nkind = \"link\"\n"));
    assert!(told.iter().any(|line| line.contains("`kind` belongs into [check.NAME]")), "{told:#?}");
    let told = wrong(&format!("{HOST}[check]\nkind = \"link\"\n"));
    assert!(told.iter().any(|line| line.contains("`kind` is no check (write [check.NAME]")), "{told:#?}");
    let told = wrong(&format!("isolation = 1\n{HOST}"));
    assert!(told[0].contains("`isolation` must be a table: write [isolation]"), "{told:#?}");
    let names: Vec<String> = (0..=MOST_CHECKS).map(|number| format!("c{number}")).collect();
    let all: String = names.iter().map(|name| check(name)).collect();
    let told = wrong(&format!("{HOST}checks = {names:?}\n{all}"));
    assert!(told.len() == 1 && told[0].contains("more than 64 checks"), "{told:#?}");
}
