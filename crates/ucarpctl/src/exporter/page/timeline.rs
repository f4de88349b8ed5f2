//! The last day: a lane for each host, and the changes in words.

use std::cmp::Reverse;

use maud::{Markup, html};
use ucarp_control::types::{Event, State};

use super::lane::{self, Piece, Present};
use super::{Scene, class};
use crate::exporter::group::{Group, Member};
use crate::exporter::model::DAY;
use crate::exporter::words::{self, Utc};

/// The width of a lane: its unit is a minute.
const MINUTES: u64 = 24 * 60;

/// A pixel on a phone.
const NARROWEST: u64 = 4;

/// So many changes are told at once.
const MOST_SHOWN: usize = 5;

/// So many more can be opened.
const MOST_MORE: usize = 60;

/// The lanes of a group.
pub(super) fn day(scene: Scene<'_>, group: &Group<'_>) -> Markup {
    html! {
        div.day {
            h3 { "Last 24 hours" }
            @for member in &group.members {
                div.lane { span { (member.host.name) } (lane(scene, member)) }
            }
            div.hours aria-hidden="true" {
                ol { li { "24 h ago" } li { "18 h" } li { "12 h" } li { "6 h" } li { "now" } }
            }
        }
    }
}

fn lane(scene: Scene<'_>, member: &Member<'_>) -> Markup {
    let start = scene.wall.saturating_sub(DAY);
    let host = member.virtual_host;
    let present = Present { state: host.state, since: host.since_at.min(scene.wall), reason: &host.reason };
    let changes: Vec<_> = changes(scene, member).collect();
    let pieces = lane::pieces(&changes, &member.host.past.gaps, present, start, scene.wall);
    let x = |at: u64| at.saturating_sub(start) * MINUTES / DAY;
    let label = match changes.len() {
        0 => "no change in the last 24 hours".to_owned(),
        1 => "one change in the last 24 hours".to_owned(),
        count => format!("{count} changes in the last 24 hours"),
    };
    html! {
        svg viewBox={ "0 0 " (MINUTES) " 18" } preserveAspectRatio="none" role="img" aria-label=(label) {
            @for piece in &pieces { (block(piece, x(piece.from), x(piece.to))) }
        }
    }
}

/// States differ in height and pattern as well as in colour.
fn block(piece: &Piece, from: u64, to: u64) -> Markup {
    let width = to.saturating_sub(from).max(NARROWEST);
    // What has just begun is seen, too.
    let x = from.min(MINUTES - NARROWEST);
    let (y, height) = match piece.state {
        State::Master | State::Fault => (0, 18),
        State::Backup => (11, 7),
        State::Init => (15, 3),
    };
    let length = words::duration(piece.to.saturating_sub(piece.from));
    html! {
        g {
            title { (piece.state) " from " (Utc::new(piece.from).text()) " for " (length) ": " (piece.why) }
            rect class=(class(Some(piece.state))) x=(x) y=(y) width=(width) height=(height);
            @if piece.state == State::Fault { rect x=(x) y=(y) width=(width) height=(height) fill="url(#hatch)"; }
        }
    }
}

/// Changes of one virtual host within the last day, the oldest first.
fn changes<'a>(scene: Scene<'_>, member: &Member<'a>) -> impl Iterator<Item = &'a Event> {
    let times = scene.wall.saturating_sub(DAY)..=scene.wall;
    let host = member.virtual_host;
    member.host.past.events.iter().filter(move |event| {
        let is_of = event.vhid == Some(host.vhid) && event.interface.as_deref() == Some(&host.interface);
        is_of && event.to.is_some() && times.contains(&event.at)
    })
}

/// What happened last, in words, the newest first.
pub(super) fn story(scene: Scene<'_>, group: &Group<'_>, id: &str) -> Markup {
    let mut told: Vec<(&Event, &str)> = Vec::new();
    for member in &group.members {
        told.extend(changes(scene, member).map(|event| (event, member.host.name.as_str())));
    }
    told.sort_by_key(|(event, _)| Reverse((event.at, event.number)));
    let (first, rest) = told.split_at(told.len().min(MOST_SHOWN));
    let (more, beyond) = rest.split_at(rest.len().min(MOST_MORE));
    html! {
        @if !first.is_empty() {
            div.past {
                h3 { "What happened" }
                ol.story { @for (event, host) in first { (line(event, host)) } }
            }
        }
        @if !more.is_empty() {
            details id={ (id) "-more" } {
                summary { (more.len()) " more" }
                ol.story { @for (event, host) in more { (line(event, host)) } }
                @if !beyond.is_empty() { p.soft { "and " (beyond.len()) " earlier ones" } }
            }
        }
    }
}

fn line(event: &Event, host: &str) -> Markup {
    let at = Utc::new(event.at);
    let name = |state: Option<State>| state.map_or_else(|| "?".to_owned(), |state| state.to_string());
    html! {
        li {
            time datetime=(at.iso()) { (at.text()) }
            span { (host) }
            span.change { (name(event.from)) " → " span class={ "to-" (class(event.to)) } { (name(event.to)) } }
            span.reason { (event.message) }
        }
    }
}
