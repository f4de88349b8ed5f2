//! Small pictures. States differ in shape as well as in colour: a full disc, a ring, a cross, dots.

use maud::{Markup, html};
use ucarp_control::types::{CheckState, State};

/// The picture of a state; `None`: nobody knows it.
pub(super) fn state(state: Option<State>) -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" {
            @match state {
                Some(State::Master) => { circle cx="8" cy="8" r="6.5" fill="currentColor"; }
                Some(State::Backup) => {
                    circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2";
                }
                Some(State::Fault) => {
                    path d="M3 3 13 13M13 3 3 13" fill="none" stroke="currentColor" stroke-width="3"
                        stroke-linecap="round";
                }
                Some(State::Init) => {
                    circle cx="2.5" cy="8" r="2" fill="currentColor";
                    circle cx="8" cy="8" r="2" fill="currentColor";
                    circle cx="13.5" cy="8" r="2" fill="currentColor";
                }
                None => {
                    path d="M5 6a3 3 0 1 1 4.2 2.7C8.4 9.1 8 9.6 8 10.5" fill="none" stroke="currentColor"
                        stroke-width="2" stroke-linecap="round";
                    circle cx="8" cy="13.5" r="1.3" fill="currentColor";
                }
            }
        }
    }
}

/// The picture of what a check says.
pub(super) fn check(state: CheckState) -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.5"
            stroke-linecap="round" stroke-linejoin="round" {
            @match state {
                CheckState::Up => { path d="m2.5 8.5 3.5 4 7.5-9"; }
                CheckState::Down => { path d="M3 3 13 13M13 3 3 13"; }
                CheckState::Unknown => { path d="M3 8h10"; }
            }
        }
    }
}

/// A warning triangle.
pub(super) fn warning() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8"
            stroke-linejoin="round" stroke-linecap="round" {
            path d="M8 1.8 15 14.2H1zM8 6.5v3.2M8 12v.01";
        }
    }
}

/// Patterns that the timeline fills with.
pub(super) fn definitions() -> Markup {
    html! {
        svg.hidden-visually aria-hidden="true" width="0" height="0" {
            defs {
                pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="2" height="6" fill="#fff" fill-opacity="0.55";
                }
            }
        }
    }
}
