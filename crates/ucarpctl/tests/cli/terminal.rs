//! The program on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::fake::{self, Fake};
use crate::{command, run, said};

/// A terminal of our own, and what was written to it.
struct Terminal {
    keys: File,
    slave: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn new(columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there are terminals");
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
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
        Terminal { keys, slave, screen }
    }

    fn run(&self, daemon: &Fake, arguments: &[&str]) -> Child {
        let end = || Stdio::from(self.slave.try_clone().unwrap());
        let mut command = command(daemon, arguments);
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm").env_remove("NO_COLOR");
        command.spawn().expect("the program can be run")
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until this was written.
    fn wait_for(&self, text: &str) {
        wait_until(|| self.text().contains(text), || self.text());
    }

    /// Waits until the screen shows this in some line.
    fn wait_for_line(&self, text: &str) {
        let shows = || shown(&self.text()).iter().any(|line| line.contains(text));
        wait_until(shows, || shown(&self.text()).join("\n"));
    }

    /// Whether it is as a shell wants it: lines, echoed.
    fn is_cooked(&self) -> bool {
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

/// What a screen of 100 columns and 24 lines shows, if only the cursor is placed and characters are written.
fn shown(written: &str) -> Vec<String> {
    let mut screen = vec![vec![' '; 100]; 24];
    let (mut row, mut column) = (0, 0);
    for part in written.split("\x1b[") {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (parameters, rest) = part.split_at(end);
        if let (Some((y, x)), Some('H')) = (parameters.split_once(';'), rest.chars().next()) {
            (row, column) = (y.parse::<usize>().unwrap() - 1, x.parse::<usize>().unwrap() - 1);
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

#[test]
fn top_takes_the_terminal_and_gives_it_back() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let mut terminal = Terminal::new(100, 24);
    let mut top = terminal.run(&daemon, &["top"]);
    terminal.wait_for_line("web: peers");
    assert!(!terminal.is_cooked());
    terminal.press("\x1b[B");
    terminal.wait_for_line("mail: peers");
    terminal.press("q");
    assert_eq!(top.wait().expect("it ends").code(), Some(0));
    terminal.wait_for("\x1b[?1049l");
    assert!(terminal.is_cooked());
}

#[test]
fn top_gives_the_terminal_back_when_it_is_terminated() {
    let daemon = Fake::start(vec![fake::master()]);
    let terminal = Terminal::new(100, 24);
    let mut top = terminal.run(&daemon, &["top"]);
    terminal.wait_for_line("web: peers");
    let pid = rustix::process::Pid::from_child(&top);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(top.wait().expect("it ends").code(), Some(0));
    assert!(terminal.is_cooked());
}

#[test]
fn top_says_that_it_needs_a_terminal() {
    let daemon = Fake::start(vec![fake::master()]);
    let output = run(&daemon, &["top"]);
    let (_, errors, status) = said(&output);
    assert_eq!(status, Some(74));
    assert!(errors.contains("needs a terminal"), "{errors}");
}

#[test]
fn a_table_fits_the_terminal_and_has_colours() {
    let daemon = Fake::start(vec![fake::backup()]);
    let terminal = Terminal::new(40, 24);
    let mut status = terminal.run(&daemon, &["status"]);
    assert_eq!(status.wait().expect("it ends").code(), Some(1));
    terminal.wait_for("…");
    let text = terminal.text();
    assert!(text.contains("\x1b[36mBACKUP\x1b[0m"), "{text:?}");
    let plain = text.replace("\x1b[36m", "").replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert!(plain.lines().all(|line| line.chars().count() <= 40), "{plain}");
}

#[test]
fn no_color_is_honoured() {
    let daemon = Fake::start(vec![fake::backup()]);
    let terminal = Terminal::new(80, 24);
    let end = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut status =
        command(&daemon, &["status"]).stdout(end()).env("TERM", "xterm").env("NO_COLOR", "1").spawn().unwrap();
    status.wait().expect("it ends");
    terminal.wait_for("BACKUP");
    assert!(!terminal.text().contains('\x1b'), "{:?}", terminal.text());
}
