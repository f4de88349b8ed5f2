//! A terminal of our own for programs under test, and what it shows.

#![allow(dead_code, reason = "the tests share this, and use different parts of it")]
#![allow(clippy::unwrap_used, reason = "this is for tests alone")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// The largest size that [`Terminal::new`] and [`Terminal::resize`] may be given.
const COLUMNS: usize = 100;
const ROWS: usize = 24;

/// A terminal, and what was written to it.
pub(crate) struct Terminal {
    keys: File,
    slave: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
}

/// A program on it, until the test ends.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    /// Waits for its end, and returns its exit status.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Terminal {
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there are terminals");
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap().into();
        let keys = File::from(master);
        let mut output = keys.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = output.read(&mut bytes) {
                written.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        let terminal = Terminal { keys, slave, screen };
        terminal.resize(columns, rows);
        terminal
    }

    /// Makes it larger or smaller, and tells whom it controls.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        assert!(usize::from(columns) <= COLUMNS && usize::from(rows) <= ROWS);
        tcsetwinsize(&self.keys, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// Standard input, output or error of a program.
    pub(crate) fn end(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().unwrap())
    }

    pub(crate) fn run(&self, mut command: Command) -> Running {
        command.stdin(self.end()).stdout(self.end()).stderr(self.end()).env("TERM", "xterm").env_remove("NO_COLOR");
        Running(command.spawn().expect("the program can be run"))
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Everything that was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// The lines of the screen.
    pub(crate) fn lines(&self) -> Vec<String> {
        shown(&self.text())
    }

    /// Waits until this was written.
    pub(crate) fn wait_for(&self, text: &str) {
        wait_until(|| self.text().contains(text), || self.text());
    }

    /// Waits until the screen shows this in some line.
    pub(crate) fn wait_for_line(&self, text: &str) {
        self.wait_for_screen(|lines| lines.iter().any(|line| line.contains(text)));
    }

    /// Waits until the screen is as it is wanted.
    pub(crate) fn wait_for_screen(&self, wanted: impl Fn(&[String]) -> bool) {
        wait_until(|| wanted(&self.lines()), || self.lines().join("\n"));
    }

    /// Whether it is as a shell wants it: lines, echoed.
    pub(crate) fn is_cooked(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

fn wait_until(condition: impl Fn() -> bool, state: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {}", state());
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a screen shows, if only the cursor is placed, characters are written, and all is erased.
fn shown(written: &str) -> Vec<String> {
    let mut screen = vec![vec![' '; COLUMNS]; ROWS];
    let (mut row, mut column) = (0, 0);
    for part in written.split("\x1b[") {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (parameters, rest) = part.split_at(end);
        match (parameters.split_once(';'), rest.chars().next()) {
            (Some((y, x)), Some('H')) => {
                (row, column) = (y.parse::<usize>().unwrap() - 1, x.parse::<usize>().unwrap() - 1);
            }
            (None, Some('J')) if parameters == "2" => screen = vec![vec![' '; COLUMNS]; ROWS],
            _ => {}
        }
        for character in rest.chars().skip(1) {
            if let Some(cell) = screen.get_mut(row).and_then(|line: &mut Vec<char>| line.get_mut(column)) {
                *cell = character;
            }
            column += 1;
        }
    }
    screen.into_iter().map(|line| line.into_iter().collect()).collect()
}
