use super::super::Problems;
use super::super::parse;
use super::*;

/// A virtual host that is complete, so that a case can say only what it is about.
const COMPLETE: &str = "[virtual-host.web]\nvhid = 1\naddresses = [\"192.0.2.254\"]\ninterface = \"eth0\"\n";

fn problems(keys: &str) -> Problems {
    match parse(&format!("{COMPLETE}{PASSWORD}{keys}\n")) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    }
}

const PASSWORD: &str = "password = \"secret\"\n";

fn messages(keys: &str) -> Vec<String> {
    problems(keys).iter().map(|problem| problem.message().to_owned()).collect()
}

fn settings(keys: &str) -> HostSettings {
    let loaded = parse(&format!("{COMPLETE}{PASSWORD}{keys}\n")).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.settings.hosts.into_iter().next().unwrap()
}

fn lease(keys: &str) -> u32 {
    match settings(keys).holding {
        Holding::Native(native) => native.lease,
        Holding::Scripts => panic!("held by scripts"),
    }
}

#[test]
fn the_smallest_virtual_host_has_the_tables_defaults() {
    let host = settings("");
    let wanted = HostSettings {
        name: "web".into(),
        interface: "eth0".into(),
        title: "eth0".into(),
        vhid: 1,
        key: carp_core::auth::Key::from_password(b"secret").unwrap(),
        addresses: vec![VirtualAddress { ip: "192.0.2.254".parse().unwrap(), prefix_len: 32 }],
        interval: Interval { advbase: 1, advskew: 0 },
        dead_ratio: 3,
        preempt: false,
        transport: Transport::Multicast { v4: "224.0.0.18".parse().unwrap(), v6: "ff02::12".parse().unwrap() },
        source_v4: None,
        source_v6: None,
        holding: Holding::Native(Native { lease: 3, label: None, scope: Scope::Global, noprefixroute: false }),
        mac: Mac::Interface,
        tie: TieRule::UcarpLittleEndian,
        scripts: Scripts { up: None, down: None, neutral: false, time_limit: Duration::from_secs(60) },
        ignore_carrier: false,
        authentication: Authentication::Observe,
        dialect: Dialect::default(),
        policy: Policy {
            hold_down: Some(HoldDown {
                takeovers: 10,
                window: Duration::from_secs(60),
                length: Duration::from_secs(300),
            }),
            refresh: Some(Duration::from_secs(60)),
            conflict: Some(ConflictPolicy { answer: ConflictAnswer::Defend, probes: true }),
            ..Policy::default()
        },
        penalty: Duration::from_secs(30),
        sync_group: None,
        checks: Vec::new(),
    };
    assert_eq!(host, wanted);
    assert_eq!(messages(""), [""; 0]);
}

