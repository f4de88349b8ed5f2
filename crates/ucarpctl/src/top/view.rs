//! The picture: a line about the daemon, the virtual hosts, the peers of the chosen one, what happened last.

use std::time::Instant;

use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget as _;
use ratatui_widgets::paragraph::Paragraph;
use ratatui_widgets::table::{Row, Table};
use ucarp_control::types::{Event, State, VirtualHost};

use super::news::News;
use crate::concerns;
use crate::look::{Look, Tone, clean, lasting, seconds};
use crate::status::master;

/// Cells of a timer's bar.
const BAR: u64 = 10;

/// The longest name that is shown whole.
const MOST_NAME: usize = 32;

/// Below so many columns the reason goes.
const WIDE: u16 = 90;

/// Below so many columns addresses and master go, too.
const MEDIUM: u16 = 64;

/// Draws the news, as they were when they came but for the timers.
pub(super) fn draw(frame: &mut Frame<'_>, news: &News, selected: usize, now: Instant, look: &Look) {
    let style = Palette { colour: look.colour };
    // The heading, and at most so many that there is room for the rest.
    let hosts = u16::try_from(news.hosts.len()).unwrap_or(u16::MAX).saturating_add(1).min(frame.area().height / 2);
    let chosen = news.hosts.get(selected);
    let details = chosen.map(|host| detail_lines(host, style)).unwrap_or_default();
    let height = u16::try_from(details.len()).unwrap_or(u16::MAX);
    let parts = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(hosts),
        Constraint::Length(1),
        Constraint::Max(height),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ];
    let [title, _, table, _, detail, _, events, keys] = Layout::vertical(parts).areas(frame.area());
    let buffer = frame.buffer_mut();
    Paragraph::new(title_line(news, now, style)).render(title, buffer);
    host_table(news, selected, now, table, style).render(table, buffer);
    Paragraph::new(details).render(detail, buffer);
    let lines = event_lines(&news.events, chosen, usize::from(events.height), look, style);
    Paragraph::new(lines).render(events, buffer);
    Paragraph::new(Span::styled("q quits   arrows choose a virtual host", style.of(Tone::Faint))).render(keys, buffer);
}

/// Styles, or none.
#[derive(Clone, Copy)]
struct Palette {
    colour: bool,
}

impl Palette {
    fn of(self, tone: Tone) -> Style {
        match tone {
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Faint => Style::new().add_modifier(Modifier::DIM),
            _ if !self.colour => Style::new(),
            Tone::Good => Style::new().fg(Color::Green),
            Tone::Calm => Style::new().fg(Color::Cyan),
            Tone::Careful => Style::new().fg(Color::Yellow),
            Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}

fn title_line(news: &News, now: Instant, style: Palette) -> Line<'static> {
    let daemon = news.daemon.as_ref().map(|daemon| {
        let uptime = lasting(daemon.now.saturating_sub(daemon.started_at));
        format!("{}: ucarp {}, up {uptime}", clean(&daemon.host_name), clean(&daemon.version))
    });
    let mut spans = vec![Span::styled(daemon.unwrap_or_else(|| "ucarp".to_owned()), style.of(Tone::Strong))];
    if let Some(trouble) = &news.trouble {
        let age = news.at.map(|at| format!(" This is {} old.", lasting(milliseconds_since(at, now))));
        let text = format!("  {}.{}", clean(trouble), age.unwrap_or_default());
        spans.push(Span::styled(text, style.of(Tone::Bad)));
    } else if news.at.is_none() {
        spans.push(Span::raw("  asking the daemon"));
    }
    Line::from(spans)
}

fn milliseconds_since(at: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX)
}

