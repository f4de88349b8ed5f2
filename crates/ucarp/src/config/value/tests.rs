use super::super::table::{CHECK_KEYS, KEYS, KeyId};
use super::*;

/// What a value written for that key is, or what is said about it.
fn take(id: KeyId, written: &str) -> Result<Value, Vec<String>> {
    let value = DeValue::parse(written).unwrap();
    let mut faults = Vec::new();
    let read = read(id.spec(), &value, &mut faults);
    let messages = faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>();
    assert_eq!(read.is_none(), !messages.is_empty(), "{written}: a value or a fault");
    read.ok_or(messages)
}

fn refused(id: KeyId, written: &str) -> String {
    take(id, written).expect_err(written).join("\n")
}

#[test]
fn every_default_is_valid() {
    for spec in KEYS {
        if let Some(default) = spec.default {
            assert!(take(spec.id, default).is_ok(), "{}", spec.name);
        }
    }
}

/// A wrong type is refused with what is allowed, for every key.
#[test]
fn no_key_takes_what_it_is_not() {
    for spec in KEYS.iter().chain(CHECK_KEYS) {
        for written in ["1.5", "2026-11-22", "{ a = 1 }", "[[1]]", "[]", "\"\\u0000\"", "-1", "99999999999999999999"] {
            if written == "[]" && spec.id == KeyId::Checks {
                assert!(matches!(take(spec.id, written), Ok(Value::Names(names)) if names.is_empty()));
                continue;
            }
            let message = refused(spec.id, written);
            let wanted = if written == "[[1]]" { String::new() } else { spec.kind.allowed() };
            assert!(message.contains(&wanted) && message.contains(spec.name) || message.contains("NUL"), "{message}");
        }
    }
}

#[test]
fn numbers_have_their_range() {
    for (written, number) in [("0", 0), ("255", 255), ("0x10", 16), ("0o10", 8), ("1_0", 10)] {
        assert!(matches!(take(KeyId::Advbase, written), Ok(Value::Number(n)) if n == number), "{written}");
    }
    for written in ["256", "-1", "\"1\"", "1.0", "true", "4294967297"] {
        assert!(refused(KeyId::Advbase, written).starts_with("`advbase` must be a whole number from 0 to 255, not "));
    }
    assert_eq!(refused(KeyId::Vhid, "0"), "`vhid` must be a whole number from 1 to 255, not 0");
    assert_eq!(refused(KeyId::Vhid, "\"1\""), "`vhid` must be a whole number from 1 to 255, not \"1\"");
}

#[test]
fn choices_are_exact_and_near_ones_are_suggested() {
    assert!(matches!(take(KeyId::Transport, "\"unicast\""), Ok(Value::Choice("unicast"))));
    let mut faults = Vec::new();
    assert!(read(KeyId::Transport.spec(), &DeValue::parse("\"Unicst\"").unwrap(), &mut faults).is_none());
    assert_eq!(faults[0].message, "`transport` must be \"multicast\", \"broadcast\" or \"unicast\", not \"Unicst\"");
    assert_eq!(faults[0].help.as_deref(), Some("did you mean \"unicast\"?"));
}

#[test]
fn times_have_units_and_ranges() {
    assert!(matches!(take(KeyId::Grace, "\"0s\""), Ok(Value::Duration(time)) if time.is_zero()));
    assert!(matches!(take(KeyId::Control, "false"), Ok(Value::Flag(false))));
    assert!(matches!(take(KeyId::Control, "\"/run/x\""), Ok(Value::File(path)) if path.as_os_str() == "/run/x"));
    assert!(matches!(take(KeyId::ScriptTimeout, "\"1h\""), Ok(Value::Duration(time)) if time.as_secs() == 3600));
    assert!(matches!(take(KeyId::Lease, "\"none\""), Ok(Value::Lease(0))));
    assert!(matches!(take(KeyId::Lease, "\"1m\""), Ok(Value::Lease(60))));
    for (id, written) in [
        (KeyId::Grace, "\"2d\""),
        (KeyId::Control, "true"),
        (KeyId::Control, "\"run/control.sock\""),
        (KeyId::ScriptTimeout, "\"0s\""),
        (KeyId::ScriptTimeout, "\"61m\""),
        (KeyId::Lease, "\"0s\""),
        (KeyId::Lease, "\"25h\""),
        (KeyId::Lease, "\"1500ms\""),
        (KeyId::Lease, "3"),
    ] {
        assert!(refused(id, written).contains(&id.spec().kind.allowed()), "{written}");
    }
}