#[test]
fn every_key_sets_its_own_setting() {
    let base = settings("");
    let changed = |keys: &str, change: &dyn Fn(&mut HostSettings)| {
        let mut wanted = base.clone();
        change(&mut wanted);
        assert_ne!(wanted, base, "{keys}");
        assert_eq!(settings(keys), wanted, "{keys}");
    };
    let native = |host: &mut HostSettings, change: &dyn Fn(&mut Native)| match &mut host.holding {
        Holding::Native(native) => change(native),
        Holding::Scripts => panic!("held by scripts"),
    };
    changed("advbase = 2\ndead-ratio = 2", &|host| {
        host.interval.advbase = 2;
        host.dead_ratio = 2;
        native(host, &|native| native.lease = 4);
    });
    changed("advskew = 50", &|host| host.interval.advskew = 50);
    changed("preempt = true", &|host| host.preempt = true);
    changed("group = \"239.1.2.3\"", &|host| {
        host.transport = Transport::Multicast { v4: "239.1.2.3".parse().unwrap(), v6: "ff02::12".parse().unwrap() };
    });
    changed("transport = \"broadcast\"", &|host| {
        host.transport = Transport::Broadcast { v4: "224.0.0.18".parse().unwrap(), v6: "ff02::12".parse().unwrap() };
    });
    changed("transport = \"unicast\"\npeers = [\"192.0.2.2\", \"fe80::2\"]\nrouted = true", &|host| {
        let peers = vec!["192.0.2.2".parse().unwrap(), "fe80::2".parse().unwrap()];
        host.transport = Transport::Unicast { peers, any_ttl: true };
    });
    changed("source = \"192.0.2.1\"", &|host| host.source_v4 = Some("192.0.2.1".parse().unwrap()));
    changed("hold = \"scripts\"", &|host| host.holding = Holding::Scripts);
    changed("lease = \"none\"", &|host| native(host, &|native| native.lease = 0));
    changed("label = \"eth0:vip\"", &|host| native(host, &|native| native.label = Some("eth0:vip".into())));
    changed("scope = \"link\"", &|host| native(host, &|native| native.scope = Scope::Link));
    changed("scope = \"host\"", &|host| native(host, &|native| native.scope = Scope::Host));
    changed("prefix-route = false", &|host| native(host, &|native| native.noprefixroute = true));
    changed("mac = \"virtual\"", &|host| host.mac = Mac::Virtual { name: "carp1".into() });
    changed("mac = \"virtual\"\nvirtual-interface = \"vip0\"", &|host| host.mac = Mac::Virtual { name: "vip0".into() });
    changed("tie = \"numeric\"", &|host| host.tie = TieRule::Numeric);
    changed("tie = \"kernel\"", &|host| host.tie = TieRule::Kernel);
    changed("authentication = \"classic\"", &|host| host.authentication = Authentication::Classic);
    changed("authentication = \"strict\"", &|host| host.authentication = Authentication::Strict);
    changed("sync-group = \"router\"", &|host| host.sync_group = Some("router".into()));
    changed("preempt-delay = \"30s\"", &|host| host.policy.preempt_delay = Duration::from_secs(30));
    changed("start-delay = \"2m\"", &|host| host.policy.start_delay = Duration::from_secs(120));
    changed("hold-down = \"0s\"", &|host| host.policy.hold_down = None);
    changed("hold-down = \"1h\"\nhold-down-after = 3\nhold-down-window = \"5m\"", &|host| {
        let (window, length) = (Duration::from_secs(300), Duration::from_secs(3600));
        host.policy.hold_down = Some(HoldDown { takeovers: 3, window, length });
    });
    changed("penalty = \"0s\"", &|host| host.penalty = Duration::ZERO);
    changed("refresh = \"0s\"", &|host| host.policy.refresh = None);
    changed("refresh = \"5m\"", &|host| host.policy.refresh = Some(Duration::from_secs(300)));
    for (word, answer) in [("yield", ConflictAnswer::Yield), ("report", ConflictAnswer::Report)] {
        changed(&format!("conflict = \"{word}\""), &|host| {
            host.policy.conflict = Some(ConflictPolicy { answer, probes: true });
        });
    }
    changed("ranked-demotion = true", &|host| host.policy.ranked_demotion = true);
    changed("demotion-counter = true", &|host| host.policy.demotion_byte = true);
    changed("ignore-carrier = true", &|host| host.ignore_carrier = true);
    changed("openbsd-lladdr = \"00:00:5e:00:01:01\"", &|host| {
        host.dialect.lladdr = Some(carp_core::wire::MacAddr([0, 0, 0x5e, 0, 1, 1]));
    });
    changed("down = \"/bin/sh\"\nneutral = true\nscript-timeout = \"5s\"", &|host| {
        let arguments = vec!["eth0".into(), "192.0.2.254".into()];
        host.scripts.down = Some(Script { path: "/bin/sh".into(), arguments });
        host.scripts.neutral = true;
        host.scripts.time_limit = Duration::from_secs(5);
    });
}

#[test]
fn keys_of_ipv6_work_with_ipv6() {
    let text = format!(
        "[virtual-host.six]\nvhid = 1\naddresses = [\"2001:db8::fe/64\", \"fe80::fe\"]\ninterface = \"eth0\"\n{PASSWORD}\
         group6 = \"ff05::12\"\nsource6 = \"fe80::1\"\nlink-local-digest = \"include\"\n\
         ipv6-checksum = \"pseudo-header\"\n"
    );
    let loaded = parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let host = &loaded.settings.hosts[0];
    assert_eq!(host.source_v6, Some("fe80::1".parse().unwrap()));
    assert!(host.dialect.link_local_in_digest && host.dialect.pseudo_header_checksum);
    assert!(matches!(&host.transport, Transport::Multicast { v6, .. } if v6.to_string() == "ff05::12"));
    assert_eq!(host.addresses.iter().map(|address| address.prefix_len).collect::<Vec<_>>(), [64, 128]);
}

