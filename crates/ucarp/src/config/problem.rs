//! What is wrong with a configuration: every problem with its place, the line with a caret, and what is allowed.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::censor;

/// More problems are counted, not kept: nobody reads them, and a file of a million mistakes must not fill the memory.
const MOST: usize = 200;

/// A file of the configuration as messages show it.
pub(super) struct Source<'t> {
    path: PathBuf,
    text: &'t str,
    hidden: Vec<Range<usize>>,
}

impl<'t> Source<'t> {
    /// `secrets` are ranges that must not be shown, beside those that the text gives away.
    pub(super) fn new(path: &Path, text: &'t str, mut secrets: Vec<Range<usize>>) -> Self {
        secrets.extend(censor::secrets(text));
        secrets.sort_by_key(|range| range.start);
        Self { path: path.to_owned(), text, hidden: secrets }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Where something stands: an index into the sources and the octets there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    /// Which of the sources.
    pub(super) source: usize,
    /// First octet.
    pub(super) start: usize,
    /// Behind the last octet.
    pub(super) end: usize,
}

impl Site {
    pub(super) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

/// Whether a configuration with a problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but it probably does not do what was meant.
    Warning,
}

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    message: String,
    /// The first is where the problem is, the others are what it has to do with.
    excerpts: Vec<Excerpt>,
    help: Option<String>,
}

/// A line of a file, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    path: String,
    /// From 1; 0 if the problem is the file itself.
    line: usize,
    /// In characters, from 1.
    column: usize,
    text: String,
    span: Range<usize>,
    label: &'static str,
}

impl Problem {
    /// Whether the configuration can be used in spite of it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong and what is allowed, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The number of the line, from 1, if the problem has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.excerpts.first().map(|excerpt| excerpt.line).filter(|line| *line > 0)
    }

    /// The number of the character in its line, from 1, if the problem has one.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.line().map(|_| self.excerpts[0].column)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = if self.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let mut group = level.primary_title(one_line(&self.message)).elements(self.excerpts.iter().enumerate().map(
            |(index, excerpt)| {
                let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                excerpt.element(kind)
            },
        ));
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(one_line(help)));
        }
        renderer.render(&[group])
    }
}

/// One line for a log: `FILE:LINE:COLUMN: what is wrong (what to do)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(excerpt) = self.excerpts.first() {
            write!(f, "{excerpt}: ")?;
        }
        f.write_str(&one_line(&self.message))?;
        let others = self.excerpts.iter().skip(1).map(|other| format!("{}: {other}", other.label));
        let remarks: Vec<String> = others.chain(self.help.as_deref().map(one_line)).collect();
        if remarks.is_empty() { Ok(()) } else { write!(f, " ({})", remarks.join("; ")) }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 { write!(f, ":{}:{}", self.line, self.column) } else { Ok(()) }
    }
}

impl Excerpt {
    fn of_file(path: &Path) -> Self {
        let path = one_line(&path.to_string_lossy());
        Self { path, line: 0, column: 0, text: String::new(), span: 0..0, label: "" }
    }

    fn new(source: &Source<'_>, site: &Site, label: &'static str) -> Self {
        let (text, start) = (source.text, source.text.floor_char_boundary(site.start));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let end = text.ceil_char_boundary(site.end).clamp(start, line_end);
        let (shown, span) = source.censored(line_start..line_end, start..end);
        Self {
            line: 1 + text[..line_start].matches('\n').count(),
            column: 1 + text[line_start..start].chars().count(),
            text: shown,
            span,
            label,
            ..Self::of_file(&source.path)
        }
    }

    fn element(&self, kind: AnnotationKind) -> Element<'_> {
        if self.line == 0 {
            return Origin::path(&self.path).into();
        }
        let label = Some(self.label).filter(|label| !label.is_empty());
        let annotation = kind.span(self.span.clone()).label(label);
        Snippet::source(&self.text).path(&self.path).line_start(self.line).annotation(annotation).into()
    }
}

/// A piece of a line: where it is in the file and in the text shown.
struct Piece {
    at: Range<usize>,
    shown: Range<usize>,
    secret: bool,
}

impl Piece {
    fn start_of(&self, at: usize) -> usize {
        if self.secret { self.shown.start } else { (self.shown.start + (at - self.at.start)).min(self.shown.end) }
    }

    fn end_of(&self, at: usize) -> usize {
        if self.secret { self.shown.end } else { self.start_of(at) }
    }
}

