//! Command lines that end by themselves, and what came of them.

use std::process::Command;

use ucarp_sys::netns::NetNs;

use super::Program;

/// Everything that is required, on an interface that does not exist: what is accepted ends when it looks for that.
const COMPLETE: [&str; 14] = [
    "-i",
    "nope0",
    "-s",
    "10.0.0.2",
    "-v",
    "1",
    "-p",
    "secret",
    "-a",
    "10.0.0.100",
    "-u",
    "/bin/true",
    "-d",
    "/bin/true",
];

/// Longer than any such command line takes, in seconds.
const LIMIT: &str = "30";

/// How a program ended.
#[derive(Debug)]
pub struct Ending {
    pub status: Option<i32>,
    pub output: String,
    pub error: String,
}

impl Program {
    /// What becomes of these arguments and no others.
    pub fn ending(self, arguments: &[&str]) -> Ending {
        // Whatever it takes the arguments for: it sees no real network, and does not outlive its time (status 124).
        let network = NetNs::new().expect("a network namespace can be made: this suite needs root");
        let mut command = Command::new("timeout");
        command.args(["-k1", LIMIT]).arg(self.path()).args(arguments);
        network.command(&mut command).expect("it can run there");
        let output = command.output().expect("the program can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ending { status: output.status.code(), output: text(&output.stdout), error: text(&output.stderr) }
    }

    /// What becomes of a complete command line with these arguments added; the last one of an option counts.
    pub fn ending_with(self, more: &[&str]) -> Ending {
        self.ending(&[&COMPLETE[..], more].concat())
    }

    /// What becomes of a complete command line that lacks the option `letter`.
    pub fn ending_without(self, letter: &str) -> Ending {
        let pairs = COMPLETE.chunks(2).filter(|pair| pair[0] != letter);
        self.ending(&pairs.flatten().copied().collect::<Vec<_>>())
    }
}

impl Ending {
    /// Whether the command line was right and only the interface missing.
    pub fn is_accepted(&self) -> bool {
        self.status == Some(2) && self.last_error().starts_with("Unable to find MAC address of [nope0]")
    }

    pub fn assert_accepted(&self) {
        assert!(self.is_accepted(), "{self:?}");
    }

    /// Whether this is help and nothing else.
    pub fn is_help(&self) -> bool {
        self.status == Some(0) && self.prints_help() && self.error.is_empty()
    }

    /// Whether help is on standard output: some line of it for every option that UCARP documents.
    pub fn prints_help(&self) -> bool {
        let options = ["--interface", "--srcip", "--vhid", "--pass", "--preempt", "--addr", "--downscript", "--xparam"];
        options.iter().all(|option| self.output.contains(option))
    }

    /// The text of the last line of level `ERROR`, empty if there is none.
    pub fn last_error(&self) -> &str {
        self.error.lines().rev().find_map(|line| line.split_once(": [ERROR] ")).map_or("", |(_, text)| text)
    }

    /// Asserts an error with this exit status, the text beginning so, and nothing on standard output.
    pub fn assert_error(&self, status: i32, text: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.last_error().starts_with(text), "{text:?} expected: {self:?}");
        assert_eq!(self.output, "", "{self:?}");
    }
}