fn host_table(news: &News, selected: usize, now: Instant, area: Rect, style: Palette) -> Table<'static> {
    let is_medium = area.width >= MEDIUM;
    let is_wide = area.width >= WIDE;
    let age = news.at.map_or(0, |at| milliseconds_since(at, now));
    // Scrolled so far that the chosen one is seen.
    let rows = usize::from(area.height.saturating_sub(1)).max(1);
    let first = selected.saturating_sub(rows - 1);
    let mut heading = vec!["  VIRTUAL HOST", "STATE", "FOR", "TIMER"];
    let longest = news.hosts.iter().map(|host| title(host).chars().count()).max().unwrap_or(0).clamp(12, MOST_NAME);
    let name = Constraint::Length(u16::try_from(longest + 2).unwrap_or(u16::MAX));
    let mut widths = vec![name, Constraint::Length(6), Constraint::Length(7), Constraint::Length(18)];
    if is_medium {
        heading.extend(["ADDRESSES", "MASTER"]);
        widths.extend([Constraint::Fill(3), Constraint::Fill(2)]);
    }
    if is_wide {
        heading.push("REASON");
        widths.push(Constraint::Fill(4));
    }
    let shown = news.hosts.iter().enumerate().skip(first).take(rows).map(|(at, host)| {
        let mark = if at == selected { "> " } else { "  " };
        let mut cells = vec![
            Span::raw(format!("{mark}{}", title(host))),
            Span::styled(host.state.to_string(), style.of(Tone::of(host.state))),
            Span::raw(lasting(host.since.saturating_add(age))),
            Span::raw(timer(host, age)),
        ];
        if is_medium {
            let addresses: Vec<&str> = host.addresses.iter().map(|address| address.address.as_str()).collect();
            cells.push(Span::raw(clean(&addresses.join(" ")).into_owned()));
            cells.push(Span::raw(clean(master(host)).into_owned()));
        }
        if is_wide {
            cells.push(Span::raw(clean(&host.reason).into_owned()));
        }
        let row = Row::new(cells);
        if at == selected { row.style(style.of(Tone::Strong)) } else { row }
    });
    Table::new(shown, widths).header(Row::new(heading).style(style.of(Tone::Strong)))
}

/// Which virtual host it is.
fn title(host: &VirtualHost) -> String {
    format!("{} {}/{}", clean(&host.name), clean(&host.interface), host.vhid)
}

/// What is due, running down: the next advertisement of a MASTER, the takeover of a BACKUP.
fn timer(host: &VirtualHost, age: u64) -> String {
    let timers = &host.timers;
    let (left, whole) = match host.state {
        State::Master => (timers.next_advertisement, timers.advertisement_interval),
        _ => (timers.takeover, timers.dead_time),
    };
    let Some(left) = left.map(|left| left.saturating_sub(age)) else { return String::new() };
    let full = left.saturating_mul(BAR).div_ceil(whole.max(1)).min(BAR);
    let bar: String = (0..BAR).map(|at| if at < full { '█' } else { '░' }).collect();
    format!("{bar} {}", seconds(left))
}

/// Peers, checks and concerns of one virtual host.
fn detail_lines(host: &VirtualHost, style: Palette) -> Vec<Line<'static>> {
    let name = clean(&host.name).into_owned();
    let mut lines = vec![Line::styled(format!("{name}: peers"), style.of(Tone::Strong))];
    if host.peers.is_empty() {
        lines.push(Line::raw("  nobody was heard"));
    }
    for peer in &host.peers {
        let role = if peer.is_master { Span::styled("MASTER", style.of(Tone::Good)) } else { Span::raw("      ") };
        let (address, heard) = (clean(&peer.address).into_owned(), lasting(peer.heard_ago));
        let rank = format!("{}/{}", peer.advbase, peer.advskew);
        let text = format!("  {address:<28} ");
        let rest = format!("  rank {rank:<8} heard {heard} ago, advertisements: {}", peer.advertisements);
        lines.push(Line::from(vec![Span::raw(text), role, Span::raw(rest)]));
    }
    for concern in concerns::of(host) {
        lines.push(Line::styled(format!("  {}", clean(&concern.text)), style.of(Tone::Careful)));
    }
    lines
}

/// The last events of the chosen virtual host and of the daemon, with a heading, in so many lines.
fn event_lines(
    events: &[Event],
    chosen: Option<&VirtualHost>,
    room: usize,
    look: &Look,
    style: Palette,
) -> Vec<Line<'static>> {
    let is_shown = |event: &&Event| match (&event.virtual_host, chosen) {
        (Some(name), Some(host)) => *name == host.name && event.vhid == Some(host.vhid),
        _ => true,
    };
    let mut last: Vec<&Event> = events.iter().rev().filter(is_shown).take(room.saturating_sub(1)).collect();
    last.reverse();
    let mut lines = vec![Line::styled("last events", style.of(Tone::Strong))];
    for event in last {
        let mut spans = vec![Span::styled(format!("  {}  ", look.time(event.at)), style.of(Tone::Faint))];
        if let Some(to) = event.to {
            spans.push(Span::styled(format!("{to}: "), style.of(Tone::of(to))));
        }
        spans.push(Span::raw(clean(&event.message).into_owned()));
        lines.push(Line::from(spans));
    }
    lines
}

#[cfg(test)]
mod tests;
