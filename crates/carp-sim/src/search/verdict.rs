//! What a search shows: how long the promises can be broken when nothing goes wrong any more.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::explore::Exploration;
use super::graph::Stay;

/// The longest time of something, over every world and every fair continuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Longest {
    /// So long.
    Lasts(Duration),
    /// There is a fair continuation in which it never ends.
    Forever,
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Worlds that can be reached.
    pub worlds: usize,
    /// Steps between them.
    pub steps: u64,
    /// Longest time with two MASTERs that hear each other.
    pub several: Longest,
    /// Longest time without a MASTER, counted from any world, one right after a fault included.
    pub none: Longest,
    /// Longest time without a MASTER that begins with a node of ours leaving, long enough after the last fault that no
    /// frame from before it is under way.
    pub gap: Longest,
    /// Longest time until there is exactly one MASTER, and always the same, whatever the order of what happens.
    pub settled: Longest,
    /// Worlds from which no fair continuation at all settles.
    pub hopeless: usize,
    /// The shortest way to a node that broke its contract.
    pub fault: Option<String>,
    /// A way to the longest of each of the four, in the order of the fields.
    pub examples: [String; 4],
}

/// Asks an exploration all questions.
pub(super) fn judge(exploration: &mut Exploration, tick: Duration, ours: u8) -> Verdict {
    let worlds = u32::try_from(exploration.len()).expect("an exploration has fewer than 2^31 worlds");
    let masters: Vec<Option<u8>> = (0..exploration.len()).map(|world| exploration.masters(world)).collect();
    let count = |world: u32| masters[world as usize].map(u8::count_ones);
    let set = |wanted: &dyn Fn(u32) -> bool| (0..worlds).map(wanted).collect::<Vec<bool>>();
    let several = set(&|world| count(world).is_some_and(|count| count > 1));
    let none = set(&|world| count(world) == Some(0));
    // A hole that begins with a step of ours, and the world before it.
    let mut gap = vec![false; none.len()];
    let mut before = HashMap::new();
    let calm = exploration.fair.reachable(exploration.quiet());
    for world in (0..worlds).filter(|world| calm[*world as usize]) {
        for (next, _) in exploration.fair.steps(world).filter(|(next, _)| none[*next as usize]) {
            if masters[world as usize].is_some_and(|masters| masters & ours != 0) {
                gap[next as usize] = true;
                before.entry(next).or_insert(world);
            }
        }
    }
    let changes =
        |world: u32| exploration.fair.steps(world).any(|(to, _)| masters[to as usize] != masters[world as usize]);
    let wrong = (0..worlds).filter(|world| count(*world).is_some_and(|count| count != 1) || changes(*world));
    let unsettled = exploration.fair.can_reach(wrong);
    let settled = (0..worlds).filter(|world| !unsettled[*world as usize]);
    let hopeless = exploration.fair.can_reach(settled).iter().filter(|hope| !**hope).count();
    let questions = [(&several, &several), (&none, &none), (&none, &gap), (&unsettled, &unsettled)];
    let answers = questions.map(|(inside, starts)| answer(exploration, tick, inside, starts, &before));
    let [several, none, gap, settled] = answers.clone().map(|(longest, _)| longest);
    let fault = exploration
        .fault
        .map(|(world, step, rule)| format!("{}\n{step}: {rule}", exploration.trace(world, &[]).join("\n")));
    let examples = answers.map(|(_, example)| example);
    let steps = exploration.steps;
    Verdict { worlds: exploration.len(), steps, several, none, gap, settled, hopeless, fault, examples }
}

fn answer(
    exploration: &mut Exploration,
    tick: Duration,
    inside: &[bool],
    starts: &[bool],
    before: &HashMap<u32, u32>,
) -> (Longest, String) {
    match exploration.fair.longest_stay(inside, starts) {
        Stay::Ends { ticks, from } => {
            let Some(from) = from else { return (Longest::Lasts(Duration::ZERO), String::new()) };
            let mut way = exploration.fair.longest_way(from, inside);
            let begin = before.get(&from).copied().filter(|_| starts != inside);
            if begin.is_some() {
                way.insert(0, from);
            }
            (Longest::Lasts(tick * ticks), exploration.trace(begin.unwrap_or(from), &way).join("\n"))
        }
        Stay::Forever(circle) => (Longest::Forever, exploration.trace(circle[0], &circle[1..]).join("\n")),
    }
}

impl Longest {
    /// Whether it ends within `bound`.
    #[must_use]
    pub fn is_within(&self, bound: Duration) -> bool {
        matches!(self, Self::Lasts(time) if *time <= bound)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, steps, several, none, gap, settled, .. } = self;
        write!(f, "{worlds:>9} {steps:>10} {several:>8} {none:>8} {gap:>8} {settled:>8}")
    }
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasts(time) => f.pad(&format!("{:.2} s", time.as_secs_f64())),
            Self::Forever => f.pad("forever"),
        }
    }
}
