//! The texts of `--help` and `--version`.

use std::fmt::Write;

use super::table::{Kind, OPTIONS, Opt};

/// Columns of a terminal that shows the help without wrapping.
const WIDTH: usize = 80;
/// The column where the explanations begin.
const INDENT: usize = 32;

const EXAMPLE: &str = "
Example: the address 192.0.2.254, shared by 192.0.2.1 and other hosts
  ucarp -i eth0 -s 192.0.2.1 -v 1 -o /etc/ucarp.pass -a 192.0.2.254 \\
        -u /etc/vip-up.sh -d /etc/vip-down.sh -z -B

The manual pages ucarp(8) and ucarp.toml(5) explain all of it.
";

/// One line: the program and its version.
#[must_use]
pub fn version() -> String {
    format!("ucarp {}\n", env!("CARGO_PKG_VERSION"))
}

/// The help: at most 80 columns wide, made from the table of options.
#[must_use]
pub fn help() -> String {
    let mut text = version();
    text.push_str("\nUsage: ucarp -s IP -v ID -o FILE -a IP [OPTION]...\n");
    text.push_str("       ucarp -c FILE [-BD] [-f NAME]\n");
    text.push_str("Shares a virtual IP address with other hosts: one of them, the MASTER, holds it.\n\n");
    for option in OPTIONS {
        entry(&mut text, option);
    }
    text.push_str(EXAMPLE);
    text
}

/// Appends the lines of one option.
fn entry(text: &mut String, option: &Opt) {
    let short = option.short.map_or_else(|| "   ".to_owned(), |letter| format!("-{letter},"));
    let argument = option.argument.map_or_else(String::new, |argument| format!("={}", argument.placeholder));
    let names = format!("  {short} --{}{argument}", option.name());
    let mut line = format!("{names:INDENT$}");
    for word in explanation(option).split_whitespace() {
        let room = WIDTH.saturating_sub(line.len());
        if line.len() > INDENT && room <= word.len() {
            writeln!(text, "{line}").expect("a string takes everything");
            line = " ".repeat(INDENT);
        }
        if line.len() > INDENT {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(text, "{line}").expect("a string takes everything");
}

/// The summary with range and default.
fn explanation(option: &Opt) -> String {
    let range = match option.argument.map(|argument| argument.kind) {
        Some(Kind::Number { least, most }) => Some(format!("{least} to {most}")),
        _ => None,
    };
    let default = option.default.map(|default| format!("default {default}"));
    let facts: Vec<String> = range.into_iter().chain(default).collect();
    if facts.is_empty() { option.summary.to_owned() } else { format!("{} ({})", option.summary, facts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_the_screen_and_names_every_option() {
        let help = help();
        assert!(help.starts_with(&format!("ucarp {}\n", env!("CARGO_PKG_VERSION"))));
        for line in help.lines() {
            assert!(line.len() <= WIDTH, "{line}");
            assert_eq!(line, line.trim_end());
        }
        for option in OPTIONS {
            let short = option.short.map_or_else(String::new, |letter| format!("-{letter}, "));
            assert!(help.contains(&format!("{short}--{}", option.name())), "{}", option.name());
        }
    }

    #[test]
    fn entries_are_wrapped_in_their_column() {
        let mut text = String::new();
        for option in OPTIONS.iter().filter(|option| ["vhid", "deadratio", "script-timeout"].contains(&option.name())) {
            entry(&mut text, option);
        }
        let wanted = "  \
  -v, --vhid=ID                 virtual host id; required (1 to 255)
      --script-timeout=SECONDS  end a script that runs longer (1 to 3600,
                                default 60)
  -r, --deadratio=RATIO         a MASTER silent for RATIO times advbase is dead
                                (1 to 1000000, default 3)
";
        assert_eq!(text, wanted);
    }
}
