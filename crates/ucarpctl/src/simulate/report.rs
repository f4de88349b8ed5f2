//! What came of a play, as text.

use std::fmt::Write as _;
use std::time::Duration;

use carp_sim::stage::{Cause, Play, Standing};

/// A time in which a host was the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) standing: Standing,
}

/// What each of `hosts` hosts was, from 0 to the end.
pub(super) fn spans(play: &Play, hosts: usize, length: Duration) -> Vec<Vec<Span>> {
    let begin = Span { from: Duration::ZERO, to: length, standing: Standing::Init };
    let mut spans = vec![vec![begin]; hosts];
    for step in &play.moves {
        let own = &mut spans[step.actor];
        let last = own.last_mut().expect("there is a first span");
        last.to = step.at;
        if last.from == last.to {
            own.pop();
        }
        own.push(Span { from: step.at, to: length, standing: step.to });
    }
    spans
}

/// How long nobody, and how long more than one, was MASTER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) nobody: Duration,
    pub(super) longest: Duration,
    pub(super) several: Duration,
}

/// Sums up from the first MASTER on: before, all are listening.
pub(super) fn sum(spans: &[Vec<Span>], length: Duration) -> Sum {
    let all = || spans.iter().flatten();
    let masters_at =
        |at: Duration| all().filter(|s| s.standing == Standing::Master && s.from <= at && at < s.to).count();
    let Some(first) = all().filter(|span| span.standing == Standing::Master).map(|span| span.from).min() else {
        return Sum { nobody: length, longest: length, several: Duration::ZERO };
    };
    let mut edges: Vec<Duration> = all().map(|span| span.from).filter(|at| *at >= first).chain([length]).collect();
    edges.sort_unstable();
    edges.dedup();
    let (mut sum, mut gap) = (Sum::default(), Duration::ZERO);
    for pair in edges.windows(2) {
        let took = pair[1] - pair[0];
        match masters_at(pair[0]) {
            0 => {
                sum.nobody += took;
                gap += took;
                sum.longest = sum.longest.max(gap);
            }
            1 => gap = Duration::ZERO,
            _ => {
                sum.several += took;
                gap = Duration::ZERO;
            }
        }
    }
    sum
}

/// The letter of a standing in the timeline.
fn letter(standing: Standing) -> char {
    match standing {
        Standing::Off => ' ',
        Standing::Init => '-',
        Standing::Backup => '.',
        Standing::Master => '#',
    }
}

/// A line for each host; each column is a part of the time, and shows a MASTER if there was one in it.
pub(super) fn timeline(names: &[String], spans: &[Vec<Span>], length: Duration, columns: usize) -> String {
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let columns = columns.saturating_sub(widest + 4).clamp(10, 400);
    let edge =
        |column: usize| length.mul_f64(f64::from(u32::try_from(column).unwrap_or(u32::MAX)) / columns_f64(columns));
    let mut text = String::new();
    for (name, own) in names.iter().zip(spans) {
        let cell = |column: usize| {
            let (from, to) = (edge(column), edge(column + 1));
            let inside = own.iter().filter(|span| span.from < to && span.to > from);
            let important =
                inside.clone().find(|span| span.standing == Standing::Master).or_else(|| inside.clone().next_back());
            important.map_or(' ', |span| letter(span.standing))
        };
        let cells: String = (0..columns).map(cell).collect();
        line(&mut text, format_args!("{name:>widest$} |{cells}|"));
    }
    let (zero, end) = ("0 s", format!("{:.0} s", length.as_secs_f64()));
    let room = (columns + 1).saturating_sub(zero.len());
    line(&mut text, format_args!("{:>widest$}  {zero}{end:>room$}", ""));
    text
}

fn columns_f64(columns: usize) -> f64 {
    f64::from(u32::try_from(columns).unwrap_or(u32::MAX))
}

/// The changes, a line each.
pub(super) fn changes(names: &[String], play: &Play) -> String {
    let mut text = String::new();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for step in &play.moves {
        let what = match step.to {
            Standing::Off => "is away",
            Standing::Init => "starts",
            Standing::Backup => "BACKUP",
            Standing::Master => "MASTER",
        };
        let why = match &step.cause {
            Cause::Decided(reason) => format!(": {reason}"),
            Cause::Struck | Cause::Recovered => String::new(),
        };
        line(&mut text, format_args!("{:>9.3} s  {:<widest$}  {what}{why}", step.at.as_secs_f64(), names[step.actor]));
    }
    text
}

/// Two lines that sum it up.
pub(super) fn summary(sum: &Sum) -> String {
    let mut text = String::new();
    match sum.nobody {
        Duration::ZERO => line(&mut text, format_args!("nobody was MASTER: never after the first takeover")),
        nobody => line(
            &mut text,
            format_args!(
                "nobody was MASTER: {:.3} s, {:.3} s at a time",
                nobody.as_secs_f64(),
                sum.longest.as_secs_f64()
            ),
        ),
    }
    match sum.several {
        Duration::ZERO => line(&mut text, format_args!("two were MASTER:   never")),
        several => line(&mut text, format_args!("two were MASTER:   {:.3} s", several.as_secs_f64())),
    }
    text
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use carp_sim::stage::Move;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn play(steps: &[(u64, usize, Standing)]) -> Play {
        let step = |(seconds, actor, to): &(u64, usize, Standing)| Move {
            at: at(*seconds),
            actor: *actor,
            to: *to,
            cause: Cause::Struck,
        };
        Play { moves: steps.iter().map(step).collect(), ..Play::default() }
    }

    #[test]
    fn times_without_and_with_two_masters_are_summed() {
        let play = play(&[
            (0, 0, Standing::Backup),
            (0, 1, Standing::Backup),
            (3, 0, Standing::Master),
            (10, 0, Standing::Off),
            (14, 1, Standing::Master),
            (16, 1, Standing::Backup),
            (17, 0, Standing::Master),
            (18, 1, Standing::Master),
        ]);
        let spans = spans(&play, 2, at(20));
        assert_eq!(sum(&spans, at(20)), Sum { nobody: at(5), longest: at(4), several: at(2) });
        let names = ["a".to_owned(), "b".to_owned()];
        let shown = timeline(&names, &spans, at(20), 25);
        assert_eq!(shown, "a |...#######       ###|\nb |..............##..##|\n   0 s              20 s\n");
    }

    #[test]
    fn a_group_without_any_master_is_one_gap() {
        let spans = spans(&play(&[]), 2, at(20));
        assert_eq!(sum(&spans, at(20)), Sum { nobody: at(20), longest: at(20), several: at(0) });
    }
}
