//! The result as a file of ours.

use std::fmt::Write as _;

use ucarp::config::{CheckKey, KeyId};

use super::draft::{Draft, Host, Value};

/// The file: remarks first, then each virtual host and each check with where its lines came from.
pub(super) fn render(draft: &Draft, title: &str) -> String {
    let mut text = format!("# {title}\n");
    if !draft.findings.is_empty() {
        text.push_str("#\n# What is to be done, what was not carried over, and what differs:\n");
        for finding in &draft.findings {
            line(&mut text, format_args!("# * {}", one_line(&finding.to_string())));
        }
    }
    for host in &draft.hosts {
        line(&mut text, format_args!("\n[virtual-host.{}]", table_name(&host.name)));
        render_host(&mut text, host);
    }
    for check in &draft.checks {
        line(&mut text, format_args!("\n[check.{}]", table_name(&check.name)));
        render_host(&mut text, check);
    }
    text
}

fn render_host(text: &mut String, host: &Host) {
    for entry in host.in_order() {
        let name = entry.id.name();
        match &entry.value {
            Value::List(items) if items.len() > 1 && !is_program(entry.id) => {
                line(text, format_args!("{name} = ["));
                for (item, origin) in items {
                    commented(text, &format!("    {},", string(item)), &origin.to_string());
                }
                line(text, format_args!("]"));
            }
            value => commented(text, &format!("{name} = {}", scalar(value)), &entry.origin.to_string()),
        }
    }
}

/// Whether a list is a program with its arguments.
fn is_program(key: KeyId) -> bool {
    matches!(key, KeyId::Up | KeyId::Down | KeyId::Check(CheckKey::Command))
}

/// A value as it is written.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Text(text) => string(text),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(|(item, _)| string(item)).collect::<Vec<_>>().join(", "))
        }
    }
}

fn commented(text: &mut String, code: &str, comment: &str) {
    line(text, format_args!("{code:<40} # {}", one_line(comment)));
}

/// A comment cannot hold control characters, and ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name with a dot would be a path of tables.
fn table_name(name: &str) -> String {
    if name.contains('.') { string(name) } else { name.to_owned() }
}

/// A basic string of TOML.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a string takes everything"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("a string takes everything");
}
