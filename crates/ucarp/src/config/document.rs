//! A configuration file as a tree: its tables and keys, each value read, each with its place.

mod check;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroize;

use super::censor;
use super::nearest::nearest;
use super::problem::{Findings, Site};
use super::syntax::Syntax;
use super::table::{self, KEYS, KeyId, KeySpec, Place};
use super::text;
use super::value::{self, Value};

/// The table of what holds for all virtual hosts.
const DEFAULTS: &str = "defaults";
/// The table of tables of virtual hosts.
const VIRTUAL_HOST: &str = "virtual-host";
/// The table of tables of checks.
const CHECK: &str = "check";
/// The table of the check that all virtual hosts have.
const ISOLATION: &str = "isolation";

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where the key stands.
    pub(super) key: Site,
    /// Where its value stands.
    pub(super) site: Site,
    /// `None`: it is wrong, and that has been told.
    pub(super) value: Option<Value>,
}

/// The keys of one table.
pub(super) type Layer = BTreeMap<KeyId, Entry>;

/// A virtual host or a check of a file.
#[derive(Debug)]
pub(super) struct NamedLayer {
    pub(super) name: String,
    pub(super) site: Site,
    pub(super) keys: Layer,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) top: Layer,
    pub(super) defaults: Layer,
    /// In the order of the file.
    pub(super) hosts: Vec<NamedLayer>,
    /// In the order of the file.
    pub(super) checks: Vec<NamedLayer>,
    pub(super) isolation: Option<NamedLayer>,
    /// Whether it is no proper TOML: then something may be missing in here that the file has.
    pub(super) broken: bool,
}

/// A parsed file that nobody has looked into yet.
pub(super) struct Tree<'t> {
    text: &'t str,
    syntax: &'t Syntax,
    table: Spanned<DeTable<'t>>,
}

impl<'t> Tree<'t> {
    pub(super) fn parse(text: &'t str, syntax: &'t Syntax) -> Self {
        let (table, _) = DeTable::parse_recoverable(syntax.sound(text));
        Self { text, syntax, table }
    }

    /// Where the key or table that stands again at `span` was first.
    fn first_of(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let name = self.text.get(span.clone())?;
        let mut keys = Vec::new();
        spans_of_keys(self.table.get_ref(), &mut keys);
        let is_head = |at: usize| self.text[self.text[..at].rfind('\n').map_or(0, |end| end + 1)..].starts_with('[');
        let first = keys.into_iter().filter(|key| {
            let same = key.end <= span.start && self.text.get(key.clone()) == Some(name);
            // A key was in the same table, so no other one began since.
            let near = || is_head(span.start) || !self.text[key.end..span.start].contains("\n[");
            same && is_head(key.start) == is_head(span.start) && near()
        });
        first.max_by_key(|key| key.start)
    }

    /// Where secrets stand, however their keys are written.
    pub(super) fn secrets(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        secrets(self.table.get_ref(), &mut found);
        found
    }
}

fn secrets(table: &DeTable<'_>, found: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => secrets(inner, found),
            _ if censor::is_secret(key.get_ref()) => found.push(value.span()),
            _ => {}
        }
    }
}

/// A key in a message. What no key of ours has is cut off: in a text with errors it may be anything.
fn key_name(name: &str) -> String {
    const LONGEST: usize = 40;
    let part = |c: &char| c.is_alphanumeric() || "-_.".contains(*c);
    let shown: String = name.chars().take(LONGEST).take_while(part).collect();
    if shown.len() < name.len() { format!("{shown}...") } else { shown }
}

fn spans_of_keys(table: &DeTable<'_>, found: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        found.push(key.span());
        if let DeValue::Table(inner) = value.get_ref() {
            spans_of_keys(inner, found);
        }
    }
}

/// Strings with escapes are copies of the text, which is wiped; so wipe them too.
impl Drop for Tree<'_> {
    fn drop(&mut self) {
        let table = std::mem::take(self.table.get_mut());
        for (_, value) in table {
            wipe(value.into_inner());
        }
    }
}

