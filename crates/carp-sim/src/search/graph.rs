//! The fair steps between worlds as a graph, and the questions asked of it.

/// A step to a world, packed with whether time passes.
const TICK: u32 = 1 << 31;

/// Steps in the order in which the worlds were explored.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Where the steps of each world begin in `edges`.
    begins: Vec<u32>,
    edges: Vec<u32>,
}

/// The longest time that can be spent inside a set of worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// At most so many ticks, from this world on; no world if the set is empty.
    Ends {
        /// Ticks.
        ticks: u32,
        /// The world it begins in.
        from: Option<u32>,
    },
    /// For ever: these worlds follow each other in a circle.
    Forever(Vec<u32>),
}

impl Graph {
    /// The steps that follow are those of the next world.
    pub(super) fn begin(&mut self) {
        self.begins.push(u32::try_from(self.edges.len()).expect("there are fewer than 2^32 steps"));
    }

    /// A step of the world that was begun last.
    pub(super) fn edge(&mut self, to: u32, tick: bool) {
        assert!(to < TICK, "there are fewer than 2^31 worlds");
        self.edges.push(to | if tick { TICK } else { 0 });
    }

    /// All worlds have been given.
    pub(super) fn finish(&mut self) {
        self.begin();
    }

    /// The steps of a world: where to, and whether time passes.
    pub(super) fn steps(&self, world: u32) -> impl ExactSizeIterator<Item = (u32, bool)> + '_ {
        let (begin, end) = (self.begins[world as usize], self.begins[world as usize + 1]);
        self.edges[begin as usize..end as usize].iter().map(|edge| (edge & !TICK, edge & TICK != 0))
    }

    /// How many worlds there are.
    pub(super) fn len(&self) -> usize {
        self.begins.len() - 1
    }

    /// The worlds from which some way leads to one of `targets`, those included.
    pub(super) fn can_reach(&self, targets: impl Iterator<Item = u32>) -> Vec<bool> {
        self.reversed().reachable(targets)
    }

    /// The worlds to which some way leads from one of `starts`, those included.
    pub(super) fn reachable(&self, starts: impl Iterator<Item = u32>) -> Vec<bool> {
        let mut reach = vec![false; self.len()];
        let mut waiting: Vec<u32> = Vec::new();
        let mut mark = |world: u32, waiting: &mut Vec<u32>| {
            if !std::mem::replace(&mut reach[world as usize], true) {
                waiting.push(world);
            }
        };
        for start in starts {
            mark(start, &mut waiting);
        }
        while let Some(world) = waiting.pop() {
            for (next, _) in self.steps(world) {
                mark(next, &mut waiting);
            }
        }
        reach
    }

    fn reversed(&self) -> Self {
        let mut begins = vec![0; self.len() + 1];
        for edge in &self.edges {
            begins[(edge & !TICK) as usize + 1] += 1;
        }
        for world in 0..self.len() {
            begins[world + 1] += begins[world];
        }
        let (mut edges, mut filled) = (vec![0; self.edges.len()], begins.clone());
        for world in 0..u32::try_from(self.len()).expect("there are fewer than 2^31 worlds") {
            for (next, tick) in self.steps(world) {
                let place = &mut filled[next as usize];
                edges[*place as usize] = world | if tick { TICK } else { 0 };
                *place += 1;
            }
        }
        Self { begins, edges }
    }

    /// The longest time that can be spent without leaving the worlds that `inside` names, from one of `starts` on, which
    /// are a part of them.
    pub(super) fn longest_stay(&self, inside: &[bool], starts: &[bool]) -> Stay {
        let mut stays: Vec<Mark> = vec![Mark::New; self.len()];
        for (start, _) in starts.iter().enumerate().filter(|(_, starts)| **starts) {
            let start = u32::try_from(start).expect("there are fewer than 2^31 worlds");
            if let Err(circle) = self.visit(start, inside, &mut stays) {
                return Stay::Forever(circle);
            }
        }
        let mut best = Stay::Ends { ticks: 0, from: None };
        for (world, mark) in (0..).zip(&stays).filter(|(world, _)| starts[*world as usize]) {
            if let (Mark::Done(stay), Stay::Ends { ticks, from }) = (mark, &best)
                && (from.is_none() || stay > ticks)
            {
                best = Stay::Ends { ticks: *stay, from: Some(world) };
            }
        }
        best
    }

    /// Depth first from `start`, without recursion: ways are long. The error is a circle.
    fn visit(&self, start: u32, inside: &[bool], stays: &mut [Mark]) -> Result<(), Vec<u32>> {
        let mut way: Vec<(u32, usize, u32)> = Vec::new();
        if stays[start as usize] == Mark::New {
            stays[start as usize] = Mark::OnTheWay;
            way.push((start, 0, 0));
        }
        while let Some((world, position, longest)) = way.last_mut() {
            let Some((next, tick)) = self.steps(*world).nth(*position) else {
                stays[*world as usize] = Mark::Done(*longest);
                way.pop();
                continue;
            };
            let tick = u32::from(tick);
            let rest = if !inside[next as usize] { Some(0) } else { stays[next as usize].done() };
            if let Some(rest) = rest {
                (*position, *longest) = (*position + 1, (*longest).max(tick + rest));
            } else if stays[next as usize] == Mark::OnTheWay {
                let begin = way.iter().position(|(world, ..)| *world == next).expect("what is on the way is in it");
                return Err(way[begin..].iter().map(|(world, ..)| *world).chain([next]).collect());
            } else {
                stays[next as usize] = Mark::OnTheWay;
                way.push((next, 0, 0));
            }
        }
        Ok(())
    }

    /// The longest way from `from` inside `inside`, to the first world outside; ways must end.
    pub(super) fn longest_way(&self, from: u32, inside: &[bool]) -> Vec<u32> {
        let mut stays = vec![Mark::New; self.len()];
        if !inside[from as usize] || self.visit(from, inside, &mut stays).is_err() {
            return Vec::new();
        }
        let rest = |world: u32| if inside[world as usize] { stays[world as usize].done() } else { Some(0) };
        let (mut way, mut at) = (Vec::new(), from);
        while inside[at as usize] {
            let longest = |(next, tick): &(u32, bool)| rest(*next).map(|rest| rest + u32::from(*tick));
            let Some((next, _)) = self.steps(at).max_by_key(longest) else { break };
            way.push(next);
            at = next;
        }
        way
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    New,
    OnTheWay,
    Done(u32),
}

