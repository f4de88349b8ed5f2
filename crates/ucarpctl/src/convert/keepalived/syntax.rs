//! The blocks and lines of `keepalived.conf`.

use std::collections::BTreeMap;

use crate::convert::draft::{Draft, Input, Place};

/// How deep blocks may stand in others.
const DEEPEST: usize = 16;

/// A line, with the block that it begins.
#[derive(Debug)]
pub(super) struct Node {
    /// At least one word, unless a block begins without any.
    pub(super) words: Vec<String>,
    pub(super) place: Place,
    pub(super) block: Vec<Node>,
}

impl Node {
    /// The first word.
    pub(super) fn key(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The word behind the first.
    pub(super) fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The lines of the block with this first word.
    pub(super) fn all<'n>(&'n self, key: &'n str) -> impl Iterator<Item = &'n Node> {
        self.block.iter().filter(move |node| node.key() == key)
    }

    /// The lines of all blocks of this name.
    pub(super) fn items<'n>(&'n self, key: &'n str) -> impl Iterator<Item = &'n Node> {
        self.all(key).flat_map(|node| &node.block)
    }

    /// The words behind the first as they were.
    pub(super) fn rest(&self) -> String {
        self.words.get(1..).unwrap_or_default().join(" ")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// The blocks of a file.
pub(super) fn parse(input: &Input, draft: &mut Draft) -> Vec<Node> {
    let mut parser = Parser { levels: vec![Vec::new()], begun: Vec::new(), variables: BTreeMap::new() };
    for (number, line) in (1..).zip(input.text.lines()) {
        let place = input.place(number);
        match tokens(line) {
            Ok(tokens) => tokens.into_iter().for_each(|token| parser.take(token, &place, draft)),
            Err(text) => draft.fault(&place, text),
        }
        parser.take(Token::End, &place, draft);
    }
    while let Some(open) = parser.levels.len().checked_sub(2).and_then(|outer| parser.levels[outer].last()) {
        draft.fault(&open.place.clone(), format!("the block {} has no end: add the missing }}", open.words.join(" ")));
        parser.close();
    }
    parser.levels.pop().unwrap_or_default()
}

struct Parser {
    /// The blocks that are open, outermost first. The last node of each but the last begins the next.
    levels: Vec<Vec<Node>>,
    /// The words of the line so far.
    begun: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl Parser {
    fn take(&mut self, token: Token, place: &Place, draft: &mut Draft) {
        match token {
            Token::Word(word) => self.begun.push(word),
            Token::End => self.end_line(place, draft),
            Token::Open => {
                // The brace may stand in a line of its own.
                if self.begun.is_empty() && self.levels.last().is_some_and(Vec::is_empty) {
                    return draft.fault(place, "a { that belongs to no block: take it out");
                }
                self.end_line(place, draft);
                if self.levels.len() > DEEPEST {
                    return draft.fault(place, format!("more than {DEEPEST} blocks in each other: correct the braces"));
                }
                self.levels.push(Vec::new());
            }
            Token::Close => {
                self.end_line(place, draft);
                if self.levels.len() == 1 {
                    return draft.fault(place, "a } too many: take it out");
                }
                self.close();
            }
        }
    }

    fn end_line(&mut self, place: &Place, draft: &mut Draft) {
        let words = std::mem::take(&mut self.begun);
        let Some(first) = words.first() else { return };
        if let Some((name, value)) = first.strip_prefix('$').and_then(|rest| rest.split_once('=')) {
            let value =
                std::iter::once(value).chain(words[1..].iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
            self.variables.insert(name.to_owned(), value.trim_matches('"').to_owned());
            return;
        }
        if first.starts_with('@') {
            let text = format!("{first}: lines for some hosts only: keep those of this host, without the {first}");
            return draft.fault(place, text);
        }
        let words = words.iter().map(|word| self.expand(word)).collect();
        let node = Node { words, place: place.clone(), block: Vec::new() };
        self.levels.last_mut().expect("the outermost level is never closed").push(node);
    }

    fn close(&mut self) {
        let block = self.levels.pop().unwrap_or_default();
        if let Some(node) = self.levels.last_mut().and_then(|level| level.last_mut()) {
            node.block.extend(block);
        }
    }

    /// The word with the values of variables that the file defines; others are left as they are.
    fn expand(&self, word: &str) -> String {
        let mut text = word.to_owned();
        for (name, value) in &self.variables {
            text = text.replace(&format!("${{{name}}}"), value);
            if text == format!("${name}") {
                text.clone_from(value);
            }
        }
        text
    }
}

/// The words and braces of a line, without comments and quotes.
fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '#' | '!' => return Ok(tokens),
            '{' | '}' => {
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
                after
            }
            '"' => {
                let (quoted, after) = after.split_once('"').ok_or("a quote without its end: close it")?;
                tokens.push(Token::Word(quoted.to_owned()));
                after
            }
            _ => {
                // A brace in ${...} is part of the word.
                let end = word_end(rest);
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        };
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn word_end(text: &str) -> usize {
    let mut in_variable = false;
    let mut former = ' ';
    for (index, c) in text.char_indices() {
        match c {
            '{' if former == '$' => in_variable = true,
            '}' if in_variable => in_variable = false,
            '{' | '}' => return index,
            _ if c.is_whitespace() => return index,
            _ => {}
        }
        former = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<Node>, Vec<String>) {
        let mut draft = Draft::default();
        let nodes = parse(&Input { name: "k".into(), text: text.into() }, &mut draft);
        (nodes, draft.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn blocks_lines_and_quotes() {
        let text = "$VIP=192.0.2.254/24\nvrrp_instance \"V 1\" { ! comment\n  priority 100 # too\n  virtual_ipaddress {\n    $VIP dev eth0\n  \
                    }\n}\nglobal_defs\n{\n  router_id x\n}\na { b c }";
        let (nodes, faults) = parsed(text);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(nodes.iter().map(Node::key).collect::<Vec<_>>(), ["vrrp_instance", "global_defs", "a"]);
        assert_eq!(nodes[0].value(), Some("V 1"));
        assert_eq!(nodes[0].items("virtual_ipaddress").next().unwrap().words, ["192.0.2.254/24", "dev", "eth0"]);
        assert_eq!(nodes[2].block[0].rest(), "c");
    }

    #[test]
    fn what_is_not_closed_is_told_with_its_place() {
        assert_eq!(parsed("a {\nb {\n}\n").1, ["k:1: error: the block a has no end: add the missing }"]);
        assert_eq!(parsed("a\n}\n").1, ["k:2: error: a } too many: take it out"]);
        assert_eq!(parsed("{\n").1[0], "k:1: error: a { that belongs to no block: take it out");
        assert_eq!(parsed("a \"b\n").1, ["k:1: error: a quote without its end: close it"]);
        let deep = "a {\n".repeat(40) + &"}\n".repeat(40);
        assert!(parsed(&deep).1[0].contains("more than 16 blocks"), "{:?}", parsed(&deep).1);
        assert!(parsed("@web priority 1\n").1[0].contains("keep those of this host"));
    }
}
