use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::*;

/// Everything that must be there, so that a case can say only what it is about.
const COMPLETE: &str = "-i eth0 -s 10.0.0.2 -v 1 -p secret -a 10.0.0.100 -u /up -d /down";

/// Parses words after the program's name.
fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Parsed {
    parse(&["ucarp"].into_iter().chain(words).map(OsString::from).collect::<Vec<_>>())
}

fn run(parsed: Parsed) -> Options {
    match parsed.result {
        Ok(Action::Run(options)) => *options,
        other => panic!("{other:?}"),
    }
}

/// The options of a complete command line with these words at its end.
fn with<'a>(more: impl IntoIterator<Item = &'a str>) -> Options {
    run(words(COMPLETE.split(' ').chain(more)))
}

fn error<'a>(all: impl IntoIterator<Item = &'a str>) -> UsageError {
    words(all).result.expect_err("an error")
}

fn error_with<'a>(more: impl IntoIterator<Item = &'a str>) -> UsageError {
    error(COMPLETE.split(' ').chain(more))
}

/// Asserts that an error is one line that begins so and contains that.
#[track_caller]
fn assert_error(error: &UsageError, begins: &str, contains: &str, status: u8) {
    let text = error.to_string();
    assert!(text.starts_with(begins), "{text}");
    assert!(text.contains(contains), "{text}");
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(error.exit_status(), status, "{text}");
}

