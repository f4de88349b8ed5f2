//! "Did you mean": the known word that is nearest to an unknown one.

/// The candidate with the fewest typing errors, if these are few for a word of that length. Candidates are
/// ASCII.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typing errors, and the work grows with the square of the length.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('_', "-");
    let length = word.chars().count();
    let near = candidates.into_iter().filter_map(|candidate| {
        let allowed = (length.max(candidate.len()) / 3).max(1);
        // Most candidates differ too much in length alone.
        let errors = (length.abs_diff(candidate.len()) <= allowed).then(|| distance(&word, candidate))?;
        (errors <= allowed && errors < candidate.len()).then_some((errors, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// How many letters have to be inserted, removed, replaced or swapped with their neighbour to make `b` from `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_typing_errors() {
        for (a, b, errors) in [
            ("", "", 0),
            ("", "abc", 3),
            ("advbase", "advbase", 0),
            ("adbvase", "advbase", 1),
            ("advbas", "advbase", 1),
            ("advskey", "advskew", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (errors, errors), "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["advbase", "advskew", "vhid", "up", "down", "preempt"];
        for (word, found) in [
            ("adbvase", Some("advbase")),
            ("AdvSkew", Some("advskew")),
            ("vhdi", Some("vhid")),
            ("premept", Some("preempt")),
            ("xx", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), found, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1000), known), None);
    }
}
