//! What instances track becomes checks, which virtual hosts name.

use ucarp::config::{CheckKey, KeyId};

use super::syntax::Node;
use crate::convert::draft::{Draft, Host, Origin, Place, Value};
use crate::convert::shell;

/// What is tracked, and where it is defined.
const DEFINITIONS: [(&str, &str); 2] = [("track_script", "vrrp_script"), ("track_process", "vrrp_track_process")];

/// Seconds between two runs of a script unless it says otherwise.
const INTERVAL: f64 = 1.0;

/// The daemon takes times from 50 ms to an hour.
const TIMES: std::ops::RangeInclusive<f64> = 0.05..=3600.0;

/// Reads what an instance and its groups track. `host` has its advskew already.
pub(super) fn read(instance: &Node, all: &[Node], host: &mut Host, draft: &mut Draft) {
    let name = instance.value().unwrap_or_default();
    let groups = all.iter().filter(|node| node.key() == "vrrp_sync_group" && super::has_member(node, name));
    let mut tracking = Tracking { all, host, draft };
    for block in std::iter::once(instance).chain(groups).flat_map(|node| &node.block) {
        for item in &block.block {
            match block.key() {
                "track_interface" => tracking.interface(instance, item),
                "track_script" => tracking.script(item),
                "track_process" => tracking.process(item),
                _ => {}
            }
        }
        if matches!(block.key(), "track_file" | "track_bfd") {
            let text = format!("{}: a check of kind \"file\" or \"command\" may do instead", block.key());
            tracking.draft.lost(&block.place, text);
        }
    }
}

/// Tells of definitions that nothing tracks.
pub(super) fn tell_of_unused(all: &[Node], draft: &mut Draft) {
    for node in all {
        let Some((tracks, key)) = DEFINITIONS.iter().find(|(_, key)| *key == node.key()) else { continue };
        let name = node.value().unwrap_or_default();
        let is_used = all.iter().flat_map(|owner| owner.items(tracks)).any(|item| item.key() == name);
        if !is_used {
            draft.lost(&node.place, format!("{key} {name}: nothing tracks it"));
        }
    }
}

struct Tracking<'n, 'd> {
    all: &'n [Node],
    host: &'d mut Host,
    draft: &'d mut Draft,
}

