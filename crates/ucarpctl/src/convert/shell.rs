//! As much of the shell's language as files of settings and simple command lines need: words, quotes, assignments.

use std::collections::BTreeMap;

use super::draft::{Draft, Input, Place};

/// How deep variables may stand for others.
const DEEPEST: usize = 8;

/// Why a text cannot be understood without running it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ShellFault {
    #[error("a quote ({0}) without its end: close it")]
    Quote(char),
    #[error("the value of ${0} is not known here: write it out")]
    Unknown(String),
    #[error("this can only be known by running it ({0}...): write the value out")]
    Command(&'static str),
    #[error("${0} stands for itself: write its value out")]
    Circle(String),
}

/// The lines of a text with their numbers; lines that end in a backslash go on in the next.
pub(super) fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (part, continues) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, begun)) => begun.push_str(part),
            None => lines.push((number, part.to_owned())),
        }
        goes_on = continues;
    }
    lines
}

/// The value of a variable. `None`: it has none.
type Lookup<'l> = dyn Fn(&str) -> Result<Option<String>, ShellFault> + 'l;

/// Splits a line into commands and these into words, without their quotes and with the values of variables.
pub(super) fn commands(line: &str, lookup: &Lookup<'_>) -> Result<Vec<Vec<String>>, ShellFault> {
    let mut splitter = Splitter { commands: vec![Vec::new()], word: None, lookup };
    splitter.run(line)?;
    Ok(splitter.commands.into_iter().filter(|words| !words.is_empty()).collect())
}

/// The words of the first command of a line.
pub(super) fn words(line: &str, lookup: &Lookup<'_>) -> Result<Vec<String>, ShellFault> {
    Ok(commands(line, lookup)?.into_iter().next().unwrap_or_default())
}

/// A lookup that knows no variable.
pub(super) fn nothing(_: &str) -> Result<Option<String>, ShellFault> {
    Ok(None)
}

struct Splitter<'l> {
    commands: Vec<Vec<String>>,
    /// The word that has begun.
    word: Option<String>,
    lookup: &'l Lookup<'l>,
}

impl Splitter<'_> {
    fn run(&mut self, line: &str) -> Result<(), ShellFault> {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '#' if self.word.is_none() => return self.end(),
                ' ' | '\t' => {
                    self.end_word();
                    after
                }
                ';' | '&' | '|' | '(' | ')' => {
                    self.end_command();
                    after
                }
                '<' | '>' => {
                    // In `2>file` the number belongs to the redirection.
                    self.word = self.word.take().filter(|word| !word.bytes().all(|octet| octet.is_ascii_digit()));
                    self.end_command();
                    after
                }
                '\'' => self.single(after)?,
                '"' => self.double(after)?,
                '\\' => self.literal(after),
                '`' => return Err(ShellFault::Command("`")),
                '$' => self.variable(after)?,
                _ => {
                    self.begun().push(c);
                    after
                }
            };
        }
        self.end()
    }

    fn begun(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        if let (Some(word), Some(words)) = (self.word.take(), self.commands.last_mut()) {
            words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.commands.push(Vec::new());
    }

    fn end(&mut self) -> Result<(), ShellFault> {
        self.end_word();
        Ok(())
    }

    fn literal<'t>(&mut self, text: &'t str) -> &'t str {
        let mut chars = text.chars();
        if let Some(c) = chars.next() {
            self.begun().push(c);
        }
        chars.as_str()
    }

    fn single<'t>(&mut self, text: &'t str) -> Result<&'t str, ShellFault> {
        let (quoted, rest) = text.split_once('\'').ok_or(ShellFault::Quote('\''))?;
        self.begun().push_str(quoted);
        Ok(rest)
    }

    fn double<'t>(&mut self, text: &'t str) -> Result<&'t str, ShellFault> {
        self.begun();
        let mut rest = text;
        loop {
            let c = rest.chars().next().ok_or(ShellFault::Quote('"'))?;
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '"' => return Ok(after),
                '`' => return Err(ShellFault::Command("`")),
                '$' => self.variable(after)?,
                '\\' if after.starts_with(['"', '\\', '$', '`']) => self.literal(after),
                _ => {
                    self.begun().push(c);
                    after
                }
            };
        }
    }

    /// `NAME` or `{NAME}` behind a `$`. Its value becomes a part of the word, blanks too: values of settings are meant so.
    fn variable<'t>(&mut self, text: &'t str) -> Result<&'t str, ShellFault> {
        if text.starts_with('(') {
            return Err(ShellFault::Command("$("));
        }
        let (name, rest) = match text.strip_prefix('{') {
            Some(inside) => inside.split_once('}').ok_or(ShellFault::Quote('{'))?,
            None => text.split_at(text.find(|c: char| !is_name_part(c)).unwrap_or(text.len())),
        };
        if name.is_empty() {
            self.begun().push('$');
            return Ok(text);
        }
        if name.chars().any(|c| !is_name_part(c)) {
            return Err(ShellFault::Unknown(format!("{{{name}}}")));
        }
        let value = (self.lookup)(name)?.ok_or_else(|| ShellFault::Unknown(name.to_owned()))?;
        self.begun().push_str(&value);
        Ok(rest)
    }
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name and the rest of `NAME=value`.
pub(super) fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    let is_name = name.chars().all(is_name_part) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then_some((name, value))
}

/// The assignments of a file, each understood only when it is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Assignments {
    /// The text behind each equals sign and where it stands. The last one counts; it may be built on the one before.
    raw: BTreeMap<String, Vec<(String, Place)>>,
}

