//! The page. It is complete without its script, which only keeps it up to date; all that is dynamic is escaped by maud.

mod card;
mod icons;
mod lane;
mod timeline;

use std::time::Instant;

use maud::{DOCTYPE, Markup, html};
use ucarp_control::types::State;

use super::group::{self, Alarm, Group, Severity};
use super::model::Host;
use super::words;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("page/page.css");

/// The script.
pub(super) const SCRIPT: &str = include_str!("page/page.js");

/// What stands for the page where many are open.
pub(super) const ICON: &str = include_str!("page/icon.svg");

/// What the page is made of.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// This host first.
    pub(super) hosts: &'a [Host],
    /// When it is rendered, for what is measured by the monotonic clock.
    pub(super) now: Instant,
    /// The same in milliseconds since 1970.
    pub(super) wall: u64,
}

/// A whole document.
pub(super) fn document(scene: Scene<'_>) -> Markup {
    let (title, part) = part(scene);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="page.css";
                noscript { meta http-equiv="refresh" content="5"; }
            }
            body {
                a.skip href="#groups" { "Skip to the virtual hosts" }
                (part)
                footer.foot {
                    span { "ucarp-exporter " (env!("CARGO_PKG_VERSION")) }
                    a href="metrics" { "metrics" }
                    a href="api/v1/status" { "status (JSON)" }
                    a href="api/v1/history" { "history (JSON)" }
                }
                (icons::definitions())
                script src="page.js" defer {}
            }
        }
    }
}

/// What changes, with the title that goes with it.
pub(super) fn part(scene: Scene<'_>) -> (String, Markup) {
    let mut groups = group::groups(scene.hosts);
    // Otherwise their order never changes: what was found once is where it was.
    groups.sort_by_key(|group| !group.is_split(scene.now));
    let alarms = group::alarms(scene.hosts, &groups, scene.now);
    let title = title(scene, &groups, &alarms);
    let markup = html! {
        div #page data-title=(title) {
            (top(scene, &groups))
            main #groups {
                p.hidden-visually role="status" { (summary(scene, &groups)) }
                @if !alarms.is_empty() {
                    section.alarms aria-label="What is wrong" {
                        @for alarm in &alarms { (shown(alarm)) }
                    }
                }
                @if groups.len() > 1 { (overview(scene, &groups)) }
                @for group in &groups { (card::card(scene, group)) }
                @if groups.is_empty() { p.empty { "No virtual hosts are known." } }
            }
        }
    };
    (title, markup)
}

/// The worst first: it is all that is seen of the page where many are open.
fn title(scene: Scene<'_>, groups: &[Group<'_>], alarms: &[Alarm]) -> String {
    let name = scene.hosts.first().map_or("ucarp", |host| &host.name);
    if let Some(split) = groups.iter().find(|group| group.is_split(scene.now)) {
        return format!("TWO MASTERS of {} · ucarp {name}", split.name());
    }
    match alarms.iter().filter(|alarm| alarm.severity > Severity::Notice).count() {
        0 => format!("ucarp {name}"),
        count => format!("({count}) ucarp {name}"),
    }
}

fn top(scene: Scene<'_>, groups: &[Group<'_>]) -> Markup {
    let here = scene.hosts.first();
    let daemon = here.and_then(|host| host.seen.as_ref()).map(|seen| &seen.daemon);
    let of = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let hosts = of(scene.hosts.len(), "host", "hosts");
    let virtual_hosts = of(groups.len(), "virtual host", "virtual hosts");
    html! {
        header.top {
            h1 { (here.map_or("ucarp", |host| &host.name)) }
            span.what {
                @if let Some(daemon) = daemon {
                    "ucarp " (daemon.version) ", up "
                    span data-since=(scene.wall.saturating_sub(daemon.started_at)) {
                        (words::duration(scene.wall.saturating_sub(daemon.started_at)))
                    }
                    " · "
                }
                (virtual_hosts)
                @if scene.hosts.len() > 1 { " on " (hosts) }
            }
            span.live data-is="still" { "reloads every 5 s" }
        }
    }
}

/// For those who hear the page: it is read out when it changes.
fn summary(scene: Scene<'_>, groups: &[Group<'_>]) -> String {
    const MOST: usize = 20;
    let of = |group: &Group<'_>| {
        let states = group.members.iter().map(|member| {
            let state = member.state(scene.now).map_or_else(|| "unknown".to_owned(), |state| state.to_string());
            format!("{state} on {}", member.host.name)
        });
        format!("{}: {}", group.name(), states.collect::<Vec<_>>().join(", "))
    };
    groups.iter().take(MOST).map(of).collect::<Vec<_>>().join("; ")
}

/// One line for all groups: who serves what.
fn overview(scene: Scene<'_>, groups: &[Group<'_>]) -> Markup {
    html! {
        nav.overview aria-label="Virtual hosts" {
            ul {
                @for group in groups {
                    @let (state, who) = served(scene, group);
                    li {
                        a.split[group.is_split(scene.now)] href={ "#" (card::identity(group)) } {
                            span class={ "to-" (class(state)) } { (icons::state(state)) }
                            " " (group.name()) " " small { (who) }
                        }
                    }
                }
            }
        }
    }
}

/// Who serves a group, as far as anybody here knows.
fn served(scene: Scene<'_>, group: &Group<'_>) -> (Option<State>, String) {
    let in_state = |wanted| group.members.iter().find(|member| member.state(scene.now) == Some(wanted));
    if group.is_split(scene.now) {
        return (Some(State::Master), "two masters".into());
    }
    if let Some(member) = in_state(State::Master) {
        return (Some(State::Master), member.host.name.clone());
    }
    let heard = group.members.iter().filter(|member| member.state(scene.now).is_some());
    if let Some(master) = heard.filter_map(|member| member.virtual_host.master.as_ref()).next() {
        return (Some(State::Backup), master.clone());
    }
    let state = [State::Backup, State::Init, State::Fault].into_iter().find(|state| in_state(*state).is_some());
    (state, if state.is_some() { "no master" } else { "unknown" }.into())
}

fn shown(alarm: &Alarm) -> Markup {
    let class = match alarm.severity {
        Severity::Notice => "alarm",
        Severity::Bad => "alarm bad",
        Severity::Split => "alarm split",
    };
    html! {
        div class=(class) role=[(alarm.severity == Severity::Split).then_some("alert")] {
            (icons::warning())
            strong { (alarm.title) }
            p { (alarm.text) }
        }
    }
}

/// The class of a state; `None`: nobody knows it.
fn class(state: Option<State>) -> &'static str {
    match state {
        Some(State::Master) => "master",
        Some(State::Backup) => "backup",
        Some(State::Fault) => "fault",
        Some(State::Init) => "init",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests;