#[test]
fn the_smallest_command_line_has_ucarps_defaults() {
    let options = run(words("-s 10.0.0.2 -v 1 -p secret -a 10.0.0.100".split(' ')));
    assert_eq!(options.interface, None);
    assert_eq!(options.source, Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(options.group, Ipv4Addr::new(224, 0, 0, 18));
    assert_eq!(options.address, Ipv4Addr::new(10, 0, 0, 100));
    assert_eq!((options.vhid, options.advbase, options.advskew, options.dead_ratio), (1, 1, 0, 3));
    assert_eq!(options.password.as_bytes(), b"secret");
    assert_eq!(options.facility, Facility::DAEMON);
    assert_eq!(options.script_timeout, Duration::from_secs(60));
    assert_eq!((options.up_script, options.down_script, options.xparam), (None, None, None));
    let flags = [
        options.preempt,
        options.neutral,
        options.debug,
        options.shutdown,
        options.daemonize,
        options.ignore_interface_state,
        options.no_multicast,
    ];
    assert_eq!(flags, [false; 7]);
    let texts: Vec<_> = options.warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert_eq!(texts, ["Warning: no script called when going up", "Warning: no script called when going down"]);
    assert!(options.warnings.iter().all(|warning| warning.level == log::Level::Warn));
}

#[test]
fn every_option_has_a_short_and_a_long_form() {
    let short = "-i eth0:1 -s 10.0.0.2 -m 239.1.2.3 -v 7 -p secret -P -n -a 10.0.0.100 -b 2 -k 50 -u /up -d /down -r 5 \
                 -D -z -B -f local3 -S -M -x value --script-timeout 5";
    let long = "--interface eth0:1 --srcip 10.0.0.2 --mcastip 239.1.2.3 --vhid 7 --pass secret --preempt --neutral \
                --addr 10.0.0.100 --advbase 2 --advskew 50 --upscript /up --downscript /down --deadratio 5 --debug \
                --shutdown --daemonize --facility local3 --ignoreifstate --nomcast --xparam value --script-timeout=5";
    for line in [short, long] {
        let options = run(words(line.split_whitespace()));
        assert_eq!(options.interface.as_deref(), Some("eth0:1"));
        assert_eq!(options.group, Ipv4Addr::new(239, 1, 2, 3));
        assert_eq!((options.vhid, options.advbase, options.advskew, options.dead_ratio), (7, 2, 50, 5));
        assert_eq!(options.facility.code(), Some(19));
        assert_eq!(options.up_script.as_deref(), Some("/up".as_ref()));
        assert_eq!(options.down_script.as_deref(), Some("/down".as_ref()));
        assert_eq!(options.xparam.as_deref(), Some("value".as_ref()));
        assert_eq!(options.script_timeout, Duration::from_secs(5));
        assert!(options.preempt && options.neutral && options.debug && options.shutdown && options.daemonize);
        assert!(options.ignore_interface_state && options.no_multicast);
        assert_eq!(options.warnings, []);
    }
}

#[test]
fn each_flag_sets_its_own_setting() {
    let flags = |options: &Options| {
        [
            options.preempt,
            options.neutral,
            options.debug,
            options.shutdown,
            options.daemonize,
            options.ignore_interface_state,
            options.no_multicast,
        ]
    };
    for (set, flag) in ["-P", "-n", "-D", "-z", "-B", "-S", "-M"].into_iter().enumerate() {
        assert_eq!(flags(&with([flag])), std::array::from_fn(|index| index == set), "{flag}");
    }
}

#[test]
fn bundles_and_attached_values() {
    let options = with(["-zBb5", "-s10.0.0.1", "-Pk7"]);
    assert!(options.shutdown && options.daemonize && options.preempt);
    assert_eq!((options.advbase, options.advskew), (5, 7));
    assert_eq!(options.source, Ipv4Addr::new(10, 0, 0, 1));
    // An argument may look like an option, and be empty.
    assert_eq!(with(["-x", "-z"]).xparam.as_deref(), Some("-z".as_ref()));
    assert!(!with(["-x", "-z"]).shutdown);
    assert_eq!(with(["-x", ""]).xparam.as_deref(), Some("".as_ref()));
    assert_eq!(with(["--xparam="]).xparam.as_deref(), Some("".as_ref()));
    assert_eq!(with(["--xparam=a=b"]).xparam.as_deref(), Some("a=b".as_ref()));
    assert_eq!(with(["-x=v"]).xparam.as_deref(), Some("=v".as_ref()));
    assert_error(
        &error_with(["-b=5"]),
        "advbase must be between 0 and 255. (option -b, value \"=5\"",
        "whole number",
        1,
    );
}

#[test]
fn prefixes_mean_what_they_mean_to_ucarp() {
    for (prefix, id) in [
        ("v", OptionId::Vhid),
        ("m", OptionId::Group),
        ("mc", OptionId::Group),
        ("mcast", OptionId::Group),
        ("mcasti", OptionId::Group),
        ("in", OptionId::Interface),
        ("sr", OptionId::Source),
        ("sh", OptionId::Shutdown),
        ("advb", OptionId::Advbase),
        ("pass", OptionId::Password),
        ("passf", OptionId::PasswordFile),
        ("f", OptionId::Facility),
        // Ours, where UCARP has nothing.
        ("ver", OptionId::Version),
        ("version", OptionId::Version),
        ("sc", OptionId::ScriptTimeout),
        ("com", OptionId::Completions),
        ("show", OptionId::ShowConfig),
        ("ch", OptionId::Check),
    ] {
        assert_eq!(long(prefix).unwrap().id, id, "--{prefix}");
    }
    for (prefix, candidates) in [
        ("pas", "'--pass' '--passfile'"),
        ("i", "'--interface' '--ignoreifstate'"),
        ("s", "'--srcip' '--shutdown'"),
        ("d", "'--downscript' '--deadratio' '--daemonize' '--debug'"),
        ("n", "'--neutral' '--nomcast'"),
        ("ad", "'--addr' '--advbase' '--advskew'"),
        ("adv", "'--advbase' '--advskew'"),
    ] {
        let wanted = format!("option '--{prefix}' is ambiguous; possibilities: {candidates}");
        assert_eq!(long(prefix).unwrap_err().to_string(), wanted);
    }
}

/// What UCARP 1.5.2 makes of every prefix of its long options, by the rule of `getopt_long` and its own names alone.
#[test]
fn no_new_option_changes_what_a_prefix_of_a_classic_one_means() {
    let classic: Vec<&Opt> = OPTIONS.iter().filter(|option| option.origin == Origin::Classic).collect();
    let mut checked = 0;
    for name in classic.iter().flat_map(|option| option.long) {
        for prefix in (1..=name.len()).map(|length| &name[..length]) {
            let exact = classic.iter().find(|option| option.long.contains(&prefix));
            let begin = |option: &&&Opt| option.long.iter().any(|long| long.starts_with(prefix));
            let meant: Vec<OptionId> = match exact {
                Some(option) => vec![option.id],
                None => classic.iter().filter(begin).map(|option| option.id).collect(),
            };
            match (&meant[..], long(prefix)) {
                ([only], Ok(found)) => assert_eq!(found.id, *only, "--{prefix}"),
                ([_, _, ..], Err(UsageError::Ambiguous { .. })) => {}
                (meant, found) => panic!("--{prefix}: UCARP {meant:?}, here {found:?}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked} prefixes");
}

#[test]
fn the_last_one_wins() {
    let options = with(["-v", "2", "-p", "other", "-i", "eth1", "-f", "none", "-u", "/up2"]);
    assert_eq!(options.vhid, 2);
    assert_eq!(options.password.as_bytes(), b"other");
    assert_eq!(options.interface.as_deref(), Some("eth1"));
    assert_eq!(options.facility.code(), None);
    assert_eq!(options.up_script.as_deref(), Some("/up2".as_ref()));
}

#[test]
fn operands_are_ignored_aloud_and_not_repeated() {
    let options =
        run(words("stray -s 10.0.0.2 word -v 1 -p two parts -a 10.0.0.100 -u /up -d /down - -- -z".split(' ')));
    assert!(!options.shutdown);
    let [warning] = &options.warnings[..] else { panic!("{:?}", options.warnings) };
    assert_eq!(
        warning.text,
        "5 argument(s) that belong to no option are ignored, the first is number 1: quote values with blanks"
    );
}

#[test]
fn errors_in_form_have_a_hint_and_status_1() {
    for (line, text) in [
        ("--nonsense=1", "unrecognized option '--nonsense'"),
        ("-q", "invalid option -- 'q'"),
        ("-zq", "invalid option -- 'q'"),
        ("-D=5", "invalid option -- '='"),
        ("--adv=5", "option '--adv' is ambiguous; possibilities: '--advbase' '--advskew'"),
        ("-v", "option '-v' requires an argument"),
        ("-zv", "option '-v' requires an argument"),
        ("--vh", "option '--vhid' requires an argument"),
        ("--deb=5", "option '--debug' doesn't allow an argument"),
        ("--help=5", "option '--help' doesn't allow an argument"),
    ] {
        let error = error_with([line]);
        assert_eq!(error.to_string(), text, "{line}");
        assert_eq!((error.exit_status(), error.hint()), (1, Some("try 'ucarp --help'")), "{line}");
    }
    // Whatever is typed, the message is one line of reasonable length.
    let text = error_with([format!("--a\nb{}", "x".repeat(1000)).as_str()]).to_string();
    assert!(text.starts_with("unrecognized option '--a?bxxx") && text.len() < 100, "{text}");
    let parsed = parse(&[b"ucarp".as_slice(), b"-\xff"].map(|octets| OsStr::from_bytes(octets).to_owned()));
    assert_error(&parsed.result.unwrap_err(), "invalid option -- '", "", 1);
}

#[test]
fn numbers_outside_of_the_range_are_errors() {
    for value in ["0", "256", "-1", "4294967297", "99999999999999999999"] {
        let wanted = format!("vhid must be between 1 and 255. (option -v, value \"{value}\")");
        let error = error_with(["-v", value]);
        assert_eq!((error.to_string(), error.hint(), error.exit_status()), (wanted, None, 1));
    }
    for value in ["abc", "", "1abc", "1.5"] {
        let wanted = format!("vhid must be between 1 and 255. (option --vhid, value \"{value}\": not a whole number)");
        assert_eq!(error_with(["--vh", value]).to_string(), wanted);
    }
    for (option, value, text) in [
        ("-b", "300", "advbase must be between 0 and 255. (option -b, value \"300\")"),
        ("-b", "abc", "advbase must be between 0 and 255. (option -b, value \"abc\": not a whole number)"),
        ("-k", "256", "advskew must be between 0 and 255. (option -k, value \"256\")"),
        ("-r", "1000001", "deadratio must be between 1 and 1000000. (option -r, value \"1000001\")"),
        ("-r", "abc", "deadratio must be between 1 and 1000000. (option -r, value \"abc\": not a whole number)"),
        ("-r", "0", "Dead ratio can't be zero (option -r, value \"0\": give 1 to 1000000)"),
        ("--script-timeout", "0", "script-timeout must be between 1 and 3600. (option --script-timeout, value \"0\")"),
        (
            "--script-timeout",
            "3601",
            "script-timeout must be between 1 and 3600. (option --script-timeout, value \"3601\")",
        ),
    ] {
        let error = error_with([option, value]);
        assert_eq!((error.to_string(), error.exit_status()), (text.to_owned(), 1));
    }
    for (option, value, numbers) in [
        ("-v", "0x10", (16, 1, 3)),
        ("-v", "010", (8, 1, 3)),
        ("-v", " 7", (7, 1, 3)),
        ("-b", "0x0", (1, 0, 3)),
        ("-r", "1000000", (1, 1, 1_000_000)),
    ] {
        let options = with([option, value, "-k", "1"]);
        assert_eq!((options.vhid, options.advbase, options.dead_ratio), numbers, "{option} {value}");
    }
}

#[test]
fn addresses_that_are_none_are_errors() {
    for option in ["-s", "-a", "-m"] {
        for value in ["", "abc", "10.0.0", "10.0.0.256", "10.0.0.2/24", "1", "010.0.0.2", "::1", " 10.0.0.2"] {
            let error = error_with([option, value]);
            assert_error(&error, &format!("Invalid address: [{value}] (option {option}: "), "such as 192.0.2.1", 1);
        }
    }
    for source in ["224.0.0.18", "255.255.255.255"] {
        assert_error(&error_with(["-s", source]), &format!("source address {source} "), "option -s", 1);
    }
    for group in ["10.0.0.1", "255.255.255.255", "0.0.0.0"] {
        assert_error(&error_with(["--mcast", group]), &format!("group address {group} "), "option --mcast", 1);
    }
}

#[test]
fn odd_virtual_addresses_are_accepted_with_a_warning() {
    for (address, part) in
        [("127.0.0.1", "loopback"), ("224.0.0.18", "unicast"), ("255.255.255.255", "unicast"), ("10.0.0.2", "source")]
    {
        let options = with(["-a", address]);
        assert_eq!(options.address.to_string(), address);
        let [warning] = &options.warnings[..] else { panic!("{:?}", options.warnings) };
        assert!(warning.text.contains(address) && warning.text.contains(part), "{}", warning.text);
    }
}

#[test]
fn what_is_missing_is_told_in_ucarps_order() {
    let mut line = vec!["-r", "0", "-b", "0"];
    for (begins, add) in [
        ("You must supply a valid virtual host id", ["-v", "1"]),
        ("You must supply a password", ["-p", ""]),
        ("You must supply a password", ["-p", "more-than-nineteen-octets"]),
        ("You must supply an advertisement time base", ["-b", "1"]),
        ("You must supply a persistent source address", ["-s", "0.0.0.0"]),
        ("You must supply a persistent source address", ["-s", "10.0.0.2"]),
        ("You must supply a virtual host address", ["-a", "0.0.0.0"]),
        ("You must supply a virtual host address", ["-a", "10.0.0.100"]),
        ("Dead ratio can't be zero", ["-r", "3"]),
    ] {
        assert_error(&error(line.iter().copied()), begins, "option", 1);
        line.extend(add);
    }
    let error = error(line);
    assert_error(&error, "Password too long (25 octets, allowed are 1 to 19;", "option -o or -p", 2);
    assert_eq!(error.hint(), None);
}

#[test]
fn the_interval_must_be_one_that_can_be_sent() {
    let options = with(["-b", "0", "-k", "1"]);
    assert_eq!((options.advbase, options.advskew), (0, 1));
    let options = with(["-b", "255", "-k", "254"]);
    assert_eq!((options.advbase, options.advskew), (255, 254));
    assert_error(
        &error_with(["-b", "255", "-k", "255"]),
        "advbase and advskew can't both be 255",
        "options -b and -k",
        1,
    );
}

#[test]
fn passwords_have_1_to_19_octets() {
    assert_eq!(with(["-p", "abcdefghijklmnopqrs"]).password.as_bytes(), b"abcdefghijklmnopqrs");
    for (length, shown) in [(20, "20"), (21, "21"), (64, "64"), (512, "512"), (513, "more than 512")] {
        let error = error_with(["-p", "x".repeat(length).as_str()]);
        assert_error(&error, &format!("Password too long ({shown} octets"), "first 19", 2);
    }
    assert!(!format!("{:?}", with(["-p", "unspoken"])).contains("unspoken"));
}

#[test]
fn of_password_and_file_the_last_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name).into_os_string().into_string().unwrap();
        fs::write(&path, content).unwrap();
        path
    };
    let (good, blank, empty) = (file("good", "from file\n"), file("blank", "\nx\n"), file("empty", ""));
    let missing = format!("{}/missing", directory.path().display());
    assert_eq!(with(["-o", &good]).password.as_bytes(), b"from file");
    assert_eq!(with(["-o", &good, "-p", "word"]).password.as_bytes(), b"word");
    assert_error(&error_with(["-o", &blank]), "You must supply a password", "-o", 1);
    assert_error(
        &error_with(["-o", &missing]),
        &format!("unable to open passfile {missing} for reading: "),
        "No such",
        1,
    );
    assert_error(
        &error_with(["-o", &empty]),
        &format!("error reading passfile {empty}: unexpected end of file"),
        "-o",
        1,
    );
    // As with UCARP an unusable file is an error even if a password follows.
    assert_error(&error_with(["-o", &missing, "-p", "x"]), "unable to open passfile", "(option -o)", 1);
    let long = file("long", &"x".repeat(600));
    assert_error(&error_with(["-o", &long]), "Password too long (more than 512 octets", "19", 2);
}

#[test]
fn oddities_of_the_password_file_become_warnings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pass").into_os_string().into_string().unwrap();
    fs::write(&path, "secret\r\n").unwrap();
    let options = with(["-o", &path]);
    assert_eq!(options.password.as_bytes(), b"secret\r");
    assert!(options.warnings.iter().any(|warning| warning.text.contains("carriage return")), "{:?}", options.warnings);
}

