//! The manual pages: they describe exactly the options and keys of the tables, and are clean mdoc.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use ucarp::config::{self, CHECK_KEYS, KEYS, KeySpec};
use ucarp::options::{Facility, Kind, OPTIONS, Opt};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man").join(name)
}

fn page() -> String {
    fs::read_to_string(path("ucarp.8")).expect("the manual page is there")
}

/// The names of an option as the page writes them: `v` and `-vhid`.
fn names(option: &Opt) -> BTreeSet<String> {
    let short = option.short.map(String::from);
    short.into_iter().chain(option.long.iter().map(|long| format!("-{long}"))).collect()
}

/// What follows each `Fl` macro of a line.
fn flags(line: &str) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = line.trim_start_matches('.').split_whitespace().collect();
    let after: Vec<&str> = words.windows(2).filter(|pair| pair[0] == "Fl").map(|pair| pair[1]).collect();
    after.into_iter()
}

/// The entries of the section OPTIONS: the heading and the text below it on one line.
fn entries(page: &str) -> Vec<(&str, String)> {
    let section = page.split(".Sh OPTIONS\n").nth(1).expect("a section OPTIONS");
    let list = section.split(".Bl ").nth(1).and_then(|rest| rest.split(".El\n").next()).expect("a list of options");
    let items = list.split(".It ").skip(1);
    items.filter_map(|item| item.split_once('\n')).map(|(head, text)| (head, text.replace('\n', " "))).collect()
}

#[test]
fn every_option_has_its_entry_with_argument_range_and_default() {
    let page = page();
    let entries = entries(&page);
    assert_eq!(entries.len(), OPTIONS.len());
    for option in OPTIONS {
        let names = names(option);
        let is_its_own = |head: &str| flags(head).map(str::to_owned).collect::<BTreeSet<_>>() == names;
        let Some((head, text)) = entries.iter().find(|(head, _)| is_its_own(head)) else {
            panic!("no entry of exactly {names:?}");
        };
        let arguments = head.matches("Ar ").count();
        match option.argument {
            None => assert_eq!(arguments, 0, "{head}"),
            Some(argument) => {
                let placeholder = format!("Ar {}", argument.placeholder);
                assert_eq!((arguments, head.matches(&placeholder).count()), (names.len(), names.len()), "{head}");
            }
        }
        if let Some(Kind::Number { least, most }) = option.argument.map(|argument| argument.kind) {
            assert!(
                text.contains(&format!("{least} to {most}")),
                "--{} has the range {least} to {most}",
                option.name()
            );
        }
        if let Some(default) = option.default {
            let sentence = format!("The default is {default}.");
            assert!(text.contains(&sentence), "--{}: {sentence}", option.name());
        }
    }
}

#[test]
fn every_flag_on_the_page_is_an_option() {
    let known: BTreeSet<String> = OPTIONS.iter().flat_map(names).collect();
    let page = page();
    let mut seen = BTreeSet::new();
    for flag in page.lines().filter(|line| line.starts_with('.')).flat_map(flags) {
        // "Fl zB" is two letters, "Fl -vhid" one name.
        let names: Vec<String> =
            if flag.starts_with('-') { vec![flag.to_owned()] } else { flag.chars().map(String::from).collect() };
        for name in names {
            assert!(known.contains(&name), "-{name} is on the page but not an option");
            seen.insert(name);
        }
    }
    assert_eq!(seen, known);
}

#[test]
fn the_synopsis_has_every_letter() {
    let page = page();
    let synopsis = page.split(".Sh SYNOPSIS\n").nth(1).and_then(|rest| rest.split(".Sh ").next()).expect("a synopsis");
    let seen: String = synopsis.lines().flat_map(flags).filter(|flag| !flag.starts_with('-')).collect();
    for letter in OPTIONS.iter().filter_map(|option| option.short) {
        assert!(seen.contains(letter), "-{letter} is not in the synopsis");
    }
}

#[test]
fn every_facility_is_named() {
    let page = page();
    let entries = entries(&page);
    let (_, text) = entries.iter().find(|(head, _)| head.starts_with("Fl f ")).expect("an entry of -f");
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for name in Facility::names().split(' ') {
        assert!(words.contains(name), "{name}");
    }
}

/// The entries of the page of the configuration file: each key and the text below it on one line.
fn keys(page: &str) -> Vec<(&str, String)> {
    let items = page.split("\n.It Ic ").skip(1).filter_map(|item| item.split_once('\n'));
    let until_end = |text: &str| text.split("\n.El").next().unwrap_or_default().replace('\n', " ");
    items.map(|(name, text)| (name, until_end(text))).collect()
}

#[test]
fn every_key_has_its_entry_with_range_words_and_default() {
    let page = fs::read_to_string(path("ucarp.toml.5")).expect("the manual page is there");
    let (hosts, rest) = page.split_once(".Sh CHECKS\n").expect("a section of checks");
    assert_has_keys(hosts, KEYS);
    assert_has_keys(rest.split(".Sh ").next().unwrap_or_default(), CHECK_KEYS);
}

fn assert_has_keys(page: &str, table: &[KeySpec]) {
    let entries = keys(page);
    let names: BTreeSet<&str> = entries.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, table.iter().map(|key| key.name).collect());
    assert_eq!(entries.len(), table.len(), "each once");
    for key in table {
        let (_, text) = entries.iter().find(|(name, _)| *name == key.name).expect("it was compared above");
        let range = match key.kind {
            config::Kind::Number { least, most } => Some(format!("{least} to {most}")),
            config::Kind::Duration { .. }
            | config::Kind::Time { .. }
            | config::Kind::Slack { .. }
            | config::Kind::Lease => {
                let allowed = key.kind.allowed();
                allowed.split_once("from ").and_then(|(_, range)| Some(range.split(" such").next()?.to_owned()))
            }
            _ => None,
        };
        if let Some(range) = range {
            assert!(text.contains(&range), "{}: {range}", key.name);
        }
        if let config::Kind::Choice(words) = key.kind {
            for word in words {
                assert!(text.split(' ').any(|part| part == *word), "{}: {word}", key.name);
            }
        }
        let sentence = key.default.map(|default| format!("The default is {}.", default.trim_matches('"')));
        match sentence {
            Some(sentence) => assert!(text.contains(&sentence), "{}: {sentence}", key.name),
            None => assert!(!text.contains("The default is"), "{} has no default in the table", key.name),
        }
    }
}

#[test]
fn mandoc_finds_nothing_to_complain_about() {
    let pages: Vec<_> =
        fs::read_dir(path("")).expect("the directory of pages").collect::<Result<_, _>>().expect("its entries");
    assert!(pages.len() >= 2, "{pages:?}");
    pages.iter().for_each(|page| lint(&page.path()));
}

fn lint(page: &Path) {
    let output = match Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(page).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var("CI").as_deref() != Ok("true") => {
            eprintln!("skipped: mandoc is not installed");
            return;
        }
        Err(error) => panic!("mandoc: {error}"),
    };
    let complaints = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
}