impl Mark {
    fn done(self) -> Option<u32> {
        match self {
            Self::Done(stay) => Some(stay),
            Self::New | Self::OnTheWay => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(steps: &[&[(u32, bool)]]) -> Graph {
        let mut graph = Graph::default();
        for world in steps {
            graph.begin();
            for (to, tick) in *world {
                graph.edge(*to, *tick);
            }
        }
        graph.finish();
        graph
    }

    #[test]
    fn the_longest_stay_is_counted_in_ticks_and_not_in_steps() {
        // 0 -> 1 -> 3 with no time, 0 => 2 => 3 with two ticks; 3 is outside.
        let graph = graph(&[&[(1, false), (2, true)], &[(3, false)], &[(3, true)], &[(3, true)]]);
        let inside = [true, true, true, false];
        assert_eq!(graph.longest_stay(&inside, &inside), Stay::Ends { ticks: 2, from: Some(0) });
        assert_eq!(graph.longest_way(0, &inside), [2, 3]);
    }

    #[test]
    fn a_circle_inside_is_for_ever_and_one_outside_is_not_asked_for() {
        let graph = graph(&[&[(1, true)], &[(2, false)], &[(1, true)]]);
        assert_eq!(graph.longest_stay(&[true; 3], &[true; 3]), Stay::Forever(vec![1, 2, 1]));
        assert_eq!(
            graph.longest_stay(&[true, false, true], &[true, false, false]),
            Stay::Ends { ticks: 1, from: Some(0) }
        );
    }

    #[test]
    fn what_can_reach_a_target_is_found_against_the_arrows() {
        let graph = graph(&[&[(1, true)], &[(2, true)], &[], &[(0, true), (3, true)]]);
        assert_eq!(graph.can_reach([1].into_iter()), [true, true, false, true]);
    }
}