#[test]
fn an_unknown_facility_is_an_error_and_the_daemon_runs_on() {
    let options = with(["-f", "local0", "-f", "bad"]);
    assert_eq!(options.facility.code(), Some(16));
    let [warning] = &options.warnings[..] else { panic!("{:?}", options.warnings) };
    assert_eq!(warning.level, log::Level::Error);
    assert!(
        warning.text.starts_with("Unknown syslog facility: [bad] (option -f: give one of auth "),
        "{}",
        warning.text
    );
}

#[test]
fn an_empty_interface_is_none_given() {
    assert_eq!(with(["-i", ""]).interface, None);
    let name = [b"ucarp".as_slice(), b"-i", b"eth\xff"].map(|octets| OsStr::from_bytes(octets).to_owned());
    assert_error(&parse(&name).result.unwrap_err(), "invalid interface name \"eth\u{fffd}\"", "option -i", 1);
}

#[test]
fn empty_scripts_are_none_without_a_warning() {
    let options = with(["-u", "", "--downscript="]);
    assert_eq!((options.up_script, options.down_script), (None, None));
    assert_eq!(options.warnings, []);
}

#[test]
fn help_and_the_like_stop_there_and_then() {
    assert!(matches!(parse(&[]).result, Ok(Action::Help)));
    assert!(matches!(words([]).result, Ok(Action::Help)));
    assert!(matches!(words(["-Ph", "-v", "300"]).result, Ok(Action::Help)));
    assert!(matches!(words(["--he", "--nonsense"]).result, Ok(Action::Help)));
    assert!(matches!(words(["-V", "-q"]).result, Ok(Action::Version)));
    assert!(matches!(words(["--completions", "fish"]).result, Ok(Action::Completions(Shell::Fish))));
    assert_error(&error(["-v", "300", "-h"]), "vhid must be between 1 and 255.", "", 1);
    assert_error(&error(["--completions=csh"]), "no completions for \"csh\"", "bash, zsh or fish", 1);
}

