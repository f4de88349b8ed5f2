use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const HOST: &str =
    "[virtual-host.web]\nvhid = 1\naddresses = [\"192.0.2.254\"]\ninterface = \"eth0\"\npassword = \"s\"\n";

fn lines(problems: &Problems) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// What is wrong with a text, one line each.
fn wrong(text: &str) -> Vec<String> {
    lines(&parse(text).expect_err("problems"))
}

/// Writes files into a directory, those with `/` into its `conf.d`, and loads `ucarp.toml`.
fn load_files(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Loaded, Problems>) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("conf.d")).unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let loaded = load(&directory.path().join("ucarp.toml"), Purpose::Run);
    (directory, loaded)
}

fn host(name: &str, vhid: u8, more: &str) -> String {
    format!("[virtual-host.{name}]\nvhid = {vhid}\naddresses = [\"192.0.2.{vhid}\"]\n{more}\n")
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text =
        format!("vihd = 1\ngrace = 5\n{HOST}adbvase = 1\nadvskew = 256\npreempt = 1\n[virtual-host.two]\n[other]\n");
    let told = wrong(&text);
    let begins = [
        "ucarp.toml:1:1: unknown key `vihd`",
        "ucarp.toml:2:9: `grace` must be a time from 0s to 1d such as \"30s\" or \"5m\", not 5 (write it with a unit",
        "ucarp.toml:8:1: unknown key `adbvase` (did you mean `advbase`?)",
        "ucarp.toml:9:11: `advskew` must be a whole number from 0 to 255, not 256",
        "ucarp.toml:10:11: `preempt` must be true or false, not 1",
        "ucarp.toml:11:15: the virtual host `two` has no password",
        "ucarp.toml:11:15: the virtual host `two` has no `vhid`",
        "ucarp.toml:11:15: the virtual host `two` has no `addresses`",
        "ucarp.toml:11:15: the virtual host `two` has no `interface`",
        "ucarp.toml:12:2: unknown table `other`",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (line, begins) in told.iter().zip(begins) {
        assert!(line.starts_with(begins), "{line}");
    }
}

#[test]
fn keys_in_a_wrong_place_are_told_where_they_belong() {
    for (text, part) in [
        ("vhid = 1", "`vhid` belongs into [virtual-host.NAME]: each virtual host has its own"),
        ("advbase = 1", "`advbase` belongs into [virtual-host.NAME] or [defaults]"),
        ("[defaults]\naddresses = []", "`addresses` belongs into [virtual-host.NAME]: each"),
        ("[defaults]\ngrace = \"5m\"", "`grace` belongs before the first table of the main file"),
        ("[virtual-host.web]\ngrace = \"5m\"", "`grace` belongs before the first table of the main file"),
        ("[virtual-host]\nvhid = 1", "`vhid` is no virtual host (write [virtual-host.NAME] above"),
        ("[[virtual-host]]\nvhid = 1", "`virtual-host` must be a table: write [virtual-host.NAME] (with one pair"),
        ("defaults = 1", "`defaults` must be a table: write [defaults]"),
        ("[default]\n", "unknown table `default` (did you mean `defaults`?)"),
        ("[virtual-host.\"a b\"]\n", "the name of a virtual host must be 1 to 64 letters"),
        ("", "ucarp.toml: no virtual host: write [virtual-host.NAME] and its keys"),
    ] {
        let told = wrong(text);
        assert!(told.iter().any(|line| line.contains(part)), "{text}: {told:#?}");
    }
}

#[test]
fn names_of_ucarps_options_lead_to_their_keys() {
    for (option, key) in [
        ("srcip", "source"),
        ("upscript", "up"),
        ("addr", "addresses"),
        ("ignoreifstate", "ignore-carrier"),
        ("dead-ratio-", "dead-ratio"),
    ] {
        let told = wrong(&format!("{HOST}{option} = 1\n"));
        assert_eq!(told, [format!("ucarp.toml:6:1: unknown key `{option}` (did you mean `{key}`?)")]);
    }
}

#[test]
fn errors_of_the_form_do_not_hide_others_and_cause_none() {
    let text = format!("{HOST}advbase = \nadvskew 1\npreempt = 2\n[virtual-host.two]\nvhid = = 3\n");
    let told = wrong(&text);
    for (line, place) in
        told.iter().zip(["6:11: ", "7:9: ", "8:11: `preempt` must be true or false", "10:8: ", "10:10: "])
    {
        assert!(line.starts_with(&format!("ucarp.toml:{place}")), "{told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}

#[test]
fn what_is_given_twice_is_shown_twice() {
    let told = wrong(&format!("{HOST}vhid = 2\n"));
    assert_eq!(told, ["ucarp.toml:6:1: `vhid` is given twice (first here: ucarp.toml:2:1)"]);
    let told = wrong(&format!("{HOST}{HOST}"));
    assert_eq!(told, ["ucarp.toml:6:15: `web` is given twice (first here: ucarp.toml:1:15)"]);
}

#[test]
fn virtual_hosts_must_differ() {
    let base = "[defaults]\ninterface = \"eth0\"\npassword = \"s\"\n";
    for (hosts, part) in [
        (
            host("a", 1, "") + "[virtual-host.b]\nvhid = 1\naddresses = [\"192.0.2.9\"]\n",
            "vhid 1 is there twice on eth0",
        ),
        (
            host("a", 1, "") + "[virtual-host.b]\nvhid = 2\naddresses = [\"192.0.2.9\", \"192.0.2.1/24\"]\n",
            "192.0.2.1 is shared by another virtual host of eth0 already",
        ),
        (
            host("a", 1, "mac = \"virtual\"\nvirtual-interface = \"x0\"")
                + &host("b", 2, "mac = \"virtual\"\nvirtual-interface = \"x0\""),
            "the virtual interface x0 belongs to another virtual host",
        ),
        (
            host("a", 1, "mac = \"virtual\"") + &host("b", 2, "interface = \"carp1\""),
            "carp1 is the virtual interface of a virtual host: nothing can advertise there",
        ),
    ] {
        let told = wrong(&format!("{base}{hosts}"));
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains(part) && told[0].matches("ucarp.toml:").count() == 2, "{told:#?}");
    }
    let elsewhere = host("a", 1, "") + &host("b", 1, "interface = \"eth1\"");
    assert_eq!(parse(&format!("{base}{elsewhere}")).unwrap().settings.hosts.len(), 2);
    // The default name of the virtual interface has only the vhid in it.
    let elsewhere = host("a", 1, "mac = \"virtual\"") + &host("b", 1, "mac = \"virtual\"\ninterface = \"eth1\"");
    let told = wrong(&format!("{base}{elsewhere}"));
    assert!(told.len() == 1 && told[0].contains("carp1 belongs to another"), "{told:#?}");
}

#[test]
fn own_keys_come_before_defaults_of_the_file_and_these_before_the_main_files() {
    let main = format!(
        "[defaults]\ninterface = \"eth0\"\npassword = \"s\"\nadvskew = 1\nadvbase = 2\n{}",
        host("main", 1, "")
    );
    let more =
        format!("[defaults]\nadvskew = 3\n{}{}", host("far", 2, ""), host("near", 3, "advskew = 4\nadvbase = 5"));
    let (directory, loaded) =
        load_files(&[("ucarp.toml", &main), ("conf.d/a.toml", &more), ("conf.d/b.toml", &host("other", 4, ""))]);
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    let ranks: Vec<_> =
        loaded.settings.hosts.iter().map(|h| (h.name.as_str(), h.interval.advbase, h.interval.advskew)).collect();
    assert_eq!(ranks, [("main", 2, 1), ("far", 2, 3), ("near", 5, 4), ("other", 2, 1)]);
    let path = |name: &str| directory.path().join(name);
    assert_eq!(loaded.files, [path("ucarp.toml"), path("conf.d/a.toml"), path("conf.d/b.toml")]);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn problems_between_files_name_both() {
    let (directory, loaded) = load_files(&[
        ("ucarp.toml", HOST),
        ("conf.d/a.toml", &HOST.replace("vhid = 1", "vhid = 2").replace("254", "253")),
        ("conf.d/b.toml", "grace = \"1m\"\n"),
    ]);
    let told = lines(&loaded.unwrap_err());
    let at = |name: &str| directory.path().join(name).display().to_string();
    let wanted = [
        format!(
            "{}:1:15: the virtual host `web` is there twice: give one of them another name (first here: {}:1:15)",
            at("conf.d/a.toml"),
            at("ucarp.toml")
        ),
        format!("{}:1:1: `grace` belongs into the main file", at("conf.d/b.toml")),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn files_that_cannot_be_read_are_told_beside_the_rest() {
    let (directory, _) = load_files(&[("ucarp.toml", "vhid = 1\n")]);
    fs::create_dir(directory.path().join("conf.d/dir.toml")).unwrap();
    fs::write(directory.path().join("conf.d/latin.toml"), b"\n# \xe4\n").unwrap();
    let told = lines(&load(&directory.path().join("ucarp.toml"), Purpose::Run).unwrap_err());
    assert_eq!(told.len(), 3, "{told:#?}");
    for (line, part) in told.iter().zip([
        "dir.toml: not a regular file",
        "latin.toml: not UTF-8: octet 0xe4 in line 2",
        "`vhid` belongs",
    ]) {
        assert!(line.contains(part), "{line}");
    }
    let told = lines(&load(&directory.path().join("missing.toml"), Purpose::Check).unwrap_err());
    assert!(told[0].contains("missing.toml: unable to open: No such file"), "{told:#?}");
}

#[test]
fn the_order_is_that_of_the_file_and_the_grace_time_is_read() {
    let text = format!(
        "grace = \"10s\"\n[defaults]\ninterface = \"eth0\"\npassword = \"s\"\n{}{}{}",
        host("z", 3, ""),
        host("a", 1, ""),
        host("m", 2, "")
    );
    let settings = parse(&text).unwrap().settings;
    assert_eq!(settings.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["z", "a", "m"]);
    assert_eq!(settings.grace.as_secs(), 10);
    assert_eq!(parse(HOST).unwrap().settings.grace.as_secs(), 300);
    let inline =
        "virtual-host.web = { vhid = 1, addresses = [\"192.0.2.1\"], interface = \"eth0\", password = \"s\" }\n";
    assert_eq!(parse(inline).unwrap().settings.hosts[0].vhid, 1);
}

/// Whatever is wrong with the text: no panic, every problem has a place, and the secret stays hidden.
#[test]
fn mutilated_files_are_understood_or_refused_without_showing_secrets() {
    let text = format!(
        "grace = \"5m\"\n[defaults]\npassword = \"uNsPoKeN\" # old\npreempt = true\n{}key = \"{}\"\nup = [\"/bin/sh\", \"\\u00e4\"]\n",
        host("web", 1, "interface = \"eth0\""),
        "ad".repeat(20)
    );
    assert!(parse(&text).is_ok());
    let check = |text: &str| {
        let problems = match parse(text) {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        };
        let told = problems.to_string() + &lines(&problems).join("\n");
        for secret in ["uNsPo", "sPoKeN", "adadadad"] {
            assert!(!told.contains(secret), "{text}\n{told}");
        }
    };
    for at in 0..text.len() {
        check(&text[..at]);
        check(&format!("{}{}", &text[..at], &text[at + 1..]));
        for inserted in ["\"", "=", "\n", "[", "'''", "ä"] {
            check(&format!("{}{inserted}{}", &text[..at], &text[at..]));
        }
    }
}

#[test]
fn deep_and_wide_files_are_refused_in_time() {
    for text in
        ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), "x = {a=".repeat(50_000), "x=1\n".repeat(50_000)]
    {
        assert!(!parse(&text).unwrap_err().is_empty());
    }
}
