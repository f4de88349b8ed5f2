//! The breadth-first search itself: every world that can be reached, how, and where fair continuations lead from it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use super::actor::{Actor, Setting};
use super::automaton::Automaton;
use super::graph::Graph;
use super::world::{Event, Move, Rules, Successor, World};

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Exploration {
    worlds: Vec<World>,
    /// How each world was reached first: from which one, and by what.
    origins: Vec<(u32, Move)>,
    /// The fair steps.
    pub(super) fair: Graph,
    /// Steps of all kinds.
    pub(super) steps: u64,
    /// The nodes.
    pub(super) nodes: Vec<Automaton>,
    /// A node that broke its contract: the world it was in, the step, the rule.
    pub(super) fault: Option<(u32, Move, &'static str)>,
    rules: Rules,
    tick: Duration,
}

/// Explores everything that `actors` can do under `rules`, but at most `limit` worlds.
///
/// # Panics
///
/// If there are more worlds: a search that was cut short proves nothing.
pub(super) fn explore(setting: &Setting, actors: Vec<Actor>, rules: &Rules, limit: usize) -> Exploration {
    let mut numbers: HashMap<World, u32, BuildHasherDefault<WorldHasher>> = HashMap::default();
    let start = World::start(rules);
    numbers.insert(start, 0);
    let mut exploration = Exploration {
        worlds: vec![start],
        origins: vec![(0, Move { event: Event::Tick, lost: [0; 2] })],
        fair: Graph::default(),
        steps: 0,
        nodes: actors.into_iter().map(|actor| Automaton::new(setting.clone(), actor)).collect(),
        fault: None,
        rules: rules.clone(),
        tick: setting.tick,
    };
    let mut found: Vec<Successor> = Vec::new();
    let mut next = 0;
    while let Some(world) = exploration.worlds.get(next).copied() {
        assert!(exploration.worlds.len() <= limit, "more than {limit} worlds: take a longer tick or fewer faults");
        let from = u32::try_from(next).expect("the limit is below 2^32");
        world.successors(rules, &mut exploration.nodes, &mut found);
        exploration.fair.begin();
        for successor in &found {
            exploration.steps += 1;
            if let Some(rule) = successor.fault {
                exploration.fault = exploration.fault.or(Some((from, successor.step, rule)));
            }
            let number = *numbers.entry(successor.world).or_insert_with(|| {
                exploration.worlds.push(successor.world);
                exploration.origins.push((from, successor.step));
                u32::try_from(exploration.worlds.len() - 1).expect("the limit is below 2^32")
            });
            if successor.fair {
                exploration.fair.edge(number, successor.step.event == Event::Tick);
            }
        }
        next += 1;
    }
    exploration.fair.finish();
    exploration
}

impl Exploration {
    /// How many worlds were reached.
    pub(super) fn len(&self) -> usize {
        self.worlds.len()
    }

    /// The worlds in which no frame is under way.
    pub(super) fn quiet(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.worlds).filter(|(_, world)| world.is_quiet()).map(|(number, _)| number)
    }

    /// The MASTERs of a world, a bit each; `None` if nobody takes part.
    pub(super) fn masters(&self, world: usize) -> Option<u8> {
        self.worlds[world].masters(&self.nodes)
    }

    /// The shortest way to a world and then the fair steps through `more`, a line for each step.
    pub(super) fn trace(&mut self, world: u32, more: &[u32]) -> Vec<String> {
        let mut way = vec![world];
        while let Some(&last) = way.last().filter(|last| **last != 0) {
            way.push(self.origins[last as usize].0);
        }
        way.reverse();
        let faults = way.len();
        way.extend(more);
        let mut time = Duration::ZERO;
        let mut lines = Vec::new();
        for (position, pair) in way.windows(2).enumerate() {
            let fair = position + 1 >= faults;
            let step = if fair { self.fair_step(pair[0], pair[1]) } else { self.origins[pair[1] as usize].1 };
            if step.event == Event::Tick {
                time += self.tick;
            }
            let (mark, summary) = (if fair { "" } else { "! " }, self.worlds[pair[1] as usize].summary(&self.nodes));
            lines.push(format!("{:7.3} s  {mark:2}{step}: {summary}", time.as_secs_f64()));
        }
        lines
    }

    fn fair_step(&mut self, from: u32, to: u32) -> Move {
        let mut found = Vec::new();
        self.worlds[from as usize].successors(&self.rules, &mut self.nodes, &mut found);
        let to = self.worlds[to as usize];
        let step = found.iter().find(|successor| successor.fair && successor.world == to);
        step.expect("worlds on a fair way follow each other by fair steps").step
    }
}

/// A fast hash for small fixed keys; nobody chooses them to collide.
#[derive(Clone, Copy, Debug, Default)]
struct WorldHasher(u64);

impl WorldHasher {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for WorldHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }
}
