use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::{Purpose, load, parse};
use super::*;

/// A configuration of many kinds; PASSWORD stands for the path of a password file.
const VARIED: &str = r#"
grace = "90s"
realtime-priority = 99
lock-memory = true
timer-slack = "1us"
[defaults]
interface = "eth0"
password-file = "PASSWORD"
[virtual-host.plain]
vhid = 1
addresses = ["192.0.2.254", "192.0.2.253/24"]
[virtual-host."dual.stack"]
vhid = 2
addresses = ["192.0.2.252", "2001:db8::fe/64", "fe80::fe"]
advbase = 0
advskew = 50
preempt = true
transport = "broadcast"
group = "239.1.2.3"
source = "192.0.2.1"
source6 = "fe80::1"
label = "eth0:vip"
scope = "link"
prefix-route = false
link-local-digest = "include"
ipv6-checksum = "pseudo-header"
openbsd-lladdr = "00:00:5e:00:01:02"
[virtual-host.unicast]
vhid = 3
addresses = ["2001:db8::fd"]
transport = "unicast"
peers = ["fe80::2", "192.0.2.2"]
routed = true
mac = "virtual"
lease = "none"
tie = "kernel"
authentication = "strict"
ignore-carrier = true
dead-ratio = 1000000
[virtual-host.scripts]
vhid = 4
interface = "eth1"
addresses = ["192.0.2.251"]
hold = "scripts"
up = "/bin/sh"
down = ["/bin/sh", "-c", "a \"b\" \\ c\n\u0001"]
neutral = true
script-timeout = "90s"
tie = "numeric"
[virtual-host.classic]
vhid = 5
interface = "eth1"
addresses = ["192.0.2.250"]
up = "/bin/sh"
xparam = "x"
mac = "virtual"
virtual-interface = "vip5"
"#;

fn load_text(directory: &Path, text: &str) -> super::super::Loaded {
    let (password, file) = (directory.join("password"), directory.join("ucarp.toml"));
    fs::write(&password, "secret\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, text.replace("PASSWORD", password.to_str().unwrap())).unwrap();
    load(&file, Purpose::Run).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_is_shown_loads_to_the_same_settings_and_shows_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let first = load_text(directory.path(), VARIED);
    let shown = show(&first.settings, &first.secrets);
    let second = load_text(directory.path(), &shown);
    assert_eq!(second.settings, first.settings, "{shown}");
    assert_eq!(second.secrets, first.secrets);
    assert_eq!(show(&second.settings, &second.secrets), shown);
    assert_eq!(second.warnings.len(), first.warnings.len(), "{}", second.warnings);
}

#[test]
fn every_key_of_every_virtual_host_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let loaded = load_text(directory.path(), VARIED);
    let shown = show(&loaded.settings, &loaded.secrets);
    for table in shown.split("\n[virtual-host.").skip(1) {
        for spec in KEYS.iter().filter(|spec| spec.place != Place::Top) {
            let lines = table.lines().filter(|line| {
                line.starts_with(&format!("{} = ", spec.name)) || line.starts_with(&format!("# {}: ", spec.name))
            });
            assert_eq!(lines.count(), 1, "{}\n{table}", spec.name);
        }
    }
}

#[test]
fn secrets_are_hidden_and_can_be_put_back() {
    let text = "[virtual-host.web]\nvhid = 1\naddresses = [\"192.0.2.254\"]\ninterface = \"eth0\"\n";
    let digits = "0f".repeat(20);
    for secret in ["password = \"unspoken\"".to_owned(), format!("key = \"{digits}\"")] {
        let loaded = parse(&format!("{text}{secret}\n")).unwrap();
        let shown = show(&loaded.settings, &loaded.secrets);
        assert!(!shown.contains("unspoken") && !shown.contains(&digits), "{shown}");
        assert!(shown.contains("# Passwords are hidden: 1 must be put back"), "{shown}");
        assert!(parse(&shown).unwrap_err().to_string().contains("has no password"));
        let again = parse(&shown.replace("# password: \"***\"", &secret)).unwrap();
        assert_eq!(again.settings, loaded.settings);
    }
}

#[test]
fn strings_are_those_of_toml() {
    for text in ["", "plain", "a \"b\" \\ c", "\n\t\u{1}\u{7f}", "ä€"] {
        let value = toml::de::DeValue::parse(Box::leak(string(text).into_boxed_str())).unwrap();
        assert_eq!(value.get_ref().as_str(), Some(text));
    }
}