#[test]
fn every_place_of_a_password_is_known() {
    for (line, places) in [
        ("-p secret", vec![(2, 0)]),
        ("-psecret", vec![(1, 2)]),
        ("-zpsecret", vec![(1, 3)]),
        ("-zp secret", vec![(2, 0)]),
        ("--pass=secret", vec![(1, 7)]),
        ("--pass secret", vec![(2, 0)]),
        ("-p=secret", vec![(1, 2)]),
        ("stray -psecret -v 1 --pass=other -- -pword", vec![(2, 2), (5, 7)]),
        ("-p first -p second -v 300 -p third", vec![(2, 0), (4, 0)]),
        ("-psecret --nonsense", vec![(1, 2)]),
        ("-psecret -h", vec![(1, 2)]),
        ("-o /nonexistent -p secret", vec![]),
        ("-x -psecret", vec![]),
    ] {
        let found = words(line.split(' ')).secret_arguments;
        let wanted: Vec<_> = places.into_iter().map(|(index, offset)| SecretArgument { index, offset }).collect();
        assert_eq!(found, wanted, "{line}");
    }
    assert_eq!(words(["-p", ""]).secret_arguments, [SecretArgument { index: 2, offset: 0 }]);
    assert_eq!(words(["--pass="]).secret_arguments, [SecretArgument { index: 1, offset: 7 }]);
    // Octets count, not characters.
    let parsed =
        parse(&[b"ucarp".as_slice(), b"-P\xc3", b"-zp\xff\xc3\xa4"].map(|octets| OsStr::from_bytes(octets).to_owned()));
    assert_eq!(parsed.secret_arguments, []);
    let parsed = parse(&[b"ucarp".as_slice(), b"-zp\xff\xc3\xa4"].map(|octets| OsStr::from_bytes(octets).to_owned()));
    assert_eq!(parsed.secret_arguments, [SecretArgument { index: 1, offset: 3 }]);
}