fn wipe(value: DeValue<'_>) {
    match value {
        DeValue::String(std::borrow::Cow::Owned(mut text)) => text.zeroize(),
        DeValue::Array(list) => list.into_iter().for_each(|item| wipe(item.into_inner())),
        DeValue::Table(table) => table.into_iter().for_each(|(_, value)| wipe(value.into_inner())),
        _ => {}
    }
}

/// Reads the tree of file number `source`, the main one if that is 0.
pub(super) fn read(tree: &Tree<'_>, source: usize, findings: &mut Findings<'_>) -> Document {
    let mut document = Document { broken: tree.syntax.is_broken(), ..Document::default() };
    let mut walk = Walk { source, findings };
    walk.syntax(tree);
    for (key, value) in sorted(tree.table.get_ref()) {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (DEFAULTS, DeValue::Table(table)) => document.defaults = walk.layer(table, Some(Place::HostOrDefaults)),
            (VIRTUAL_HOST, DeValue::Table(table)) => document.hosts = walk.hosts(table),
            (CHECK, DeValue::Table(table)) => document.checks = walk.checks(table),
            (ISOLATION, DeValue::Table(table)) => document.isolation = Some(walk.isolation(key, table)),
            (DEFAULTS | VIRTUAL_HOST | CHECK | ISOLATION, _) => walk.no_table(key, value),
            _ => walk.top(key, value, &mut document.top),
        }
    }
    document
}