#[test]
fn every_fault_of_a_list_is_told() {
    let message = refused(KeyId::Addresses, r#"["192.0.2.1", 7, "192.0.2.1/24", "0.0.0.0", "2001:db8::1/0"]"#);
    for part in ["not 7", "192.0.2.1 is given twice", "\"0.0.0.0\" is no address", "must be 1 to 128"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(message.lines().count(), 4);
    let message = refused(KeyId::Peers, r#"["192.0.2.2", "192.0.2.2", "192.0.2.3/24", "ff02::12", "127.0.0.1"]"#);
    assert_eq!(message.lines().count(), 4, "{message}");
}

#[test]
fn addresses_keep_their_order() {
    let Ok(Value::Addresses(addresses)) = take(KeyId::Addresses, r#"["192.0.2.9", "192.0.2.1/24", "2001:db8::1"]"#)
    else {
        panic!("a list of addresses");
    };
    let written: Vec<String> = addresses.iter().map(|(a, _)| format!("{}/{}", a.ip, a.prefix_len)).collect();
    assert_eq!(written, ["192.0.2.9/32", "192.0.2.1/24", "2001:db8::1/128"]);
}

#[test]
fn groups_and_sources_are_of_their_family_and_kind() {
    assert!(matches!(take(KeyId::Group, "\"239.1.2.3\""), Ok(Value::V4(_))));
    assert!(matches!(take(KeyId::Group6, "\"ff05::12\""), Ok(Value::V6(_))));
    assert!(matches!(take(KeyId::Source, "\"192.0.2.1\""), Ok(Value::V4(_))));
    assert!(matches!(take(KeyId::Source6, "\"fe80::1\""), Ok(Value::V6(_))));
    for (id, written) in [
        (KeyId::Group, "192.0.2.1"),
        (KeyId::Group, "ff02::12"),
        (KeyId::Group6, "224.0.0.18"),
        (KeyId::Group6, "2001:db8::1"),
        (KeyId::Source, "0.0.0.0"),
        (KeyId::Source, "255.255.255.255"),
        (KeyId::Source, "127.0.0.1"),
        (KeyId::Source, "fe80::1"),
        (KeyId::Source6, "192.0.2.1"),
        (KeyId::Source6, "ff02::1"),
        (KeyId::Source6, "fe80::1%eth0"),
        (KeyId::Source6, "::ffff:192.0.2.1"),
    ] {
        refused(id, &format!("\"{written}\""));
    }
}

#[test]
fn interfaces_have_no_label() {
    let mut faults = Vec::new();
    assert!(read(KeyId::Interface.spec(), &DeValue::parse("\"eth0:vip\"").unwrap(), &mut faults).is_none());
    assert_eq!(faults[0].help.as_deref(), Some("write `interface = \"eth0\"` and `label = \"eth0:vip\"`"));
    for written in ["", "a b", "1234567890123456", ".."] {
        refused(KeyId::Interface, &format!("\"{written}\""));
    }
}

#[test]
fn commands_are_a_path_or_a_list() {
    let command = |written: &str| match take(KeyId::Up, written) {
        Ok(Value::Command(command)) => command,
        other => panic!("{other:?}"),
    };
    assert_eq!(command("\"\""), Command::None);
    assert_eq!(command("\"/etc/x.sh\""), Command::Classic("/etc/x.sh".into()));
    assert_eq!(command(r#"["/etc/x.sh"]"#), Command::Exact("/etc/x.sh".into(), vec![]));
    assert_eq!(
        command(r#"["/etc/x.sh", "a b", ""]"#),
        Command::Exact("/etc/x.sh".into(), vec!["a b".into(), "".into()])
    );
    for written in [r#""x.sh""#, r#"["x.sh"]"#, r#"[""]"#, "[1]", r#"["/x", 1]"#, r#"["/x", "\u0000"]"#] {
        refused(KeyId::Up, written);
    }
}

#[test]
fn secrets_make_keys_and_are_not_repeated() {
    assert!(
        matches!(take(KeyId::Password, "\"secret\""), Ok(Value::Key(key)) if key == Key::from_password(b"secret").unwrap())
    );
    let digits = "000102030405060708090A0b0c0d0e0f10111213";
    let octets = std::array::from_fn(|at| u8::try_from(at).unwrap());
    assert!(
        matches!(take(KeyId::Key, &format!("\"{digits}\"")), Ok(Value::Key(key)) if key == Key::from_bytes(octets))
    );
    for (id, written) in [
        (KeyId::Password, "\"\"".to_owned()),
        (KeyId::Password, format!("\"{}\"", "hidden".repeat(4))),
        (KeyId::Password, "[\"hidden\"]".to_owned()),
        (KeyId::Key, "\"hidden\"".to_owned()),
        (KeyId::Key, format!("\"{}\"", &digits[1..])),
        (KeyId::Key, format!("\"{}g\"", &digits[1..])),
        (KeyId::Key, format!("\"+{}\"", &digits[1..])),
        (KeyId::Key, "31337".to_owned()),
    ] {
        let message = refused(id, &written);
        assert!(!message.contains("hidden") && !message.contains("0203") && !message.contains("31337"), "{message}");
    }
}

#[test]
fn long_values_are_cut_in_messages() {
    let message = refused(KeyId::Vhid, &format!("\"{}\"", "ä".repeat(1000)));
    assert!(message.ends_with(&format!("not \"{}...\"", "ä".repeat(40))), "{message}");
}
