//! `ucarp --check` and `ucarp --show-config`.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::problem::{Problems, Severity};
use super::{Loaded, Purpose, load, show};

/// Checks a configuration, tells what is wrong on standard error, and returns the exit status: 0 if it can be run.
#[must_use]
pub fn check(file: &Path) -> u8 {
    let Some(loaded) = load_and_tell(file) else { return 1 };
    let hosts = loaded.settings.hosts.len();
    let files = loaded.files.len();
    print(&format!("ok: {} in {}\n", count(hosts, "virtual host"), count(files, "file")))
}

/// Prints a configuration as it takes effect, and returns the exit status: 1 with all that is wrong if it cannot be run.
#[must_use]
pub fn print_effective(file: &Path) -> u8 {
    let Some(loaded) = load_and_tell(file) else { return 1 };
    print(&show(&loaded.settings, &loaded.secrets))
}

fn load_and_tell(file: &Path) -> Option<Loaded> {
    match load(file, Purpose::Check) {
        Ok(loaded) => {
            tell(&loaded.warnings);
            Some(loaded)
        }
        Err(problems) => {
            tell(&problems);
            let errors = problems.iter().filter(|problem| problem.severity() == Severity::Error).count();
            // Those that were left out count as errors: there are hundreds of problems then.
            let errors = errors + (problems.len() - problems.iter().count());
            eprintln!("{} in {}: not usable", count(errors, "error"), file.display());
            None
        }
    }
}

fn tell(problems: &Problems) {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // A reader that has seen enough is no failure.
    _ = io::stderr().write_all(problems.render(io::stderr().is_terminal() && !no_color).as_bytes());
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Prints on standard output. A reader that has seen enough is no failure.
fn print(text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("unable to write to standard output: {error}");
            1
        }
        _ => 0,
    }
}