impl<'n> Tracking<'n, '_> {
    /// The link of another interface. That of the own one counts by itself.
    fn interface(&mut self, instance: &Node, item: &Node) {
        let own = instance.all("interface").next().and_then(Node::value);
        if Some(item.key()) == own {
            if item.words.len() > 1 {
                let text =
                    format!("track_interface {}: without carrier its own interface is FAULT", item.words.join(" "));
                self.draft.differs(&item.place, text);
            }
            return;
        }
        let origin = item.place.says(item.words.join(" "));
        let mut check = Host::new(&format!("link-{}", item.key()), item.place.clone());
        check.text(KeyId::Check(CheckKey::Kind), "link", origin.clone());
        check.text(KeyId::Check(CheckKey::Interface), item.key(), origin);
        self.add(item, None, check);
    }

    fn script(&mut self, item: &Node) {
        let Some(definition) = self.definition("vrrp_script", item) else { return };
        let mut check = Host::new(item.key(), definition.place.clone());
        let Some(line) = definition.all("script").next() else {
            return self.draft.fault(&definition.place, format!("vrrp_script {} has no script: add it", item.key()));
        };
        let origin = line.place.says(line.words.join(" "));
        let words = match shell::words(&line.rest(), &shell::nothing) {
            Ok(words) => words,
            Err(fault) => return self.draft.fault(&line.place, format!("script: {fault}")),
        };
        if let Some(name) = process_of(&words) {
            check.text(KeyId::Check(CheckKey::Kind), "process", origin.clone());
            check.text(KeyId::Check(CheckKey::Name), name, origin);
        } else {
            match words.first() {
                Some(path) if path.starts_with('/') => {}
                first => {
                    let first = first.map_or("", String::as_str);
                    return self
                        .draft
                        .fault(&line.place, format!("script {first:?} is not a full path: write it from /"));
                }
            }
            let list = words.into_iter().map(|word| (word, origin.clone())).collect();
            check.text(KeyId::Check(CheckKey::Kind), "command", origin.clone());
            check.set(KeyId::Check(CheckKey::Command), Value::List(list), origin);
            self.user(definition, &mut check);
        }
        self.times(definition, &mut check);
        for line in &definition.block {
            match line.key() {
                "script" | "interval" | "timeout" | "rise" | "fall" | "weight" | "user" => {}
                "init_fail" => self.draft.differs(&line.place, "init_fail: a check is UNKNOWN until its first result"),
                _ => self.draft.lost(&line.place, line.words.join(" ")),
            }
        }
        self.add(item, Some(definition), check);
    }

    /// Who runs a script. keepalived's own default depends on whether there is a certain user.
    fn user(&mut self, definition: &Node, check: &mut Host) {
        let general =
            self.all.iter().filter(|node| node.key() == "global_defs").flat_map(|node| node.all("script_user"));
        match definition.all("user").chain(general).find_map(|line| Some((line, line.value()?))) {
            Some((line, user)) => {
                check.text(KeyId::Check(CheckKey::User), user, line.place.says(line.words.join(" ")));
            }
            None => self.draft.differs(
                &definition.place,
                format!(
                    "vrrp_script {}: it runs as the user ucarp or nobody unless `user` names another one",
                    check.name
                ),
            ),
        }
    }

    fn process(&mut self, item: &Node) {
        let Some(definition) = self.definition("vrrp_track_process", item) else { return };
        let mut check = Host::new(item.key(), definition.place.clone());
        let Some((line, path)) = definition.all("process").find_map(|line| Some((line, line.value()?))) else {
            let text = format!("vrrp_track_process {} names no process: add it", item.key());
            return self.draft.fault(&definition.place, text);
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let origin = line.place.says(line.words.join(" "));
        check.text(KeyId::Check(CheckKey::Kind), "process", origin.clone());
        check.text(KeyId::Check(CheckKey::Name), name, origin);
        if line.words.len() > 2 {
            let text = format!("process {}: any program called {name} counts, whatever its arguments", line.rest());
            self.draft.differs(&line.place, text);
        }
        for line in &definition.block {
            match line.key() {
                "process" | "weight" => {}
                _ => self.draft.lost(&line.place, line.words.join(" ")),
            }
        }
        self.add(item, Some(definition), check);
    }

    fn definition(&mut self, key: &str, item: &Node) -> Option<&'n Node> {
        let found = self.all.iter().find(|node| node.key() == key && node.value() == Some(item.key()));
        if found.is_none() {
            let text = format!("there is no {key} {}: give the file that has it as well", item.key());
            self.draft.fault(&item.place, text);
        }
        found
    }

    fn times(&mut self, definition: &Node, check: &mut Host) {
        let interval = self.seconds(definition, "interval").unwrap_or(INTERVAL);
        let timeout = self.seconds(definition, "timeout").unwrap_or(interval).min(interval);
        for (key, name, seconds, otherwise) in
            [(CheckKey::Interval, "interval", interval, "1"), (CheckKey::Timeout, "timeout", timeout, "as interval")]
        {
            check.text(KeyId::Check(key), time(seconds), said(definition, name, otherwise));
        }
        for (key, name) in [(CheckKey::Rise, "rise"), (CheckKey::Fall, "fall")] {
            let line = definition.all(name).next();
            let count = line.and_then(Node::value).map_or(Some(1), |value| value.parse().ok());
            match count.filter(|count: &u32| (1..=1000).contains(count)) {
                Some(count) => check.number(KeyId::Check(key), count, said(definition, name, "1")),
                None => {
                    let place = line.map_or(&definition.place, |line| &line.place);
                    self.draft.fault(place, format!("{name} is no number from 1 to 1000: correct it"));
                }
            }
        }
    }

    fn seconds(&mut self, definition: &Node, key: &str) -> Option<f64> {
        let line = definition.all(key).next()?;
        let seconds = line.value().and_then(|value| value.parse().ok()).filter(|seconds| TIMES.contains(seconds));
        if seconds.is_none() {
            let text = format!("{} is no time from 0.05 to 3600 s: correct it", line.words.join(" "));
            self.draft.fault(&line.place, text);
        }
        seconds
    }

    /// Adds a check with its effect: that of `item`, or else that of what it names.
    fn add(&mut self, item: &Node, definition: Option<&Node>, mut check: Host) {
        if item.words.iter().any(|word| word == "reverse") {
            return self.draft.lost(&item.place, format!("{}: no check is good when it fails", item.words.join(" ")));
        }
        let of_item =
            item.words.iter().position(|word| word == "weight").map(|at| (&item.place, item.words.get(at + 1)));
        let of_definition = || definition?.all("weight").next().map(|line| (&line.place, line.words.get(1)));
        let given = of_item.or_else(of_definition);
        let Some(weight) = given.map_or(Some(0), |(_, word)| word?.parse::<i32>().ok()).filter(|by| by.abs() <= 253)
        else {
            let place = given.map_or(&item.place, |(place, _)| place);
            return self.draft.fault(place, "a weight is a number from -253 to 253: correct it");
        };
        let place = given.map_or(&item.place, |(place, _)| place).clone();
        let by = weight.unsigned_abs();
        if weight == 0 {
            let words = if given.is_some() { "weight 0" } else { "without weight" };
            check.flag(KeyId::Check(CheckKey::Fault), place.says(format!("{} {words}", item.key())));
        } else {
            check.number(KeyId::Check(CheckKey::Demote), by, place.says(format!("{} weight {weight}", item.key())));
        }
        if weight > 0 {
            self.raise(by, &place, item.key());
        }
        let name = self.draft.add_check(check);
        self.host.add(KeyId::Checks, name, item.place.says(item.words.join(" ")));
    }

    /// What keepalived adds while all is well is part of the rank here, and taken back while it is not.
    fn raise(&mut self, by: u32, place: &Place, what: &str) {
        let Some((skew, origin)) = self.host.get(KeyId::Advskew).and_then(|entry| match entry.value {
            Value::Number(skew) => Some((skew, entry.origin.clone())),
            _ => None,
        }) else {
            return;
        };
        if by > skew {
            let text =
                format!("weight {by} of {what}: an advskew cannot be below 0, so the host keeps a part of its rank");
            self.draft.differs(place, text);
        }
        let words = format!("{}, and {by} for {what}", origin.words);
        self.host.number(KeyId::Advskew, skew.saturating_sub(by), origin.place.says(words));
    }
}