impl Assignments {
    /// Adds those of a file, and tells of lines that are none.
    pub(super) fn read(&mut self, input: &Input, draft: &mut Draft) {
        for (number, line) in lines(&input.text) {
            match assignment(&line) {
                Some((name, value)) => {
                    let all = self.raw.entry(name.to_owned()).or_default();
                    all.push((value.to_owned(), input.place(number)));
                }
                None if is_empty(&line) => {}
                None => draft.lost(&input.place(number), "a line that sets no variable"),
            }
        }
    }

    /// All names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.raw.keys().map(String::as_str)
    }

    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.raw.get(name)?.last().map(|(_, place)| place)
    }

    /// A variable's value and place, if it has one that is not empty. What cannot be understood is a fault.
    pub(super) fn get(&self, name: &str, draft: &mut Draft) -> Option<(String, Place)> {
        let place = self.place(name)?;
        match self.value(name, usize::MAX, DEEPEST) {
            Ok(value) => value.filter(|value| !value.is_empty()).map(|value| (value, place.clone())),
            Err(fault) => {
                draft.fault(place, format!("{name}: {fault}"));
                None
            }
        }
    }

    /// The words of a variable's value.
    pub(super) fn words(&self, name: &str, draft: &mut Draft) -> Option<(Vec<String>, Place)> {
        let (value, place) = self.get(name, draft)?;
        match words(&value, &nothing) {
            Ok(words) => Some((words, place)),
            Err(fault) => {
                draft.fault(&place, format!("{name}: {fault}"));
                None
            }
        }
    }

    /// The value of the last of the first `count` assignments of a name.
    fn value(&self, name: &str, count: usize, depth: usize) -> Result<Option<String>, ShellFault> {
        let all = self.raw.get(name).map_or(&[][..], |all| &all[..count.min(all.len())]);
        let Some(((raw, _), before)) = all.split_last() else { return Ok(None) };
        let depth = depth.checked_sub(1).ok_or_else(|| ShellFault::Circle(name.to_owned()))?;
        let count_of = |other: &str| if other == name { before.len() } else { usize::MAX };
        let words = words(raw, &|other| self.value(other, count_of(other), depth))?;
        Ok(Some(words.into_iter().next().unwrap_or_default()))
    }
}

/// Whether a line says nothing.
pub(super) fn is_empty(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Vec<String> {
        words(line, &|name| Ok((name == "X").then(|| "a b".to_owned()))).unwrap()
    }

    #[test]
    fn words_are_those_of_the_shell() {
        assert_eq!(
            one(r#"ucarp -p 'a "b' -x "c \"d\" \n" e\ f"#),
            ["ucarp", "-p", "a \"b", "-x", "c \"d\" \\n", "e f"]
        );
        assert_eq!(one("a # b"), ["a"]);
        assert_eq!(one("a#b ''"), ["a#b", ""]);
        assert_eq!(one("$X ${X}c '$X' $"), ["a b", "a bc", "$X", "$"]);
        assert_eq!(one("a 2>/dev/null"), ["a"]);
        assert_eq!(commands("a b; c && d | e &", &nothing).unwrap(), [vec!["a", "b"], vec!["c"], vec!["d"], vec!["e"]]);
    }

    #[test]
    fn what_has_to_be_run_is_refused() {
        for (line, wanted) in [
            ("a 'b", "a quote (') without its end: close it"),
            ("a \"b", "a quote (\") without its end: close it"),
            ("$Y", "the value of $Y is not known here: write it out"),
            ("${Y:-1}", "the value of ${Y:-1} is not known here: write it out"),
            ("`ip a`", "this can only be known by running it (`...): write the value out"),
            ("\"$(ip a)\"", "this can only be known by running it ($(...): write the value out"),
        ] {
            assert_eq!(words(line, &nothing).unwrap_err().to_string(), wanted, "{line}");
        }
    }

    #[test]
    fn variables_stand_for_others_and_never_for_themselves() {
        let text = "A=1\nexport B=\"$A 2\"\nC=$D\nD=$C\nif true\n# no\n";
        let input = Input { name: "f".into(), text: text.into() };
        let (mut assignments, mut draft) = (Assignments::default(), Draft::default());
        assignments.read(&input, &mut draft);
        assert_eq!(draft.findings.len(), 1);
        assert_eq!(draft.findings[0].to_string(), "f:5: not carried over: a line that sets no variable");
        assert_eq!(assignments.get("B", &mut draft).unwrap().0, "1 2");
        assert_eq!(assignments.get("E", &mut draft), None);
        assignments.read(&Input { name: "g".into(), text: "A=\"$A 0\"\nZ=$Z\n".into() }, &mut draft);
        assert_eq!(assignments.get("A", &mut draft).unwrap().0, "1 0");
        assert_eq!(assignments.get("Z", &mut draft), None);
        assert_eq!(
            draft.faults.remove(0).to_string(),
            "g:2: error: Z: the value of $Z is not known here: write it out"
        );
        assert_eq!(assignments.get("C", &mut draft), None);
        assert!(draft.faults[0].to_string().starts_with("f:3: error: C: $"), "{}", draft.faults[0]);
    }

    #[test]
    fn lines_go_on_behind_a_backslash() {
        assert_eq!(lines("a \\\nb\nc"), [(1, "a b".to_owned()), (3, "c".to_owned())]);
    }
}
