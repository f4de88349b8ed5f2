//! Command lines: the arguments after the program's name, with a NUL after each, as in `/proc/PID/cmdline`. Or, after an
//! octet 0xff, choices from the table of options.
#![no_main]

use std::cell::LazyCell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use arbitrary::{Arbitrary, Unstructured};
use carp_core::auth::Key;
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use ucarp::options::{Action, ControlSocket, Facility, LONGEST_PASSWORD, OPTIONS, Options, Parsed, parse};

thread_local! {
    /// Where `-o` looks for its file.
    static FILES: LazyCell<TempDir> = LazyCell::new(|| {
        let directory = tempfile::tempdir().expect("a directory can be made");
        for (name, content) in [("pw", "secret\n"), ("empty", ""), ("long", "a password that is too long\n")] {
            fs::write(directory.path().join(name), content).expect("there is room for a few bytes");
        }
        directory
    });
}

/// What the values of options are made of.
const VALUES: [&str; 24] = [
    "",
    "0",
    "1",
    "7",
    "010",
    "0x10",
    "-1",
    "255",
    "256",
    "3600",
    "3601",
    "1000000",
    "10.0.0.1",
    "10.0.0.2",
    "127.0.0.1",
    "224.0.0.18",
    "255.255.255.255",
    "0.0.0.0",
    "secret",
    "pw",
    "empty",
    "long",
    "none",
    "bash",
];

/// An option with a value, if it takes one.
#[derive(Debug, Arbitrary)]
struct Given<'a> {
    option: u8,
    spelling: u8,
    value: Value<'a>,
}

#[derive(Debug, Arbitrary)]
enum Value<'a> {
    Listed(u8),
    Number(u32),
    Text(&'a str),
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let arguments = match bytes {
        // No text begins with this: what follows chooses from the table of options.
        [0xff, choices @ ..] => chosen(choices),
        _ => split(bytes),
    };
    if reads_foreign_files(&arguments) {
        return Corpus::Reject;
    }
    check(&arguments);
    Corpus::Keep
});

fn split(bytes: &[u8]) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("ucarp")];
    if !bytes.is_empty() {
        let ended = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        arguments.extend(ended.split(|octet| *octet == 0).map(|argument| OsString::from_vec(argument.to_vec())));
    }
    arguments
}

/// A command line that is accepted, and after it options that change it.
fn chosen(choices: &[u8]) -> Vec<OsString> {
    let mut words: Vec<String> =
        "ucarp -s 10.0.0.2 -v 1 -p secret -a 10.0.0.100".split(' ').map(str::to_owned).collect();
    let mut choices = Unstructured::new(choices);
    for given in choices.arbitrary_iter::<Given<'_>>().into_iter().flatten().flatten() {
        let option = &OPTIONS[usize::from(given.option) % OPTIONS.len()];
        let value = match given.value {
            Value::Listed(which) => VALUES[usize::from(which) % VALUES.len()].to_owned(),
            Value::Number(number) => number.to_string(),
            // No argument of a process has a NUL.
            Value::Text(text) => text.replace('\0', ""),
        };
        let short = option.short.map(|letter| format!("-{letter}"));
        let long = format!("--{}", option.name());
        match (given.spelling % 4, short, option.argument) {
            (0, short, None) => words.push(short.unwrap_or(long)),
            (_, _, None) => words.push(long),
            (0, Some(short), _) => words.extend([short, value]),
            (1, Some(short), _) => words.push(short + &value),
            (2, _, _) => words.push(format!("{long}={value}")),
            _ => words.extend([long, value]),
        }
    }
    words.into_iter().map(OsString::from).collect()
}

/// Whether an option `-o` may name a file of this machine, which may be a terminal or a pipe that has nothing to say.
/// Without a slash it is in our own directory.
fn reads_foreign_files(arguments: &[OsString]) -> bool {
    let named = |argument: &OsString| argument.as_bytes().contains(&b'/');
    let reads = |argument: &OsString| match argument.as_bytes() {
        [b'-', b'-', name @ ..] => name.starts_with(b"passf"),
        [b'-', letters @ ..] => letters.contains(&b'o'),
        _ => false,
    };
    arguments.iter().any(named) && arguments.iter().any(reads)
}

