//! What a host was in the last day, piece by piece.

use ucarp_control::types::{Event, State};

use crate::exporter::model::Gap;

/// More pieces than this could not be told apart on a lane.
pub(super) const MOST_PIECES: usize = 120;

/// More gaps than an exporter tells of.
const MOST_GAPS: usize = 200;

/// A piece of a lane. Times are milliseconds since 1970. Between pieces nobody knows what was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) state: State,
    /// In words, for those who ask.
    pub(super) why: String,
}

/// What a virtual host is at the end of its lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present<'a> {
    pub(super) state: State,
    /// In milliseconds since 1970.
    pub(super) since: u64,
    pub(super) reason: &'a str,
}

/// The pieces from `start` to `end`, in the order of time. `changes` are those of the virtual host in this time.
pub(super) fn pieces(changes: &[&Event], gaps: &[Gap], present: Present<'_>, start: u64, end: u64) -> Vec<Piece> {
    let mut marks: Vec<(u64, State, String)> = Vec::new();
    match changes.first().map(|first| first.from) {
        // No change in all this time.
        None => marks.push((present.since.max(start), present.state, present.reason.to_owned())),
        // Before a start there was nothing. Any other state is older than what is shown, or was forgotten.
        Some(None | Some(State::Init)) => {}
        Some(Some(before)) => marks.push((start, before, "since before".to_owned())),
    }
    marks.extend(changes.iter().filter_map(|event| Some((event.at, event.to?, event.message.clone()))));
    let ends: Vec<u64> = marks.iter().skip(1).map(|(at, ..)| *at).chain([end]).collect();
    let whole = marks.into_iter().zip(ends).map(|((from, state, why), to)| Piece { from, to, state, why });
    let known: Vec<Piece> = whole.flat_map(|piece| without(piece, gaps)).collect();
    if known.len() > MOST_PIECES { together(&known, start, end) } else { known }
}

/// What is left of a piece beside the gaps.
fn without(piece: Piece, gaps: &[Gap]) -> Vec<Piece> {
    let mut rest = Vec::new();
    let mut from = piece.from;
    for gap in gaps.iter().take(MOST_GAPS) {
        let gap_end = gap.to.unwrap_or(u64::MAX);
        if gap_end <= from || gap.from >= piece.to {
            continue;
        }
        if gap.from > from {
            rest.push(Piece { from, to: gap.from, ..piece.clone() });
        }
        from = gap_end;
    }
    if from < piece.to || rest.is_empty() && from == piece.from {
        rest.push(Piece { from, ..piece });
    }
    rest
}

/// Puts the pieces together that begin in the same hundred-and-twentieth of the time, under the state that matters
/// most.
fn together(pieces: &[Piece], start: u64, end: u64) -> Vec<Piece> {
    let bucket = end.saturating_sub(start) / MOST_PIECES as u64 + 1;
    let number = |piece: &Piece| piece.from.saturating_sub(start) / bucket;
    let many = pieces.chunk_by(|one, other| number(one) == number(other)).filter_map(|chunk| {
        let worst = chunk.iter().max_by_key(|piece| weight(piece.state))?;
        let (from, to) = (chunk.first()?.from, chunk.last()?.to);
        let why = if chunk.len() == 1 { worst.why.clone() } else { format!("{} changes", chunk.len()) };
        Some(Piece { from, to, state: worst.state, why })
    });
    many.collect()
}

fn weight(state: State) -> u8 {
    match state {
        State::Backup => 0,
        State::Init => 1,
        State::Master => 2,
        State::Fault => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::testing::change;

    const NOW: Present<'static> = Present { state: State::Master, since: 700, reason: "why" };

    fn lane(changes: &[Event], gaps: &[Gap]) -> Vec<(u64, u64, State)> {
        let changes: Vec<&Event> = changes.iter().collect();
        pieces(&changes, gaps, NOW, 500, 1000).into_iter().map(|piece| (piece.from, piece.to, piece.state)).collect()
    }

    #[test]
    fn without_a_change_there_is_what_is_now_since_it_is_so() {
        assert_eq!(lane(&[], &[]), [(700, 1000, State::Master)]);
        let long = Present { since: 3, ..NOW };
        assert_eq!(pieces(&[], &[], long, 500, 1000)[0].from, 500);
    }

    #[test]
    fn changes_follow_each_other_and_nothing_is_before_a_start() {
        let started = [change(600, State::Init, State::Backup), change(800, State::Backup, State::Master)];
        assert_eq!(lane(&started, &[]), [(600, 800, State::Backup), (800, 1000, State::Master)]);
        let ran = [change(800, State::Backup, State::Master)];
        assert_eq!(lane(&ran, &[]), [(500, 800, State::Backup), (800, 1000, State::Master)]);
    }

    #[test]
    fn what_nobody_knows_is_not_shown() {
        let ran = [change(800, State::Backup, State::Master)];
        let gaps = [Gap { from: 100, to: Some(550) }, Gap { from: 600, to: Some(820) }, Gap { from: 900, to: None }];
        assert_eq!(lane(&ran, &gaps), [(550, 600, State::Backup), (820, 900, State::Master)]);
    }

    #[test]
    fn many_changes_become_few_pieces_that_show_the_worst() {
        let states = [State::Backup, State::Fault, State::Backup, State::Master];
        let many: Vec<Event> =
            (0..400).map(|at| change(500 + at as u64, states[at % 4], states[(at + 1) % 4])).collect();
        let lane = lane(&many, &[]);
        assert!(lane.len() <= MOST_PIECES, "{}", lane.len());
        assert!(lane[..lane.len() - 1].iter().all(|(_, _, state)| *state == State::Fault), "{lane:?}");
        assert!(lane.windows(2).all(|pair| pair[0].1 == pair[1].0), "without holes: {lane:?}");
        assert_eq!(lane.last().unwrap().1, 1000);
    }
}
