//! `ucarpctl convert` against realistic files: the result to the byte, and what the daemon says to it.
//!
//! Each directory of `tests/convert` is a case; what was printed is beside its files. `UPDATE=1 cargo test -p ucarpctl --test
//! convert` writes it anew, and the difference belongs in the review.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, str};

use ucarp::config::{self, Purpose};
use ucarp::settings::{Effect, Holding, Mac, Transport};

/// The file of a case with what went to standard output, and to standard error.
const RESULT: (&str, &str) = ("expected.toml", "expected.remarks");

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert").join(name)
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ucarpctl"))
        .arg("convert")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the program can be run")
}

fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).expect("it prints UTF-8")
}

fn assert_file(path: &Path, actual: &str) {
    if env::var_os("UPDATE").is_some_and(|value| value == "1") {
        return fs::write(path, actual).expect("it can be written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} is old: run UPDATE=1 cargo test -p ucarpctl --test convert", path.display());
}

/// Converts a case, compares what is printed, and lets the daemon read the result with its files in place.
#[track_caller]
fn convert(name: &str, arguments: &[&str]) -> config::Loaded {
    let output = run(&case(name), arguments);
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    assert_file(&case(name).join(RESULT.0), text(&output.stdout));
    assert_file(&case(name).join(RESULT.1), text(&output.stderr));
    check(text(&output.stdout))
}

/// What `ucarp --check` does, on a host that has the files which the configuration names.
fn check(toml: &str) -> config::Loaded {
    let etc = tempfile::tempdir().expect("a temporary directory");
    let mut placed = toml.to_owned();
    let is_path = |word: &&str| word.starts_with('/');
    for (number, word) in toml.split('"').skip(1).step_by(2).filter(is_path).enumerate() {
        let path = etc.path().join(number.to_string());
        // A password file and a program at once: the first line is a good password as well.
        fs::write(&path, "#!/bin/sh\n").expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("it is ours");
        placed = placed.replacen(&format!("\"{word}\""), &format!("\"{}\"", path.display()), 1);
    }
    let file = etc.path().join("ucarp.toml");
    fs::write(&file, placed).expect("it can be written");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
    let loaded = config::load(&file, Purpose::Run).unwrap_or_else(|problems| panic!("{problems}\n{toml}"));
    assert!(loaded.warnings.is_empty(), "{}\n{toml}", loaded.warnings);
    loaded
}

#[test]
fn command_lines_in_a_script() {
    let loaded = convert("ucarp-script", &["rc.local"]);
    let [web, other] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!((web.vhid, web.interval.advskew, web.preempt, &web.holding), (1, 16, true, &Holding::Scripts));
    assert_eq!(web.scripts.up.as_ref().unwrap().arguments, ["eth0", "192.168.10.254", "blue green"]);
    assert_eq!(other.scripts.up.as_ref().unwrap().arguments, ["eth0:carp0", "192.168.10.253"]);
    assert_eq!((other.interval.advbase, other.dead_ratio, other.ignore_carrier), (2, 5, true));
    assert!(matches!(other.transport, Transport::Broadcast { .. }) && other.scripts.neutral);
}

#[test]
fn a_unit_of_systemd() {
    let loaded = convert("systemd", &["ucarp.service"]);
    assert_eq!(loaded.settings.hosts[0].interface, "ens3");
    assert!(matches!(loaded.settings.hosts[0].holding, Holding::Native(_)));
}

#[test]
fn stanzas_of_ifupdown() {
    let loaded = convert("ifupdown", &["interfaces"]);
    let [first, second] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    let Holding::Native(native) = &first.holding else { panic!("the daemon holds the address") };
    assert_eq!(native.label.as_deref(), Some("eth0:ucarp"));
    assert_eq!((first.vhid, first.preempt, first.source_v4), (3, true, Some([192, 168, 10, 2].into())));
    assert_eq!(second.holding, Holding::Scripts);
}

#[test]
fn a_command_in_a_stanza() {
    let loaded = convert("ifupdown-command", &["interfaces"]);
    assert_eq!((loaded.settings.hosts[0].vhid, loaded.settings.hosts[0].interval.advskew), (9, 10));
}

#[test]
fn files_of_the_sysv_script() {
    let loaded = convert("sysv", &["ucarp", "interface/carp0", "interface/carp1"]);
    let prefixes: Vec<u8> = loaded.settings.hosts.iter().map(|host| host.addresses[0].prefix_len).collect();
    assert_eq!(prefixes, [24, 32]);
    assert!(loaded.settings.hosts.iter().all(|host| host.preempt));
}

#[test]
fn files_of_fedora() {
    let loaded = convert("fedora", &["vip-common.conf", "vip-001.conf", "vip-042.conf"]);
    let [first, second] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!((first.vhid, first.interface.as_str(), first.preempt), (1, "eth0", true));
    assert_eq!((second.vhid, second.interval.advskew, second.preempt), (42, 50, true));
    assert_eq!(second.holding, Holding::Scripts);
}

#[test]
fn interfaces_carp_of_freebsd() {
    let loaded =
        convert("freebsd-carp0", &["--interface", "em0=eth0", "--interface", "em1=eth1", "rc.conf", "sysctl.conf"]);
    let [outside, inside] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!((outside.interface.as_str(), inside.interface.as_str()), ("eth0", "eth1"));
    assert_eq!((outside.addresses.len(), outside.interval.advskew, outside.preempt), (2, 100, true));
    assert_eq!(outside.mac, Mac::Virtual { name: "carp1".into() });
}

#[test]
fn vhids_of_freebsd() {
    let loaded = convert("freebsd-vhid", &["rc.conf"]);
    let [first, second, third] = &loaded.settings.hosts[..] else { panic!("three virtual hosts") };
    assert_eq!((first.addresses.len(), first.dialect.link_local_in_digest), (3, true));
    assert_eq!((second.vhid, second.preempt), (2, false));
    assert!(matches!(&third.transport, Transport::Unicast { peers, .. } if peers.len() == 1));
}

#[test]
fn the_port_of_freebsd() {
    let loaded = convert("freebsd-port", &["--interface", "eth0", "rc.conf"]);
    assert_eq!((loaded.settings.hosts[0].vhid, loaded.settings.hosts[0].preempt), (1, true));
}

#[test]
fn interfaces_of_openbsd() {
    let arguments = ["--password-file", "/etc/ucarp/password", "hostname.carp0", "hostname.carp1"];
    let loaded = convert("openbsd", &arguments);
    let [outside, inside] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!((outside.addresses.len(), outside.vhid, inside.vhid), (3, 1, 2));
    assert!(matches!(inside.transport, Transport::Unicast { .. }));
}

#[test]
fn instances_of_keepalived() {
    let loaded = convert("keepalived", &["keepalived.conf"]);
    let [first, second] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!((first.vhid, first.interval.advskew, first.preempt), (51, 105, true));
    assert_eq!(first.scripts.up.as_ref().unwrap().arguments, ["--now"]);
    assert_eq!((second.interval.advbase, second.interval.advskew, second.preempt), (1, 239, false));
    assert_eq!(second.mac, Mac::Virtual { name: "vrrp52".into() });
    assert_eq!(second.scripts.down.as_ref().unwrap().arguments, ["INSTANCE", "VI_2", "BACKUP", "10"]);
}

/// What is tracked is looked at by checks, with what keepalived did about it.
#[test]
fn tracking_of_keepalived() {
    let loaded = convert("keepalived-tracking", &["keepalived.conf"]);
    let [outside, inside] = &loaded.settings.hosts[..] else { panic!("two virtual hosts") };
    assert_eq!(outside.checks, ["chk_haproxy", "chk_db", "named", "link-eth2", "link-eth3"]);
    assert_eq!(inside.checks, ["chk_db-2", "chk_upstream", "link-eth3"]);
    // 255 - 150, and 5 better as long as haproxy runs.
    assert_eq!((outside.interval.advskew, inside.interval.advskew), (100, 105));
    assert_eq!(outside.sync_group.as_deref(), Some("edge-one"));
    let effects: Vec<_> = loaded.settings.checks.iter().map(|check| (check.name.as_str(), &check.effect)).collect();
    assert_eq!(
        effects,
        [
            ("chk_haproxy", &Effect::Demote(5)),
            ("chk_db", &Effect::Demote(30)),
            ("named", &Effect::Demote(20)),
            ("link-eth2", &Effect::Demote(10)),
            ("link-eth3", &Effect::Fault),
            ("chk_db-2", &Effect::Fault),
            ("chk_upstream", &Effect::Fault),
        ]
    );
}

#[test]
fn both_families_of_keepalived_are_one_virtual_host() {
    let loaded = convert("keepalived-dual", &["keepalived.conf"]);
    assert_eq!(loaded.settings.hosts.len(), 1);
    assert_eq!(loaded.settings.hosts[0].addresses.len(), 3);
}

#[test]
fn unicast_of_keepalived() {
    let loaded = convert("keepalived-unicast", &["--password-file", "/etc/ucarp/key", "keepalived.conf"]);
    assert!(matches!(&loaded.settings.hosts[0].transport, Transport::Unicast { peers, .. } if peers.len() == 2));
}

/// A higher priority is a lower skew, for every pair of hosts that are converted apart from each other.
#[test]
fn the_order_of_priorities_stays() {
    let directory = tempfile::tempdir().unwrap();
    let skew = |priority: u32| {
        let text = fs::read_to_string(case("keepalived-dual").join("keepalived.conf")).unwrap();
        fs::write(directory.path().join("k"), text.replace("priority 200", &format!("priority {priority}"))).unwrap();
        check(text_of(&run(directory.path(), &["k"]))).settings.hosts[0].interval.advskew
    };
    let skews: Vec<u8> = [255, 254, 150, 101, 100, 90, 16].map(skew).into();
    assert!(skews.windows(2).all(|pair| pair[0] < pair[1]), "{skews:?}");
}

fn text_of(output: &Output) -> &str {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What cannot be converted is told with its line and what to do, and nothing is printed.
#[test]
fn errors_name_the_line_and_the_remedy() {
    for (input, wanted) in [
        ("ucarp -v 300 -i eth0", "stdin:1: error: -v 300 is no number from 1 to 255"),
        ("\nucarp -i eth0 -Q", "stdin:2: error: -Q is no option of UCARP"),
        ("ucarp -i eth0 -k", "stdin:1: error: -k needs a value: add it"),
        ("ucarp -a $VIP -i eth0", "stdin:1: error: the value of $VIP is not known here: write it out"),
        ("ucarp -s `hostname` -i eth0", "stdin:1: error: this can only be known by running it"),
        ("ucarp -o passwords -i eth0 -v 1", "stdin:1: error: the password file \"passwords\" is not a full path"),
        ("ucarp -i eth0 -v 1 -a 192.0.2.1 -p 12345678901234567890", "more than 19 octets, which UCARP refuses"),
        ("ucarp -v 1 -a 192.0.2.1 -p x", "names no interface: convert with --interface NAME"),
        ("ucarp -i eth0 -v 1 -a 192.0.2.1", "eth0-1 has no password: add it"),
        ("ucarp -i eth0 -v 1 -a 192.0.2.999 -p x", "the result is not accepted by the daemon"),
        ("iface eth0 inet static\n  ucarp-vid 1\n", "the stanza of eth0 has no ucarp-vip: add it"),
        ("INSTANCE_ID=$NUMBER\nINTERFACE=eth0", "stdin:1: error: INSTANCE_ID: the value of $NUMBER is not known here"),
        ("VIP_ADDRESS=192.0.2.1\nBIND_INTERFACE=eth0", "no virtual host id: call the file vip-NNN.conf"),
        ("ifconfig_carp0=\"vhid 0 pass x 192.0.2.1/24\"", "vhid 0 is no number from 1 to 255: correct it"),
        ("inet 192.0.2.1 255.255.255.0 NONE vhid 1 balancing ip", "balancing by addresses is OpenBSD's alone"),
        ("vrrp_instance V {\n  priority 100\n", "stdin:1: error: the block vrrp_instance V has no end"),
        ("vrrp_instance V {\n priority 300\n}", "stdin:2: error: priority \"300\" is no number from 1 to 255"),
        ("vrrp_instance V {\n virtual_ipaddress {\n  eth0\n }\n}", "stdin:3: error: \"eth0\" is no address such as"),
        (
            "vrrp_script S {\n script \"check x\"\n}\nvrrp_instance V {\n track_script {\n  S\n }\n}",
            "stdin:2: error: script \"check\" is not a full path: write it from /",
        ),
        ("vrrp_instance V {\n track_script {\n  S\n }\n}", "stdin:3: error: there is no vrrp_script S: give the file"),
        (
            "vrrp_instance V {\n track_interface {\n  eth9 weight 300\n }\n}",
            "stdin:3: error: a weight is a number from -253 to 253",
        ),
        ("hello\n", "no configuration that is known here: say what it is with --from"),
        ("", "no configuration that is known here"),
    ] {
        let output = convert_text(input, &[]);
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert_eq!(text(&output.stdout), "", "{input}");
        assert!(text(&output.stderr).contains(wanted), "{input}: {}", text(&output.stderr));
    }
}

fn convert_text(input: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ucarpctl"))
        .args(["convert", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("the program reads it");
    child.wait_with_output().expect("it ends")
}

/// Only the result may hold a password, as the value of its key; with a password file not even that.
#[test]
fn passwords_are_in_one_place_only() {
    let inputs = [
        "ucarp -i eth0 -v 1 -a 192.0.2.9 -s 192.0.2.1 -p unspoken -z",
        "ucarp -i eth0 -v 1 -a 192.0.2.9 -s 192.0.2.1 --pass=unspoken -z",
        "iface eth0 inet static\n address 192.0.2.1\n ucarp-vid 1\n ucarp-vip 192.0.2.9\n ucarp-password unspoken\n",
        "ifconfig_em0_alias0=\"vhid 1 pass unspoken 192.0.2.9/32\"\n",
        "inet 192.0.2.9 255.255.255.0 NONE vhid 1 carpdev em0 pass unspoken\n",
        "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.9\n }\n authentication {\n \
         auth_pass unspoken\n }\n}\n",
    ];
    for input in inputs {
        let inline = convert_text(input, &[]);
        assert!(inline.status.success(), "{input}: {}", text(&inline.stderr));
        let others = text(&inline.stdout).replace("password = \"unspoken\"", "");
        assert!(!others.contains("unspoken") && !text(&inline.stderr).contains("unspoken"), "{input}: {others}");
        let named = convert_text(input, &["--password-file", "/etc/ucarp/password"]);
        assert!(text(&named.stdout).contains("password-file = \"/etc/ucarp/password\""), "{input}");
        assert!(!text(&named.stdout).contains("unspoken"), "{input}");
    }
}

#[test]
fn wrong_calls_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let missing = run(directory.path(), &["nothing.conf"]);
    assert_eq!(missing.status.code(), Some(69), "{}", text(&missing.stderr));
    assert!(text(&missing.stderr).contains("cannot read nothing.conf: No such file"), "{}", text(&missing.stderr));
    fs::write(directory.path().join("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(text(&run(directory.path(), &["large"]).stderr).contains("larger than 1048576 octets"));
    fs::write(directory.path().join("noise"), [0xff]).unwrap();
    assert!(text(&run(directory.path(), &["noise"]).stderr).contains("no text in UTF-8"));
    assert_eq!(run(directory.path(), &["--password-file", "here", "x"]).status.code(), Some(64));
    assert_eq!(run(directory.path(), &["--interface", "em0=", "x"]).status.code(), Some(64));
    fs::write(directory.path().join("a"), "ucarp -i eth0 -v 1\n").unwrap();
    fs::write(directory.path().join("b"), "vrrp_instance V {\n}\n").unwrap();
    assert!(text(&run(directory.path(), &["a", "b"]).stderr).contains("convert them one by one"));
}
