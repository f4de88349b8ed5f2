//! Forked children and the sandbox, tried from inside.
//!
//! Not a libtest harness: only a process with one thread can be forked, and enter the sandbox. Each case forks what it
//! needs, and a child that panics says why on stderr and fails its case.

#![allow(clippy::unwrap_used, reason = "all of it is tests, which clippy knows only by libtest")]

mod allowed;
mod children;
mod denied;
mod forking;
mod jobs;
mod privileges;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A case and its name.
type Case = (&'static str, fn());

/// The cases of a module, by the names of their functions.
#[macro_export]
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        pub(crate) const CASES: &[$crate::Case] = &[$((stringify!($case), $case)),+];
    };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| {
        names.is_empty() || names.iter().any(|wanted| name == *wanted || !has("--exact") && name.contains(&***wanted))
    };
    let all = [forking::CASES, jobs::CASES, privileges::CASES, denied::CASES, allowed::CASES].concat();
    let total = all.len();
    // None is ignored, whoever asks for those that are.
    let wanted: Vec<Case> = all.into_iter().filter(|(name, _)| is_wanted(name) && !has("--ignored")).collect();
    if has("--list") {
        wanted.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let failed = wanted.iter().filter(|case| !passes(case)).count();
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, wanted.len() - failed);
    let filtered = total - wanted.len();
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn passes((name, case): &Case) -> bool {
    let passed = catch_unwind(case).is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}
