use std::path::Path;

use super::super::table::OPTIONS;
use super::super::{Facility, parse};
use super::*;

fn action(words: &str) -> Result<Action, UsageError> {
    let words: Vec<OsString> = ["ucarp"].into_iter().chain(words.split_whitespace()).map(OsString::from).collect();
    parse(&words).result
}

fn configured(words: &str) -> Configured {
    match action(words) {
        Ok(Action::Configured(configured)) => configured,
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn a_file_is_run_checked_or_shown() {
    for (words, task, file) in [
        ("-c /a.toml", ConfigTask::Run, "/a.toml"),
        ("-c/a.toml", ConfigTask::Run, "/a.toml"),
        ("--config=/a.toml", ConfigTask::Run, "/a.toml"),
        ("--conf /b.toml -c /a.toml", ConfigTask::Run, "/a.toml"),
        ("--check", ConfigTask::Check, config::DEFAULT_PATH),
        ("--che -c /a.toml", ConfigTask::Check, "/a.toml"),
        ("--show-config", ConfigTask::Show, config::DEFAULT_PATH),
        ("--sho -c /a.toml", ConfigTask::Show, "/a.toml"),
    ] {
        let configured = configured(words);
        assert_eq!((configured.task, configured.file.as_path()), (task, Path::new(file)), "{words}");
        assert!(!configured.debug && !configured.daemonize && configured.warnings.is_empty());
        assert_eq!(configured.facility, Facility::DAEMON);
    }
}

#[test]
fn the_path_is_made_full() {
    let directory = std::env::current_dir().unwrap();
    assert_eq!(configured("-c here.toml").file, directory.join("here.toml"));
    let error = parse(&["ucarp", "-c", ""].map(OsString::from)).result.unwrap_err();
    assert!(error.to_string().starts_with("unable to find the configuration file: "), "{error}");
}

#[test]
fn options_of_the_process_go_with_it() {
    let configured = configured("-BD -f local3 -c /a.toml word");
    assert!(configured.daemonize && configured.debug);
    assert_eq!(configured.facility.code(), Some(19));
    assert_eq!(configured.warnings.len(), 1);
}

#[test]
fn options_of_a_virtual_host_are_refused_and_both_are_named() {
    for (words, text) in [
        ("-c /a.toml -v 1", "option -v cannot be combined with -c: write `vhid` in the file"),
        ("-v 1 --config /a.toml", "option -v cannot be combined with --config: write `vhid` in the file"),
        (
            "--check --srcip 10.0.0.1 -a 10.0.0.2",
            "option --srcip cannot be combined with --check: write `source` in the file",
        ),
        ("-c /a.toml -M", "option -M cannot be combined with -c: write `transport = \"broadcast\"` in the file"),
        ("-c /a.toml -z", "option -z cannot be combined with -c: with a configuration file it is always so"),
        (
            "--show --script-timeout 5",
            "option --script-timeout cannot be combined with --show-config: write `script-timeout` in the file",
        ),
        ("--check --show-config", "--check and --show-config cannot be combined: give one of them"),
    ] {
        let error = action(words).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_status()), (text, 1), "{words}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn every_option_either_goes_with_a_file_or_is_refused() {
    for option in OPTIONS {
        if matches!(option.id, OptionId::Help | OptionId::Version | OptionId::Completions | OptionId::PasswordFile) {
            continue;
        }
        let value = match option.id {
            _ if option.argument.is_none() => "",
            OptionId::Source | OptionId::Address => "=10.0.0.1",
            OptionId::Group => "=224.0.0.18",
            OptionId::Facility => "=daemon",
            _ => "=1",
        };
        let refused = action(&format!("-c /a.toml --{}{value}", option.name())).is_err();
        assert_eq!(refused, !option.goes_with_config(), "{}", option.name());
    }
}
