//! A node as a finite automaton: each state is numbered when it is first reached, and each step is taken once by the real
//! code and remembered. Worlds are then made of small numbers.

use std::collections::HashMap;

use carp_core::election::State;

use super::actor::{Actor, Input, Reaction, Sent, Setting, View};
use super::world::MOST_NODES;

/// A step of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Number of the state it leads to.
    pub(super) next: u16,
    /// What else it does.
    pub(super) reaction: Reaction,
}

/// Inputs that are not [`Input::Heard`], and for each sender two frames of two families with two draws.
const INPUTS: usize = 7 + 8 * MOST_NODES;

/// One node's automaton, as far as it has been explored.
#[derive(Debug)]
pub(super) struct Automaton {
    setting: Setting,
    actors: Vec<Actor>,
    views: Vec<View>,
    numbers: HashMap<Actor, u16>,
    steps: Vec<[Option<Step>; INPUTS]>,
}

impl Automaton {
    /// The automaton that starts as `actor`; that is its state 0.
    pub(super) fn new(setting: Setting, actor: Actor) -> Self {
        let (actors, views, steps) = (Vec::new(), Vec::new(), Vec::new());
        let mut automaton = Self { setting, actors, views, numbers: HashMap::new(), steps };
        automaton.number(actor);
        automaton
    }

    /// How the state `number` looks from outside.
    pub(super) fn view(&self, number: u16) -> View {
        self.views[usize::from(number)]
    }

    /// Whether `input` would change anything in the state `number`.
    pub(super) fn matters(&mut self, number: u16, input: Input) -> bool {
        let step = self.step(number, input);
        step.next != number || step.reaction != Reaction::default()
    }

    /// Feeds `input` to the state `number`.
    pub(super) fn step(&mut self, number: u16, input: Input) -> Step {
        let slot = slot(input);
        if let Some(step) = self.steps[usize::from(number)][slot] {
            return step;
        }
        let mut actor = self.actors[usize::from(number)].clone();
        let reaction = actor.apply(&self.setting, input);
        let step = Step { next: self.number(actor), reaction };
        self.steps[usize::from(number)][slot] = Some(step);
        step
    }

    fn number(&mut self, actor: Actor) -> u16 {
        if let Some(number) = self.numbers.get(&actor) {
            return *number;
        }
        let number =
            u16::try_from(self.actors.len()).expect("a node has fewer than 65536 states, else the tick is too fine");
        self.views.push(actor.view());
        self.steps.push([None; INPUTS]);
        self.numbers.insert(actor.clone(), number);
        self.actors.push(actor);
        number
    }
}

fn slot(input: Input) -> usize {
    match input {
        Input::Tick => 0,
        Input::Fire => 1,
        Input::LinkUp => 2,
        Input::LinkLost => 3,
        Input::HandOver => 4,
        Input::ShutDown => 5,
        Input::Released => 6,
        Input::Heard { from, sent, v6, high } => {
            7 + 8 * from + 4 * usize::from(v6) + 2 * usize::from(sent == Sent::Goodbye) + usize::from(high)
        }
    }
}

impl View {
    /// Whether the node holds the address, or is about to.
    pub(super) fn is_master(&self) -> bool {
        self.state == State::Master
    }
}