/// Where a value of a definition came from.
fn said(definition: &Node, key: &str, otherwise: &str) -> Origin {
    match definition.all(key).next() {
        Some(line) => line.place.says(line.words.join(" ")),
        None => definition.place.says(format!("{key} {otherwise} by default")),
    }
}

/// As the daemon reads it.
fn time(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds:.0}s") } else { format!("{:.0}ms", seconds * 1000.0) }
}

/// The program that a script asks for, if that is all it does.
fn process_of(words: &[String]) -> Option<&str> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let program = words.first()?.rsplit('/').next()?;
    let name = match (program, &words[1..]) {
        ("killall", ["-0", name]) | ("pidof", [name]) | ("pgrep", ["-x", name]) => *name,
        _ => return None,
    };
    let is_plain =
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet));
    is_plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_only_ask_for_a_process() {
        let process = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            process_of(&words).map(str::to_owned)
        };
        assert_eq!(process("killall -0 haproxy").as_deref(), Some("haproxy"));
        assert_eq!(process("/usr/bin/pgrep -x nginx").as_deref(), Some("nginx"));
        assert_eq!(process("/sbin/pidof named").as_deref(), Some("named"));
        for other in ["killall haproxy", "pgrep nginx", "pidof /usr/sbin/named", "pgrep -x ng.*x", "/etc/check haproxy"]
        {
            assert_eq!(process(other), None, "{other}");
        }
    }

    #[test]
    fn times_are_written_as_the_daemon_reads_them() {
        assert_eq!([time(1.0), time(0.5), time(90.0)], ["1s", "500ms", "90s"]);
    }
}
