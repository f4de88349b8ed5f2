//! The programs that an instance runs on changes of state.

use ucarp::config::KeyId;

use super::syntax::Node;
use crate::convert::draft::{Draft, Host, Value};
use crate::convert::shell;

/// Reads the notify scripts into `up` and `down`.
pub(super) fn read(instance: &Node, name: &str, host: &mut Host, draft: &mut Draft) {
    let priority = instance.all("priority").next().and_then(Node::value).unwrap_or("100");
    for (key, id, state) in [("notify_master", KeyId::Up, "MASTER"), ("notify_backup", KeyId::Down, "BACKUP")] {
        if let Some(line) = instance.all(key).next() {
            program(line, id, &[], host, draft);
        } else if let Some(line) = instance.all("notify").next() {
            program(line, id, &["INSTANCE", name, state, priority], host, draft);
        }
    }
    for line in instance.block.iter().filter(|line| line.key().starts_with("notify")) {
        match line.key() {
            "notify_master" | "notify_backup" => {}
            "notify"
                if instance.all("notify_master").next().is_some() && instance.all("notify_backup").next().is_some() =>
            {
                draft.lost(
                    &line.place,
                    "notify: there is one program for each change, and notify_master and notify_backup have it",
                );
            }
            "notify" => {
                draft.differs(
                    &line.place,
                    "notify: it is called with MASTER and BACKUP; FAULT and STOP are told as BACKUP",
                );
            }
            "notify_fault" | "notify_stop" => {
                let backup = instance.all("notify_backup").next().map(Node::rest);
                if backup.as_ref() != Some(&line.rest()) {
                    draft.lost(&line.place, format!("{}: the `down` program runs then", line.key()));
                }
            }
            key => draft.lost(&line.place, key),
        }
    }
}

/// A program with its arguments, and those that keepalived adds.
fn program(line: &Node, id: KeyId, more: &[&str], host: &mut Host, draft: &mut Draft) {
    let place = &line.place;
    let mut words = match shell::words(line.value().unwrap_or_default(), &shell::nothing) {
        Ok(words) => words,
        Err(fault) => return draft.fault(place, format!("{}: {fault}", line.key())),
    };
    let Some(path) = words.first() else {
        return draft.fault(place, format!("{} names no program: add it", line.key()));
    };
    if !path.starts_with('/') {
        return draft.fault(place, format!("{} {path:?} is not a full path: write it from /", line.key()));
    }
    if let Some(user) = line.words.get(2) {
        draft.differs(place, format!("{}: programs run as root, not as {user}", line.key()));
    }
    words.extend(more.iter().map(|&word| word.to_owned()));
    let origin = place.says(line.words[..line.words.len().min(2)].join(" "));
    let list = words.into_iter().map(|word| (word, origin.clone())).collect();
    host.set(id, Value::List(list), origin);
}
