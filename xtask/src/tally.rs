//! Counts tests in the output of `cargo test`, whoever wrote it: the lines "test result: ok. 12 passed; 0 failed; ...".

/// No line that matters is longer; what exceeds it is not kept.
const LONGEST_LINE: usize = 512;

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

/// Sums up the results in a stream of output, handed in by pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    line: Vec<u8>,
    counts: Counts,
}

impl Tally {
    pub(crate) fn read(&mut self, output: &[u8]) {
        for &byte in output {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }

    pub(crate) fn counts(mut self) -> Counts {
        self.end_line();
        self.counts
    }

    fn end_line(&mut self) {
        if let Some(found) = parse(&String::from_utf8_lossy(&self.line)) {
            self.counts.passed += found.passed;
            self.counts.failed += found.failed;
            self.counts.ignored += found.ignored;
        }
        self.line.clear();
    }
}

/// The counts of a result line; `None` for any other line.
fn parse(line: &str) -> Option<Counts> {
    let result = line.strip_prefix("test result: ")?;
    let words: Vec<&str> = result.split_whitespace().collect();
    let before = |word: &str| words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok());
    Some(Counts { passed: before("passed;")?, failed: before("failed;")?, ignored: before("ignored;")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_the_results_of_several_binaries_in_pieces_of_any_size() {
        let output = "running 2 tests\ntest a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        for size in [1, 7, 4096] {
            let mut tally = Tally::default();
            output.as_bytes().chunks(size).for_each(|piece| tally.read(piece));
            assert_eq!(tally.counts(), Counts { passed: 15, failed: 2, ignored: 1 }, "pieces of {size}");
        }
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 7 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(parse(line), Some(Counts { passed: 7, failed: 0, ignored: 0 }));
    }

    #[test]
    fn other_lines_count_nothing_and_cost_no_memory() {
        let mut tally = Tally::default();
        tally.read(b"a test that prints: test result: ok. 1 passed; 0 failed; 0 ignored;\ntest result: odd\n");
        tally.read(&[b'x'; 100_000]);
        assert!(tally.line.len() <= LONGEST_LINE);
        assert_eq!(tally.counts(), Counts::default());
    }
}
