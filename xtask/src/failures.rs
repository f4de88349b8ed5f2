//! Which tests failed and why, from the output of `cargo test`: the sections that libtest prints after all tests.

use std::fmt;

/// More failures are not kept; a run with so many has one reason.
const MOST: usize = 50;

/// Lines of a message that are kept, from the panic on.
const MOST_LINES: usize = 60;

/// What is kept of a line.
const LONGEST_LINE: usize = 2048;

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name, as libtest takes it.
    pub(crate) name: String,
    /// What it printed, from the message of its panic on.
    lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---- {}", self.name)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Collects failures from a stream of output, handed in by pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    line: Vec<u8>,
    failures: Vec<Failure>,
    in_section: bool,
}

impl Collector {
    pub(crate) fn read(&mut self, output: &[u8]) {
        for &byte in output {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }

    pub(crate) fn failures(mut self) -> Vec<Failure> {
        self.end_line();
        self.failures
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.in_section = self.failures.len() < MOST;
            if self.in_section {
                self.failures.push(Failure { name: name.to_owned(), lines: Vec::new() });
            }
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.in_section = false;
        } else if let Some(failure) = self.failures.last_mut().filter(|_| self.in_section) {
            if line.starts_with("thread '") && line.contains(" panicked at ") {
                // What it measured before is not why it failed.
                failure.lines.clear();
            }
            if failure.lines.len() < MOST_LINES && !line.is_empty() {
                failure.lines.push(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 3 tests
test fine ... ok
test links::gone ... FAILED
test odd ... FAILED

failures:

---- links::gone stdout ----
measured 3 s

thread 'links::gone' (4711) panicked at tests/links.rs:3:5:
it never came:
second line
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- odd stdout ----
Error: \"a test can fail without a panic\"


failures:
    links::gone
    odd

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn collect(output: &str, size: usize) -> Vec<Failure> {
        let mut collector = Collector::default();
        output.as_bytes().chunks(size).for_each(|piece| collector.read(piece));
        collector.failures()
    }

    #[test]
    fn each_failure_has_its_name_and_its_message_from_the_panic_on() {
        for size in [1, 7, 4096] {
            let failures = collect(OUTPUT, size);
            let names: Vec<_> = failures.iter().map(|failure| failure.name.as_str()).collect();
            assert_eq!(names, ["links::gone", "odd"]);
            let text = failures[0].to_string();
            assert!(text.starts_with("---- links::gone\nthread 'links::gone' (4711) panicked at"), "{text}");
            assert!(text.contains("it never came:\nsecond line\n") && !text.contains("measured"), "{text}");
            assert_eq!(failures[1].to_string(), "---- odd\nError: \"a test can fail without a panic\"\n");
        }
    }

    #[test]
    fn a_run_without_failures_has_none() {
        assert_eq!(collect("test a ... ok\n\ntest result: ok. 1 passed; 0 failed;\n", 5), []);
    }

    #[test]
    fn endless_messages_and_countless_failures_cost_no_memory() {
        let mut output = String::from("failures:\n\n");
        for number in 0..3 * MOST {
            let lines = "x\n".repeat(2 * MOST_LINES);
            output += &format!("---- test{number} stdout ----\nthread 'a' panicked at\n{lines}{}\n", "y".repeat(9999));
        }
        let failures = collect(&output, 4096);
        assert_eq!(failures.len(), MOST);
        assert!(failures.iter().all(|failure| failure.lines.len() == MOST_LINES));
    }
}
