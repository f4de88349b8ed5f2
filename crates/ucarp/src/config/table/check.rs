//! The keys of `[check.NAME]` and `[isolation]`.

use super::{KeyId, KeySpec, Kind, Place};

/// The kinds of checks.
pub const KINDS: &[&str] =
    &["link", "ping", "neighbour", "tcp", "http", "process", "file", "route", "command", "isolation"];

/// The settings behind the keys of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table says what each one is")]
pub enum CheckKey {
    Kind,
    Fault,
    Demote,
    Interval,
    Timeout,
    Rise,
    Fall,
    Address,
    Interface,
    Port,
    Url,
    Host,
    Status,
    Name,
    PidFile,
    Path,
    Contains,
    Via,
    Command,
    User,
    External,
    Internal,
    IsolationHost,
    Hold,
}

impl CheckKey {
    /// The kinds of checks that have this key.
    #[must_use]
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Kind | Self::Fault | Self::Demote | Self::Interval | Self::Timeout | Self::Rise => KINDS,
            Self::Fall => KINDS.split_last().map_or(KINDS, |(_, others)| others),
            Self::Address => &["ping", "neighbour", "tcp", "route"],
            Self::Interface => &["link", "ping", "neighbour", "route"],
            Self::Port => &["tcp"],
            Self::Url | Self::Host | Self::Status => &["http"],
            Self::Name | Self::PidFile => &["process"],
            Self::Path | Self::Contains => &["file"],
            Self::Via => &["route"],
            Self::Command | Self::User => &["command"],
            Self::External | Self::Internal | Self::IsolationHost | Self::Hold => &["isolation"],
        }
    }

    /// Whether `[isolation]` has it, too.
    #[must_use]
    pub fn is_of_isolation(self) -> bool {
        self.kinds().contains(&"isolation") && !matches!(self, Self::Kind | Self::Fault | Self::Demote)
    }

    /// Whether a check of this kind cannot be without it. Of some keys one of two is needed.
    #[must_use]
    pub fn is_needed_by(self, kind: &str) -> bool {
        match self {
            Self::Interface => matches!(kind, "link" | "neighbour"),
            Self::Address
            | Self::Port
            | Self::Url
            | Self::Path
            | Self::Command
            | Self::External
            | Self::Internal
            | Self::IsolationHost => self.kinds().contains(&kind),
            _ => false,
        }
    }
}

const TIMES: Kind = Kind::Time { least: 50, most: 3_600_000 };
const COUNT: Kind = Kind::Number { least: 1, most: 1000 };

/// Every key of checks, in the order of documents and of `--show-config`.
pub const CHECK_KEYS: &[KeySpec] = &[
    check(CheckKey::Kind, "kind", Kind::Choice(KINDS), "what is looked at"),
    check(CheckKey::Fault, "fault", Kind::Flag, "give the addresses up and stay out while it is DOWN"),
    check(
        CheckKey::Demote,
        "demote",
        Kind::Number { least: 1, most: 254 },
        "what is added to advskew while it is DOWN",
    ),
    check(CheckKey::Interval, "interval", TIMES, "from the begin of one run to that of the next"),
    check(CheckKey::Timeout, "timeout", TIMES, "a run that takes longer has failed"),
    check(CheckKey::Rise, "rise", COUNT, "so many good results in a row make it UP again"),
    check(CheckKey::Fall, "fall", COUNT, "so many bad results in a row make it DOWN"),
    check(CheckKey::Address, "address", Kind::Target, "the host that is asked"),
    check(CheckKey::Interface, "interface", Kind::Interface, "the interface that is looked at, or that is used"),
    check(CheckKey::Port, "port", Kind::Number { least: 1, most: 65_535 }, "the TCP port"),
    check(CheckKey::Url, "url", Kind::Url, "the page that is asked for"),
    check(CheckKey::Host, "host", Kind::Text, "the name of the server that is asked for, instead of its address"),
    check(
        CheckKey::Status,
        "status",
        Kind::Number { least: 100, most: 599 },
        "the status that is expected, instead of any from 200 to 399",
    ),
    check(CheckKey::Name, "name", Kind::Text, "the name of the program that has to run"),
    check(CheckKey::PidFile, "pid-file", Kind::File, "the file with the process id of the program that has to run"),
    check(CheckKey::Path, "path", Kind::File, "the file that has to be there"),
    check(CheckKey::Contains, "contains", Kind::Text, "a text that has to be in it, within its first MiB"),
    check(CheckKey::Via, "via", Kind::Target, "the router that the route has to lead through"),
    check(CheckKey::Command, "command", Kind::Command, "the program that has to end with status 0"),
    check(CheckKey::User, "user", Kind::Text, "who runs it, instead of the daemon's unprivileged user"),
    check(CheckKey::External, "external", Kind::Target, "the peer, by the network of the virtual addresses"),
    check(CheckKey::Internal, "internal", Kind::Target, "the peer, by another network"),
    check(
        CheckKey::IsolationHost,
        "isolation-host",
        Kind::Target,
        "a third host of the network of the virtual addresses",
    ),
    check(CheckKey::Hold, "hold", COUNT, "so many times in a row isolated make it DOWN"),
];

const fn check(id: CheckKey, name: &'static str, kind: Kind, summary: &'static str) -> KeySpec {
    KeySpec { id: KeyId::Check(id), name, kind, place: Place::Check, default: None, summary, classic: &[] }
}

/// The key of checks of that name.
pub(in crate::config) fn find_check(name: &str) -> Option<(CheckKey, &'static KeySpec)> {
    CHECK_KEYS.iter().find(|spec| spec.name == name).and_then(|spec| match spec.id {
        KeyId::Check(key) => Some((key, spec)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_settings_are_unique_and_each_kind_is_used() {
        let names: BTreeSet<&str> = CHECK_KEYS.iter().map(|spec| spec.name).collect();
        let ids: BTreeSet<KeyId> = CHECK_KEYS.iter().map(|spec| spec.id).collect();
        assert_eq!((names.len(), ids.len()), (CHECK_KEYS.len(), CHECK_KEYS.len()));
        for kind in KINDS {
            let own = CHECK_KEYS.iter().filter(|spec| match spec.id {
                KeyId::Check(key) => key.kinds().contains(kind) && key.kinds().len() < KINDS.len() - 1,
                _ => false,
            });
            assert!(own.count() > 0, "{kind}");
        }
    }
}
