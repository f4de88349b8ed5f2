//! The program on a terminal.

use crate::fake::{self, Fake};
use crate::screen::Terminal;
use crate::{command, run, said};

#[test]
fn top_takes_the_terminal_and_gives_it_back() {
    let daemon = Fake::start(vec![fake::master(), fake::backup()]);
    let mut terminal = Terminal::new(100, 24);
    let mut top = terminal.run(command(&daemon, &["top"]));
    terminal.wait_for_line("web: peers");
    assert!(!terminal.is_cooked());
    terminal.press("\x1b[B");
    terminal.wait_for_line("mail: peers");
    terminal.press("q");
    assert_eq!(top.end(), Some(0));
    terminal.wait_for("\x1b[?1049l");
    assert!(terminal.is_cooked());
}

#[test]
fn top_gives_the_terminal_back_when_it_is_terminated() {
    let daemon = Fake::start(vec![fake::master()]);
    let terminal = Terminal::new(100, 24);
    let mut top = terminal.run(command(&daemon, &["top"]));
    terminal.wait_for_line("web: peers");
    rustix::process::kill_process(top.pid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(top.end(), Some(0));
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
    let mut status = terminal.run(command(&daemon, &["status"]));
    assert_eq!(status.end(), Some(1));
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
    let mut status =
        command(&daemon, &["status"]).stdout(terminal.end()).env("TERM", "xterm").env("NO_COLOR", "1").spawn().unwrap();
    status.wait().expect("it ends");
    terminal.wait_for("BACKUP");
    assert!(!terminal.text().contains('\x1b'), "{:?}", terminal.text());
}
