//! Where in a configuration file secrets stand, so that no message shows them.
//!
//! The text itself is searched, not only what was understood of it: a password in a line that is no TOML, behind a
//! misspelt key or in a comment stays hidden too. Hiding too much is harmless.

use std::ops::Range;

use super::nearest::nearest;
use super::table::KEYS;

/// The ranges of `text` that may hold a secret, ascending.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(word) = next_word(text, from) {
        from = word.end;
        if is_secret(&text[word.clone()])
            && let Some(start) = value_start(text, &word)
            && !is_inline_table(text, &word, start)
        {
            let hidden = start..value_end(text, start);
            from = hidden.end;
            found.push(hidden);
        }
    }
    found
}

/// The keys that hold secrets, and UCARP's name of the first.
const SECRETS: [&str; 3] = ["password", "key", "pass"];

/// Whether the value of a key of that name may be a secret: a password, a key, or the value of a key that is unknown
/// and not clearly a misspelt other one.
pub(super) fn is_secret(name: &str) -> bool {
    known(name).unwrap_or_else(|| meant(name).is_none_or(|meant| SECRETS.contains(&meant)))
}

/// Whether a known key holds a secret; `None` if the key is unknown.
fn known(name: &str) -> Option<bool> {
    KEYS.iter().any(|spec| spec.name == name || spec.classic.contains(&name)).then(|| SECRETS.contains(&name))
}

/// The key that an unknown one is a misspelling of.
fn meant(name: &str) -> Option<&'static str> {
    nearest(name, KEYS.iter().map(|spec| spec.name))
}

/// The next run of letters, digits, `-` and `_`.
fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let start = from + text[from..].find(part)?;
    let length = text[start..].find(|c| !part(c)).unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// Where the value of this word begins: after its `=`, or right behind the word if it is surely meant as a key.
fn value_start(text: &str, word: &Range<usize>) -> Option<usize> {
    let after = &text[word.end..];
    let bare = after.trim_start_matches(['"', '\'', ' ', '\t']);
    if let Some(value) = bare.strip_prefix('=') {
        return Some(text.len() - value.trim_start_matches([' ', '\t']).len());
    }
    let name = &text[word.clone()];
    let certain = SECRETS.contains(&name) || meant(name).is_some_and(|meant| SECRETS.contains(&meant));
    let line = &text[text[..word.start].rfind('\n').map_or(0, |newline| newline + 1)..word.start];
    (certain && line.chars().all(|c| c.is_whitespace() || "\"'#".contains(c))).then_some(word.end)
}

/// Whether that is a virtual host in braces: it has keys of its own.
fn is_inline_table(text: &str, word: &Range<usize>, start: usize) -> bool {
    text[start..].starts_with('{') && known(&text[word.clone()]).is_none()
}

/// Where a value that begins at `start` ends. A string that is not closed reaches to the end of the next line, one of
/// several lines or a list to the end of the text.
fn value_end(text: &str, start: usize) -> usize {
    let value = &text[start..];
    let line_end = value.find('\n').unwrap_or(value.len());
    for (opening, closing) in [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]"), ("{", "}")] {
        if let Some(inside) = value.strip_prefix(opening) {
            let end = inside.find(closing).map_or(value.len(), |end| opening.len() + end + closing.len());
            return start + end.max(line_end);
        }
    }
    let line = &value[..line_end];
    if let Some(length) = closed_string(line) {
        return start + length;
    }
    // A value that is missing or not closed may have slipped into the next line.
    let next = value[line_end..].char_indices().skip(1).find(|(_, c)| *c == '\n');
    let slipped = line.trim().is_empty() || line.starts_with(['"', '\'']);
    let end = if slipped { next.map_or(value.len(), |(at, _)| line_end + at) } else { line_end };
    start + end
}

/// The length of the string that the line begins with, if nothing that could belong to it follows.
fn closed_string(line: &str) -> Option<usize> {
    let quote = line.chars().next().filter(|c| "\"'".contains(*c))?;
    let mut escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        if !escaped && c == quote {
            let rest = line[at + 1..].trim_start();
            return (rest.is_empty() || rest.starts_with([',', '}', '#'])).then_some(at + 1);
        }
        escaped = quote == '"' && c == '\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(text: &str) -> String {
        let mut shown = String::new();
        let mut from = 0;
        for hidden in secrets(text) {
            shown.push_str(&text[from..hidden.start]);
            shown.push('~');
            from = hidden.end;
        }
        shown + &text[from..]
    }

    #[test]
    fn values_of_secret_keys_are_found() {
        for (text, shown) in [
            ("password = \"hidden\"\nvhid = 1", "password = ~\nvhid = 1"),
            ("password='hidden' # why", "password=~ # why"),
            ("x.\"password\" = \"hid\\\"den\"", "x.\"password\" = ~"),
            ("w = { password = \"hidden\", vhid = 300 }", "w = { password = ~, vhid = 300 }"),
            ("# password = \"hidden\"", "# password = ~"),
            ("key = \"00ff\"", "key = ~"),
            ("paswrod = \"hidden\"", "paswrod = ~"),
            ("ord = \"hidden\"", "ord = ~"),
            ("ky = \"hidden\"", "ky = ~"),
            ("passphrase = \"hidden\"", "passphrase = ~"),
            ("password = hidden words", "password = ~"),
            ("password = \"hidden", "password = ~"),
            ("password = \"hid\nden\"\nvhid = 1", "password = ~\nvhid = 1"),
            ("password = \"hid\"den\"", "password = ~"),
            ("password = \"hid\\", "password = ~"),
            ("password \"hidden\"", "password~"),
            ("password: hidden", "password~"),
            ("password = \"\"\"\nhid\nden\"\"\"\nvhid = 1", "password = ~\nvhid = 1"),
            ("password = \"\"\"\nhid\nden\nvhid = 1", "password = ~"),
            ("password = [\"hidden\",\n\"hidden\"]\nvhid = 1", "password = ~\nvhid = 1"),
            ("password =", "password =~"),
            ("password =\n\"hidden\"\nvhid = 1", "password =~\nvhid = 1"),
            ("password = \r\n\"hidden\"", "password = ~"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn other_values_stay_visible() {
        for text in [
            "password-file = \"/etc/ucarp/password\"",
            "allow-readable-password-file = true",
            "up = \"/etc/password\"",
            "adbvase = 1",
            "vhid = 300",
            "srcip = 300",
            "[virtual-hots.web]",
            "web = { vhid = 300 }",
            "",
        ] {
            assert_eq!(visible(text), text);
        }
    }
}
