//! Completion scripts for shells, made from the table of options.

use std::fmt::Write;

use super::Facility;
use super::table::{Argument, Kind, OPTIONS, Opt};

/// A shell that completions can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash; works with and without the package bash-completion.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

const SHELLS: [(&str, Shell); 3] = [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)];

impl Shell {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        SHELLS.iter().find(|(known, _)| *known == name).map(|&(_, shell)| shell)
    }
}

/// The completion script for that shell.
#[must_use]
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The words that an argument can be, if there are few.
fn choices(argument: Argument) -> Option<String> {
    match argument.kind {
        Kind::Facility => Some(Facility::names()),
        Kind::Shell => Some(SHELLS.map(|(name, _)| name).join(" ")),
        Kind::Text | Kind::Interface | Kind::Address | Kind::File | Kind::Number { .. } => None,
    }
}

/// `-v` and `--vhid`.
fn names(option: &Opt) -> impl Iterator<Item = String> {
    let short = option.short.map(|letter| format!("-{letter}"));
    short.into_iter().chain([format!("--{}", option.name())])
}

fn bash() -> String {
    let mut text = String::from(
        r#"# bash completion for ucarp, made by: ucarp --completions bash

_ucarp() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $previous in
"#,
    );
    for option in OPTIONS {
        let Some(argument) = option.argument else { continue };
        let reply = match (argument.kind, choices(argument)) {
            (_, Some(words)) => format!(r#"mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$current")"#),
            (Kind::File, None) => {
                r#"compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current")"#.to_owned()
            }
            (Kind::Interface, None) => {
                r#"mapfile -t COMPREPLY < <(cd /sys/class/net && compgen -G "$current*")"#.to_owned()
            }
            (_, None) => ":".to_owned(),
        };
        let names = names(option).collect::<Vec<_>>().join(" | ");
        push(&mut text, format_args!("        {names}) {reply} ;;"));
    }
    let all: Vec<String> = OPTIONS.iter().flat_map(names).collect();
    push(
        &mut text,
        format_args!("        *) mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$current\") ;;", all.join(" ")),
    );
    text.push_str("    esac\n}\n\ncomplete -F _ucarp ucarp\n");
    text
}

fn zsh() -> String {
    let mut text = String::from(
        "#compdef ucarp\n# zsh completion for ucarp, made by: ucarp --completions zsh\n\n_arguments -s -S \\\n",
    );
    for option in OPTIONS {
        let action = option.argument.map_or_else(String::new, |argument| {
            let values = match (argument.kind, choices(argument)) {
                (_, Some(words)) => format!("({words})"),
                (Kind::File, None) => "_files".to_owned(),
                (Kind::Interface, None) => "_net_interfaces".to_owned(),
                (_, None) => " ".to_owned(),
            };
            format!(":{}:{values}", argument.placeholder)
        });
        let equals = if option.argument.is_some() { "=" } else { "" };
        let plus = if option.argument.is_some() { "+" } else { "" };
        let (name, summary) = (option.name(), option.summary);
        if let Some(letter) = option.short {
            push(&mut text, format_args!("    '(-{letter} --{name})-{letter}{plus}[{summary}]{action}' \\"));
            push(&mut text, format_args!("    '(-{letter} --{name})--{name}{equals}[{summary}]{action}' \\"));
        } else {
            push(&mut text, format_args!("    '--{name}{equals}[{summary}]{action}' \\"));
        }
    }
    // The list of specifications ends with the line.
    text.truncate(text.len() - " \\\n".len());
    text.push('\n');
    text
}

fn fish() -> String {
    let mut text =
        String::from("# fish completion for ucarp, made by: ucarp --completions fish\n\ncomplete -c ucarp -f\n");
    for option in OPTIONS {
        let short = option.short.map_or_else(String::new, |letter| format!(" -s {letter}"));
        let values = option.argument.map_or_else(String::new, |argument| match (argument.kind, choices(argument)) {
            (_, Some(words)) => format!(" -x -a '{words}'"),
            (Kind::File, None) => " -r -F".to_owned(),
            (Kind::Interface, None) => " -x -a '(__fish_print_interfaces)'".to_owned(),
            (_, None) => " -x".to_owned(),
        });
        push(&mut text, format_args!("complete -c ucarp{short} -l {}{values} -d '{}'", option.name(), option.summary));
    }
    text
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests;
