//! The card of a group: where its addresses are, why, and what happened.

use maud::{Markup, html};
use ucarp_control::types::{Check, CheckState, Peer, State, VirtualHost};

use super::{Scene, class, icons, timeline};
use crate::exporter::group::{Group, Member};
use crate::exporter::words;

/// More peers, checks and addresses than this are only counted: the page stays one that can be read.
const MOST_ROWS: usize = 32;

/// All that is known of a group.
pub(super) fn card(scene: Scene<'_>, group: &Group<'_>) -> Markup {
    let id = identity(group);
    html! {
        section.group.split[group.is_split(scene.now)] id=(id) aria-labelledby={ (id) "-name" } {
            header {
                h2 id={ (id) "-name" } { (group.name()) }
                ul.addresses.mono aria-label="Virtual addresses" {
                    @for address in group.addresses.iter().take(MOST_ROWS) { li { (address) } }
                    @if let Some(more) = beyond(group.addresses.len()) { li { (more) } }
                }
                p.where { (place(group)) }
            }
            @for member in &group.members { (host(scene, member)) }
            (timeline::day(scene, group))
            (details(scene, group))
            (timeline::story(scene, group, &id))
        }
    }
}

/// For links and for the script, which finds the same card again by it.
pub(super) fn identity(group: &Group<'_>) -> String {
    let plain = |text: &str| {
        text.chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
            .collect::<String>()
    };
    format!("vhid-{}-{}", group.vhid, plain(group.addresses.first().copied().unwrap_or_else(|| group.name())))
}

