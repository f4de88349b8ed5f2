//! Tables of text that fit the terminal.

use std::io::{self, Write};

use crate::look::{Look, Tone, clean};

/// Between two columns.
const GAP: usize = 2;

/// What the last column keeps when there is no room: others go first.
const LEAST_REST: usize = 16;

/// What happens to a column where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It stays.
    Always,
    /// It goes, those with a higher number first.
    Until(u8),
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    /// A value without colour.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Cell { text: clean(text.as_ref()).into_owned(), tone: None }
    }

    /// A value with a meaning.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Cell { tone: Some(tone), ..Cell::new(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Padded or cut to `width`.
    fn write(&self, out: &mut dyn Write, look: &Look, width: usize, is_last: bool) -> io::Result<()> {
        let text = cut(&self.text, width);
        let padding = if is_last { 0 } else { (width + GAP).saturating_sub(text.chars().count()) };
        let text = match self.tone {
            Some(tone) => look.paint(tone, &text),
            None => text,
        };
        write!(out, "{text}{:padding$}", "")
    }
}

/// The beginning of a text, with an ellipsis where more would follow.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// A table with a heading.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Keep)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows. The last column is cut where there is no room.
    pub(crate) fn new(columns: &[(&'static str, Keep)]) -> Self {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// Writes it, as wide as it is or as the terminal.
    pub(crate) fn write(&self, out: &mut dyn Write, look: &Look) -> io::Result<()> {
        let widths = self.widths(look.width);
        let headings: Vec<Cell> = self.columns.iter().map(|(name, _)| Cell::toned(name, Tone::Strong)).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut shown = row.iter().zip(&widths).filter_map(|(cell, width)| Some((cell, (*width)?))).peekable();
            while let Some((cell, width)) = shown.next() {
                cell.write(out, look, width, shown.peek().is_none())?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// The width of each column; `None`: it is left out.
    fn widths(&self, room: Option<usize>) -> Vec<Option<usize>> {
        let natural = |(at, (heading, _)): (usize, &(&str, Keep))| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(Cell::width);
            cells.chain([heading.chars().count()]).max()
        };
        let mut widths: Vec<Option<usize>> = self.columns.iter().enumerate().map(natural).collect();
        let (Some(room), Some(last)) = (room, widths.len().checked_sub(1)) else { return widths };
        let rest = widths[last].unwrap_or(0);
        // What the last column needs at least counts, not what it would like to have.
        widths[last] = Some(rest.min(LEAST_REST));
        while total(&widths) > room {
            let droppable = self.columns.iter().enumerate().filter(|(at, _)| widths[*at].is_some());
            let ranked = droppable.filter_map(|(at, (_, keep))| match keep {
                Keep::Until(rank) => Some((*rank, at)),
                Keep::Always => None,
            });
            let Some((_, at)) = ranked.max() else { break };
            widths[at] = None;
        }
        if let Some(width) = widths[last] {
            let others = total(&widths) - width;
            widths[last] = Some(rest.min(room.saturating_sub(others)));
        }
        widths
    }
}

/// The width of a line.
fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + shown.count().saturating_sub(1) * GAP
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn written(width: Option<usize>, colour: bool) -> String {
        let mut table = Table::new(&[("NAME", Keep::Always), ("WHERE", Keep::Until(1)), ("WHY", Keep::Always)]);
        table.push(vec![Cell::toned("web", Tone::Good), Cell::new("eth0"), Cell::new("nobody else was there at all")]);
        table.push(vec![Cell::new("mail\n"), Cell::new("enp3s0"), Cell::new("so")]);
        let mut out = Vec::new();
        table.write(&mut out, &Look { colour, width, zone: TimeZone::UTC }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_as_wide_as_its_texts() {
        let expected = "NAME   WHERE   WHY\n\
                        web    eth0    nobody else was there at all\n\
                        mail\u{fffd}  enp3s0  so\n";
        assert_eq!(written(None, false), expected);
        assert_eq!(written(Some(80), false), expected);
    }

    #[test]
    fn the_last_column_is_cut_before_another_one_goes() {
        assert_eq!(
            written(Some(33), false),
            "NAME   WHERE   WHY\nweb    eth0    nobody else was t…\nmail\u{fffd}  enp3s0  so\n"
        );
        assert_eq!(written(Some(30), false), "NAME   WHY\nweb    nobody else was there …\nmail\u{fffd}  so\n");
        // Nothing more can go.
        assert_eq!(written(Some(9), false), "NAME   W…\nweb    n…\nmail\u{fffd}  so\n");
        assert_eq!(written(Some(1), false).lines().count(), 3);
    }

    #[test]
    fn colours_do_not_count() {
        let text = written(None, true);
        assert!(text.contains("\x1b[32mweb\x1b[0m    eth0    nobody"), "{text:?}");
        assert!(text.starts_with("\x1b[1mNAME\x1b[0m   \x1b[1mWHERE\x1b[0m   \x1b[1mWHY\x1b[0m\n"), "{text:?}");
    }
}