#[test]
fn scripts_get_ucarps_arguments_or_exactly_those_listed() {
    let host = settings("up = \"/bin/sh\"\ndown = [\"/bin/sh\", \"a b\"]\nxparam = \"x\"");
    let script = |arguments: &[&str]| {
        Some(Script { path: "/bin/sh".into(), arguments: arguments.iter().map(OsString::from).collect() })
    };
    assert_eq!(host.scripts.up, script(&["eth0", "192.0.2.254", "x"]));
    assert_eq!(host.scripts.down, script(&["a b"]));
    assert_eq!(settings("up = \"\"").scripts.up, None);
}

#[test]
fn the_default_lease_is_the_dead_time_but_can_be_renewed() {
    for (keys, seconds) in [
        ("", 3),
        ("advskew = 128", 3),
        ("advbase = 2", 6),
        ("advbase = 0\nadvskew = 50", 1),
        ("dead-ratio = 10", 10),
        // The dead time of these is too short to be renewed in.
        ("dead-ratio = 1", 2),
        ("advskew = 128\ndead-ratio = 1", 2),
        ("advskew = 200\ndead-ratio = 1", 3),
        ("advbase = 0\nadvskew = 200", 2),
        ("advbase = 255\ndead-ratio = 1000000", 86_400),
    ] {
        assert_eq!(lease(keys), seconds, "{keys}");
    }
}

#[test]
fn a_lease_must_be_longer_than_the_interval_and_better_not_than_the_dead_time() {
    assert_eq!(lease("lease = \"2s\""), 2);
    let [message] = &messages("lease = \"1s\"")[..] else { panic!("one problem") };
    assert!(message.starts_with("a lease of 1s would end between two renewals: `lease` must be at least \"2s\""));
    assert_eq!(messages("lease = \"3s\""), [""; 0]);
    let [message] = &messages("lease = \"4s\"")[..] else { panic!("one problem") };
    assert!(message.starts_with("the lease of 4s is longer than the dead time of 3s"), "{message}");
    assert!(parse(&format!("{COMPLETE}{PASSWORD}lease = \"4s\"")).is_ok(), "a warning");
    assert_eq!(messages("lease = \"2s\"\ndead-ratio = 1"), [""; 0], "no shorter one would do");
}

#[test]
fn intervals_that_mean_something_else_are_refused() {
    for keys in ["advbase = 0", "advbase = 0\nadvskew = 0", "advskew = 255\nadvbase = 255"] {
        let problems = problems(keys);
        let [problem] = &problems.iter().collect::<Vec<_>>()[..] else { panic!("{problems}") };
        assert!(problem.message().starts_with("`advbase` and `advskew` are both "), "{problems}");
        assert_eq!(problems.to_string().contains("and here"), keys.contains('\n'), "{problems}");
    }
    assert_eq!(messages("advskew = 240"), [""; 0]);
    let [message] = &messages("advskew = 241")[..] else { panic!("one problem") };
    assert!(message.contains("FreeBSD"), "{message}");
}

#[test]
fn keys_without_effect_are_errors_where_they_stand() {
    for (keys, key, reason) in [
        ("peers = [\"192.0.2.2\"]", "peers", "it needs transport = \"unicast\""),
        ("routed = true", "routed", "it needs transport = \"unicast\""),
        ("group6 = \"ff02::12\"", "group6", "no advertisements go over IPv6"),
        ("source6 = \"fe80::1\"", "source6", "no advertisements go over IPv6"),
        ("ipv6-checksum = \"plain\"", "ipv6-checksum", "no advertisements go over IPv6"),
        ("link-local-digest = \"omit\"", "link-local-digest", "there is no IPv6 address"),
        ("virtual-interface = \"carp1\"", "virtual-interface", "it needs mac = \"virtual\""),
        ("xparam = \"x\"", "xparam", "it needs `up` or `down` without a list"),
        ("up = [\"/bin/sh\"]\nxparam = \"x\"", "xparam", "it needs `up` or `down` without a list"),
        ("neutral = true", "neutral", "there is no down script"),
        ("script-timeout = \"1s\"", "script-timeout", "there is no script"),
        ("allow-readable-password-file = true", "allow-readable-password-file", "there is no password file"),
        (
            "transport = \"unicast\"\npeers = [\"fe80::2\"]\nsource = \"192.0.2.1\"",
            "source",
            "no advertisements go over IPv4",
        ),
        (
            "transport = \"unicast\"\npeers = [\"192.0.2.2\"]\ngroup = \"224.0.0.18\"",
            "group",
            "transport = \"unicast\" has peers instead",
        ),
        (
            "hold = \"scripts\"\nup = \"/bin/sh\"\ndown = \"/bin/sh\"\nlease = \"3s\"",
            "lease",
            "the scripts hold the addresses",
        ),
        (
            "hold = \"scripts\"\nup = \"/bin/sh\"\ndown = \"/bin/sh\"\nlabel = \"eth0:1\"",
            "label",
            "the scripts hold the addresses",
        ),
    ] {
        assert_eq!(messages(keys), [format!("`{key}` has no effect here: {reason}")], "{keys}");
    }
}

