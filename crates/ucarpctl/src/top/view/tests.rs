use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Buffer;
use ratatui_core::terminal::Terminal;

use super::*;
use crate::fake;

fn news(at: Instant) -> News {
    News {
        at: Some(at),
        daemon: Some(fake::daemon()),
        hosts: vec![fake::master(), fake::backup(), fake::held()],
        events: fake::events(),
        trouble: None,
    }
}

fn picture(news: &News, selected: usize, now: Instant, size: (u16, u16), colour: bool) -> Buffer {
    let look = Look { colour, width: None, zone: TimeZone::UTC };
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, news, selected, now, &look)).unwrap();
    terminal.backend().buffer().clone()
}

/// The lines of a picture without the spaces at their ends.
fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let line = |cells: &[ratatui_core::buffer::Cell]| {
        cells.iter().map(ratatui_core::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    buffer.content().chunks(width).map(line).collect()
}

#[test]
fn all_of_it_in_a_wide_terminal() {
    let now = Instant::now();
    let lines = lines(&picture(&news(now), 0, now, (120, 16), false));
    assert_eq!(lines[0], "alpha: ucarp 0.1.0, up 1m 40s");
    assert!(lines[2].starts_with("  VIRTUAL HOST"), "{lines:#?}");
    let words: Vec<Vec<&str>> = lines[3..6].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..8], [">", "web", "eth0/1", "MASTER", "1m", "30s", "█████░░░░░", "0.420s"]);
    assert_eq!(words[1][..7], ["mail", "eth0/2", "BACKUP", "1h", "06m", "████████░░", "2.390s"]);
    assert_eq!(words[2][..5], ["db", "eth1/3", "FAULT", "7s", "10.1.0.100/24"]);
    assert!(lines[3].contains("this host") && lines[3].contains("10.0.0.3 said goodbye"), "{lines:#?}");
    assert_eq!(lines[7], "web: peers");
    assert!(lines[8].starts_with("  10.0.0.3"), "{lines:#?}");
    assert_eq!(lines[10], "last events");
    assert_eq!(lines[13], "  2023-11-14 22:13:23.000  MASTER: no master was heard for 3.000s");
    assert_eq!(lines[15], "q quits   arrows choose a virtual host");
}

#[test]
fn timers_run_down_between_two_answers() {
    let at = Instant::now();
    let lines = lines(&picture(&news(at), 1, at + Duration::from_millis(1390), (120, 16), false));
    assert!(lines[4].contains("███░░░░░░░ 1.000s"), "{lines:#?}");
    assert!(lines[3].contains("░░░░░░░░░░ 0.000s"), "{lines:#?}");
    assert!(lines[4].starts_with("> mail") && lines[7] == "mail: peers", "{lines:#?}");
    assert!(lines[8].contains("MASTER  rank 1/0"), "{lines:#?}");
}

#[test]
fn a_small_terminal_shows_what_matters() {
    let now = Instant::now();
    let lines = lines(&picture(&news(now), 2, now, (50, 10), false));
    assert!(lines.iter().any(|line| line.starts_with("> db") && line.contains("FAULT")), "{lines:#?}");
    assert!(!lines.join("").contains("REASON"));
    // Nothing panics when there is no room at all.
    picture(&news(now), 0, now, (1, 1), true);
}

#[test]
fn the_chosen_one_is_scrolled_to() {
    let now = Instant::now();
    let mut news = news(now);
    news.hosts = (1..=100).map(|vhid| VirtualHost { vhid, name: format!("v{vhid}"), ..fake::backup() }).collect();
    let lines = lines(&picture(&news, 99, now, (80, 20), false));
    assert!(lines.iter().any(|line| line.starts_with("> v100 eth0/100")), "{lines:#?}");
}

#[test]
fn a_daemon_that_is_away_is_told_of_with_the_age_of_what_is_shown() {
    let at = Instant::now();
    let news = News { trouble: Some("the daemon has closed the connection".into()), ..news(at) };
    let buffer = picture(&news, 0, at + Duration::from_secs(65), (120, 16), true);
    assert!(lines(&buffer)[0].ends_with("the daemon has closed the connection. This is 1m 05s old."));
    let cell = buffer.cell((32, 0)).unwrap();
    assert_eq!(cell.fg, Color::Red);
}

#[test]
fn states_have_their_colours() {
    let now = Instant::now();
    let buffer = picture(&news(now), 0, now, (120, 16), true);
    let colour_of = |row: u16, word: &str| {
        let line = &lines(&buffer)[usize::from(row)];
        let byte = line.find(word).unwrap();
        let column = u16::try_from(line[..byte].chars().count()).unwrap();
        buffer.cell((column, row)).unwrap().fg
    };
    let colours = [colour_of(3, "MASTER"), colour_of(4, "BACKUP"), colour_of(5, "FAULT")];
    assert_eq!(colours, [Color::Green, Color::Cyan, Color::Red]);
}
