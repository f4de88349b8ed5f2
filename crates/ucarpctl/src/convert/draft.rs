//! What is found in foreign configurations, on its way to a file of ours.

use std::fmt;
use std::rc::Rc;

use super::render::scalar;
use ucarp::config::{CHECK_KEYS, KEYS, KeyId};

/// A file to convert.
#[derive(Debug)]
pub(super) struct Input {
    /// The file's name as messages show it.
    pub(super) name: Rc<str>,
    pub(super) text: String,
}

impl Input {
    /// A place in this file; lines count from 1.
    pub(super) fn place(&self, line: usize) -> Place {
        Place { file: Rc::clone(&self.name), line }
    }

    /// The last part of the file's name.
    pub(super) fn base_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    file: Rc<str>,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a line of the result came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) place: Place,
    /// The words there; never a password.
    pub(super) words: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.words)
    }
}

impl Place {
    /// This place, as where `words` stand.
    pub(super) fn says(&self, words: impl Into<String>) -> Origin {
        Origin { place: self.clone(), words: words.into() }
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u32),
    Flag(bool),
    /// Each with its own origin.
    List(Vec<(String, Origin)>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: KeyId,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A virtual host; or a check, which has other keys.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// Where it begins.
    pub(super) place: Place,
    entries: Vec<Entry>,
}

impl Host {
    pub(super) fn new(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, entries: Vec::new() }
    }

    /// Gives a key its value; a former one is forgotten.
    pub(super) fn set(&mut self, id: KeyId, value: Value, origin: Origin) {
        self.remove(id);
        self.entries.push(Entry { id, value, origin });
    }

    pub(super) fn text(&mut self, id: KeyId, text: impl Into<String>, origin: Origin) {
        self.set(id, Value::Text(text.into()), origin);
    }

    pub(super) fn number(&mut self, id: KeyId, number: impl Into<u32>, origin: Origin) {
        self.set(id, Value::Number(number.into()), origin);
    }

    pub(super) fn flag(&mut self, id: KeyId, origin: Origin) {
        self.set(id, Value::Flag(true), origin);
    }

    /// Adds an item to a list, if it is not there yet.
    pub(super) fn add(&mut self, id: KeyId, item: impl Into<String>, origin: Origin) {
        let item = item.into();
        match self.entries.iter_mut().find(|entry| entry.id == id).map(|entry| &mut entry.value) {
            Some(Value::List(items)) if items.iter().any(|(known, _)| *known == item) => {}
            Some(Value::List(items)) => items.push((item, origin)),
            _ => self.set(id, Value::List(vec![(item, origin.clone())]), origin),
        }
    }

    pub(super) fn remove(&mut self, id: KeyId) {
        self.entries.retain(|entry| entry.id != id);
    }

    pub(super) fn has(&self, id: KeyId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn get(&self, id: KeyId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The text of a key that has one.
    pub(super) fn text_of(&self, id: KeyId) -> Option<&str> {
        match &self.get(id)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether another one has the same values, wherever they came from.
    fn is_like(&self, other: &Host) -> bool {
        let values = |host: &Host| host.in_order().map(|entry| (entry.id, scalar(&entry.value))).collect::<Vec<_>>();
        values(self) == values(other)
    }

    /// The entries in the order of the table of keys.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        KEYS.iter().chain(CHECK_KEYS).filter_map(|spec| self.get(spec.id))
    }
}

/// A name that a virtual host can have, as near to `name` as can be.
pub(super) fn proper_name(name: &str) -> String {
    let proper = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(proper).take(60).collect();
    if name.is_empty() { "vip".into() } else { name }
}

/// What the operator has to know about the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Something has to be done before the result can be used.
    ToDo,
    /// It is not there any more.
    Lost,
    /// It is there and works in another way.
    Differs,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToDo => "to do",
            Self::Lost => "not carried over",
            Self::Differs => "differs",
        })
    }
}

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) place: Option<Place>,
    pub(super) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.kind, self.text)
    }
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Option<Place>,
    pub(super) text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: error: {}", self.text),
            None => write!(f, "error: {}", self.text),
        }
    }
}

/// Everything that was found so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) hosts: Vec<Host>,
    pub(super) checks: Vec<Host>,
    pub(super) findings: Vec<Finding>,
    pub(super) faults: Vec<Fault>,
}

impl Draft {
    /// The same remark is made once for each place.
    fn find(&mut self, kind: Kind, place: Option<&Place>, text: String) {
        let finding = Finding { kind, place: place.cloned(), text };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    pub(super) fn differs(&mut self, place: &Place, text: impl Into<String>) {
        self.find(Kind::Differs, Some(place), text.into());
    }

    pub(super) fn lost(&mut self, place: &Place, text: impl Into<String>) {
        self.find(Kind::Lost, Some(place), text.into());
    }

    pub(super) fn task(&mut self, place: &Place, text: impl Into<String>) {
        self.find(Kind::ToDo, Some(place), text.into());
    }

    /// A remark about the whole result.
    pub(super) fn general(&mut self, kind: Kind, text: impl Into<String>) {
        self.find(kind, None, text.into());
    }

    pub(super) fn fault(&mut self, place: &Place, text: impl Into<String>) {
        self.faults.push(Fault { place: Some(place.clone()), text: text.into() });
    }

    /// Adds a virtual host under a name that no other one has and that can stand in a file.
    pub(super) fn push(&mut self, mut host: Host) {
        let taken = |name: &str| self.hosts.iter().any(|other| other.name == name);
        let wanted = proper_name(&host.name);
        host.name = wanted.clone();
        for number in 2.. {
            if !taken(&host.name) {
                break;
            }
            host.name = format!("{wanted}-{number}");
        }
        self.hosts.push(host);
    }

    /// Adds a check under a name that no other one has, unless the same one is there already. Returns its name.
    pub(super) fn add_check(&mut self, mut check: Host) -> String {
        let wanted = proper_name(&check.name);
        check.name = wanted.clone();
        let mut number = 1;
        while let Some(other) = self.checks.iter().find(|other| other.name == check.name) {
            if other.is_like(&check) {
                return check.name;
            }
            number += 1;
            check.name = format!("{wanted}-{number}");
        }
        self.checks.push(check.clone());
        check.name
    }
}