#[test]
fn nothing_is_concluded_from_a_wrong_value() {
    for keys in [
        "transport = \"unicst\"\npeers = [\"192.0.2.2\"]",
        "hold = \"script\"\nlease = \"3s\"",
        "advbase = 300\nlease = \"1s\"",
        "advbase = 0\nadvskew = 300",
        "transport = \"unicast\"\npeers = [1]",
        "mac = 1\nvirtual-interface = \"carp1\"",
    ] {
        assert_eq!(messages(keys).len(), 1, "{keys}: {:?}", messages(keys));
    }
}

#[test]
fn what_belongs_together_is_asked_for() {
    assert_eq!(messages("transport = \"unicast\""), ["unicast needs `peers`"]);
    assert_eq!(
        messages("hold = \"scripts\"\nmac = \"virtual\"\nup = \"/bin/sh\"\ndown = \"/bin/sh\""),
        ["`mac = \"virtual\"` needs `hold = \"native\"`: scripts cannot know the virtual interface"]
    );
    assert_eq!(
        messages("hold = \"scripts\"\nup = \"/bin/sh\""),
        ["`hold = \"scripts\"` without `down`: nothing moves the addresses then"]
    );
}

#[test]
fn a_label_should_begin_with_its_interface() {
    assert_eq!(messages("label = \"eth0\""), [""; 0]);
    assert_eq!(messages("mac = \"virtual\"\nlabel = \"carp1:vip\""), [""; 0]);
    for keys in ["label = \"vip\"", "label = \"eth00:vip\"", "mac = \"virtual\"\nlabel = \"eth0:vip\""] {
        let [message] = &messages(keys)[..] else { panic!("{keys}") };
        assert!(message.starts_with("the label "), "{message}");
    }
}

#[test]
fn own_shared_and_peers_addresses_are_different_ones() {
    let unicast = "transport = \"unicast\"\npeers = [\"192.0.2.2\", ";
    for (keys, text) in [
        (
            "source = \"192.0.2.254\"".to_owned(),
            "192.0.2.254 is shared: `source` must be an address of this host alone",
        ),
        (
            format!("{unicast}\"192.0.2.1\"]\nsource = \"192.0.2.1\""),
            "192.0.2.1 is this host itself: `peers` are the others",
        ),
        (format!("{unicast}\"192.0.2.254\"]"), "the peer 192.0.2.254 is shared: name hosts by their own addresses"),
    ] {
        assert_eq!(messages(&keys), [text], "{keys}");
    }
}

#[test]
fn what_is_missing_is_told_with_what_it_must_be() {
    let problems = parse("[virtual-host.web]\n").unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 4, "{problems}");
    for (line, key) in lines.iter().zip(["password", "vhid", "addresses", "interface"]) {
        assert!(line.starts_with("ucarp.toml:1:15: the virtual host `web` has no ") && line.contains(key), "{line}");
    }
    assert!(lines[3].contains("here or in [defaults]") && !lines[1].contains("[defaults]"), "{problems}");
}

#[test]
fn one_way_to_give_the_key_is_enough() {
    let digits = "00".repeat(20);
    let problems = problems(&format!("key = \"{digits}\"\npassword-file = \"/etc/password\""));
    assert_eq!(problems.len(), 1, "{problems}");
    assert!(problems.to_string().contains("only one of `password`, `password-file` and `key`"), "{problems}");
    // What the virtual host says itself comes before the defaults, whichever way these have.
    let text = format!("[defaults]\nkey = \"{digits}\"\n{COMPLETE}{PASSWORD}");
    let loaded = parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.settings.hosts[0].key, carp_core::auth::Key::from_password(b"secret").unwrap());
}
