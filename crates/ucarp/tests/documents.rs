//! The documents for newcomers: what they show is accepted, and what they say of the log is in it.

use std::fs;
use std::path::{Path, PathBuf};

use ucarp::config;

/// What the system says, and not the daemon.
const OF_THE_SYSTEM: [&str; 2] = ["No such file or directory", "Permission denied"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between ```toml and ```.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn the_files_that_are_shown_are_accepted() {
    for (document, least) in [("docs/guide.md", 1), ("docs/recipes.md", 8)] {
        let text = read(document);
        let blocks = blocks(&text);
        assert!(blocks.len() >= least, "{document} has {}", blocks.len());
        for block in blocks {
            let loaded = config::parse(block).unwrap_or_else(|problems| panic!("{document}: {problems}"));
            assert!(loaded.warnings.is_empty(), "{document}: {}", loaded.warnings);
        }
    }
}

/// A recipe that names an example shows it.
#[test]
fn the_recipes_are_the_examples() {
    let recipes = read("docs/recipes.md");
    let names = recipes.split("`examples/").skip(1).filter_map(|rest| rest.split('`').next());
    let named: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    assert!(named.len() >= 7, "{named:?}");
    for name in named {
        let example = read(&format!("examples/{name}"));
        let (_, shown) = example.split_once("\n\n").expect("a comment and an empty line");
        assert!(blocks(&recipes).contains(&shown), "{name} differs from what docs/recipes.md shows");
    }
}

/// All source code of the daemon and the core, without line ends and indentation in texts.
fn source() -> String {
    let mut all = String::new();
    let mut directories = vec![project("crates/ucarp/src"), project("crates/carp-core/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all += &fs::read_to_string(path).expect("it is text");
            }
        }
    }
    all
}

/// The parts of a log line that are the same for everybody: without values, and apart where a reason follows.
fn fixed_parts(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut in_brackets = false;
    for word in line.split(' ') {
        let is_value = in_brackets || word.contains(['/', '[']) || word.contains("...");
        in_brackets = (in_brackets || word.contains('[')) && !word.contains(']');
        if is_value || word.chars().any(|c| c.is_ascii_digit()) {
            parts.push(String::new());
            continue;
        }
        let last = parts.last_mut().expect("there is one");
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word.trim_end_matches(':'));
        if word.ends_with(':') || word == "because" {
            parts.push(String::new());
        }
    }
    parts.retain(|part| part.len() >= 8 && !OF_THE_SYSTEM.contains(&part.as_str()));
    parts
}

#[test]
fn the_log_lines_of_the_troubles_are_printed() {
    let (document, source) = (read("docs/troubleshooting.md"), source());
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut count = 0;
    for line in cells.flat_map(|cell| cell.split('`').step_by(2)) {
        for part in fixed_parts(line) {
            assert!(source.contains(&part), "{part:?} of {line:?} is nowhere in the source");
            count += 1;
        }
    }
    assert!(count >= 25, "{count} parts were looked for");
}

/// Links from one document to another lead somewhere.
#[test]
fn links_between_documents_lead_somewhere() {
    let documents = fs::read_dir(project("docs")).expect("it can be listed").map(|entry| entry.unwrap().path());
    let documents: Vec<PathBuf> = documents.filter(|path| path.extension().is_some_and(|ext| ext == "md")).collect();
    assert!(documents.len() >= 12, "{documents:?}");
    for document in documents.into_iter().chain([project("README.md")]) {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_web = target.contains("://");
            let found = file.is_empty() || document.with_file_name(file).exists();
            assert!(is_web || found, "{}: {target} leads nowhere", document.display());
        }
    }
}
