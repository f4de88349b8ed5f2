//! UCARP's command lines, in scripts, crontabs, units of systemd or alone.

use super::classic::Ucarp;
use super::draft::{Draft, Input};
use super::shell::{self, Assignments, ShellFault};

/// Reads all command lines of the files.
pub(super) fn read(inputs: &[Input], draft: &mut Draft) {
    for input in inputs {
        let mut variables = Assignments::default();
        // Lines that set nothing are looked at below.
        variables.read(input, &mut Draft::default());
        for (number, line) in shell::lines(&input.text) {
            if mentions_ucarp(&line) {
                one_line(input, number, &line, &variables, draft);
            } else if !shell::is_empty(&line) && !line.starts_with('[') && shell::assignment(&line).is_none() {
                draft.lost(&input.place(number), "a line that does not start ucarp");
            }
        }
    }
}

/// Whether the program stands in a line that is no comment.
pub(super) fn mentions_ucarp(line: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || ";&|(=\"'`".contains(c);
    let is_setting = shell::assignment(line).is_some_and(|(name, _)| name != "ExecStart");
    !shell::is_empty(line) && !is_setting && line.split(separates).any(is_ucarp)
}

fn is_ucarp(word: &str) -> bool {
    word.rsplit('/').next() == Some("ucarp")
}

/// Reads a line that starts ucarp, at its beginning or behind other words such as `exec`.
fn one_line(input: &Input, number: usize, line: &str, variables: &Assignments, draft: &mut Draft) {
    let place = input.place(number);
    let line = line.trim_start();
    let line = ["ExecStart=-", "ExecStart="].iter().find_map(|begin| line.strip_prefix(begin)).unwrap_or(line);
    let lookup = |name: &str| -> Result<Option<String>, ShellFault> {
        let mut ignored = Draft::default();
        Ok(variables.get(name, &mut ignored).map(|(value, _)| value))
    };
    let commands = match shell::commands(line, &lookup) {
        Ok(commands) => commands,
        Err(fault) => return draft.fault(&place, fault.to_string()),
    };
    for words in commands {
        // `killall ucarp` has no options.
        let Some(program) = words.iter().position(|word| is_ucarp(word)) else { continue };
        let options = &words[program + 1..];
        if options.is_empty() {
            draft.lost(&place, "a command that does not start ucarp with options");
            continue;
        }
        let mut ucarp = Ucarp::new(&place);
        ucarp.words(options, &place, draft);
        let host = ucarp.finish(draft);
        draft.push(host);
    }
}
