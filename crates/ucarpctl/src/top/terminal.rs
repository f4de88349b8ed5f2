//! The terminal: raw, its other screen, keys, and a backend of ratatui. Little enough not to need a library that brings an
//! event loop of its own.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Stdin, Stdout, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::{Frame, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{self, OptionalActions, Termios};

/// The other screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// The cursor, plain characters, and the screen as it was.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// What is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    Other,
}

impl Key {
    /// What a terminal sends for it. Ctrl-C is a character while the terminal is raw.
    fn parse(bytes: &[u8]) -> Self {
        match bytes {
            b"q" | b"Q" | b"\x1b" | b"\x03" | b"\x04" => Key::Quit,
            b"k" | b"\x1b[A" | b"\x1bOA" => Key::Up,
            b"j" | b"\x1b[B" | b"\x1bOB" => Key::Down,
            _ => Key::Other,
        }
    }
}

/// The terminal while it is ours. It is given back when this is dropped, and when this process panics.
pub(super) struct Screen {
    stdin: Stdin,
    terminal: Terminal<Ansi>,
}

/// How the terminal was; for the panic hook, too.
static BEFORE: OnceLock<Termios> = OnceLock::new();

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Standard input or output is none.
    pub(super) fn open() -> io::Result<Self> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdin.is_terminal() || !stdout.is_terminal() {
            return Err(io::Error::other("standard input or output is none"));
        }
        let before = termios::tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        let terminal = Terminal::new(Ansi { stdout })?;
        if BEFORE.set(before).is_ok() {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                hook(info);
            }));
        }
        termios::tcsetattr(&stdin, OptionalActions::Flush, &raw)?;
        let mut screen = Screen { stdin, terminal };
        screen.terminal.backend_mut().write(ENTER)?;
        Ok(screen)
    }

    /// Shows a picture.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(picture)?;
        Ok(())
    }

    /// Waits for a key. A terminal that is gone counts as one that says quit.
    pub(super) fn key(&self, within: Duration) -> io::Result<Option<Key>> {
        let timeout = Timespec::try_from(within).map_err(io::Error::other)?;
        let mut waiting = [PollFd::new(&self.stdin, PollFlags::IN)];
        match rustix::event::poll(&mut waiting, Some(&timeout)) {
            // A signal, such as that of a new size.
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 16];
        match rustix::io::read(&self.stdin, &mut bytes) {
            Ok(0) => Ok(Some(Key::Quit)),
            Ok(length) => Ok(Some(Key::parse(&bytes[..length]))),
            Err(rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. If that fails it is gone.
fn restore() {
    let _ = io::stdout().write_all(LEAVE.as_bytes()).and_then(|()| io::stdout().flush());
    if let Some(before) = BEFORE.get() {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, before);
    }
}

/// Writes what ratatui draws, as ECMA-48 has it.
#[derive(Debug)]
struct Ansi {
    stdout: Stdout,
}

impl Ansi {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.flush()
    }
}

/// What is to be written so that the screen shows these cells.
fn encode<'a>(cells: impl Iterator<Item = (u16, u16, &'a Cell)>) -> String {
    let mut text = String::new();
    let mut style = String::new();
    let mut expected = None;
    for (x, y, cell) in cells {
        if expected != Some((x, y)) {
            let _ = write!(text, "\x1b[{};{}H", y + 1, x + 1);
        }
        let wanted = sgr(cell);
        if wanted != style {
            text.push_str(&wanted);
            style = wanted;
        }
        text.push_str(cell.symbol());
        expected = x.checked_add(1).map(|x| (x, y));
    }
    text.push_str("\x1b[0m");
    text
}

/// Selects the style of a cell, from whatever it was. The view has no colours but those of `Tone`.
fn sgr(cell: &Cell) -> String {
    let mut sgr = "\x1b[0".to_owned();
    for (modifier, code) in [(Modifier::BOLD, ";1"), (Modifier::DIM, ";2"), (Modifier::REVERSED, ";7")] {
        if cell.modifier.contains(modifier) {
            sgr.push_str(code);
        }
    }
    sgr.push_str(match cell.fg {
        Color::Red => ";31",
        Color::Green => ";32",
        Color::Yellow => ";33",
        Color::Cyan => ";36",
        _ => "",
    });
    sgr.push('m');
    sgr
}

impl Backend for Ansi {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.stdout.write_all(encode(content).as_bytes())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.write("\x1b[?25l")
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.write("\x1b[?25h")
    }

    /// Nobody moves it but this: it is where it was put.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.write(&format!("\x1b[{};{}H", y + 1, x + 1))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.write(match clear_type {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        })
    }

    fn size(&self) -> io::Result<Size> {
        let size = termios::tcgetwinsize(&self.stdout)?;
        // A serial line does not tell.
        let or = |value: u16, usual| if value == 0 { usual } else { value };
        Ok(Size::new(or(size.ws_col, 80), or(size.ws_row, 24)))
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::style::Style;

    use super::*;

    #[test]
    fn keys_are_known_by_what_terminals_send() {
        let keys = [&b"q"[..], b"\x03", b"\x1b[A", b"\x1bOB", b"j", b"x", b"\x1b[6~"].map(Key::parse);
        assert_eq!(keys, [Key::Quit, Key::Quit, Key::Up, Key::Down, Key::Down, Key::Other, Key::Other]);
    }

    #[test]
    fn cells_become_as_few_sequences_as_they_need() {
        let mut green = Cell::new("M");
        green.set_style(Style::new().fg(Color::Green).add_modifier(Modifier::BOLD));
        let plain = Cell::new("x");
        let cells = [(2, 0, &green), (3, 0, &green), (4, 0, &plain), (0, 1, &plain)];
        assert_eq!(encode(cells.into_iter()), "\x1b[1;3H\x1b[0;1;32mMM\x1b[0mx\x1b[2;1Hx\x1b[0m");
    }
}