fn check(arguments: &[OsString]) {
    let parsed = parse_here(arguments);
    let secrets: Vec<&[u8]> = parsed
        .secret_arguments
        .iter()
        .map(|secret| arguments[1..][secret.index - 1].as_bytes().get(secret.offset..).expect("inside of its argument"))
        .collect();
    let told = told(&parsed);
    if let Ok(Action::Run(options)) = parsed.result {
        if let Some(last) = secrets.last() {
            let from_file = [&b"secret"[..], b"a password that is too long"].contains(&options.password.as_bytes());
            assert!(options.password.as_bytes() == *last || from_file, "the secret is not where it was reported");
        }
        within_limits(&options);
        comes_back(*options);
    }
    let mut disguised = arguments.to_vec();
    for secret in &parsed.secret_arguments {
        let mut argument = disguised[secret.index].as_bytes().to_vec();
        argument[secret.offset..].fill(b'x');
        disguised[secret.index] = OsString::from_vec(argument);
    }
    assert_eq!(self::told(&parse_here(&disguised)), told, "what is said depends on the password");
}

/// Parses with our own directory as the current one, and goes back: the fuzzer has its files there.
fn parse_here(arguments: &[OsString]) -> Parsed {
    let before = env::current_dir().expect("there is a current directory");
    FILES.with(|files| env::set_current_dir(files.path()).expect("it is ours"));
    let parsed = parse(arguments);
    env::set_current_dir(before).expect("it was just left");
    parsed
}

/// All that the user and the log are told.
fn told(parsed: &Parsed) -> String {
    match &parsed.result {
        Err(error) => format!("{error} {error:?} {:?} {}", error.hint(), error.exit_status()),
        Ok(action) => format!("{action:?}"),
    }
}

/// What the documentation of the options promises of them.
fn within_limits(options: &Options) {
    let password = options.password.as_bytes();
    assert!((1..=LONGEST_PASSWORD).contains(&password.len()) && Key::from_password(password).is_ok());
    assert_ne!(options.vhid, 0);
    assert!(!matches!((options.advbase, options.advskew), (0, 0) | (255, 255)));
    assert!((1..=1_000_000).contains(&options.dead_ratio));
    assert!((1..=3600).contains(&options.script_timeout.as_secs()) && options.script_timeout.subsec_nanos() == 0);
    let source = options.source;
    assert!(!source.is_unspecified() && !source.is_multicast() && !source.is_broadcast());
    assert!(options.group.is_multicast() && !options.address.is_unspecified());
    assert!(options.interface.as_ref().is_none_or(|name| !name.is_empty()));
    let scripts = [&options.up_script, &options.down_script];
    assert!(scripts.into_iter().flatten().all(|path| !path.is_empty()));
    assert!(options.warnings.iter().all(|warning| !warning.text.contains('\n')), "{:?}", options.warnings);
}

/// The accepted options, written as a command line, are read as the same.
fn comes_back(mut options: Options) {
    let mut arguments = vec![OsString::from("ucarp")];
    let mut give = |name: &str, value: &OsStr| arguments.extend([name.into(), value.to_owned()]);
    give("-s", options.source.to_string().as_ref());
    give("--mcast", options.group.to_string().as_ref());
    give("-v", options.vhid.to_string().as_ref());
    give("-p", OsStr::from_bytes(options.password.as_bytes()));
    give("-a", options.address.to_string().as_ref());
    give("-b", options.advbase.to_string().as_ref());
    give("-k", options.advskew.to_string().as_ref());
    give("-r", options.dead_ratio.to_string().as_ref());
    give("--script-timeout", options.script_timeout.as_secs().to_string().as_ref());
    let named = Facility::names();
    let facility = named.split(' ').find(|name| Facility::from_name(name) == Some(options.facility));
    give("-f", facility.expect("every facility has a name").as_ref());
    let texts = [("-u", &options.up_script), ("-d", &options.down_script), ("-x", &options.xparam)];
    for (name, value) in texts {
        value.iter().for_each(|value| give(name, value));
    }
    match &options.control {
        Some(ControlSocket::At(path)) => give("--control", path.as_ref()),
        Some(ControlSocket::Nowhere) => give("--control", "none".as_ref()),
        None => {}
    }
    options.pid_file.iter().for_each(|path| give("--pidfile", path.as_ref()));
    options.interface.iter().for_each(|name| give("-i", name.as_ref()));
    let flags = [
        ("-P", options.preempt),
        ("-n", options.neutral),
        ("-D", options.debug),
        ("-z", options.shutdown),
        ("-B", options.daemonize),
        ("-S", options.ignore_interface_state),
        ("-M", options.no_multicast),
        ("--no-split", !options.split),
    ];
    arguments.extend(flags.iter().filter(|(_, given)| *given).map(|(name, _)| OsString::from(name)));
    let Ok(Action::Run(mut again)) = parse(&arguments).result else { panic!("refused: {arguments:?}") };
    assert_eq!(again.password.as_bytes(), options.password.as_bytes());
    (again.warnings, options.warnings) = (Vec::new(), Vec::new());
    assert_eq!(format!("{again:?}"), format!("{options:?}"));
}
