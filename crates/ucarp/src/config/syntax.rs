//! Errors of TOML's grammar, and the rest of the file without them.

use std::ops::Range;

use toml::de::DeTable;
use zeroize::Zeroizing;

/// How often what is still wrong is taken out. More than twice takes a file that is hardly TOML.
const ROUNDS: usize = 8;

/// What the parser says of a key or table that is there twice.
const DUPLICATE: &str = "duplicate key";

/// What is wrong with the form of a text.
pub(super) struct Syntax {
    pub(super) errors: Vec<SyntaxError>,
    /// The text with blanks in place of all that is wrong; `None` if nothing is.
    mended: Option<Zeroizing<String>>,
}

/// One error.
pub(super) struct SyntaxError {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    /// A key or table that is there twice.
    pub(super) duplicate: bool,
}

impl Syntax {
    pub(super) fn check(text: &str) -> Self {
        let first = errors_of(text);
        let mut mended = (!first.is_empty()).then(|| Zeroizing::new(text.to_owned()));
        let mut tables: Vec<Range<usize>> = Vec::new();
        if let Some(mended) = &mut mended {
            mend(mended, &mut tables);
        }
        // Within a table that is there twice every key is.
        let follows = |error: &SyntaxError| tables.iter().any(|table| table.contains(&error.span.start));
        let errors = first.into_iter().filter(|error| !error.duplicate || !follows(error)).collect();
        Self { errors, mended }
    }

    /// The text without its errors, every octet where it was.
    pub(super) fn sound<'a>(&'a self, text: &'a str) -> &'a str {
        self.mended.as_ref().map_or(text, |mended| mended.as_str())
    }

    /// Whether something is missing in the sound text that the file has.
    pub(super) fn is_broken(&self) -> bool {
        // Of a key that is given twice the first one is there.
        self.errors.iter().any(|error| !error.duplicate)
    }
}

fn errors_of(text: &str) -> Vec<SyntaxError> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let error = |error: &toml::de::Error| {
        let (span, message) = (error.span().unwrap_or(0..0), error.message().to_owned());
        SyntaxError { span, duplicate: message == DUPLICATE, message }
    };
    errors.iter().map(error).collect()
}

/// Blanks the lines with errors, and with the head of a table its keys, which would get into another one; `tables` are
/// these keys.
fn mend(text: &mut String, tables: &mut Vec<Range<usize>>) {
    for _ in 0..ROUNDS {
        let mut blanked: Vec<Range<usize>> = Vec::new();
        for error in errors_of(text) {
            let line = line_of(text, error.span.start);
            let is_head = text[line.clone()].trim_start().starts_with('[');
            let end =
                if is_head { text[line.end..].find("\n[").map_or(text.len(), |at| line.end + at) } else { line.end };
            if is_head {
                tables.push(line.end..end);
            }
            blanked.push(line.start..end);
        }
        if blanked.is_empty() {
            return;
        }
        blank(text, &blanked);
    }
    let all = 0..text.len();
    blank(text, &[all]);
}

/// Replaces ranges by blanks, octet by octet.
fn blank(text: &mut String, ranges: &[Range<usize>]) {
    let mut octets = std::mem::take(text).into_bytes();
    for range in ranges {
        octets[range.clone()].iter_mut().filter(|octet| **octet != b'\n').for_each(|octet| *octet = b' ');
    }
    *text = String::from_utf8(octets).expect("whole lines are blanked");
}

/// The line that has this octet, without its end.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    start..text[at..].find('\n').map_or(text.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(text: &str) -> (String, usize) {
        let syntax = Syntax::check(text);
        let sound = syntax.sound(text);
        assert_eq!(sound.len(), text.len());
        assert!(errors_of(sound).is_empty(), "{sound}");
        let lines: Vec<&str> = sound.lines().map(str::trim_end).collect();
        (lines.join("\n"), syntax.errors.len())
    }

    #[test]
    fn a_sound_text_stays_as_it_is() {
        let text = "a = 1\n[b]\nc = \"ä\"\n";
        let syntax = Syntax::check(text);
        assert!(syntax.errors.is_empty() && !syntax.is_broken() && std::ptr::eq(syntax.sound(text), text));
    }

    #[test]
    fn lines_with_errors_are_blanked_and_the_rest_stays() {
        assert_eq!(sound("a = \nb 1\nc = 3\n"), ("\n\nc = 3".into(), 2));
        assert_eq!(sound("a = 1\n[b\nc = 3\n\n[d]\ne = 4\n"), ("a = 1\n\n\n\n[d]\ne = 4".into(), 1));
        assert_eq!(sound("a = 1\nä = = ö\nb = 1"), ("a = 1\n\nb = 1".into(), 3));
    }

    #[test]
    fn what_is_there_twice_is_there_once() {
        assert_eq!(sound("a = 1\na = 2\n"), ("a = 1\n".into(), 1));
        assert_eq!(sound("[a]\nb = 1\n[c]\n[a]\nb = 2\nd = 3\n[e]"), ("[a]\nb = 1\n[c]\n\n\n\n[e]".into(), 1));
        assert!(!Syntax::check("a = 1\na = 2\n").is_broken() && Syntax::check("a = 1\na =\n").is_broken());
    }

    #[test]
    fn what_is_no_toml_at_all_ends_in_blanks() {
        let text = "\"\"\"\n".repeat(3) + &"'''\n".repeat(50) + "[[[\n";
        sound(&text);
    }
}