impl Source<'_> {
    /// The text of a line with `***` for its secrets, and where `marked` is in that. A mark inside of a secret becomes
    /// one of all of it.
    fn censored(&self, line: Range<usize>, marked: Range<usize>) -> (String, Range<usize>) {
        let mut text = String::new();
        let mut pieces = Vec::new();
        let mut add = |at: Range<usize>, shown: &str, secret| {
            let start = text.len();
            text.push_str(shown);
            pieces.push(Piece { at, shown: start..text.len(), secret });
        };
        let mut from = line.start;
        for hidden in &self.hidden {
            let start = self.text.floor_char_boundary(hidden.start).max(from);
            let end = self.text.ceil_char_boundary(hidden.end).min(line.end);
            if start < end {
                add(from..start, &self.text[from..start], false);
                add(start..end, "***", true);
                from = end;
            }
        }
        add(from..line.end, self.text[from..line.end].trim_end_matches('\r'), false);
        let first =
            pieces.iter().rfind(|piece| piece.at.start <= marked.start).expect("the first begins with the line");
        let last = pieces.iter().find(|piece| piece.at.end >= marked.end).expect("the last ends with the line");
        let start = first.start_of(marked.start);
        (text, start..last.end_of(marked.end).max(start))
    }
}

/// The text without line breaks and other control characters, which a file name or a value may hold.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// All that is wrong with a configuration, in the order of its files and lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many are not in the list: there are too many.
    left_out: usize,
}

impl Problems {
    /// The problems; the first 200 if there are more.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.left_out
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text for a person: each problem with its line and a caret, in colours if `styled`.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in &self.list {
            text.push_str(&problem.render(&renderer));
            text.push_str("\n\n");
        }
        if self.left_out > 0 {
            text.push_str(&format!("... and {} more problems\n\n", self.left_out));
        }
        text
    }
}

/// The problems without colours.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// Collects problems of the files `sources`.
pub(super) struct Findings<'s> {
    sources: &'s [Source<'s>],
    list: Vec<(Option<Site>, Problem)>,
    errors: usize,
    left_out: usize,
}

/// A problem on its way into the [`Findings`].
#[must_use = "finish it with `tell`"]
pub(super) struct Draft<'f, 's> {
    findings: &'f mut Findings<'s>,
    site: Option<Site>,
    problem: Problem,
}

impl<'s> Findings<'s> {
    pub(super) fn new(sources: &'s [Source<'s>]) -> Self {
        Self { sources, list: Vec::new(), errors: 0, left_out: 0 }
    }

    pub(super) fn error(&mut self, site: &Site, message: impl Into<String>) -> Draft<'_, 's> {
        self.draft(Severity::Error, site, message.into())
    }

    pub(super) fn warning(&mut self, site: &Site, message: impl Into<String>) -> Draft<'_, 's> {
        self.draft(Severity::Warning, site, message.into())
    }

    /// A problem that has a file and no line.
    pub(super) fn file_problem(&mut self, severity: Severity, path: &Path, message: impl Into<String>) {
        let excerpts = vec![Excerpt::of_file(path)];
        let problem = Problem { severity, message: message.into(), excerpts, help: None };
        self.push(None, problem);
    }

    fn draft(&mut self, severity: Severity, site: &Site, message: String) -> Draft<'_, 's> {
        // Finding a line takes time, which a million mistakes would add up.
        let excerpts = if self.is_full() { Vec::new() } else { vec![self.excerpt(site, "")] };
        let problem = Problem { severity, message, excerpts, help: None };
        Draft { findings: self, site: Some(site.clone()), problem }
    }

    fn excerpt(&self, site: &Site, label: &'static str) -> Excerpt {
        Excerpt::new(&self.sources[site.source], site, label)
    }

    fn push(&mut self, site: Option<Site>, problem: Problem) {
        self.errors += usize::from(problem.severity == Severity::Error);
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.list.push((site, problem));
        }
    }

    /// The file of a site.
    pub(super) fn path(&self, site: &Site) -> &'s Path {
        self.sources[site.source].path()
    }

    /// Whether further problems are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(super) fn finish(mut self) -> Problems {
        self.list.sort_by(|(a, _), (b, _)| a.cmp(b));
        Problems { list: self.list.into_iter().map(|(_, problem)| problem).collect(), left_out: self.left_out }
    }
}

impl Draft<'_, '_> {
    /// Another place that the problem has to do with.
    pub(super) fn also(mut self, site: &Site, label: &'static str) -> Self {
        if !self.problem.excerpts.is_empty() {
            self.problem.excerpts.push(self.findings.excerpt(site, label));
        }
        self
    }

    /// What to do.
    pub(super) fn help(self, text: impl Into<String>) -> Self {
        self.help_if(Some(text.into()))
    }

    /// What to do, if that is known.
    pub(super) fn help_if(mut self, text: Option<String>) -> Self {
        self.problem.help = text;
        self
    }

    /// Adds the problem to the findings.
    pub(super) fn tell(self) {
        self.findings.push(self.site, self.problem);
    }
}

#[cfg(test)]
mod tests;