/// The entries of a table in the order of the file.
fn sorted<'a, 't>(table: &'a DeTable<'t>) -> Vec<Pair<'a, 't>> {
    let mut entries: Vec<Pair<'_, '_>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

type Name<'t> = Spanned<std::borrow::Cow<'t, str>>;
type Pair<'a, 't> = (&'a Name<'t>, &'a Spanned<DeValue<'t>>);

struct Walk<'f, 's> {
    source: usize,
    findings: &'f mut Findings<'s>,
}

impl Walk<'_, '_> {
    fn site(&self, span: Range<usize>) -> Site {
        Site::new(self.source, span)
    }

    /// Tells the errors of TOML's grammar.
    fn syntax(&mut self, tree: &Tree<'_>) {
        for error in &tree.syntax.errors {
            let site = self.site(error.span.clone());
            // Finding the first takes time, which a million duplicates would add up.
            let first = (error.duplicate && !self.findings.is_full()).then(|| tree.first_of(&error.span)).flatten();
            match first {
                Some(first) => {
                    let first = self.site(first);
                    let message = format!("`{}` is given twice", key_name(&tree.text[error.span.clone()]));
                    self.findings.error(&site, message).also(&first, "first here").tell();
                }
                None => self.findings.error(&site, error.message.as_str()).tell(),
            }
        }
    }

    /// A key that has the name of a table.
    fn no_table(&mut self, key: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let name = key.get_ref();
        let wanted = match name.as_ref() {
            VIRTUAL_HOST => "[virtual-host.NAME]",
            CHECK => "[check.NAME]",
            ISOLATION => "[isolation]",
            _ => "[defaults]",
        };
        let site = self.site(key.span());
        let help = matches!(value.get_ref(), DeValue::Array(_)).then(|| "with one pair of brackets".to_owned());
        self.findings.error(&site, format!("`{name}` must be a table: write {wanted}")).help_if(help).tell();
    }

    /// A key before the first table, or an unknown table.
    fn top(&mut self, key: &Name<'_>, value: &Spanned<DeValue<'_>>, top: &mut Layer) {
        let site = self.site(key.span());
        let name = key_name(key.get_ref());
        match table::find(key.get_ref()) {
            Some(spec) if spec.place == Place::Top && self.source > 0 => {
                self.findings.error(&site, format!("`{name}` belongs into the main file")).tell();
            }
            Some(spec) if spec.place == Place::Top => self.entry(spec, key, value, top),
            Some(spec) => self.belongs_elsewhere(spec, &site),
            None => {
                let is_table = matches!(value.get_ref(), DeValue::Table(_));
                let tables = [DEFAULTS, VIRTUAL_HOST, CHECK, ISOLATION];
                let keys = KEYS.iter().filter(|spec| spec.place == Place::Top).map(|spec| spec.name);
                let found =
                    if is_table { nearest(&name, tables) } else { nearest(&name, tables.into_iter().chain(keys)) };
                let what = if is_table { "table" } else { "key" };
                let draft = self.findings.error(&site, format!("unknown {what} `{name}`"));
                match found {
                    Some(known) => draft.help(format!("did you mean `{known}`?")).tell(),
                    None => draft
                        .help("known are `grace`, `control`, [defaults], [virtual-host.NAME], [check.NAME] and [isolation]")
                        .tell(),
                }
            }
        }
    }

    fn belongs_elsewhere(&mut self, spec: &KeySpec, site: &Site) {
        let place = match spec.place {
            Place::Top => "before the first table of the main file",
            Place::Host => "into [virtual-host.NAME]: each virtual host has its own",
            Place::HostOrDefaults => "into [virtual-host.NAME] or [defaults]",
            Place::Check => "into [check.NAME]",
        };
        self.findings.error(site, format!("`{}` belongs {place}", spec.name)).tell();
    }

    fn hosts(&mut self, table: &DeTable<'_>) -> Vec<NamedLayer> {
        let mut hosts = Vec::new();
        for (key, value) in sorted(table) {
            let site = self.site(key.span());
            let name = key.get_ref();
            let DeValue::Table(keys) = value.get_ref() else {
                let draft = self.findings.error(&site, format!("`{}` is no virtual host", key_name(name)));
                draft.help("write [virtual-host.NAME] above the keys of each virtual host").tell();
                continue;
            };
            if !text::is_host_name(name) {
                let message = "the name of a virtual host must be 1 to 64 letters, digits, `.`, `_` and `-`";
                self.findings.error(&site, message).tell();
            }
            hosts.push(NamedLayer { name: name.to_string(), site, keys: self.layer(keys, None) });
        }
        hosts
    }

    /// The keys of a virtual host, or of `[defaults]` if only keys of one place are allowed.
    fn layer(&mut self, table: &DeTable<'_>, only: Option<Place>) -> Layer {
        let mut layer = Layer::new();
        for (key, value) in sorted(table) {
            match table::find(key.get_ref()) {
                Some(spec) if spec.place == Place::Top || only.is_some_and(|place| place != spec.place) => {
                    let site = self.site(key.span());
                    self.belongs_elsewhere(spec, &site);
                }
                Some(spec) => self.entry(spec, key, value, &mut layer),
                None => self.unknown(key),
            }
        }
        layer
    }

    /// A key that none of ours is, but perhaps a misspelling of one, or the name of an option.
    fn unknown(&mut self, key: &Name<'_>) {
        let name = key.get_ref();
        let classic = |name: &str| KEYS.iter().find(|spec| spec.classic.contains(&name));
        let found = match classic(name).or_else(|| classic(&name.replace('-', ""))) {
            Some(spec) => Some(spec.name),
            None => nearest(name, KEYS.iter().map(|spec| spec.name)),
        };
        let site = self.site(key.span());
        let draft = self.findings.error(&site, format!("unknown key `{}`", key_name(name)));
        match found {
            Some(known) => draft.help(format!("did you mean `{known}`?")).tell(),
            None => draft.help("ucarp.toml(5) has all keys").tell(),
        }
    }

    fn entry(&mut self, spec: &KeySpec, key: &Name<'_>, value: &Spanned<DeValue<'_>>, layer: &mut Layer) {
        let mut faults = Vec::new();
        let read = value::read(spec, value, &mut faults);
        for fault in faults {
            let site = self.site(fault.span);
            self.findings.error(&site, fault.message).help_if(fault.help).tell();
        }
        let entry = Entry { key: self.site(key.span()), site: self.site(value.span()), value: read };
        layer.insert(spec.id, entry);
    }
}
