//! What comes from elsewhere is made harmless before it is looked at: no list, text or tree in it is larger than it may
//! be, and no character in it can turn the page around. That it is escaped as well is the business of whoever writes
//! it.

use serde_json::Value;

/// More items than any list of a daemon has: it has at most 255 virtual hosts on an interface.
const LONGEST_LIST: usize = 2048;

/// Larger than any time or count, and two of them can be added.
const LARGEST: u64 = 1 << 62;

/// In characters.
const LONGEST_TEXT: usize = 512;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Cuts what is too long, and replaces what is not for showing, in all of `value`. serde_json has bounded its depth.
pub(super) fn value(value: &mut Value) {
    match value {
        Value::String(text) => self::text(text),
        Value::Array(items) => {
            items.truncate(LONGEST_LIST);
            items.iter_mut().for_each(self::value);
        }
        Value::Object(fields) => {
            let fits = fields.len() <= LONGEST_LIST && fields.keys().all(|name| is_clean(name));
            if !fits {
                let kept = std::mem::take(fields).into_iter().filter(|(name, _)| is_clean(name)).take(LONGEST_LIST);
                fields.extend(kept);
            }
            fields.values_mut().for_each(self::value);
        }
        Value::Number(number) if number.as_u64().is_some_and(|number| number > LARGEST) => *number = LARGEST.into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same for one text.
pub(super) fn text(text: &mut String) {
    if is_clean(text) {
        return;
    }
    let clean =
        text.chars().take(LONGEST_TEXT).map(|character| if is_shown(character) { character } else { REPLACEMENT });
    let mut clean: String = clean.collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        clean.push('…');
    }
    *text = clean;
}

fn is_clean(text: &str) -> bool {
    // As many bytes are never more characters.
    text.len() <= LONGEST_TEXT && text.chars().all(is_shown)
}

/// Control characters, and those that change the direction of what follows or are not seen at all.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        && !matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        let good = json!({ "name": "wëb <1>", "list": [1, null, true, { "a": "b" }] });
        let mut same = good.clone();
        value(&mut same);
        assert_eq!(same, good, "escaping is done by whoever writes it");
    }

    #[test]
    fn characters_that_deceive_are_replaced_and_texts_and_lists_end() {
        let mut bad = json!({
            "turned": "a\u{202e}b\nc\u{1b}[31m",
            "long": "ä".repeat(5000),
            "list": vec![0; 100_000],
            "key\u{0}": 1,
            "k".repeat(1000): 1,
            "number": u64::MAX,
        });
        value(&mut bad);
        assert_eq!(bad["turned"], "a\u{fffd}b\u{fffd}c\u{fffd}[31m");
        assert_eq!(bad["long"].as_str().unwrap().chars().count(), LONGEST_TEXT + 1);
        assert_eq!(bad["list"].as_array().unwrap().len(), LONGEST_LIST);
        assert_eq!(bad["number"], LARGEST);
        assert_eq!(bad.as_object().unwrap().len(), 4, "fields with such names are nothing we know");
        let mut many: Value =
            (0..5000).map(|number| (number.to_string(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
        value(&mut many);
        assert_eq!(many.as_object().unwrap().len(), LONGEST_LIST);
    }
}