fn beyond(length: usize) -> Option<String> {
    length.checked_sub(MOST_ROWS).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

fn place(group: &Group<'_>) -> String {
    let mut interfaces: Vec<_> = group.members.iter().map(|member| member.virtual_host.interface.as_str()).collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    let together = group.members.first().and_then(|member| member.virtual_host.group.as_deref());
    let together = together.map(|name| format!(" · group {name}")).unwrap_or_default();
    format!("vhid {} · {}{together}", group.vhid, interfaces.join(", "))
}

/// A host of the group: what it is, since when and why.
fn host(scene: Scene<'_>, member: &Member<'_>) -> Markup {
    let Member { host, virtual_host, seen } = member;
    let state = member.state(scene.now);
    let since = member.since(scene.now);
    html! {
        div.host.silent[state.is_none()] {
            div.badge {
                span class={ "state " (class(state)) } {
                    (icons::state(state))
                    (state.map_or_else(|| "UNKNOWN".to_owned(), |state| state.to_string()))
                }
            }
            div.name {
                @match &host.url {
                    Some(url) => a href=(url) rel="noreferrer" { (host.name) },
                    None => { (host.name) small { "this host" } },
                }
            }
            div {
                p.why {
                    @if state.is_none() {
                        "It was " (virtual_host.state) " "
                        span data-since=(seen.age(scene.now)) { (words::duration(seen.age(scene.now))) } " ago: "
                    }
                    (virtual_host.reason)
                }
                p.rank { (rank(virtual_host)) }
            }
            div.clock { (clock(state, virtual_host, since, seen.age(scene.now))) }
        }
    }
}

/// What an election compares, and what changes it.
fn rank(host: &VirtualHost) -> Markup {
    let lost: Vec<_> =
        host.addresses.iter().filter(|address| address.held == Some(false)).map(|it| &*it.address).collect();
    html! {
        (words::rank(host.advbase, host.advskew))
        @if host.advertised_skew != host.advskew { ", advertised as " (host.advertised_skew) }
        @for cause in host.demotion.iter().take(MOST_ROWS) { " · +" (cause.demotion) " for " (cause.name) }
        @if host.preempt { " · preempts" }
        @if host.held { " · " strong { "held" } }
        @if host.state == State::Master && !lost.is_empty() { " · " strong { "not there: " (lost.join(", ")) } }
        @if let Some(script) = &host.script {
            @match &script.outcome {
                None => { " · " (script.action) " script runs for " (words::tenths(script.started_ago)) }
                Some(outcome) => { " · " (script.action) " script: " (outcome) }
            }
        }
    }
}

/// For how long it has been what it is, and the timer that runs.
fn clock(state: Option<State>, host: &VirtualHost, since: u64, age: u64) -> Markup {
    let timers = host.timers;
    html! {
        @if let Some(state) = state {
            "for " span data-since=(since) { (words::duration(since)) }
            @match (state, timers.next_advertisement, timers.takeover) {
                (State::Master, Some(left), _) => (timer(left, age, timers.advertisement_interval, state)),
                (State::Backup, _, Some(left)) => (timer(left, age, timers.dead_time, state)),
                _ => {}
            }
        }
    }
}

/// A timer that runs down.
fn timer(left: u64, age: u64, of: u64, state: State) -> Markup {
    let is_master = state == State::Master;
    let left = if is_master && age > left && of > 0 { of - (age - left) % of } else { left.saturating_sub(age) };
    let width = left.saturating_mul(100).checked_div(of).unwrap_or_default().min(100);
    html! {
        small data-left=(left) data-of=(of) data-again=[is_master.then_some("1")] {
            @if is_master { "next advertisement in " } @else { "takes over after silence of " }
            b { (words::tenths(left)) }
            svg class={ "bar " (class(Some(state))) } viewBox="0 0 100 4" preserveAspectRatio="none"
                aria-hidden="true" {
                rect width=(width) height="4" fill="currentColor";
            }
        }
    }
}

/// Checks of all hosts, and who is heard by this one.
fn details(scene: Scene<'_>, group: &Group<'_>) -> Markup {
    let checks: Vec<_> =
        group.members.iter().flat_map(|it| it.virtual_host.checks.iter().map(move |check| (it, check))).collect();
    let peers: Vec<_> =
        group.members.iter().flat_map(|it| it.virtual_host.peers.iter().map(move |peer| (it, peer))).collect();
    let many = group.members.len() > 1;
    html! {
        @if !checks.is_empty() || !peers.is_empty() {
            div.more {
                @if !checks.is_empty() { (checks_table(scene, &checks, many)) }
                @if !peers.is_empty() { (peers_table(scene, &peers, many)) }
            }
        }
    }
}

fn checks_table(scene: Scene<'_>, checks: &[(&Member<'_>, &Check)], many: bool) -> Markup {
    html! {
        div {
            h3 { "Checks" }
            table.checks {
                thead { tr { th scope="col" { "Check" } th scope="col" { "Says" } th scope="col" { "Result" } } }
                tbody {
                    @for (member, check) in checks.iter().take(MOST_ROWS) {
                        tr {
                            td { (check.name) small { (check.kind) @if many { " on " (member.host.name) } } }
                            td {
                                span class={ "verdict " (verdict(check.state)) } {
                                    (icons::check(check.state)) (check.state)
                                }
                                small data-since=(check.since + member.seen.age(scene.now)) {
                                    (words::duration(check.since + member.seen.age(scene.now)))
                                }
                            }
                            td {
                                (check.result)
                                @if check.state == CheckState::Down { small { "so: " (check.effect) } }
                            }
                        }
                    }
                }
            }
            @if let Some(more) = beyond(checks.len()) { p.soft { (more) } }
        }
    }
}

fn verdict(state: CheckState) -> &'static str {
    match state {
        CheckState::Up => "good",
        CheckState::Down => "bad",
        CheckState::Unknown => "open",
    }
}

fn peers_table(scene: Scene<'_>, peers: &[(&Member<'_>, &Peer)], many: bool) -> Markup {
    html! {
        div {
            h3 { "Heard on the network" }
            table.heard {
                thead {
                    tr {
                        th scope="col" { "Advertiser" }
                        th scope="col" { "Rank" }
                        th.number scope="col" { "Last heard" }
                        th.number scope="col" { "Packets" }
                    }
                }
                tbody {
                    @for (member, peer) in peers.iter().take(MOST_ROWS) {
                        tr {
                            td {
                                span.mono { (peer.address) }
                                @if let Some(mac) = &peer.mac { small.mono { (mac) } }
                                @if many { small { "by " (member.host.name) } }
                            }
                            td {
                                (peer.advbase) " s + " (peer.advskew) "/256"
                                small {
                                    @if peer.is_master { "MASTER" } @else { "not master" }
                                    @if peer.demotion > 0 { ", demoted by " (peer.demotion) }
                                    @if peer.stamped { ", stamped" }
                                }
                            }
                            td.number { (words::ago(peer.heard_ago + member.seen.age(scene.now))) }
                            td.number { (words::number(peer.advertisements)) }
                        }
                    }
                }
            }
            @if let Some(more) = beyond(peers.len()) { p.soft { (more) } }
        }
    }
}
