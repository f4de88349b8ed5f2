use std::collections::BTreeSet;
use std::path::Path;
use std::process;
use std::{env, fs, io};

use clap::{Arg, CommandFactory as _};

use super::Arguments;

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/ucarpctl.8")
}

/// The commands as the manual page has them: the name, and the text up to the next command.
fn commands(page: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix(".It Cm ") {
            let name = rest.split_whitespace().next().unwrap_or_default();
            commands.push((name.to_owned(), String::new()));
        } else if line.starts_with(".Sh ") && !line.contains("COMMANDS") {
            commands.push((String::new(), String::new()));
        }
        if let Some((_, text)) = commands.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    commands.retain(|(name, _)| !name.is_empty());
    commands
}

/// The names of options that have an entry in a text: `q`, `-quiet`.
fn entries(text: &str) -> BTreeSet<String> {
    let items = text.lines().filter(|line| line.starts_with(".It Fl "));
    let words = items.flat_map(|line| {
        line.split_whitespace()
            .collect::<Vec<_>>()
            .windows(2)
            .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
            .collect::<Vec<_>>()
    });
    words.filter(|(before, _)| before == "Fl").map(|(_, name)| name).collect()
}

/// As the page writes the names of an option.
fn names(option: &Arg) -> BTreeSet<String> {
    let short = option.get_short().map(String::from);
    let long = option.get_long().into_iter().chain(option.get_visible_aliases().unwrap_or_default());
    short.into_iter().chain(long.map(|name| format!("-{name}"))).collect()
}

/// Options of a command itself.
fn options(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    let is_own = |option: &&Arg| !option.is_positional() && !option.is_hide_set() && !option.is_global_set();
    command.get_arguments().filter(is_own)
}

#[test]
fn the_command_tree_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn the_manual_page_has_each_command_and_each_option_and_no_others() {
    let page = fs::read_to_string(path()).expect("the manual page is there");
    let commands = commands(&page);
    let mut tree = Arguments::command();
    tree.build();
    let documented: BTreeSet<&str> = commands.iter().map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<&str> = tree.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(documented, known);
    for command in tree.get_subcommands() {
        let name = command.get_name();
        let (_, text) = commands.iter().find(|(documented, _)| documented == name).expect("it is documented");
        let own = options(command).filter(|option| !["help", "version"].contains(&option.get_id().as_str()));
        let expected: BTreeSet<String> = own.flat_map(names).collect();
        assert_eq!(entries(text), expected, "{name}");
    }
}

#[test]
fn the_manual_page_has_the_options_of_all_commands() {
    let page = fs::read_to_string(path()).expect("the manual page is there");
    let before = page.split(".Sh COMMANDS").next().unwrap_or_default();
    let mut tree = Arguments::command();
    tree.build();
    let options = tree.get_arguments().filter(|option| !option.is_positional());
    let expected: BTreeSet<String> = options.flat_map(names).collect();
    assert_eq!(entries(before), expected);
}

#[test]
fn defaults_are_those_of_the_manual_page() {
    let page = fs::read_to_string(path()).expect("the manual page is there");
    let page = page.replace('\n', " ").replace(".Pa ", "");
    let mut tree = Arguments::command();
    tree.build();
    for command in std::iter::once(&tree).chain(tree.get_subcommands()) {
        for option in command.get_arguments().filter(|option| option.get_action().takes_values()) {
            if let [default] = option.get_default_values() {
                let sentence = format!("The default is {}", default.to_string_lossy());
                assert!(page.contains(&sentence), "{}: {sentence}", option.get_id());
            }
        }
    }
}

#[test]
fn the_manual_page_is_clean_mdoc() {
    let output = match process::Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(path()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os("CI").is_none() => {
            eprintln!("skipped: there is no mandoc");
            return;
        }
        Err(error) => panic!("mandoc: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
